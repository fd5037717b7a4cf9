//! What people and integrators do with devices: commands, shared attributes, quarantine.

mod attribute;
mod birth;
mod command;
pub(crate) mod quarantine;
mod tally;
mod unplaced;

use crate::store::PostgresStore;
use async_trait::async_trait;
use hub_core::id::ApplianceId;
use hub_store::Scope;
use hub_store::birth::KeptBirth;
use hub_store::desk::{CommandView, DeskStore, Held, QuarantineFilter, TenantTally, Unplaced};
use hub_store::error::{Result, StoreError};
use hub_store::scope::Page;
use hub_store::session::Attributes;
use hub_store::site::SiteStore;
use hub_store::telemetry::{Command, Ingest, Ingested, TelemetryStore};
use jiff::Timestamp;
use serde_json::{Map, Value};

#[async_trait]
impl DeskStore for PostgresStore {
    async fn send_command(
        &self,
        scope: &Scope,
        appliance: ApplianceId,
        command: &Command,
        now: Timestamp,
    ) -> Result<CommandView> {
        self.appliance(scope, appliance).await?;
        self.queue_command(appliance, command, now).await?;
        let queued = command::one(self, scope, appliance, &command.request, now).await?;
        command::same(command, queued)
    }

    async fn commands(
        &self,
        scope: &Scope,
        appliance: ApplianceId,
        after: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page<CommandView>> {
        self.appliance(scope, appliance).await?;
        command::list(self, scope, appliance, after, limit, now).await
    }

    async fn command(
        &self,
        scope: &Scope,
        appliance: ApplianceId,
        request: &str,
        now: Timestamp,
    ) -> Result<CommandView> {
        self.appliance(scope, appliance).await?;
        command::one(self, scope, appliance, request, now).await
    }

    async fn device_attributes(&self, scope: &Scope, appliance: ApplianceId) -> Result<Attributes> {
        self.appliance(scope, appliance).await?;
        attribute::all(self, scope, appliance).await
    }

    async fn share_attributes(
        &self,
        scope: &Scope,
        appliance: ApplianceId,
        values: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<Map<String, Value>> {
        self.appliance(scope, appliance).await?;
        attribute::share(self, scope, appliance, values, now).await
    }

    async fn quarantine(
        &self,
        scope: &Scope,
        filter: &QuarantineFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Held>> {
        quarantine::list(self, scope, filter, after, limit).await
    }

    async fn held(&self, scope: &Scope, numbers: &[i64]) -> Result<Vec<Held>> {
        quarantine::chosen(self, scope, numbers).await
    }

    async fn tallies(&self) -> Result<Vec<TenantTally>> {
        tally::largest(self).await
    }

    async fn unplaced(&self, scope: &Scope, appliance: ApplianceId) -> Result<Unplaced> {
        self.appliance(scope, appliance).await?;
        unplaced::newest(self, appliance).await
    }

    async fn birth(&self, scope: &Scope, appliance: ApplianceId) -> Result<Option<KeptBirth>> {
        self.appliance(scope, appliance).await?;
        birth::newest(self, scope, appliance).await
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
