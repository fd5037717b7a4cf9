//! Birth message, commands and replies: what is written is read, what is not as it has to be is refused in words.

use agent_sdk_wire::{
    Command, DecodeProblem, EncodeError, Field, MAX_ARGS_BYTES, MAX_METHOD_BYTES, MAX_NUMBER, MAX_REPLY_BYTES, Outcome,
    Reply, ResetReason, Status, decode_command, decode_reply, decode_state, encode_command, encode_reply,
    encode_status,
};
use proptest::collection::vec;
use proptest::prelude::*;

const STATUS: Status<'_> = Status {
    boot_id: 1,
    model: "m",
    firmware: "1",
    sdk: "1",
    reset: ResetReason::PowerOn,
    takes_cbor_commands: true,
    settings: 0,
    dropped_events: 0,
    dropped_telemetry: 0,
};

#[test]
fn every_number_of_a_reason_and_an_outcome_is_its_own() {
    for code in 0..8 {
        assert_eq!(
            ResetReason::from_code(code).map(ResetReason::code).map(u64::from),
            Some(code)
        );
    }
    assert_eq!(ResetReason::from_code(8), None);
    for code in 0..5 {
        assert_eq!(Outcome::from_code(code).map(Outcome::code).map(u64::from), Some(code));
    }
    assert_eq!(Outcome::from_code(5), None);
}

#[test]
fn what_is_out_of_bounds_is_not_written() {
    let mut buffer = vec![0; 8_192];
    let long = "x".repeat(65);
    let cases = [
        (Field::Model, Status { model: "", ..STATUS }),
        (Field::Model, Status { model: &long, ..STATUS }),
        (
            Field::Firmware,
            Status {
                firmware: &long[..33],
                ..STATUS
            },
        ),
        (
            Field::Settings,
            Status {
                settings: MAX_NUMBER + 1,
                ..STATUS
            },
        ),
    ];
    for (part, status) in cases {
        assert_eq!(encode_status(&mut buffer, &status), Err(EncodeError::Range(part)));
    }
    assert_eq!(encode_status(&mut [0; 9], &STATUS), Err(EncodeError::Full));
    let args = vec![0; MAX_ARGS_BYTES + 1];
    fn command<'b>(deadline_ms: Option<u64>, method: &'b [u8], args: &'b [u8]) -> Command<'b> {
        Command {
            deadline_ms,
            method,
            args,
        }
    }
    let cases = [
        (Field::DeadlineMs, command(Some(0), b"m", &args[..0])),
        (Field::Method, command(None, b"", &args[..0])),
        (Field::Method, command(None, &[0xFF], &args[..0])),
        (Field::Method, command(None, &[b'm'; MAX_METHOD_BYTES + 1], &args[..0])),
        (Field::Args, command(None, b"m", &args[..])),
    ];
    for (part, command) in cases {
        assert_eq!(encode_command(&mut buffer, &command), Err(EncodeError::Range(part)));
    }
    let reply = Reply {
        outcome: Outcome::Done,
        detail: &args[..MAX_REPLY_BYTES + 1],
    };
    assert_eq!(
        encode_reply(&mut buffer, &reply),
        Err(EncodeError::Range(Field::Detail))
    );
}

#[test]
fn a_command_that_is_not_as_it_has_to_be_is_refused() {
    let cases: [(&[u8], &str, DecodeProblem); 9] = [
        (&[], "command", DecodeProblem::Malformed),
        (b"\x83\x07\x00\x61m", "command", DecodeProblem::Count),
        (b"\x9F\x07\x00\x61m\x40", "command", DecodeProblem::Malformed),
        (b"\x84\x06\x00\x61m\x40", "kind", DecodeProblem::Range),
        (b"\x84\x07\x20\x61m\x40", "deadline_ms", DecodeProblem::Malformed),
        (
            b"\x84\x07\x1B\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x61m\x40",
            "deadline_ms",
            DecodeProblem::Range,
        ),
        (b"\x84\x07\x00\x60\x40", "method", DecodeProblem::Range),
        (b"\x84\x07\x00\x61m\x41", "args", DecodeProblem::Malformed),
        (b"\x84\x07\x00\x61m\x40\x00", "command", DecodeProblem::Trailing),
    ];
    for (bytes, part, problem) in cases {
        let error = decode_command(bytes).unwrap_err();
        assert_eq!((error.part, error.problem), (part, problem), "{bytes:02X?}");
    }
}

proptest! {
    #[test]
    fn commands_and_replies_are_read_as_written(
        deadline_ms in proptest::option::of(1..=MAX_NUMBER),
        method in "[a-z]{1,32}",
        args in vec(any::<u8>(), 0..600),
        code in 0..5_u64,
    ) {
        let mut buffer = vec![0; 1_024];
        let command = Command { deadline_ms, method: method.as_bytes(), args: &args };
        let written = encode_command(&mut buffer, &command).unwrap().to_vec();
        prop_assert_eq!(decode_command(&written), Ok(command));
        for cut in 0..written.len() {
            prop_assert!(decode_command(&written[..cut]).is_err());
        }
        let reply = Reply { outcome: Outcome::from_code(code).unwrap(), detail: &args };
        let written = encode_reply(&mut buffer, &reply).unwrap().to_vec();
        prop_assert_eq!(decode_reply(&written), Ok(reply));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..40), head in 0..4_usize) {
        let heads: [&[u8]; 4] = [&[0x8A, 5], &[0x81, 6], &[0x84, 7], &[0x83, 8]];
        let bytes = [heads[head], &bytes[..]].concat();
        let _ = (decode_state(&bytes), decode_command(&bytes), decode_reply(&bytes));
    }
}
