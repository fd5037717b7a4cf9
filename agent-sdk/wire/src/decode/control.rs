//! Reading the birth message, commands and their replies. A command is read by firmware, and so without the decoder that
//! the rest uses: in few bytes of flash, and with no path that could panic.

use super::Reader;
use crate::{
    Command, DecodeError, DecodeProblem, DeviceState, KIND_COMMAND, KIND_GONE, KIND_REPLY, KIND_STATUS, MAX_ARGS_BYTES,
    MAX_MESSAGE_BYTES, MAX_METHOD_BYTES, MAX_MODEL_BYTES, MAX_NUMBER, MAX_REPLY_BYTES, MAX_VERSION_BYTES, Outcome,
    Reply, ResetReason, Status,
};
use minicbor::Decoder;

/// Reads what a device that runs the agent holds on its state topic. Other devices put there what they like, which is
/// refused here and is no fault of theirs.
///
/// # Errors
/// Which part is not as it has to be.
pub fn decode_state(bytes: &[u8]) -> Result<DeviceState<'_>, DecodeError> {
    let (mut reader, parts, kind) = open(bytes)?;
    let state = if kind == u64::from(KIND_GONE) {
        check_parts(parts, 1)?;
        DeviceState::Gone
    } else {
        check_kind(kind, KIND_STATUS)?;
        check_parts(parts, 10)?;
        DeviceState::Here(reader.status()?)
    };
    reader.check_end(bytes)?;
    Ok(state)
}

/// Reads the reply to a command that was sent in CBOR.
///
/// # Errors
/// Which part is not as it has to be.
pub fn decode_reply(bytes: &[u8]) -> Result<Reply<'_>, DecodeError> {
    let (mut reader, parts, kind) = open(bytes)?;
    check_kind(kind, KIND_REPLY)?;
    check_parts(parts, 3)?;
    let outcome = Outcome::from_code(reader.number("outcome")?);
    let outcome = outcome.ok_or_else(|| reader.problem("outcome", DecodeProblem::Range))?;
    let at = reader.decoder.position();
    let detail = reader.decoder.bytes().map_err(|_| DecodeError {
        part: "detail",
        at,
        problem: DecodeProblem::Malformed,
    })?;
    if detail.len() > MAX_REPLY_BYTES {
        return Err(reader.problem("detail", DecodeProblem::Range));
    }
    reader.check_end(bytes)?;
    Ok(Reply { outcome, detail })
}

/// Reads a command. Whether its method is text is not looked at: a device compares it with those that it knows.
///
/// # Errors
/// Which part is not as it has to be.
pub fn decode_command(bytes: &[u8]) -> Result<Command<'_>, DecodeError> {
    let mut heads = Heads { rest: bytes };
    heads.command().map_err(|(part, problem)| DecodeError {
        part,
        at: bytes.len().saturating_sub(heads.rest.len()),
        problem,
    })
}

fn open(bytes: &[u8]) -> Result<(Reader<'_>, u64, u64), DecodeError> {
    if bytes.len() > MAX_MESSAGE_BYTES {
        return Err(DecodeError {
            part: "message",
            at: MAX_MESSAGE_BYTES,
            problem: DecodeProblem::TooLong,
        });
    }
    let mut reader = Reader {
        decoder: Decoder::new(bytes),
    };
    let parts = reader.array("message")?;
    let kind = reader.number("kind")?;
    Ok((reader, parts, kind))
}

fn check_kind(kind: u64, wanted: u8) -> Result<(), DecodeError> {
    if kind == u64::from(wanted) {
        return Ok(());
    }
    Err(DecodeError {
        part: "kind",
        at: 1,
        problem: DecodeProblem::Range,
    })
}

fn check_parts(parts: u64, wanted: u64) -> Result<(), DecodeError> {
    if parts == wanted {
        return Ok(());
    }
    Err(DecodeError {
        part: "message",
        at: 0,
        problem: DecodeProblem::Count,
    })
}

