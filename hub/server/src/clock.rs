//! The demo's civil clock: time-lapse, standing still while a call is up.

use hub_core::clock::{CivilClock, ManualClock};
use jiff::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often the time-lapse moves on. Small against a programme's minute even at a day a second.
const TICK: Duration = Duration::from_millis(20);

/// A civil clock that runs `scale` times faster than the machine's, except during calls.
#[derive(Debug)]
pub struct TimeLapse {
    clock: ManualClock,
    scale: AtomicU32,
}

impl TimeLapse {
    /// A clock that starts at `start` and runs at `scale` once [`TimeLapse::run`] is driven.
    pub fn new(start: Timestamp, scale: u32) -> Arc<Self> {
        Arc::new(Self {
            clock: ManualClock::new(start),
            scale: AtomicU32::new(scale),
        })
    }

    /// Runs on at another pace from now on; 0 stands still.
    pub fn set_scale(&self, scale: u32) {
        self.scale.store(scale, Ordering::Relaxed);
    }

    /// Moves the clock until `stop`, standing still while `calls_up` is not zero: people speak in real time.
    pub async fn run(self: Arc<Self>, calls_up: tokio::sync::watch::Receiver<usize>, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            if *calls_up.borrow() == 0 {
                self.clock.advance(TICK * self.scale.load(Ordering::Relaxed));
            }
        }
    }
}

impl CivilClock for TimeLapse {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
