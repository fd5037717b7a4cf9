//! Applying a site file: what differs is written and told; what it does not name stays.

mod household;

use super::MemoryStore;
use super::state::{Appliance, State, Tenant};
use crate::access::AccessChange;
use crate::error::{Result, StoreError};
use crate::site::SiteChange;
use hub_core::baseline::RestartReason;
use hub_core::id::{ApplianceId, HouseholdId, TenantId};
use hub_core::site::{self, Device, OWNER, ServicePoint, Site};
use jiff::Timestamp;

impl MemoryStore {
    pub(super) fn apply(&self, site: &Site, now: Timestamp, dry_run: bool) -> Result<Vec<SiteChange>> {
        site.check(&self.profile_names())
            .map_err(|error| StoreError::Refused(error.to_string()))?;
        let mut state = self.state();
        // What the check does not see, such as a tenant that is full, leaves everything as it was.
        let mut next = state.clone();
        let mut changes = Vec::new();
        for tenant in &site.tenants {
            next.put_tenant(tenant, now, &mut changes)?;
        }
        if !dry_run {
            *state = next;
            drop(state);
            self.changed();
            self.signals().access();
        }
        Ok(changes)
    }
}

fn note(changes: &mut Vec<SiteChange>, known: bool, kind: &'static str, id: String) {
    let action = if known { "change" } else { "add" };
    changes.push(SiteChange { action, kind, id });
}

impl State {
    fn put_tenant(&mut self, wanted: &site::Tenant, now: Timestamp, changes: &mut Vec<SiteChange>) -> Result<()> {
        let id = &wanted.id;
        let known = self.tenants.get(id);
        let same = known.is_some_and(|tenant| {
            (&tenant.brand, &tenant.call_rules, &tenant.visit_price, &tenant.labels)
                == (
                    &wanted.brand,
                    &wanted.call_rules,
                    &wanted.visit_price,
                    &wanted.ticket_labels,
                )
        });
        if !same {
            note(changes, known.is_some(), "tenant", id.to_string());
            let tenant = Tenant {
                brand: wanted.brand.clone(),
                call_rules: wanted.call_rules.clone(),
                visit_price: wanted.visit_price.clone(),
                labels: wanted.ticket_labels.clone(),
                tickets: known.map_or(0, |tenant| tenant.tickets),
                devices: known.map_or(0, |tenant| tenant.devices),
            };
            self.tenants.insert(id.clone(), tenant);
        }
        if let Some(trunk) = wanted
            .trunk
            .as_ref()
            .filter(|trunk| self.trunks.get(id) != Some(*trunk))
        {
            let before = self.trunks.insert(id.clone(), trunk.clone());
            note(changes, before.is_some(), "trunk", id.to_string());
        }
        self.put_retentions(id, &wanted.retentions, changes);
        self.put_budgets(id, &wanted.budgets, now, changes)?;
        for owner in &wanted.owners {
            self.put_household(id, OWNER, &owner.into(), now, changes)?;
        }
        for household in &wanted.households {
            self.put_household(id, "household", household, now, changes)?;
        }
        for point in &wanted.service_points {
            self.put_service_point(id, point, changes);
        }
        for device in &wanted.devices {
            self.file_device(id, device, now, changes)?;
        }
        Ok(())
    }

    fn put_service_point(&mut self, tenant: &TenantId, wanted: &ServicePoint, changes: &mut Vec<SiteChange>) {
        let place = (tenant.clone(), wanted.id.clone());
        if self.service_points.get(&place) == Some(wanted) {
            return;
        }
        let before = self.service_points.insert(place, wanted.clone());
        note(
            changes,
            before.is_some(),
            "service point",
            format!("{tenant}/{}", wanted.id),
        );
    }

    /// A secret that the file named before is no news: it may have been rotated or replaced since.
    fn file_device(
        &mut self,
        tenant: &TenantId,
        wanted: &Device,
        now: Timestamp,
        changes: &mut Vec<SiteChange>,
    ) -> Result<()> {
        let secret = wanted.secret_sha256.as_deref().map(secret_hash).transpose()?;
        let before = self
            .named(tenant, &wanted.id)
            .and_then(|appliance| appliance.site_secret);
        let news = secret.filter(|secret| before != Some(*secret));
        let id = self.put_device(tenant, wanted, news, now, changes)?;
        if let Some(appliance) = self.appliances.get_mut(&id).filter(|_| news.is_some()) {
            appliance.site_secret = news;
        }
        Ok(())
    }

