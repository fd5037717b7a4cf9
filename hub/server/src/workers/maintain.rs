//! Upkeep of what is stored: aggregates are filled, and readings that nobody keeps any more go.

use super::follow::Follower;
use super::witness::Witnesses;
use super::{BACKOFF, PATIENCE, in_time};
use hub_core::clock::CivilClock;
use hub_core::id::ApplianceId;
use hub_core::metric::{Metric, MetricKind};
use hub_core::retention::usual_max;
use hub_store::error::Result;
use hub_store::retention::{Due, Swept, TURNS, UpkeepStore};
use hub_store::telemetry::TelemetryStore;
use jiff::Timestamp;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
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
/// The first sweep is told again so often where it has come to take more. A device that goes on sending old readings does not
/// keep it from beginning.
const TOLD_MAX: u32 = 10;
/// Rows that are counted of what a sweep takes, unless more are usual; beyond it, it is said that there are more.
const COUNTED_MAX: u64 = 10_000_000;
/// While ingest is pressed, the steps of a round of the aggregates wait so long in all for it to be calm, a minute until each
/// appliance has had its turn: hours and days are behind by the pause, this and the rounds, under any load. The round of all
/// appliances, before a sweep, waits no longer.
const CALM_MAX: Duration = Duration::from_secs(6);

/// Rounds of a turn that fail, one after the other, before the next turn.
const TRIES_MAX: u32 = 3;

/// What upkeep has done since the start.
#[derive(Debug, Default)]
pub struct Upkeep {
    aggregated: AtomicU64,
    deleted: AtomicU64,
    dropped: AtomicU64,
    sweeps: AtomicU64,
    /// What the first sweep takes, and whether it is still to begin or under way.
    first: Mutex<Option<(Due, bool)>>,
    /// What takes more than is usual, with what that is, and waits for a person.
    held: Mutex<Option<(Due, u64)>>,
}

impl Upkeep {
    /// For a person.
    pub fn notices(&self) -> impl Iterator<Item = (&'static str, String)> + use<> {
        self.notice().into_iter().chain(self.held_notice())
    }

    /// What the first sweep since the start takes, from before it begins until it is over.
    fn notice(&self) -> Option<(&'static str, String)> {
        let first = *self.first.lock().unwrap_or_else(PoisonError::into_inner);
        let (due, _) = first.filter(|(_, is_open)| *is_open)?;
        let more = if due.next.is_some() { "more than " } else { "" };
        let at = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
        let (oldest, newest) = (at(due.oldest), at(due.newest));
        let why = format!(
            "the first sweep since the start takes {more}{} reading(s) for their age, measured from {oldest} to {newest}; \
             it begins a minute after this was said, at the earliest",
            due.rows
        );
        Some(("retention", why))
    }

    /// A sweep that waits for a person's word.
    fn held_notice(&self) -> Option<(&'static str, String)> {
        let (due, usual) = (*self.held.lock().unwrap_or_else(PoisonError::into_inner))?;
        let why = format!(
            "a sweep takes {} reading(s) or more for their age, where {usual} would be usual at most, and waits for a person: \
             look at the machine's clock and the rules, then say so with `forecall retention confirm`",
            due.rows
        );
        Some(("retention", why))
    }

    fn hold(&self, held: Option<(Due, u64)>) {
        let before = std::mem::replace(&mut *self.held.lock().unwrap_or_else(PoisonError::into_inner), held);
        if let (None, Some((due, usual))) = (before, held) {
            tracing::warn!(
                rows = due.rows,
                usual,
                "deletion by retention is larger than usual and waits for a person"
            );
        }
    }

    fn first(&self, due: Due) {
        tracing::info!(
            rows = due.rows,
            oldest = due.oldest.map(tracing::field::display),
            newest = due.newest.map(tracing::field::display),
            "first deletion by retention since the start"
        );
        *self.first.lock().unwrap_or_else(PoisonError::into_inner) = Some((due, true));
    }

    fn first_is_over(&self) {
        if let Some((_, is_open)) = &mut *self.first.lock().unwrap_or_else(PoisonError::into_inner) {
            *is_open = false;
        }
    }

