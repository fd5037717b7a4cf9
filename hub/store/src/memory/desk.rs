//! What people and integrators do with devices: commands, shared attributes, quarantine.

use super::{MemoryStore, cursor, not_found, page, text, without_nul};
use crate::birth::KeptBirth;
use crate::desk::{
    CommandView, DeskStore, Held, QuarantineFilter, SHARED_ATTRIBUTES_MAX, TALLIES_MAX, TenantTally, UNPLACED_SAMPLES,
    Unplaced,
};
use crate::error::{Result, StoreError};
use crate::page::Page;
use crate::session::Attributes;
use crate::site::SiteStore;
use crate::telemetry::{Command, Ingest, Ingested, TelemetryStore};
use async_trait::async_trait;
use hub_core::actor::{Act, Actor};
use hub_core::id::{ApplianceId, TenantId};
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

#[async_trait]
impl DeskStore for MemoryStore {
    async fn send_command(
        &self,
        actor: &Actor,
        appliance: ApplianceId,
        command: &Command,
        now: Timestamp,
    ) -> Result<CommandView> {
        actor.may(Act::SendCommands)?;
        self.appliance(actor, appliance).await?;
        self.queue_command(appliance, command, now).await?;
        let queued = self.command(actor, appliance, &command.request, now).await?;
        if queued.body == text(&command.body) {
            return Ok(queued);
        }
        Err(StoreError::Conflict(format!(
            "request {} of appliance {} was used for another command; choose another request id",
            command.request, queued.appliance
        )))
    }

