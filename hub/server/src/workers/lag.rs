//! How far the scorer is behind: what it has seen, and for how long it has not looked since. So it also rises where the scorer
//! fails, hangs, or is held up.

use hub_core::metric::{Metric, MetricKind, MetricSample, MetricValue};
use jiff::Timestamp;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A scorer that is not held up looks again sooner than this, also where it has nothing to do.
const LOOKS_WITHIN: Duration = Duration::from_secs(3);

/// See the module.
#[derive(Debug)]
pub struct ScoringLag(Mutex<Look>);

#[derive(Debug, Clone, Copy)]
struct Look {
    at: Instant,
    /// Age of the oldest reading that was not scored then.
    age: Duration,
}

impl Default for ScoringLag {
    /// The first look is still to come.
    fn default() -> Self {
        Self(Mutex::new(Look {
            at: Instant::now(),
            age: Duration::ZERO,
        }))
    }
}

impl ScoringLag {
    /// The scorer has looked: when the oldest reading was received that is not scored yet, if there is one, and the time by
    /// the same clock.
    pub(super) fn looked(&self, oldest: Option<Timestamp>, now: Timestamp, at: Instant) {
        let age = oldest.map_or(0, |oldest| now.as_millisecond() - oldest.as_millisecond());
        let age = Duration::from_millis(u64::try_from(age).unwrap_or(0));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Look { at, age };
    }

    fn lag(&self, at: Instant) -> Duration {
        let look = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        look.age + at.saturating_duration_since(look.at).saturating_sub(LOOKS_WITHIN)
    }

    pub(super) fn metric(&self) -> Metric {
        let help = "Age of the oldest reading that the scorer found unscored at its last look, 0 if there was none; and, if \
            that look is more than 3 s ago, the time since.";
        let mut metric = Metric::new("scoring_lag_seconds", MetricKind::Gauge, help);
        metric.samples.push(MetricSample {
            labels: Vec::new(),
            value: MetricValue::Number(self.lag(Instant::now()).as_secs_f64()),
        });
        metric
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rises_while_nobody_looks() {
        let (lag, begun) = (ScoringLag::default(), Instant::now());
        let after = |seconds| begun + Duration::from_secs(seconds);
        let second = |second: i64| Timestamp::from_second(1_700_000_000 + second).unwrap();
        let seconds = |at| lag.lag(after(at)).as_secs();
        // Nothing waits, and soon nobody knows whether it does.
        lag.looked(None, second(0), after(0));
        assert_eq!([0, 1, 3, 4, 63].map(seconds), [0, 0, 0, 1, 60]);
        // What is behind stays so until it is seen that it is not.
        lag.looked(Some(second(60)), second(70), after(70));
        assert_eq!([70, 73, 83].map(seconds), [10, 10, 20]);
        lag.looked(Some(second(60)), second(90), after(90));
        assert_eq!(seconds(90), 30);
        // A clock that was set back makes nothing younger than now.
        lag.looked(Some(second(95)), second(94), after(94));
        assert_eq!(seconds(94), 0);
    }
}
