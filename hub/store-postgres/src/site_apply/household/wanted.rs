//! A household as it is declared beside the same as it is stored, and what of it is news.

use super::read::{Stored, StoredPerson};
use crate::row::text;
use crate::store::PostgresStore;
use hub_core::consent::{Subject, is_news};
use hub_core::household::PERSONS_MAX;
use hub_core::id::TenantId;
use hub_core::site::{DeclaredHousehold, DeclaredPerson};
use hub_store::error::{Result, StoreError};

/// A household as the file has it.
pub(super) struct Wanted<'a> {
    pub(super) declared: &'a DeclaredHousehold,
    /// What the file calls it.
    pub(super) kind: &'static str,
    pub(super) persons: Vec<WantedPerson<'a>>,
}

/// A person as the file has them.
pub(super) struct WantedPerson<'a> {
    pub(super) declared: &'a DeclaredPerson,
    pub(super) name: String,
    /// What the numbers are found by.
    pub(super) indexes: Vec<[u8; 32]>,
}

/// What of a wanted household is new.
pub(super) struct News {
    pub(super) row: bool,
    /// Of each person, in the order of the file.
    pub(super) persons: Vec<PersonNews>,
    /// Persons whom the file does not name move behind the others.
    pub(super) others: bool,
}

/// What of a wanted person is new.
pub(super) struct PersonNews {
    pub(super) row: bool,
    pub(super) numbers: bool,
    /// Entries for the ledger.
    pub(super) said: Vec<(Subject, bool)>,
}

impl<'a> Wanted<'a> {
    pub(super) fn new(store: &PostgresStore, kind: &'static str, declared: &'a DeclaredHousehold) -> Self {
        let persons = declared.persons.iter().map(|person| WantedPerson {
            declared: person,
            name: text(&person.name),
            indexes: person
                .numbers
                .iter()
                .map(|number| store.keyring.blind_index(number))
                .collect(),
        });
        Self {
            declared,
            kind,
            persons: persons.collect(),
        }
    }

    pub(super) fn id(&self) -> &'a str {
        &self.declared.id
    }

    /// Persons of the household whom the file does not name, in their order.
    pub(super) fn others<'b>(&self, known: Option<&'b Stored>) -> impl Iterator<Item = &'b StoredPerson> {
        let stored = known.map_or(&[][..], |known| &known.persons);
        stored.iter().filter(|person| {
            let mut named = self.persons.iter();
            !named.any(|wanted| wanted.declared.id == person.name_in_household)
        })
    }

    /// # Errors
    ///
    /// `Refused` where the household would have too many persons.
    pub(super) fn news(&self, tenant: &TenantId, known: Option<&Stored>) -> Result<News> {
        let all = self.persons.len() + self.others(known).count();
        if all > PERSONS_MAX {
            return Err(StoreError::Refused(format!(
                "household {tenant}/{} would have {all} persons, with those that are there already; a household has {PERSONS_MAX} at \
                 most: take up the ids of persons who are there",
                self.id()
            )));
        }
        let same = |known: &Stored| known.zone == self.declared.zone && known.address == self.declared.address;
        let ranked = self.persons.len()..;
        Ok(News {
            row: !known.is_some_and(same),
            persons: (0..)
                .zip(&self.persons)
                .map(|(rank, person)| person.news(rank, known))
                .collect(),
            others: self
                .others(known)
                .zip(ranked)
                .any(|(person, rank)| usize::try_from(person.rank) != Ok(rank)),
        })
    }
}

impl WantedPerson<'_> {
    pub(super) fn stored<'b>(&self, known: Option<&'b Stored>) -> Option<&'b StoredPerson> {
        let mut persons = known?.persons.iter();
        persons.find(|person| person.name_in_household == self.declared.id)
    }

    fn news(&self, rank: i16, known: Option<&Stored>) -> PersonNews {
        let known = self.stored(known);
        let same = |known: &StoredPerson| {
            known.name == self.name && known.language == self.declared.language && known.rank == rank
        };
        let indexes = || self.indexes.iter().map(|index| &index[..]);
        let no_numbers = &Vec::new();
        let stored = known.map_or(no_numbers, |known| &known.indexes);
        let said = |subject: &Subject| {
            let given = self.declared.consent.contains(subject);
            let by_file = known.and_then(|known| known.file_said.get(subject).copied());
            let by_others = known.and_then(|known| known.others_said.get(subject).copied());
            is_news(given, by_file, by_others).then_some((*subject, given))
        };
        PersonNews {
            row: !known.is_some_and(same),
            numbers: !indexes().eq(stored.iter().map(Vec::as_slice)),
            said: Subject::all().filter_map(|subject| said(&subject)).collect(),
        }
    }
}

impl News {
    /// Anything but what persons allow.
    pub(super) fn is_household(&self) -> bool {
        self.row || self.others || self.persons.iter().any(|person| person.row || person.numbers)
    }

    pub(super) fn is_any(&self) -> bool {
        self.is_household() || self.persons.iter().any(|person| !person.said.is_empty())
    }
}
