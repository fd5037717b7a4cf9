//! What sweeps have taken so far, and the word of a person where one takes more.

use crate::row::{Columns, db, sql, text};
use crate::store::PostgresStore;
use hub_core::retention::{CONFIRMED_FOR, SWEEPS_KEPT};
use hub_store::error::Result;
use hub_store::retention::Confirmation;
use jiff::Timestamp;
use sqlx::postgres::PgRow;

fn kept() -> i64 {
    i64::try_from(SWEEPS_KEPT).unwrap_or(i64::MAX)
}

/// Of whole days only: that of `before` still runs.
pub(super) async fn last(store: &PostgresStore, before: Timestamp) -> Result<Vec<u64>> {
    let rows: Vec<i64> = sqlx::query_scalar(
        "select least(sum(rows), 9223372036854775807)::bigint from sweep where ended_at < date_trunc('day', $1, 'UTC') \
         group by date_trunc('day', ended_at, 'UTC') order by date_trunc('day', ended_at, 'UTC') desc limit $2",
    )
    .bind(sql(before))
    .bind(kept())
    .fetch_all(&store.pool)
    .await
    .map_err(db)?;
    Ok(rows.into_iter().map(|rows| u64::try_from(rows).unwrap_or(0)).collect())
}

/// In `ended_at` is the time by which the sweep went, which tells the day of its limits: the machine's clock tells nothing of
/// these.
pub(super) async fn note(store: &PostgresStore, rows: u64, until: Timestamp) -> Result<()> {
    let mut tx = store.begin_fenced().await?;
    sqlx::query("insert into sweep (ended_at, rows) values ($1, $2)")
        .bind(sql(until))
        .bind(i64::try_from(rows).unwrap_or(i64::MAX))
        .execute(&mut *tx)
        .await
        .map_err(db)?;
    // That of the day that runs stays beside those that tell what is usual.
    sqlx::query(
        "delete from sweep where ended_at < (select distinct date_trunc('day', ended_at, 'UTC') as day from sweep \
         order by day desc offset $1 limit 1)",
    )
    .bind(kept())
    .execute(&mut *tx)
    .await
    .map_err(db)?;
    tx.commit().await.map_err(db)
}

pub(super) async fn confirm(store: &PostgresStore, by: &str, now: Timestamp) -> Result<Confirmation> {
    let expires_at = now.checked_add(CONFIRMED_FOR).unwrap_or(Timestamp::MAX);
    let row = sqlx::query(
        "insert into sweep_confirmation (confirmed_at, expires_at, confirmed_by) values ($1, $2, $3) \
         returning confirmed_at, expires_at, confirmed_by",
    )
    .bind(sql(now))
    .bind(sql(expires_at))
    .bind(text(by))
    .fetch_one(&store.pool)
    .await
    .map_err(db)?;
    from_row(&row)
}

pub(super) async fn confirmed(store: &PostgresStore, now: Timestamp) -> Result<Option<Confirmation>> {
    let row = sqlx::query(
        "select confirmed_at, expires_at, confirmed_by from sweep_confirmation \
         where confirmed_at <= $1 and expires_at > $1 order by number desc limit 1",
    )
    .bind(sql(now))
    .fetch_optional(&store.pool)
    .await
    .map_err(db)?;
    row.as_ref().map(from_row).transpose()
}

fn from_row(row: &PgRow) -> Result<Confirmation> {
    Ok(Confirmation {
        at: row.at("confirmed_at")?,
        expires_at: row.at("expires_at")?,
        by: row.col("confirmed_by")?,
    })
}
