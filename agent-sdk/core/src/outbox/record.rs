//! The head of a record, as it lies in memory before topic and payload.

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
pub(crate) fn urgency(lane: Lane) -> u8 {
    match lane {
        Lane::Event => EVENT,
        Lane::Telemetry => 0,
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Record {
    pub(crate) at: usize,
    /// Topic and payload.
    pub(crate) body_len: u16,
    pub(crate) topic_len: u8,
    pub(crate) flags: u8,
    /// The packet identifier while in flight; 0 before.
    pub(crate) id: u16,
    pub(crate) token: u32,
}

impl Record {
    pub(crate) fn read(at: usize, head: &[u8]) -> Option<Self> {
        let &[l1, l0, topic_len, flags, i1, i0, t3, t2, t1, t0] = head else {
            return None;
        };
        Some(Self {
            at,
            body_len: u16::from_be_bytes([l1, l0]),
            topic_len,
            flags,
            id: u16::from_be_bytes([i1, i0]),
            token: u32::from_be_bytes([t3, t2, t1, t0]),
        })
    }

    pub(crate) fn head(&self) -> [u8; RECORD_HEAD_BYTES] {
        let [l1, l0] = self.body_len.to_be_bytes();
        let [i1, i0] = self.id.to_be_bytes();
        let [t3, t2, t1, t0] = self.token.to_be_bytes();
        [l1, l0, self.topic_len, self.flags, i1, i0, t3, t2, t1, t0]
    }

    pub(crate) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The higher, the more urgent.
    pub(crate) fn urgency(&self) -> u8 {
        self.flags & EVENT
    }

    pub(crate) fn lane(&self) -> Lane {
        if self.has(EVENT) { Lane::Event } else { Lane::Telemetry }
    }

    /// The lower half of the first byte of its PUBLISH.
    pub(crate) fn publish_flags(&self) -> u8 {
        self.flags & (RETAIN | AT_LEAST_ONCE | DUPLICATE)
    }

    pub(crate) fn body_at(&self) -> usize {
        self.at.saturating_add(RECORD_HEAD_BYTES)
    }

    pub(crate) fn payload_at(&self) -> usize {
        self.body_at().saturating_add(usize::from(self.topic_len))
    }

    /// Where the next record begins.
    pub(crate) fn end(&self) -> usize {
        self.at.saturating_add(self.len())
    }

    /// Head, topic and payload.
    pub(crate) fn len(&self) -> usize {
        usize::from(self.body_len).saturating_add(RECORD_HEAD_BYTES)
    }
}
