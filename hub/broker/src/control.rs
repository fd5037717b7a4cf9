//! What is said to and by a device that runs our agent, between its CBOR and what store and API have: birth messages, commands
//! and their replies. Pure.

use agent_sdk_wire as wire;
use agent_sdk_wire::json::{from_cbor, to_cbor};
use agent_sdk_wire::{DeviceState, Outcome, decode_reply, decode_state, encode_command};
use hub_store::birth::{Birth, ResetReason, StateContent};
use hub_store::telemetry::Command;
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// Longest reply that is stored whole, in bytes.
const REPLY_MAX: usize = 4096;
/// What a command in CBOR has besides method and arguments, in bytes: kind, deadline, and the heads of all.
const COMMAND_HEAD_MAX: usize = 16;

/// What a device says with the state that it publishes. Most devices put there what they like, which is no fault of theirs.
pub(crate) fn state_content(payload: &[u8]) -> StateContent {
    let status = match decode_state(payload) {
        Ok(DeviceState::Here(status)) => status,
        Ok(DeviceState::Gone) => return StateContent::Gone,
        Err(_) => return StateContent::Other,
    };
    StateContent::Birth(Box::new(Birth {
        boot: status.boot_id,
        model: readable(status.model),
        firmware: readable(status.firmware),
        sdk: readable(status.sdk),
        reset: reset(status.reset),
        takes_cbor: status.takes_cbor_commands,
        settings: status.settings,
        dropped_events: status.dropped_events,
        dropped_telemetry: status.dropped_telemetry,
    }))
}

/// A reply in CBOR as the JSON that the same agent answers with to a command in JSON: people and integrators find one form.
/// What the method gave back and has no form in JSON is there as `result_hex`. `None` where it is no such reply, or its JSON
/// would not be stored whole: then it is kept as it came.
pub(crate) fn reply_in_json(payload: &[u8]) -> Option<Vec<u8>> {
    let reply = decode_reply(payload).ok()?;
    let (status, reason) = match reply.outcome {
        Outcome::Done => ("done", None),
        Outcome::Failed => ("failed", None),
        Outcome::Expired => ("refused", Some("expired")),
        Outcome::NotAllowed => ("refused", Some("not allowed")),
        Outcome::Malformed => ("refused", Some("malformed")),
    };
    let mut answer = Map::new();
    answer.insert("status".to_owned(), status.into());
    if let Some(reason) = reason {
        answer.insert("reason".to_owned(), reason.into());
    }
    if !reply.detail.is_empty() {
        match from_cbor(reply.detail) {
            Some(result) => answer.insert("result".to_owned(), result),
            None => answer.insert("result_hex".to_owned(), hex(reply.detail).into()),
        };
    }
    let json = Value::Object(answer).to_string().into_bytes();
    (json.len() <= REPLY_MAX).then_some(json)
}

/// A command in CBOR, with the end of its time as its deadline; an earlier one in its body holds. `None` where its body is not
/// `{"method": …, "params": …, "deadline_ms": …}`, or is more than the contract allows in CBOR: then it goes as it is.
pub(crate) fn command_in_cbor(command: &Command) -> Option<Vec<u8>> {
    let body: Value = serde_json::from_str(&command.body).ok()?;
    let method = body.get("method")?.as_str()?;
    let expires_ms = u64::try_from(command.expires_at.as_millisecond()).ok()?;
    let deadline_ms = match body.get("deadline_ms") {
        Some(deadline) => deadline.as_u64()?.min(expires_ms),
        None => expires_ms,
    };
    let mut args = Vec::new();
    if let Some(params) = body.get("params") {
        to_cbor(params, &mut args);
    }
    let mut buffer = vec![0; COMMAND_HEAD_MAX + method.len() + args.len()];
    let command = wire::Command {
        deadline_ms: Some(deadline_ms),
        method: method.as_bytes(),
        args: &args,
    };
    encode_command(&mut buffer, &command).ok().map(<[u8]>::to_vec)
}

