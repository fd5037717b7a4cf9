//! Readings as the hub stores them, and the two judgements made before that: when was it, and have we had it already.

use crate::id::{ApplianceId, TraceId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Which sequence a sample belongs to. Each lane of a device counts for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Lane {
    /// Regular readings (`d/{id}/t`, `d/{id}/j`).
    Telemetry = 0,
    /// Fault events and crash reports (`d/{id}/e`).
    Events = 1,
}

/// One stored sample: a wide row in the order of the profile's channels.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Event time, placed by [`place`].
    pub at: Timestamp,
    /// Stored integers (`Channel::quantise`) by position; `None` where missing or out of range.
    pub values: Vec<Option<i32>>,
    /// Names that the profile does not know and values outside the physical range, kept as they came.
    pub extra: Option<serde_json::Value>,
}

/// What a store keeps of a sample's values: behind the last one that is there, nothing tells a channel without a value from
/// one that the profile does not have.
pub fn kept(mut values: Vec<Option<i32>>) -> Vec<Option<i32>> {
    let count = values.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
    values.truncate(count);
    values
}

/// How repeats of a message are recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// CBOR: the sequence number of the first sample within (device, boot, lane); the others follow.
    Sequence {
        /// Unordered random number of the device's start.
        boot: u64,
        /// The sequence.
        lane: Lane,
        /// Number of the first sample.
        first: u64,
    },
    /// JSON has no sequence: whether the device stated the time of each sample. The same content under the same stated time
    /// is a repeat within [`REPEATS_WITHIN`]. Without a stated time, equal readings in a row are ordinary: such a sample is
    /// never taken for a repeat.
    Content(Vec<bool>),
}

/// One accepted publish, ready to be stored: all of it or, where it is a repeat, those samples that are new.
#[derive(Debug, Clone, PartialEq)]
pub struct TelemetryMessage {
    /// The appliance.
    pub appliance: ApplianceId,
    /// For duplicate recognition.
    pub identity: Identity,
    /// Oldest first, at least one.
    pub samples: Vec<Sample>,
    /// Civil time at which the hub received it.
    pub received_at: Timestamp,
    /// Hub's clock less the device's, in ms, where the device has one.
    pub skew_ms: Option<i64>,
    /// Followed from here to the call.
    pub trace: TraceId,
}

/// A sample that names a time outside these bounds around the hub's own clock is a wrong clock, not a late message.
pub const AHEAD_MAX: SignedDuration = SignedDuration::from_mins(10);
/// JSON that comes again within this time is a repeat.
pub const REPEATS_WITHIN: SignedDuration = SignedDuration::from_mins(10);
/// Devices may keep readings for this long before they get through.
pub const BEHIND_MAX: SignedDuration = SignedDuration::from_hours(24 * 400);

/// A device's clock cannot be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "device clock is off: the sample says {at}, the hub received it at {received_at}; at most 10 minutes ahead or 400 days behind is taken"
)]
pub struct ClockError {
    /// What the sample says.
    pub at: Timestamp,
    /// When the hub received it.
    pub received_at: Timestamp,
}

/// Checks a UTC time that a device states.
pub fn check_utc(at: Timestamp, received_at: Timestamp) -> Result<Timestamp, ClockError> {
    let ahead = at.duration_since(received_at);
    if ahead > AHEAD_MAX || -ahead > BEHIND_MAX {
        return Err(ClockError { at, received_at });
    }
    Ok(at)
}

/// Places samples of a device without a clock. `uptime_ms` are the samples' times since the device's start;
/// `offset_ms` is UTC less uptime from the device's clock message of the same boot. Without one, the newest sample is
/// taken to have been measured when it was received.
pub fn place_uptime(
    uptime_ms: &[i64],
    offset_ms: Option<i64>,
    received_at: Timestamp,
) -> Result<Vec<Timestamp>, ClockError> {
    let newest = uptime_ms.iter().copied().max().unwrap_or(0);
    let offset = offset_ms.unwrap_or_else(|| received_at.as_millisecond().saturating_sub(newest));
    uptime_ms
        .iter()
        .map(|ms| {
            let at = Timestamp::from_millisecond(offset.saturating_add(*ms)).unwrap_or(Timestamp::MAX);
            check_utc(at, received_at)
        })
        .collect()
}

