//! What a device publishes: decoded, in the order of receipt, into parcels for ingest; and what became of it.

use super::client::Role;
use super::{Connection, Done};
use crate::counters::add;
use crate::decode::{Origin, Work};
use crate::ingest::{Item, Parcel, Settled};
use crate::mailbox::Waiter;
use crate::quotas::Over;
use crate::refusals::About;
use crate::session::{CloseReason, Message, Received};
use crate::underway::Mark;
use crate::work::{Echo, LastWord, Shared};
use hub_core::id::{ApplianceId, TraceId};
use hub_store::session::KeptSession;
use hub_store::telemetry::{Device, Ingest};
use jiff::Timestamp;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// What a connection knows of its device. Everything is bounded by the publishes in flight.
pub(super) struct DeviceSide {
    pub(super) device: Device,
    /// Sessions to be kept (`Some`) or forgotten, in order.
    pub(super) keeping: VecDeque<Option<KeptSession>>,
    /// One of them is under way.
    pub(super) keeps: bool,
    /// What cannot go to ingest yet, since something before it waits for the store.
    tasks: VecDeque<Task>,
    /// What goes to ingest next.
    parcel: Vec<Item>,
    /// When the last one went, or the device connected.
    parcel_at: Instant,
    /// Ingest has no room now; a parcel waits for it.
    sends: bool,
    /// The store is asked where a boot's uptime stands.
    asks_clock: bool,
    /// UTC less uptime of the newest boot, where it is known whether the device has told it.
    offset: Option<Offset>,
    /// For integrators, once stored.
    echoes: Vec<(u64, Echo)>,
    /// Why publishes under way went to quarantine.
    notes: Vec<(u64, String)>,
    /// Dropped and not told to ingest yet.
    dropped: u32,
    pub(super) quarantined: u64,
    pub(super) will: Option<(LastWord, Duration)>,
    pub(super) commands: super::command::Commands,
}

/// A device that has published nothing for so long does not send one publish as soon as it hears of the last. One that has
/// just connected may be about to sleep again.
const SELDOM: Duration = Duration::from_secs(1);

/// A boot and, if the device has told it, UTC less uptime in ms.
type Offset = (u64, Option<i64>);

/// The store's answer about the clock of a boot; `None` where it did not come in time.
pub(super) struct ClockAnswer(Option<Offset>);

/// Something for ingest.
struct Task {
    what: What,
    number: Option<u64>,
    exactly_once: Option<u16>,
    /// Where it holds or releases a packet identifier in the store.
    mark: Option<Mark>,
    deadline: Instant,
}

enum What {
    Work(Work),
    /// Nothing to find out.
    Ready(Ingest, Origin),
}

impl DeviceSide {
    pub(super) fn new(device: Device) -> Self {
        Self {
            device,
            keeping: VecDeque::new(),
            keeps: false,
            tasks: VecDeque::new(),
            parcel: Vec::new(),
            parcel_at: Instant::now(),
            sends: false,
            asks_clock: false,
            offset: None,
            echoes: Vec::new(),
            notes: Vec::new(),
            dropped: 0,
            quarantined: 0,
            will: None,
            commands: super::command::Commands::default(),
        }
    }

    /// What integrators are to be told and is not stored yet.
    pub(super) fn take_echoes(&mut self) -> Vec<(u64, Echo)> {
        std::mem::take(&mut self.echoes)
    }

    /// Whether something is still to be brought to ingest.
    pub(super) fn is_busy(&self) -> bool {
        self.sends || self.asks_clock || !self.tasks.is_empty() || !self.parcel.is_empty()
    }

    /// How much of it there is.
    pub(super) fn unsent(&self) -> usize {
        self.tasks.len() + self.parcel.len()
    }

    /// Puts tasks into the parcel, up to the first that must wait for the store; gives the boot to ask about.
    fn advance(&mut self) -> Option<u64> {
        while !self.asks_clock {
            let task = self.tasks.pop_front()?;
            if let What::Work(work) = &task.what {
                if let Some((boot, offset)) = work.clock() {
                    self.offset = Some((boot, Some(offset)));
                }
                if let Some(boot) = work.boot()
                    && self.offset.is_none_or(|(known, _)| known != boot)
                {
                    self.tasks.push_front(task);
                    self.asks_clock = true;
                    return Some(boot);
                }
            }
            let offset_ms = self.offset.and_then(|(_, offset)| offset);
            let item = task.into_item(self.device.appliance, offset_ms);
            self.parcel.push(item);
        }
        None
    }
}

impl Task {
    fn into_item(self, appliance: ApplianceId, offset_ms: Option<i64>) -> Item {
        let (ingest, origin) = match self.what {
            What::Work(work) => work.place(offset_ms),
            What::Ready(ingest, origin) => (ingest, origin),
        };
        let ingest = match self.exactly_once {
            Some(packet_id) => Ingest::Once {
                appliance,
                packet_id,
                content: Box::new(ingest),
            },
            None => ingest,
        };
        Item {
            ingest,
            origin,
            number: self.number,
            deadline: self.deadline,
            mark: self.mark,
        }
    }
}

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
        let Role::Device(device) = &mut client.role else { return };
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
        let Role::Device(device) = &mut client.role else { return };
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
                && let Role::Device(device) = &mut client.role
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
        let Role::Device(device) = &mut client.role else { return };
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

impl DeviceSide {
    /// Puts what was dropped into the parcel.
    pub(super) fn tell_dropped(&mut self, now: Timestamp, patience: Duration) {
        let count = std::mem::take(&mut self.dropped);
        if count == 0 {
            return;
        }
        let appliance = self.device.appliance;
        self.parcel.push(Item {
            ingest: Ingest::Dropped { appliance, count },
            origin: nowhere(appliance, now),
            number: None,
            deadline: Instant::now() + patience,
            mark: None,
        });
    }
}

/// Dropped publishes that are told at once, even where nothing else is.
const DROPPED_TOLD: u32 = 1_000;

fn decode(shared: &Shared, device: &Device, received: Received, trace: TraceId) -> Work {
    let origin = Origin {
        appliance: device.appliance,
        message: received.message,
        received_at: shared.clock.now(),
    };
    let profile = shared.profiles.get(&device.profile).ok_or(device.profile.as_str());
    Work::decode(&received.kind, received.retain, origin, profile, trace)
}

/// Of what was not published on a topic.
pub(super) fn nowhere(appliance: ApplianceId, received_at: Timestamp) -> Origin {
    let message = Message::new(b"", b"");
    Origin {
        appliance,
        message,
        received_at,
    }
}

/// What integrators are told now that it is stored; nothing of what was stored before.
pub(super) fn take_stored(echoes: &mut Vec<(u64, Echo)>, settled: &Settled) -> Option<Echo> {
    let echo = take(echoes, settled.number);
    echo.filter(|_| settled.outcome.stored > 0 || settled.outcome.repeated == 0)
}

fn take<T>(list: &mut Vec<(u64, T)>, number: u64) -> Option<T> {
    let at = list.iter().position(|(of, _)| *of == number)?;
    Some(list.remove(at).1)
}
