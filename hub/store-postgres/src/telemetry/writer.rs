//! The one writer of this process, and whom it has to tell what.

use super::gauge::Gauges;
use super::known::Known;
use super::partition_set::PartitionSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    /// Held while a batch is written: batches follow each other.
    pub(super) known: tokio::sync::Mutex<Known>,
    /// Where rows may wait for the scorer.
    pub(super) unscored: PartitionSet,
    /// Where rows may wait for the roll-up.
    pub(super) unrolled: PartitionSet,
    gauges: Mutex<Gauges>,
    turns: AtomicUsize,
}

impl Writer {
    /// Rows were committed to a partition.
    pub(super) fn note(&self, partition: i16) {
        self.unscored.insert(partition);
        self.unrolled.insert(partition);
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

    /// Gives the connection back to the system, when the batch that uses it has ended.
    pub(crate) async fn close(&self) {
        let conn = self.known.lock().await.take_connection();
        if let Some(conn) = conn {
            // What fails to close is closed by dropping it.
            let _ = sqlx::Connection::close(conn).await;
        }
    }
}
