//! Where messages may wait that the outbox has no room for, or that are to outlive the power. Knows no flash.

use crate::agent::Agent;
use crate::publish::{Refused, Token};
use crate::session::Session;

/// A [`Session`] or an [`Agent`], as something that keeps its waiting telemetry sees it. In flash that is `Spill` of
/// `agent-sdk/storage`.
///
/// A message is copied out, kept, and then discarded here; later it is put back, and what keeps it forgets it once its
/// token is delivered. Events, and what was sent once, stay in the outbox.
pub trait Spillable {
    /// Whether the hub has accepted the connection, which still lasts.
    fn is_online(&self) -> bool;

    /// Bytes of the outbox that are not taken.
    fn outbox_free_bytes(&self) -> usize;

    /// Copies the oldest telemetry at QoS 1 of which nothing was sent yet, with [`crate::WAITING_HEAD_BYTES`] more than its
    /// topic and payload. How many bytes; `None` if there is none, or if it does not fit.
    fn copy_waiting(&self, out: &mut [u8]) -> Option<usize>;

    /// Forgets the message that [`Self::copy_waiting`] copies, which is kept elsewhere now.
    fn discard_waiting(&mut self);

    /// Takes in again what was copied. It is not copied once more, and does not give way.
    ///
    /// # Errors
    ///
    /// It is not taken in, and not counted as dropped: [`Refused::Full`] until there is room, [`Refused::Topic`] if this is
    /// nothing that was copied.
    fn put_back(&mut self, kept: &[u8]) -> Result<Token, Refused>;
}

impl Spillable for Session<'_> {
    fn is_online(&self) -> bool {
        Session::is_online(self)
    }

    fn outbox_free_bytes(&self) -> usize {
        Session::outbox_free_bytes(self)
    }

    fn copy_waiting(&self, out: &mut [u8]) -> Option<usize> {
        self.outbox().copy_waiting(out)
    }

    fn discard_waiting(&mut self) {
        self.outbox_mut().discard_waiting();
    }

    fn put_back(&mut self, kept: &[u8]) -> Result<Token, Refused> {
        self.outbox_mut().put_back(kept)
    }
}

impl Spillable for Agent<'_> {
    fn is_online(&self) -> bool {
        self.session().is_online()
    }

    fn outbox_free_bytes(&self) -> usize {
        self.session().outbox_free_bytes()
    }

    fn copy_waiting(&self, out: &mut [u8]) -> Option<usize> {
        self.session().copy_waiting(out)
    }

    fn discard_waiting(&mut self) {
        self.session_mut().discard_waiting();
    }

    fn put_back(&mut self, kept: &[u8]) -> Result<Token, Refused> {
        self.session_mut().put_back(kept)
    }
}
