//! What an administrator declares: tenants with their people, households, service points, trunks and devices. Plain data,
//! read from a site file; applying it twice changes nothing.

use crate::appointment::WeeklySlot;
use crate::call_rules::CallRules;
use crate::id::{DeviceId, TenantId};
use crate::language::Language;
use crate::phone_number::PhoneNumber;
use crate::retention::Retention;
use crate::ticket::TicketLabels;
use serde::Deserialize;

mod budget;
mod check;
mod error;
mod household;
mod trunk;
mod written;

pub use crate::language::Localised;
pub use budget::{DeclaredBudget, FAMILY_LEN_MAX, check_family};
pub use error::SiteError;
pub use household::{DeclaredHousehold, DeclaredPerson, OWNER};
pub use trunk::{TRUNK_ADDRESSES_MAX, Trunk};
pub use written::{NumberReader, WrittenNumber};

/// A whole site file. `N` is how numbers stand in it: as they are [`WrittenNumber`]s, or read.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "N: Deserialize<'de>"))]
pub struct Site<N = PhoneNumber> {
    /// One or more tenants.
    #[serde(rename = "tenant")]
    pub tenants: Vec<Tenant<N>>,
}

/// One tenant.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "N: Deserialize<'de>"))]
pub struct Tenant<N = PhoneNumber> {
    /// Name in credentials and rows.
    pub id: TenantId,
    /// Brand that owners hear, per language.
    pub brand: Localised,
    /// Rules for calls; defaults are the strict ones. Site files written before the rename say `contact_plan`.
    #[serde(default, alias = "contact_plan")]
    pub call_rules: CallRules,
    /// Labels of tickets; without any there is one of each category.
    #[serde(default, rename = "ticket_status")]
    pub ticket_labels: TicketLabels,
    /// What a visit costs the owner.
    pub visit_price: Price,
    /// The trunk that calls leave through; without one nobody is rung.
    pub trunk: Option<Trunk<N>>,
    /// Service points.
    #[serde(default, rename = "service_point")]
    pub service_points: Vec<ServicePoint>,
    /// Households of one person, in the short form.
    #[serde(default, rename = "owner")]
    pub owners: Vec<Owner<N>>,
    /// Households.
    #[serde(default, rename = "household")]
    pub households: Vec<DeclaredHousehold<N>>,
    /// Devices.
    #[serde(default, rename = "device")]
    pub devices: Vec<Device>,
    /// False tickets and calls that are accepted; of families without one, as was stated or by default.
    #[serde(default, rename = "budget")]
    pub budgets: Vec<DeclaredBudget>,
    /// How long readings are kept; what no rule is about, permanently.
    #[serde(default, rename = "retention")]
    pub retentions: Vec<Retention>,
}

/// A price as owners hear it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// ISO 4217 code, e.g. `CNY`.
    pub currency: String,
    /// Whole units of the currency.
    pub amount: u32,
}

/// A service point (服务网点).
#[derive(Debug, Clone, PartialEq, Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct ServicePoint {
    /// Name within the tenant.
    pub id: String,
    /// Name that people see.
    pub name: Localised,
    /// IANA time zone, e.g. `Asia/Shanghai`.
    pub zone: String,
    /// Slots offered each week.
    #[serde(rename = "slot", default)]
    pub slots: Vec<WeeklySlot>,
}

/// An owner and what they allow: a household of one, without an address.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "N: Deserialize<'de>"))]
pub struct Owner<N = PhoneNumber> {
    /// Name within the tenant, e.g. the customer number. Never a phone number.
    pub id: String,
    /// Name for the person who rings back.
    pub name: String,
    /// Where they can be rung; encrypted before it is stored.
    pub phone: Option<N>,
    /// Language of calls and messages.
    pub language: Language,
    /// IANA time zone of the household.
    pub zone: String,
    /// Consent to service calls as the maker's records have it. Changing it appends to the ledger; a `true` here never
    /// undoes what the owner withdrew later by phone or link.
    pub consent_to_calls: bool,
}

/// A device.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Name within the tenant, usually the serial number.
    pub id: DeviceId,
    /// Appliance profile it reports by, e.g. `washing-machine`.
    pub profile: String,
    /// Model folder that watches it, if not the family's own (evaluation of held-out models).
    pub model: Option<String>,
    /// Id of the household, or the owner, that has it.
    #[serde(alias = "household")]
    pub owner: Option<String>,
    /// Id of the service point that looks after it.
    pub service_point: Option<String>,
    /// SHA-256 of the device secret in hexadecimal. Without it `forecall device add` makes a secret and prints it once.
    pub secret_sha256: Option<String>,
}
