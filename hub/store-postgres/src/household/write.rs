//! Households, persons and numbers that are written together, column by column: one statement a table.

use super::key::HouseholdKey;
use super::refusal::Forms;
use super::{address_place, number_place};
use crate::keyring::Keyring;
use crate::row::{db, word};
use hub_core::household::Address;
use hub_core::id::TenantId;
use hub_core::language::Language;
use hub_core::phone_number::PhoneNumber;
use hub_store::error::Result;
use sqlx::PgConnection;
use uuid::Uuid;

/// Rows that are to be as they are here.
#[derive(Default)]
pub(crate) struct Rows<'a> {
    households: Households<'a>,
    persons: Persons<'a>,
    numbers: Numbers,
}

#[derive(Default)]
struct Households<'a> {
    ids: Vec<Uuid>,
    names: Vec<&'a str>,
    keys: Vec<Vec<u8>>,
    addresses: Vec<Option<Vec<u8>>>,
    zones: Vec<&'a str>,
}

#[derive(Default)]
struct Persons<'a> {
    ids: Vec<Uuid>,
    households: Vec<Uuid>,
    names_in_household: Vec<&'a str>,
    names: Vec<&'a str>,
    languages: Vec<String>,
    ranks: Vec<i16>,
}

#[derive(Default)]
struct Numbers {
    /// Persons whose numbers are these and no others.
    of: Vec<Uuid>,
    persons: Vec<Uuid>,
    ranks: Vec<i16>,
    numbers: Vec<Vec<u8>>,
    indexes: Vec<Vec<u8>>,
    forms: Forms,
}

/// A household's row, but for its id.
pub(crate) struct HouseholdRow<'a> {
    pub(crate) name_in_tenant: &'a str,
    pub(crate) address: Option<&'a Address>,
    pub(crate) zone: &'a str,
}

/// A person's row, but for its id.
pub(crate) struct PersonRow<'a> {
    pub(crate) household: Uuid,
    pub(crate) name_in_household: &'a str,
    pub(crate) name: &'a str,
    pub(crate) language: Language,
    /// 0 is rung first.
    pub(crate) rank: usize,
}

impl<'a> Rows<'a> {
    /// `sealed` is the household's key as its row has it.
    pub(crate) fn household(
        &mut self,
        id: Uuid,
        key: &HouseholdKey,
        sealed: Vec<u8>,
        row: &HouseholdRow<'a>,
    ) -> Result<()> {
        let address = row.address.map(|text| key.seal(&address_place(id), text.reveal()));
        let rows = &mut self.households;
        rows.addresses.push(address.transpose()?);
        rows.ids.push(id);
        rows.names.push(row.name_in_tenant);
        rows.keys.push(sealed);
        rows.zones.push(row.zone);
        Ok(())
    }

    pub(crate) fn person(&mut self, id: Uuid, row: &PersonRow<'a>) -> Result<()> {
        let rows = &mut self.persons;
        rows.languages.push(word(&row.language)?);
        rows.ids.push(id);
        rows.households.push(row.household);
        rows.names_in_household.push(row.name_in_household);
        rows.names.push(row.name);
        rows.ranks.push(rank(row.rank));
        Ok(())
    }

    /// The numbers of a person, each with what it is found by; others are taken away. A refusal under an earlier form of one of them
    /// holds for it.
    pub(crate) fn numbers(
        &mut self,
        person: Uuid,
        key: &HouseholdKey,
        keyring: &Keyring,
        numbers: &[PhoneNumber],
    ) -> Result<()> {
        let rows = &mut self.numbers;
        rows.of.push(person);
        for (place, number) in numbers.iter().enumerate() {
            let index = keyring.blind_index(number);
            rows.numbers.push(key.seal(&number_place(person), number.reveal())?);
            rows.persons.push(person);
            rows.ranks.push(rank(place));
            rows.indexes.push(index.to_vec());
            rows.forms.add_with_prefix(keyring, number, index);
        }
        Ok(())
    }

    pub(crate) async fn put(self, conn: &mut PgConnection, tenant: &TenantId) -> Result<()> {
        self.households.put(conn, tenant).await?;
        self.persons.put(conn, tenant).await?;
        self.numbers.put(conn, tenant).await
    }
}

/// Bounded by the core's `PERSONS_MAX` and `NUMBERS_MAX`, far below.
fn rank(place: usize) -> i16 {
    i16::try_from(place).unwrap_or(i16::MAX)
}

impl Households<'_> {
    async fn put(self, conn: &mut PgConnection, tenant: &TenantId) -> Result<()> {
        if self.ids.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "insert into household (id, tenant, name_in_tenant, key, address, zone) \
             select k.id, $1, k.name_in_tenant, k.key, k.address, k.zone \
             from unnest($2::uuid[], $3::text[], $4::bytea[], $5::bytea[], $6::text[]) \
               as k (id, name_in_tenant, key, address, zone) \
             on conflict (id) do update set address = excluded.address, zone = excluded.zone",
        )
        .bind(tenant.as_str())
        .bind(self.ids)
        .bind(self.names)
        .bind(self.keys)
        .bind(self.addresses)
        .bind(self.zones)
        .execute(conn)
        .await
        .map_err(db)?;
        Ok(())
    }
}

impl Persons<'_> {
    async fn put(self, conn: &mut PgConnection, tenant: &TenantId) -> Result<()> {
        if self.ids.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "insert into person (id, tenant, household, name_in_household, name, language, rank) \
             select k.id, $1, k.household, k.name_in_household, k.name, k.language, k.rank \
             from unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::smallint[]) \
               as k (id, household, name_in_household, name, language, rank) \
             on conflict (id) do update set name = excluded.name, language = excluded.language, rank = excluded.rank",
        )
        .bind(tenant.as_str())
        .bind(self.ids)
        .bind(self.households)
        .bind(self.names_in_household)
        .bind(self.names)
        .bind(self.languages)
        .bind(self.ranks)
        .execute(conn)
        .await
        .map_err(db)?;
        Ok(())
    }
}

impl Numbers {
    async fn put(self, conn: &mut PgConnection, tenant: &TenantId) -> Result<()> {
        if self.of.is_empty() {
            return Ok(());
        }
        sqlx::query("delete from phone where person = any($1)")
            .bind(self.of)
            .execute(&mut *conn)
            .await
            .map_err(db)?;
        sqlx::query(
            "insert into phone (person, rank, tenant, number, number_index, canonical) \
             select k.person, k.rank, $1, k.number, k.number_index, true \
             from unnest($2::uuid[], $3::smallint[], $4::bytea[], $5::bytea[]) as k (person, rank, number, number_index)",
        )
        .bind(tenant.as_str())
        .bind(self.persons)
        .bind(self.ranks)
        .bind(self.numbers)
        .bind(self.indexes)
        .execute(&mut *conn)
        .await
        .map_err(db)?;
        self.forms.carry(conn, tenant).await?;
        Ok(())
    }
}
