//! Time that passes only while there is nothing to do.

use agent_sdk_async::Clock;
use std::cell::Cell;

/// Sleeping is what makes its time pass. A task that sleeps is asked last, so there was nothing else to do.
pub struct Virtual {
    now_ms: Cell<u64>,
}

impl Virtual {
    pub fn new(now_ms: u64) -> Self {
        Self {
            now_ms: Cell::new(now_ms),
        }
    }
}

impl Clock for Virtual {
    fn now_ms(&self) -> u64 {
        self.now_ms.get()
    }

    async fn sleep_until(&self, at_ms: u64) {
        assert!(at_ms < 3_600_000, "nothing bounds the wait");
        self.now_ms.set(self.now_ms.get().max(at_ms));
    }
}
