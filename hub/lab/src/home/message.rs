//! Samples, and the messages of the contract that carry them: bytes made once, numbered in order. Sans-IO.

use agent_sdk_wire::{EncodeError, Field, Header, MAX_MESSAGE_BYTES, TelemetryEncoder, TimeBase, Value};
use hub_core::profile::ApplianceProfile;
use jiff::Timestamp;

/// Samples in one message at most.
pub(super) const BATCH: usize = 12;

/// Readings of one moment, of a simulated machine or of a recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// When, in civil time.
    pub at: Timestamp,
    /// Values by the profile's channel ids, ids rising; one that is not finite is left out.
    pub values: Vec<(u8, f64)>,
}

impl From<tests_world::Sample> for Sample {
    fn from(tests_world::Sample { at, values }: tests_world::Sample) -> Self {
        Self { at, values }
    }
}

/// A sample that the contract cannot carry.
#[derive(Debug, thiserror::Error)]
#[error("sample of {at} cannot be encoded: {why}")]
pub(super) struct PackError {
    pub(super) at: Timestamp,
    pub(super) why: EncodeError,
}

/// Makes the messages of one boot of a device.
pub(super) struct Packer {
    boot_id: u64,
    next_seq: u64,
    buffer: Vec<u8>,
}

impl Packer {
    pub(super) fn new(boot_id: u64) -> Self {
        Self {
            boot_id,
            next_seq: 0,
            buffer: vec![0; MAX_MESSAGE_BYTES],
        }
    }

    /// One message of as many samples from the first on as it may hold, at most [`BATCH`]; with it how many those are.
    /// `None` if there are no samples.
    pub(super) fn pack(
        &mut self,
        samples: &[Sample],
        profile: &ApplianceProfile,
    ) -> Result<Option<(&[u8], usize)>, PackError> {
        let Some(first) = samples.first() else {
            return Ok(None);
        };
        let failed = |at, why| PackError { at, why };
        let t0_ms = first.at.as_millisecond();
        let header = Header {
            time_base: TimeBase::Utc,
            boot_id: self.boot_id,
            seq: self.next_seq,
            t0_ms,
        };
        let mut encoder = TelemetryEncoder::new(&mut self.buffer, &header).map_err(|why| failed(first.at, why))?;
        for sample in samples.iter().take(BATCH) {
            match push(&mut encoder, t0_ms, sample, profile) {
                Ok(()) => {}
                // Another message takes what this one cannot, if this one took anything.
                Err(_) if encoder.samples() > 0 => break,
                Err(why) => return Err(failed(sample.at, why)),
            }
        }
        let packed = encoder.samples();
        let payload = encoder.finish().map_err(|why| failed(first.at, why))?;
        self.next_seq += u64::from(packed);
        Ok(Some((payload, usize::from(packed))))
    }
}

fn push(
    encoder: &mut TelemetryEncoder<'_>,
    t0_ms: i64,
    sample: &Sample,
    profile: &ApplianceProfile,
) -> Result<(), EncodeError> {
    let dt_ms = u32::try_from(sample.at.as_millisecond() - t0_ms).map_err(|_| EncodeError::Order(Field::DtMs))?;
    // A sensor without a reading is left out.
    let readings = sample.values.iter().filter(|(_, value)| value.is_finite());
    let values: Vec<_> = readings
        .map(|(channel, value)| (*channel, shortest(*channel, *value, profile)))
        .collect();
    encoder.push(dt_ms, &values)
}

/// The shortest form that the hub stores as the same number.
fn shortest(channel: u8, value: f64, profile: &ApplianceProfile) -> Value {
    let position = usize::from(channel).checked_sub(1);
    match position.and_then(|position| profile.channels.get(position)) {
        Some(known) => Value::at_resolution(value, known.decimals),
        None => Value::F64(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;
    use std::collections::HashMap;
    use tests_world::profiles;

    fn samples(count: i64) -> Vec<Sample> {
        let start: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        let at = |minute| start + SignedDuration::from_mins(minute);
        (0..count)
            .map(|minute| Sample {
                at: at(minute),
                values: vec![(1, 2.0), (2, 1.234)],
            })
            .collect()
    }

    /// Times that fall or lie far apart start a message of their own; numbers go on.
    #[test]
    fn odd_times_are_packed_too() {
        let mut odd = samples(3);
        odd[1].at += SignedDuration::from_hours(24 * 60);
        let mut packer = Packer::new(1);
        let mut numbers = HashMap::new();
        let mut rest = &odd[..];
        while let Some((payload, count)) = packer.pack(rest, &profiles::washing_machine()).unwrap() {
            let message = agent_sdk_wire::decode_telemetry(payload).unwrap();
            numbers.extend(message.numbered().map(|(seq, ms, _)| (seq, ms)));
            rest = &rest[count..];
        }
        let expected = (0..)
            .zip(&odd)
            .map(|(seq, sample)| (seq, sample.at.as_millisecond()))
            .collect();
        assert_eq!(numbers, expected);
    }

    #[test]
    fn what_cannot_be_encoded_is_named() {
        let mut bad = samples(2);
        bad[1].values = vec![(2, 1.0), (1, 1.0)];
        let mut packer = Packer::new(1);
        let packed = packer.pack(&bad, &profiles::washing_machine()).unwrap();
        assert_eq!(
            packed.map(|(_, count)| count),
            Some(1),
            "what comes before it is packed"
        );
        let error = packer.pack(&bad[1..], &profiles::washing_machine()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "sample of 2026-03-01T00:01:00Z cannot be encoded: channel id is out of order"
        );
    }
}
