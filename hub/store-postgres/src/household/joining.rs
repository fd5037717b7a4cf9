//! Numbers that were kept in another form than they have now. Until a number was read by its country's numbering, `+44 (0)20…` and
//! `+44 20…` were two, each with an index, a place on the do-not-call list and persons of its own. Here each gets its one form, and
//! what was kept under both is joined: a refusal under either holds.

use super::key::{HouseholdKey, Opener};
use super::refusal::Forms;
use super::{ledger, number_place};
use crate::keyring::Keyring;
use crate::row::{Columns, count, db};
use crate::store::PostgresStore;
use hub_core::consent::{self, ConsentEntry, NUMBERS_JOINED};
use hub_core::id::TenantId;
use hub_core::phone_number::PhoneNumber;
use hub_store::error::Result;
use ledger::Saying;
use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// Persons whose numbers are read in one transaction.
const BATCH: usize = 500;

/// What was joined.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Joined {
    /// Numbers that were read.
    pub numbers: u64,
    /// Of these, numbers that had another form.
    pub respelled: u64,
    /// Numbers that their person had twice, in two forms; one is left.
    pub twice: u64,
    /// Numbers that came onto the do-not-call list, or stand there since an earlier day, as they were listed in another form.
    pub refusals: u64,
    /// Withdrawals that now also count for another person who has the number.
    pub withdrawals: u64,
}

impl Joined {
    fn add(&mut self, other: Self) {
        self.numbers += other.numbers;
        self.respelled += other.respelled;
        self.twice += other.twice;
        self.refusals += other.refusals;
        self.withdrawals += other.withdrawals;
    }
}

impl PostgresStore {
    /// Joins what is not joined yet, `batch` persons in a transaction, as every start does. For tests alone.
    ///
    /// # Errors
    ///
    /// The database fails.
    #[doc(hidden)]
    pub async fn join_numbers(&self, batch: usize) -> Result<Joined> {
        join(self, batch).await
    }
}

/// Gives every number that was written before numbers had one form that form, and says what it joined. One that is cut off leaves
/// each batch done or as it was; the next start goes on. A number that does not open is left as it is, and so is one that no
/// country's numbering has: it is dialled as before.
///
/// # Errors
///
/// The database fails.
pub(crate) async fn join_all(store: &PostgresStore) -> Result<()> {
    let joined = join(store, BATCH).await?;
    let Joined {
        numbers,
        respelled,
        twice,
        refusals,
        withdrawals,
    } = joined;
    if joined != Joined::default() {
        tracing::info!(
            numbers,
            respelled,
            twice,
            refusals,
            withdrawals,
            "telephone numbers have one form each, and what was kept under two is joined"
        );
    }
    Ok(())
}

async fn join(store: &PostgresStore, batch: usize) -> Result<Joined> {
    let (mut after, mut joined) = (Uuid::nil(), Joined::default());
    loop {
        let mut tx = store.begin().await?;
        let persons: Vec<Uuid> = sqlx::query_scalar(
            "select distinct person from phone where not canonical and person > $1 order by person limit $2",
        )
        .bind(after)
        .bind(count(batch))
        .fetch_all(&mut *tx)
        .await
        .map_err(db)?;
        let Some(last) = persons.last() else {
            return Ok(joined);
        };
        after = *last;
        joined.add(join_batch(&mut tx, &store.keyring, &persons).await?);
        tx.commit().await.map_err(db)?;
    }
}

async fn join_batch(conn: &mut PgConnection, keyring: &Keyring, persons: &[Uuid]) -> Result<Joined> {
    lock(conn, persons).await?;
    let read = read(conn, keyring, persons).await?;
    let mut joined = Joined {
        numbers: count_of(read.iter().filter(|number| number.is_new)),
        respelled: count_of(read.iter().filter(|number| number.is_respelled())),
        ..Joined::default()
    };
    let (kept, twice) = without_doubles(read);
    joined.twice = count_of(twice.iter());
    joined.refusals = list(conn, keyring, kept.iter().chain(&twice)).await?;
    remove(conn, &twice).await?;
    respell(conn, kept.iter().filter(|number| number.is_respelled())).await?;
    joined.withdrawals = withdraw(conn, kept.iter().filter(|number| number.is_respelled())).await?;
    mark(conn, &kept).await?;
    Ok(joined)
}

