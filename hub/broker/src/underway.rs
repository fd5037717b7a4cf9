//! Packet identifiers on their way into the store, or out of it (QoS 2 in a session that is kept). One that is committed after
//! its session was forgotten would make a publish of the next session look like a repeat: acknowledged, and not stored. So a
//! session is forgotten behind them; and where there are none, which is nearly always, nobody waits for a commit.

use hub_core::id::ApplianceId;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// See the module.
#[derive(Debug)]
pub(crate) struct Underway {
    /// How many of each device: at most as many as there are publishes in flight.
    marks: Mutex<HashMap<ApplianceId, u32>>,
    /// The outcome of a try is not known. The store may still commit what nobody waits for any more: until the next commit,
    /// which follows it.
    in_doubt: AtomicBool,
}

/// One packet identifier, until it is settled, one way or the other.
#[derive(Debug)]
pub(crate) struct Mark {
    of: Arc<Underway>,
    appliance: ApplianceId,
}

impl Default for Underway {
    /// In doubt, for what the process before has begun.
    fn default() -> Self {
        Self {
            marks: Mutex::default(),
            in_doubt: AtomicBool::new(true),
        }
    }
}

impl Underway {
    /// A packet identifier of this device sets out. To be kept until it is settled.
    pub(crate) fn mark(self: &Arc<Self>, appliance: ApplianceId) -> Mark {
        *self.lock().entry(appliance).or_default() += 1;
        Mark {
            of: Arc::clone(self),
            appliance,
        }
    }

    /// Whether one of this device may still be committed.
    pub(crate) fn may_come(&self, appliance: ApplianceId) -> bool {
        self.in_doubt.load(Ordering::Acquire) || self.lock().contains_key(&appliance)
    }

    /// A try to commit failed, or was given up. Said before any of its marks is dropped.
    pub(crate) fn failed(&self) {
        self.in_doubt.store(true, Ordering::Release);
    }

    /// A batch is committed, and so whatever was tried before is over.
    pub(crate) fn committed(&self) {
        self.in_doubt.store(false, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ApplianceId, u32>> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        if let Entry::Occupied(mut marks) = self.of.lock().entry(self.appliance) {
            *marks.get_mut() -= 1;
            if *marks.get() == 0 {
                marks.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_identifier_may_come_until_it_is_settled_and_any_while_something_is_in_doubt() {
        let (one, other) = (ApplianceId(1), ApplianceId(2));
        let underway = Arc::new(Underway::default());
        assert!(underway.may_come(one), "the process before may have begun something");
        underway.committed();
        assert!(!underway.may_come(one));
        let marks = [one, one].map(|appliance| underway.mark(appliance));
        assert!(underway.may_come(one) && !underway.may_come(other));
        let [first, second] = marks;
        drop(first);
        assert!(underway.may_come(one), "one of two is settled");
        underway.failed();
        drop(second);
        assert!(underway.may_come(one) && underway.may_come(other));
        underway.committed();
        assert!(!underway.may_come(one) && !underway.may_come(other));
        assert!(underway.lock().is_empty());
    }
}
