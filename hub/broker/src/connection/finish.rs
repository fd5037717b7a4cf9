//! The end of a connection: says so, brings what was received into the store, keeps the session, sends what is left.

use super::client::Role;
use super::device::{DeviceSide, nowhere, take_stored};
use super::{Connection, Wake};
use crate::counters::add;
use crate::ingest::{Item, Parcel};
use crate::mailbox::{Cut, Mailbox, Waiter};
use crate::session::CloseReason;
use crate::work::{Echo, Shared};
use hub_core::id::{ApplianceId, TenantId};
use hub_store::session::{KeptSession, SessionChange};
use hub_store::telemetry::Ingest;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use tokio::time::{Instant, timeout};

impl Connection {
    pub(super) async fn finish(mut self: Box<Self>) {
        // The last flush may have found the connection lost.
        while let Some(event) = self.session.poll_event() {
            self.event(event);
        }
        let reason = self.closed.take().unwrap_or(CloseReason::Lost);
        self.log(&reason);
        let at = self.shared.clock.now();
        let newest = self.shared.registry.leave(self.number, &reason.to_string(), at);
        let patience = self.shared.config.store_patience;
        if timeout(patience, self.finish_tasks()).await.is_err() {
            let unsent = self.device().map_or(0, |device| device.unsent());
            add(&self.shared.counters.dropped, unsent as u64);
        }
        // Whatever waits for room in the queue would keep that room from others.
        self.running.clear();
        // Before the session is kept or dropped, and before the next connection of the device begins: what ingest tries
        // again must not come behind either.
        self.mailbox.end();
        if let Some(device) = self.device() {
            // The hub's own end says nothing about the device (MQTT 5 §3.1.2.5 leaves it to the server).
            let will = device.will.take().filter(|_| reason != CloseReason::Stopping);
            let mut keeping = std::mem::take(&mut device.keeping);
            let appliance = device.device.appliance;
            let shared = Arc::clone(&self.shared);
            if let Some((word, delay)) = will {
                let now = if delay.is_zero() {
                    Some(word)
                } else if newest {
                    shared.wills.keep(appliance, Instant::now() + delay, word)
                } else {
                    // The device is back already.
                    None
                };
                if let Some(word) = now {
                    shared.publish_will(word).await;
                }
            }
            if newest {
                while let Some((change, _)) = next_change(&mut keeping) {
                    keep(&shared, appliance, change).await;
                }
            }
        }
        let echoes = self.device().map(DeviceSide::take_echoes).unwrap_or_default();
        let tenant = self.client.take().map(|client| client.tenant);
        self.greeting = None;
        // Before the last words: whoever comes next must not wait for a peer that does not read.
        self.shared.registry.forget(self.number);
        let Self {
            wire, shared, mailbox, ..
        } = *self;
        if reason == CloseReason::Lost || reason == CloseReason::WriteStalled {
            drop(wire);
        } else {
            wire.say_goodbye().await;
        }
        if let Some(tenant) = tenant {
            echo_when_stored(&shared, &mailbox, &tenant, echoes).await;
        }
    }

    /// What a device sent before it left may have been its last word; none of it is acknowledged any more.
    async fn finish_tasks(&mut self) {
        let (now, patience) = (self.shared.clock.now(), self.shared.config.commit_patience);
        if let Some(device) = self.device() {
            device.tell_dropped(now, patience);
        }
        self.send_parcel();
        while self.device().is_some_and(|device| device.is_busy()) {
            let done = poll_fn(|cx| {
                for index in 0..self.running.len() {
                    let Some(running) = self.running.get_mut(index) else {
                        break;
                    };
                    if let Poll::Ready(done) = running.as_mut().poll(cx) {
                        drop(self.running.swap_remove(index));
                        return Poll::Ready(done);
                    }
                }
                Poll::Pending
            })
            .await;
            self.handle(Wake::Done(done));
            self.send_parcel();
        }
    }

    fn log(&self, reason: &CloseReason) {
        self.shared.counters.count_closed(reason.label());
        if reason.is_refusal() {
            return self.shared.refusals.note(reason.label(), self.about(), reason);
        }
        let Some(client) = &self.client else { return };
        let quarantined = match &client.role {
            Role::Device(device) => device.quarantined,
            Role::Integrator(_) | Role::Claimant(_) => 0,
        };
        let (tenant, name, peer) = (&client.tenant, &client.name, self.peer);
        tracing::debug!(%tenant, name, %peer, %reason, quarantined, "connection closed");
    }
}

/// Hands what a device said last, often right before it left, to the integrators once it is stored.
pub(crate) async fn echo_when_stored(
    shared: &Shared,
    mailbox: &Mailbox,
    tenant: &TenantId,
    mut echoes: Vec<(u64, Echo)>,
) {
    let all = async {
        while !echoes.is_empty() {
            let letters = poll_fn(|cx| mailbox.poll(cx)).await;
            for settled in &letters.settled {
                if let Some(echo) = take_stored(&mut echoes, settled) {
                    shared.echo(tenant, &echo);
                }
            }
            if matches!(letters.cut, Some(Cut::CommitFailed)) {
                return;
            }
        }
    };
    // What is not stored by then is given up; the hub's end waits for none of it.
    tokio::select! {
        biased;
        _ = timeout(shared.config.commit_patience, all) => {}
        () = shared.stop.cancelled() => {}
    }
}

/// The next change of a device's session, out of what is to be kept (`Some`) or forgotten, in order; and how many of these
/// it is. One that begins forgets what was and is kept, in one.
pub(super) fn next_change(keeping: &mut VecDeque<Option<KeptSession>>) -> Option<(SessionChange, u8)> {
    let Some(session) = keeping.pop_front()? else {
        return Some(match keeping.pop_front_if(|next| next.is_some()).flatten() {
            Some(session) => (SessionChange::Begin(session), 2),
            None => (SessionChange::Forget, 1),
        });
    };
    Some((SessionChange::Keep(session), 1))
}

/// Keeps a session, or forgets it; whether the store did so.
pub(super) async fn keep(shared: &Shared, appliance: ApplianceId, change: SessionChange) -> bool {
    let asked = async {
        // Behind everything of an earlier connection that would put packet identifiers back that are to be forgotten.
        if change.forgets() && shared.underway.may_come(appliance) {
            pass_ingest(shared, appliance).await;
        }
        shared.sessions.ask(appliance, change).await
    };
    timeout(shared.config.store_patience, asked).await.unwrap_or_else(|_| {
        tracing::warn!(%appliance, "session not kept in time");
        false
    })
}

/// Returns once everything that was handed to ingest before is settled, or this could not be found out. What failed by
/// then and belongs to a connection that is over is not tried again, so none of it comes later.
pub(super) async fn pass_ingest(shared: &Shared, appliance: ApplianceId) {
    let mailbox = Arc::new(Mailbox::default());
    let item = Item {
        ingest: Ingest::Dropped { appliance, count: 0 },
        origin: nowhere(appliance, shared.clock.now()),
        number: Some(0),
        deadline: Instant::now() + shared.config.store_patience,
        mark: None,
    };
    let parcel = Parcel {
        waiter: Some(Waiter::new(&mailbox)),
        items: vec![item],
        can_wait: false,
    };
    if shared.ingest.send(parcel).await.is_ok() {
        poll_fn(|cx| mailbox.poll(cx).map(drop)).await;
    }
}
