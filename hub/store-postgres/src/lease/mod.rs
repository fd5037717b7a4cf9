//! The lease: an advisory lock on a connection of its own, which falls with the process or the machine, and the token in
//! the row, which every transaction that needs the lease compares.
//!
//! The lock alone would not do: a holder that is cut off from the database may lose it without knowing. So a hub that takes
//! the lease over counts the token up, and that waits for the transactions that hold the row `for share`; all later ones
//! of the old holder find another token. A holder whose lock fell, for example with the database, keeps its token as
//! long as nobody else has taken the lease, and takes the lock up again.

mod keeper;
pub(crate) mod place;

pub(crate) use keeper::Keeper;

use crate::row::{Columns, db, sql};
use crate::store::PostgresStore;
use crate::transaction::Transaction;
use async_trait::async_trait;
use hub_store::error::{Result, StoreError};
use hub_store::lease::{Lease, LeaseState, LeaseStore};
use jiff::Timestamp;
use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use std::time::Duration;

/// First partition of the one lease that there is.
const FIRST: i16 = 0;
/// Key of the lock: of this lease, in this schema. Locks are apart by database already.
const KEY: &str = "hashtextextended('forecall lease 0 of ' || coalesce(current_schema(), ''), 0)";

#[async_trait]
impl LeaseStore for PostgresStore {
    async fn take_lease(&self, now: Timestamp) -> Result<Option<Lease>> {
        let Some(lease) = self.lease.take(&self.pool, now).await? else {
            return Ok(None);
        };
        // Nobody else writes readings from here on, nor has anything under way.
        self.writer.begin(&self.pool, &self.lease, self.layout).await?;
        Ok(Some(lease))
    }

    async fn lease_lost(&self, patience: Duration) -> bool {
        self.lease.lost(&self.pool, patience).await
    }

    async fn lease_state(&self) -> Result<LeaseState> {
        let query = format!(
            "select l.holder, l.token, l.taken_at, exists ({}) as held from lease l where l.first = $1",
            holders(KEY)
        );
        // Begun again on another connection, where the first one proves dead.
        let mut tx = self.begin().await?;
        let row = sqlx::query(&query).bind(FIRST).fetch_one(&mut *tx).await.map_err(db)?;
        Ok(LeaseState {
            held: row.col("held")?,
            holder: row.col("holder")?,
            token: row.col("token")?,
            taken_at: row.maybe_at("taken_at")?,
        })
    }

    fn has_lease(&self) -> bool {
        self.lease.token().is_some()
    }
}

impl PostgresStore {
    /// Notes how late it is at the least, for the next holder of the lease. Only who holds it may.
    pub(crate) async fn note_vouched(&self, at: Timestamp) -> Result<()> {
        let mut tx = self.begin_fenced().await?;
        sqlx::query(
            "insert into witness (vouched_at) values ($1) on conflict (only_row) do update set vouched_at = excluded.vouched_at",
        )
        .bind(sql(at))
        .execute(&mut *tx)
        .await
        .map_err(db)?;
        tx.commit().await.map_err(db)
    }

    /// Sees to it that nobody takes the lease over before the transaction that is open on `conn` has ended: a connection
    /// beside the pool, on which what takes too long for this store's limits is written.
    ///
    /// # Errors
    ///
    /// [`StoreError::Deposed`] where this program does not have the lease; what the database says.
    pub async fn fence(&self, conn: &mut PgConnection) -> Result<()> {
        self.lease.fence(conn).await
    }

    /// Begins a transaction that nobody takes the lease over before it has ended.
    pub(crate) async fn begin_fenced(&self) -> Result<Transaction> {
        let mut tx = self.begin().await?;
        self.lease.fence(&mut tx).await?;
        Ok(tx)
    }
}

/// Holds the lease's row against a hub that would take it over, until the transaction ends; fails with
/// [`StoreError::Deposed`] if the token is not the row's any more.
async fn fence(conn: &mut PgConnection, token: i64) -> Result<()> {
    let held: Option<i16> = sqlx::query_scalar("select first from lease where first = $1 and token = $2 for share")
        .bind(FIRST)
        .bind(token)
        .fetch_optional(conn)
        .await
        .map_err(db)?;
    held.map(drop).ok_or(StoreError::Deposed)
}

/// The sessions (`pid`) of this database that hold the lock of a key.
fn holders(key: &str) -> String {
    format!(
        "select k.pid from pg_locks k, pg_database d, (select {key} as number) n \
         where k.locktype = 'advisory' and k.granted and k.objsubid = 1 and d.oid = k.database \
         and d.datname = current_database() and k.classid::bigint = (n.number >> 32) & 4294967295 \
         and k.objid::bigint = n.number & 4294967295"
    )
}

/// Takes the lock if it is free. It is the session's, and falls with it.
pub(crate) async fn lock(conn: &mut PgConnection) -> Result<bool> {
    sqlx::query_scalar(&format!("select pg_try_advisory_lock({KEY})"))
        .fetch_one(conn)
        .await
        .map_err(db)
}

/// Makes `holder` the holder; waits for what is under way of the one before.
async fn count_up(conn: &mut PgConnection, holder: uuid::Uuid, now: Timestamp) -> Result<i64> {
    sqlx::query_scalar(
        "update lease set token = token + 1, holder = $2, taken_at = $3 where first = $1 returning token",
    )
    .bind(FIRST)
    .bind(holder)
    .bind(sql(now))
    .fetch_one(conn)
    .await
    .map_err(db)
}

/// How late it was at the least before the lease is taken. Where nobody has vouched for a time, it is what the holders before
/// have stamped, unless it is still to come, and from then on stays that until somebody vouches: no later holder's stamp counts.
/// Where there are readings, the newest time that the last one of a partition states has to lie within a day of the stamp, and
/// the earlier counts: the first run may have had a wrong clock.
async fn vouched_before(conn: &mut PgConnection, now: Timestamp) -> Result<Option<Timestamp>> {
    let known: Option<PgRow> = sqlx::query("select vouched_at from witness where vouched_at is not null")
        .fetch_optional(&mut *conn)
        .await
        .map_err(db)?;
    if let Some(row) = known {
        return row.maybe_at("vouched_at");
    }
    let row = sqlx::query(
        "insert into witness (vouched_at) select case \
           when s.stamped is null then (select taken_at from lease where first = $1 and taken_at <= $2) \
           when s.stamped between s.stated - interval '24 hours' and s.stated + interval '24 hours' \
             then least(s.stamped, s.stated) end \
         from (select (select max(seen_at) from rolled where seen_at > '1970-01-01Z' and seen_at <= $2) as stamped, \
           (select max(t.at) from rolled r cross join lateral ( \
              select at from telemetry where partition = r.partition and ingest_no = r.ingest_no \
                and at >= r.seen_at - interval '24 hours' offset 0) t \
            where r.seen_at > '1970-01-01Z' and r.seen_at <= $2) as stated) s where true \
         on conflict (only_row) do update set vouched_at = coalesce(witness.vouched_at, excluded.vouched_at) \
         returning vouched_at",
    )
    .bind(FIRST)
    .bind(sql(now))
    .fetch_one(conn)
    .await
    .map_err(db)?;
    row.maybe_at("vouched_at")
}

/// Whether the lease is still with this holder under this token.
async fn is_held_by(conn: &mut PgConnection, holder: uuid::Uuid, token: i64) -> Result<bool> {
    sqlx::query_scalar("select exists (select from lease where first = $1 and holder = $2 and token = $3)")
        .bind(FIRST)
        .bind(holder)
        .bind(token)
        .fetch_one(conn)
        .await
        .map_err(db)
}
