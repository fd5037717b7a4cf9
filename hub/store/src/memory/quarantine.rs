//! Payloads that could not be taken: bounded for each tenant, and left by what can be read now.

use super::ingest::stored;
use super::state::State;
use super::{MemoryStore, cursor, page, text};
use crate::bounds::QUARANTINE_REASON_MAX;
use crate::error::{Result, StoreError};
use crate::page::Page;
use crate::quarantine::{QuarantineEntry, QuarantineFilter, QuarantineStore};
use crate::telemetry::{
    ASIDE_COMPARED_MAX, Ingest, Ingested, QUARANTINE_PAYLOAD_MAX, QUARANTINE_ROWS_MAX, Quarantined, TelemetryStore,
};
use async_trait::async_trait;
use hub_core::actor::{Act, Actor};
use hub_core::id::TenantId;
use hub_core::telemetry::REPEATS_WITHIN;
use std::collections::BTreeSet;

#[async_trait]
impl QuarantineStore for MemoryStore {
    async fn quarantine(
        &self,
        actor: &Actor,
        filter: &QuarantineFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<QuarantineEntry>> {
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

    async fn held(&self, actor: &Actor, numbers: &[i64]) -> Result<Vec<QuarantineEntry>> {
        actor.may(Act::ReadQuarantine)?;
        let state = self.state();
        let numbers: BTreeSet<i64> = numbers.iter().copied().collect();
        let held = numbers
            .iter()
            .filter_map(|number| state.held(*number, state.quarantine.get(number)?));
        Ok(held.filter(|held| state.reaches(actor, held.kept.appliance)).collect())
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

impl State {
    pub(super) fn take_quarantined(&mut self, payload: &Quarantined) -> Ingested {
        let number = self.number();
        let Some(appliance) = self.appliances.get_mut(&payload.appliance) else {
            return stored(0);
        };
        appliance.status.quarantined += 1;
        let tenant = appliance.tenant.clone();
        let kept = Quarantined {
            topic: text(&payload.topic),
            payload: payload.payload[..payload.payload.len().min(QUARANTINE_PAYLOAD_MAX)].to_vec(),
            reason: text(&payload.reason),
            ..payload.clone()
        };
        self.quarantine.insert(number, kept);
        let tally = self.quarantine_tally.entry(tenant.clone()).or_default();
        tally.0 += 1;
        if tally.0 > QUARANTINE_ROWS_MAX {
            *tally = (tally.0 - 1, tally.1 + 1);
            if let Some(oldest) = self.oldest_held(&tenant) {
                self.quarantine.remove(&oldest);
            }
        }
        stored(1)
    }

    /// Whether the same payload was put aside a little while ago.
    pub(super) fn has_aside(&self, payload: &Quarantined) -> bool {
        let of_appliance = self
            .quarantine
            .values()
            .rev()
            .filter(|held| held.appliance == payload.appliance);
        of_appliance.take(ASIDE_COMPARED_MAX).any(|held| {
            let apart = payload.received_at.duration_since(held.received_at).abs();
            held.payload == payload.payload && apart < REPEATS_WITHIN
        })
    }

    fn oldest_held(&self, tenant: &TenantId) -> Option<i64> {
        let is_theirs = |held: &Quarantined| {
            self.appliances
                .get(&held.appliance)
                .is_some_and(|a| a.tenant == *tenant)
        };
        let mut held = self.quarantine.iter();
        held.find(|(_, held)| is_theirs(held)).map(|(number, _)| *number)
    }

    /// Takes a payload out of quarantine; whether it was there.
    pub(super) fn release(&mut self, number: i64) -> bool {
        let Some(held) = self.quarantine.remove(&number) else {
            return false;
        };
        if let Some(appliance) = self.appliances.get_mut(&held.appliance) {
            appliance.status.quarantined = (appliance.status.quarantined - 1).max(0);
            let tally = self.quarantine_tally.entry(appliance.tenant.clone()).or_default();
            tally.0 = (tally.0 - 1).max(0);
        }
        true
    }

    pub(super) fn keep_held(&mut self, number: i64, reason: &str) {
        if let Some(held) = self.quarantine.get_mut(&number) {
            held.reason = text(reason).chars().take(QUARANTINE_REASON_MAX).collect();
        }
    }

    /// As people see it.
    pub(super) fn held(&self, number: i64, kept: &Quarantined) -> Option<QuarantineEntry> {
        let appliance = self.appliances.get(&kept.appliance)?;
        Some(QuarantineEntry {
            number,
            tenant: appliance.tenant.clone(),
            device: appliance.device.clone(),
            profile: appliance.profile.clone(),
            kept: kept.clone(),
        })
    }
}
