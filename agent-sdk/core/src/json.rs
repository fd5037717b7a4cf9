//! Just enough JSON for what the hub says in it: members of objects, short texts, whole numbers. It looks for what is
//! wanted and does not judge the rest; every step is bounded by the bytes that came, and nothing is kept.

use crate::bytes::are_same;

/// The value of a member of an object, as it is written there; of several with that name the first. `None` if it is not
/// there, or if this is no object as far as it was read. Names with escapes in them are no one's.
pub(crate) fn member<'j>(object: &'j [u8], wanted: &[u8]) -> Option<&'j [u8]> {
    let mut rest = after(object, b'{')?;
    loop {
        let (name, behind) = string(rest)?;
        let (found, behind) = value(after(behind, b':')?)?;
        if are_same(name, wanted) {
            return Some(found);
        }
        rest = after(behind, b',')?;
    }
}

/// What is between the quotes of a text without escapes.
pub(crate) fn text(value: &[u8]) -> Option<&[u8]> {
    let (text, rest) = string(value)?;
    (rest.is_empty() && text.iter().all(|byte| *byte != b'\\')).then_some(text)
}

/// A whole number that is not negative.
pub(crate) fn number(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// What follows this byte, if it is the next one behind blanks.
fn after(bytes: &[u8], wanted: u8) -> Option<&[u8]> {
    let (first, rest) = bytes.trim_ascii_start().split_first()?;
    (*first == wanted).then_some(rest)
}

/// The next string without its quotes, and what follows it.
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let inner = after(bytes, b'"')?;
    let mut scan = InString::default();
    let end = inner.iter().position(|byte| scan.ends_with(*byte))?;
    let (string, rest) = inner.split_at_checked(end)?;
    Some((string, rest.get(1..)?))
}

/// The next value, and the `,` or `}` or `]` behind it with what follows.
fn value(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let bytes = bytes.trim_ascii_start();
    let mut depth = 0_u16;
    let mut inside: Option<InString> = None;
    for (at, byte) in bytes.iter().enumerate() {
        if let Some(scan) = &mut inside {
            if scan.ends_with(*byte) {
                inside = None;
            }
            continue;
        }
        match byte {
            b'"' => inside = Some(InString::default()),
            b'{' | b'[' => depth = depth.checked_add(1)?,
            b',' | b'}' | b']' if depth == 0 => {
                let (value, rest) = bytes.split_at_checked(at)?;
                return (!value.is_empty()).then_some((value.trim_ascii_end(), rest));
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// Where a string ends: at a quote that no backslash stands before.
#[derive(Default)]
struct InString {
    is_escaped: bool,
}

impl InString {
    fn ends_with(&mut self, byte: u8) -> bool {
        let was_escaped = self.is_escaped;
        self.is_escaped = byte == b'\\' && !was_escaped;
        byte == b'"' && !was_escaped
    }
}

#[cfg(test)]
mod tests {
    use super::{member, number, text};
    use proptest::collection::vec;
    use proptest::prelude::*;

    const MARKS: &[u8] = br#"{}":,[]a\ 1"#;

    #[test]
    fn members_are_found_whatever_stands_before_them() {
        let object = br#" { "a" : "x\"},{" , "b":{"c":[1,{"d":2}],"e":"}"}, "c":3 ,"f" : true}"#;
        let cases: [(&[u8], Option<&[u8]>); 6] = [
            (b"a", Some(br#""x\"},{""#)),
            (b"b", Some(br#"{"c":[1,{"d":2}],"e":"}"}"#)),
            (b"c", Some(b"3")),
            (b"f", Some(b"true")),
            (b"d", None),
            (b"", None),
        ];
        for (name, expected) in cases {
            assert_eq!(member(object, name), expected, "{name:?}");
        }
    }

    #[test]
    fn what_is_no_object_has_no_members() {
        let cases: [&[u8]; 9] = [
            b"",
            b"{",
            b"{}",
            b"[1]",
            b"\"a\"",
            b"{\"a\"",
            b"{\"a\":",
            b"{\"a\":1",
            b"{\"a\":,}",
        ];
        for bytes in cases {
            assert_eq!(member(bytes, b"a"), None, "{bytes:?}");
        }
    }

    #[test]
    fn texts_and_numbers_are_plain_ones() {
        assert_eq!(text(br#""status""#), Some(&b"status"[..]));
        for wrong in [&br#""a\n""#[..], b"a", b"\"a", b"\"a\"b", b"1"] {
            assert_eq!(text(wrong), None, "{wrong:?}");
        }
        assert_eq!(number(b"0"), Some(0));
        assert_eq!(number(b"1767225600000"), Some(1_767_225_600_000));
        assert_eq!(number(b"18446744073709551615"), Some(u64::MAX));
        for wrong in [&b""[..], b"-1", b"1.5", b"1e3", b"18446744073709551616", b"null"] {
            assert_eq!(number(wrong), None, "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_part_of_themselves_or_nothing(
            bytes in vec(prop_oneof![4 => 0..MARKS.len(), 1 => Just(usize::MAX)], 0..60),
            other in any::<u8>(),
        ) {
            let bytes: Vec<u8> = bytes.into_iter().map(|at| MARKS.get(at).copied().unwrap_or(other)).collect();
            if let Some(found) = member(&bytes, b"a") {
                prop_assert!(!found.is_empty() && found.len() < bytes.len());
                let _ = (text(found), number(found));
            }
        }
    }
}
