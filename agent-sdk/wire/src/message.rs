//! Owned messages, for a hub that queues them.

use crate::{DecodeError, DecodeProblem, Header, Packet, Telemetry, TimeBase, decode};
use alloc::vec::Vec;

/// One sample of a telemetry message.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Milliseconds after the message's `t0_ms`.
    pub dt_ms: u32,
    /// Values by channel id, ids rising; not finite where the device sent NaN or an infinity.
    pub values: Vec<(u8, f64)>,
}

/// A telemetry message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// What `t0_ms` counts from.
    pub time_base: TimeBase,
    /// The boot that the samples belong to.
    pub boot_id: u64,
    /// Number of the first sample within (boot, telemetry lane); the rest follow.
    pub seq: u64,
    /// Time that `dt_ms` counts from, in milliseconds of `time_base`.
    pub t0_ms: i64,
    /// 1 to [`crate::MAX_SAMPLES`] samples, `dt_ms` not falling.
    pub samples: Vec<Sample>,
}

impl Message {
    /// Each sample with its number and its time in milliseconds of `time_base`.
    pub fn numbered(&self) -> impl Iterator<Item = (u64, i64, &Sample)> {
        // Cannot overflow: both are bounded by `MAX_NUMBER` with room to spare.
        (self.seq..)
            .zip(&self.samples)
            .map(|(seq, sample)| (seq, self.t0_ms + i64::from(sample.dt_ms), sample))
    }
}

impl Telemetry<'_> {
    /// The message with memory of its own.
    pub fn to_message(&self) -> Message {
        let Header {
            time_base,
            boot_id,
            seq,
            t0_ms,
        } = self.header;
        let sample = |(dt_ms, values): (u32, crate::Values<'_>)| Sample {
            dt_ms,
            values: values.map(|(channel, value)| (channel, value.as_f64())).collect(),
        };
        Message {
            time_base,
            boot_id,
            seq,
            t0_ms,
            samples: self.samples().map(sample).collect(),
        }
    }
}

/// Decodes a telemetry message; other kinds are refused, also a batch, whose values are known only with the appliance
/// profile. For a topic that carries those too, use [`decode`].
pub fn decode_telemetry(bytes: &[u8]) -> Result<Message, DecodeError> {
    match decode(bytes)? {
        Packet::Telemetry(telemetry) => Ok(telemetry.to_message()),
        Packet::Batch(_) | Packet::Clock(_) | Packet::Event(_) => Err(DecodeError {
            part: "kind",
            at: 1,
            problem: DecodeProblem::Range,
        }),
    }
}
