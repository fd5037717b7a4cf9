//! Floors that a fleet of one appliance model has shown to be harmless, and how far its appliances wander.

use crate::error::Result;
use async_trait::async_trait;
use hub_core::actor::Actor;
use hub_core::budget::Month;
use hub_core::id::{ApplianceId, TenantId};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Appliances of one tenant that are watched by one model.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fleet {
    /// Tenant that owns the appliances.
    pub tenant: TenantId,
    /// Model and version that watch them.
    pub model: String,
    /// Profile that they report by: family `generic` watches several.
    pub profile: String,
}

/// Floors of one appliance model in a fleet.
#[derive(Debug, Clone, PartialEq)]
pub struct FleetFloors {
    /// The fleet.
    pub fleet: Fleet,
    /// What its devices say they are, or else their profile.
    pub appliance_model: String,
    /// Month from which they hold (UTC).
    pub month: Month,
    /// By feature, as a manifest has them: above 0, a share of the normal for `m/s2`, `A` and `W`, else in the feature's unit.
    pub floors: BTreeMap<String, f64>,
    /// Appliances that they were learned from.
    pub appliances: u32,
}

/// What the detector of an appliance holds that has been watched for long, and of which nothing is known to be wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wandered {
    /// The appliance.
    pub appliance: ApplianceId,
    /// What its device says it is, or else its profile.
    pub appliance_model: String,
    /// State of its detector, as its checkpoint has it.
    pub state: Vec<u8>,
}

/// A page of a fleet, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WanderedPage {
    /// Those appliances of the page that floors are learned from, in order of their ids: often few, or none.
    pub of: Vec<Wandered>,
    /// The last appliance that was looked at, behind which the next page begins; none when the fleet ends with this page.
    pub last: Option<ApplianceId>,
}

/// Most appliances that are looked at for a page. A state has about 1 kB.
pub const WANDERED_MAX: usize = 500;

/// Floors of fleets.
#[async_trait]
pub trait FloorStore: Send + Sync {
    /// Floors of all tenants, by fleet and appliance model: what detectors are to judge by.
    async fn floors_in_force(&self) -> Result<Vec<FleetFloors>>;

    /// Floors of a tenant's fleets, by model, profile and appliance model.
    async fn floors(&self, actor: &Actor, tenant: &TenantId) -> Result<Vec<FleetFloors>>;

    /// States of detectors of the next `limit` appliances behind `after`, at most [`WANDERED_MAX`], in order of their ids: appliances of
    /// the fleet's tenant and profile, whatever watches them, so that a page costs no more where floors are learned from few. Left out
    /// is an appliance that has not been watched without a break since `watched_since`, one of which a finding is open or a ticket about
    /// a fault is not closed, and one in which a fault was found since it is watched.
    async fn wandered(
        &self,
        fleet: &Fleet,
        watched_since: Timestamp,
        after: Option<ApplianceId>,
        limit: usize,
    ) -> Result<WanderedPage>;

    /// Puts floors in force, each in place of those before of its fleet and appliance model, and forgets all that hold from a month
    /// before `forgotten_before`: no fleet has shown them since.
    async fn save_floors(&self, floors: &[FleetFloors], forgotten_before: Month) -> Result<()>;
}
