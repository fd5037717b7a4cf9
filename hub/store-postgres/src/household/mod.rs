//! Households as rows: a household, its persons with their numbers, and what these have said.

pub(crate) mod joining;
pub(crate) mod key;
pub(crate) mod ledger;
mod refusal;
mod write;

pub(crate) use write::{HouseholdRow, PersonRow, Rows};

use crate::keyring::Keyring;
use crate::row::{Columns, db, unreadable};
use crate::store::sealed;
use hub_core::consent::current;
use hub_core::household::{Address, Household, Number, Person};
use hub_core::id::{ApplianceId, HouseholdId, PersonId};
use hub_core::phone_number::PhoneNumber;
use hub_store::error::Result;
use key::Opener;
use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use uuid::Uuid;

/// Where a number of a person is sealed.
pub(crate) fn number_place(person: Uuid) -> String {
    format!("phone.number/{person}")
}

/// Where the address of a household is sealed.
pub(crate) fn address_place(household: Uuid) -> String {
    format!("household.address/{household}")
}

/// The household of an appliance, if it has one.
pub(crate) async fn of_appliance(
    conn: &mut PgConnection,
    keyring: &Keyring,
    appliance: ApplianceId,
) -> Result<Option<Household>> {
    of(conn, keyring, appliance, Lock::No).await
}

/// The same, locked with the numbers of its persons: two tickets of one household never dial at the same time, nor do two households
/// that share a number.
pub(crate) async fn lock_of_appliance(
    conn: &mut PgConnection,
    keyring: &Keyring,
    appliance: ApplianceId,
) -> Result<Option<Household>> {
    of(conn, keyring, appliance, Lock::Yes).await
}

/// Whether a household is locked until the transaction ends.
#[derive(Clone, Copy)]
enum Lock {
    Yes,
    No,
}

async fn of(
    conn: &mut PgConnection,
    keyring: &Keyring,
    appliance: ApplianceId,
    lock: Lock,
) -> Result<Option<Household>> {
    let for_update = match lock {
        Lock::Yes => "for update",
        Lock::No => "",
    };
    let row = sqlx::query(&format!(
        "select * from household where id = (select household from appliance where id = $1) {for_update}"
    ))
    .bind(appliance.0)
    .fetch_optional(&mut *conn)
    .await
    .map_err(db)?;
    match row {
        // The rest is read once it is locked: a call that was waited for may have changed what the ledger says.
        Some(row) => with_persons(conn, keyring, &row, lock).await.map(Some),
        None => Ok(None),
    }
}

async fn with_persons(conn: &mut PgConnection, keyring: &Keyring, row: &PgRow, lock: Lock) -> Result<Household> {
    let id: Uuid = row.col("id")?;
    let opener = Opener::of(keyring, id, row.col("key")?)?;
    let address = row.col::<Option<Vec<u8>>>("address")?;
    let address = address.map(|sealed| opener.address(id, &sealed)).transpose()?;
    Ok(Household {
        id: HouseholdId(id),
        tenant: row.word("tenant")?,
        name_in_tenant: row.col("name_in_tenant")?,
        address,
        zone: row.col("zone")?,
        persons: persons(conn, id, &opener, lock).await?,
    })
}

/// Locks the numbers of a household, in one order for all households: the calls to them are looked at next. It is a column of the
/// question for the persons, and so costs no round trip.
const LOCK_NUMBERS: &str = ", (select count(pg_advisory_xact_lock(k.key)) from ( \
       select distinct hashtextextended(o.tenant || encode(o.number_index, 'hex'), 0) as key from person q \
       cross join lateral (select tenant, number_index from phone where person = q.id offset 0) o \
       where q.household = $1 order by key) k) as locked";

async fn persons(conn: &mut PgConnection, household: Uuid, opener: &Opener<'_>, lock: Lock) -> Result<Vec<Person>> {
    let lock_numbers = match lock {
        Lock::Yes => LOCK_NUMBERS,
        Lock::No => "",
    };
    let rows = sqlx::query(&format!(
        "select p.id, p.name, p.language, n.number, exists (select from do_not_call d where d.tenant = n.tenant \
             and d.phone_index = n.number_index) as do_not_call {lock_numbers} \
         from person p left join lateral (select * from phone where person = p.id offset 0) n on true \
         where p.household = $1 order by p.rank, p.id, n.rank"
    ))
    .bind(household)
    .fetch_all(&mut *conn)
    .await
    .map_err(db)?;
    let mut persons: Vec<Person> = Vec::new();
    for row in &rows {
        let id = PersonId(row.col("id")?);
        if persons.last().is_none_or(|person| person.id != id) {
            persons.push(Person {
                id,
                name: row.col("name")?,
                language: row.word("language")?,
                numbers: Vec::new(),
                consents: Vec::new(),
            });
        }
        if let Some((person, number)) = persons.last_mut().zip(row.col::<Option<Vec<u8>>>("number")?) {
            person.numbers.push(Number {
                number: opener.number(id.0, &number)?,
                do_not_call: row.col("do_not_call")?,
            });
        }
    }
    let ids = persons.iter().map(|person| person.id.0).collect();
    let mut said = ledger::of(conn, ids).await?;
    for person in &mut persons {
        person.consents = current(&said.remove(&person.id.0).unwrap_or_default());
    }
    Ok(persons)
}

impl Opener<'_> {
    /// A number of a person.
    pub(crate) fn number(&self, person: Uuid, value: &[u8]) -> Result<PhoneNumber> {
        let plain = self
            .unseal(&self.number_place(person), value)
            .map_err(sealed("phone number"))?;
        let digits = std::str::from_utf8(&plain).map_err(|error| unreadable("phone number")(Box::new(error)))?;
        PhoneNumber::kept(digits).map_err(|error| unreadable("phone number")(Box::new(error)))
    }

    /// The address of a household.
    pub(crate) fn address(&self, household: Uuid, value: &[u8]) -> Result<Address> {
        let plain = self
            .unseal(&address_place(household), value)
            .map_err(sealed("address"))?;
        let text = String::from_utf8(plain.to_vec()).map_err(|error| unreadable("address")(Box::new(error)))?;
        Ok(Address::new(text))
    }
}
