//! Authorities.

use super::state::State;
use crate::access::{Authority, Provisioned};
use crate::credential::AuthorityView;
use crate::error::{Result, StoreError};
use hub_core::actor::Actor;
use hub_core::id::{ApplianceId, DeviceId, TenantId};
use jiff::Timestamp;

fn none() -> StoreError {
    StoreError::Refused("the store in memory keeps no certificates".to_owned())
}

pub(super) fn read_request(_der: &[u8]) -> Result<()> {
    Err(none())
}

impl State {
    pub(super) fn put_authority(&mut self, _: &TenantId, _: &str, _: &[u8], _: Timestamp) -> Result<()> {
        Err(none())
    }
    pub(super) fn put_revocations(&mut self, _: &TenantId, _: &str, _: &[u8], _: Timestamp) -> Result<usize> {
        Err(none())
    }
    pub(super) fn remove_authority(&mut self, _: &TenantId, _: &str) -> Result<()> {
        Err(none())
    }
    pub(super) fn authority_views(&self, _: &Actor) -> Result<Vec<AuthorityView>> {
        Ok(Vec::new())
    }
    pub(super) fn authorities(&self) -> Vec<Authority> {
        self.authorities.values().cloned().collect()
    }
    pub(super) fn certificates_of(&self, _: ApplianceId) -> i64 {
        0
    }
    pub(super) fn revoke_certificates(&mut self, _: &TenantId, _: ApplianceId, _: Timestamp) -> Result<()> {
        Ok(())
    }
    pub(super) fn sign(
        &mut self,
        _: &TenantId,
        _: (&DeviceId, ApplianceId),
        _: &(),
        _: Timestamp,
    ) -> Result<Provisioned> {
        Err(none())
    }
}
