//! Messages that leave the outbox to wait elsewhere, and come back. What they wait in is not known here.

use super::Outbox;
use super::record::{AT_LEAST_ONCE, RECORD_HEAD_BYTES, RETAIN, Record, TRIED, lane_of};
use crate::publish::{Refused, Token};
use crate::topic::is_topic;
use agent_sdk_wire::Lane;

/// What a message costs outside of the outbox beside its topic and payload, in bytes.
pub const WAITING_HEAD_BYTES: usize = 2;

impl Outbox<'_> {
    /// Copies the oldest telemetry at QoS 1 of which nothing was written yet: flags, length of the topic, topic, payload.
    /// How many bytes; `None` if there is none, or if it does not fit.
    pub(crate) fn copy_waiting(&self, out: &mut [u8]) -> Option<usize> {
        let record = self.waiting()?;
        let body = self.memory.get(record.body_at()..record.end())?;
        let (head, room) = out.split_at_mut_checked(WAITING_HEAD_BYTES)?;
        let room = room.get_mut(..body.len())?;
        if let [flags, topic_len] = head {
            (*flags, *topic_len) = (record.flags() & RETAIN, record.topic_len());
        }
        for (to, from) in room.iter_mut().zip(body) {
            *to = *from;
        }
        Some(WAITING_HEAD_BYTES.saturating_add(body.len()))
    }

    /// Forgets the message that [`Self::copy_waiting`] copies: it waits elsewhere now, and is not dropped.
    pub(crate) fn discard_waiting(&mut self) {
        if let Some(at) = self.waiting().map(|record| record.at) {
            self.remove(at);
        }
    }

    /// Takes in again what was copied. It no longer gives way, and is not copied once more. What is refused is not counted
    /// as dropped: it still waits elsewhere.
    pub(crate) fn put_back(&mut self, kept: &[u8]) -> Result<Token, Refused> {
        let [flags, topic_len, body @ ..] = kept else {
            return Err(Refused::Topic);
        };
        let Some((topic, payload)) = body.split_at_checked(usize::from(*topic_len)) else {
            return Err(Refused::Topic);
        };
        if !is_topic(topic) {
            return Err(Refused::Topic);
        }
        if body.len().saturating_add(RECORD_HEAD_BYTES) > self.free() {
            return Err(Refused::Full);
        }
        self.take_in([&[], topic], &[payload], flags & RETAIN | AT_LEAST_ONCE | TRIED)
    }

    fn waiting(&self) -> Option<Record<'_>> {
        let mut at = self.start;
        while let Some(record) = self.next_live(at) {
            if lane_of(record.flags()) == Lane::Telemetry && record.has(AT_LEAST_ONCE) && !record.has(TRIED) {
                return Some(record);
            }
            at = record.end();
        }
        None
    }
}
