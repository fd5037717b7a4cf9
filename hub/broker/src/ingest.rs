//! Group commit: publishes of all connections go into the store in batches, and each is answered only after its commit.
//!
//! What waits is committed at once; what comes meanwhile is the next batch, so batches grow with the load by themselves.
//! Only publishes of devices that publish seldom wait a moment for others, so that a trickle of many devices does not cost
//! a commit a reading.
//! A batch that fails is divided, so that one publish which the store cannot take holds up nobody; such a publish is
//! quarantined after it has failed alone three times while others were committed. While the store is away, everything
//! waits, is tried again with growing pauses, and is given up unacknowledged when its time is over.

mod part;
mod queue;

use crate::counters::{BrokerCounters, add};
use crate::decode::Origin;
use crate::device_times::DeviceTimes;
use crate::mailbox::Waiter;
use crate::underway::{Mark, Underway};
use hub_core::backoff::Backoff;
use hub_core::error_chain::in_full;
use hub_core::lines::Shown;
use hub_store::StoreError;
use hub_store::telemetry::{Ingest, TelemetryStore};
use part::Part;
pub(crate) use queue::{Queue, Queued, queue};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

/// Publishes in one commit.
const BATCH_MAX: usize = 4_000;
/// Bytes of payload in one commit; the last publish may go beyond.
const BATCH_BYTES_MAX: u64 = 8 << 20;
/// A device with several publishes under way sends the next ones as soon as it hears of the last batch. Where others wait
/// already, it is given this moment to join them: otherwise the two would take turns without end, each with a commit
/// of its own.
const LINGER: Duration = Duration::from_micros(200);
/// A batch of so many is large enough without that.
const LINGER_BELOW: usize = 200;
/// Publishes that can wait are given this moment for others to join them. A commit takes about as much of the processors
/// as twenty readings do, and a device with a reading a minute does not miss it.
const COMPANY_WITHIN: Duration = Duration::from_millis(30);
/// So many share a commit's cost well enough.
const COMPANY: usize = 16;
/// Pauses after the store failed.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
/// Pause between two tries of publishes that failed alone.
const SUSPECTS_PAUSE: Duration = Duration::from_millis(200);
/// Failures in a row after which a round is given up: more than it takes to divide a full batch down to one publish.
const FAILURES_MAX: u32 = 64;
/// A publish that failed alone this often, while others were committed, is quarantined.
const STRIKES_MAX: u32 = 3;

/// What a will is known by. Nobody sends it again, so it is stored though nobody waits for it any more.
pub(crate) const WILL: u64 = u64::MAX;

/// One publish on its way into the store.
pub(crate) struct Item {
    /// What the store takes.
    pub(crate) ingest: Ingest,
    /// For quarantine.
    pub(crate) origin: Origin,
    /// What the waiter knows it by; a publish that is not acknowledged has none.
    pub(crate) number: Option<u64>,
    /// Given up then.
    pub(crate) deadline: Instant,
    /// Where it holds or releases a packet identifier in the store: until it is settled.
    pub(crate) mark: Option<Mark>,
}

impl Item {
    /// Of the payload and the properties.
    fn bytes(&self) -> u64 {
        self.origin.bytes()
    }
}

impl Origin {
    fn bytes(&self) -> u64 {
        // Properties are held with the payload.
        (self.message.len() - self.message.topic_bytes().len()) as u64
    }
}

/// Publishes of one connection that are ready at the same time, in order.
pub(crate) struct Parcel {
    pub(crate) waiter: Option<Waiter>,
    pub(crate) items: Vec<Item>,
    /// A moment more is nothing to its device, which publishes seldom: it may wait for others to share its commit.
    pub(crate) can_wait: bool,
}

/// Why a try failed.
enum Failure {
    /// The store may take it later.
    Passing(String),
    /// The store will not take it as it is.
    Lasting(String),
    /// Its appliance does not exist any more.
    Gone,
    /// No answer in time.
    Silent,
}

/// The worker.
pub(crate) struct Committer {
    store: Arc<dyn TelemetryStore>,
    counters: Arc<BrokerCounters>,
    underway: Arc<Underway>,
    times: Arc<DeviceTimes>,
    patience: Duration,
    batch_max: usize,
    commits: u64,
    failures_in_row: u32,
    parcels: u64,
    /// Publishes gathered for this batch that came several at a time.
    in_trains: usize,
    company_within: Duration,
    /// A parcel of this batch cannot wait.
    in_haste: bool,
}

impl Committer {
    pub(crate) fn new(
        store: Arc<dyn TelemetryStore>,
        counters: Arc<BrokerCounters>,
        underway: Arc<Underway>,
        times: Arc<DeviceTimes>,
        patience: Duration,
    ) -> Self {
        Self {
            store,
            counters,
            underway,
            times,
            patience,
            batch_max: BATCH_MAX,
            commits: 0,
            failures_in_row: 0,
            parcels: 0,
            in_trains: 0,
            company_within: COMPANY_WITHIN,
            in_haste: false,
        }
    }

