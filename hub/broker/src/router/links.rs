//! The links to rumqttd's router: to whom they are lent, and which filters they have.

use super::RouterError;
use super::filters::{Slots, slot_topic};
use super::link::{Answer, Gone, Lent, Outlet, SubscribedFilter, empty};
use super::shared::{Connect, Shared};
use super::subscriber::{Opened, Subscriber, SubscriberState};
use rumqttd::local::LinkTx;
use rumqttd::protocol::{Disconnect, DisconnectReasonCode, Packet};
use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How long a link's task may take to end.
const END_PATIENCE: Duration = Duration::from_millis(250);

struct Link {
    tx: LinkTx,
    outlet: Arc<Outlet>,
    task: JoinHandle<()>,
    /// Losses of the present integrator that the log has told.
    told: u64,
}

pub(super) struct Links {
    pub slots: Slots,
    pub connect: Connect,
    shared: Arc<Shared>,
    all: Vec<Link>,
    idle: Vec<usize>,
}

impl Links {
    pub fn new(shared: Arc<Shared>, connect: Connect) -> Self {
        let limits = &shared.limits;
        let slots = Slots::new(limits.filters, limits.filters_per_tenant, Arc::clone(&shared.wanted));
        Self {
            slots,
            connect,
            shared,
            all: Vec::new(),
            idle: Vec::new(),
        }
    }

    /// Lends a link to an integrator.
    pub fn open(
        &mut self,
        tenant: String,
        name: String,
        filters: Vec<(String, u8)>,
        answer: Opened,
    ) -> Result<(), Gone> {
        self.reclaim()?;
        let Some(link) = self.free_link()? else {
            let max = self.shared.limits.subscribers;
            let _ = answer.send(Err(RouterError::TooManySubscribers { max }));
            return Ok(());
        };
        let limits = &self.shared.limits;
        let state = Arc::new(SubscriberState::new(tenant, name, link, limits.subscriber_bytes));
        let (queue, received) = mpsc::channel(limits.subscriber_messages);
        self.all[link].told = 0;
        *self.all[link].outlet.lent() = Some(Lent {
            state: Arc::clone(&state),
            queue,
            slots: HashMap::new(),
        });
        self.shared.queued.subscribers.fetch_add(1, Ordering::Relaxed);
        // A caller that no longer waits for it drops it, and so gives it back.
        let subscriber = Subscriber {
            state: Arc::clone(&state),
            queue: received,
            jobs: self.shared.asking.clone(),
        };
        let mut slots = Vec::with_capacity(filters.len());
        for (filter, qos) in filters {
            match self.add(&state, filter, qos) {
                Ok(slot) => slots.extend(slot),
                Err(refused) => {
                    drop(subscriber);
                    self.reclaim()?;
                    let _ = answer.send(Err(refused));
                    return Ok(());
                }
            }
        }
        let done = move || drop(answer.send(Ok(subscriber)));
        let Some(last) = slots.pop() else {
            done();
            return Ok(());
        };
        for slot in slots {
            self.subscribe(link, slot, Box::new(|| {}))?;
        }
        self.subscribe(link, last, Box::new(done))
    }

    /// Has the router subscribe a slot, and `taken` called once that is in force.
    pub fn subscribe(&mut self, link: usize, slot: u16, taken: Answer) -> Result<(), Gone> {
        let link = &mut self.all[link];
        link.outlet.await_taken(taken);
        link.tx.subscribe(slot_topic(slot))?;
        Ok(())
    }

    /// A link that nobody has, made if there may be one more.
    fn free_link(&mut self) -> Result<Option<usize>, Gone> {
        if let Some(link) = self.idle.pop() {
            return Ok(Some(link));
        }
        let index = self.all.len();
        if index >= self.shared.limits.subscribers {
            return Ok(None);
        }
        // The name is a counter: what integrators call themselves never gets here.
        let (tx, rx) = (self.connect)(&format!("link-{index}"))?;
        let outlet = Arc::new(Outlet::default());
        let task = self
            .shared
            .runtime
            .spawn(empty(rx, Arc::clone(&outlet), Arc::clone(&self.shared.totals)));
        self.all.push(Link {
            tx,
            outlet,
            task,
            told: 0,
        });
        Ok(Some(index))
    }

