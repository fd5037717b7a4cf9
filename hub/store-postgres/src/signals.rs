//! Who waits for what within this process. Hints only: the rows are the truth, and every wait has an end.

use hub_core::id::ApplianceId;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Most appliances remembered as having new commands or attributes; what is beyond is found when the device connects.
const REMEMBERED_MAX: usize = 65_536;
/// How soon a reader looks again when events exist that another transaction still hides.
const HIDDEN_EVENTS_PAUSE: Duration = Duration::from_millis(20);

/// Fired after commits.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    telemetry: Notify,
    contact: Notify,
    command: Notify,
    event: Notify,
    access: Notify,
    events_hidden: AtomicBool,
    commands_for: Mutex<BTreeSet<ApplianceId>>,
    attribute: Notify,
    attributes_for: Mutex<BTreeSet<ApplianceId>>,
}

impl Signals {
    pub(crate) fn telemetry(&self) {
        fire(&self.telemetry);
    }

    pub(crate) fn contact(&self) {
        fire(&self.contact);
    }

    pub(crate) fn event(&self) {
        fire(&self.event);
    }

    pub(crate) fn access_changed(&self) {
        fire(&self.access);
    }

    /// Waits for the next change of access that this process makes.
    pub(crate) async fn access(&self) {
        self.access.notified().await;
    }

    pub(crate) fn command(&self, appliance: ApplianceId) {
        remember(&self.commands_for, appliance);
        fire(&self.command);
    }

    pub(crate) fn attributes(&self, appliance: ApplianceId) {
        remember(&self.attributes_for, appliance);
        fire(&self.attribute);
    }

    pub(crate) fn events_hidden(&self, hidden: bool) {
        self.events_hidden.store(hidden, Ordering::Relaxed);
    }

    pub(crate) async fn wait_telemetry(&self, patience: Duration) {
        wait(&self.telemetry, patience).await;
    }

    pub(crate) async fn wait_contact(&self, patience: Duration) {
        wait(&self.contact, patience).await;
    }

    pub(crate) async fn wait_event(&self, patience: Duration) {
        let hidden = self.events_hidden.load(Ordering::Relaxed);
        let patience = if hidden {
            patience.min(HIDDEN_EVENTS_PAUSE)
        } else {
            patience
        };
        wait(&self.event, patience).await;
    }

    pub(crate) async fn wait_command(&self, patience: Duration) -> Vec<ApplianceId> {
        wait(&self.command, patience).await;
        take(&self.commands_for)
    }

    pub(crate) async fn wait_attributes(&self, patience: Duration) -> Vec<ApplianceId> {
        wait(&self.attribute, patience).await;
        take(&self.attributes_for)
    }
}

fn remember(waiting: &Mutex<BTreeSet<ApplianceId>>, appliance: ApplianceId) {
    let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
    if waiting.len() < REMEMBERED_MAX {
        waiting.insert(appliance);
    }
}

fn take(waiting: &Mutex<BTreeSet<ApplianceId>>) -> Vec<ApplianceId> {
    let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::take(&mut *waiting).into_iter().collect()
}

/// Wakes all that wait now, and leaves a permit for one that is about to.
fn fire(notify: &Notify) {
    notify.notify_waiters();
    notify.notify_one();
}

async fn wait(notify: &Notify, patience: Duration) {
    // Running out of patience is an answer like being woken: the caller looks either way.
    let _ = tokio::time::timeout(patience, notify.notified()).await;
}
