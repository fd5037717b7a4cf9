//! Households as a site file declares them.

use super::{Owner, SiteError, Tenant};
use crate::consent::Subject;
use crate::household::{ADDRESS_MAX, Address, NUMBERS_MAX, PERSONS_MAX};
use crate::language::Language;
use crate::phone_number::PhoneNumber;
use serde::Deserialize;
use std::collections::BTreeSet;

/// What a household is called that is declared in the short form, `[[tenant.owner]]`, and the id of its one person.
pub const OWNER: &str = "owner";

/// A household and its persons.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "N: Deserialize<'de>"))]
pub struct DeclaredHousehold<N = PhoneNumber> {
    /// Name within the tenant, e.g. the customer number. Never a phone number.
    pub id: String,
    /// Where a technician comes to; encrypted before it is stored.
    pub address: Option<Address>,
    /// IANA time zone.
    pub zone: String,
    /// Its persons, 1 to [`PERSONS_MAX`], in the order in which they are rung.
    #[serde(rename = "person")]
    pub persons: Vec<DeclaredPerson<N>>,
}

/// A person of a household and what they allow.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "N: Deserialize<'de>"))]
pub struct DeclaredPerson<N = PhoneNumber> {
    /// Name within the household; it stays while name and numbers change.
    pub id: String,
    /// Name for the person who rings back.
    pub name: String,
    /// Where they can be reached, the preferred number first, [`NUMBERS_MAX`] at most; encrypted before they are stored.
    #[serde(default)]
    pub numbers: Vec<N>,
    /// Language of calls and messages.
    pub language: Language,
    /// What they allow as the maker's records have it. Changing it appends to the ledger; what is listed here never undoes what
    /// the person withdrew later by phone or link.
    #[serde(default)]
    pub consent: Vec<Subject>,
}

/// A household of one.
impl From<&Owner> for DeclaredHousehold {
    fn from(owner: &Owner) -> Self {
        let person = DeclaredPerson {
            id: OWNER.to_owned(),
            name: owner.name.clone(),
            numbers: owner.phone.iter().cloned().collect(),
            language: owner.language,
            consent: owner
                .consent_to_calls
                .then_some(Subject::SERVICE_CALLS)
                .into_iter()
                .collect(),
        };
        Self {
            id: owner.id.clone(),
            address: None,
            zone: owner.zone.clone(),
            persons: vec![person],
        }
    }
}

impl Tenant {
    pub(super) fn check_households(&self) -> Result<(), SiteError> {
        self.households.iter().try_for_each(|home| {
            home.check().map_err(|(field, wanted)| SiteError::Household {
                tenant: self.id.clone(),
                household: home.id.clone(),
                field,
                wanted,
            })
        })
    }
}

impl DeclaredHousehold {
    /// The field that cannot be kept, and what it must be.
    fn check(&self) -> Result<(), (String, String)> {
        let refuse = |field: &str, wanted: String| Err((field.to_owned(), wanted));
        if !(1..=PERSONS_MAX).contains(&self.persons.len()) {
            return refuse("person", format!("1 to {PERSONS_MAX} tables"));
        }
        let length = self.address.as_ref().map(|address| address.reveal().chars().count());
        if !length.is_none_or(|length| (1..=ADDRESS_MAX).contains(&length)) {
            return refuse("address", format!("1 to {ADDRESS_MAX} characters"));
        }
        let mut ids = BTreeSet::new();
        for person in &self.persons {
            if !ids.insert(&person.id) {
                return refuse(&format!("person {}", person.id), "declared once".to_owned());
            }
            let mut numbers = person.numbers.iter().map(PhoneNumber::reveal).collect::<Vec<_>>();
            numbers.sort_unstable();
            numbers.dedup();
            if person.numbers.len() > NUMBERS_MAX || numbers.len() < person.numbers.len() {
                let field = format!("person {}: numbers", person.id);
                return Err((field, format!("{NUMBERS_MAX} at most, each once")));
            }
        }
        Ok(())
    }
}
