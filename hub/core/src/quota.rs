//! How much someone may send: a token bucket without a timer, by the generic cell rate algorithm (ITU-T I.371 annex A):
//! one number says until when what was sent is paid for. Time is an argument.

use std::time::Duration;

/// A lasting rate and how far it may be run ahead of. A rate of 0 lets nothing through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Units a second that can be kept up without end.
    pub per_second: u64,
    /// Units that may come at once after a rest.
    pub burst: u64,
}

/// Until when everything that was let through is paid for, since an arbitrary start; the start itself for someone new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Paid(pub Duration);

impl Pace {
    /// A pace of `per_second` with bursts of `burst`.
    pub const fn new(per_second: u64, burst: u64) -> Self {
        Self { per_second, burst }
    }

    /// Lets `units` through at `now` and gives the new mark, or `None` where that would run too far ahead: then nothing
    /// is paid for. More units at once than `burst` never go through.
    pub fn admit(self, paid: Paid, units: u64, now: Duration) -> Option<Paid> {
        let after = paid.0.max(now).checked_add(self.time_for(units)?)?;
        (after - now <= self.time_for(self.burst)?).then_some(Paid(after))
    }

    /// How long `units` take at the lasting rate.
    fn time_for(self, units: u64) -> Option<Duration> {
        let nanos = u128::from(units) * 1_000_000_000 / u128::from(self.per_second).max(1);
        let possible = self.per_second > 0 || units == 0;
        u64::try_from(nanos).ok().filter(|_| possible).map(Duration::from_nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace::new(10, 20);

    fn run(pace: Pace, paid: &mut Paid, units: u64, at_ms: u64) -> bool {
        match pace.admit(*paid, units, Duration::from_millis(at_ms)) {
            Some(after) => {
                *paid = after;
                true
            }
            None => false,
        }
    }

    #[test]
    fn a_burst_then_the_lasting_rate() {
        let mut paid = Paid::default();
        assert_eq!((0..30).filter(|_| run(PACE, &mut paid, 1, 0)).count(), 20, "burst");
        assert!(!run(PACE, &mut paid, 1, 99));
        assert!(run(PACE, &mut paid, 1, 100), "one is free after a tenth of a second");
        assert!(!run(PACE, &mut paid, 1, 100));
        let through = (1..=10_000u64).filter(|ms| run(PACE, &mut paid, 1, 100 + ms)).count();
        assert_eq!(through, 100, "ten a second for ten seconds");
    }

    #[test]
    fn a_refusal_costs_nothing_and_rest_fills_no_more_than_a_burst() {
        let mut paid = Paid::default();
        assert!(run(PACE, &mut paid, 20, 0));
        for _ in 0..1_000 {
            assert!(!run(PACE, &mut paid, 1, 50));
        }
        assert!(run(PACE, &mut paid, 1, 100));
        assert!(!run(PACE, &mut paid, 21, 3_600_000), "more than a burst never fits");
        assert!(run(PACE, &mut paid, 20, 3_600_000));
        assert!(!run(PACE, &mut paid, 1, 3_600_000));
    }

    #[test]
    fn extremes_do_not_overflow() {
        let mut paid = Paid::default();
        assert!(!run(Pace::new(0, 10), &mut paid, 1, 1_000));
        assert!(run(Pace::new(0, 10), &mut paid, 0, 1_000) || paid == Paid::default());
        assert!(!run(Pace::new(1, u64::MAX), &mut paid, u64::MAX, 0));
        assert!(run(Pace::new(u64::MAX, u64::MAX), &mut paid, u64::MAX, 0));
    }
}