    /// Commits until the queue is closed and empty.
    pub(crate) async fn run(mut self, mut queue: Queued) {
        let mut fresh = Part::default();
        let mut suspects = Part::default();
        let mut backoff = BACKOFF;
        let mut suspects_due = Instant::now();
        loop {
            let due = (suspects.len() > 0).then_some(suspects_due);
            let others_wait = fresh.len() == 0 && !queue.is_empty();
            let heard = std::mem::take(&mut self.in_trains);
            self.in_haste = fresh.len() > 0;
            if fresh.len() == 0 && !self.first(&mut queue, &mut fresh, due).await {
                return;
            }
            self.store.ingest_turn().await;
            self.gather(&mut queue, &mut fresh);
            if others_wait {
                let enough = fresh.len() + heard;
                self.linger(&mut queue, &mut fresh, enough).await;
            }
            if fresh.len() > 0 {
                self.company(&mut queue, &mut fresh).await;
            }
            // What was gathered now may come from the next connection of a device: nothing that failed before and belongs to
            // the one that is over may be committed behind it.
            fresh.forget_gone(&self.counters);
            suspects.forget_gone(&self.counters);
            let commits = self.commits;
            self.failures_in_row = 0;
            let left = self.divide(std::mem::take(&mut fresh)).await;
            // Suspects have a pace of their own, so that they never hold up the others.
            if Instant::now() >= suspects_due {
                suspects = self.one_by_one(suspects).await;
                suspects_due = Instant::now() + SUSPECTS_PAUSE;
            }
            let mut left = left;
            left.append(std::mem::take(&mut suspects));
            (fresh, suspects) = self.sort(left);
            if self.commits > commits {
                backoff.reset();
            }
            let pause = backoff.pause();
            if fresh.len() > 0 {
                sleep(pause).await;
            }
        }
    }

    /// Commits as much as it can; gives back what failed alone or was not tried.
    async fn divide(&mut self, batch: Part) -> Part {
        let mut left = Part::default();
        let mut parts = batch.cut(self.batch_max, BATCH_BYTES_MAX);
        parts.reverse();
        while let Some(mut part) = parts.pop() {
            if part.len() == 0 {
                continue;
            }
            if self.failures_in_row >= FAILURES_MAX {
                left.append(part);
                continue;
            }
            match self.commit(&mut part).await {
                Ok(()) => {}
                Err(failure) if part.len() == 1 => {
                    self.strike(&mut part, failure);
                    left.append(part);
                }
                Err(_) => {
                    let right = part.split_off(part.len() / 2);
                    parts.push(right);
                    parts.push(part);
                }
            }
        }
        left
    }

    async fn one_by_one(&mut self, mut suspects: Part) -> Part {
        let mut left = Part::default();
        while suspects.len() > 0 {
            let rest = suspects.split_off(1);
            left.append(self.divide(std::mem::replace(&mut suspects, rest)).await);
        }
        left
    }

    /// Notes that the only item of `part` failed alone; after enough of that it becomes a case for quarantine.
    fn strike(&mut self, part: &mut Part, failure: Failure) {
        let (Some(ingest), Some(receipt)) = (part.content.first_mut(), part.receipts.first_mut()) else {
            return;
        };
        let reason = match failure {
            Failure::Gone => return receipt.give_up(),
            Failure::Lasting(reason) => {
                receipt.strikes = STRIKES_MAX;
                reason
            }
            Failure::Passing(reason) => {
                if receipt.failed_at.is_none_or(|then| self.commits > then) {
                    receipt.strikes += 1;
                }
                reason
            }
            // Says nothing about the item.
            Failure::Silent => return,
        };
        receipt.failed_at = Some(self.commits);
        if receipt.strikes < STRIKES_MAX {
            return;
        }
        let (appliance, topic) = (receipt.origin.appliance, receipt.origin.message.topic());
        let content = match ingest {
            // Nothing that a person could read; the device that waits for it comes again.
            Ingest::Release { .. } | Ingest::Dropped { .. } => {
                tracing::warn!(%appliance, reason, "event without a publish cannot be stored, passed over");
                return receipt.give_up();
            }
            // Still with its packet identifier, or the device's repeat would be quarantined a second time.
            Ingest::Once { content, .. } => &mut **content,
            other => other,
        };
        if !matches!(content, Ingest::Quarantine(_)) {
            tracing::warn!(%appliance, topic = %Shown(topic), reason = %Shown(&reason), "publish cannot be stored");
            *content = receipt
                .origin
                .quarantine(format!("the store did not take it: {reason}"));
        }
    }