impl<'b> Reader<'b> {
    fn status(&mut self) -> Result<Status<'b>, DecodeError> {
        let boot_id = self.number("boot_id")?;
        let model = self.text("model", 1..=MAX_MODEL_BYTES)?;
        let firmware = self.text("firmware", 1..=MAX_VERSION_BYTES)?;
        let sdk = self.text("sdk", 1..=MAX_VERSION_BYTES)?;
        let reset = ResetReason::from_code(self.number("reset")?);
        let reset = reset.ok_or_else(|| self.problem("reset", DecodeProblem::Range))?;
        let at = self.decoder.position();
        let takes_cbor_commands = self.decoder.bool().map_err(|_| DecodeError {
            part: "takes_cbor_commands",
            at,
            problem: DecodeProblem::Malformed,
        })?;
        Ok(Status {
            boot_id,
            model,
            firmware,
            sdk,
            reset,
            takes_cbor_commands,
            settings: self.number("settings")?,
            dropped_events: self.number("dropped_events")?,
            dropped_telemetry: self.number("dropped_telemetry")?,
        })
    }

    fn check_end(&self, bytes: &[u8]) -> Result<(), DecodeError> {
        if self.decoder.position() == bytes.len() {
            Ok(())
        } else {
            Err(self.problem("message", DecodeProblem::Trailing))
        }
    }
}

/// Major types of CBOR (RFC 8949, section 3.1).
const UNSIGNED: u8 = 0;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;

/// Reads heads of CBOR, and what they announce. Its steps do not know the part that they read: firmware, which asks for no
/// reason, then pays for none.
struct Heads<'b> {
    rest: &'b [u8],
}

impl<'b> Heads<'b> {
    fn command(&mut self) -> Result<Command<'b>, (&'static str, DecodeProblem)> {
        let of = |part: &'static str| move |problem| (part, problem);
        if self.head(ARRAY).map_err(of("command"))? != 4 {
            return Err(("command", DecodeProblem::Count));
        }
        if self.head(UNSIGNED).map_err(of("kind"))? != u64::from(KIND_COMMAND) {
            return Err(("kind", DecodeProblem::Range));
        }
        let deadline_ms = self.head(UNSIGNED).map_err(of("deadline_ms"))?;
        if deadline_ms > MAX_NUMBER {
            return Err(("deadline_ms", DecodeProblem::Range));
        }
        let method = self.string(TEXT, MAX_METHOD_BYTES).map_err(of("method"))?;
        if method.is_empty() {
            return Err(("method", DecodeProblem::Range));
        }
        let args = self.string(BYTES, MAX_ARGS_BYTES).map_err(of("args"))?;
        if !self.rest.is_empty() {
            return Err(("command", DecodeProblem::Trailing));
        }
        Ok(Command {
            deadline_ms: (deadline_ms > 0).then_some(deadline_ms),
            method,
            args,
        })
    }

    /// The number in the next head, which has to be of this major type and of definite length.
    fn head(&mut self, major: u8) -> Result<u64, DecodeProblem> {
        let (first, mut rest) = self.rest.split_first().ok_or(DecodeProblem::Malformed)?;
        let low = first & 0x1F;
        if first >> 5 != major || low > 27 {
            return Err(DecodeProblem::Malformed);
        }
        let mut number = u64::from(low);
        // 1, 2, 4 or 8 bytes follow.
        if let Some(power) = low.checked_sub(24) {
            number = 0;
            for _ in 0..1_u8 << power {
                let (byte, behind) = rest.split_first().ok_or(DecodeProblem::Malformed)?;
                number = number << 8 | u64::from(*byte);
                rest = behind;
            }
        }
        self.rest = rest;
        Ok(number)
    }

    /// The bytes of the next string, at most `most` of them.
    fn string(&mut self, major: u8, most: usize) -> Result<&'b [u8], DecodeProblem> {
        let len = usize::try_from(self.head(major)?).unwrap_or(usize::MAX);
        if len > most {
            return Err(DecodeProblem::Range);
        }
        let (string, rest) = self.rest.split_at_checked(len).ok_or(DecodeProblem::Malformed)?;
        self.rest = rest;
        Ok(string)
    }
}
