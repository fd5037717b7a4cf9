//! What an appliance's baseline was learned under, and why it has started over.

use crate::api::schema;
use hub_core::baseline::{self, FirmwareChange, RestartReason};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// The normal of an appliance as its detector learns it: under which firmware, and why it has started over.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Baseline {
    /// Firmware as the device tells it; null where it tells none.
    firmware: Option<Firmware>,
    /// The newest restarts, the last one first; at most 20.
    restarts: Vec<Restart>,
}

/// Firmware of an appliance.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Firmware {
    /// Newest version that the device told.
    told: String,
    /// When the hub first received it after another one.
    told_at: Timestamp,
    /// Version that the baseline is learned under.
    baseline: String,
    /// What the restart for the newest version waits for; `nothing` where the two are the same.
    #[schema(schema_with = schema::words::<FirmwareWait>)]
    waits_for: FirmwareWait,
    /// When it restarts, where that waits for a time.
    waits_until: Option<Timestamp>,
}

/// What a restart for another firmware waits for.
#[derive(Debug, Serialize, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FirmwareWait {
    /// There is none.
    Nothing,
    /// The next reading.
    Reading,
    /// Open findings, and tickets about a fault, to be closed.
    Fault,
    /// Its time, since another restart was a short while ago.
    Time,
}

/// A baseline that has started over.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Restart {
    /// Time.
    at: Timestamp,
    /// Reason of it.
    #[schema(schema_with = schema::words::<Reason>)]
    reason: Reason,
    /// Version of the firmware before, where that is the reason.
    firmware_before: Option<String>,
    /// Version of the firmware since, where that is the reason.
    firmware_since: Option<String>,
}

/// Why a baseline has started over.
#[derive(Debug, Serialize, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    /// A ticket was closed as repaired.
    Repaired,
    /// It serves another household.
    NewOwner,
    /// It reports by another profile.
    OtherProfile,
    /// Its firmware is another one.
    Firmware,
}

impl Baseline {
    pub(crate) fn of(told: baseline::Baseline, now: Timestamp) -> Self {
        let (waits_for, waits_until) = match told.change(now) {
            FirmwareChange::Nothing => (FirmwareWait::Nothing, None),
            FirmwareChange::Due => (FirmwareWait::Reading, None),
            FirmwareChange::WaitsForFault => (FirmwareWait::Fault, None),
            FirmwareChange::WaitsUntil(until) => (FirmwareWait::Time, Some(until)),
        };
        Self {
            firmware: told.firmware.map(|firmware| Firmware {
                told: firmware.told,
                told_at: firmware.told_at,
                baseline: firmware.baseline,
                waits_for,
                waits_until,
            }),
            restarts: told.restarts.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<baseline::Restart> for Restart {
    fn from(restart: baseline::Restart) -> Self {
        let (reason, firmware_before, firmware_since) = match restart.reason {
            RestartReason::Repaired => (Reason::Repaired, None, None),
            RestartReason::NewOwner => (Reason::NewOwner, None, None),
            RestartReason::OtherProfile => (Reason::OtherProfile, None, None),
            RestartReason::Firmware { from, to } => (Reason::Firmware, Some(from), Some(to)),
        };
        Self {
            at: restart.at,
            reason,
            firmware_before,
            firmware_since,
        }
    }
}
