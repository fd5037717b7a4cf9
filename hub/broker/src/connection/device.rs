//! What a device publishes: decoded, in the order of receipt, into parcels for ingest; and what became of it.

use super::client::Side;
use super::device_side::{ClockAnswer, Task, What, nowhere};
use super::{Connection, Done};
use crate::counters::add;
use crate::decode::{Origin, Work};
use crate::ingest::{Item, Parcel};
use crate::mailbox::{Settled, Waiter};
use crate::quotas::Over;
use crate::refusals::About;
use crate::session::{CloseReason, Received};
use crate::work::{LastWord, Shared, take, take_stored};
use hub_core::id::TraceId;
use hub_store::telemetry::{Device, Ingest};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Dropped publishes that are told at once, even where nothing else is.
const DROPPED_TOLD: u32 = 1_000;
/// A device that has published nothing for so long does not send one publish as soon as it hears of the last. One that has
/// just connected may be about to sleep again.
const SELDOM: Duration = Duration::from_secs(1);

impl Connection {
    pub(super) fn received(&mut self, received: Received) {
        let Some(client) = &self.client else { return };
        let counters = &self.shared.counters;
        if let Err(over) = client.allowance.publish(received.message.len(), &self.shared.config) {
            return self.over_rate(received, over);
        }
        add(&counters.publishes, 1);
        let by_qos = counters.messages_in.get(self.version());
        if let Some(count) = by_qos.and_then(|by_qos| by_qos.get(usize::from(received.qos))) {
            add(count, 1);
        }
        if received.kind.is_ingested() {
            self.ingest(received);
        } else {
            self.ask(received);
        }
    }

    fn over_rate(&mut self, received: Received, over: Over) {
        let Some(number) = received.number else { return };
        let (label, limit) = match over {
            Over::Device => ("device_rate", "publishes or bytes a second of the device"),
            Over::Tenant => ("tenant_rate", "publishes or bytes a second of the tenant"),
        };
        let reason = CloseReason::Quota(limit);
        self.note_refused(label, &reason);
        if received.qos == 0 {
            self.dropped();
        }
        self.session.handle_refused(number, reason);
    }

    /// One publish of QoS 0 was dropped.
    pub(super) fn dropped(&mut self) {
        add(&self.shared.counters.dropped, 1);
        if let Some(device) = self.device() {
            device.dropped = device.dropped.saturating_add(1);
        }
    }

    fn ingest(&mut self, received: Received) {
        let trace = self.trace();
        let Some(client) = self.client.as_mut() else { return };
        let Side::Device(device) = &mut client.side else { return };
        let (number, exactly_once) = (received.number, received.exactly_once);
        let mark = exactly_once.map(|_| self.shared.underway.mark(device.device.appliance));
        if let Some(number) = number
            && self
                .shared
                .router
                .wants(client.tenant.as_str(), received.message.topic())
        {
            let echo = self
                .shared
                .echo_of(received.message.clone(), received.qos, received.retain);
            device.echoes.push((number, echo));
        }
        let work = decode(&self.shared, &device.device, received, trace);
        if let Some(reason) = work.refusal() {
            device.quarantined += 1;
            if let Some(number) = number {
                device.notes.push((number, format!("in quarantine: {reason}")));
            }
            // One line for the first of a connection; the number of the others comes when it ends.
            if device.quarantined == 1 {
                let about = About {
                    tenant: Some(client.tenant.as_str()),
                    name: Some(&client.name),
                    peer: Some(self.peer),
                };
                self.shared.refusals.note("quarantine", about, &reason);
            }
        }
        device.tasks.push_back(Task {
            what: What::Work(work),
            number,
            exactly_once,
            mark,
            deadline: Instant::now() + self.shared.config.commit_patience,
        });
        self.advance();
    }

    pub(super) fn released(&mut self, number: u64, packet_id: u16) {
        let (now, patience) = (self.shared.clock.now(), self.shared.config.commit_patience);
        let underway = Arc::clone(&self.shared.underway);
        let Some(device) = self.device() else { return };
        let appliance = device.device.appliance;
        device.tasks.push_back(Task {
            what: What::Ready(Ingest::Release { appliance, packet_id }, nowhere(appliance, now)),
            number: Some(number),
            exactly_once: None,
            mark: Some(underway.mark(appliance)),
            deadline: Instant::now() + patience,
        });
        self.advance();
    }

