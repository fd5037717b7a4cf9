//! Messages on their way: bytes made once and kept until acknowledged, in order, bounded. Sans-IO.

use agent_sdk_wire::{EncodeError, Header, MAX_MESSAGE_BYTES, TelemetryEncoder, TimeBase, Value};
use bytes::Bytes;
use hub_core::profile::ApplianceProfile;
use jiff::Timestamp;
use std::collections::VecDeque;
use tests_world::Sample;

/// Messages kept at most; beyond it the source is not asked for more.
const MESSAGES_MAX: usize = 256;
/// Samples in one message at most.
pub(super) const BATCH: usize = 12;
/// Messages from the oldest unacknowledged one on that may be under way. Also keeps the client library's packet ids,
/// which count to 100 and start again, from meeting an unacknowledged one.
pub(super) const WINDOW: usize = 16;

/// How far a message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Not on this connection yet.
    Waiting,
    /// Given to the client library, which has not named its packet id yet.
    Handed,
    /// Written with this packet id.
    Sent(u16),
    /// Acknowledged; kept only while an older one is not.
    Acknowledged,
}

#[derive(Debug)]
struct Entry {
    topic: String,
    payload: Bytes,
    samples: u64,
    stage: Stage,
    /// Has been on a connection before.
    sent_before: bool,
}

/// A message to put on the connection now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outgoing {
    pub(super) topic: String,
    pub(super) payload: Bytes,
    pub(super) samples: u64,
    /// The same bytes were on an earlier connection.
    pub(super) again: bool,
}

/// A sample that the contract cannot carry.
#[derive(Debug, thiserror::Error)]
#[error("sample of {at} cannot be encoded: {why}")]
pub(super) struct PackError {
    pub(super) at: Timestamp,
    pub(super) why: EncodeError,
}

/// The messages of one boot of a device.
#[derive(Debug)]
pub(super) struct Outbox {
    boot_id: u64,
    next_seq: u64,
    entries: VecDeque<Entry>,
}

impl Outbox {
    pub(super) fn new(boot_id: u64) -> Self {
        Self {
            boot_id,
            next_seq: 0,
            entries: VecDeque::new(),
        }
    }

    /// How many more samples may be packed now.
    pub(super) fn room(&self) -> usize {
        MESSAGES_MAX.saturating_sub(self.entries.len()) * BATCH
    }

    /// Messages that wait for their acknowledgement.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Packs samples into as few messages as allowed, at most [`BATCH`] in each.
    pub(super) fn pack(
        &mut self,
        topic: &str,
        mut samples: &[Sample],
        profile: &ApplianceProfile,
    ) -> Result<(), PackError> {
        let mut buffer = [0; MAX_MESSAGE_BYTES];
        while let Some(first) = samples.first() {
            let t0_ms = first.at.as_millisecond();
            let header = Header {
                time_base: TimeBase::Utc,
                boot_id: self.boot_id,
                seq: self.next_seq,
                t0_ms,
            };
            let failed = |at, why| PackError { at, why };
            let mut encoder = TelemetryEncoder::new(&mut buffer, &header).map_err(|why| failed(first.at, why))?;
            for sample in samples.iter().take(BATCH) {
                match push(&mut encoder, t0_ms, sample, profile) {
                    Ok(()) => {}
                    // Another message takes what this one cannot, if this one took anything.
                    Err(_) if encoder.samples() > 0 => break,
                    Err(why) => return Err(failed(sample.at, why)),
                }
            }
            let packed = encoder.samples();
            let payload = Bytes::copy_from_slice(encoder.finish().map_err(|why| failed(first.at, why))?);
            self.next_seq += u64::from(packed);
            self.push_entry(topic.to_owned(), payload, u64::from(packed));
            samples = samples.get(usize::from(packed)..).unwrap_or_default();
        }
        Ok(())
    }

    /// Queues a reply to a command; `false` if there is no room, so that the hub has to ask again.
    pub(super) fn reply(&mut self, topic: String, payload: Bytes) -> bool {
        let fits = self.entries.len() < MESSAGES_MAX;
        if fits {
            self.push_entry(topic, payload, 0);
        }
        fits
    }

    fn push_entry(&mut self, topic: String, payload: Bytes, samples: u64) {
        self.entries.push_back(Entry {
            topic,
            payload,
            samples,
            stage: Stage::Waiting,
            sent_before: false,
        });
    }

