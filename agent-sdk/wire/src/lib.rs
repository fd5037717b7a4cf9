//! What appliances and the hub say to each other: the one contract that both ends compile.
//!
//! `no_std` and without allocation, so that firmware can use it; the features `alloc`, `std` and `json` add what only
//! the hub needs. The binary messages are described for other languages in `telemetry.cddl` beside this crate, with
//! golden vectors in `tests/contract/golden.hex`.
//!
//! Versions: the first number of every message names its kind and shape. A shape never changes; a new one gets a new
//! number, and the hub reads every number that was ever released, because queued messages outlive updates.
#![cfg_attr(not(feature = "std"), no_std)]

#[cfg(feature = "alloc")]
extern crate alloc;

mod control;
mod decode;
mod decode_error;
mod encode;
#[cfg(feature = "json")]
pub mod json;
#[cfg(feature = "alloc")]
mod message;
mod series;
pub mod topic;
mod types;

pub use control::{Command, DeviceState, Outcome, Reply, ResetReason, Status};
pub use decode::{
    Batch, Column, Columns, Packet, Samples, Telemetry, Times, Values, decode, decode_command, decode_reply,
    decode_state,
};
pub use decode_error::{DecodeError, DecodeProblem};
pub use encode::{
    BatchEncoder, EncodeError, Field, GONE, TelemetryEncoder, batch_bytes_max, encode_clock, encode_command,
    encode_event, encode_reply, encode_status, scaled,
};
#[cfg(feature = "alloc")]
pub use message::{Message, Sample, decode_telemetry};
pub use series::{Source, ordered};
pub use types::{Clock, Event, EventState, Header, Lane, TimeBase, Value};

/// The telemetry message `[1, time_base, boot_id, seq, t0_ms, samples]`.
pub const KIND_TELEMETRY: u8 = 1;
/// The clock message `[2, boot_id, uptime_ms, utc_ms]`.
pub const KIND_CLOCK: u8 = 2;
/// The event message `[3, time_base, boot_id, seq, at_ms, state, code, detail]`.
pub const KIND_EVENT: u8 = 3;
/// The batch message `[4, time_base, boot_id, seq, t0_ms, samples, times, columns]`.
pub const KIND_BATCH: u8 = 4;
/// The birth message `[5, boot_id, model, firmware, sdk, reset, takes_cbor_commands, settings, dropped_events,
/// dropped_telemetry]`.
pub const KIND_STATUS: u8 = 5;
/// The last will `[6]`.
pub const KIND_GONE: u8 = 6;
/// The command `[7, deadline_ms, method, args]`.
pub const KIND_COMMAND: u8 = 7;
/// The reply `[8, outcome, detail]`.
pub const KIND_REPLY: u8 = 8;

/// The longest binary message in bytes, whatever its kind.
pub const MAX_MESSAGE_BYTES: usize = 8 * 1024;
/// The most samples in one telemetry message.
pub const MAX_SAMPLES: usize = 64;
/// The most values in one batch, samples times columns: about what a telemetry message holds, so that a batch costs the
/// hub no more than one.
pub const MAX_BATCH_VALUES: usize = 4096;
/// The most channels in one sample: ids are 1 to 255.
pub const MAX_CHANNELS: usize = 255;
/// The largest boot id, sequence number or time in milliseconds: what a signed 64-bit column and a JSON number both
/// hold exactly.
pub const MAX_NUMBER: u64 = (1 << 53) - 1;
/// The longest event code in bytes.
pub const MAX_EVENT_CODE_BYTES: usize = 32;
/// The longest event detail in bytes.
pub const MAX_EVENT_DETAIL_BYTES: usize = 1024;
/// The longest name of a model in bytes.
pub const MAX_MODEL_BYTES: usize = 64;
/// The longest version of firmware or agent in bytes.
pub const MAX_VERSION_BYTES: usize = 32;
/// The longest method of a command in bytes.
pub const MAX_METHOD_BYTES: usize = 32;
/// The longest arguments of a command in bytes: what the hub takes for a device.
pub const MAX_ARGS_BYTES: usize = 4096;
/// The longest detail of a reply in bytes: with its head, what the hub keeps of one.
pub const MAX_REPLY_BYTES: usize = 4088;
