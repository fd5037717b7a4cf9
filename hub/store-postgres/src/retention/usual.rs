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

pub(super) async fn last(store: &PostgresStore) -> Result<Vec<u64>> {
    let rows: Vec<i64> = sqlx::query_scalar("select rows from sweep order by number desc limit $1")
        .bind(kept())
        .fetch_all(&store.pool)
        .await
        .map_err(db)?;
    Ok(rows.into_iter().map(|rows| u64::try_from(rows).unwrap_or(0)).collect())
}

pub(super) async fn note(store: &PostgresStore, rows: u64, now: Timestamp) -> Result<()> {
    let mut tx = store.begin_fenced().await?;
    sqlx::query("insert into sweep (ended_at, rows) values ($1, $2)")
        .bind(sql(now))
        .bind(i64::try_from(rows).unwrap_or(i64::MAX))
        .execute(&mut *tx)
        .await
        .map_err(db)?;
    sqlx::query("delete from sweep where number <= (select number from sweep order by number desc offset $1 limit 1)")
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
