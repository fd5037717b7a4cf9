//! The end of a connection: says so, brings what was received into the store, keeps the session, sends what is left.

use super::client::Side;
use super::device_side::DeviceSide;
use super::keep::{keep, next_change};
use super::{Connection, Wake};
use crate::counters::add;
use crate::session::CloseReason;
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
        // The code is what pages have words for.
        let told = format!("{}: {reason}", reason.label());
        let newest = self.shared.registry.leave(self.number, &told, at);
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
        // Before the last words: the next client must not wait for a peer that does not read.
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
            shared.echo_when_stored(&mailbox, &tenant, echoes).await;
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
        let quarantined = match &client.side {
            Side::Device(device) => device.quarantined,
            Side::Integrator(_) | Side::Claimant(_) => 0,
        };
        let (tenant, name, peer) = (&client.tenant, &client.name, self.peer);
        tracing::debug!(%tenant, name, %peer, %reason, quarantined, "connection closed");
    }
}
