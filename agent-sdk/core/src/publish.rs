//! A message on its way up, and what becomes of it.

use agent_sdk_wire::Lane;

/// The longest topic in bytes, without the prefix.
pub const TOPIC_BYTES_MAX: usize = 255;

/// A message for the hub.
#[derive(Debug, Clone, Copy)]
pub struct Publish<'a> {
    /// Events go before telemetry; within a lane messages keep their order.
    pub lane: Lane,
    /// Without the prefix: 1 to [`TOPIC_BYTES_MAX`] bytes, no wildcards.
    pub topic: &'a str,
    /// Copied into the outbox and never changed there.
    pub payload: &'a [u8],
    /// How sure the delivery is.
    pub qos: Qos,
    /// The hub keeps it as the topic's last value (§3.3.1.3).
    pub retain: bool,
    /// What gives way when the outbox is full.
    pub overflow: Overflow,
}

/// How sure a delivery is (§4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Qos {
    /// Forgotten once it was handed to the transport.
    AtMostOnce,
    /// Kept until the hub has acknowledged it.
    AtLeastOnce,
}

/// What gives way when the outbox is full. Waiting telemetry always gives way to an event, and what was sent once never
/// gives way: the hub may have it, and its bytes must not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Overflow {
    /// The oldest of its lane that was published with this policy too. As a byte 0: memory that holds zeros has a policy.
    DropOldest = 0,
    /// The message itself: what was taken in before is kept.
    DropNewest,
}

/// Names a message that the outbox took in: they count up from 0 and begin again after 4,294,967,295.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token(pub u32);

/// Why the outbox did not take a message in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The topic is empty or has a wildcard or U+0000; the hub would end the connection over it, each time.
    Topic,
    /// It is longer than the outbox, or than 65,535 bytes with its topic, or its topic than [`TOPIC_BYTES_MAX`].
    /// Counted as dropped.
    TooLong,
    /// The outbox is full of what may not give way. Counted as dropped.
    Full,
}