fn reset(reason: wire::ResetReason) -> ResetReason {
    match reason {
        wire::ResetReason::Unknown => ResetReason::Unknown,
        wire::ResetReason::PowerOn => ResetReason::PowerOn,
        wire::ResetReason::Pin => ResetReason::Pin,
        wire::ResetReason::Software => ResetReason::Software,
        wire::ResetReason::Watchdog => ResetReason::Watchdog,
        wire::ResetReason::BrownOut => ResetReason::BrownOut,
        wire::ResetReason::Fault => ResetReason::Fault,
        wire::ResetReason::Update => ResetReason::Update,
    }
}

/// Names and versions without control characters, which databases and logs do not take.
fn readable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{FFFD}' } else { c })
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use agent_sdk_wire::{GONE, MAX_REPLY_BYTES, Reply, Status, decode_command, encode_reply, encode_status};
    use serde_json::json;

    const STATUS: Status<'_> = Status {
        boot_id: 7,
        model: "WM7",
        firmware: "1.4.2",
        sdk: "0.1.0",
        reset: wire::ResetReason::BrownOut,
        takes_cbor_commands: true,
        settings: 3,
        dropped_events: 1,
        dropped_telemetry: 2,
    };

    fn status(status: &Status<'_>) -> Vec<u8> {
        encode_status(&mut [0; 256], status).unwrap().to_vec()
    }

    fn reply(outcome: Outcome, detail: &[u8]) -> Vec<u8> {
        let mut buffer = vec![0; detail.len() + 8];
        encode_reply(&mut buffer, &Reply { outcome, detail }).unwrap().to_vec()
    }

    fn command(body: &str) -> Command {
        Command {
            number: 1,
            sent: false,
            takes_cbor: true,
            request: "r".to_owned(),
            body: body.to_owned(),
            expires_at: "2026-03-02T09:00:00Z".parse().unwrap(),
        }
    }

    const EXPIRES_MS: u64 = 1_772_442_000_000;

    #[test]
    fn a_birth_message_is_read_as_it_was_written() {
        let expected = Birth {
            boot: 7,
            model: "WM7".to_owned(),
            firmware: "1.4.2".to_owned(),
            sdk: "0.1.0".to_owned(),
            reset: ResetReason::BrownOut,
            takes_cbor: true,
            settings: 3,
            dropped_events: 1,
            dropped_telemetry: 2,
        };
        assert_eq!(state_content(&status(&STATUS)), StateContent::Birth(Box::new(expected)));
        for code in 0..8 {
            let reason = wire::ResetReason::from_code(code).unwrap();
            let StateContent::Birth(birth) = state_content(&status(&Status {
                reset: reason,
                ..STATUS
            })) else {
                panic!("{reason:?} is not read");
            };
            assert_eq!(format!("{:?}", birth.reset), format!("{reason:?}"));
        }
        let StateContent::Birth(birth) = state_content(&status(&Status {
            model: "W\0M\n7",
            ..STATUS
        })) else {
            panic!("a control character refuses nothing");
        };
        assert_eq!(birth.model, "W\u{FFFD}M\u{FFFD}7");
    }

    #[test]
    fn what_is_no_state_of_the_agent_is_something_else() {
        assert_eq!(state_content(GONE), StateContent::Gone);
        let whole = status(&STATUS);
        for cut in 0..whole.len() {
            assert_eq!(state_content(&whole[..cut]), StateContent::Other, "cut at {cut}");
        }
        let longer = [&whole[..], &[0]].concat();
        for other in [&longer[..], b"on", b"{}", &[0x81, 5], &[0x82, 6, 0], &[0xFF; 40]] {
            assert_eq!(state_content(other), StateContent::Other, "{other:02X?}");
        }
    }

    #[test]
    fn a_reply_in_cbor_is_the_same_in_json() {
        let nested = [0xA1, 0x61, b't', 0x82, 0x18, 40, 0xF5];
        let cases: [(Outcome, &[u8], Value); 7] = [
            (Outcome::Done, &[], json!({"status": "done"})),
            (
                Outcome::Done,
                &nested,
                json!({"status": "done", "result": {"t": [40, true]}}),
            ),
            (Outcome::Failed, &[0x07], json!({"status": "failed", "result": 7})),
            (
                Outcome::Failed,
                &[0x41],
                json!({"status": "failed", "result_hex": "41"}),
            ),
            (Outcome::Expired, &[], json!({"status": "refused", "reason": "expired"})),
            (
                Outcome::NotAllowed,
                &[],
                json!({"status": "refused", "reason": "not allowed"}),
            ),
            (
                Outcome::Malformed,
                &[],
                json!({"status": "refused", "reason": "malformed"}),
            ),
        ];
        for (outcome, detail, expected) in cases {
            let json = reply_in_json(&reply(outcome, detail)).unwrap();
            assert_eq!(serde_json::from_slice::<Value>(&json).unwrap(), expected);
        }
    }

    #[test]
    fn a_reply_that_is_none_or_too_long_stays_as_it_came() {
        let whole = reply(Outcome::Done, &[0xFF; 40]);
        for cut in 0..whole.len() {
            assert_eq!(reply_in_json(&whole[..cut]), None, "cut at {cut}");
        }
        for other in [
            &b"done"[..],
            b"{\"status\":\"done\"}",
            &[0x83, 8, 5, 0x40],
            &[0x83, 8, 0, 0x60],
        ] {
            assert_eq!(reply_in_json(other), None, "{other:02X?}");
        }
        let longest = reply(Outcome::Done, &[0xFF; MAX_REPLY_BYTES]);
        assert!(longest.len() <= REPLY_MAX);
        assert_eq!(reply_in_json(&longest), None);
        let long = reply(Outcome::Done, &[0xFF; 2_000]);
        assert_eq!(reply_in_json(&long).map(|json| json.len()), Some(4_033));
    }

    #[test]
    fn a_command_has_the_end_of_its_time_as_deadline() {
        let read = |body: &str| {
            let bytes = command_in_cbor(&command(body)).unwrap();
            let command = decode_command(&bytes).unwrap();
            (command.deadline_ms, command.method.to_vec(), command.args.to_vec())
        };
        assert_eq!(
            read(r#"{"method": "spin"}"#),
            (Some(EXPIRES_MS), b"spin".to_vec(), Vec::new())
        );
        assert_eq!(
            read(r#"{"method": "spin", "params": {"rpm": 1200}}"#).2,
            [&[0xA1, 0x63][..], b"rpm", &[0x19, 0x04, 0xB0]].concat()
        );
        assert_eq!(read(r#"{"method": "m", "params": null, "deadline_ms": 5}"#).0, Some(5));
        let late = format!(r#"{{"method": "m", "deadline_ms": {}}}"#, u64::MAX);
        assert_eq!(read(&late).0, Some(EXPIRES_MS));
    }

    #[test]
    fn what_is_no_command_of_the_agent_goes_as_it_is() {
        let long = "x".repeat(33);
        let cases = [
            r#"{"do": "x"}"#.to_owned(),
            r#"{"method": 7}"#.to_owned(),
            r#"{"method": ""}"#.to_owned(),
            format!(r#"{{"method": "{long}"}}"#),
            r#"{"method": "m", "deadline_ms": "soon"}"#.to_owned(),
            r#"{"method": "m", "deadline_ms": 0}"#.to_owned(),
            format!(r#"{{"method": "m", "params": "{}"}}"#, "x".repeat(4_095)),
            "7".to_owned(),
            "no JSON".to_owned(),
        ];
        for body in cases {
            assert_eq!(command_in_cbor(&command(&body)), None, "{body}");
        }
        let mut ancient = command(r#"{"method": "m"}"#);
        ancient.expires_at = "1969-12-31T23:59:59Z".parse().unwrap();
        assert_eq!(command_in_cbor(&ancient), None);
    }
}
