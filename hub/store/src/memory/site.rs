//! Tenants, owners, service points, trunks and devices: what people and calls read of them.

use super::state::{Appliance, State, sha256};
use super::{MemoryStore, name_cursor, not_found, page, text};
use crate::error::Result;
use crate::page::Page;
use crate::site::{ApplianceView, OwnerView, SiteChange, SiteStore, TALLIES_MAX, TenantTally};
use async_trait::async_trait;
use hub_core::actor::{Act, Actor};
use hub_core::consent::{self, ConsentEntry};
use hub_core::id::{ApplianceId, DeviceId, OwnerId, TenantId};
use hub_core::site::{Device, ServicePoint, Site, Trunk};
use jiff::Timestamp;
use std::cmp::Reverse;
use std::collections::BTreeMap;

#[async_trait]
impl SiteStore for MemoryStore {
    async fn apply_site(&self, site: &Site, now: Timestamp, dry_run: bool) -> Result<Vec<SiteChange>> {
        self.apply(site, now, dry_run)
    }

    async fn add_device(
        &self,
        tenant: &TenantId,
        device: &Device,
        secret: &str,
        now: Timestamp,
    ) -> Result<ApplianceId> {
        if !self.shared.profiles.contains_key(&device.profile) {
            return Err(not_found("appliance profile", &device.profile));
        }
        let secret = sha256(secret.as_bytes());
        let id = self.state().add_device(tenant, device, Some(secret), now)?;
        self.changed();
        self.signals().access();
        Ok(id)
    }

    async fn set_consent(
        &self,
        tenant: &TenantId,
        owner: &str,
        given: bool,
        source: &str,
        now: Timestamp,
    ) -> Result<()> {
        let mut state = self.state();
        let id = state.owner_id(tenant, owner)?;
        state.write_consent(id, given, &text(source), now);
        Ok(())
    }

    async fn trunks(&self) -> Result<Vec<(TenantId, Trunk)>> {
        let state = self.state();
        let trunks = state.trunks.iter();
        Ok(trunks.map(|(tenant, trunk)| (tenant.clone(), trunk.clone())).collect())
    }

    async fn appliances(&self, actor: &Actor, after: Option<&str>, limit: usize) -> Result<Page<ApplianceView>> {
        actor.may(Act::ReadAppliances)?;
        let (tenant, device) = name_cursor(after)?;
        let state = self.state();
        let named = state
            .names
            .iter()
            .filter(|((of, name), id)| state.reaches(actor, **id) && (of.as_str(), name.as_str()) > (tenant, device));
        let views = named.filter_map(|(_, id)| Some(state.view(state.appliances.get(id)?)));
        Ok(page(views, limit, |view| format!("{}/{}", view.tenant, view.device)))
    }

    async fn appliance(&self, actor: &Actor, id: ApplianceId) -> Result<ApplianceView> {
        actor.may(Act::ReadAppliances)?;
        let state = self.state();
        state.seen(actor, id).map(|appliance| state.view(appliance))
    }

    async fn appliance_by_name(&self, tenant: &TenantId, device: &DeviceId) -> Result<ApplianceView> {
        let state = self.state();
        let appliance = state.named(tenant, device);
        let no_device = || not_found("device", format!("{tenant}/{device}"));
        appliance.map(|a| state.view(a)).ok_or_else(no_device)
    }

    async fn tallies(&self) -> Result<Vec<TenantTally>> {
        Ok(self.state().tallies())
    }
}

impl State {
    pub(super) fn view(&self, appliance: &Appliance) -> ApplianceView {
        let owner = appliance.owner.and_then(|id| self.owners.get(&id));
        let status = appliance.status.clone();
        ApplianceView {
            id: appliance.id,
            tenant: appliance.tenant.clone(),
            device: appliance.device.clone(),
            profile: appliance.profile.clone(),
            owner: owner.map(|owner| owner.name_in_tenant.clone()),
            service_point: appliance.service_point.clone(),
            online: status.online,
            presence_reason: status.presence_reason,
            presence_at: status.presence_at,
            last_sample_at: status.last_sample_at,
            samples: status.samples,
            quarantined: status.quarantined,
            skew_ms: status.skew_ms,
            gaps: status.gaps,
            dropped: status.dropped,
            repeated: status.repeated,
        }
    }

    /// An owner with their word as the ledger has it now.
    pub(super) fn owner_view(&self, id: OwnerId) -> Result<OwnerView> {
        let owner = self.owners.get(&id).ok_or_else(|| not_found("owner", id))?;
        let listed = |digits: &str| self.do_not_call.contains(&(owner.tenant.clone(), digits.to_owned()));
        Ok(OwnerView {
            id,
            name_in_tenant: owner.name_in_tenant.clone(),
            name: owner.name.clone(),
            phone: owner.phone.clone(),
            language: owner.language,
            zone: owner.zone.clone(),
            consent: consent::current(&owner.ledger),
            consent_at: owner.ledger.last().map(|entry| entry.at),
            do_not_call: owner.phone.as_ref().is_some_and(|phone| listed(phone.reveal())),
        })
    }

    pub(super) fn owner_id(&self, tenant: &TenantId, name: &str) -> Result<OwnerId> {
        let mut owners = self.owners.iter();
        owners
            .find(|(_, owner)| owner.tenant == *tenant && owner.name_in_tenant == name)
            .map(|(id, _)| *id)
            .ok_or_else(|| not_found("owner", name))
    }

    /// Rows of the ledger are only added.
    pub(super) fn write_consent(&mut self, owner: OwnerId, given: bool, source: &str, now: Timestamp) {
        if let Some(owner) = self.owners.get_mut(&owner) {
            owner.ledger.push(ConsentEntry {
                at: now,
                given,
                source: source.to_owned(),
            });
        }
    }

    pub(super) fn service_point(&self, tenant: &TenantId, id: &str) -> Option<&ServicePoint> {
        self.service_points.get(&(tenant.clone(), id.to_owned()))
    }

    /// Of the tenants with the most appliances, by name.
    fn tallies(&self) -> Vec<TenantTally> {
        let mut tallies: BTreeMap<&TenantId, TenantTally> = BTreeMap::new();
        for appliance in self.appliances.values() {
            let (kept, dropped) = self
                .quarantine_tally
                .get(&appliance.tenant)
                .copied()
                .unwrap_or_default();
            let tally = tallies.entry(&appliance.tenant).or_insert_with(|| TenantTally {
                tenant: appliance.tenant.clone(),
                appliances: 0,
                online: 0,
                samples: 0,
                quarantined: kept,
                quarantine_dropped: dropped,
                device_dropped_events: 0,
                device_dropped_telemetry: 0,
            });
            tally.appliances += 1;
            tally.online += i64::from(appliance.status.online);
            tally.samples += appliance.status.samples;
            if let Some(kept) = self.births.get(&appliance.id) {
                tally.device_dropped_events += kept.dropped_events_in_all.cast_signed();
                tally.device_dropped_telemetry += kept.dropped_telemetry_in_all.cast_signed();
            }
        }
        let mut tallies: Vec<TenantTally> = tallies.into_values().collect();
        tallies.sort_by_key(|tally| Reverse(tally.appliances));
        tallies.truncate(usize::try_from(TALLIES_MAX).unwrap_or(usize::MAX));
        tallies.sort_by(|a, b| a.tenant.cmp(&b.tenant));
        tallies
    }
}
