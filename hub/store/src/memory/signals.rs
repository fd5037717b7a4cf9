//! Who waits for what. Hints only: what is stored is the truth, and every wait has an end.

use hub_core::id::ApplianceId;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Fired after changes.
#[derive(Debug, Default)]
pub(super) struct Signals {
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
    pub(super) fn telemetry(&self) {
        fire(&self.telemetry);
    }

    pub(super) fn contact(&self) {
        fire(&self.contact);
    }

    pub(super) fn event(&self) {
        fire(&self.event);
    }

    pub(super) fn access(&self) {
        fire(&self.access);
    }

    pub(super) fn command(&self, appliance: ApplianceId) {
        remember(&self.commands_for, appliance);
        fire(&self.command);
    }

    pub(super) fn attributes(&self, appliance: ApplianceId) {
        remember(&self.attributes_for, appliance);
        fire(&self.attribute);
    }

    pub(super) async fn wait_telemetry(&self, patience: Duration) {
        wait(&self.telemetry, patience).await;
    }

    pub(super) async fn wait_contact(&self, patience: Duration) {
        wait(&self.contact, patience).await;
    }

    pub(super) async fn wait_event(&self, patience: Duration) {
        wait(&self.event, patience).await;
    }

    pub(super) async fn wait_access(&self, patience: Duration) {
        wait(&self.access, patience).await;
    }

    pub(super) async fn wait_command(&self, patience: Duration) -> Vec<ApplianceId> {
        wait(&self.command, patience).await;
        take(&self.commands_for)
    }

    pub(super) async fn wait_attributes(&self, patience: Duration) -> Vec<ApplianceId> {
        wait(&self.attribute, patience).await;
        take(&self.attributes_for)
    }
}

fn remember(waiting: &Mutex<BTreeSet<ApplianceId>>, appliance: ApplianceId) {
    waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(appliance);
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
