//! What the broker counts.

use crate::session::CloseReason;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the start. Each only rises, except [`BrokerCounters::connections`].
#[derive(Debug, Default)]
pub struct BrokerCounters {
    /// Connections open now, greeted or not.
    pub connections: AtomicU64,
    /// Devices that were told CONNACK 0x00.
    pub accepted: AtomicU64,
    /// Publishes that passed the rules of the session.
    pub publishes: AtomicU64,
    /// PUBACKs written.
    pub acknowledged: AtomicU64,
    /// Samples stored.
    pub samples_stored: AtomicU64,
    /// Samples that had been stored before.
    pub samples_repeated: AtomicU64,
    /// Payloads put into quarantine.
    pub quarantined: AtomicU64,
    /// Publishes dropped: QoS 0 over the bound, or left over when a connection or the hub ended. None was acknowledged.
    pub dropped: AtomicU64,
    /// Commits.
    pub commits: AtomicU64,
    /// Tries to commit that failed.
    pub commit_failures: AtomicU64,
    /// Commands sent to devices.
    pub commands_sent: AtomicU64,
    /// Replies to commands, stored.
    pub replies: AtomicU64,
    /// Closed connections by [`CloseReason::label`], a small fixed set.
    closed: Mutex<BTreeMap<&'static str, u64>>,
}

impl BrokerCounters {
    /// Closed connections by the reason's label.
    pub fn closed(&self) -> BTreeMap<&'static str, u64> {
        self.lock().clone()
    }

    /// Closed connections of one reason.
    pub fn closed_for(&self, label: &str) -> u64 {
        self.lock().get(label).copied().unwrap_or(0)
    }

    pub(crate) fn count_closed(&self, reason: &CloseReason) {
        *self.lock().entry(reason.label()).or_default() += 1;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, u64>> {
        self.closed.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Adds to a counter whose order relative to anything else does not matter.
pub(crate) fn add(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}
