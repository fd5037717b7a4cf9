use super::*;
use crate::signaling::fuzzing::fuzz;
use proptest::prelude::*;

#[test]
fn a_list_is_split_where_the_grammar_splits_it() {
    for (value, expected) in [
        ("<sip:a>, <sip:b>", vec!["<sip:a>", "<sip:b>"]),
        ("<sip:a>,,<sip:b> ,", vec!["<sip:a>", "<sip:b>"]),
        (
            "\"a,b\" <sip:a,b@c>;x=\"d,e\",<sip:b>",
            vec!["\"a,b\" <sip:a,b@c>;x=\"d,e\"", "<sip:b>"],
        ),
        ("\"a\\\",<sip:x>,\" <sip:a>", vec!["\"a\\\",<sip:x>,\" <sip:a>"]),
        ("sip:a@b;q=1,sip:c@d", vec!["sip:a@b;q=1", "sip:c@d"]),
        (" ", vec![]),
    ] {
        assert_eq!(elements(value), Ok(expected), "{value}");
    }
    assert_eq!(elements("\"a, <sip:a>"), Err(Malformed::Quote));
    assert_eq!(elements("\"a\\\", <sip:a>"), Err(Malformed::Quote));
    assert_eq!(elements("<sip:a>, <sip:b"), Err(Malformed::Bracket));
}

#[test]
fn an_element_has_its_parts() {
    let read = NameAddr::parse("\"<sip:x@y>;screen=yes\" <sip:a@b;lr>;Tag=1; note=\"a;b\";flag").unwrap();
    assert_eq!(
        (read.display, read.uri, read.bracketed),
        ("\"<sip:x@y>;screen=yes\"", "sip:a@b;lr", true)
    );
    assert_eq!(
        (read.param("tag"), read.param("NOTE"), read.param("flag")),
        (Some("1"), Some("a;b"), Some(""))
    );
    assert_eq!((read.param("lr"), read.param("screen")), (None, None));
    // Without brackets they are the header's.
    let bare = NameAddr::parse("sip:a@b;tag=1").unwrap();
    assert_eq!(
        (bare.uri, bare.param("tag"), bare.bracketed),
        ("sip:a@b", Some("1"), false)
    );
    for (element, why) in [
        ("\"a <sip:a>", Malformed::Quote),
        ("<sip:a", Malformed::Bracket),
        ("<sip:a<sip:b>>", Malformed::Bracket),
        ("<sip:a> <sip:b>", Malformed::Rest),
        ("<sip:a>tag=1", Malformed::Rest),
        ("\"a\" sip:a@b", Malformed::Rest),
        ("sip:a@b, sip:c@d", Malformed::Rest),
        ("<sip:a b@c>", Malformed::Rest),
        ("a <>", Malformed::Empty),
        (";tag=1", Malformed::Empty),
        ("", Malformed::Empty),
    ] {
        assert_eq!(NameAddr::parse(element), Err(why), "{element}");
    }
}

/// A quoted string of any text.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Text in which every character that means something to a reader is likely.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[<>\",;\\\\@:=?% ]",
        "[a-z0-9+]{1,12}",
        Just("<sip:+8613900001234@x>".to_owned()),
        Just("tel:+8613900001234".to_owned()),
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// No display name and no parameter, whatever text it holds, changes whom an element names or how a list is split.
#[test]
fn fuzz_text_decides_nothing() {
    let case = (text(), text(), "\\+86138[0-9]{8}");
    fuzz(2_000, &case, |(name, note, number)| {
        let element = format!("{} <sip:{number}@trunk.test>;note={}", quoted(&name), quoted(&note));
        let list = format!("<sip:first@x>, {element}, <sip:last@x>");
        let split = elements(&list).unwrap();
        prop_assert_eq!(&split, &["<sip:first@x>", element.as_str(), "<sip:last@x>"]);
        let read = NameAddr::parse(split[1]).unwrap();
        prop_assert_eq!(read.number(None), PhoneNumber::new(&number).ok());
        Ok(())
    });
}

/// Any text is read or refused; what is read are parts of it, and a number is one that stands in it.
#[test]
fn fuzz_any_text_is_read_or_refused() {
    let case = prop_oneof![text(), ".{0,80}"];
    fuzz(4_000, &case, |value| {
        for element in elements(&value).unwrap_or_default() {
            prop_assert!(value.contains(element) && !element.is_empty());
        }
        if let Ok(read) = NameAddr::parse(&value) {
            prop_assert!(value.contains(read.uri) && value.contains(read.display) && value.contains(read.params));
            prop_assert!(!read.uri.is_empty() && !read.uri.contains(['<', '>', '"']));
            let _ = read.param("tag");
            // Read again without its name, it is the same.
            let plain = format!("<{}>{}", read.uri, read.params);
            let again = NameAddr::parse(&plain).unwrap();
            prop_assert_eq!((again.uri, again.params), (read.uri, read.params));
            prop_assert_eq!(again.number(None), read.number(None));
        }
        Ok(())
    });
}
