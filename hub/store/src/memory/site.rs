//! Tenants, households, service points, trunks and devices: what people and calls read of them.

use super::state::{self, Appliance, State, sha256};
use super::{MemoryStore, name_cursor, not_found, page, text};
use crate::error::Result;
use crate::page::Page;
use crate::site::{ApplianceView, SiteChange, SiteStore, TALLIES_MAX, TenantTally};
use async_trait::async_trait;
use hub_core::actor::{Act, Actor};
use hub_core::consent::{ConsentEntry, Subject, current};
use hub_core::household::{Household, Number, Person};
use hub_core::id::{ApplianceId, DeviceId, HouseholdId, PersonId, TenantId};
use hub_core::number_plan::NumberPlan;
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
        household: &str,
        given: bool,
        source: &str,
        now: Timestamp,
    ) -> Result<()> {
        let mut state = self.state();
        let id = state.household_id(tenant, household)?;
        let persons = state.households.get(&id).map(|known| &known.persons);
        let first = persons.and_then(|persons| persons.first()).map(|person| person.id);
        let first = first.ok_or_else(|| not_found("household", household))?;
        state.write_consent(first, Subject::SERVICE_CALLS, given, &text(source), now);
        Ok(())
    }

    async fn number_plan(&self, tenant: &TenantId, zone: &str) -> Result<Option<NumberPlan>> {
        let state = self.state();
        let mut points = state.service_points.iter();
        let is_served = points.any(|((of, _), point)| of == tenant && point.zone == zone);
        let trunk = state.trunks.get(tenant).filter(|_| is_served);
        Ok(trunk.and_then(|trunk| trunk.number_plan.clone()))
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
        let household = appliance.household.and_then(|id| self.households.get(&id));
        let status = appliance.status.clone();
        ApplianceView {
            id: appliance.id,
            tenant: appliance.tenant.clone(),
            device: appliance.device.clone(),
            profile: appliance.profile.clone(),
            owner: household.map(|household| household.name_in_tenant.clone()),
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
            watching: self.watching.get(&appliance.id).cloned(),
        }
    }

    /// The household of an appliance, with what its persons' ledgers say now.
    pub(super) fn household_of(&self, appliance: &Appliance) -> Result<Option<Household>> {
        appliance.household.map(|id| self.household(id)).transpose()
    }

    fn household(&self, id: HouseholdId) -> Result<Household> {
        let known = self.households.get(&id).ok_or_else(|| not_found("household", id))?;
        let listed = |digits: &str| self.do_not_call.contains(&(known.tenant.clone(), digits.to_owned()));
        let persons = known.persons.iter().map(|person| Person {
            id: person.id,
            name: person.name.clone(),
            language: person.language,
            numbers: person
                .numbers
                .iter()
                .map(|number| Number {
                    number: number.clone(),
                    do_not_call: listed(number.reveal()),
                })
                .collect(),
            consents: current(&person.ledger),
        });
        Ok(Household {
            id,
            tenant: known.tenant.clone(),
            name_in_tenant: known.name_in_tenant.clone(),
            address: known.address.clone(),
            zone: known.zone.clone(),
            persons: persons.collect(),
        })
    }

    pub(super) fn household_id(&self, tenant: &TenantId, name: &str) -> Result<HouseholdId> {
        let mut households = self.households.iter();
        households
            .find(|(_, known)| known.tenant == *tenant && known.name_in_tenant == name)
            .map(|(id, _)| *id)
            .ok_or_else(|| not_found("household", name))
    }

    pub(super) fn person(&self, id: PersonId) -> Option<&state::Person> {
        let mut persons = self.households.values().flat_map(|known| &known.persons);
        persons.find(|person| person.id == id)
    }

    /// Rows of the ledger are only added.
    pub(super) fn write_consent(
        &mut self,
        person: PersonId,
        subject: Subject,
        given: bool,
        source: &str,
        now: Timestamp,
    ) {
        let mut persons = self.households.values_mut().flat_map(|known| &mut known.persons);
        if let Some(person) = persons.find(|known| known.id == person) {
            person.ledger.push(ConsentEntry {
                subject,
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
