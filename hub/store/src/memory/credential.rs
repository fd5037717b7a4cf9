//! Devices' own secrets, and devices that are let out.

use super::state::{State, sha256};
use super::{MemoryStore, name_cursor, not_found, page};
use crate::access::AccessChange;
use crate::check;
use crate::credential::{DeviceAccess, DeviceCredentials, KeyGroup};
use crate::error::{Result, StoreError};
use crate::page::Page;
use async_trait::async_trait;
use hub_core::access::{CredentialError, Credentials, Exchange};
use hub_core::actor::{Act, Actor};
use hub_core::id::{ApplianceId, DeviceId, TenantId};
use hub_core::site::Device;
use jiff::Timestamp;

#[async_trait]
impl DeviceCredentials for MemoryStore {
    async fn device_access(&self, actor: &Actor, after: Option<&str>, limit: usize) -> Result<Page<DeviceAccess>> {
        actor.may(Act::ReadAccess)?;
        let (tenant, device) = name_cursor(after)?;
        let state = self.state();
        let named = state
            .names
            .iter()
            .filter(|((of, name), _)| actor.includes(of) && (of.as_str(), name.as_str()) > (tenant, device));
        let views = named.filter_map(|(_, id)| state.device_access(*id));
        Ok(page(views, limit, |view| format!("{}/{}", view.tenant, view.device)))
    }

    async fn rotate_secret(
        &self,
        tenant: &TenantId,
        device: &DeviceId,
        secret: &str,
        old_until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<()> {
        check::end_of_old_secret(old_until, now)?;
        let hash = sha256(secret.as_bytes());
        self.exchange(tenant, device, |held| held.rotate(hash, old_until))
    }

    async fn retire_secret(&self, tenant: &TenantId, device: &DeviceId) -> Result<()> {
        self.exchange(tenant, device, Credentials::retire)
    }

    async fn revoke_device(&self, tenant: &TenantId, device: &DeviceId, revoked: bool, _now: Timestamp) -> Result<()> {
        self.change(|state| {
            let known = state.named_mut(tenant, device);
            let known = known.ok_or_else(|| no_device(tenant, device))?;
            known.access.revoked = revoked;
            let id = known.id;
            if revoked {
                state.tell_access(AccessChange::Device(id));
            }
            Ok(())
        })
    }

    async fn declare_device(&self, tenant: &TenantId, device: &Device, now: Timestamp) -> Result<ApplianceId> {
        self.check_profile(&device.profile)?;
        let id = self.change(|state| {
            let id = state.add_device(tenant, device, None, now)?;
            if let Some(known) = state.appliances.get_mut(&id) {
                known.access.declare();
            }
            Ok(id)
        })?;
        self.changed();
        Ok(id)
    }

    async fn join_group(
        &self,
        tenant: &TenantId,
        device: &DeviceId,
        group: &str,
        _now: Timestamp,
    ) -> Result<ApplianceId> {
        self.change(|state| state.join_group(tenant, device, group))
    }

    async fn add_group(
        &self,
        tenant: &TenantId,
        name: &str,
        key: &[u8],
        profile: &str,
        enrols: bool,
        _now: Timestamp,
    ) -> Result<()> {
        check::credential_name(name)?;
        self.check_profile(profile)?;
        self.change(|state| state.add_group(tenant, name, key, profile, enrols))
    }

    async fn rotate_group(&self, tenant: &TenantId, name: &str, key: &[u8]) -> Result<()> {
        self.change(|state| state.rotate_group(tenant, name, key))
    }

    async fn retire_group(&self, tenant: &TenantId, name: &str) -> Result<()> {
        self.change(|state| state.retire_group(tenant, name))
    }

    async fn groups(&self, actor: &Actor) -> Result<Vec<KeyGroup>> {
        actor.may(Act::ReadAccess)?;
        Ok(self.state().groups(actor))
    }

    async fn group_secret(&self, tenant: &TenantId, name: &str, device: &DeviceId) -> Result<String> {
        let state = self.state();
        let group = state.group(tenant, name)?;
        Ok(hub_core::access::derived_secret(&group.current, device))
    }
}

impl MemoryStore {
    /// Changes access, then wakes the front door.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        let done = change(&mut self.state())?;
        self.signals().access();
        Ok(done)
    }

    fn exchange(
        &self,
        tenant: &TenantId,
        device: &DeviceId,
        decide: impl FnOnce(&mut Credentials) -> std::result::Result<Exchange, CredentialError>,
    ) -> Result<()> {
        let id = self.state().named(tenant, device).map(|known| known.id);
        let id = id.ok_or_else(|| no_device(tenant, device))?;
        self.change(|state| state.exchange(id, format!("device {tenant}/{device}"), decide))
    }
}

impl State {
    fn device_access(&self, id: ApplianceId) -> Option<DeviceAccess> {
        let appliance = self.appliances.get(&id)?;
        Some(DeviceAccess {
            appliance: id,
            tenant: appliance.tenant.clone(),
            device: appliance.device.clone(),
            profile: appliance.profile.clone(),
            revoked: appliance.access.revoked,
            secret: appliance.access.secret.is_some(),
            old_secret: appliance.access.old_secret.is_some(),
            old_secret_until: appliance.access.old_secret_until,
            group: appliance.access.group.clone(),
            certificates: 0,
            online: appliance.status.online,
        })
    }
}

fn no_device(tenant: &TenantId, device: &DeviceId) -> StoreError {
    not_found("device", format!("{tenant}/{device}"))
}
