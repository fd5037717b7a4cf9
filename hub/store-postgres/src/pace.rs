//! How much a step of a follower takes: half as much after one that did not end in time, and twice as much again after some
//! that did. The same step tried again would not end either.

use hub_store::error::{Result, StoreError};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// SQLSTATE of a statement that the server ended for its time.
const ENDED: &str = "57014";
/// After so many steps in time, they are made larger: one that does not end costs many that do.
const STEPS_IN_TIME: u32 = 16;
/// Halvings are not counted beyond this: no step is that large.
const HALVINGS_MAX: u32 = 31;

/// Of one kind of steps.
#[derive(Debug, Default)]
pub(crate) struct Pace(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    halvings: u32,
    in_time: u32,
    /// That steps take too long was told, and they have not been of their whole size since.
    is_told: bool,
}

/// A step under way. One that is dropped was given up: it has not ended in time, as far as anybody knows. That is not told, since
/// a hub that stops gives up what is under way.
pub(crate) struct Step<'a> {
    pace: &'a Pace,
    what: &'static str,
    /// How much it takes.
    pub(crate) size: usize,
    is_at_its_least: bool,
    is_over: bool,
}

impl Pace {
    /// A step of at most `limit`, and of at least `least` where that is less.
    pub(crate) fn step(&self, what: &'static str, limit: usize, least: usize) -> Step<'_> {
        let least = least.min(limit);
        let size = (limit >> self.state().halvings).max(least);
        Step {
            pace: self,
            what,
            size,
            is_at_its_least: size == least,
            is_over: false,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Step<'_> {
    /// It has ended: in time, too late, or for another reason, which tells nothing of its size.
    pub(crate) fn end<T>(mut self, outcome: &Result<T>) {
        self.is_over = true;
        match outcome {
            Ok(_) => self.in_time(),
            Err(error) if is_too_long(error) => {
                self.tell();
                self.too_long();
            }
            Err(_) => {}
        }
    }

    fn in_time(&self) {
        let mut state = self.pace.state();
        if state.halvings == 0 {
            return;
        }
        state.in_time += 1;
        if state.in_time >= STEPS_IN_TIME {
            state.halvings -= 1;
            state.in_time = 0;
            state.is_told &= state.halvings > 0;
        }
    }

    /// Tells that steps are made smaller from here on, once.
    fn tell(&self) {
        let mut state = self.pace.state();
        if !self.is_at_its_least && !std::mem::replace(&mut state.is_told, true) {
            tracing::warn!(
                what = self.what,
                size = self.size,
                "a step did not end in time: steps are made smaller until they do"
            );
        }
    }

    fn too_long(&self) {
        let mut state = self.pace.state();
        state.in_time = 0;
        if self.is_at_its_least {
            return;
        }
        state.halvings = (state.halvings + 1).min(HALVINGS_MAX);
    }
}

impl Drop for Step<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.too_long();
        }
    }
}

/// Whether something was ended for its time: by the server, or by a deadline of our own.
pub(crate) fn is_too_long(error: &StoreError) -> bool {
    let StoreError::Unavailable(source) = error else {
        return false;
    };
    let ended = source
        .downcast_ref::<sqlx::Error>()
        .and_then(sqlx::Error::as_database_error);
    source.is::<tokio::time::error::Elapsed>() || ended.is_some_and(|error| error.code().as_deref() == Some(ENDED))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(pace: &Pace) -> usize {
        let step = pace.step("test", 1_000, 100);
        let size = step.size;
        step.end::<()>(&Err(StoreError::Deposed));
        size
    }

    async fn too_late() -> Result<()> {
        let late = tokio::time::timeout(std::time::Duration::ZERO, std::future::pending::<()>()).await;
        late.map_err(|late| StoreError::Unavailable(Box::new(late)))
    }

    /// As it is where a hub stops in the middle of a step.
    #[tokio::test]
    async fn a_step_that_is_given_up_is_not_told_and_one_that_ends_too_late_is_told_once() {
        let pace = Pace::default();
        drop(pace.step("test", 1_000, 100));
        assert_eq!(size(&pace), 500);
        assert!(!pace.state().is_told);
        let late = too_late().await;
        for _ in 0..2 {
            pace.step("test", 1_000, 100).end(&late);
            assert!(pace.state().is_told);
        }
        // Told again when steps had been of their whole size.
        while pace.state().halvings > 0 {
            assert!(pace.state().is_told);
            pace.step("test", 1_000, 100).end(&Ok(()));
        }
        assert!(!pace.state().is_told);
    }

    #[tokio::test]
    async fn steps_are_halved_down_to_the_least_and_doubled_again() {
        let pace = Pace::default();
        let late = too_late().await;
        pace.step("test", 1_000, 100).end(&late);
        assert_eq!(size(&pace), 500);
        // Given up by who waited for it.
        drop(pace.step("test", 1_000, 100));
        assert_eq!(size(&pace), 250);
        for _ in 0..40 {
            pace.step("test", 1_000, 100).end(&late);
        }
        assert_eq!(size(&pace), 100);
        for doubled in [125, 250, 500, 1_000, 1_000] {
            for _ in 0..STEPS_IN_TIME {
                pace.step("test", 1_000, 100).end(&Ok(()));
            }
            assert_eq!(size(&pace), doubled);
        }
    }
}
