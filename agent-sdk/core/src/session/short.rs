//! What goes before the outbox: a short message at QoS 0, and the outbox itself being held back for a while. For what the
//! agent has to settle with the hub before its records make sense there.

use super::Session;

/// The longest payload of such a message.
pub(crate) const SHORT_BYTES_MAX: usize = 32;

/// A message at QoS 0 that is forgotten with the connection. Its bytes are aligned as the agent's state is, so that the same
/// helper of the compiler clears both.
#[repr(C, align(8))]
pub(super) struct Short {
    bytes: [u8; SHORT_BYTES_MAX],
    len: usize,
    /// As a filter of [`crate::Identity::subscriptions`] is written.
    pub(super) topic: &'static str,
}

impl Short {
    pub(super) fn payload(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl Session<'_> {
    /// Writes a message before all that waits. It does nothing without a connection, with a payload that is too long, or
    /// while there [is one](Self::is_telling) that is not written yet.
    pub(crate) fn tell(&mut self, topic: &'static str, payload: &[u8]) {
        self.tell_written(topic, |bytes| {
            let fits = payload.len() <= SHORT_BYTES_MAX;
            for (to, from) in bytes.iter_mut().zip(payload) {
                *to = *from;
            }
            fits.then_some(payload.len())
        });
    }

    /// As [`Self::tell`], where the payload is written in its place; its length is given back, or none if it does not fit.
    pub(crate) fn tell_written(
        &mut self,
        topic: &'static str,
        write: impl FnOnce(&mut [u8; SHORT_BYTES_MAX]) -> Option<usize>,
    ) {
        if !self.is_online() || self.is_telling() {
            return;
        }
        let bytes = [0; SHORT_BYTES_MAX];
        let short = self.short.insert(Short { bytes, len: 0, topic });
        match write(&mut short.bytes) {
            Some(len) => short.len = len,
            None => self.short = None,
        }
    }

    /// Whether such a message is not written yet.
    pub(crate) fn is_telling(&self) -> bool {
        self.short.is_some()
    }

    /// Until then, or the end of the connection, nothing goes out of the outbox but what was sent before; 0 ends it.
    pub(crate) fn hold_until(&mut self, at: u64) {
        self.held_until = at;
    }
}
