//! What a device says to the hub about its secret, and how it hears the answer. Topics and words: docs/topics.md.

use crate::bytes::are_same;
use crate::json;
use crate::writer::Writer;

/// The longest question in bytes: a name and a secret of 64 bytes each, and the words around them.
pub(super) const QUESTION_BYTES_MAX: usize = 160;

/// Before the topics of a claim. The nonce in it need not be one: an answer goes to its connection only, and holds no
/// secret.
pub(super) const CLAIM_PREFIX: &str = "p/1/";
/// Where answers to a device's questions come.
pub(super) const ANSWERS: &str = "v1/devices/me/rpc/response/+";

/// Topic of the answer to a claim.
pub(super) const ASKED_BY_CLAIM: &[u8] = b"p/1/r";
/// Topic of the answer to a device that is in.
pub(super) const ASKED_BY_DEVICE: &[u8] = b"v1/devices/me/rpc/response/1";

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
            Self::Propose | Self::End => "v1/devices/me/rpc/request/1",
        }
    }
}

/// Writes a question. Name and secret need no escapes in JSON.
pub(super) fn write<'b>(
    asked: Asked,
    device: &[u8],
    secret: &[u8],
    bytes: &'b mut [u8; QUESTION_BYTES_MAX],
) -> &'b [u8] {
    let mut writer = Writer::new(&mut *bytes, 0);
    let end: &[u8] = match asked {
        Asked::Claim => {
            writer.bytes(br#"{"device":""#);
            writer.bytes(device);
            writer.bytes(br#"","secret":""#);
            br#""}"#
        }
        Asked::Propose => {
            writer.bytes(br#"{"method":"proposeSecret","params":{"secret":""#);
            br#""}}"#
        }
        Asked::End => {
            writer.bytes(br#"{"method":"endOldSecret","params":{"secret":""#);
            br#""}}"#
        }
    };
    writer.bytes(secret);
    writer.bytes(end);
    let (len, _) = writer.finish();
    bytes.get(..len).unwrap_or_default()
}

/// Whether an answer says yes.
pub(super) fn is_ok(answer: &[u8]) -> bool {
    let status = json::member(answer, b"status").and_then(json::text);
    status.is_some_and(|status| are_same(status, b"ok"))
}

#[cfg(test)]
mod tests {
    use super::{Asked, QUESTION_BYTES_MAX, is_ok, write};

    #[test]
    fn questions_are_json_and_the_longest_fits() {
        let mut bytes = [0; QUESTION_BYTES_MAX];
        assert_eq!(
            write(Asked::Claim, b"wm", b"12", &mut bytes),
            br#"{"device":"wm","secret":"12"}"#
        );
        let told = br#"{"method":"proposeSecret","params":{"secret":"12"}}"#;
        assert_eq!(write(Asked::Propose, b"wm", b"12", &mut bytes), told);
        let told = br#"{"method":"endOldSecret","params":{"secret":"12"}}"#;
        assert_eq!(write(Asked::End, b"wm", b"12", &mut bytes), told);
        for asked in [Asked::Claim, Asked::Propose, Asked::End] {
            let question = write(asked, &[b'n'; 64], &[b'0'; 64], &mut bytes);
            assert!(
                question.ends_with(br#"0"}"#) || question.ends_with(br#"0"}}"#),
                "{asked:?} is cut"
            );
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
