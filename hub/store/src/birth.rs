//! What a device that runs our agent says of itself. The broker reads it; here it is only kept.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a state on `d/{id}/s` says, as far as the hub reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateContent {
    /// A device that runs our agent is there, and says who it is.
    Birth(Box<Birth>),
    /// The will of such a device: what it said before still describes it.
    Gone,
    /// Anything else. Who says this runs something else, or does no longer run our agent.
    Other,
}

/// A birth message. Numbers are below 2^53.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Birth {
    /// The start that it is about: drawn at random, so in no order.
    pub boot: u64,
    /// The maker's name of the model.
    pub model: String,
    /// Version of the firmware.
    pub firmware: String,
    /// Version of the agent.
    pub sdk: String,
    /// Why the device started.
    pub reset: ResetReason,
    /// Commands may come to it in CBOR.
    pub takes_cbor: bool,
    /// Version of the settings (the shared attribute `reporting`) that are in force; 0 is none.
    pub settings: u64,
    /// Messages of the event lane that it gave up for want of room since that start.
    pub dropped_events: u64,
    /// The same of the telemetry lane.
    pub dropped_telemetry: u64,
}

/// Why a device started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
pub enum ResetReason {
    /// The firmware cannot tell.
    Unknown,
    /// Power came.
    PowerOn,
    /// By the reset pin.
    Pin,
    /// The firmware wanted it.
    Software,
    /// The firmware no longer served its watchdog.
    Watchdog,
    /// The supply fell too low.
    BrownOut,
    /// A fault or a panic.
    Fault,
    /// To start new firmware.
    Update,
}

/// The newest birth message of a device, with what was added up over its starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptBirth {
    /// As it came.
    pub birth: Birth,
    /// When the hub received it.
    pub at: Timestamp,
    /// Messages of the event lane that the device gave up, over all starts that it told of; at most [`DROPPED_MAX`].
    pub dropped_events_in_all: u64,
    /// The same of the telemetry lane.
    pub dropped_telemetry_in_all: u64,
}

/// Where counts over all starts stop: what a signed 64-bit column and a JSON number both hold exactly.
pub const DROPPED_MAX: u64 = (1 << 53) - 1;
