//! What a device says to the hub about its secret, and how it hears the answer. Topics and words: docs/topics.md.

use crate::bytes::are_same;
use crate::hub;
use crate::json;

/// Before the topics of a claim. The nonce in it need not be one: an answer goes to its connection only, and holds no
/// secret.
pub(super) const CLAIM_PREFIX: &str = "p/1/";

/// Whether this is where the answer to any of these questions comes.
pub(super) fn is_answer(topic: &[u8]) -> bool {
    are_same(topic, b"p/1/r") || hub::is_answer(topic, hub::ANSWERS, b'1')
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// With a claim credential: to be let in by a secret.
    Claim,
    /// By a device that is in: to be let in by another secret.
    Propose,
    /// By a device that is in: to be let in by this secret alone.
    End,
}

impl Asked {
    /// Where to ask, behind the prefix of the connection.
    pub(super) fn topic(self) -> &'static str {
        match self {
            Self::Claim => "q",
            Self::Propose | Self::End => hub::BARE_QUESTION,
        }
    }
}

/// A question, in parts. Name and secret need no escapes in JSON.
#[inline(never)]
pub(super) fn parts<'q>(asked: Asked, device: &'q [u8], secret: &'q [u8]) -> [&'q [u8]; 5] {
    match asked {
        Asked::Claim => [br#"{"device":""#, device, br#"","secret":""#, secret, br#""}"#],
        Asked::Propose => [METHOD, b"proposeSecret", PARAMS, secret, br#""}}"#],
        Asked::End => [METHOD, b"endOldSecret", PARAMS, secret, br#""}}"#],
    }
}

const METHOD: &[u8] = br#"{"method":""#;
const PARAMS: &[u8] = br#"","params":{"secret":""#;

/// Whether an answer says yes.
pub(super) fn is_ok(answer: &[u8]) -> bool {
    let status = json::member(answer, b"status").and_then(json::text);
    status.is_some_and(|status| are_same(status, b"ok"))
}

#[cfg(test)]
mod tests {
    use super::{Asked, is_ok, parts};
    use crate::RECORD_HEAD_BYTES;
    use crate::enrolment::OUTBOX_BYTES;

    #[test]
    fn questions_are_json() {
        let written = |asked| parts(asked, b"wm", b"12").concat();
        assert_eq!(written(Asked::Claim), br#"{"device":"wm","secret":"12"}"#);
        let told = br#"{"method":"proposeSecret","params":{"secret":"12"}}"#;
        assert_eq!(written(Asked::Propose), told);
        let told = br#"{"method":"endOldSecret","params":{"secret":"12"}}"#;
        assert_eq!(written(Asked::End), told);
    }

    #[test]
    fn the_longest_question_fits_into_the_outbox() {
        for asked in [Asked::Claim, Asked::Propose, Asked::End] {
            let payload = parts(asked, &[b'n'; 64], &[b'0'; 64]).concat();
            let bytes = RECORD_HEAD_BYTES + asked.topic().len() + payload.len();
            assert!(bytes <= OUTBOX_BYTES, "{asked:?}: {bytes}");
        }
    }

    #[test]
    fn yes_is_the_status_ok_and_nothing_else() {
        assert!(is_ok(br#"{"status":"ok"}"#));
        assert!(is_ok(br#"{ "secret" : "x", "status" : "ok" }"#));
        for no in [
            &b""[..],
            b"ok",
            br#"{"status":"refused","reason":"ok"}"#,
            br#"{"error":"unknown method"}"#,
            br#"{"status":ok}"#,
        ] {
            assert!(!is_ok(no), "{no:?}");
        }
    }
}
