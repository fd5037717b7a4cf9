//! Whether ingest is pressed: publishes come faster than they are committed, and go on doing so. Devices that all report in
//! the same moment, or a commit that had to wait once, make a large batch as well; readers of what was stored need not
//! give way to that.

use std::time::Duration;
use tokio::time::Instant;

/// Items of a large batch, at least.
const LARGE_FROM: usize = 200;
/// Large batches that follow each other at least so closely belong together, and press for so long after the last one …
const PRESSED_FOR: Duration = Duration::from_millis(100);
/// … if they have come for so long.
const PRESSED_AFTER: Duration = Duration::from_millis(200);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Press(Option<Run>);

/// Large batches that belong together.
#[derive(Debug, Clone, Copy)]
struct Run {
    first: Instant,
    last: Instant,
}

impl Press {
    /// A batch of so many items was committed.
    pub(super) fn batch(&mut self, items: usize, now: Instant) {
        if items < LARGE_FROM {
            return;
        }
        let before = self
            .0
            .filter(|run| now.saturating_duration_since(run.last) <= PRESSED_FOR);
        self.0 = Some(Run {
            first: before.map_or(now, |run| run.first),
            last: now,
        });
    }

    /// Whether it is.
    pub(super) fn is_on(&self, now: Instant) -> bool {
        self.0.is_some_and(|run| {
            now.saturating_duration_since(run.last) < PRESSED_FOR
                && run.last.saturating_duration_since(run.first) >= PRESSED_AFTER
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_presses_and_a_burst_does_not() {
        let begun = Instant::now();
        let after = |ms| begun + Duration::from_millis(ms);
        let mut press = Press::default();
        // Each second a fleet reports at once, in several batches.
        for second in 0..3 {
            for ms in [0, 40, 80, 120] {
                press.batch(1_000, after(second * 1_000 + ms));
                assert!(!press.is_on(after(second * 1_000 + ms)));
            }
        }
        // Small batches, however many, are none.
        for ms in (4_000..5_000).step_by(10) {
            press.batch(LARGE_FROM - 1, after(ms));
            assert!(!press.is_on(after(ms)));
        }
        let mut pressed = Vec::new();
        for ms in (6_000..6_500).step_by(50) {
            press.batch(LARGE_FROM, after(ms));
            press.batch(3, after(ms + 10));
            pressed.push(press.is_on(after(ms + 20)));
        }
        assert_eq!(pressed, [vec![false; 4], vec![true; 6]].concat());
        assert!(press.is_on(after(6_549)) && !press.is_on(after(6_550)));
    }
}
