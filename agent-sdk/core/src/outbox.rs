//! Messages from when they are made until the hub has acknowledged them. The record that waits is also the session's
//! in-flight state, and its bytes never change. Knows nothing of connections but what it is told.
//!
//! Records lie one behind the other in the caller's memory, oldest first. What is done is marked; the space in front is
//! free at once, the space between is won back when a new message needs it.

mod record;
mod spill;
#[cfg(test)]
mod tests;

use crate::publish::{Overflow, Publish, Qos, Refused, Token};
use crate::topic::is_topic;
use agent_sdk_wire::Lane;
pub use record::RECORD_HEAD_BYTES;
pub(crate) use record::Record;
use record::{AT_LEAST_ONCE, DEAD, DUPLICATE, HERE, MAY_GO, RETAIN, TRIED, urgency};
pub use spill::WAITING_HEAD_BYTES;

/// Packet identifiers of messages are 1 to this one; the one above is that of a SUBSCRIBE.
const LAST_ID: u16 = 0xFFFE;

/// The packet identifier of a SUBSCRIBE.
pub(crate) const SUBSCRIBE_ID: u16 = 0xFFFF;

/// No record is being written.
const NONE: usize = usize::MAX;

pub(crate) struct Outbox<'m> {
    memory: &'m mut [u8],
    /// Where the first record begins, dead or not.
    start: usize,
    /// Where the last one ends.
    end: usize,
    /// Bytes of the records that are not dead.
    live: usize,
    /// Where the record begins that is being written to the transport.
    writing: usize,
    last_id: u16,
    next_token: u32,
    dropped_events: u32,
    dropped_telemetry: u32,
    /// Only what was sent before is sent.
    is_held: bool,
}

