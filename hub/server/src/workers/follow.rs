//! What a follower of the readings tells monitoring: how many rounds it did, and how far behind it is.

use hub_core::metric::{Metric, MetricKind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A worker that goes through what has come since its last round. A round ends where it stood when it began, so what was
/// acknowledged before the beginning of the last round that ended is behind it.
#[derive(Debug)]
pub struct Follower {
    rounds: AtomicU64,
    reached: Mutex<Instant>,
}

impl Default for Follower {
    fn default() -> Self {
        Self {
            rounds: AtomicU64::new(0),
            reached: Mutex::new(Instant::now()),
        }
    }
}

impl Follower {
    /// A round ended that began at `begun`.
    pub fn round(&self, begun: Instant) {
        self.rounds.fetch_add(1, Ordering::Relaxed);
        *self.reached.lock().unwrap_or_else(PoisonError::into_inner) = begun;
    }

    /// How many rounds ended.
    pub fn rounds(&self) -> u64 {
        self.rounds.load(Ordering::Relaxed)
    }

    /// What was acknowledged so long before `now`, or earlier, is behind the follower.
    fn lag(&self, now: Instant) -> Duration {
        now.saturating_duration_since(*self.reached.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The two figures, by these names. The lag is in seconds, rounded up.
    pub fn metrics(&self, lag: &'static str, rounds: &'static str) -> [Metric; 2] {
        let behind = self.lag(Instant::now()).as_millis().div_ceil(1000);
        let behind = u64::try_from(behind).unwrap_or(u64::MAX);
        let help = "Whatever was acknowledged longer ago than this is behind the follower.";
        [
            Metric::new(lag, MetricKind::Gauge, help).with(&[], behind),
            Metric::new(rounds, MetricKind::Counter, "Rounds of the follower that ended.").with(&[], self.rounds()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lag_counts_from_the_beginning_of_a_round() {
        let (follower, begun) = (Follower::default(), Instant::now());
        let after = |seconds| begun + Duration::from_secs(seconds);
        follower.round(after(2));
        assert_eq!(follower.lag(after(5)), Duration::from_secs(3));
        follower.round(after(4));
        assert_eq!((follower.lag(after(5)), follower.rounds()), (Duration::from_secs(1), 2));
    }
}