fn count_of<T>(of: impl Iterator<Item = T>) -> u64 {
    u64::try_from(of.count()).unwrap_or(u64::MAX)
}

/// Households and then their persons, each in order, as a site file locks them.
async fn lock(conn: &mut PgConnection, persons: &[Uuid]) -> Result<()> {
    for statement in [
        "select from household where id in (select household from person where id = any($1)) order by id for update",
        "select from person where id = any($1) order by id for update",
    ] {
        sqlx::query(statement)
            .bind(persons)
            .execute(&mut *conn)
            .await
            .map_err(db)?;
    }
    Ok(())
}

/// A number of a person, as it is kept and as it is read now.
struct Number {
    person: Uuid,
    rank: i16,
    tenant: TenantId,
    /// It was not read in its form yet.
    is_new: bool,
    now: PhoneNumber,
    was_index: Vec<u8>,
    index: [u8; 32],
    /// Sealed again, where its form changes.
    sealed: Option<Vec<u8>>,
}

impl Number {
    fn is_respelled(&self) -> bool {
        self.sealed.is_some()
    }
}

/// The numbers of these persons in their order. Those that do not open are left out.
async fn read(conn: &mut PgConnection, keyring: &Keyring, persons: &[Uuid]) -> Result<Vec<Number>> {
    let rows = sqlx::query(
        "select n.*, p.household, h.key from phone n join person p on p.id = n.person join household h on h.id = p.household \
         where n.person = any($1) order by n.person, n.rank",
    )
    .bind(persons)
    .fetch_all(conn)
    .await
    .map_err(db)?;
    let mut numbers = Vec::with_capacity(rows.len());
    for row in &rows {
        // A household without a key has a number that does not open, as the start has told.
        let Some(key) = row.col::<Option<Vec<u8>>>("key")? else {
            continue;
        };
        match number(keyring, &key, row) {
            Ok(number) => numbers.push(number),
            Err(error) => {
                let household: Uuid = row.col("household")?;
                tracing::warn!(%household, error = &error as &dyn std::error::Error, "a telephone number does not open");
            }
        }
    }
    Ok(numbers)
}

fn number(keyring: &Keyring, key: &[u8], row: &PgRow) -> Result<Number> {
    let (person, household): (Uuid, Uuid) = (row.col("person")?, row.col("household")?);
    let kept = Opener::of(keyring, household, Some(key))?.number(person, row.col("number")?)?;
    let now = PhoneNumber::new(kept.reveal()).unwrap_or_else(|_| kept.clone());
    let sealed = if now == kept {
        None
    } else {
        let key = HouseholdKey::open(keyring, household, key)?;
        Some(key.seal(&number_place(person), now.reveal())?)
    };
    Ok(Number {
        person,
        rank: row.col("rank")?,
        tenant: row.word("tenant")?,
        is_new: !row.col::<bool>("canonical")?,
        index: keyring.blind_index(&now),
        now,
        was_index: row.col("number_index")?,
        sealed,
    })
}

/// Of numbers that a person has twice, the preferred one stays.
fn without_doubles(numbers: Vec<Number>) -> (Vec<Number>, Vec<Number>) {
    let mut seen = BTreeSet::new();
    numbers
        .into_iter()
        .partition(|number| seen.insert((number.person, number.index)))
}