    /// Of the first sweep, whose figures stay when it is over, and of one that is held.
    fn sweep_metrics(&self) -> [Metric; 4] {
        let held = *self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let first = *self.first.lock().unwrap_or_else(PoisonError::into_inner);
        let due = first.map(|(due, _)| due).unwrap_or_default();
        let seconds = |at: Option<Timestamp>| at.and_then(|at| u64::try_from(at.as_second()).ok()).unwrap_or(0);
        [
            (
                "first_sweep_rows",
                "Readings that the first sweep since the start takes, or took.",
                due.rows,
            ),
            (
                "first_sweep_oldest_timestamp_seconds",
                "When the oldest of them was measured; 0 if there are none.",
                seconds(due.oldest),
            ),
            (
                "first_sweep_newest_timestamp_seconds",
                "When the newest of them was measured; 0 if there are none.",
                seconds(due.newest),
            ),
            (
                "held_sweep_rows",
                "Readings of a sweep that takes more than is usual and waits for a person; 0 if none does.",
                held.map_or(0, |(due, _)| due.rows),
            ),
        ]
        .map(|(name, help, value)| Metric::new(name, MetricKind::Gauge, help).with(&[], value))
    }

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
        .chain(self.sweep_metrics())
        .collect()
    }

    fn note(&self, swept: &Swept) {
        self.deleted.fetch_add(swept.rows, Ordering::Relaxed);
        let dropped = u64::try_from(swept.dropped.len()).unwrap_or(u64::MAX);
        self.dropped.fetch_add(dropped, Ordering::Relaxed);
    }
}