    async fn commands(
        &self,
        actor: &Actor,
        appliance: ApplianceId,
        after: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page<CommandView>> {
        actor.may(Act::ReadCommands)?;
        self.appliance(actor, appliance).await?;
        let below = cursor(after)?.unwrap_or(i64::MAX);
        let state = self.state();
        let own = state
            .commands
            .range(..below)
            .rev()
            .filter(|(_, row)| row.appliance == appliance);
        let numbered = page(own, limit, |(number, _)| number.to_string());
        Ok(Page {
            items: numbered.items.into_iter().map(|(_, row)| row.view(now)).collect(),
            next: numbered.next,
        })
    }

    async fn command(
        &self,
        actor: &Actor,
        appliance: ApplianceId,
        request: &str,
        now: Timestamp,
    ) -> Result<CommandView> {
        actor.may(Act::ReadCommands)?;
        self.appliance(actor, appliance).await?;
        let mut state = self.state();
        let row = state.command_of(appliance, &text(request));
        row.map(|row| row.view(now))
            .ok_or_else(|| not_found("command", request))
    }

    async fn device_attributes(&self, actor: &Actor, appliance: ApplianceId) -> Result<Attributes> {
        actor.may(Act::ReadCommands)?;
        self.appliance(actor, appliance).await?;
        Ok(self.state().attributes(appliance))
    }

    async fn share_attributes(
        &self,
        actor: &Actor,
        appliance: ApplianceId,
        values: &Map<String, Value>,
        _now: Timestamp,
    ) -> Result<Map<String, Value>> {
        actor.may(Act::SendCommands)?;
        self.appliance(actor, appliance).await?;
        let mut state = self.state();
        let mut shared = state.shared.get(&appliance).cloned().unwrap_or_default();
        for (name, value) in values {
            if value.is_null() {
                shared.remove(&text(name));
            } else {
                shared.insert(text(name), without_nul(value.clone()));
            }
        }
        if shared.len() > SHARED_ATTRIBUTES_MAX {
            return Err(StoreError::Refused(format!(
                "a device is told at most {SHARED_ATTRIBUTES_MAX} attributes; take some away with null"
            )));
        }
        state.shared.insert(appliance, shared.clone());
        drop(state);
        self.signals().attributes(appliance);
        Ok(shared)
    }

    async fn quarantine(
        &self,
        actor: &Actor,
        filter: &QuarantineFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Held>> {
        actor.may(Act::ReadQuarantine)?;
        let below = cursor(after)?.unwrap_or(i64::MAX);
        let reason = filter.reason.as_deref().map(|reason| text(reason).to_lowercase());
        let state = self.state();
        let held = state.quarantine.range(..below).rev();
        let held = held
            .filter_map(|(number, kept)| state.held(*number, kept))
            .filter(|held| {
                state.reaches(actor, held.kept.appliance)
                    && filter.appliance.is_none_or(|id| held.kept.appliance == id)
                    && reason
                        .as_ref()
                        .is_none_or(|reason| held.kept.reason.to_lowercase().contains(reason))
            });
        Ok(page(held, limit, |held| held.number.to_string()))
    }

    async fn held(&self, actor: &Actor, numbers: &[i64]) -> Result<Vec<Held>> {
        actor.may(Act::ReadQuarantine)?;
        let state = self.state();
        let numbers: BTreeSet<i64> = numbers.iter().copied().collect();
        let held = numbers
            .iter()
            .filter_map(|number| state.held(*number, state.quarantine.get(number)?));
        Ok(held.filter(|held| state.reaches(actor, held.kept.appliance)).collect())
    }

    async fn tallies(&self) -> Result<Vec<TenantTally>> {
        let state = self.state();
        let mut tallies: BTreeMap<&TenantId, TenantTally> = BTreeMap::new();
        for appliance in state.appliances.values() {
            let (kept, dropped) = state
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
            if let Some(kept) = state.births.get(&appliance.id) {
                tally.device_dropped_events += kept.dropped_events_in_all.cast_signed();
                tally.device_dropped_telemetry += kept.dropped_telemetry_in_all.cast_signed();
            }
        }
        let mut tallies: Vec<TenantTally> = tallies.into_values().collect();
        tallies.sort_by_key(|tally| Reverse(tally.appliances));
        tallies.truncate(usize::try_from(TALLIES_MAX).unwrap_or(usize::MAX));
        tallies.sort_by(|a, b| a.tenant.cmp(&b.tenant));
        Ok(tallies)
    }

    async fn unplaced(&self, actor: &Actor, appliance: ApplianceId) -> Result<Unplaced> {
        actor.may(Act::ReadAppliances)?;
        self.appliance(actor, appliance).await?;
        let state = self.state();
        let mut extras: Vec<_> = state
            .rows_of(appliance)
            .filter(|row| !row.swept)
            .map(|row| (row.stored.at, &row.extra))
            .collect();
        extras.sort_by_key(|(at, _)| Reverse(*at));
        extras.truncate(usize::try_from(UNPLACED_SAMPLES).unwrap_or(usize::MAX));
        let names = |kind: &str| -> Vec<String> {
            let objects = extras
                .iter()
                .filter_map(|(_, extra)| extra.as_ref()?.get(kind)?.as_object());
            let names: BTreeSet<String> = objects.flat_map(|object| object.keys().cloned()).collect();
            names.into_iter().collect()
        };
        Ok(Unplaced {
            unknown: names("unknown"),
            out_of_range: names("out_of_range"),
        })
    }

    async fn birth(&self, actor: &Actor, appliance: ApplianceId) -> Result<Option<KeptBirth>> {
        actor.may(Act::ReadAppliances)?;
        self.appliance(actor, appliance).await?;
        Ok(self.state().births.get(&appliance).cloned())
    }

    async fn replay(&self, number: i64, content: Ingest) -> Result<Ingested> {
        let replayed = Ingest::Replayed {
            appliance: content.appliance(),
            number,
            content: Box::new(content),
        };
        let answers = self.ingest(&[replayed]).await?;
        let none = || StoreError::Refused("the store gave no answer for a replayed payload".to_owned());
        answers.first().copied().ok_or_else(none)
    }

    async fn still_held(&self, number: i64, reason: &str) -> Result<()> {
        self.state().keep_held(number, reason);
        Ok(())
    }
}
