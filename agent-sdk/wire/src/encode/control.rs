//! Writing the birth message, commands and their replies.

use super::{EncodeError, Field, Sink, check_number};
use crate::{
    Command, KIND_COMMAND, KIND_REPLY, KIND_STATUS, MAX_ARGS_BYTES, MAX_METHOD_BYTES, MAX_MODEL_BYTES, MAX_REPLY_BYTES,
    MAX_VERSION_BYTES, Reply, Status,
};

/// The last will of a device, the same for all: `[6]`.
pub const GONE: &[u8] = &[0x81, crate::KIND_GONE];

/// Writes a birth message into `buffer` and returns its bytes.
///
/// # Errors
/// The buffer is too small, or a text or a number is not within its bounds.
pub fn encode_status<'a>(buffer: &'a mut [u8], status: &Status<'_>) -> Result<&'a [u8], EncodeError> {
    check_number(Field::BootId, status.boot_id)?;
    check_number(Field::Settings, status.settings)?;
    check_number(Field::DroppedEvents, status.dropped_events)?;
    check_number(Field::DroppedTelemetry, status.dropped_telemetry)?;
    check_length(Field::Model, status.model.len(), 1, MAX_MODEL_BYTES)?;
    check_length(Field::Firmware, status.firmware.len(), 1, MAX_VERSION_BYTES)?;
    check_length(Field::Sdk, status.sdk.len(), 1, MAX_VERSION_BYTES)?;
    let mut sink = Sink::new(buffer);
    sink.message(10, KIND_STATUS);
    sink.number(status.boot_id);
    sink.text(status.model);
    sink.text(status.firmware);
    sink.text(status.sdk);
    sink.code(status.reset.code());
    sink.bool(status.takes_cbor_commands);
    sink.number(status.settings);
    sink.number(status.dropped_events);
    sink.number(status.dropped_telemetry);
    sink.written()
}

/// Writes a command into `buffer` and returns its bytes. Its method has to be UTF-8.
///
/// # Errors
/// The buffer is too small, or a part of the command is not within its bounds. A deadline of 0 is refused: on the wire it
/// says that there is none.
pub fn encode_command<'a>(buffer: &'a mut [u8], command: &Command<'_>) -> Result<&'a [u8], EncodeError> {
    if command.deadline_ms == Some(0) {
        return Err(EncodeError::Range(Field::DeadlineMs));
    }
    let deadline_ms = command.deadline_ms.unwrap_or(0);
    check_number(Field::DeadlineMs, deadline_ms)?;
    check_length(Field::Method, command.method.len(), 1, MAX_METHOD_BYTES)?;
    check_length(Field::Args, command.args.len(), 0, MAX_ARGS_BYTES)?;
    let method = core::str::from_utf8(command.method).map_err(|_| EncodeError::Range(Field::Method))?;
    let mut sink = Sink::new(buffer);
    sink.message(4, KIND_COMMAND);
    sink.number(deadline_ms);
    sink.text(method);
    sink.bytes(command.args);
    sink.written()
}

/// Writes a reply into `buffer` and returns its bytes.
///
/// # Errors
/// The buffer is too small, or the detail is longer than [`MAX_REPLY_BYTES`].
pub fn encode_reply<'a>(buffer: &'a mut [u8], reply: &Reply<'_>) -> Result<&'a [u8], EncodeError> {
    check_length(Field::Detail, reply.detail.len(), 0, MAX_REPLY_BYTES)?;
    let mut sink = Sink::new(buffer);
    sink.message(3, KIND_REPLY);
    sink.code(reply.outcome.code());
    sink.bytes(reply.detail);
    sink.written()
}

fn check_length(field: Field, len: usize, least: usize, most: usize) -> Result<(), EncodeError> {
    if len < least || len > most {
        Err(EncodeError::Range(field))
    } else {
        Ok(())
    }
}
