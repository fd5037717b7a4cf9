//! Commands and attributes of devices, and what devices say of themselves.

mod attribute;
mod birth;
mod command;
mod unplaced;

use crate::store::PostgresStore;
use async_trait::async_trait;
use hub_core::id::ApplianceId;
use hub_store::Scope;
use hub_store::birth::KeptBirth;
use hub_store::device::{CommandView, DeviceStore, Unplaced};
use hub_store::error::Result;
use hub_store::scope::Page;
use hub_store::session::Attributes;
use hub_store::site::SiteStore;
use hub_store::telemetry::{Command, TelemetryStore};
use jiff::Timestamp;
use serde_json::{Map, Value};

#[async_trait]
impl DeviceStore for PostgresStore {
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

    async fn unplaced(&self, scope: &Scope, appliance: ApplianceId) -> Result<Unplaced> {
        self.appliance(scope, appliance).await?;
        unplaced::newest(self, appliance).await
    }

    async fn birth(&self, scope: &Scope, appliance: ApplianceId) -> Result<Option<KeptBirth>> {
        self.appliance(scope, appliance).await?;
        birth::newest(self, scope, appliance).await
    }
}
