//! Floors that fleets have shown.

use hub_store::floors::FleetFloors;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Deviations that are harmless for one appliance model, as its fleet has shown it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Floors {
    /// Model and version that judge by them.
    model: String,
    /// Profile of the appliances.
    profile: String,
    /// What their devices say they are, or their profile.
    appliance_model: String,
    /// Month from which they hold, as `2026-03`.
    month: String,
    /// Appliances that they were learned from.
    appliances: u32,
    /// By feature: a share of the normal for `m/s2`, `A` and `W`, else in the feature's unit.
    floors: BTreeMap<String, f64>,
}

impl From<FleetFloors> for Floors {
    fn from(learned: FleetFloors) -> Self {
        Self {
            model: learned.fleet.model,
            profile: learned.fleet.profile,
            appliance_model: learned.appliance_model,
            month: learned.month.to_string(),
            appliances: learned.appliances,
            floors: learned.floors,
        }
    }
}
