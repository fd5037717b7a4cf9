//! Weeks that nobody keeps any more.

use super::rule;
use crate::layout::Layout;
use crate::row::{Columns, db, sql};
use crate::store::PostgresStore;
use hub_store::error::Result;
use jiff::Timestamp;
use sqlx::{Executor, PgConnection};

/// Ingest and readers wait while a week is dropped, and that waits for those who read for long: not for more than this.
const LOCK_LIMIT: &str = "set local lock_timeout = '1s'";
/// Weeks dropped in one sweep; the next one goes on.
const WEEKS_MAX: usize = 52;

/// Drops them, and answers with their names.
pub(super) async fn drop_old(store: &PostgresStore, conn: &mut PgConnection, now: Timestamp) -> Result<Vec<String>> {
    let Some(limit) = rule::oldest_limit(conn, now).await? else {
        return Ok(Vec::new());
    };
    match store.layout {
        Layout::Partitions => partitions(store, conn, limit).await,
        Layout::Hypertable => chunks(store, conn, limit).await,
    }
}

async fn partitions(store: &PostgresStore, conn: &mut PgConnection, limit: Timestamp) -> Result<Vec<String>> {
    let old: Vec<String> = sqlx::query_scalar(
        "select c.oid::regclass::text from pg_inherits i join pg_class c on c.oid = i.inhrelid \
         where i.inhparent = 'telemetry'::regclass and ( \
           regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \\(''([^'']+)''\\)'))[1]::timestamptz <= $1 \
         order by c.relname limit $2",
    )
    .bind(sql(limit))
    .bind(i64::try_from(WEEKS_MAX).unwrap_or(i64::MAX))
    .fetch_all(&mut *conn)
    .await
    .map_err(db)?;
    for table in &old {
        // The writer waits at its own door instead of at the table's, and then knows that the week is not there.
        let mut writer = store.writer.still().await;
        let mut tx = store.begin().await?;
        tx.execute(LOCK_LIMIT).await.map_err(db)?;
        tx.execute(format!("drop table {table}").as_str()).await.map_err(db)?;
        tx.commit().await.map_err(db)?;
        writer.forget();
        tracing::info!(table, "week of readings deleted by retention");
    }
    Ok(old)
}

async fn chunks(store: &PostgresStore, conn: &mut PgConnection, limit: Timestamp) -> Result<Vec<String>> {
    let schema: String = sqlx::query_scalar(
        "select quote_ident(nspname) from pg_extension e join pg_namespace n on n.oid = e.extnamespace \
         where e.extname = 'timescaledb'",
    )
    .fetch_one(&mut *conn)
    .await
    .map_err(db)?;
    let mut tx = store.begin().await?;
    tx.execute(LOCK_LIMIT).await.map_err(db)?;
    let rows = sqlx::query(&format!(
        "select {schema}.drop_chunks('telemetry', older_than => $1::timestamptz)::text as chunk"
    ))
    .bind(sql(limit))
    .fetch_all(&mut *tx)
    .await
    .map_err(db)?;
    tx.commit().await.map_err(db)?;
    let dropped: Vec<String> = rows.iter().map(|row| row.col("chunk")).collect::<Result<_>>()?;
    for chunk in &dropped {
        tracing::info!(chunk, "week of readings deleted by retention");
    }
    Ok(dropped)
}
