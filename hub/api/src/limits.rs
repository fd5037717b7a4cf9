//! How much of the listener anybody may hold, and how long each part of an exchange may take.

use std::time::Duration;

/// Longest request body, in bytes.
pub(crate) const BODY_MAX: usize = 64 * 1024;

/// Bounds of the listener for people and programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections in all; at least 2. Where they are taken, the oldest of the address that holds most gives way to a new one.
    /// A part is left free by people who have logged in, so that health and log-in are always answered.
    pub connections_max: usize,
    /// Connections of one address (an IPv6 /64 is one) on which nobody has logged in. One more closes the oldest of them.
    pub address_connections_max: usize,
    /// Connections of one log-in. They count for no address and give way to nobody; what is beyond counts for its address.
    pub person_connections_max: usize,
    /// Event streams in all; one more is refused with 503.
    pub streams_max: usize,
    /// Event streams of one log-in.
    pub person_streams_max: usize,
    /// From the end of an exchange, or from the start, until the head of the next request is here.
    pub head_patience: Duration,
    /// From a request's head until its body is here and its answer has begun.
    pub request_patience: Duration,
    /// A client that takes nothing of an answer for this long is cut off.
    pub write_patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 2_048,
            address_connections_max: 128,
            person_connections_max: 32,
            streams_max: 1_024,
            person_streams_max: 16,
            head_patience: Duration::from_secs(15),
            request_patience: Duration::from_secs(30),
            write_patience: Duration::from_secs(20),
        }
    }
}

impl Limits {
    /// Connections that nobody can make give way, at most: a sixteenth is left for others.
    pub(crate) fn held_max(&self) -> usize {
        self.connections_max.saturating_sub((self.connections_max / 16).max(1))
    }
}