/// What the guard knows of a sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Not stored yet.
    No,
    /// Stored already.
    Yes,
    /// Older than the bitmap reaches: look it up, never presume.
    TooOld,
}

/// Duplicate guard of one (device, boot, lane): the highest number stored and a bitmap of the 256 numbers up to it.
/// The idea is the anti-replay window of RFC 6479.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SequenceGuard {
    /// Highest sequence number stored; meaningless while `bits` is all zero.
    pub mark: u64,
    /// Bit `i` (of word `i / 64`) is set when `mark - i` is stored.
    pub bits: [u64; 4],
}

impl SequenceGuard {
    /// How many numbers the bitmap reaches back, the mark included.
    pub const REACH: u64 = 256;

    /// Whether `seq` has been stored.
    pub fn seen(&self, seq: u64) -> Seen {
        if self.bits == [0; 4] || seq > self.mark {
            return Seen::No;
        }
        let back = self.mark - seq;
        if back >= Self::REACH {
            return Seen::TooOld;
        }
        if self.bits[(back / 64) as usize] >> (back % 64) & 1 == 1 {
            Seen::Yes
        } else {
            Seen::No
        }
    }

    /// Notes that `seq` is stored. Numbers older than the reach leave no mark.
    pub fn note(&mut self, seq: u64) {
        if self.bits == [0; 4] {
            *self = Self {
                mark: seq,
                bits: [1, 0, 0, 0],
            };
            return;
        }
        if seq > self.mark {
            self.shift(seq - self.mark);
            self.mark = seq;
        }
        let back = self.mark - seq;
        if back < Self::REACH {
            self.bits[(back / 64) as usize] |= 1 << (back % 64);
        }
    }

    fn shift(&mut self, by: u64) {
        if by >= Self::REACH {
            self.bits = [0; 4];
            return;
        }
        let (words, rest) = ((by / 64) as usize, by % 64);
        let old = self.bits;
        for i in (0..4usize).rev() {
            let low = i.checked_sub(words).map_or(0, |j| old[j]);
            let lower = i.checked_sub(words + 1).map_or(0, |j| old[j]);
            self.bits[i] = if rest == 0 {
                low
            } else {
                low << rest | lower >> (64 - rest)
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        /// The guard answers like a set that forgets what is out of reach.
        #[test]
        fn guard_equals_a_set(seqs in prop::collection::vec(0u64..2000, 1..400)) {
            let mut guard = SequenceGuard::default();
            let mut stored = BTreeSet::new();
            for seq in seqs {
                let expected = match stored.last() {
                    Some(mark) if mark - seq.min(*mark) >= SequenceGuard::REACH => Seen::TooOld,
                    _ if stored.contains(&seq) => Seen::Yes,
                    _ => Seen::No,
                };
                prop_assert_eq!(guard.seen(seq), expected);
                guard.note(seq);
                stored.insert(seq);
            }
        }
    }

    #[test]
    fn a_clock_years_off_is_told_from_a_late_message() {
        let received: Timestamp = "2026-03-02T09:00:00Z".parse().unwrap();
        let late = received - SignedDuration::from_hours(24 * 399);
        assert_eq!(check_utc(late, received), Ok(late));
        for wrong in ["1996-03-02T09:00:00Z", "2026-03-02T09:10:01Z"] {
            let error = check_utc(wrong.parse().unwrap(), received).unwrap_err();
            assert!(error.to_string().contains("2026-03-02T09:00:00Z"), "{error}");
        }
    }

    #[test]
    fn uptime_is_placed_by_the_pair_or_by_arrival() {
        let received: Timestamp = "2026-03-02T09:00:00Z".parse().unwrap();
        let by_arrival = place_uptime(&[1_000, 61_000], None, received).unwrap();
        assert_eq!(by_arrival, [received - SignedDuration::from_mins(1), received]);
        let offset = received.as_millisecond() - 3_600_000;
        assert_eq!(
            place_uptime(&[60_000], Some(offset), received).unwrap(),
            [received - SignedDuration::from_mins(59)]
        );
    }
}
