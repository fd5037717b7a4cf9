use super::*;

const OWNER: &str = "+8613800008412";
const OTHER: &str = "+8613900001234";

/// What a call's headers mean.
#[derive(Clone, Copy)]
enum Who {
    /// The trunk asserts this number.
    Asserted(&'static str),
    /// The trunk asserts somebody who is no global number.
    AssertedNobody,
    /// The caller states this number.
    Stated(&'static str),
    /// Nobody says a number.
    Nobody,
}
use Who::{Asserted, AssertedNobody, Nobody, Stated};

impl Who {
    fn identity(self) -> Identity {
        let number = |text| Some(PhoneNumber::new(text).unwrap());
        match self {
            Asserted(text) => Identity::Asserted(number(text)),
            AssertedNobody => Identity::Asserted(None),
            Stated(text) => Identity::Stated(number(text)),
            Nobody => Identity::Stated(None),
        }
    }
}

/// Reads headers as they stand in a message, a line each.
fn identity(text: &str) -> Identity {
    let mut headers = CallerHeaders::default();
    for line in text.lines() {
        let (name, value) = line.split_once(": ").unwrap();
        match name {
            "From" => headers.from = Some(value),
            "P-Asserted-Identity" => headers.asserted.push(value),
            "P-Preferred-Identity" => headers.preferred.push(value),
            "Remote-Party-ID" => headers.remote_party.push(value),
            _ => panic!("{name}"),
        }
    }
    Identity::of(&headers)
}

/// `From` alone, without its tag.
const FROM: &[(&str, Who)] = &[
    ("<sip:+8613800008412@trunk.test>", Stated(OWNER)),
    ("sip:+8613800008412@trunk.test", Stated(OWNER)),
    ("\"Li Na\" <sip:+8613800008412@trunk.test>", Stated(OWNER)),
    ("Li Na <sip:+8613800008412@trunk.test>", Stated(OWNER)),
    ("李娜 <sip:+8613800008412@trunk.test>", Stated(OWNER)),
    ("\"Na, Li\" <sip:+8613800008412@trunk.test>", Stated(OWNER)),
    ("\"Li \\\"N\\\" Na\" <sip:+8613800008412@trunk.test>", Stated(OWNER)),
    ("\"Li Na\\\\\" <sip:+8613800008412@trunk.test>", Stated(OWNER)),
    ("  <sip:+8613800008412@trunk.test>  ", Stated(OWNER)),
    ("<SIP:+8613800008412@trunk.test>", Stated(OWNER)),
    ("<sips:+8613800008412@trunk.test>", Stated(OWNER)),
    ("<sip:+8613800008412@10.0.0.1:5080>", Stated(OWNER)),
    ("<sip:+8613800008412@[2001:db8::1]:5080>", Stated(OWNER)),
    ("<sip:+8613800008412@trunk.test;user=phone>", Stated(OWNER)),
    ("<sip:+8613800008412@trunk.test;transport=udp?Subject=x>", Stated(OWNER)),
    ("<sip:+8613800008412;cpc=ordinary@trunk.test>", Stated(OWNER)),
    ("<sip:+8613800008412;phone-context=+86@trunk.test;user=phone>", Stated(OWNER)),
    ("<sip:+8613800008412:secret@trunk.test>", Stated(OWNER)),
    ("<sip:%2B8613800008412@trunk.test>", Stated(OWNER)),
    ("<sip:%2b86138%300008412@trunk.test>", Stated(OWNER)),
    ("<sip:+86-138-0000-8412@trunk.test>", Stated(OWNER)),
    ("<sip:+86(138)0000.8412@trunk.test>", Stated(OWNER)),
    ("<tel:+8613800008412>", Stated(OWNER)),
    ("tel:+8613800008412", Stated(OWNER)),
    ("<TEL:+86-138-0000-8412;ext=7>", Stated(OWNER)),
    ("<tel:+8613800008412;cpc=payphone>", Stated(OWNER)),
    ("<sip:+8613800008412@trunk.test>;tag=a;note=\"<sip:+8613900001234@x>\"", Stated(OWNER)),
    ("sip:+8613800008412@trunk.test;tag=a;note=\"a,b\"", Stated(OWNER)),
    // Text in a display name is nobody.
    ("\"<sip:+8613900001234@trunk.test>\" <sip:+8613800008412@trunk.test>", Stated(OWNER)),
    ("\"a\\\" <sip:+8613900001234@trunk.test>\" <sip:+8613800008412@trunk.test>", Stated(OWNER)),
    ("\"sip:+8613900001234@trunk.test\" <sip:anonymous@anonymous.invalid>", Nobody),
    ("\"tel:+8613900001234\" <sip:secret@trunk.test>", Nobody),
    ("\"+8613900001234\" <sip:x@trunk.test>", Nobody),
    ("sip:+8613900001234@trunk.test <sip:x@trunk.test>", Nobody),
    // Withheld, or no global number: which digits are missing is not in it.
    ("\"Anonymous\" <sip:anonymous@anonymous.invalid>", Nobody),
    ("<sip:unknown@trunk.test>", Nobody),
    ("<sip:13800008412@trunk.test>", Nobody),
    ("<sip:013800008412@trunk.test>", Nobody),
    ("<sip:8613800008412@trunk.test>", Nobody),
    ("<sip:008613800008412@trunk.test>", Nobody),
    ("<tel:13800008412;phone-context=+86>", Nobody),
    ("<sip:13800008412;phone-context=+86@trunk.test>", Nobody),
    // Not by the grammar.
    ("<sip:+8613800008412>", Nobody),
    ("<sip:+8613800008412@>", Nobody),
    ("<sip:+8613800008412@;user=phone>", Nobody),
    ("<sip:x@+8613800008412>", Nobody),
    ("<sip:x@y?a=+8613800008412@trunk.test>", Nobody),
    ("<sip:+8613800008412@a@trunk.test>", Nobody),
    ("<sip:+8613800008412\u{663}@trunk.test>", Nobody),
    ("<sip:+86138%0a00008412@trunk.test>", Nobody),
    ("<sip:+86138%2@trunk.test>", Nobody),
    ("<sip:+86138 0000 8412@trunk.test>", Nobody),
    ("<mailto:+8613800008412@trunk.test>", Nobody),
    ("<+8613800008412@trunk.test>", Nobody),
    ("+8613800008412", Nobody),
    ("<sip:+8613800008412@trunk.test", Nobody),
    ("\"Li Na <sip:+8613800008412@trunk.test>", Nobody),
    ("<sip:x@trunk.test> <sip:+8613800008412@trunk.test>", Nobody),
    ("<>", Nobody),
    ("", Nobody),
];

/// Several headers at once.
const TOGETHER: &[(&str, Who)] = &[
    ("P-Asserted-Identity: <sip:+8613800008412@t>", Asserted(OWNER)),
    ("P-Asserted-Identity: <tel:+8613800008412>", Asserted(OWNER)),
    ("P-Asserted-Identity: tel:+8613800008412", Asserted(OWNER)),
    ("P-Asserted-Identity: \"Li Na\" <sips:%2B8613800008412@t>", Asserted(OWNER)),
    // One of each kind, in one line or in two, in any order.
    ("P-Asserted-Identity: <sip:na@t>, <tel:+8613800008412>", Asserted(OWNER)),
    ("P-Asserted-Identity: <tel:+8613800008412>, \"Na, Li\" <sip:na@t>", Asserted(OWNER)),
    ("P-Asserted-Identity: <sip:na@t>\nP-Asserted-Identity: <tel:+8613800008412>", Asserted(OWNER)),
    ("P-Asserted-Identity: \"<sip:+8613900001234@t>, \" <sip:+8613800008412@t>", Asserted(OWNER)),
    ("P-Asserted-Identity: \"a\\\", <sip:+8613900001234@t>\" <sip:+8613800008412@t>", Asserted(OWNER)),
    // What the trunk asserts is all that counts, also when it is nobody.
    ("P-Asserted-Identity: <sip:+8613800008412@t>\nFrom: <sip:+8613900001234@t>", Asserted(OWNER)),
    ("From: <sip:+8613900001234@t>\nP-Asserted-Identity: <sip:+8613800008412@t>", Asserted(OWNER)),
    ("P-Asserted-Identity: <sip:13800008412@t>\nFrom: <sip:+8613900001234@t>", AssertedNobody),
    ("P-Asserted-Identity: \"sip:+8613900001234\" <sip:x@t>\nFrom: <sip:+8613900001234@t>", AssertedNobody),
    ("P-Asserted-Identity: \"open <sip:+8613900001234@t>\nFrom: <sip:+8613900001234@t>", AssertedNobody),
    ("P-Asserted-Identity: \nFrom: <sip:+8613900001234@t>", AssertedNobody),
    // Remote-Party-ID is the trunk's word about the caller where it was screened.
    ("Remote-Party-ID: <sip:+8613800008412@t>;party=calling;screen=yes;privacy=off", Asserted(OWNER)),
    ("Remote-Party-ID: \"Li\" <sip:+8613800008412@t>;screen=YES", Asserted(OWNER)),
    ("Remote-Party-ID: <sip:+8613800008412@t>;party=calling;screen=no\nFrom: <sip:+8613900001234@t>", Stated(OTHER)),
    ("Remote-Party-ID: <sip:+8613800008412@t>;party=calling\nFrom: <sip:+8613900001234@t>", Stated(OTHER)),
    ("Remote-Party-ID: <sip:+8613800008412@t>;party=called;screen=yes\nFrom: <sip:+8613900001234@t>", Stated(OTHER)),
    ("Remote-Party-ID: \";screen=yes\" <sip:+8613800008412@t>\nFrom: <sip:+8613900001234@t>", Stated(OTHER)),
    ("Remote-Party-ID: <sip:+8613800008412@t;screen=yes>\nFrom: <sip:+8613900001234@t>", Stated(OTHER)),
    ("Remote-Party-ID: <sip:+8613900001234@t>;screen=yes\nP-Asserted-Identity: <sip:+8613800008412@t>", Asserted(OWNER)),
    // What a caller would prefer is his own word.
    ("P-Preferred-Identity: <sip:+8613800008412@t>\nFrom: <sip:anonymous@anonymous.invalid>", Stated(OWNER)),
    ("P-Preferred-Identity: <sip:+8613900001234@t>\nFrom: <sip:+8613800008412@t>", Stated(OWNER)),
    ("P-Preferred-Identity: <sip:+8613900001234@t>\nP-Asserted-Identity: <sip:+8613800008412@t>", Asserted(OWNER)),
];

#[test]
fn each_form_names_whom_it_names() {
    assert!(FROM.len() + TOGETHER.len() >= 60);
    for (from, who) in FROM {
        assert_eq!(identity(&format!("From: {from}")), who.identity(), "From: {from}");
    }
    for (headers, who) in TOGETHER {
        assert_eq!(identity(headers), who.identity(), "{headers}");
    }
}

/// What may stand in From may stand in an assertion too, and names the same.
#[test]
fn an_assertion_is_read_like_a_from() {
    for (from, who) in FROM {
        let expected = match *who {
            Asserted(number) | Stated(number) => Asserted(number),
            AssertedNobody | Nobody => AssertedNobody,
        };
        // A comma without quotes or brackets parts two elements of this header.
        let asserted = identity(&format!("P-Asserted-Identity: {from}"));
        assert_eq!(asserted, expected.identity(), "P-Asserted-Identity: {from}");
    }
}

#[test]
fn what_a_caller_states_counts_only_where_the_trunk_is_said_to_look() {
    let number = || PhoneNumber::new(OWNER).unwrap();
    let stated = || Identity::Stated(Some(number()));
    assert_eq!((stated().number(true), stated().number(false)), (Some(number()), None));
    let asserted = || Identity::Asserted(Some(number()));
    assert_eq!(
        (asserted().number(true), asserted().number(false)),
        (Some(number()), Some(number()))
    );
    for nobody in [Identity::Asserted(None), Identity::Stated(None)] {
        assert_eq!(nobody.number(true), None);
    }
}