/// Works in small steps, each of which gives way to ingest, until `stop`. Readings wait for the aggregates about as long as
/// `pause`, in which each appliance has its turn once: the longer, the more of an appliance's are added at once.
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
    let mut sweeps = Sweeps::default();
    let worker = Worker {
        store,
        clock,
        upkeep,
        witnesses,
    };
    let pause = pause / u32::from(TURNS);
    // When the last round of each turn began that ended.
    let mut begun = vec![Instant::now(); usize::from(TURNS)];
    let (mut turn, mut tries) = (0, 0);
    // Retention has its turn after the last of them, and until it has succeeded.
    let mut looks = false;
    let mut wait = pause;
    while stop.run_until_cancelled(sleep(wait)).await.is_some() {
        let work = async {
            let began = Instant::now();
            let aggregated = worker.aggregate(Some(turn)).await;
            if let (Ok(()), Some(last)) = (&aggregated, begun.get_mut(usize::from(turn))) {
                *last = began;
                follower.round(begun.iter().min().copied().unwrap_or(began));
            }
            tries += 1;
            // What fails again and again holds up nobody else.
            if aggregated.is_ok() || tries == TRIES_MAX {
                looks |= turn + 1 == TURNS;
                (turn, tries) = ((turn + 1) % TURNS, 0);
            }
            if !looks || looked_at.is_some_and(|at| at.elapsed() < WITNESSES_EVERY) {
                return aggregated;
            }
            // Nothing goes by the machine's clock alone, nor by a clock that is set while a sweep is under way.
            let until = match worker.witnesses.look(&*worker.store, worker.clock.now()).await {
                Ok(until) => until,
                Err(error) => return aggregated.and(Err(error)),
            };
            looked_at = Some(Instant::now());
            looks = false;
            // What has to be counted first is not swept, so old readings go although something else is in the way.
            if let Some(until) = until {
                let kept = worker.keep(until, &mut sweeps).await;
                if kept.is_err() {
                    // Tried again with the next round.
                    looked_at = None;
                    looks = true;
                }
                return aggregated.and(kept);
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

/// The sweeps of this run.
#[derive(Debug, Default)]
struct Sweeps {
    /// When the last one ended.
    ended_at: Option<Instant>,
    /// What the first one takes, as it was told last.
    told: Option<Due>,
    /// How often it was told.
    tellings: u32,
    /// It has taken that, or there was nothing.
    first_is_over: bool,
    /// When it was counted last that one takes too much.
    held_at: Option<Instant>,
}

impl Sweeps {
    /// Whether a sweep takes something that was not told: rows that have come since, or a day that has ended.
    fn takes_more_than_told(&self, due: &Due) -> bool {
        due.rows > 0
            && self
                .told
                .is_none_or(|told| due.rows > told.rows || due.newest > told.newest)
    }
}

struct Worker<S> {
    store: Arc<S>,
    clock: Arc<dyn CivilClock>,
    upkeep: Arc<Upkeep>,
    witnesses: Arc<Witnesses>,
}

impl<S: UpkeepStore + TelemetryStore> Worker<S> {
    /// A round, of all appliances or of those whose turn it is.
    async fn aggregate(&self, turn: Option<u16>) -> Result<()> {
        let waits_until = Instant::now() + CALM_MAX;
        loop {
            let left = waits_until.saturating_duration_since(Instant::now());
            self.store.ingest_calm(left.min(PATIENCE)).await;
            // The store bounds each of its parts: of continuous aggregates a whole history may be due in one step.
            let rows = self.store.aggregate(turn, AGGREGATE_ROWS, self.clock.now()).await?;
            if rows == 0 {
                return Ok(());
            }
            let rows = u64::try_from(rows).unwrap_or(u64::MAX);
            self.upkeep.aggregated.fetch_add(rows, Ordering::Relaxed);
        }
    }

    /// Sweeps, once an hour. What the first sweep of a run takes is told, and goes with a later round; if it has come to take more
    /// by then, that is told first. What takes more than is
    /// usual waits for a person's word.
    async fn keep(&self, until: Timestamp, sweeps: &mut Sweeps) -> Result<()> {
        let is_recent = |at: Option<Instant>| at.is_some_and(|at| at.elapsed() < SWEEP_EVERY);
        if is_recent(sweeps.ended_at) {
            return Ok(());
        }
        let confirmed = in_time(self.store.sweep_confirmed(self.clock.now())).await?;
        if confirmed.is_none() && is_recent(sweeps.held_at) {
            return Ok(());
        }
        let usual = usual_max(in_time(self.store.sweeps(until)).await?);
        let due = self.due(until, usual.unwrap_or(0).max(COUNTED_MAX)).await?;
        if !sweeps.first_is_over && sweeps.takes_more_than_told(&due) {
            self.upkeep.first(due);
            sweeps.told = Some(due);
            sweeps.tellings += 1;
            if sweeps.tellings <= TOLD_MAX {
                return Ok(());
            }
        }
        let too_much = usual.filter(|usual| due.rows > *usual);
        if let (Some(usual), None) = (too_much, &confirmed) {
            self.upkeep.hold(Some((due, usual)));
            sweeps.held_at = Some(Instant::now());
            return Ok(());
        }
        if let (Some(usual), Some(confirmed)) = (too_much, confirmed) {
            tracing::info!(
                by = confirmed.by,
                rows = due.rows,
                usual,
                "deletion by retention confirmed by a person"
            );
        }
        self.upkeep.hold(None);
        sweeps.held_at = None;
        // What goes has to be in the aggregates, and a device may send old readings all the time. Where a round fails, what is
        // in them goes all the same.
        let aggregated = match due.rows {
            0 => Ok(()),
            _ => self.aggregate(None).await,
        };
        let has_taken = self.sweep(until).await?;
        sweeps.ended_at = Some(Instant::now());
        if due.rows > 0 && has_taken {
            in_time(self.store.note_sweep(due.rows, until)).await?;
        }
        self.upkeep.first_is_over();
        sweeps.first_is_over |= has_taken || sweeps.told.is_none();
        // What was told and had to wait, to be counted or scored, is told again.
        sweeps.told = None;
        sweeps.tellings = 0;
        aggregated
    }

    /// What a sweep takes; if it is more than `most` rows, only that it is more.
    async fn due(&self, until: Timestamp, most: u64) -> Result<Due> {
        let mut all = Due::default();
        loop {
            self.store.ingest_calm(PATIENCE).await;
            let step = in_time(self.store.due(until, all.next, SWEEP_ROWS)).await?;
            all.add(step.rows, step.oldest, step.newest);
            all.next = step.next;
            if all.next.is_none() || all.rows > most {
                return Ok(all);
            }
        }
    }

    /// A whole sweep; whether it has taken anything.
    async fn sweep(&self, until: Timestamp) -> Result<bool> {
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
            tracing::info!(rows, weeks, "readings deleted by retention");
        }
        Ok(rows > 0 || weeks > 0)
    }
}

#[cfg(test)]
mod tests;
