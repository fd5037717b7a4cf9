//! Who waits for what within this process. Hints only: what is stored is the truth, and every wait has an end.

use hub_core::id::ApplianceId;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Most appliances remembered as having new commands or attributes; what is beyond is found when the device connects.
const REMEMBERED_MAX: usize = 65_536;

/// Fired after commits.
#[derive(Debug, Default)]
pub struct Signals {
    telemetry: Notify,
    contact: Notify,
    event: Notify,
    access: Notify,
    command: Notify,
    commands_for: Mutex<BTreeSet<ApplianceId>>,
    attribute: Notify,
    attributes_for: Mutex<BTreeSet<ApplianceId>>,
}

impl Signals {
    /// Readings were stored.
    pub fn telemetry(&self) {
        fire(&self.telemetry);
    }

    /// A contact may be due.
    pub fn contact(&self) {
        fire(&self.contact);
    }

    /// An event was stored.
    pub fn event(&self) {
        fire(&self.event);
    }

    /// Access was changed.
    pub fn access(&self) {
        fire(&self.access);
    }

    /// A command was queued for this appliance.
    pub fn command(&self, appliance: ApplianceId) {
        remember(&self.commands_for, appliance);
        fire(&self.command);
    }

    /// This appliance is told other attributes.
    pub fn attributes(&self, appliance: ApplianceId) {
        remember(&self.attributes_for, appliance);
        fire(&self.attribute);
    }

    /// Waits for readings, at most so long.
    pub async fn wait_telemetry(&self, patience: Duration) {
        wait(&self.telemetry, patience).await;
    }

    /// Waits for a contact that may be due, at most so long.
    pub async fn wait_contact(&self, patience: Duration) {
        wait(&self.contact, patience).await;
    }

    /// Waits for an event, at most so long.
    pub async fn wait_event(&self, patience: Duration) {
        wait(&self.event, patience).await;
    }

    /// Waits for a change of access, at most so long.
    pub async fn wait_access(&self, patience: Duration) {
        wait(&self.access, patience).await;
    }

    /// Waits for commands, at most so long; the appliances that have new ones.
    pub async fn wait_command(&self, patience: Duration) -> Vec<ApplianceId> {
        wait(&self.command, patience).await;
        take(&self.commands_for)
    }

    /// Waits for attributes, at most so long; the appliances that are told new ones.
    pub async fn wait_attributes(&self, patience: Duration) -> Vec<ApplianceId> {
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
