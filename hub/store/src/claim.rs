//! A household takes its appliance into its own name: the person who has the appliance at hand knows a code, and leaves name,
//! telephone number and what they allow.

use crate::error::Result;
use async_trait::async_trait;
use hub_core::actor::Actor;
use hub_core::consent::Consent;
use hub_core::id::{ApplianceId, DeviceId, PersonId, TenantId};
use hub_core::language::Language;
use hub_core::phone_number::PhoneNumber;
use jiff::Timestamp;
use std::time::Duration;

/// Shortest code, in bytes.
pub const CODE_LEN_MIN: usize = 4;
/// Longest code, in bytes.
pub const CODE_LEN_MAX: usize = 128;
/// Wrong codes after which a claim is closed.
pub const TRIES_MAX: i16 = 5;
/// A device that names no duration opens its claim for so long.
pub const DEVICE_WINDOW_DEFAULT: Duration = Duration::from_secs(10 * 60);
/// A device opens its claim for so long at most.
pub const DEVICE_WINDOW_MAX: Duration = Duration::from_secs(24 * 3600);
/// A code that was printed in advance holds for so long at most.
pub const PRINTED_WINDOW_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// `source` of ledger entries that come with a claim.
pub const OWNER_CLAIM: &str = "owner claim";

/// Who opened a claim. An appliance may have one of each open at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Opener {
    /// The device, because somebody pressed a button on it.
    Device,
    /// The maker, who printed the code or handed it over.
    Maker,
}

impl Opener {
    /// Word by which it is stored and told.
    pub fn name(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Maker => "maker",
        }
    }
}

/// What a new owner tells of themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerContact {
    /// Name for the person who rings back.
    pub name: String,
    /// Where they can be rung.
    pub phone: PhoneNumber,
    /// Language of calls.
    pub language: Language,
    /// IANA time zone of the household.
    pub zone: String,
    /// Whether they agree to service calls.
    pub consent: bool,
}

/// What came of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedOwner {
    /// Of which appliance.
    pub appliance: ApplianceId,
    /// Who owns it now, with their household: somebody with this number whom the tenant knew already, or a new household of one.
    pub owner: PersonId,
    /// What the ledger says now. A "yes" that comes with a claim does not undo what the person refused before: the one who
    /// types the number need not be its owner. What a site file took back is no refusal.
    pub consent: Consent,
}

/// Owner claims.
#[async_trait]
pub trait ClaimStore: Send + Sync {
    /// Opens a claim until `until`; one that the same opener had open gives way, with its count of wrong codes.
    /// `Refused` if the code is too short or too long, or the window ends too late for this opener.
    async fn open_claim(
        &self,
        appliance: ApplianceId,
        opener: Opener,
        code: &str,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<()>;

    /// Makes the holder of the code the owner: records owner and consent, links the appliance and closes its claims, all
    /// in one transaction. `NotFound` if the scope has no such device; `Refused` if no claim is open or the code is wrong.
    /// [`TRIES_MAX`] wrong codes close it.
    async fn claim_owner(
        &self,
        actor: &Actor,
        tenant: &TenantId,
        device: &DeviceId,
        code: &str,
        contact: &OwnerContact,
        now: Timestamp,
    ) -> Result<ClaimedOwner>;
}