    /// Gives an integrator a filter. Returns the slot that is to be subscribed, unless it had the filter before.
    pub fn add(&mut self, state: &Arc<SubscriberState>, filter: String, qos: u8) -> Result<Option<u16>, RouterError> {
        let Some(link) = self.all.get_mut(state.link) else {
            return Err(RouterError::Unanswered);
        };
        let mut lent = link.outlet.lent();
        let Some(lent) = lent.as_mut().filter(|lent| Arc::ptr_eq(&lent.state, state)) else {
            return Err(RouterError::Unanswered);
        };
        if let Some(subscribed) = lent.slots.values_mut().find(|subscribed| subscribed.filter == filter) {
            subscribed.qos = qos;
            return Ok(None);
        }
        let (slot, next_number) = self.slots.hold(&state.tenant, &filter)?;
        lent.slots.insert(
            slot,
            SubscribedFilter {
                filter,
                qos,
                next_number,
                begun: false,
            },
        );
        Ok(Some(slot))
    }

    /// Takes a filter from an integrator. Returns whether it had it.
    pub fn remove(&mut self, state: &Arc<SubscriberState>, filter: &str) -> Result<bool, Gone> {
        let Some(link) = self.all.get_mut(state.link) else {
            return Ok(false);
        };
        let slot = link
            .outlet
            .lent()
            .as_mut()
            .filter(|lent| Arc::ptr_eq(&lent.state, state))
            .and_then(|lent| {
                let slot = lent
                    .slots
                    .iter()
                    .find(|(_, subscribed)| subscribed.filter == filter)
                    .map(|(slot, _)| *slot)?;
                lent.slots.remove(&slot).map(|_| slot)
            });
        let Some(slot) = slot else { return Ok(false) };
        link.tx.unsubscribe(slot_topic(slot))?;
        self.slots.release(slot);
        Ok(true)
    }

    /// Takes back the links of integrators that have gone.
    pub fn reclaim(&mut self) -> Result<(), Gone> {
        for (index, link) in self.all.iter_mut().enumerate() {
            let gone = link
                .outlet
                .lent()
                .take_if(|lent| lent.state.closed.load(Ordering::Acquire));
            let Some(gone) = gone else { continue };
            for slot in gone.slots.keys() {
                link.tx.unsubscribe(slot_topic(*slot))?;
                self.slots.release(*slot);
            }
            tell(&gone.state, &mut link.told);
            self.shared.queued.subscribers.fetch_sub(1, Ordering::Relaxed);
            self.idle.push(index);
        }
        Ok(())
    }

    /// Says what integrators have lost since it was last said.
    pub fn tell_losses(&mut self) {
        for link in &mut self.all {
            if let Some(lent) = link.outlet.lent().as_ref() {
                tell(&lent.state, &mut link.told);
            }
        }
    }

    /// Takes every link out of the router.
    pub fn disconnect(&mut self) {
        self.let_go();
        for link in &mut self.all {
            disconnect(&mut link.tx, &link.task);
        }
    }

    fn let_go(&self) {
        for link in &self.all {
            link.outlet.clear();
            link.task.abort();
        }
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        // Also when it ends because the router is gone: integrators learn it from a closed queue.
        self.let_go();
    }
}

fn tell(state: &SubscriberState, told: &mut u64) {
    let lost = state.lost.load(Ordering::Relaxed);
    if lost > *told {
        let (tenant, integrator) = (&state.tenant, &state.name);
        tracing::warn!(
            tenant,
            integrator,
            lost = lost - *told,
            lost_ever = lost,
            "messages dropped: the integrator reads too slowly"
        );
        *told = lost;
    }
}

/// Takes a link out of the router, once its task has ended: a task that still woke the link up would end the router.
pub(super) fn disconnect(link: &mut LinkTx, task: &JoinHandle<()>) {
    let patience = Instant::now() + END_PATIENCE;
    while !task.is_finished() && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(1));
    }
    if task.is_finished() {
        let packet = Packet::Disconnect(
            Disconnect {
                reason_code: DisconnectReasonCode::NormalDisconnection,
            },
            None,
        );
        // It is asynchronous in name only: it is done when first polled.
        let _ = pin!(link.send(packet)).poll(&mut Context::from_waker(Waker::noop()));
    }
}
