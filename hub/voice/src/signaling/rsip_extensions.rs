//! What we can do and what we cannot, in SIP's headers: told in calls, in their answers and in those to OPTIONS (RFC 3261 §11.2,
//! §13.2.1), and in the refusal of a request that insists on more (§8.2.2.3).

use rsipstack::sip::{Header, Method, Request};

/// Methods that may do something; every other one is answered too.
pub(super) const METHODS: [Method; 7] = [
    Method::Invite,
    Method::Ack,
    Method::Cancel,
    Method::Bye,
    Method::Options,
    Method::Update,
    Method::Info,
];
/// Extensions that we have, by their option tags.
const EXTENSIONS: [&str; 1] = ["timer"];
/// Bodies that are read in calls and their answers.
const BODIES: &str = "application/sdp";
/// Bodies that are read in INFO.
const KEY_BODIES: &str = "application/dtmf-relay, application/dtmf";

/// What we can do.
pub(super) fn ours() -> Vec<Header> {
    let extensions = Header::Supported(EXTENSIONS.join(", ").into());
    vec![allow(), extensions, Header::Accept(BODIES.into())]
}

/// The methods.
pub(super) fn allow() -> Header {
    Header::Allow(METHODS.map(|method| method.to_string()).join(", ").into())
}

/// What the body of a call or its answer is.
pub(super) fn content_type() -> Header {
    Header::ContentType(BODIES.into())
}

/// What an INFO may carry.
pub(super) fn key_bodies() -> Header {
    Header::Accept(KEY_BODIES.into())
}

/// The header of a 420, if `request` insists on an extension that we do not have. Neither ACK nor CANCEL is refused for that.
pub(super) fn unsupported(request: &Request) -> Option<Header> {
    if matches!(request.method, Method::Ack | Method::Cancel) {
        return None;
    }
    let required = request.headers.iter().filter_map(|header| match header {
        Header::Require(value) => Some(value.value()),
        _ => None,
    });
    unmet(required).map(|tags| Header::Unsupported(tags.into()))
}

/// The option tags in these values that are not ours, in one value.
fn unmet<'a>(required: impl Iterator<Item = &'a str>) -> Option<String> {
    let is_ours = |tag: &str| EXTENSIONS.iter().any(|own| own.eq_ignore_ascii_case(tag));
    let tags = required.flat_map(|value| value.split(',')).map(str::trim);
    let unmet: Vec<&str> = tags.filter(|tag| !tag.is_empty() && !is_ours(tag)).collect();
    (!unmet.is_empty()).then(|| unmet.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_insisted_on_and_not_ours_is_named() {
        for (method, lines, expected) in [
            ("INVITE", "", None),
            ("INVITE", "Require: ,\r\n", None),
            ("INVITE", "Require: timer\r\n", None),
            ("INVITE", "Require: Timer, 100rel\r\n", Some("100rel")),
            ("INVITE", "Require: 100rel\r\n", Some("100rel")),
            ("INVITE", "require: 100rel , replaces\r\n", Some("100rel, replaces")),
            ("INVITE", "Require: foo\r\nRequire: bar,,\r\n", Some("foo, bar")),
            // What it merely can is its own affair, and what proxies must do is theirs.
            ("INVITE", "Supported: 100rel\r\nProxy-Require: foo\r\n", None),
            ("UPDATE", "Require: foo\r\n", Some("foo")),
            ("ACK", "Require: foo\r\n", None),
            ("CANCEL", "Require: foo\r\n", None),
        ] {
            let text = format!("{method} sip:hub@10.0.0.1 SIP/2.0\r\n{lines}Content-Length: 0\r\n\r\n");
            let request = Request::try_from(text.as_str()).unwrap();
            let named = expected.map(|tags| Header::Unsupported(tags.into()));
            assert_eq!(unsupported(&request), named, "{text}");
        }
    }

    #[test]
    fn the_methods_are_one_value() {
        let Header::Allow(value) = allow() else {
            panic!("another header")
        };
        assert_eq!(value.value(), "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO");
    }
}
