//! The head of a record, as it lies in memory before topic and payload.

use crate::publish::{Overflow, Publish, Qos, Token};
use agent_sdk_wire::Lane;

/// What a message costs in the outbox beside its topic and payload, in bytes.
pub const RECORD_HEAD_BYTES: usize = 10;

/// These stand where they stand in the first byte of a PUBLISH (§3.3.1). The hub is to retain it.
pub(crate) const RETAIN: u8 = 0x01;
/// QoS 1.
pub(crate) const AT_LEAST_ONCE: u8 = 0x02;
/// It was written on an earlier connection of this session.
pub(crate) const DUPLICATE: u8 = 0x08;

/// It is of the lane of events.
const EVENT: u8 = 0x04;
/// It gives way to newer messages of its lane.
pub(crate) const MAY_GO: u8 = 0x10;
/// All of it was written on this connection.
pub(crate) const HERE: u8 = 0x20;
/// Part of it was written once: it no longer gives way.
pub(crate) const TRIED: u8 = 0x40;
/// It is done, and its space is free.
pub(crate) const DEAD: u8 = 0x80;

/// The flag of a lane; the higher, the more urgent.
fn urgency(lane: Lane) -> u8 {
    match lane {
        Lane::Event => EVENT,
        Lane::Telemetry => 0,
    }
}

/// The flags of a message that is new.
pub(crate) fn flags_of(message: &Publish<'_>) -> u8 {
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

/// Whether a record may be dropped for a new message, by the flags of both.
pub(crate) fn gives_way(old: u8, new: u8) -> bool {
    let is_less_urgent = old & EVENT < new & EVENT;
    let is_policy = old & EVENT == new & EVENT && old & new & MAY_GO != 0;
    old & TRIED == 0 && (is_less_urgent || is_policy)
}

/// The lane of these flags.
pub(crate) fn lane_of(flags: u8) -> Lane {
    if flags & EVENT != 0 {
        Lane::Event
    } else {
        Lane::Telemetry
    }
}

/// Length of topic and payload, length of the topic, flags, packet identifier, token.
pub(crate) type Head = [u8; RECORD_HEAD_BYTES];

/// A record where it lies. Two words, which stay in registers: what is read of it is read in place.
#[derive(Clone, Copy)]
pub(crate) struct Record<'m> {
    pub(crate) at: usize,
    head: &'m Head,
}

impl<'m> Record<'m> {
    pub(crate) fn new(at: usize, head: &'m Head) -> Self {
        Self { at, head }
    }

    /// The head of a record that was not sent yet.
    pub(crate) fn head(body_len: u16, topic_len: u8, flags: u8, token: u32) -> Head {
        let [l0, l1] = body_len.to_le_bytes();
        let [t0, t1, t2, t3] = token.to_le_bytes();
        [l0, l1, topic_len, flags, 0, 0, t0, t1, t2, t3]
    }

    pub(crate) fn flags(self) -> u8 {
        let [_, _, _, flags, ..] = *self.head;
        flags
    }

    pub(crate) fn has(self, flag: u8) -> bool {
        self.flags() & flag != 0
    }

    /// The higher, the more urgent.
    pub(crate) fn urgency(self) -> u8 {
        self.flags() & EVENT
    }

    /// The lower half of the first byte of its PUBLISH.
    pub(crate) fn publish_flags(self) -> u8 {
        self.flags() & (RETAIN | AT_LEAST_ONCE | DUPLICATE)
    }

    /// The packet identifier while in flight; 0 before.
    pub(crate) fn id(self) -> u16 {
        let [.., i0, i1, _, _, _, _] = *self.head;
        u16::from_le_bytes([i0, i1])
    }

    pub(crate) fn token(self) -> Token {
        let [.., t0, t1, t2, t3] = *self.head;
        Token(u32::from_le_bytes([t0, t1, t2, t3]))
    }

    /// Sums of places and lengths do not overflow: all of them lie within one slice.
    pub(crate) fn body_at(self) -> usize {
        self.at.wrapping_add(RECORD_HEAD_BYTES)
    }

    pub(crate) fn topic_len(self) -> u8 {
        let [_, _, topic_len, ..] = *self.head;
        topic_len
    }

    /// Where the next record begins.
    pub(crate) fn end(self) -> usize {
        self.at.wrapping_add(self.len())
    }

    /// Head, topic and payload.
    pub(crate) fn len(self) -> usize {
        let [l0, l1, ..] = *self.head;
        usize::from(u16::from_le_bytes([l0, l1])).wrapping_add(RECORD_HEAD_BYTES)
    }
}

/// Sets and clears flags.
pub(crate) fn mark(head: &mut Head, set: u8, clear: u8) {
    let [_, _, _, flags, ..] = head;
    *flags = *flags & !clear | set;
}

/// Gives a packet identifier, or takes it away by 0.
pub(crate) fn name(head: &mut Head, id: u16) {
    let [_, _, _, _, i0, i1, ..] = head;
    [*i0, *i1] = id.to_le_bytes();
}
