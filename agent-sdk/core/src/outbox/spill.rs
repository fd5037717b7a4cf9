//! Messages that leave the outbox to wait elsewhere, and come back. What they wait in is not known here.

use super::Outbox;
use super::record::{AT_LEAST_ONCE, RECORD_HEAD_BYTES, RETAIN, Record, TRIED};
use crate::publish::{Overflow, Publish, Qos, Refused, Token};
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
            (*flags, *topic_len) = (record.flags & RETAIN, record.topic_len);
        }
        for (to, from) in room.iter_mut().zip(body) {
            *to = *from;
        }
        Some(WAITING_HEAD_BYTES.saturating_add(body.len()))
    }

    /// Forgets the message that [`Self::copy_waiting`] copies: it waits elsewhere now, and is not dropped.
    pub(crate) fn discard_waiting(&mut self) {
        if let Some(record) = self.waiting() {
            self.remove(record);
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
        let need = body.len().saturating_add(RECORD_HEAD_BYTES);
        if need > self.free() {
            return Err(Refused::Full);
        }
        let message = Publish {
            lane: Lane::Telemetry,
            topic: "",
            payload,
            qos: Qos::AtLeastOnce,
            retain: flags & RETAIN != 0,
            overflow: Overflow::DropNewest,
        };
        let token = self.push_on(topic, &message)?;
        // The last record is this one.
        if let Some(mut record) = self.record(self.end.saturating_sub(need)) {
            record.flags |= TRIED;
            self.put_head(record);
        }
        Ok(token)
    }

    fn waiting(&self) -> Option<Record> {
        let mut at = self.start;
        while let Some(record) = self.next_live(at) {
            if record.lane() == Lane::Telemetry && record.has(AT_LEAST_ONCE) && !record.has(TRIED) {
                return Some(record);
            }
            at = record.end();
        }
        None
    }
}
