//! A household: the persons at one address, the numbers of each in order of preference, and what each allows. Who of them is
//! rung is decided here.

use crate::call_rules::{HoldReason, never_rung};
use crate::consent::{Consent, Standing, Subject};
use crate::id::{HouseholdId, PersonId, TenantId};
use crate::language::Language;
use crate::phone_number::PhoneNumber;
use jiff::Timestamp;
use serde::Serialize;

mod address;
#[cfg(test)]
mod tests;

pub use address::Address;

/// Most persons of a household.
pub const PERSONS_MAX: usize = 8;
/// Most numbers of a person.
pub const NUMBERS_MAX: usize = 4;
/// Longest address, in characters.
pub const ADDRESS_MAX: usize = 300;

/// A household. Its appliances refer to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Household {
    /// Id of the household.
    pub id: HouseholdId,
    /// Tenant that serves it.
    pub tenant: TenantId,
    /// Name within the tenant, e.g. the customer number.
    pub name_in_tenant: String,
    /// Where a technician comes to.
    pub address: Option<Address>,
    /// IANA time zone, by which its night is known.
    pub zone: String,
    /// Its persons, in the order in which they are rung.
    pub persons: Vec<Person>,
}

/// A person of a household.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Person {
    /// Id of the person.
    pub id: PersonId,
    /// Name for people.
    pub name: String,
    /// Language of calls and messages.
    pub language: Language,
    /// Numbers, the preferred one first.
    pub numbers: Vec<Number>,
    /// What the ledger says now; of what is not in it the person was never asked.
    pub consents: Vec<Standing>,
}

/// A number of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Number {
    /// The number; it masks itself.
    pub number: PhoneNumber,
    /// It is on the tenant's do-not-call list.
    pub do_not_call: bool,
}

impl Household {
    /// The person whom a call goes to: the first in order who may be rung. Where nobody may, the one whose reason stands for the
    /// household's: the first with a number, or else the first. None if there is nobody.
    pub fn to_ring(&self, subject: Subject) -> Option<&Person> {
        let persons = || self.persons.iter();
        let rung = persons().find(|person| person.never_rung(subject).is_none());
        rung.or_else(|| persons().find(|person| !person.numbers.is_empty()))
            .or(self.persons.first())
    }

    /// Whether a colleague may ring somebody here who was asked for: there is a number that is not on the do-not-call list.
    pub fn can_be_rung(&self) -> bool {
        let mut numbers = self.persons.iter().filter_map(Person::number);
        numbers.any(|own| !own.do_not_call)
    }

    /// The person who calls from a number: the first in order who has it.
    pub fn who_has(&self, number: &PhoneNumber) -> Option<&Person> {
        let mut persons = self.persons.iter();
        persons.find(|person| person.numbers.iter().any(|own| own.number == *number))
    }
}

impl Person {
    /// The number that is dialled: the first that is not on the do-not-call list. Where each is, the first.
    pub fn number(&self) -> Option<&Number> {
        let mut numbers = self.numbers.iter();
        numbers.find(|own| !own.do_not_call).or(self.numbers.first())
    }

    /// What the ledger says now.
    pub fn consent(&self, subject: Subject) -> Consent {
        self.standing(subject)
            .map_or(Consent::NeverGiven, |standing| standing.consent)
    }

    /// When the ledger said so.
    pub fn consent_at(&self, subject: Subject) -> Option<Timestamp> {
        self.standing(subject).map(|standing| standing.at)
    }

    /// Why the person is not rung about this, no matter who asks for it; none if they may be.
    pub fn never_rung(&self, subject: Subject) -> Option<HoldReason> {
        let number = self.number();
        let is_listed = number.is_some_and(|own| own.do_not_call);
        never_rung(number.is_some(), is_listed, self.consent(subject))
    }

    fn standing(&self, subject: Subject) -> Option<&Standing> {
        self.consents.iter().find(|standing| standing.subject == subject)
    }
}