    /// The next message to send, if the window allows one.
    pub(super) fn next_outgoing(&mut self) -> Option<Outgoing> {
        let entry = self
            .entries
            .iter_mut()
            .take(WINDOW)
            .find(|entry| entry.stage == Stage::Waiting)?;
        entry.stage = Stage::Handed;
        let again = std::mem::replace(&mut entry.sent_before, true);
        Some(Outgoing {
            topic: entry.topic.clone(),
            payload: entry.payload.clone(),
            samples: entry.samples,
            again,
        })
    }

    /// The client library has written its next publish under this packet id; it keeps the order.
    pub(super) fn sent(&mut self, packet_id: u16) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.stage == Stage::Handed) {
            entry.stage = Stage::Sent(packet_id);
        }
    }

    /// The hub has acknowledged a packet id: the samples that are safe now, or `None` if nothing was sent under it.
    pub(super) fn acknowledged(&mut self, packet_id: u16) -> Option<u64> {
        let entry = self
            .entries
            .iter_mut()
            .find(|entry| entry.stage == Stage::Sent(packet_id))?;
        entry.stage = Stage::Acknowledged;
        let samples = entry.samples;
        while self
            .entries
            .front()
            .is_some_and(|entry| entry.stage == Stage::Acknowledged)
        {
            self.entries.pop_front();
        }
        Some(samples)
    }

    /// The connection is gone: whatever was not acknowledged waits again, with its bytes.
    pub(super) fn disconnected(&mut self) {
        for entry in &mut self.entries {
            if entry.stage != Stage::Acknowledged {
                entry.stage = Stage::Waiting;
            }
        }
    }
}

fn push(
    encoder: &mut TelemetryEncoder<'_>,
    t0_ms: i64,
    sample: &Sample,
    profile: &ApplianceProfile,
) -> Result<(), EncodeError> {
    let dt_ms = u32::try_from(sample.at.as_millisecond() - t0_ms).map_err(|_| EncodeError::Order("dt_ms"))?;
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

    fn packed(count: i64) -> Outbox {
        let mut outbox = Outbox::new(1);
        outbox
            .pack("d/a/t", &samples(count), &profiles::washing_machine())
            .unwrap();
        outbox
    }

    #[test]
    fn only_the_window_is_under_way() {
        let mut outbox = packed(12 * 40);
        let sent = std::iter::from_fn(|| outbox.next_outgoing()).count();
        assert_eq!((sent, outbox.len()), (WINDOW, 40));
        for packet_id in 1..=16 {
            outbox.sent(packet_id);
        }
        // The oldest is not acknowledged, so the window does not move.
        assert_eq!(
            (2..=16).map(|id| outbox.acknowledged(id).unwrap()).sum::<u64>(),
            15 * 12
        );
        assert_eq!(outbox.next_outgoing(), None);
        assert_eq!(outbox.acknowledged(1), Some(12));
        assert_eq!(outbox.len(), 40 - 16);
        assert!(outbox.next_outgoing().is_some());
        assert_eq!(outbox.acknowledged(1), None, "acknowledged twice");
    }

    #[test]
    fn a_new_connection_repeats_the_bytes_in_order() {
        let mut outbox = packed(12 * 5 + 1);
        let first: Vec<_> = std::iter::from_fn(|| outbox.next_outgoing()).collect();
        assert_eq!(first.len(), 6);
        outbox.sent(1);
        outbox.sent(2);
        outbox.acknowledged(2);
        outbox.disconnected();
        let again: Vec<_> = std::iter::from_fn(|| outbox.next_outgoing()).collect();
        let expected: Vec<_> = [0, 2, 3, 4, 5]
            .map(|index: usize| Outgoing {
                again: true,
                ..first[index].clone()
            })
            .into();
        assert_eq!(again, expected);
    }

    /// Times that fall or lie far apart start a message of their own; numbers go on.
    #[test]
    fn odd_times_are_packed_too() {
        let mut odd = samples(3);
        odd[1].at += SignedDuration::from_hours(24 * 60);
        let mut outbox = Outbox::new(1);
        outbox.pack("d/a/t", &odd, &profiles::washing_machine()).unwrap();
        let mut numbers = HashMap::new();
        while let Some(message) = outbox.next_outgoing() {
            let message = agent_sdk_wire::decode_telemetry(&message.payload).unwrap();
            numbers.extend(message.numbered().map(|(seq, ms, _)| (seq, ms)));
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
        let mut outbox = Outbox::new(1);
        let error = outbox.pack("d/a/t", &bad, &profiles::washing_machine()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "sample of 2026-03-01T00:01:00Z cannot be encoded: channel id is out of order"
        );
    }
}
