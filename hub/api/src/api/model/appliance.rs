//! Appliances and their owners.

use super::{Baseline, DeviceAgent, Person, Watching};
use crate::api::schema;
use hub_core::consent::Consent;
use hub_core::families::Families;
use hub_core::language::Language;
use hub_core::watching;
use hub_store::device::Unplaced;
use hub_store::site::{ApplianceView, OwnerView};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// An appliance.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Appliance {
    /// Id of the appliance.
    id: i64,
    /// Tenant that owns the appliance.
    tenant: String,
    /// Name of its device within the tenant, usually the serial number.
    device: String,
    /// Profile it reports by, which is also its model family.
    profile: String,
    /// Its owner's name within the tenant.
    owner: Option<String>,
    /// Its service point's name within the tenant.
    service_point: Option<String>,
    /// Whether a session is up.
    online: bool,
    /// Why the last session ended: a code such as `keep_alive`, a colon and a sentence; or `connected`, `stopping`.
    presence_reason: String,
    /// When it last connected or left.
    presence_at: Option<Timestamp>,
    /// Event time of the newest sample.
    last_sample_at: Option<Timestamp>,
    /// Samples stored.
    samples: i64,
    /// Payloads in quarantine.
    quarantined: i64,
    /// Hub's clock less the device's at the newest message, in ms.
    skew_ms: Option<i64>,
    /// Samples whose sequence numbers were passed over and have not come since.
    gaps: i64,
    /// Publishes that the hub dropped; what the device itself gave up is in `device_agent`.
    dropped: i64,
    /// Samples that came again and were stored before.
    repeated: i64,
}

/// An appliance with whether it is watched.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WatchedAppliance {
    #[serde(flatten)]
    appliance: Appliance,
    /// Whether an alarm can rise from its readings, as last said: when that changes, not with each reading.
    watching: Watching,
}

impl WatchedAppliance {
    pub(crate) fn of(view: ApplianceView, families: &Families) -> Self {
        Self {
            watching: watching::Watching::told(view.watching.clone(), &view.profile, families).into(),
            appliance: view.into(),
        }
    }
}

/// An appliance with whether it is watched, what its newest samples hold that its profile does not know, what its device agent
/// says, and why its baseline has started over.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApplianceDetail {
    #[serde(flatten)]
    appliance: WatchedAppliance,
    /// Channels in its newest 500 samples that its profile does not have. They are kept beside the readings.
    unknown_channels: Vec<String>,
    /// Channels in its newest 500 samples that were outside the range that its profile states.
    out_of_range_channels: Vec<String>,
    /// What its device agent last said of itself, if it runs one of ours.
    device_agent: Option<DeviceAgent>,
    /// What its detector learns as normal: under which firmware, and why that has started over.
    baseline: Baseline,
}

impl ApplianceDetail {
    pub(crate) fn of(
        view: ApplianceView,
        families: &Families,
        unplaced: Unplaced,
        device_agent: Option<DeviceAgent>,
        baseline: Baseline,
    ) -> Self {
        Self {
            appliance: WatchedAppliance::of(view, families),
            unknown_channels: unplaced.unknown,
            out_of_range_channels: unplaced.out_of_range,
            device_agent,
            baseline,
        }
    }
}

impl From<ApplianceView> for Appliance {
    fn from(view: ApplianceView) -> Self {
        Self {
            id: view.id.0,
            tenant: view.tenant.into(),
            device: view.device.into(),
            profile: view.profile,
            owner: view.owner,
            service_point: view.service_point,
            online: view.online,
            presence_reason: view.presence_reason,
            presence_at: view.presence_at,
            last_sample_at: view.last_sample_at,
            samples: view.samples,
            quarantined: view.quarantined,
            skew_ms: view.skew_ms,
            gaps: view.gaps,
            dropped: view.dropped,
            repeated: view.repeated,
        }
    }
}

/// The person of a household who is rung, and the household.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Owner {
    /// Id of the person.
    id: Uuid,
    /// Name of the household within the tenant.
    name_in_tenant: String,
    /// Name for people.
    name: String,
    /// Number with all but the first two and last four digits hidden.
    phone: Option<String>,
    /// Language of calls.
    #[schema(schema_with = schema::words::<Language>)]
    language: Language,
    /// IANA time zone of the household.
    zone: String,
    /// What the consent ledger says now of calls about a predicted fault.
    #[schema(schema_with = schema::words::<Consent>)]
    consent: Consent,
    /// When it said so.
    consent_at: Option<Timestamp>,
    /// Whether the number is on the do-not-call list.
    do_not_call: bool,
    /// Where a technician comes to.
    address: Option<String>,
    /// All persons of the household, in the order in which they are rung.
    persons: Vec<Person>,
}

impl From<OwnerView> for Owner {
    fn from(view: OwnerView) -> Self {
        Self {
            id: view.id.0,
            name_in_tenant: view.name_in_tenant,
            name: view.name,
            phone: view.phone.map(|phone| phone.masked()),
            language: view.language,
            zone: view.zone,
            consent: view.consent,
            consent_at: view.consent_at,
            do_not_call: view.do_not_call,
            address: view.household.address.map(|address| address.reveal().to_owned()),
            persons: view.household.persons.into_iter().map(Into::into).collect(),
        }
    }
}
