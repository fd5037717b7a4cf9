//! Wills that are not published yet: their delay runs (MQTT 5 §3.1.3.2.2), and a device that comes back in time takes its
//! will back.

use hub_core::id::ApplianceId;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// Wills that may wait at one time; one more is published at once.
const WAITING_MAX: usize = 10_000;

#[derive(Debug)]
struct Waiting<T> {
    by_time: BTreeMap<(Instant, ApplianceId), T>,
    by_device: HashMap<ApplianceId, Instant>,
}

/// See the module. `T` is what is to be published.
#[derive(Debug)]
pub(crate) struct Wills<T> {
    waiting: Mutex<Waiting<T>>,
    wake: Notify,
}

impl<T> Default for Wills<T> {
    fn default() -> Self {
        let waiting = Waiting {
            by_time: BTreeMap::new(),
            by_device: HashMap::new(),
        };
        Self {
            waiting: Mutex::new(waiting),
            wake: Notify::new(),
        }
    }
}

impl<T> Wills<T> {
    /// Keeps a will until `due`; gives it back where too many wait. A device has one at most.
    pub(crate) fn keep(&self, appliance: ApplianceId, due: Instant, will: T) -> Option<T> {
        let mut waiting = self.lock();
        waiting.cancel(appliance);
        if waiting.by_time.len() >= WAITING_MAX {
            return Some(will);
        }
        waiting.by_device.insert(appliance, due);
        waiting.by_time.insert((due, appliance), will);
        drop(waiting);
        self.wake.notify_one();
        None
    }

    /// The device is back.
    pub(crate) fn cancel(&self, appliance: ApplianceId) {
        self.lock().cancel(appliance);
    }

    /// The next will whose time has come.
    pub(crate) async fn due(&self) -> T {
        loop {
            let next = self.lock().by_time.first_key_value().map(|((due, _), _)| *due);
            match next {
                Some(due) if due <= Instant::now() => {
                    if let Some(will) = self.lock().pop() {
                        return will;
                    }
                }
                Some(due) => tokio::select! { () = sleep_until(due) => {} () = self.wake.notified() => {} },
                None => self.wake.notified().await,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Waiting<T> {
    fn cancel(&mut self, appliance: ApplianceId) {
        if let Some(due) = self.by_device.remove(&appliance) {
            self.by_time.remove(&(due, appliance));
        }
    }

    fn pop(&mut self) -> Option<T> {
        let ((_, appliance), will) = self.by_time.pop_first()?;
        self.by_device.remove(&appliance);
        Some(will)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn in_the_order_of_their_time_unless_taken_back() {
        let wills = Wills::default();
        let now = Instant::now();
        let after = |ms| now + Duration::from_millis(ms);
        assert_eq!(wills.keep(ApplianceId(1), after(300), "first"), None);
        assert_eq!(wills.keep(ApplianceId(2), after(100), "second"), None);
        assert_eq!(wills.keep(ApplianceId(3), after(50), "third"), None);
        wills.cancel(ApplianceId(3));
        assert_eq!(wills.keep(ApplianceId(1), after(200), "first again"), None);
        assert_eq!(wills.due().await, "second");
        assert!(Instant::now() >= after(100));
        assert_eq!(wills.due().await, "first again");
        assert!(Instant::now() >= after(200));
        let more = tokio::time::timeout(Duration::from_millis(200), wills.due()).await;
        assert!(more.is_err(), "nothing is left");
    }
}
