//! Tenants, households, service points, trunks and devices.

use crate::error::Result;
use crate::page::Page;
use async_trait::async_trait;
use hub_core::actor::{Act, Actor};
use hub_core::consent::{Consent, Subject};
use hub_core::household::{Household, Number};
use hub_core::id::{ApplianceId, DeviceId, PersonId, TenantId};
use hub_core::language::Language;
use hub_core::number_plan::NumberPlan;
use hub_core::phone_number::PhoneNumber;
use hub_core::site::{Site, Trunk};
use hub_core::watching::Watching;
use jiff::Timestamp;
use serde::Serialize;

/// An appliance as lists and tickets show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApplianceView {
    /// Id of the appliance.
    pub id: ApplianceId,
    /// Tenant that owns the appliance.
    pub tenant: TenantId,
    /// Name of its device within the tenant.
    pub device: DeviceId,
    /// Profile, which is also the family.
    pub profile: String,
    /// Name of its household within the tenant.
    pub owner: Option<String>,
    /// Its service point.
    pub service_point: Option<String>,
    /// A session is up.
    pub online: bool,
    /// Why the last session ended: a code such as `keep_alive`, a colon and a sentence; or `connected`, `stopping`.
    pub presence_reason: String,
    /// When it last connected or left.
    pub presence_at: Option<Timestamp>,
    /// Event time of the newest sample.
    pub last_sample_at: Option<Timestamp>,
    /// Samples stored.
    pub samples: i64,
    /// Payloads in quarantine.
    pub quarantined: i64,
    /// Hub's clock less the device's at the newest message, in ms.
    pub skew_ms: Option<i64>,
    /// Samples whose sequence numbers were passed over and have not come since.
    pub gaps: i64,
    /// Publishes that the hub dropped; what the device itself gave up is in its birth message.
    pub dropped: i64,
    /// Samples that came again and were stored before.
    pub repeated: i64,
    /// What its detector last said of whether it is watched; none where no model has had a reading of it.
    pub watching: Option<Watching>,
}

/// The person of a household who is rung, or who calls. The number masks itself wherever it is shown or serialised.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OwnerView {
    /// Id of the person.
    pub id: PersonId,
    /// Name of the household within the tenant.
    pub name_in_tenant: String,
    /// Name for people.
    pub name: String,
    /// Where they are rung, or ring from.
    pub phone: Option<PhoneNumber>,
    /// Language of calls.
    pub language: Language,
    /// IANA time zone of the household.
    pub zone: String,
    /// What the ledger says now of calls about a predicted fault.
    pub consent: Consent,
    /// When it said so.
    pub consent_at: Option<Timestamp>,
    /// The number is on the do-not-call list.
    pub do_not_call: bool,
    /// The household, with all its persons.
    pub household: Household,
}

impl OwnerView {
    /// The person who is rung by [`Household::to_ring`]; none if the household has no persons.
    pub fn to_ring(household: Household) -> Option<Self> {
        let person = household.to_ring(Subject::SERVICE_CALLS)?.id;
        Self::of(household, person, |_| true)
    }

    /// The same as `actor` reads it with a ticket: where a household lives is for those who go there, and who arrange it.
    pub fn on_ticket(mut household: Household, actor: &Actor) -> Option<Self> {
        if actor.may(Act::AttendVisits).is_err() {
            household.address = None;
        }
        Self::to_ring(household)
    }

    /// The person who calls from this number; none where nobody has it any more.
    pub fn who_calls(household: Household, number: &PhoneNumber) -> Option<Self> {
        let person = household.who_has(number)?.id;
        Self::of(household, person, |own| own.number == *number)
    }

    /// A person at the first of their numbers that fits: the one that is dialled, if it does.
    fn of(household: Household, person: PersonId, fits: impl Fn(&Number) -> bool) -> Option<Self> {
        let subject = Subject::SERVICE_CALLS;
        let person = household.persons.iter().find(|own| own.id == person)?;
        let number = person.number().filter(|own| fits(own));
        let number = number.or_else(|| person.numbers.iter().find(|own| fits(own)));
        Some(Self {
            id: person.id,
            name_in_tenant: household.name_in_tenant.clone(),
            name: person.name.clone(),
            phone: number.map(|own| own.number.clone()),
            language: person.language,
            zone: household.zone.clone(),
            consent: person.consent(subject),
            consent_at: person.consent_at(subject),
            do_not_call: number.is_some_and(|own| own.do_not_call),
            household,
        })
    }
}

/// One thing that applying a site file changes (or would change).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SiteChange {
    /// `add`, `change`, `remove` or `retire`.
    pub action: &'static str,
    /// Kind of thing.
    pub kind: &'static str,
    /// Id of it.
    pub id: String,
}

/// What there is of one tenant, in numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantTally {
    /// Tenant that owns the numbers.
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

/// Tenants, households, service points, trunks and devices.
#[async_trait]
pub trait SiteStore: Send + Sync {
    /// Brings the store to what the site file declares; things it does not name stay. With `dry_run` nothing is kept.
    /// `Refused`, with nothing written, where the file contradicts itself or names more new devices than a tenant may have.
    /// A store may write a site in several transactions, each of which leaves a site that could have been declared so: an
    /// household comes with what the file says of consent, a device after what it names. What an error cuts off is then
    /// finished by applying the same site again.
    async fn apply_site(&self, site: &Site, now: Timestamp, dry_run: bool) -> Result<Vec<SiteChange>>;

    /// Gives a device a secret, and makes the device if it is new. The secret is stored hashed. Of a device that exists
    /// only what else `device` states is changed; `Refused` if it states another profile than the device has.
    async fn add_device(
        &self,
        tenant: &TenantId,
        device: &hub_core::site::Device,
        secret: &str,
        now: Timestamp,
    ) -> Result<ApplianceId>;

    /// Writes a new consent entry of the first person of a household, on calls about a predicted fault.
    async fn set_consent(
        &self,
        tenant: &TenantId,
        household: &str,
        given: bool,
        source: &str,
        now: Timestamp,
    ) -> Result<()>;

    /// Number plan of a tenant's trunk, by which households of a time zone write numbers without `+`; none where there is no trunk, no
    /// plan or no tenant, or the tenant has no service point in the zone: people there may dial another country's numbers.
    async fn number_plan(&self, tenant: &TenantId, zone: &str) -> Result<Option<NumberPlan>>;

    /// Trunks of all tenants.
    async fn trunks(&self) -> Result<Vec<(TenantId, Trunk)>>;

    /// Appliances by tenant and device.
    async fn appliances(&self, actor: &Actor, after: Option<&str>, limit: usize) -> Result<Page<ApplianceView>>;

    /// One appliance.
    async fn appliance(&self, actor: &Actor, id: ApplianceId) -> Result<ApplianceView>;

    /// One appliance by its names.
    async fn appliance_by_name(&self, tenant: &TenantId, device: &DeviceId) -> Result<ApplianceView>;

    /// Numbers of the [`TALLIES_MAX`] tenants with the most appliances, at most half a minute old.
    async fn tallies(&self) -> Result<Vec<TenantTally>>;
}
