//! Groups of devices whose secrets derive from one key.

use super::not_found;
use super::state::{Group, State};
use crate::access::AccessChange;
use crate::check;
use crate::credential::{GROUPS_MAX, KeyGroup};
use crate::error::{Result, StoreError};
use hub_core::access::derived_secret;
use hub_core::actor::Actor;
use hub_core::id::{ApplianceId, DeviceId, TenantId};

impl Group {
    /// Whether `secret` is what one of its keys gives `device`.
    pub(super) fn knows(&self, device: &DeviceId, secret: &str) -> bool {
        let mut keys = std::iter::once(&self.current).chain(&self.previous);
        keys.any(|key| derived_secret(key, device) == secret)
    }
}

impl State {
    pub(super) fn group(&self, tenant: &TenantId, name: &str) -> Result<&Group> {
        let group = self.groups.get(&(tenant.clone(), name.to_owned()));
        group.ok_or_else(|| no_group(tenant, name))
    }

    fn group_mut(&mut self, tenant: &TenantId, name: &str) -> Result<&mut Group> {
        let group = self.groups.get_mut(&(tenant.clone(), name.to_owned()));
        group.ok_or_else(|| no_group(tenant, name))
    }

    pub(super) fn add_group(
        &mut self,
        tenant: &TenantId,
        name: &str,
        key: &[u8],
        profile: &str,
        enrols: bool,
    ) -> Result<()> {
        check::group_key(key)?;
        let there = self
            .groups
            .keys()
            .filter(|(of, other)| of == tenant && other != name)
            .count();
        self.check_places(tenant, there, GROUPS_MAX)?;
        let place = (tenant.clone(), name.to_owned());
        if self.groups.contains_key(&place) {
            return Err(StoreError::Refused(format!(
                "key group {tenant}/{name} is there already; rotate its key, or take another name"
            )));
        }
        let group = Group {
            profile: profile.to_owned(),
            enrols,
            current: key.to_vec(),
            previous: None,
        };
        self.groups.insert(place, group);
        Ok(())
    }

    pub(super) fn rotate_group(&mut self, tenant: &TenantId, name: &str, key: &[u8]) -> Result<()> {
        check::group_key(key)?;
        let group = self.group_mut(tenant, name)?;
        if group.previous.is_some() {
            return Err(StoreError::Refused(format!(
                "key group {tenant}/{name} has an older key still; retire that one first"
            )));
        }
        group.previous = Some(std::mem::replace(&mut group.current, key.to_vec()));
        Ok(())
    }

    pub(super) fn retire_group(&mut self, tenant: &TenantId, name: &str) -> Result<()> {
        let group = self.group_mut(tenant, name)?;
        if group.previous.take().is_none() {
            return Err(StoreError::Refused(format!(
                "key group {tenant}/{name} has no older key to retire; rotate its key first"
            )));
        }
        let devices: Vec<ApplianceId> = self.devices_of(tenant, name).collect();
        for device in devices {
            self.tell_access(AccessChange::Device(device));
        }
        Ok(())
    }

    fn devices_of(&self, tenant: &TenantId, name: &str) -> impl Iterator<Item = ApplianceId> {
        let devices = self.appliances.values();
        let own = devices.filter(move |a| a.tenant == *tenant && a.access.group.as_deref() == Some(name));
        own.map(|appliance| appliance.id)
    }

    pub(super) fn join_group(&mut self, tenant: &TenantId, device: &DeviceId, name: &str) -> Result<ApplianceId> {
        let profile = self.group(tenant, name)?.profile.clone();
        if self.named(tenant, device).is_none() {
            self.insert_device(tenant, device, &profile)?;
        }
        let known = self.named_mut(tenant, device);
        let known = known.ok_or_else(|| not_found("device", format!("{tenant}/{device}")))?;
        if known.profile != profile {
            return Err(StoreError::Refused(format!(
                "device {tenant}/{device} reports by another profile than {profile}, which is the group's"
            )));
        }
        known.access.group = Some(name.to_owned());
        let id = known.id;
        self.tell_access(AccessChange::Device(id));
        Ok(id)
    }

    pub(super) fn groups(&self, actor: &Actor) -> Vec<KeyGroup> {
        let groups = self.groups.iter().filter(|((tenant, _), _)| actor.includes(tenant));
        groups
            .map(|((tenant, name), group)| KeyGroup {
                tenant: tenant.clone(),
                name: name.clone(),
                profile: group.profile.clone(),
                enrols: group.enrols,
                previous: group.previous.is_some(),
                devices: self.devices_of(tenant, name).count() as i64,
            })
            .collect()
    }

    /// Refuses one more than there may be, where `there` are others already.
    pub(super) fn check_places(&self, tenant: &TenantId, there: usize, most: i64) -> Result<()> {
        self.tenant(tenant)?;
        check::room(tenant, there as i64, most)
    }
}

fn no_group(tenant: &TenantId, name: &str) -> StoreError {
    not_found("key group", format!("{tenant}/{name}"))
}
