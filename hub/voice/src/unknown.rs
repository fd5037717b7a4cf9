//! Callers of one trunk who stay unknown though they state a number: how many, and whether of late. Pure: instants go in.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So long after the last of them a person is told.
const LATELY: Duration = Duration::from_secs(3_600);

/// Counts them.
#[derive(Debug, Default)]
pub(crate) struct Unknown(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    total: u64,
    last: Option<Instant>,
}

impl Unknown {
    /// One more called.
    pub fn note(&self, now: Instant) {
        let mut state = self.state();
        state.total = state.total.saturating_add(1);
        state.last = Some(now);
    }

    /// How many since the start.
    pub fn total(&self) -> u64 {
        self.state().total
    }

    /// One has called within the last hour.
    pub fn is_recent(&self, now: Instant) -> bool {
        let recent = |last| now.saturating_duration_since(last) < LATELY;
        self.state().last.is_some_and(recent)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_callers_are_told_for_an_hour_and_counted_for_good() {
        let (unknown, start) = (Unknown::default(), Instant::now());
        let told = |after_s| (unknown.total(), unknown.is_recent(start + Duration::from_secs(after_s)));
        assert_eq!(told(0), (0, false));
        unknown.note(start);
        unknown.note(start + Duration::from_secs(60));
        assert_eq!(told(60), (2, true));
        assert_eq!(told(3_659), (2, true));
        assert_eq!(told(3_660), (2, false));
    }
}
