//! A household's own key: random, and sealed under the keyring in the household's row. Without it nothing of the household opens,
//! so that a household is erased by deleting its key. A keyring with a newer key has one value of each household to seal again,
//! not every number.
//!
//! Households that were owners once have no key yet, and their number is sealed under the keyring itself. [`give_all`] ends that.

use super::number_place;
use crate::keyring::{Keyring, KeyringError, SealKey, random};
use crate::row::{Columns, db};
use crate::store::{PostgresStore, sealed};
use hub_store::error::Result;
use sqlx::PgConnection;
use std::collections::HashMap;
use uuid::Uuid;
use zeroize::Zeroizing;

/// Households that get their key in one transaction.
const BATCH: i64 = 1_000;

/// The key of one household.
pub(crate) struct HouseholdKey(SealKey);

fn key_place(household: Uuid) -> String {
    format!("household.key/{household}")
}

/// Where an owner's number was sealed under the keyring.
fn former_place(person: Uuid) -> String {
    format!("owner.phone/{person}")
}

impl HouseholdKey {
    /// A new key, and the same as its row has it.
    pub(crate) fn make(keyring: &Keyring, household: Uuid) -> Result<(Self, Vec<u8>)> {
        let secret = Zeroizing::new(random::<32>().map_err(sealed("random bytes"))?);
        let row = keyring
            .seal(&key_place(household), secret.as_ref())
            .map_err(sealed("household key"))?;
        Ok((Self(SealKey::new(&secret)), row))
    }

    /// The key that a row has.
    pub(crate) fn open(keyring: &Keyring, household: Uuid, row: &[u8]) -> Result<Self> {
        let secret = keyring
            .unseal(&key_place(household), row)
            .map_err(sealed("household key"))?;
        let secret = Zeroizing::new(secret.as_slice().try_into().map_err(|_| {
            let short = KeyringError::DoesNotOpen { key: 0 };
            sealed("household key")(short)
        })?);
        Ok(Self(SealKey::new(&secret)))
    }

    /// Seals a number or an address for its place.
    pub(crate) fn seal(&self, place: &str, plain: &str) -> Result<Vec<u8>> {
        self.0.seal(place, plain.as_bytes()).map_err(sealed("household"))
    }
}

/// What a household's values open with.
pub(crate) enum Opener<'a> {
    /// Its own key.
    Own(HouseholdKey),
    /// The keyring: it has no key yet.
    Keyring(&'a Keyring),
}

impl<'a> Opener<'a> {
    /// By the key in a household's row.
    pub(crate) fn of(keyring: &'a Keyring, household: Uuid, row: Option<&[u8]>) -> Result<Self> {
        match row {
            Some(row) => HouseholdKey::open(keyring, household, row).map(Self::Own),
            None => Ok(Self::Keyring(keyring)),
        }
    }

    pub(super) fn number_place(&self, person: Uuid) -> String {
        match self {
            Self::Own(_) => number_place(person),
            Self::Keyring(_) => former_place(person),
        }
    }

    pub(super) fn unseal(&self, place: &str, value: &[u8]) -> std::result::Result<Zeroizing<Vec<u8>>, KeyringError> {
        match self {
            Self::Own(key) => key.0.unseal(place, value),
            Self::Keyring(keyring) => keyring.unseal(place, value),
        }
    }
}

/// Gives each household that has none a key of its own, [`BATCH`] in a transaction. One that is cut off leaves each household as it
/// was or with its key; the next start goes on.
///
/// # Errors
///
/// The database fails, or a number does not open.
pub(crate) async fn give_all(store: &PostgresStore) -> Result<()> {
    let mut all = 0;
    loop {
        let mut tx = store.begin().await?;
        let given = give(&mut tx, &store.keyring, None).await?;
        tx.commit().await.map_err(db)?;
        if given == 0 {
            return Ok(());
        }
        all += given;
        tracing::info!(households = all, "households got a key of their own");
    }
}

/// The same for those of `households`, or for the next [`BATCH`] where none are named. How many got one.
pub(crate) async fn give(conn: &mut PgConnection, keyring: &Keyring, households: Option<&[Uuid]>) -> Result<usize> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "select id from household where key is null and ($1::uuid[] is null or id = any($1)) order by id limit $2 for update",
    )
    .bind(households)
    .bind(households.map_or(Some(BATCH), |_| None))
    .fetch_all(&mut *conn)
    .await
    .map_err(db)?;
    if ids.is_empty() {
        return Ok(0);
    }
    let mut keys = HashMap::with_capacity(ids.len());
    let mut rows = Vec::with_capacity(ids.len());
    for id in &ids {
        let (key, row) = HouseholdKey::make(keyring, *id)?;
        keys.insert(*id, key);
        rows.push(row);
    }
    reseal(conn, keyring, &keys).await?;
    sqlx::query(
        "update household h set key = k.key from unnest($1::uuid[], $2::bytea[]) as k (id, key) where h.id = k.id",
    )
    .bind(&ids)
    .bind(rows)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(ids.len())
}

/// Numbers that the keyring sealed are sealed under their household's key.
async fn reseal(conn: &mut PgConnection, keyring: &Keyring, keys: &HashMap<Uuid, HouseholdKey>) -> Result<()> {
    let numbers = sqlx::query(
        "select p.household, n.person, n.rank, n.number from phone n join person p on p.id = n.person \
         where p.household = any($1)",
    )
    .bind(keys.keys().copied().collect::<Vec<Uuid>>())
    .fetch_all(&mut *conn)
    .await
    .map_err(db)?;
    let former = Opener::Keyring(keyring);
    let (mut persons, mut ranks, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for row in &numbers {
        let (household, person): (Uuid, Uuid) = (row.col("household")?, row.col("person")?);
        let Some(key) = keys.get(&household) else { continue };
        let number = former.number(person, row.col("number")?)?;
        persons.push(person);
        ranks.push(row.col::<i16>("rank")?);
        values.push(key.seal(&number_place(person), number.reveal())?);
    }
    sqlx::query(
        "update phone n set number = k.number from unnest($1::uuid[], $2::smallint[], $3::bytea[]) as k (person, rank, number) \
         where n.person = k.person and n.rank = k.rank",
    )
    .bind(persons)
    .bind(ranks)
    .bind(values)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}
