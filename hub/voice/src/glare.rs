//! Calls that we place or are about to, and that nobody has answered yet: an owner who rings meanwhile is connected in the same attempt.

use crate::order::CallOrder;
use crate::signaling::InboundLeg;
use hub_core::id::AttemptId;
use hub_core::phone_number::PhoneNumber;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

/// A call that came in, with the channel that it has.
pub(crate) struct Back {
    pub call: InboundLeg,
    pub channel: OwnedSemaphorePermit,
}

struct Ring {
    attempt: AttemptId,
    trunk: String,
    to: PhoneNumber,
    back: mpsc::Sender<Box<Back>>,
}

/// Whom we ring. As many as there are channels.
#[derive(Default)]
pub(crate) struct Ringing(Arc<Mutex<Vec<Ring>>>);

/// The place of one call among them, until nobody can ring back into it any more.
pub(crate) struct Awaited {
    ringing: Arc<Mutex<Vec<Ring>>>,
    attempt: AttemptId,
    back: mpsc::Receiver<Box<Back>>,
}

impl Ringing {
    /// From now on the call of this order is rung back into.
    pub fn add(&self, order: &CallOrder) -> Awaited {
        let (sender, back) = mpsc::channel(1);
        lock(&self.0).push(Ring {
            attempt: order.attempt,
            trunk: order.trunk.clone(),
            to: order.to.clone(),
            back: sender,
        });
        Awaited {
            ringing: Arc::clone(&self.0),
            attempt: order.attempt,
            back,
        }
    }

    /// Hands a call over `trunk` to the one that we place to its caller. Back it comes where we ring nobody there.
    pub fn hand_over(&self, trunk: &str, caller: &PhoneNumber, back: Box<Back>) -> Result<(), Box<Back>> {
        let ringing = lock(&self.0);
        let rung = ringing.iter().find(|ring| ring.trunk == trunk && ring.to == *caller);
        match rung {
            Some(ring) => ring.back.try_send(back).map_err(mpsc::error::TrySendError::into_inner),
            None => Err(back),
        }
    }
}

impl Awaited {
    /// The call of the owner who rings back; waits for it without end.
    pub async fn rings_back(&mut self) -> Box<Back> {
        match self.back.recv().await {
            Some(back) => back,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        lock(&self.ringing).retain(|ring| ring.attempt != self.attempt);
    }
}

/// A panic of another holder leaves the list as it is, so its poison is ignored.
fn lock(ringing: &Mutex<Vec<Ring>>) -> MutexGuard<'_, Vec<Ring>> {
    ringing.lock().unwrap_or_else(PoisonError::into_inner)
}
