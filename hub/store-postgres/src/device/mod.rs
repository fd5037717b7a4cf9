//! Commands and attributes of devices, and what devices say of themselves.

mod attribute;
mod birth;
mod command;
mod unplaced;

use crate::store::PostgresStore;
use async_trait::async_trait;
use hub_core::actor::{Act, Actor};
use hub_core::id::ApplianceId;
use hub_store::birth::KeptBirth;
use hub_store::check;
use hub_store::device::{CommandView, DeviceStore, Unplaced};
use hub_store::error::Result;
use hub_store::page::Page;
use hub_store::session::Attributes;
use hub_store::site::SiteStore;
use hub_store::telemetry::{Command, TelemetryStore};
use jiff::Timestamp;
use serde_json::{Map, Value};

#[async_trait]
impl DeviceStore for PostgresStore {
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
}
