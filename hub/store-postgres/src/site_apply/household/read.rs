//! Households as the database has them, as far as a site file has a word on them.

use crate::household::key::Opener;
use crate::household::ledger;
use crate::keyring::Keyring;
use crate::row::{Columns, db};
use hub_core::consent::{SITE_FILE, Subject};
use hub_core::household::Address;
use hub_core::id::TenantId;
use hub_core::language::Language;
use hub_store::error::Result;
use sqlx::PgConnection;
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// A household.
pub(super) struct Stored {
    pub(super) id: Uuid,
    /// As the row has it.
    pub(super) key: Option<Vec<u8>>,
    pub(super) address: Option<Address>,
    pub(super) zone: String,
    /// In the order in which they are rung.
    pub(super) persons: Vec<StoredPerson>,
}

/// A person.
pub(super) struct StoredPerson {
    pub(super) id: Uuid,
    pub(super) name_in_household: String,
    pub(super) name: String,
    pub(super) language: Language,
    pub(super) rank: i16,
    /// What the numbers are found by, in their order.
    pub(super) indexes: Vec<Vec<u8>>,
    /// What the ledger has last from a site file …
    pub(super) file_said: BTreeMap<Subject, bool>,
    /// … and from anybody else.
    pub(super) others_said: BTreeMap<Subject, bool>,
}

/// Those that the database has, by their names in the tenant.
pub(super) async fn read(
    conn: &mut PgConnection,
    keyring: &Keyring,
    tenant: &TenantId,
    names: Vec<&str>,
) -> Result<HashMap<String, Stored>> {
    let rows = sqlx::query(
        "select id, name_in_tenant, key, address, zone from household where tenant = $1 and name_in_tenant = any($2)",
    )
    .bind(tenant.as_str())
    .bind(names)
    .fetch_all(&mut *conn)
    .await
    .map_err(db)?;
    let mut stored = HashMap::with_capacity(rows.len());
    if rows.is_empty() {
        return Ok(stored);
    }
    let ids: Vec<Uuid> = rows.iter().map(|row| row.col("id")).collect::<Result<_>>()?;
    let mut persons = persons(conn, &ids).await?;
    for row in &rows {
        let id: Uuid = row.col("id")?;
        let key: Option<Vec<u8>> = row.col("key")?;
        // Opened only for an address: those without are many.
        let address = row.col::<Option<Vec<u8>>>("address")?;
        let address = address
            .map(|value| Opener::of(keyring, id, key.as_deref())?.address(id, &value))
            .transpose()?;
        let household = Stored {
            id,
            key,
            address,
            zone: row.col("zone")?,
            persons: persons.remove(&id).unwrap_or_default(),
        };
        stored.insert(row.col("name_in_tenant")?, household);
    }
    Ok(stored)
}

/// Persons of households, by household.
async fn persons(conn: &mut PgConnection, households: &[Uuid]) -> Result<HashMap<Uuid, Vec<StoredPerson>>> {
    let rows = sqlx::query(
        "select p.id, p.household, p.name_in_household, p.name, p.language, p.rank, \
           array(select n.number_index from phone n where n.person = p.id order by n.rank) as indexes \
         from person p where p.household = any($1) order by p.rank, p.id",
    )
    .bind(households)
    .fetch_all(&mut *conn)
    .await
    .map_err(db)?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.col("id")).collect::<Result<_>>()?;
    let mut said = ledger::of(conn, ids).await?;
    let mut persons: HashMap<Uuid, Vec<StoredPerson>> = HashMap::with_capacity(households.len());
    for row in &rows {
        let id: Uuid = row.col("id")?;
        let (mut file_said, mut others_said) = (BTreeMap::new(), BTreeMap::new());
        for entry in said.remove(&id).unwrap_or_default() {
            let of = if entry.source == SITE_FILE {
                &mut file_said
            } else {
                &mut others_said
            };
            of.insert(entry.subject, entry.given);
        }
        let person = StoredPerson {
            id,
            name_in_household: row.col("name_in_household")?,
            name: row.col("name")?,
            language: row.word("language")?,
            rank: row.col("rank")?,
            indexes: row.col("indexes")?,
            file_said,
            others_said,
        };
        persons.entry(row.col("household")?).or_default().push(person);
    }
    Ok(persons)
}
