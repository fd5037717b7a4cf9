//! Whether the civil clock has been moved while the hub ran. Quiet hours, due times and the times of readings hang on it,
//! and the hub cannot know which time is right: it goes on, deletes nothing for its age, and a person is told.

use hub_core::clock::CivilClock;
use hub_core::metric::{Metric, MetricKind};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// A time server that follows a good clock moves it by less.
const MOVED_MIN: SignedDuration = SignedDuration::from_secs(30);
/// How often it is looked at, for the log and the count.
const LOOK_PAUSE: Duration = Duration::from_secs(1);

/// Compares the civil clock with monotonic time, which nobody sets.
pub struct ClockWatch {
    clock: Arc<dyn CivilClock>,
    start: (Instant, Timestamp),
    /// By how many seconds it was moved when it was told last.
    told_s: AtomicI64,
    jumps: AtomicU64,
}

impl ClockWatch {
    /// Begins now.
    pub fn new(clock: Arc<dyn CivilClock>) -> Self {
        Self {
            start: (Instant::now(), clock.now()),
            clock,
            told_s: AtomicI64::new(0),
            jumps: AtomicU64::new(0),
        }
    }

    /// Looks until `stop`.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        while stop.run_until_cancelled(sleep(LOOK_PAUSE)).await.is_some() {
            self.look();
        }
    }

    /// Counts a jump since the last look, and says it.
    fn look(&self) {
        let moved = self.moved();
        let by = moved - SignedDuration::from_secs(self.told_s.load(Ordering::Relaxed));
        if by.abs() < MOVED_MIN {
            return;
        }
        self.told_s.store(moved.as_secs(), Ordering::Relaxed);
        self.jumps.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(by_s = by.as_secs(), now = %self.clock.now(), "the machine's clock was set, or the machine slept");
    }

    /// How far the civil clock is from where it would be if nobody had moved it since the start; ahead is positive.
    fn moved(&self) -> SignedDuration {
        let (instant, civil) = self.start;
        let passed = SignedDuration::try_from(instant.elapsed()).unwrap_or(SignedDuration::MAX);
        self.clock.now().duration_since(civil).saturating_sub(passed)
    }

    /// For a person, as long as the clock is not where it was.
    pub fn notice(&self) -> Option<(&'static str, String)> {
        let moved = self.moved();
        if moved.abs() < MOVED_MIN {
            return None;
        }
        let way = if moved.is_negative() { "back" } else { "ahead" };
        let why = format!(
            "was set {way} by {:#} since the hub started; if it is right now, restart the hub, else set it right",
            SignedDuration::from_secs(moved.abs().as_secs())
        );
        Some(("clock", why))
    }

    /// For monitoring.
    pub fn metrics(&self) -> Vec<Metric> {
        let moved = self.moved();
        let moved = if moved.abs() < MOVED_MIN {
            0
        } else {
            moved.abs().as_secs().unsigned_abs()
        };
        let help = "How far the civil clock was set, ahead or back, since the start of the hub.";
        let jumps = "Times that the civil clock was set.";
        vec![
            Metric::new("clock_moved_seconds", MetricKind::Gauge, help).with(&[], moved),
            Metric::new("clock_jumps_total", MetricKind::Counter, jumps).with(&[], self.jumps.load(Ordering::Relaxed)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub_core::clock::ManualClock;
    use hub_core::metric::MetricValue;

    const HOUR: Duration = Duration::from_secs(3_600);

    /// How far it was set, in minutes, and how often.
    fn figures(watch: &ClockWatch) -> Vec<u64> {
        let number = |metric: Metric| match metric.samples[0].value {
            MetricValue::Number(number) => number as u64,
            MetricValue::Histogram { .. } => panic!("{metric:?}"),
        };
        let figures: Vec<u64> = watch.metrics().into_iter().map(number).collect();
        vec![figures[0] / 60, figures[1]]
    }

    #[test]
    fn a_clock_that_is_set_is_told_until_it_is_back() {
        let clock = Arc::new(ManualClock::new("2026-03-01T00:00:00Z".parse().unwrap()));
        let mut watch = ClockWatch::new(clock.clone());
        watch.look();
        // Both go on.
        watch.start.0 -= HOUR;
        clock.advance(HOUR);
        watch.look();
        assert_eq!((watch.notice(), figures(&watch)), (None, vec![0, 0]));
        clock.advance(HOUR + Duration::from_secs(2));
        let (part, why) = watch.notice().unwrap();
        assert!(part == "clock" && why.contains("set ahead by 1h"), "{why}");
        watch.look();
        watch.look();
        assert_eq!(figures(&watch), [60, 1]);
        // The same as if it were set back by two hours.
        watch.start.0 -= 2 * HOUR;
        watch.look();
        let (_, why) = watch.notice().unwrap();
        assert!(why.contains("set back by 59m"), "{why}");
        clock.advance(HOUR);
        watch.look();
        assert_eq!((watch.notice(), figures(&watch)), (None, vec![0, 3]));
    }
}
