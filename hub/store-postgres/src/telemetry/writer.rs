//! The one writer of this process, and whom it has to tell what.

use super::gauge::Gauges;
use super::give_way::GiveWay;
use super::partition_set::PartitionSet;
use super::press::Press;
use super::rollup::Round;
use super::upkeep::Upkeep;
use super::window::ScorerFloor;
use super::writer_cache::WriterCache;
use crate::layout::Layout;
use crate::lease::Keeper;
use crate::pace::Pace;
use hub_store::error::Result;
use jiff::Timestamp;
use sqlx::PgPool;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    /// Held while a batch is written: batches follow each other.
    pub(super) cache: tokio::sync::Mutex<WriterCache>,
    /// Where rows may wait for the scorer.
    pub(super) unscored: PartitionSet,
    /// How far back the scorer looks.
    pub(super) scorer_floor: ScorerFloor,
    /// Where rows may wait for the roll-up.
    pub(super) unrolled: PartitionSet,
    /// The roll-up's round under way.
    pub(super) round: tokio::sync::Mutex<Option<Round>>,
    /// How many rows it takes in a step.
    pub(super) rollup_pace: Pace,
    /// The aggregates' round under way, and whose turn it is in it.
    pub(crate) aggregating: tokio::sync::Mutex<Option<(Option<u16>, crate::aggregate::Round)>>,
    /// How many rows they take in a step.
    pub(crate) aggregate_pace: Pace,
    /// Everything from before this time was counted when the sweep of old readings that is under way began.
    counted: Mutex<Option<Timestamp>>,
    gauges: Mutex<Gauges>,
    turns: AtomicUsize,
    press: Mutex<Press>,
    giving_way: Mutex<GiveWay>,
    /// When the last batch failed, if none was committed since.
    failed_at: Mutex<Option<Instant>>,
    /// Appliances of which the writer has to look again where they belong.
    moved: Mutex<Vec<i64>>,
    pub(super) upkeep: tokio::sync::Mutex<Upkeep>,
}

/// A failed batch is tried again sooner than this, as long as somebody waits for it.
const FAILURE_TOLD_FOR: Duration = Duration::from_secs(30);
/// Pause between two looks whether it still is.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

impl Writer {
    /// Rows were committed to a partition.
    pub(super) fn note(&self, partition: i16) {
        self.unscored.insert(partition);
        self.unrolled.insert(partition);
    }

    /// This appliance may report by another profile from now on.
    pub(crate) fn moved(&self, appliance: i64) {
        self.moved
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(appliance);
    }

    /// Appliances of which that was said since the last time.
    pub(super) fn take_moved(&self) -> Vec<i64> {
        std::mem::take(&mut *self.moved.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The last number of each partition and the newest receipt, if the writer knows them.
    pub(super) async fn stored(&self) -> Option<(Vec<i64>, Timestamp)> {
        self.cache.lock().await.stored()
    }

    /// What the time is at the earliest, if a batch has come since the start.
    pub(super) async fn at_least(&self) -> Option<Timestamp> {
        self.cache.lock().await.at_least()
    }

    /// Remembers no more sequences and appliances than so many.
    pub(crate) async fn remember_at_most(&self, most: usize) {
        self.cache.lock().await.most = most;
    }

    /// Looks through no more waiting rows with each batch than so many.
    pub(crate) async fn look_through_at_most(&self, rows: i64) {
        self.cache.lock().await.looked_through = rows;
    }

    /// A batch of so many items was committed in this time.
    pub(super) fn batch(&self, items: usize, took: Duration) {
        self.press().batch(items, Instant::now());
        self.giving_way().batch(items, took);
    }

    /// A batch was committed, or the database did not take it.
    pub(crate) fn ended(&self, failed: bool) {
        let at = failed.then(Instant::now);
        *self.failed_at.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    /// Whether the last batch that was tried just now failed.
    pub(crate) fn fails(&self) -> bool {
        let at = *self.failed_at.lock().unwrap_or_else(PoisonError::into_inner);
        at.is_some_and(|at| at.elapsed() < FAILURE_TOLD_FOR)
    }

    /// The scorer goes on and is behind by this.
    pub(super) fn scoring_is_behind(&self, by: Duration) {
        self.giving_way().is_behind(by, Instant::now());
    }

    /// A scorer starts over.
    pub(crate) fn scoring_begins(&self) {
        self.scorer_floor.forget();
    }

    /// Waits before the next batch, where the scorer is far behind.
    pub(super) async fn give_way(&self) {
        let pause = self.giving_way().pause(Instant::now());
        if !pause.is_zero() {
            sleep(pause).await;
        }
    }

    fn giving_way(&self) -> MutexGuard<'_, GiveWay> {
        self.giving_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until ingest is not pressed, or `patience` has passed.
    pub(super) async fn calm(&self, patience: Duration) {
        let until = Instant::now() + patience;
        while self.is_pressed() && Instant::now() < until {
            sleep(LOOK_AGAIN).await;
        }
    }

    fn is_pressed(&self) -> bool {
        self.press().is_on(Instant::now())
    }

    fn press(&self) -> MutexGuard<'_, Press> {
        self.press.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether all from before `limit` was counted when the sweep under way began.
    pub(crate) fn is_counted(&self, limit: Timestamp) -> bool {
        let counted = *self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.is_some_and(|counted| limit <= counted)
    }

    /// Notes before which time everything is counted, for the sweep that begins.
    pub(crate) fn counted(&self, before: Option<Timestamp>) {
        *self.counted.lock().unwrap_or_else(PoisonError::into_inner) = before;
    }

    /// Counts how often it was asked.
    pub(super) fn turn(&self) -> usize {
        self.turns.fetch_add(1, Ordering::Relaxed)
    }

    /// A batch was committed that counts this.
    pub(super) fn count(&self, gauges: Gauges) {
        if !gauges.is_empty() {
            self.gauges().add(gauges);
        }
    }

    /// What waits for the roll-up.
    pub(super) fn gauges(&self) -> MutexGuard<'_, Gauges> {
        self.gauges.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// No batch is written until this is dropped.
    pub(crate) async fn still(&self) -> tokio::sync::MutexGuard<'_, WriterCache> {
        self.cache.lock().await
    }

    /// Takes the writer's place with the lease. What is known of the rows is read again: they may be somebody else's.
    pub(crate) async fn begin(&self, pool: &PgPool, lease: &Keeper, layout: Layout) -> Result<()> {
        let mut cache = self.cache.lock().await;
        cache.forget();
        cache.connect(pool, lease, layout).await?;
        self.unscored.insert_all();
        self.unrolled.insert_all();
        Ok(())
    }

    /// Gives the connection back to the system, when the batch that uses it has ended.
    pub(crate) async fn close(&self) {
        let conn = self.cache.lock().await.take_connection();
        if let Some(conn) = conn {
            // What fails to close is closed by dropping it.
            let _ = sqlx::Connection::close(conn).await;
        }
    }
}
