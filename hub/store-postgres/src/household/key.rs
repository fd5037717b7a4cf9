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
    Own(Box<HouseholdKey>),
    /// The keyring: it has no key yet.
    Keyring(&'a Keyring),
}

impl<'a> Opener<'a> {
    /// By the key in a household's row.
    pub(crate) fn of(keyring: &'a Keyring, household: Uuid, row: Option<&[u8]>) -> Result<Self> {
        match row {
            Some(row) => HouseholdKey::open(keyring, household, row).map(Box::new).map(Self::Own),
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
/// was or with its key; the next start goes on. A household with a number that does not open is left as it is: the hub serves all
/// others.
///
/// # Errors
///
/// The database fails.
pub(crate) async fn give_all(store: &PostgresStore) -> Result<()> {
    let (mut after, mut given) = (Uuid::nil(), 0);
    loop {
        let mut tx = store.begin().await?;
        let ids: Vec<Uuid> = sqlx::query_scalar(
            "select id from household where key is null and id > $1 order by id limit $2 for update",
        )
        .bind(after)
        .bind(BATCH)
        .fetch_all(&mut *tx)
        .await
        .map_err(db)?;
        let Some(last) = ids.last() else {
            return Ok(());
        };
        after = *last;
        given += give(&mut tx, &store.keyring, &ids).await?;
        tx.commit().await.map_err(db)?;
        tracing::info!(households = given, "households got a key of their own");
    }
}

/// The same for households that are locked and have none. How many got one.
async fn give(conn: &mut PgConnection, keyring: &Keyring, ids: &[Uuid]) -> Result<usize> {
    let mut sealed = HashMap::with_capacity(ids.len());
    for id in ids {
        sealed.insert(*id, HouseholdKey::make(keyring, *id)?);
    }
    reseal(conn, keyring, &mut sealed).await?;
    let (ids, rows): (Vec<Uuid>, Vec<Vec<u8>>) = sealed.into_iter().map(|(id, (_, row))| (id, row)).unzip();
    let given = ids.len();
    sqlx::query(
        "update household h set key = k.key from unnest($1::uuid[], $2::bytea[]) as k (id, key) where h.id = k.id",
    )
    .bind(ids)
    .bind(rows)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(given)
}

/// The same for those of these households, which are locked.
pub(crate) async fn give_to(conn: &mut PgConnection, keyring: &Keyring, households: &[Uuid]) -> Result<()> {
    let ids: Vec<Uuid> = sqlx::query_scalar("select id from household where key is null and id = any($1)")
        .bind(households)
        .fetch_all(&mut *conn)
        .await
        .map_err(db)?;
    if ids.is_empty() {
        return Ok(());
    }
    give(conn, keyring, &ids).await.map(drop)
}

/// Numbers that the keyring sealed are sealed under their household's key. A household with one that does not open is taken out of
/// `keys`.
async fn reseal(
    conn: &mut PgConnection,
    keyring: &Keyring,
    keys: &mut HashMap<Uuid, (HouseholdKey, Vec<u8>)>,
) -> Result<()> {
    let numbers = sqlx::query(
        "select p.household, n.person, n.rank, n.number from phone n join person p on p.id = n.person \
         where p.household = any($1)",
    )
    .bind(keys.keys().copied().collect::<Vec<Uuid>>())
    .fetch_all(&mut *conn)
    .await
    .map_err(db)?;
    let former = Opener::Keyring(keyring);
    let mut opened = Vec::with_capacity(numbers.len());
    for row in &numbers {
        let (household, person): (Uuid, Uuid) = (row.col("household")?, row.col("person")?);
        match former.number(person, row.col("number")?) {
            Ok(number) => opened.push((household, person, row.col::<i16>("rank")?, number)),
            Err(error) => {
                tracing::warn!(%household, error = &error as &dyn std::error::Error, "a telephone number does not open");
                keys.remove(&household);
            }
        }
    }
    let (mut persons, mut ranks, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for (household, person, rank, number) in opened {
        let Some((key, _)) = keys.get(&household) else { continue };
        persons.push(person);
        ranks.push(rank);
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