impl<'m> Outbox<'m> {
    pub(crate) fn new(memory: &'m mut [u8]) -> Self {
        Self {
            memory,
            start: 0,
            end: 0,
            live: 0,
            writing: NONE,
            last_id: 0,
            next_token: 0,
            dropped_events: 0,
            dropped_telemetry: 0,
            is_held: false,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Bytes that are not taken.
    pub(crate) fn free(&self) -> usize {
        self.memory.len().saturating_sub(self.live)
    }

    /// Forgets all messages. None is being written.
    pub(crate) fn clear(&mut self) {
        (self.start, self.end, self.live, self.writing) = (0, 0, 0, NONE);
    }

    /// Takes a message in.
    pub(crate) fn push(&mut self, message: &Publish<'_>) -> Result<Token, Refused> {
        self.push_on(message.topic.as_bytes(), message)
    }

    /// Takes a message in, on `topic` instead of its own.
    pub(crate) fn push_on(&mut self, topic: &[u8], message: &Publish<'_>) -> Result<Token, Refused> {
        if !is_topic(topic) {
            return Err(Refused::Topic);
        }
        let body_len = topic.len().saturating_add(message.payload.len());
        let need = body_len.saturating_add(RECORD_HEAD_BYTES);
        let (Ok(topic_len), Ok(body_len)) = (u8::try_from(topic.len()), u16::try_from(body_len)) else {
            self.count(message.lane);
            return Err(Refused::TooLong);
        };
        if need > self.memory.len() {
            self.count(message.lane);
            return Err(Refused::TooLong);
        }
        if !self.make_room(message, need) {
            self.count(message.lane);
            return Err(Refused::Full);
        }
        let record = Record {
            at: self.end,
            body_len,
            topic_len,
            flags: flags(message),
            id: 0,
            token: self.next_token,
        };
        self.next_token = self.next_token.wrapping_add(1);
        self.put_head(record);
        self.put(record.body_at(), topic);
        self.put(record.payload_at(), message.payload);
        self.end = record.end();
        self.live = self.live.saturating_add(need);
        Ok(Token(record.token))
    }

    /// The hub took a connection up. With the session, what is in flight is sent again as it was (§4.4); without it the
    /// hub knows none of it, and it waits in its lane once more.
    pub(crate) fn resume(&mut self, session_present: bool) {
        let mut at = self.start;
        while let Some(mut record) = self.next_live(at) {
            at = record.end();
            record.flags &= !(HERE | DUPLICATE);
            if !session_present {
                record.id = 0;
            } else if record.id != 0 {
                record.flags |= DUPLICATE;
            }
            self.put_head(record);
        }
    }

    /// Whether what waits in the lanes is to wait on.
    pub(crate) fn hold(&mut self, is_held: bool) {
        self.is_held = is_held;
    }

    /// Chooses what to write next, which then is [`Self::writing`]: first what an earlier connection left in flight, in
    /// the order it was sent; then the oldest event, or else the oldest telemetry, while fewer than `window` are in
    /// flight.
    pub(crate) fn begin(&mut self, window: u8) -> bool {
        let mut again: Option<Record> = None;
        let mut fresh: Option<Record> = None;
        let mut in_flight = 0_u16;
        let mut at = self.start;
        while let Some(record) = self.next_live(at) {
            at = record.end();
            if record.id == 0 {
                if fresh.is_none_or(|best| best.urgency() < record.urgency()) {
                    fresh = Some(record);
                }
                continue;
            }
            in_flight = in_flight.saturating_add(1);
            if !record.has(HERE) && again.is_none_or(|best| self.age(best.id) < self.age(record.id)) {
                again = Some(record);
            }
        }
        let has_room = in_flight < u16::from(window.max(1));
        let fresh = fresh.filter(|record| !self.is_held && (has_room || !record.has(AT_LEAST_ONCE)));
        let Some(mut record) = again.or(fresh) else {
            return false;
        };
        if record.id == 0 && record.has(AT_LEAST_ONCE) {
            record.id = self.free_id();
            self.last_id = record.id;
        }
        record.flags |= TRIED;
        self.put_head(record);
        self.writing = record.at;
        true
    }

    /// What is being written, with its topic and payload.
    pub(crate) fn writing(&self) -> Option<(Record, &[u8], &[u8])> {
        let record = self.record(self.writing)?;
        let topic = self.memory.get(record.body_at()..record.payload_at())?;
        let payload = self.memory.get(record.payload_at()..record.end())?;
        Some((record, topic, payload))
    }

    /// All of it was handed to the transport.
    pub(crate) fn written(&mut self) {
        if let Some(mut record) = self.record(self.writing) {
            if record.has(AT_LEAST_ONCE) {
                record.flags |= HERE;
                self.put_head(record);
            } else {
                self.remove(record);
            }
        }
        self.writing = NONE;
    }

    /// The connection ended; part of it may have been handed over.
    pub(crate) fn interrupted(&mut self) {
        self.writing = NONE;
    }

    /// The hub has acknowledged this identifier. `None` if no message with it was sent on this connection.
    pub(crate) fn acknowledged(&mut self, id: u16) -> Option<Token> {
        let record = self.in_flight(id).filter(|record| record.has(HERE))?;
        self.remove(record);
        Some(Token(record.token))
    }

    /// How many messages of a lane were dropped since the last call; events first, `None` if there were none.
    pub(crate) fn take_dropped(&mut self) -> Option<(Lane, u32)> {
        for lane in [Lane::Event, Lane::Telemetry] {
            let count = core::mem::take(self.counter(lane));
            if count > 0 {
                return Some((lane, count));
            }
        }
        None
    }

    fn counter(&mut self, lane: Lane) -> &mut u32 {
        match lane {
            Lane::Event => &mut self.dropped_events,
            Lane::Telemetry => &mut self.dropped_telemetry,
        }
    }

    fn count(&mut self, lane: Lane) {
        let counter = self.counter(lane);
        *counter = counter.saturating_add(1);
    }

    /// Sees to `need` bytes behind the last record; drops nothing if that would not be enough.
    fn make_room(&mut self, message: &Publish<'_>, need: usize) -> bool {
        let mut missing = need.saturating_sub(self.free());
        let mut gain = 0_usize;
        let mut at = self.start;
        while let Some(record) = self.next_live(at) {
            at = record.end();
            if gives_way(record, message) {
                gain = gain.saturating_add(record.len());
            }
        }
        if gain < missing {
            return false;
        }
        while missing > 0 {
            let Some(victim) = self.victim(message) else {
                return false;
            };
            missing = missing.saturating_sub(victim.len());
            self.count(victim.lane());
            self.remove(victim);
        }
        if self.end.saturating_add(need) > self.memory.len() {
            self.compact();
        }
        true
    }

    /// The oldest of the least urgent that give way.
    fn victim(&self, message: &Publish<'_>) -> Option<Record> {
        let mut victim: Option<Record> = None;
        let mut at = self.start;
        while let Some(record) = self.next_live(at) {
            at = record.end();
            let goes_first = victim.is_none_or(|best| record.urgency() < best.urgency());
            if goes_first && gives_way(record, message) {
                victim = Some(record);
            }
        }
        victim
    }

    fn in_flight(&self, id: u16) -> Option<Record> {
        let mut at = self.start;
        while let Some(record) = self.next_live(at) {
            if id != 0 && record.id == id {
                return Some(record);
            }
            at = record.end();
        }
        None
    }

    /// The next identifier that is not in flight. There is one, since the window is far smaller than their number.
    fn free_id(&self) -> u16 {
        let mut id = self.last_id;
        loop {
            id = if id >= LAST_ID { 1 } else { id.wrapping_add(1) };
            if self.in_flight(id).is_none() {
                return id;
            }
        }
    }

    /// How long ago an identifier was given: they are given in order, and turn around.
    fn age(&self, id: u16) -> u16 {
        self.last_id.wrapping_sub(id)
    }

    fn remove(&mut self, mut record: Record) {
        record.flags |= DEAD;
        self.put_head(record);
        self.live = self.live.saturating_sub(record.len());
        while let Some(first) = self.record(self.start).filter(|first| first.has(DEAD)) {
            self.start = first.end();
        }
        if self.start >= self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Moves the records together at the beginning of the memory.
    fn compact(&mut self) {
        let (mut at, mut to) = (self.start, 0_usize);
        while let Some(record) = self.record(at) {
            at = record.end();
            if record.has(DEAD) {
                continue;
            }
            if record.at == self.writing {
                self.writing = to;
            }
            for from in record.at..at {
                let byte = self.memory.get(from).copied().unwrap_or_default();
                self.put(to, &[byte]);
                to = to.wrapping_add(1);
            }
        }
        (self.start, self.end) = (0, to);
    }

    /// The first record at or behind `at` that is not dead.
    fn next_live(&self, mut at: usize) -> Option<Record> {
        loop {
            let record = self.record(at)?;
            if !record.has(DEAD) {
                return Some(record);
            }
            at = record.end();
        }
    }

    fn record(&self, at: usize) -> Option<Record> {
        if at >= self.end {
            return None;
        }
        let head = self.memory.get(at..at.wrapping_add(RECORD_HEAD_BYTES))?;
        Record::read(at, head)
    }

    fn put_head(&mut self, record: Record) {
        self.put(record.at, &record.head());
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        let room = self.memory.get_mut(at..).unwrap_or_default();
        for (to, from) in room.iter_mut().zip(bytes) {
            *to = *from;
        }
    }
}

fn flags(message: &Publish<'_>) -> u8 {
    let mut flags = urgency(message.lane);
    if message.qos == Qos::AtLeastOnce {
        flags |= AT_LEAST_ONCE;
    }
    if message.retain {
        flags |= RETAIN;
    }
    if message.overflow == Overflow::DropOldest {
        flags |= MAY_GO;
    }
    flags
}

/// Whether a record may be dropped for a new message.
fn gives_way(record: Record, message: &Publish<'_>) -> bool {
    let own = urgency(message.lane);
    let is_policy = message.overflow == Overflow::DropOldest && record.has(MAY_GO);
    !record.has(TRIED) && (record.urgency() < own || record.urgency() == own && is_policy)
}
