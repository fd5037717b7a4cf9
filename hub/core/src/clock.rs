//! Civil time: what tickets, quiet hours and feature windows run on. Scaled in the demo, set by hand in simulation.
//! Protocol timers (SIP, MQTT, deadlines) run on monotonic time and never on this clock.

use jiff::Timestamp;
use std::sync::Mutex;

/// Where a shell gets civil time from. Rules take `now` as an argument instead.
pub trait CivilClock: Send + Sync {
    /// The civil time now.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl CivilClock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where civil time is read from the machine"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A clock that somebody else moves: a simulation step by step, the demo's time-lapse from its ticker.
#[derive(Debug)]
pub struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    /// A clock that stands at `start`.
    pub fn new(start: Timestamp) -> Self {
        Self(Mutex::new(start))
    }

    /// Moves the clock forward by `by`; civil time never runs backwards.
    pub fn advance(&self, by: std::time::Duration) {
        let mut now = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *now = now.checked_add(by).unwrap_or(Timestamp::MAX);
    }
}

impl CivilClock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
