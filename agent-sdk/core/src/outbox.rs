//! Messages from when they are made until the hub has acknowledged them. The record that waits is also the session's
//! in-flight state, and its bytes never change. Knows nothing of connections but what it is told.
//!
//! Records lie one behind the other in the caller's memory, oldest first. What is done is marked; the space in front is
//! free at once, the space between is won back when a new message needs it.

mod record;
mod spill;
#[cfg(test)]
mod tests;

use crate::publish::{Publish, Refused, Token};
use crate::topic::is_topic;
use agent_sdk_wire::Lane;
pub use record::RECORD_HEAD_BYTES;
pub(crate) use record::Record;
use record::{AT_LEAST_ONCE, DEAD, DUPLICATE, HERE, Head, TRIED, flags_of, gives_way, lane_of, mark, name};
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

    /// Bytes that are not taken. What is live lies in the memory, and so is never more.
    pub(crate) fn free(&self) -> usize {
        self.memory.len().wrapping_sub(self.live)
    }

    /// Forgets all messages. None is being written.
    pub(crate) fn clear(&mut self) {
        (self.start, self.end, self.live, self.writing) = (0, 0, 0, NONE);
    }

    /// Takes a message in.
    pub(crate) fn push(&mut self, message: &Publish<'_>) -> Result<Token, Refused> {
        self.push_on([&[], message.topic.as_bytes()], message)
    }

    /// Takes a message in, on a topic in two parts instead of its own. The second is a topic by itself, and the first one
    /// that goes before it.
    pub(crate) fn push_on(&mut self, topic: [&[u8]; 2], message: &Publish<'_>) -> Result<Token, Refused> {
        self.push_parts(topic, &[message.payload], message)
    }

    /// As [`Self::push_on`], with a payload in parts as well.
    pub(crate) fn push_parts(
        &mut self,
        topic: [&[u8]; 2],
        payload: &[&[u8]],
        message: &Publish<'_>,
    ) -> Result<Token, Refused> {
        let [_, name] = topic;
        if !is_topic(name) {
            return Err(Refused::Topic);
        }
        let flags = flags_of(message);
        let taken = self.take_in(topic, payload, flags);
        if taken.is_err() {
            self.count(flags);
        }
        taken
    }

    fn take_in(&mut self, topic: [&[u8]; 2], payload: &[&[u8]], flags: u8) -> Result<Token, Refused> {
        let topic_len = length(&topic);
        let body_len = topic_len.wrapping_add(length(payload));
        let (Ok(topic_len), Ok(body_len)) = (u8::try_from(topic_len), u16::try_from(body_len)) else {
            return Err(Refused::TooLong);
        };
        let need = usize::from(body_len).wrapping_add(RECORD_HEAD_BYTES);
        if need > self.memory.len() {
            return Err(Refused::TooLong);
        }
        if !self.make_room(flags, need) {
            return Err(Refused::Full);
        }
        let token = self.next_token;
        self.next_token = token.wrapping_add(1);
        self.live = self.live.wrapping_add(need);
        self.append(&Record::head(body_len, topic_len, flags, token));
        self.append_all(&topic);
        self.append_all(payload);
        Ok(Token(token))
    }

    /// The hub took a connection up. With the session, what is in flight is sent again as it was (§4.4); without it the
    /// hub knows none of it, and it waits in its lane once more.
    pub(crate) fn resume(&mut self, session_present: bool) {
        let mut at = self.start;
        while let Some(record) = self.next_live(at) {
            let place = record.at;
            at = record.end();
            let again = if record.id() != 0 && session_present {
                DUPLICATE
            } else {
                0
            };
            if let Some(head) = self.head_mut(place) {
                mark(head, again, HERE | DUPLICATE);
                if !session_present {
                    name(head, 0);
                }
            }
        }
    }

    /// Whether what waits in the lanes is to wait on.
    pub(crate) fn hold(&mut self, is_held: bool) {
        self.is_held = is_held;
    }

    /// Chooses what to write next, which then is [`Self::writing`]: first what an earlier connection left in flight, in
    /// the order it was sent; then the oldest event, or else the oldest telemetry, while fewer than `window` are in
    /// flight.
    #[inline(never)]
    pub(crate) fn begin(&mut self, window: u8) -> bool {
        let Some(record) = self.next_to_write(window) else {
            return false;
        };
        let (at, needs_id) = (record.at, record.id() == 0 && record.has(AT_LEAST_ONCE));
        self.writing = at;
        let new_id = if needs_id { self.free_id() } else { self.last_id };
        self.last_id = new_id;
        if let Some(head) = self.head_mut(at) {
            mark(head, TRIED, 0);
            if needs_id {
                name(head, new_id);
            }
        }
        true
    }

    fn next_to_write(&self, window: u8) -> Option<Record<'_>> {
        let mut again: Option<Record<'_>> = None;
        let mut fresh: Option<Record<'_>> = None;
        let mut in_flight = 0_usize;
        let mut at = self.start;
        while let Some(record) = self.next_live(at) {
            at = record.end();
            if record.id() == 0 {
                if fresh.is_none_or(|best| best.urgency() < record.urgency()) {
                    fresh = Some(record);
                }
                continue;
            }
            in_flight = in_flight.wrapping_add(1);
            if !record.has(HERE) && again.is_none_or(|best| self.age(best) < self.age(record)) {
                again = Some(record);
            }
        }
        let has_room = in_flight < usize::from(window.max(1));
        let fresh = fresh.filter(|record| !self.is_held && (has_room || !record.has(AT_LEAST_ONCE)));
        again.or(fresh)
    }

    /// What is being written, with its topic and payload.
    pub(crate) fn writing(&self) -> Option<(Record<'_>, &[u8], &[u8])> {
        let record = self.record(self.writing)?;
        let body = self.memory.get(record.body_at()..record.end())?;
        let (topic, payload) = body.split_at_checked(usize::from(record.topic_len()))?;
        Some((record, topic, payload))
    }

    /// All of it was handed to the transport.
    pub(crate) fn written(&mut self) {
        let at = self.writing;
        self.writing = NONE;
        let Some(record) = self.record(at) else { return };
        if !record.has(AT_LEAST_ONCE) {
            self.remove(at);
        } else if let Some(head) = self.head_mut(at) {
            mark(head, HERE, 0);
        }
    }

    /// The connection ended; part of it may have been handed over.
    pub(crate) fn interrupted(&mut self) {
        self.writing = NONE;
    }

    /// The hub has acknowledged this identifier. `None` if no message with it was sent on this connection.
    pub(crate) fn acknowledged(&mut self, id: u16) -> Option<Token> {
        let record = self.in_flight(id).filter(|record| record.has(HERE))?;
        let token = record.token();
        self.remove(record.at);
        Some(token)
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

    /// A message with these flags is dropped.
    fn count(&mut self, flags: u8) {
        let counter = self.counter(lane_of(flags));
        *counter = counter.saturating_add(1);
    }

    /// Sees to `need` bytes behind the last record, for a message with these flags; drops nothing if that would not be
    /// enough.
    fn make_room(&mut self, flags: u8, need: usize) -> bool {
        let mut room = self.free();
        let mut at = self.start;
        while let Some(record) = self.next_live(at) {
            at = record.end();
            if gives_way(record.flags(), flags) {
                room = room.wrapping_add(record.len());
            }
        }
        if room < need {
            return false;
        }
        while self.free() < need {
            let Some(victim) = self.victim(flags) else {
                return false;
            };
            let (at, flags) = (victim.at, victim.flags());
            self.count(flags);
            self.remove(at);
        }
        if self.end.wrapping_add(need) > self.memory.len() {
            self.compact();
        }
        true
    }

    /// The oldest of the least urgent that give way.
    fn victim(&self, flags: u8) -> Option<Record<'_>> {
        let mut victim: Option<Record<'_>> = None;
        let mut at = self.start;
        while let Some(record) = self.next_live(at) {
            at = record.end();
            let goes_first = victim.is_none_or(|best| record.urgency() < best.urgency());
            if goes_first && gives_way(record.flags(), flags) {
                victim = Some(record);
            }
        }
        victim
    }

    fn in_flight(&self, id: u16) -> Option<Record<'_>> {
        let mut at = self.start;
        while let Some(record) = self.next_live(at) {
            if id != 0 && record.id() == id {
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

    /// How long ago its identifier was given: they are given in order, and turn around.
    fn age(&self, record: Record<'_>) -> u16 {
        self.last_id.wrapping_sub(record.id())
    }

    fn remove(&mut self, at: usize) {
        let Some(record) = self.record(at) else { return };
        self.live = self.live.wrapping_sub(record.len());
        if let Some(head) = self.head_mut(at) {
            mark(head, DEAD, 0);
        }
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
            let (from, is_dead) = (record.at, record.has(DEAD));
            at = record.end();
            if is_dead {
                continue;
            }
            if from == self.writing {
                self.writing = to;
            }
            // Byte by byte, because it may overlap; that needs no function for moving memory.
            for from in from..at {
                let byte = self.memory.get(from).copied().unwrap_or_default();
                if let Some(place) = self.memory.get_mut(to) {
                    *place = byte;
                }
                to = to.wrapping_add(1);
            }
        }
        (self.start, self.end) = (0, to);
    }

    /// The first record at or behind `at` that is not dead.
    fn next_live(&self, mut at: usize) -> Option<Record<'_>> {
        loop {
            let record = self.record(at)?;
            if !record.has(DEAD) {
                return Some(record);
            }
            at = record.end();
        }
    }

    fn record(&self, at: usize) -> Option<Record<'_>> {
        if at >= self.end {
            return None;
        }
        let head = self.memory.get(at..)?.first_chunk()?;
        Some(Record::new(at, head))
    }

    fn head_mut(&mut self, at: usize) -> Option<&mut Head> {
        self.memory.get_mut(at..)?.first_chunk_mut()
    }

    fn append_all(&mut self, parts: &[&[u8]]) {
        for part in parts {
            self.append(part);
        }
    }

    /// Puts bytes behind the last record. There is room for them.
    fn append(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if let Some(place) = self.memory.get_mut(self.end) {
                *place = *byte;
            }
            self.end = self.end.wrapping_add(1);
        }
    }
}

/// Bytes of all parts. Slices that lie in memory together are never longer than it, and few of them are given twice.
fn length(parts: &[&[u8]]) -> usize {
    parts.iter().fold(0, |sum, part| sum.wrapping_add(part.len()))
}