/// What is on the do-not-call list in a form of before comes onto it in the one of now: in the form that the number was kept in, and in
/// the one with a national prefix, which may stand there of a number that was corrected since.
async fn list(conn: &mut PgConnection, keyring: &Keyring, numbers: impl Iterator<Item = &Number>) -> Result<u64> {
    let mut forms = BTreeMap::<TenantId, Forms>::new();
    for number in numbers {
        let of_tenant = forms.entry(number.tenant.clone()).or_default();
        if number.is_respelled() {
            of_tenant.add(number.was_index.clone(), number.index);
        }
        of_tenant.add_with_prefix(keyring, &number.now, number.index);
    }
    let mut refusals = 0;
    for (tenant, forms) in forms {
        refusals += forms.carry(conn, &tenant).await?;
    }
    Ok(refusals)
}

async fn remove(conn: &mut PgConnection, twice: &[Number]) -> Result<()> {
    let (persons, ranks) = places(twice);
    sqlx::query(
        "delete from phone n using unnest($1::uuid[], $2::smallint[]) as k (person, rank) \
         where n.person = k.person and n.rank = k.rank",
    )
    .bind(persons)
    .bind(ranks)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

async fn respell(conn: &mut PgConnection, numbers: impl Iterator<Item = &Number>) -> Result<()> {
    let (mut persons, mut ranks, mut values, mut indexes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for number in numbers {
        persons.push(number.person);
        ranks.push(number.rank);
        values.push(number.sealed.clone());
        indexes.push(number.index.to_vec());
    }
    sqlx::query(
        "update phone n set number = k.number, number_index = k.number_index \
         from unnest($1::uuid[], $2::smallint[], $3::bytea[], $4::bytea[]) as k (person, rank, number, number_index) \
         where n.person = k.person and n.rank = k.rank",
    )
    .bind(persons)
    .bind(ranks)
    .bind(values)
    .bind(indexes)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

/// What a person took back who has a number of these counts for all others who have it.
async fn withdraw(conn: &mut PgConnection, numbers: impl Iterator<Item = &Number>) -> Result<u64> {
    let respelled: BTreeSet<(TenantId, [u8; 32])> =
        numbers.map(|number| (number.tenant.clone(), number.index)).collect();
    let mut added = 0;
    for (tenant, index) in respelled {
        let persons: Vec<Uuid> = sqlx::query_scalar(
            "select distinct person from phone where tenant = $1 and number_index = $2 order by person",
        )
        .bind(tenant.as_str())
        .bind(&index[..])
        .fetch_all(&mut *conn)
        .await
        .map_err(db)?;
        if persons.len() > 1 {
            added += withdraw_of(conn, &tenant, &persons).await?;
        }
    }
    Ok(added)
}

async fn withdraw_of(conn: &mut PgConnection, tenant: &TenantId, persons: &[Uuid]) -> Result<u64> {
    let said: HashMap<Uuid, Vec<ConsentEntry>> = ledger::of(conn, persons.to_vec()).await?;
    let ledgers: Vec<&[ConsentEntry]> = persons
        .iter()
        .map(|person| said.get(person).map_or(&[][..], Vec::as_slice))
        .collect();
    let mut by_time = BTreeMap::<_, Vec<Saying>>::new();
    for (place, subject, at) in consent::joined(&ledgers) {
        by_time.entry(at).or_default().push(Saying {
            person: persons[place],
            subject,
            given: false,
        });
    }
    let mut added = 0;
    for (at, sayings) in by_time {
        ledger::add(conn, tenant, &sayings, NUMBERS_JOINED, at).await?;
        added += count_of(sayings.iter());
    }
    Ok(added)
}

async fn mark(conn: &mut PgConnection, numbers: &[Number]) -> Result<()> {
    let (persons, ranks) = places(numbers);
    sqlx::query(
        "update phone n set canonical = true from unnest($1::uuid[], $2::smallint[]) as k (person, rank) \
         where n.person = k.person and n.rank = k.rank and not n.canonical",
    )
    .bind(persons)
    .bind(ranks)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

fn places(numbers: &[Number]) -> (Vec<Uuid>, Vec<i16>) {
    numbers.iter().map(|number| (number.person, number.rank)).unzip()
}
