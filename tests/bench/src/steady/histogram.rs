//! How long things took, in steps of less than a hundredth: as small after an hour as after a second.

use std::time::Duration;

/// Steps between a time and twice that time.
const STEPS: u64 = 128;
const STEPS_BITS: u32 = STEPS.ilog2();
/// Half an hour; what took longer counts as that.
const LONGEST_US: u64 = 1 << 31;

/// Times, counted.
#[derive(Debug, Clone, Default)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    /// Counts one.
    pub fn add(&mut self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(LONGEST_US);
        let slot = slot(us.min(LONGEST_US));
        if self.counts.len() <= slot {
            self.counts.resize(slot + 1, 0);
        }
        self.counts[slot] += 1;
        self.total += 1;
    }

    /// Counts all of another one as well.
    pub fn merge(&mut self, other: &Self) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (own, others) in self.counts.iter_mut().zip(&other.counts) {
            *own += others;
        }
        self.total += other.total;
    }

    /// The time that this share of all did not exceed, in milliseconds; NaN of none.
    pub fn ms(&self, share: f64) -> f64 {
        let rank = (share * self.total as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (slot, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return middle(slot as u64) / 1e3;
            }
        }
        f64::NAN
    }
}

/// Each microsecond up to [`STEPS`], then [`STEPS`] slots from each power of two to the next.
fn slot(us: u64) -> usize {
    if us < STEPS {
        return us as usize;
    }
    let shift = us.ilog2() - STEPS_BITS;
    (u64::from(shift + 1) * STEPS + (us >> shift) - STEPS) as usize
}

/// The middle of a slot, in microseconds.
fn middle(slot: u64) -> f64 {
    if slot < STEPS {
        return slot as f64;
    }
    let shift = slot / STEPS - 1;
    let low = (slot % STEPS + STEPS) << shift;
    low as f64 + ((1_u64 << shift) - 1) as f64 / 2.0
}

#[cfg(test)]
mod tests {
    use super::Histogram;
    use std::time::Duration;

    #[test]
    fn quantiles_are_right_within_a_hundredth() {
        let (mut all, mut half) = (Histogram::default(), Histogram::default());
        for us in 1..=100_000 {
            let of = if us % 2 == 0 { &mut all } else { &mut half };
            of.add(Duration::from_micros(us));
        }
        all.merge(&half);
        for (share, expected_ms) in [(0.0005, 0.05), (0.5, 50.0), (0.99, 99.0), (1.0, 100.0)] {
            let found_ms = all.ms(share);
            assert!((found_ms / expected_ms - 1.0).abs() < 0.01, "{share}: {found_ms}");
        }
        assert!(Histogram::default().ms(0.5).is_nan());
        all.add(Duration::from_secs(1_000_000));
        assert!(all.ms(1.0) > 1e6);
    }
}
