//! Households of a site file, and what the file says of their persons' consent.

use super::note;
use crate::error::{Result, StoreError};
use crate::memory::state::{Household, Person, State};
use crate::memory::text;
use crate::site::SiteChange;
use hub_core::consent::{SITE_FILE, Subject, is_news};
use hub_core::household::PERSONS_MAX;
use hub_core::id::{HouseholdId, PersonId, TenantId};
use hub_core::site::{DeclaredHousehold, DeclaredPerson, OWNER};
use jiff::Timestamp;

impl State {
    /// `kind` is what the file calls it.
    pub(super) fn put_household(
        &mut self,
        tenant: &TenantId,
        kind: &'static str,
        wanted: &DeclaredHousehold,
        now: Timestamp,
        changes: &mut Vec<SiteChange>,
    ) -> Result<()> {
        let known = self.household_id(tenant, &wanted.id).ok();
        let id = known.unwrap_or_else(|| HouseholdId::new(now, self.random()));
        let before = self.households.get(&id).cloned();
        let stored = before.as_ref().map_or(&[][..], |before| &before.persons);
        let mut persons: Vec<Person> = wanted
            .persons
            .iter()
            .map(|person| self.declared(stored, person, now))
            .collect();
        // Those whom the file does not name stay, behind those whom it names.
        let is_named = |person: &&Person| wanted.persons.iter().any(|named| named.id == person.name_in_household);
        persons.extend(stored.iter().filter(|person| !is_named(person)).cloned());
        if persons.len() > PERSONS_MAX {
            return Err(StoreError::Refused(format!(
                "household {tenant}/{} would have {} persons, with those that are there already; a household has {PERSONS_MAX} at \
                 most: take up the ids of persons who are there",
                wanted.id,
                persons.len()
            )));
        }
        let next = Household {
            tenant: tenant.clone(),
            name_in_tenant: wanted.id.clone(),
            address: wanted.address.clone(),
            zone: wanted.zone.clone(),
            persons,
        };
        let name = format!("{tenant}/{}", wanted.id);
        if !before.is_some_and(|before| is_as(&before, &next)) {
            note(changes, known.is_some(), kind, name.clone());
        }
        self.households.insert(id, next);
        for (rank, person) in wanted.persons.iter().enumerate() {
            let whose = match kind {
                OWNER => name.clone(),
                _ => format!("{name}/{}", person.id),
            };
            self.put_consent((id, rank), person, whose, now, changes);
        }
        Ok(())
    }

    fn declared(&mut self, stored: &[Person], wanted: &DeclaredPerson, now: Timestamp) -> Person {
        let known = stored.iter().find(|person| person.name_in_household == wanted.id);
        Person {
            id: known.map_or_else(|| PersonId::new(now, self.random()), |known| known.id),
            name_in_household: wanted.id.clone(),
            name: text(&wanted.name),
            numbers: wanted.numbers.clone(),
            language: wanted.language,
            ledger: known.map(|known| known.ledger.clone()).unwrap_or_default(),
        }
    }

    /// Appends to the ledger where the file says something new.
    fn put_consent(
        &mut self,
        (household, rank): (HouseholdId, usize),
        wanted: &DeclaredPerson,
        whose: String,
        now: Timestamp,
        changes: &mut Vec<SiteChange>,
    ) {
        let persons = self.households.get(&household).map(|known| &known.persons);
        let Some(person) = persons.and_then(|persons| persons.get(rank)) else {
            return;
        };
        let said = |subject: Subject, by_file: bool| {
            let mut ledger = person.ledger.iter().rev();
            ledger
                .find(|entry| entry.subject == subject && (entry.source == SITE_FILE) == by_file)
                .map(|entry| entry.given)
        };
        let news: Vec<(Subject, bool)> = Subject::all()
            .map(|subject| (subject, wanted.consent.contains(&subject)))
            .filter(|&(subject, given)| is_news(given, said(subject, true), said(subject, false)))
            .collect();
        if news.is_empty() {
            return;
        }
        let said_before = person.ledger.iter().any(|entry| entry.source == SITE_FILE);
        let id = person.id;
        note(changes, said_before, "consent", whose);
        for (subject, given) in news {
            self.write_consent(id, subject, given, SITE_FILE, now);
        }
    }
}

/// Whether nothing but what persons allow differs.
fn is_as(before: &Household, next: &Household) -> bool {
    let same =
        |(a, b): (&Person, &Person)| (a.id, &a.name, &a.numbers, a.language) == (b.id, &b.name, &b.numbers, b.language);
    before.address == next.address
        && before.zone == next.zone
        && before.persons.len() == next.persons.len()
        && before.persons.iter().zip(&next.persons).all(same)
}
