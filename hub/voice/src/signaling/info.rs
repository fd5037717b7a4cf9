//! Keys inside SIP: the bodies that an INFO carries them in. Neither is a standard; both are what gateways and phones send.

use crate::media::rtp::{code_of, key_of};

/// The key in an INFO's body of this media type: `application/dtmf-relay` has lines such as `Signal=5`, `application/dtmf`
/// the key alone. None for anything else.
pub(super) fn key(content_type: &str, body: &[u8]) -> Option<char> {
    let media_type = content_type.split(';').next()?.trim().to_ascii_lowercase();
    let text = std::str::from_utf8(body).ok()?;
    let signal = text.lines().find_map(signal);
    match media_type.as_str() {
        "application/dtmf-relay" => key_named(signal?),
        "application/dtmf" => key_named(signal.unwrap_or(text.trim())),
        _ => None,
    }
}

/// The value of a line `Signal=…`.
fn signal(line: &str) -> Option<&str> {
    let (name, value) = line.split_once('=')?;
    name.trim().eq_ignore_ascii_case("signal").then_some(value.trim())
}

/// A key by its sign, or by the number of its event as some gateways write `*` and `#`.
fn key_named(name: &str) -> Option<char> {
    let mut signs = name.chars();
    match (signs.next()?.to_ascii_uppercase(), signs.next()) {
        (sign, None) => code_of(sign).and_then(key_of),
        _ => name.parse().ok().and_then(key_of),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_are_read_as_phones_and_gateways_write_them() {
        let relay = "application/dtmf-relay";
        for (content_type, body, expected) in [
            (relay, "Signal=1\r\nDuration=160\r\n", Some('1')),
            (relay, "Signal= 9\nDuration= 250", Some('9')),
            (relay, "Duration=100\r\nsignal=*\r\n", Some('*')),
            (relay, "Signal=10\r\n", Some('*')),
            (relay, "Signal=11\r\n", Some('#')),
            (relay, "Signal=d\r\n", Some('D')),
            ("Application/DTMF-Relay;charset=utf-8", "Signal=0\r\n", Some('0')),
            ("application/dtmf", "5", Some('5')),
            ("application/dtmf", " #\r\n", Some('#')),
            ("application/dtmf", "Signal=7\r\nDuration=160", Some('7')),
            (relay, "5", None),
            (relay, "Signal=\r\n", None),
            (relay, "Signal=16\r\n", None),
            (relay, "Signal=12345678901234567890\r\n", None),
            (relay, "Signal=one\r\n", None),
            ("application/dtmf", "", None),
            ("application/dtmf", "\u{661f}", None),
            ("text/plain", "Signal=1\r\n", None),
            ("", "5", None),
        ] {
            assert_eq!(key(content_type, body.as_bytes()), expected, "{content_type} {body:?}");
        }
        assert_eq!(key(relay, &[0xff, 0xfe]), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bodies_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = key("application/dtmf-relay", &bytes);
            let _ = key("application/dtmf", &bytes);
        }
    }
}
