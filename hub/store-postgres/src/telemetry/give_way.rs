//! How ingest gives way to the scorer. Both share processors and database, and a fleet that sends what it has gathered for
//! hours can be acknowledged faster than it can be scored: left alone, the scorer falls behind by minutes, and calls come
//! late. So while a scorer that goes on is far behind, ingest pauses behind each large batch, the longer the farther it is
//! behind. A scorer that fails does not hold ingest up. A device that waits alone waits for this at most once: with the first
//! batch behind a flood, and no longer than [`PAUSE_MAX`].

use std::time::Duration;
use tokio::time::Instant;

/// A scorer that is behind by less than this is given no way …
const FROM: Duration = Duration::from_secs(5);
/// … and by this much more, ingest pauses for as long as its last batch took.
const PER_BATCH: Duration = Duration::from_secs(5);
/// Ingest pauses for no longer than this.
const PAUSE_MAX: Duration = Duration::from_millis(250);
/// What the scorer has said holds for so long: one that says nothing more does not go on.
const HOLDS_FOR: Duration = Duration::from_secs(5);
/// Items of a large batch, at least.
const LARGE_FROM: usize = 200;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct GiveWay {
    /// By how much the scorer is behind, and when it said so.
    behind: Option<(Duration, Instant)>,
    /// How long the last batch took, if it was large.
    took: Option<Duration>,
}

impl GiveWay {
    /// The scorer goes on and is behind by this.
    pub(super) fn is_behind(&mut self, by: Duration, now: Instant) {
        self.behind = Some((by, now));
    }

    /// A batch of so many items was committed in this time.
    pub(super) fn batch(&mut self, items: usize, took: Duration) {
        self.took = (items >= LARGE_FROM).then_some(took);
    }

    /// How long to wait before the next batch.
    pub(super) fn pause(&self, now: Instant) -> Duration {
        let behind = self
            .behind
            .filter(|(_, said)| now.saturating_duration_since(*said) < HOLDS_FOR);
        let (Some((by, _)), Some(took)) = (behind, self.took) else {
            return Duration::ZERO;
        };
        let over = by.saturating_sub(FROM).as_secs_f64() / PER_BATCH.as_secs_f64();
        took.min(PAUSE_MAX).mul_f64(over.min(100.0)).min(PAUSE_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_grows_with_what_is_behind_and_ends_with_it() {
        let begun = Instant::now();
        let after = |seconds| begun + Duration::from_secs(seconds);
        let ms = Duration::from_millis;
        let mut way = GiveWay::default();
        way.batch(4_000, ms(80));
        assert_eq!(way.pause(begun), Duration::ZERO);
        let mut pauses = Vec::new();
        for seconds in [1, 5, 10, 15, 3_600] {
            way.is_behind(Duration::from_secs(seconds), begun);
            pauses.push(way.pause(begun));
        }
        assert_eq!(pauses, [ms(0), ms(0), ms(80), ms(160), PAUSE_MAX]);
        // A device that waits alone.
        way.batch(1, ms(80));
        assert_eq!(way.pause(begun), Duration::ZERO);
        // A scorer that says nothing more.
        way.batch(4_000, ms(80));
        assert!(way.pause(after(4)) > Duration::ZERO);
        assert_eq!(way.pause(after(5)), Duration::ZERO);
    }
}
