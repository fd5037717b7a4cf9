//! What goes before the outbox: a short message at QoS 0, and the outbox itself being held back for a while. For what the
//! agent has to settle with the hub before its records make sense there.

use super::Session;

/// The longest payload of such a message.
pub(crate) const SHORT_BYTES_MAX: usize = 32;

/// A message at QoS 0 that is forgotten with the connection.
pub(super) struct Short {
    /// As a filter of [`crate::Identity::subscriptions`] is written; `None` if there is no message.
    topic: Option<&'static str>,
    /// Its payload, and then what does not matter: never cleared, which would take flash.
    bytes: [u8; SHORT_BYTES_MAX],
    len: usize,
}

impl Short {
    pub(super) const NONE: Self = Self {
        topic: None,
        bytes: [0; SHORT_BYTES_MAX],
        len: 0,
    };

    /// Topic and payload, if there is one.
    pub(super) fn parts(&self) -> Option<(&'static str, &[u8])> {
        Some((self.topic?, self.bytes.get(..self.len).unwrap_or_default()))
    }

    pub(super) fn forget(&mut self) {
        self.topic = None;
    }
}

impl Session<'_> {
    /// Writes a message before all that waits. It does nothing without a connection, with a payload that is too long, or
    /// while there [is one](Self::is_telling) that is not written yet.
    pub(crate) fn tell(&mut self, topic: &'static str, payload: &[u8]) {
        self.tell_written(topic, |bytes| {
            for (to, from) in bytes.iter_mut().zip(payload) {
                *to = *from;
            }
            payload.len()
        });
    }

    /// As [`Self::tell`], where the payload is written in its place; its length is given back.
    pub(crate) fn tell_written(&mut self, topic: &'static str, write: impl FnOnce(&mut [u8]) -> usize) {
        if !self.is_online() || self.is_telling() {
            return;
        }
        self.short.len = write(&mut self.short.bytes);
        if self.short.len <= SHORT_BYTES_MAX {
            self.short.topic = Some(topic);
        }
    }

    /// Whether such a message is not written yet.
    pub(crate) fn is_telling(&self) -> bool {
        self.short.topic.is_some()
    }

    /// Until then, or the end of the connection, nothing goes out of the outbox but what was sent before; 0 ends it.
    pub(crate) fn hold_until(&mut self, at: u64) {
        self.held_until = at;
    }
}
