//! One connection to rumqttd's router, and the task that empties it.
//!
//! A link is made once and lent to one integrator after another. Taking links down and up again is where rumqttd's router
//! is weak: a wake-up for a link that is gone ends its thread, and a link that went while it was due stops the others until
//! the next message. A link that nobody has is only without filters.

use super::frame::Received;
use super::subscriber::{Delivery, SubscriberState};
use super::totals::Totals;
use rumqttd::Notification;
use rumqttd::local::{LinkError, LinkRx};
use rumqttd::protocol::Packet;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;

/// rumqttd's router does not answer to a link any more.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(super) struct Gone(Box<LinkError>);

impl From<LinkError> for Gone {
    fn from(error: LinkError) -> Self {
        Self(Box::new(error))
    }
}

/// Where what comes out of a link goes.
#[derive(Default)]
pub(super) struct Outlet {
    lent: Mutex<Option<Lent>>,
    /// What is to be said when the router has taken a subscription, in the order in which it was asked. Only then is it in
    /// force: rumqttd may see a later message before an earlier subscription of another link.
    taken: Mutex<VecDeque<Answer>>,
}

/// Tells someone who waits that a subscription is in force.
pub(super) type Answer = Box<dyn FnOnce() + Send>;

/// To whom a link is lent.
#[derive(Debug)]
pub(super) struct Lent {
    pub state: Arc<SubscriberState>,
    pub queue: mpsc::Sender<Delivery>,
    pub slots: HashMap<u16, SubscribedFilter>,
}

/// One filter of one integrator.
#[derive(Debug)]
pub(super) struct SubscribedFilter {
    pub filter: String,
    pub qos: u8,
    /// The number of the next message; what is below was for an earlier holder of the slot.
    pub next_number: u64,
    /// Whether there was a message already: from then on a gap is a loss.
    pub begun: bool,
}

impl Outlet {
    pub fn lent(&self) -> MutexGuard<'_, Option<Lent>> {
        self.lent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has `answer` given when the router has taken the next subscription of this link.
    pub fn await_taken(&self, answer: Answer) {
        self.taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(answer);
    }

    /// Drops the subscriber that has the link, and the answers that wait for it.
    pub fn clear(&self) {
        *self.lent() = None;
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn take(&self) {
        let answer = self.taken.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        if let Some(answer) = answer {
            answer();
        }
    }

    fn deliver(&self, received: Received, totals: &Totals) {
        let mut lent = self.lent();
        let Some(lent) = lent.as_mut() else { return };
        let Some(subscribed) = lent.slots.get_mut(&received.slot) else {
            return;
        };
        if received.number < subscribed.next_number || received.tenant != lent.state.tenant.as_bytes() {
            return;
        }
        let skipped = if subscribed.begun {
            received.number - subscribed.next_number
        } else {
            0
        };
        (subscribed.next_number, subscribed.begun) = (received.number + 1, true);
        if skipped > 0 {
            lent.state.lost.fetch_add(skipped, Ordering::Relaxed);
            totals.lost_in_log.fetch_add(skipped, Ordering::Relaxed);
        }
        let Ok(topic) = String::from_utf8(received.topic.to_vec()) else {
            return;
        };
        let delivery = Delivery {
            topic,
            payload: received.payload,
            qos: received.qos.min(subscribed.qos),
            retain: received.retain,
            properties: received.properties,
            expires_ms: received.expires_ms,
        };
        if lent.state.offer(&lent.queue, delivery) {
            totals.delivered.fetch_add(1, Ordering::Relaxed);
        } else {
            lent.state.lost.fetch_add(1, Ordering::Relaxed);
            totals.lost_by_integrators.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Empties a link as fast as it fills, for as long as the router lives; never waits for an integrator.
pub(super) async fn empty(mut link: LinkRx, outlet: Arc<Outlet>, totals: Arc<Totals>) {
    loop {
        match link.next().await {
            Ok(Some(Notification::Forward(forward))) => {
                if let Some(received) = Received::parse(&forward.publish.payload) {
                    outlet.deliver(received, &totals);
                }
            }
            // After 200 messages the router stops with this link until it is told that they have been taken.
            Ok(Some(Notification::Unschedule)) => {
                if link.wake().await.is_err() {
                    return;
                }
            }
            Ok(Some(other)) => {
                if let Some(Packet::SubAck(..)) = other.into() {
                    outlet.take();
                }
            }
            Ok(None) => {}
            Err(_) => return,
        }
    }
}
