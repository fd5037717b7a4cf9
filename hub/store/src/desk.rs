//! What a person or an integrator does with devices: commands, shared attributes, and payloads in quarantine.

use crate::birth::KeptBirth;
use crate::error::Result;
use crate::page::Page;
use crate::session::Attributes;
use crate::telemetry::{Command, Ingest, Ingested, Quarantined};
use async_trait::async_trait;
use hub_core::actor::Actor;
use hub_core::id::{ApplianceId, DeviceId, TenantId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How far a command has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandState {
    /// Waits for the device.
    Queued,
    /// Written to its connection.
    Sent,
    /// The device has acknowledged it (MQTT PUBACK).
    Taken,
    /// The device has answered.
    Replied,
    /// Its time passed without an answer.
    Expired,
}

/// A command with what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandView {
    /// Which appliance.
    pub appliance: ApplianceId,
    /// Request id.
    pub request: String,
    /// Payload, JSON.
    pub body: String,
    /// How far it has come.
    pub state: CommandState,
    /// When it was asked for.
    pub queued_at: Timestamp,
    /// When it was last written to the device's connection.
    pub sent_at: Option<Timestamp>,
    /// When the device acknowledged it.
    pub taken_at: Option<Timestamp>,
    /// When the device answered.
    pub replied_at: Option<Timestamp>,
    /// Not delivered after this.
    pub expires_at: Timestamp,
    /// The answer as published, cut to 4,096 bytes.
    pub reply: Option<Vec<u8>>,
}

/// A payload in quarantine, with what is needed to read it anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Number in quarantine; later ones are higher.
    pub number: i64,
    /// Whose.
    pub tenant: TenantId,
    /// Name of the device within the tenant.
    pub device: DeviceId,
    /// Profile that the device reports by now.
    pub profile: String,
    /// What is kept.
    pub kept: Quarantined,
}

/// Which payloads in quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QuarantineFilter {
    /// Only of this appliance.
    pub appliance: Option<ApplianceId>,
    /// Only those whose reason holds this text, whatever the case of its letters.
    pub reason: Option<String>,
}

/// What a device says that its profile does not know, in its newest samples.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unplaced {
    /// Names or ids of channels that the profile does not have; kept beside the readings.
    pub unknown: Vec<String>,
    /// Channels that had a value outside the range that the profile states.
    pub out_of_range: Vec<String>,
}

/// Newest samples that are looked at for [`Unplaced`].
pub const UNPLACED_SAMPLES: i64 = 500;

/// What there is of one tenant, in numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantTally {
    /// Whose.
    pub tenant: TenantId,
    /// Appliances.
    pub appliances: i64,
    /// Of these with a session.
    pub online: i64,
    /// Samples stored.
    pub samples: i64,
    /// Payloads in quarantine.
    pub quarantined: i64,
    /// Payloads that gave way to newer ones in quarantine.
    pub quarantine_dropped: i64,
    /// Messages of the event lane that devices gave up for want of room, as they say themselves.
    pub device_dropped_events: i64,
    /// The same of the telemetry lane.
    pub device_dropped_telemetry: i64,
}

/// Most tenants counted.
pub const TALLIES_MAX: i64 = 100;

/// Most attributes told to one device.
pub const SHARED_ATTRIBUTES_MAX: usize = 256;

/// Commands, shared attributes and quarantine.
#[async_trait]
pub trait DeskStore: Send + Sync {
    /// Queues a command for a device of this scope. The same `request` with the same body again changes nothing;
    /// `Conflict` with another body, `Refused` if too many wait.
    async fn send_command(
        &self,
        actor: &Actor,
        appliance: ApplianceId,
        command: &Command,
        now: Timestamp,
    ) -> Result<CommandView>;

    /// Commands of a device, newest first.
    async fn commands(
        &self,
        actor: &Actor,
        appliance: ApplianceId,
        after: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page<CommandView>>;

    /// One command.
    async fn command(
        &self,
        actor: &Actor,
        appliance: ApplianceId,
        request: &str,
        now: Timestamp,
    ) -> Result<CommandView>;

    /// Attributes of a device, both kinds.
    async fn device_attributes(&self, actor: &Actor, appliance: ApplianceId) -> Result<Attributes>;

    /// Tells a device attributes: each replaces the one of the same name, `null` takes it away. `Refused` beyond
    /// [`SHARED_ATTRIBUTES_MAX`]. Answers with all that are told now.
    async fn share_attributes(
        &self,
        actor: &Actor,
        appliance: ApplianceId,
        values: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<Map<String, Value>>;

    /// Payloads in quarantine, newest first.
    async fn quarantine(
        &self,
        actor: &Actor,
        filter: &QuarantineFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Held>>;

    /// These payloads, as far as they are in quarantine and in scope, oldest first.
    async fn held(&self, actor: &Actor, numbers: &[i64]) -> Result<Vec<Held>>;

    /// Numbers of the [`TALLIES_MAX`] tenants with the most appliances, at most half a minute old.
    async fn tallies(&self) -> Result<Vec<TenantTally>>;

    /// What of a device's newest samples its profile does not know.
    async fn unplaced(&self, actor: &Actor, appliance: ApplianceId) -> Result<Unplaced>;

    /// What a device that runs our agent said last of itself; `None` of one that does not.
    async fn birth(&self, actor: &Actor, appliance: ApplianceId) -> Result<Option<KeptBirth>>;

    /// Stores what a payload in quarantine holds, now that it can be read, and takes it out of quarantine: both in one
    /// transaction. If it has left quarantine before, nothing is stored and it counts as repeated.
    async fn replay(&self, number: i64, content: Ingest) -> Result<Ingested>;

    /// Writes why a payload still cannot be taken. Nothing happens if it has left quarantine.
    async fn still_held(&self, number: i64, reason: &str) -> Result<()>;
}