    /// Makes a device or gives it a secret. Of one that exists only what else is stated changes; a new one is made as
    /// stated.
    pub(super) fn add_device(
        &mut self,
        tenant: &TenantId,
        stated: &Device,
        secret: Option<[u8; 32]>,
        now: Timestamp,
    ) -> Result<ApplianceId> {
        let mut wanted = stated.clone();
        if let Some(known) = self.named(tenant, &stated.id) {
            if known.access.revoked {
                return Err(StoreError::Refused(format!(
                    "device {tenant}/{} is revoked; let it in again with `forecall device restore` first",
                    stated.id
                )));
            }
            if known.profile != stated.profile {
                return Err(StoreError::Refused(format!(
                    "device {tenant}/{} reports by profile {}, not {}; change it in the site file",
                    stated.id, known.profile, stated.profile
                )));
            }
            let household = known.household.and_then(|id| self.households.get(&id));
            wanted.model = wanted.model.or(known.model.clone());
            wanted.owner = wanted.owner.or(household.map(|known| known.name_in_tenant.clone()));
            wanted.service_point = wanted.service_point.or(known.service_point.clone());
        }
        self.put_device(tenant, &wanted, secret, now, &mut Vec::new())
    }

    /// Brings one device to what is declared; without a secret the one it has stays.
    fn put_device(
        &mut self,
        tenant: &TenantId,
        wanted: &Device,
        secret: Option<[u8; 32]>,
        now: Timestamp,
        changes: &mut Vec<SiteChange>,
    ) -> Result<ApplianceId> {
        let household = wanted
            .owner
            .as_deref()
            .map(|name| self.household_id(tenant, name))
            .transpose()?;
        if let Some(point) = wanted
            .service_point
            .as_deref()
            .filter(|p| self.service_point(tenant, p).is_none())
        {
            return Err(StoreError::Refused(format!(
                "tenant {tenant} has no service point {point}"
            )));
        }
        let known = self.named(tenant, &wanted.id).cloned();
        let id = match &known {
            Some(before) => before.id,
            None => self.insert_device(tenant, &wanted.id, &wanted.profile)?.id,
        };
        let Some(appliance) = self.appliances.get_mut(&id) else {
            return Err(super::not_found("appliance", id));
        };
        // One that works already, in either place, is nothing new.
        let new_secret = secret.filter(|new| !appliance.access.takes(new, Timestamp::MIN));
        if known
            .as_ref()
            .is_some_and(|before| new_secret.is_none() && is_as(before, wanted, household))
        {
            return Ok(id);
        }
        appliance.profile.clone_from(&wanted.profile);
        appliance.model.clone_from(&wanted.model);
        appliance.household = household;
        appliance.service_point.clone_from(&wanted.service_point);
        if new_secret.is_some() {
            let access = &mut appliance.access;
            (access.secret, access.old_secret, access.old_secret_until) = (new_secret, None, None);
        }
        note(changes, known.is_some(), "device", format!("{tenant}/{}", wanted.id));
        let Some(before) = known else { return Ok(id) };
        if new_secret.is_some() && (before.access.secret.is_some() || before.access.old_secret.is_some()) {
            self.tell_access(AccessChange::Device(id));
        }
        if before.profile != wanted.profile {
            self.restart_baseline(id, RestartReason::OtherProfile, now)?;
        } else if before.household.is_some() && before.household != household {
            // A new household uses it in another way.
            self.restart_baseline(id, RestartReason::NewOwner, now)?;
        }
        Ok(id)
    }
}

fn is_as(before: &Appliance, wanted: &Device, household: Option<HouseholdId>) -> bool {
    before.household == household
        && before.profile == wanted.profile
        && before.model == wanted.model
        && before.service_point == wanted.service_point
}

fn secret_hash(digits: &str) -> Result<[u8; 32]> {
    let mut hash = [0; 32];
    hex::decode_to_slice(digits, &mut hash)
        .map_err(|_| StoreError::Refused("secret_sha256 must be 64 hexadecimal digits".to_owned()))?;
    Ok(hash)
}