    fn advance(&mut self) {
        let Some(device) = self.device() else { return };
        let Some(boot) = device.advance() else { return };
        let appliance = device.device.appliance;
        let shared = Arc::clone(&self.shared);
        self.running.push(Box::pin(async move {
            let asked = shared.clocks.ask(appliance, boot);
            let offset = timeout(shared.config.commit_patience, asked).await;
            Done::Clock(ClockAnswer(offset.ok().map(|offset| (boot, offset))))
        }));
    }

    pub(super) fn clock_answered(&mut self, ClockAnswer(offset): ClockAnswer) {
        let Some(device) = self.device() else { return };
        device.asks_clock = false;
        if offset.is_none() {
            device.tasks.clear();
            return self.session.handle_close(CloseReason::CommitFailed);
        }
        device.offset = offset;
        self.advance();
    }

    /// Hands to ingest what there is for it.
    pub(super) fn send_parcel(&mut self) {
        let Some(client) = self.client.as_mut() else { return };
        let Side::Device(device) = &mut client.side else { return };
        if device.sends || (device.parcel.is_empty() && device.dropped < DROPPED_TOLD) {
            return;
        }
        if device.dropped > 0 {
            device.tell_dropped(self.shared.clock.now(), self.shared.config.commit_patience);
        }
        let now = Instant::now();
        let last = std::mem::replace(&mut device.parcel_at, now);
        let parcel = Parcel {
            waiter: Some(Waiter::new(&self.mailbox)),
            items: std::mem::take(&mut device.parcel),
            can_wait: now - last >= SELDOM,
        };
        if let Err(parcel) = self.shared.ingest.try_send(parcel) {
            device.sends = true;
            let queue = self.shared.ingest.clone();
            self.running
                .push(Box::pin(async move { Done::Sent(queue.send(parcel).await.is_ok()) }));
        }
    }

    pub(super) fn sent(&mut self, sent: bool) {
        if let Some(device) = self.device() {
            device.sends = false;
        }
        if sent {
            self.send_parcel();
        } else {
            self.session.handle_close(CloseReason::CommitFailed);
        }
    }

    /// These are stored.
    pub(super) fn settled(&mut self, settled: Vec<Settled>) {
        for settled in settled {
            let number = settled.number;
            if let Some(client) = self.client.as_mut()
                && let Side::Device(device) = &mut client.side
            {
                if let Some(echo) = take_stored(&mut device.echoes, &settled) {
                    self.shared.echo(&client.tenant, &echo);
                }
                if let Some(note) = take(&mut device.notes, number) {
                    self.session.handle_noted(number, &note);
                    continue;
                }
            }
            self.session.handle_committed(number);
        }
    }

    pub(super) fn will(&mut self, received: Received, delay_s: u32) {
        let trace = self.trace();
        // Who was never let in says nothing.
        let Some(client) = self.client.as_mut().filter(|client| client.entered) else {
            return;
        };
        let Side::Device(device) = &mut client.side else { return };
        let (message, qos, retain) = (received.message.clone(), received.qos, received.retain);
        let work = decode(&self.shared, &device.device, received, trace);
        let offset_ms = work.boot().and_then(|boot| {
            let known = device.offset.filter(|(of, _)| *of == boot);
            known.and_then(|(_, offset)| offset)
        });
        let (ingest, origin) = work.place(offset_ms);
        let delay = Duration::from_secs(u64::from(delay_s));
        let item = Item {
            ingest,
            origin,
            number: None,
            deadline: Instant::now() + delay + self.shared.config.commit_patience,
            mark: None,
        };
        let tenant = client.tenant.clone();
        let word = LastWord {
            tenant,
            item,
            message,
            qos,
            retain,
        };
        device.will = Some((word, delay));
    }

    fn trace(&mut self) -> TraceId {
        self.last_trace = self.last_trace.next();
        self.last_trace
    }
}

fn decode(shared: &Shared, device: &Device, received: Received, trace: TraceId) -> Work {
    let origin = Origin {
        appliance: device.appliance,
        message: received.message,
        received_at: shared.clock.now(),
    };
    let families = shared.families.borrow();
    let profile = families.profile(&device.profile).ok_or(device.profile.as_str());
    Work::decode(&received.kind, received.retain, origin, profile, trace)
}
