//! Who is connected.

use super::device_side::DeviceSide;
use super::integrator_side::IntegratorSide;
use super::question::Questions;
use crate::quotas::Allowance;
use crate::registry::{Identity, Proof};
use hub_core::id::TenantId;
use hub_store::access::Claimant;

/// A client that was let in.
pub(super) struct Client {
    pub(super) identity: Identity,
    pub(super) tenant: TenantId,
    /// Of device, integrator or claim credential, within the tenant.
    pub(super) name: String,
    pub(super) allowance: Allowance,
    /// Changes of access that the log-in knew of.
    pub(super) changes: u64,
    /// Until it is told that it is connected.
    pub(super) proof: Option<Box<Proof>>,
    /// It was told so.
    pub(super) entered: bool,
    pub(super) side: Side,
    /// A question that is not about readings is under way, and those behind it: at most as many as publishes in flight.
    pub(super) questions: Questions,
}

/// What the connection knows of it, by what it is.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are devices, and the whole is boxed"
)]
pub(super) enum Side {
    Device(DeviceSide),
    Integrator(IntegratorSide),
    Claimant(Claimant),
}
