//! Commands and attributes of devices, and what devices say of themselves.

use super::{MemoryStore, cursor, not_found, page, text, without_nul};
use crate::birth::KeptBirth;
use crate::check;
use crate::device::{CommandView, DeviceStore, UNPLACED_SAMPLES, Unplaced};
use crate::error::Result;
use crate::page::Page;
use crate::session::Attributes;
use crate::site::SiteStore;
use crate::telemetry::{Command, TelemetryStore};
use async_trait::async_trait;
use hub_core::actor::{Act, Actor};
use hub_core::id::ApplianceId;
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::cmp::Reverse;
use std::collections::BTreeSet;

#[async_trait]
impl DeviceStore for MemoryStore {
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
        check::same_command(command, queued)
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
            items: numbered.items.into_iter().map(|(_, row)| row.clone().at(now)).collect(),
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
        row.map(|row| row.clone().at(now))
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
        check::shared_attributes(shared.len())?;
        state.shared.insert(appliance, shared.clone());
        drop(state);
        self.signals().attributes(appliance);
        Ok(shared)
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
}
