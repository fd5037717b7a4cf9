//! What the hub asks of the telephone: one call to one owner, with everything that is to be said.

use hub_core::id::AttemptId;
use hub_core::language::Language;
use hub_core::phone_number::PhoneNumber;
use jiff::Zoned;
use serde::{Deserialize, Serialize};

/// One call to be placed. The attempt's row is in the store before this exists.
#[derive(Debug, Clone)]
pub struct CallOrder {
    /// The attempt this call is; it comes back on the call's detail.
    pub attempt: AttemptId,
    /// The name of the trunk (`TrunkConfig::name`) it goes out over, and no other.
    pub trunk: String,
    /// Who is rung.
    pub to: PhoneNumber,
    /// The owner's language.
    pub language: Language,
    /// What is said.
    pub script: Script,
}

/// The facts that the call speaks of. How they are worded is in the translation files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Script {
    /// Who rings: the name the owner knows. Never Forecall.
    pub brand: String,
    /// What the appliance is.
    pub appliance: ApplianceKind,
    /// The last figures or letters of the serial number, said by us so that the owner can trust the call. May be empty.
    pub serial_tail: String,
    /// The fault's class as the model names it, e.g. `drain_pump_wear`. Classes without wording get a general sentence.
    pub fault_class: String,
    /// Whether the appliance may be used until it is serviced.
    pub safe_to_use: bool,
    /// What a visit costs.
    pub price: Price,
    /// The visit that is offered for key 1. Without it key 1 is not offered.
    pub slot: Option<Slot>,
    /// Until when a person rings if one is wanted, in the owner's time zone.
    pub person_rings_by: Zoned,
}

/// The kind of an appliance: the word after `appliance-` in the translation files, e.g. `washing-machine`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ApplianceKind(pub String);

/// A sum of money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// ISO 4217 code.
    pub currency: String,
    /// In the currency's smallest unit: 12000 is 120 yuan. 0 is said as free of charge.
    pub minor_units: u64,
}

/// A stretch of time in which a technician comes, in the owner's time zone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Slot {
    /// Earliest arrival.
    pub start: Zoned,
    /// Latest arrival.
    pub end: Zoned,
}
