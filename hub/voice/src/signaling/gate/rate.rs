//! How often something may happen: so many times at once, and then so many times a second.

use std::time::{Duration, Instant};

/// A rate with what may come at once. Neither is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate {
    /// Times a second, in the long run.
    pub per_s: u32,
    /// Times at once after a rest.
    pub burst: u32,
}

/// What has happened of late (the generic cell rate algorithm: one moment instead of a count and a clock).
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Meter {
    /// Until then what has happened is worked off.
    busy_until: Option<Instant>,
}

impl Meter {
    /// Whether it may happen once more now; if so, it is counted.
    pub fn takes(&mut self, rate: Rate, now: Instant) -> bool {
        let each = Duration::from_secs(1) / rate.per_s;
        let until = self.busy_until.map_or(now, |until| until.max(now)) + each;
        if until.duration_since(now) > each * rate.burst {
            return false;
        }
        self.busy_until = Some(until);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { per_s: 10, burst: 3 };

    #[test]
    fn a_burst_then_the_rate_and_after_a_rest_the_burst_again() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut meter = Meter::default();
        for (ms, takes) in [
            (0, true),
            (0, true),
            (0, true),
            (0, false),
            (99, false),
            (100, true),
            (101, false),
            (200, true),
            (1_000, true),
            (1_000, true),
            (1_000, true),
            (1_000, false),
        ] {
            assert_eq!(meter.takes(RATE, at(ms)), takes, "at {ms} ms");
        }
    }

    #[test]
    fn what_is_refused_costs_nothing() {
        let start = Instant::now();
        let mut meter = Meter::default();
        let taken = |meter: &mut Meter, from_ms: u64| {
            let moments = (0..1_000).map(|ms| start + Duration::from_millis(from_ms + ms));
            moments.filter(|now| meter.takes(RATE, *now)).count()
        };
        assert_eq!(taken(&mut meter, 0), 12);
        assert_eq!(taken(&mut meter, 1_000), 10);
    }
}
