//! Who comes in at the front door, and changes of access on their way to it.

use super::MemoryStore;
use super::state::State;
use crate::access::{
    AccessChange, AccessStore, Authority, Claimant, Credential, Principal, ProvisionRequest, Provisioned,
};
use crate::bounds::CHANGES_MAX;
use crate::error::Result;
use async_trait::async_trait;
use hub_core::id::ApplianceId;
use jiff::Timestamp;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::time::Instant;

#[async_trait]
impl AccessStore for MemoryStore {
    async fn identify(&self, shown: &[Credential], now: Timestamp) -> Result<Vec<Option<Principal>>> {
        Ok(self.state().identify(shown, now))
    }

    async fn access_changed(&self, patience: Duration) -> Result<Vec<AccessChange>> {
        let until = Instant::now() + patience;
        loop {
            let changes = self.tell_changes();
            let left = until.saturating_duration_since(Instant::now());
            if !changes.is_empty() || left.is_zero() {
                return Ok(changes);
            }
            self.signals().wait_access(left).await;
        }
    }

    async fn authorities(&self) -> Result<Vec<Authority>> {
        Ok(Vec::new())
    }

    async fn provision(&self, claimant: &Claimant, request: &ProvisionRequest, now: Timestamp) -> Result<Provisioned> {
        self.change(|state| state.provision(claimant, request, now))
    }

    async fn propose_secret(&self, appliance: ApplianceId, secret: &str) -> Result<()> {
        self.change(|state| state.propose_secret(appliance, secret))
    }

    async fn end_old_secret(&self, appliance: ApplianceId, secret: &str) -> Result<()> {
        self.change(|state| state.end_old_secret(appliance, secret))
    }
}

impl MemoryStore {
    /// Takes out what was told before, and tells what is there.
    fn tell_changes(&self) -> Vec<AccessChange> {
        let mut state = self.state();
        let mut told = self.hub.changes_told.lock().unwrap_or_else(PoisonError::into_inner);
        for number in told.drain(..) {
            state.access_changes.remove(&number);
        }
        let changes = state.access_changes.iter().take(CHANGES_MAX);
        let (numbers, changes): (Vec<i64>, Vec<AccessChange>) = changes.map(|(n, change)| (*n, change.clone())).unzip();
        *told = numbers;
        changes
    }
}

impl State {
    pub(super) fn tell_access(&mut self, change: AccessChange) {
        let number = self.number();
        self.access_changes.insert(number, change);
    }
}
