//! The hub's own topics, as [`crate::Identity::subscriptions`] are written: with a slash in front. What the agent and an
//! enrolment have in common is there once, and what comes is told by the filter that it came by: firmware pays for texts.

use crate::bytes::are_same;

/// Where answers to questions come.
pub(crate) const ANSWERS: &str = "/v1/devices/me/rpc/response/+";
/// Where a question is asked.
pub(crate) const QUESTION: &str = "/v1/devices/me/rpc/request/1";
/// Where another one is asked, whose answer is not to be taken for that of the first.
pub(crate) const OTHER_QUESTION: &str = "/v1/devices/me/rpc/request/2";
/// Where changes of shared attributes come.
pub(crate) const ATTRIBUTES: &str = "/v1/devices/me/attributes";
/// Where answers to questions about attributes come.
pub(crate) const ATTRIBUTE_ANSWERS: &str = "/v1/devices/me/attributes/response/+";
/// Where to ask about attributes.
pub(crate) const ATTRIBUTE_QUESTION: &str = "/v1/devices/me/attributes/request/1";

/// [`ANSWERS`] as it is on the wire.
pub(crate) const BARE_ANSWERS: &str = bare(ANSWERS);
/// [`QUESTION`] as it is on the wire.
pub(crate) const BARE_QUESTION: &str = bare(QUESTION);
/// [`ATTRIBUTES`] as it is on the wire.
pub(crate) const BARE_ATTRIBUTES: &str = bare(ATTRIBUTES);

const fn bare(topic: &'static str) -> &'static str {
    topic.split_at(1).1
}

/// Whether a topic is that of the answer to a question with this digit, where `answers` is the filter that it comes by.
#[inline(never)]
pub(crate) fn is_answer(topic: &[u8], answers: &str, digit: u8) -> bool {
    let bytes = answers.as_bytes();
    let expected = bytes.get(1..bytes.len().wrapping_sub(1)).unwrap_or_default();
    let parts = topic.split_last();
    parts.is_some_and(|(last, before)| *last == digit && are_same(before, expected))
}

#[cfg(test)]
mod tests {
    use super::{ANSWERS, ATTRIBUTE_ANSWERS, BARE_ANSWERS, is_answer};

    #[test]
    fn an_answer_has_the_digit_of_its_question() {
        assert!(is_answer(b"v1/devices/me/rpc/response/1", ANSWERS, b'1'));
        assert!(is_answer(
            b"v1/devices/me/attributes/response/1",
            ATTRIBUTE_ANSWERS,
            b'1'
        ));
        for topic in [
            &b""[..],
            b"1",
            b"v1/devices/me/rpc/response/2",
            b"v1/devices/me/rpc/response/11",
            b"/v1/devices/me/rpc/response/1",
        ] {
            assert!(!is_answer(topic, ANSWERS, b'1'), "{topic:?}");
        }
        assert_eq!(BARE_ANSWERS, "v1/devices/me/rpc/response/+");
    }
}
