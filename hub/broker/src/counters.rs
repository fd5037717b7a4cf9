//! What the broker counts.

mod metrics;

use crate::socket::Way;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counts since the start. Each only rises, except the gauges that say so.
#[derive(Debug, Default)]
pub struct BrokerCounters {
    /// Connections open now, greeted or not: a gauge.
    pub connections: AtomicU64,
    /// Connections that speak MQTT now, by the way they came: gauges in the order of [`Way::ALL`].
    pub(crate) ways: [AtomicU64; 4],
    /// Handshakes of TLS or WebSocket completed.
    pub handshakes: AtomicU64,
    /// Clients that were let in.
    pub accepted: AtomicU64,
    /// Questions to the store who somebody is, each for many log-ins at once.
    pub login_batches: AtomicU64,
    /// Sessions to be kept or forgotten.
    pub session_changes: AtomicU64,
    /// Times that the store was told so, each for many sessions at once.
    pub session_batches: AtomicU64,
    /// Bytes of MQTT read.
    pub bytes_in: AtomicU64,
    /// Bytes of MQTT written.
    pub bytes_out: AtomicU64,
    /// Publishes that passed the rules of the session.
    pub publishes: AtomicU64,
    /// The same by version (3.1.1, 5.0) and QoS.
    pub(crate) messages_in: [[AtomicU64; 3]; 2],
    /// Messages sent, by version and QoS.
    pub(crate) messages_out: [[AtomicU64; 3]; 2],
    /// Acknowledgements written: PUBACK, or PUBREC at QoS 2.
    pub acknowledged: AtomicU64,
    /// Samples stored.
    pub samples_stored: AtomicU64,
    /// Samples that had been stored before.
    pub samples_repeated: AtomicU64,
    /// Payloads put into quarantine.
    pub quarantined: AtomicU64,
    /// Publishes dropped: QoS 0 over a bound, or left over when a connection or the hub ended. None was acknowledged.
    pub dropped: AtomicU64,
    /// Commits.
    pub commits: AtomicU64,
    /// Tries to commit that failed.
    pub commit_failures: AtomicU64,
    /// How long successful commits took in the store.
    pub commit_seconds: Histogram,
    /// Publishes that wait for their commit: a gauge.
    pub queue_items: AtomicU64,
    /// Bytes of the publishes that wait for their commit: a gauge.
    pub queue_bytes: AtomicU64,
    /// Commands sent to devices.
    pub commands_sent: AtomicU64,
    /// Replies to commands, stored.
    pub replies: AtomicU64,
    /// Wills published.
    pub wills: AtomicU64,
    /// Devices provisioned with a claim credential.
    pub provisioned: AtomicU64,
    /// Times that new files of the hub's own certificate could not be used, so that the last good one stayed in use.
    pub certificates_refused: AtomicU64,
    /// Closed connections by the reason's label, a small fixed set.
    closed: Mutex<BTreeMap<&'static str, u64>>,
    /// Refusals that did not close a connection, by label.
    refused: Mutex<BTreeMap<&'static str, u64>>,
}

impl BrokerCounters {
    /// Closed connections by the reason's label.
    pub fn closed(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.closed).clone()
    }

    /// Closed connections of one reason.
    pub fn closed_for(&self, label: &str) -> u64 {
        lock(&self.closed).get(label).copied().unwrap_or(0)
    }

    /// Refusals of one kind that did not close a connection.
    pub fn refused_for(&self, label: &str) -> u64 {
        lock(&self.refused).get(label).copied().unwrap_or(0)
    }

    pub(crate) fn count_closed(&self, label: &'static str) {
        *lock(&self.closed).entry(label).or_default() += 1;
    }

    pub(crate) fn count_refused(&self, label: &'static str) {
        *lock(&self.refused).entry(label).or_default() += 1;
    }

    pub(crate) fn way(&self, way: Way) -> &AtomicU64 {
        let [tcp, tls, web, web_tls] = &self.ways;
        match way {
            Way::Tcp => tcp,
            Way::Tls => tls,
            Way::Web => web,
            Way::WebTls => web_tls,
        }
    }
}

/// Durations by fixed upper bounds.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; Self::BOUNDS_MS.len()],
    count: AtomicU64,
    sum_us: AtomicU64,
}

impl Histogram {
    /// Upper bounds in milliseconds.
    pub const BOUNDS_MS: [u64; 12] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000];

    /// Counts one.
    pub fn observe(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let fits = Self::BOUNDS_MS.iter().position(|bound| us <= bound * 1_000);
        if let Some(bucket) = fits.and_then(|index| self.buckets.get(index)) {
            add(bucket, 1);
        }
        add(&self.count, 1);
        add(&self.sum_us, us);
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

/// Adds to a counter whose order relative to anything else does not matter.
pub(crate) fn add(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

/// Takes from a gauge.
pub(crate) fn subtract(gauge: &AtomicU64, by: u64) {
    gauge.fetch_sub(by, Ordering::Relaxed);
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
