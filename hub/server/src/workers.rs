//! Workers reconcile: woken by a signal or a timer, they look at the stored state and do what is missing. None takes
//! input, so a restart needs no second code path.

pub mod budget;
pub mod contact;
pub mod floors;
pub mod follow;
mod judged;
pub mod lag;
pub mod latency;
pub mod maintain;
pub mod models;
pub mod models_dir;
mod passed_over;
pub mod profiles;
pub mod revive;
pub mod rollup;
pub mod score;
pub mod witness;

#[cfg(test)]
mod rounds;

use follow::Follower;
use hub_core::backoff::Backoff;
use hub_core::metric::{Metric, MetricKind};
use hub_core::watching::{UnjudgedCounts, WatchState};
use hub_store::StoreError;
use jiff::Timestamp;
use judged::Judged;
use lag::ScoringLag;
use latency::Latency;
use passed_over::{Passed, PassedOver};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How long a worker sleeps at most before it looks again, in case a wake-up was lost.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// What workers tell monitoring. A count that stands still shows that its worker is held up.
#[derive(Debug, Default)]
pub struct Figures {
    contact_looks: AtomicU64,
    scoring_idle: AtomicU64,
    scoring_lag: ScoringLag,
    scoring: Latency,
    checkpoints_saved: AtomicU64,
    scoring_passed_over: PassedOver,
    judged: Judged,
    calls_stopped: AtomicU64,
    calls_up: watch::Sender<usize>,
    /// Of the roll-up.
    pub rollup: Arc<Follower>,
    /// Of the aggregates.
    pub aggregates: Arc<Follower>,
}

impl Figures {
    /// How many calls to owners are up, as it changes.
    pub fn calls_up(&self) -> watch::Receiver<usize> {
        self.calls_up.subscribe()
    }

    /// When the oldest reading was received that is not scored yet; `None` if all are.
    fn scoring_looked(&self, oldest: Option<Timestamp>, now: Timestamp) {
        self.scoring_lag.looked(oldest, now, Instant::now());
    }

    /// The scores of readings that were received at these moments are saved.
    fn scores_saved(&self, received: &[Timestamp], now: Timestamp) {
        self.scoring.note(received, now);
    }

    fn checkpoints_saved(&self, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.checkpoints_saved.fetch_add(count, Ordering::Relaxed);
    }

    /// How many appliances are in each state now, and which readings made no step of those just scored.
    fn judged(&self, appliances: &BTreeMap<WatchState, u64>, readings: &UnjudgedCounts) {
        self.judged.note(appliances, readings);
    }

    /// So many appliance models have their calls stopped.
    fn calls_stopped(&self, count: u64) {
        self.calls_stopped.store(count, Ordering::Relaxed);
    }

    /// So much was passed over so that scoring can go on.
    fn passed_over(&self, what: Passed, count: usize) {
        self.scoring_passed_over.add(what, count);
    }

    /// For monitoring.
    pub fn metrics(&self) -> Vec<Metric> {
        let counter = |name, help, value: &AtomicU64| {
            Metric::new(name, MetricKind::Counter, help).with(&[], value.load(Ordering::Relaxed))
        };
        let up = u64::try_from(*self.calls_up.borrow()).unwrap_or(u64::MAX);
        let help = "Calls to owners that are prepared, ring or talk.";
        let rollup = self.rollup.metrics("rollup_lag_seconds", "rollup_rounds_total");
        let aggregates = self
            .aggregates
            .metrics("aggregate_lag_seconds", "aggregate_rounds_total");
        let mut all = vec![
            counter(
                "contact_looks_total",
                "Times that the tickets whose contact is due were looked at.",
                &self.contact_looks,
            ),
            Metric::new("calls_up", MetricKind::Gauge, help).with(&[], up),
            counter(
                "scoring_idle_total",
                "Times that no reading waited to be scored.",
                &self.scoring_idle,
            ),
            self.scoring_lag.metric(),
            self.scoring.metric(
                "scoring_seconds",
                "From the receipt of a reading until its score was saved.",
            ),
            counter(
                "checkpoints_saved_total",
                "Detectors whose state was saved.",
                &self.checkpoints_saved,
            ),
            self.scoring_passed_over.metric(),
        ];
        let help = "Appliance models whose calls have stopped since their tickets surge, until a person releases them.";
        let stopped = self.calls_stopped.load(Ordering::Relaxed);
        all.push(Metric::new("calls_stopped", MetricKind::Gauge, help).with(&[], stopped));
        all.extend(self.judged.metrics());
        all.extend(rollup);
        all.extend(aggregates);
        all
    }
}

/// The server ends a statement after 15 s; where its answer does not come either, the network has swallowed it.
const STORE_LIMIT: Duration = Duration::from_secs(30);

/// What is asked of the store, with a deadline of our own.
pub async fn in_time<T>(asked: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    match tokio::time::timeout(STORE_LIMIT, asked).await {
        Ok(answer) => answer,
        Err(late) => Err(StoreError::Unavailable(Box::new(late))),
    }
}

/// Pauses of a worker after the store failed.
pub const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
