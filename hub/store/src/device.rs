//! A device as a person or an integrator handles it: its commands, its attributes, and what it says of itself.

use crate::birth::KeptBirth;
use crate::error::Result;
use crate::page::Page;
use crate::session::Attributes;
use crate::telemetry::Command;
use async_trait::async_trait;
use hub_core::actor::Actor;
use hub_core::id::ApplianceId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How far a command has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::VariantArray)]
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
    /// The appliance.
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

impl CommandView {
    /// With the state that it has at `now`.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        let state = match (self.replied_at, self.taken_at, self.sent_at) {
            (Some(_), ..) => CommandState::Replied,
            _ if self.expires_at <= now => CommandState::Expired,
            (None, Some(_), _) => CommandState::Taken,
            (None, None, Some(_)) => CommandState::Sent,
            (None, None, None) => CommandState::Queued,
        };
        Self { state, ..self }
    }
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

/// Most attributes told to one device.
pub const SHARED_ATTRIBUTES_MAX: usize = 256;

/// Commands, shared attributes, and what a device says of itself.
#[async_trait]
pub trait DeviceStore: Send + Sync {
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

    /// What of a device's newest samples its profile does not know.
    async fn unplaced(&self, actor: &Actor, appliance: ApplianceId) -> Result<Unplaced>;

    /// What a device that runs our agent said last of itself; `None` of one that does not.
    async fn birth(&self, actor: &Actor, appliance: ApplianceId) -> Result<Option<KeptBirth>>;
}