    /// One try.
    async fn commit(&mut self, part: &mut Part) -> Result<(), Failure> {
        let begun = Instant::now();
        let outcome = match timeout(self.patience, self.store.ingest(&part.content)).await {
            Ok(Ok(outcome)) if outcome.len() == part.len() => Ok(outcome),
            Ok(Ok(outcome)) => Err(Failure::Lasting(format!("{} answers", outcome.len()))),
            Ok(Err(error)) => Err(failure(&error)),
            Err(_) => Err(Failure::Silent),
        };
        match outcome {
            Ok(outcome) => {
                self.underway.committed();
                self.commits += 1;
                self.failures_in_row = 0;
                self.batch_max = (self.batch_max * 2).min(BATCH_MAX);
                add(&self.counters.commits, 1);
                self.counters.commit_seconds.observe(begun.elapsed());
                part.answer(&outcome, &self.counters);
                self.times.note(&part.content);
                Ok(())
            }
            Err(failure) => {
                self.underway.failed();
                self.failures_in_row += 1;
                part.failed();
                add(&self.counters.commit_failures, 1);
                if matches!(failure, Failure::Silent) {
                    // Perhaps too much at once; and another wait of this length helps nobody now.
                    self.batch_max = (self.batch_max / 2).max(1);
                    self.failures_in_row = FAILURES_MAX;
                }
                Err(failure)
            }
        }
    }

    /// Parts what is left into items not known to be at fault and suspects, without what is given up.
    fn sort(&self, left: Part) -> (Part, Part) {
        let (mut fresh, suspects) = left.sort(&self.counters);
        if fresh.len() > 0 {
            let (waiting, suspects) = (fresh.len(), suspects.len());
            tracing::warn!(waiting, suspects, "publishes not committed, trying again");
        }
        // Another start each time: bad items at the front must not hide good ones behind them.
        if fresh.len() > 1 {
            let step = fresh.len() / 3 + 1;
            fresh.content.rotate_left(step);
            fresh.receipts.rotate_left(step);
        }
        (fresh, suspects)
    }

    /// Waits for the first parcel of a batch, or until suspects are due; false when there is nothing left to wait for.
    async fn first(&mut self, queue: &mut Queued, batch: &mut Part, suspects_due: Option<Instant>) -> bool {
        let next = match suspects_due {
            None => queue.recv().await,
            Some(due) => match timeout_at(due, queue.recv()).await {
                Ok(Some(waiting)) => Some(waiting),
                Ok(None) => {
                    sleep_until(due).await;
                    return true;
                }
                Err(_) => return true,
            },
        };
        next.map(|waiting| self.take(batch, waiting.parcel)).is_some()
    }

    /// Takes what waits, as far as a batch goes.
    fn gather(&mut self, queue: &mut Queued, batch: &mut Part) {
        while batch.len() < self.batch_max && batch.bytes < BATCH_BYTES_MAX {
            match queue.try_recv() {
                Ok(waiting) => self.take(batch, waiting.parcel),
                Err(_) => return,
            }
        }
    }

    /// Gathers until there is `enough`, or the moment is over.
    async fn linger(&mut self, queue: &mut Queued, batch: &mut Part, enough: usize) {
        let until = Instant::now() + LINGER;
        while batch.len() < enough.min(LINGER_BELOW) && Instant::now() < until {
            // A timer is too coarse for this.
            tokio::task::yield_now().await;
            self.gather(queue, batch);
        }
    }

    /// Waits for others as long as all of the batch can.
    async fn company(&mut self, queue: &mut Queued, batch: &mut Part) {
        let until = Instant::now() + self.company_within;
        while !self.in_haste && batch.len() < COMPANY {
            match timeout_at(until, queue.recv()).await {
                Ok(Some(waiting)) => self.take(batch, waiting.parcel),
                Ok(None) | Err(_) => return,
            }
        }
        self.gather(queue, batch);
    }

    fn take(&mut self, batch: &mut Part, parcel: Parcel) {
        self.parcels += 1;
        self.in_haste |= !parcel.can_wait;
        if parcel.items.len() > 1 {
            self.in_trains += parcel.items.len();
        }
        batch.push_parcel(parcel, self.parcels);
    }
}

fn failure(error: &StoreError) -> Failure {
    match error {
        StoreError::Unavailable(_) | StoreError::Conflict(_) | StoreError::Deposed => Failure::Passing(in_full(error)),
        StoreError::NotFound { .. } => Failure::Gone,
        StoreError::NotAllowed(_)
        | StoreError::Account(_)
        | StoreError::Ticket(_)
        | StoreError::Attempt(_)
        | StoreError::Unreadable { .. }
        | StoreError::Refused(_) => Failure::Lasting(in_full(error)),
    }
}

#[cfg(test)]
mod tests;
