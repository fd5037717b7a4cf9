//! Upkeep of what is stored: aggregates are filled, and readings that nobody keeps any more go.

use super::follow::Follower;
use super::witness::Witnesses;
use super::{BACKOFF, PATIENCE, in_time};
use hub_core::clock::CivilClock;
use hub_core::id::ApplianceId;
use hub_core::metric::{Metric, MetricKind};
use hub_store::error::Result;
use hub_store::retention::{Swept, UpkeepStore};
use hub_store::telemetry::TelemetryStore;
use jiff::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// Rows in one step of aggregates: a fraction of a second's work.
const AGGREGATE_ROWS: usize = 20_000;
/// What is kept changes at midnight (UTC); rules may change at any time.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);
/// How often it is asked, at most, who vouches for the time.
const WITNESSES_EVERY: Duration = Duration::from_secs(60);
/// Rows in one step of a sweep.
const SWEEP_ROWS: usize = 10_000;

/// What upkeep has done since the start.
#[derive(Debug, Default)]
pub struct Upkeep {
    aggregated: AtomicU64,
    deleted: AtomicU64,
    dropped: AtomicU64,
    sweeps: AtomicU64,
}

impl Upkeep {
    /// For monitoring.
    pub fn metrics(&self) -> Vec<Metric> {
        [
            (
                "rows_aggregated_total",
                "Rows added to the aggregates.",
                &self.aggregated,
            ),
            ("rows_deleted_total", "Rows deleted for their age.", &self.deleted),
            (
                "weeks_dropped_total",
                "Weeks of readings dropped for their age.",
                &self.dropped,
            ),
            (
                "sweeps_total",
                "Times that all appliances were looked through for old readings.",
                &self.sweeps,
            ),
        ]
        .into_iter()
        .map(|(name, help, value)| {
            Metric::new(name, MetricKind::Counter, help).with(&[], value.load(Ordering::Relaxed))
        })
        .collect()
    }

    fn note(&self, swept: &Swept) {
        self.deleted.fetch_add(swept.rows, Ordering::Relaxed);
        let dropped = u64::try_from(swept.dropped.len()).unwrap_or(u64::MAX);
        self.dropped.fetch_add(dropped, Ordering::Relaxed);
    }
}

/// Works in small steps, each of which gives way to ingest, until `stop`. Readings wait for the aggregates about as long as
/// `pause`: the longer, the more of an appliance's are added at once.
pub async fn run<S: UpkeepStore + TelemetryStore>(
    store: Arc<S>,
    clock: Arc<dyn CivilClock>,
    upkeep: Arc<Upkeep>,
    witnesses: Arc<Witnesses>,
    follower: Arc<Follower>,
    pause: Duration,
    stop: CancellationToken,
) {
    let mut backoff = BACKOFF;
    let mut looked_at: Option<Instant> = None;
    let mut swept_at: Option<Instant> = None;
    let worker = Worker {
        store,
        clock,
        upkeep,
        witnesses,
    };
    let mut wait = pause;
    while stop.run_until_cancelled(sleep(wait)).await.is_some() {
        let work = async {
            let begun = Instant::now();
            let aggregated = worker.aggregate().await;
            if aggregated.is_ok() {
                follower.round(begun);
            }
            if looked_at.is_some_and(|at| at.elapsed() < WITNESSES_EVERY) {
                return aggregated;
            }
            // Nothing goes by the machine's clock alone, nor by a clock that is set while a sweep is under way.
            let until = match worker.witnesses.look(&*worker.store, worker.clock.now()).await {
                Ok(until) => until,
                Err(error) => return aggregated.and(Err(error)),
            };
            looked_at = Some(Instant::now());
            // What has to be counted first is not swept, so old readings go although something else is in the way.
            if let Some(until) = until
                && swept_at.is_none_or(|at| at.elapsed() >= SWEEP_EVERY)
            {
                let swept = worker.sweep(until).await;
                match swept {
                    Ok(()) => swept_at = Some(Instant::now()),
                    // Tried again with the next round.
                    Err(_) => looked_at = None,
                }
                return aggregated.and(swept);
            }
            aggregated
        };
        // Each step is a transaction: one that is cut off is done again.
        let Some(done) = stop.run_until_cancelled(work).await else {
            return;
        };
        wait = match done {
            Ok(()) => {
                backoff.reset();
                pause
            }
            Err(error) => {
                let error: hub_store::StoreError = error;
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "upkeep of stored readings failed, trying again"
                );
                backoff.pause()
            }
        };
    }
}

struct Worker<S> {
    store: Arc<S>,
    clock: Arc<dyn CivilClock>,
    upkeep: Arc<Upkeep>,
    witnesses: Arc<Witnesses>,
}

impl<S: UpkeepStore + TelemetryStore> Worker<S> {
    async fn aggregate(&self) -> Result<()> {
        loop {
            self.store.ingest_calm(PATIENCE).await;
            // The store bounds each of its parts: of continuous aggregates a whole history may be due in one step.
            let rows = self.store.aggregate(AGGREGATE_ROWS, self.clock.now()).await?;
            if rows == 0 {
                return Ok(());
            }
            let rows = u64::try_from(rows).unwrap_or(u64::MAX);
            self.upkeep.aggregated.fetch_add(rows, Ordering::Relaxed);
        }
    }

    async fn sweep(&self, until: Timestamp) -> Result<()> {
        let mut after: Option<ApplianceId> = None;
        let (mut rows, mut weeks) = (0, 0);
        loop {
            self.store.ingest_calm(PATIENCE).await;
            let swept = in_time(self.store.sweep(until, after, SWEEP_ROWS)).await?;
            self.upkeep.note(&swept);
            rows += swept.rows;
            weeks += swept.dropped.len();
            after = swept.next;
            if after.is_none() {
                break;
            }
        }
        self.upkeep.sweeps.fetch_add(1, Ordering::Relaxed);
        if rows > 0 || weeks > 0 {
            tracing::info!(rows, weeks, "readings went for their age");
        }
        Ok(())
    }
}
