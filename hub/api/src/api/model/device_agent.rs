//! What the device agent of an appliance says of itself.

use crate::api::schema;
use hub_core::reporting::version_told;
use hub_store::birth::{KeptBirth, ResetReason};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// What the device agent of an appliance last said of itself.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeviceAgent {
    /// Time.
    at: Timestamp,
    /// The maker's name of the model.
    model: String,
    /// Version of the firmware.
    firmware: String,
    /// Version of the agent.
    sdk: String,
    /// Why the device started.
    #[schema(schema_with = schema::words::<ResetReason>)]
    reset: ResetReason,
    /// Whether commands go to it in CBOR; else they go in JSON.
    takes_cbor_commands: bool,
    /// Version of the shared attribute `reporting` that is in force on it; 0 for none.
    settings: u64,
    /// Version of the shared attribute `reporting` that it is told.
    settings_told: Option<u32>,
    /// Event messages that it gave up for want of room since it started.
    dropped_events: u64,
    /// Telemetry messages that it gave up for want of room since it started.
    dropped_telemetry: u64,
    /// Event messages that it gave up for want of room, over all starts that it told of.
    dropped_events_in_all: u64,
    /// Telemetry messages that it gave up for want of room, over all starts that it told of.
    dropped_telemetry_in_all: u64,
}

impl DeviceAgent {
    /// What was kept, with the settings among the attributes that the device is told.
    pub(crate) fn of(kept: KeptBirth, told: &Map<String, Value>) -> Self {
        let birth = kept.birth;
        Self {
            at: kept.at,
            model: birth.model,
            firmware: birth.firmware,
            sdk: birth.sdk,
            reset: birth.reset,
            takes_cbor_commands: birth.takes_cbor,
            settings: birth.settings,
            settings_told: version_told(told),
            dropped_events: birth.dropped_events,
            dropped_telemetry: birth.dropped_telemetry,
            dropped_events_in_all: kept.dropped_events_in_all,
            dropped_telemetry_in_all: kept.dropped_telemetry_in_all,
        }
    }
}
