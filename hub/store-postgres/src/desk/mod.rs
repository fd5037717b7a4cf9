//! What people and integrators do with devices: commands, shared attributes, quarantine.

mod attribute;
mod birth;
mod command;
pub(crate) mod quarantine;
mod tally;
mod unplaced;

use crate::store::PostgresStore;
use async_trait::async_trait;
use hub_core::actor::{Act, Actor};
use hub_core::id::ApplianceId;
use hub_store::birth::KeptBirth;
use hub_store::desk::{CommandView, DeskStore, Held, QuarantineFilter, TenantTally, Unplaced};
use hub_store::error::{Result, StoreError};
use hub_store::page::Page;
use hub_store::session::Attributes;
use hub_store::site::SiteStore;
use hub_store::telemetry::{Command, Ingest, Ingested, TelemetryStore};
use jiff::Timestamp;
use serde_json::{Map, Value};

#[async_trait]
impl DeskStore for PostgresStore {
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
        let queued = command::one(self, actor, appliance, &command.request, now).await?;
        command::same(command, queued)
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
        command::list(self, actor, appliance, after, limit, now).await
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
        command::one(self, actor, appliance, request, now).await
    }

    async fn device_attributes(&self, actor: &Actor, appliance: ApplianceId) -> Result<Attributes> {
        actor.may(Act::ReadCommands)?;
        self.appliance(actor, appliance).await?;
        attribute::all(self, actor, appliance).await
    }

    async fn share_attributes(
        &self,
        actor: &Actor,
        appliance: ApplianceId,
        values: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<Map<String, Value>> {
        actor.may(Act::SendCommands)?;
        self.appliance(actor, appliance).await?;
        attribute::share(self, actor, appliance, values, now).await
    }

    async fn quarantine(
        &self,
        actor: &Actor,
        filter: &QuarantineFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Held>> {
        actor.may(Act::ReadQuarantine)?;
        quarantine::list(self, actor, filter, after, limit).await
    }

    async fn held(&self, actor: &Actor, numbers: &[i64]) -> Result<Vec<Held>> {
        actor.may(Act::ReadQuarantine)?;
        quarantine::chosen(self, actor, numbers).await
    }

    async fn tallies(&self) -> Result<Vec<TenantTally>> {
        tally::largest(self).await
    }

    async fn unplaced(&self, actor: &Actor, appliance: ApplianceId) -> Result<Unplaced> {
        actor.may(Act::ReadAppliances)?;
        self.appliance(actor, appliance).await?;
        unplaced::newest(self, appliance).await
    }

    async fn birth(&self, actor: &Actor, appliance: ApplianceId) -> Result<Option<KeptBirth>> {
        actor.may(Act::ReadAppliances)?;
        self.appliance(actor, appliance).await?;
        birth::newest(self, actor, appliance).await
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
        quarantine::keep(self, number, reason).await
    }
}

/// Where a page that is numbered downwards goes on.
fn below(after: Option<&str>) -> Result<i64> {
    match after {
        None => Ok(i64::MAX),
        Some(cursor) => cursor.parse().map_err(|_| crate::row::not_found("page after", cursor)),
    }
}
