//! Bytes of a value, indexes included, raw and compressed.

use super::base::Base;
use anyhow::{Context, Result};
use sqlx::{Executor, PgConnection};

/// Bytes of a table with its indexes, over all its partitions or chunks.
///
/// # Errors
/// The database does not answer.
pub async fn bytes(base: &Base, table: &str) -> Result<i64> {
    let mut sql = base.sql().await?;
    let hypertable = base.is_timescale && is_hypertable(&mut sql, table).await?;
    let query = if hypertable {
        format!("select hypertable_size('{table}')")
    } else {
        format!(
            "select coalesce(sum(pg_total_relation_size(relid))::bigint, pg_total_relation_size('{table}')) \
             from pg_partition_tree('{table}')"
        )
    };
    Ok(sqlx::query_scalar(&query).fetch_one(&mut sql).await?)
}

async fn is_hypertable(sql: &mut PgConnection, table: &str) -> Result<bool> {
    let query = "select exists (select from timescaledb_information.hypertables where hypertable_name = $1)";
    Ok(sqlx::query_scalar(query).bind(table).fetch_one(sql).await?)
}

/// Makes a plain table a hypertable as one would by hand, to be compressed by `segment`.
///
/// # Errors
/// The database refuses.
pub async fn make_compressible(base: &Base, table: &str, segment: &str) -> Result<()> {
    let mut sql = base.sql().await?;
    for statement in [
        format!(
            "select create_hypertable('{table}', by_range('at', interval '7 days'), create_default_indexes => false, migrate_data => true)"
        ),
        format!(
            "alter table {table} set (timescaledb.compress, timescaledb.compress_segmentby = '{segment}', timescaledb.compress_orderby = 'at desc')"
        ),
    ] {
        sql.execute(statement.as_str()).await.context("make a hypertable")?;
    }
    Ok(())
}

/// Compresses all chunks of a hypertable; its bytes then.
///
/// # Errors
/// The database refuses.
pub async fn compress(base: &Base, table: &str) -> Result<i64> {
    let mut sql = base.sql().await?;
    let statement = format!("select compress_chunk(c, if_not_compressed => true) from show_chunks('{table}') c");
    sql.execute(statement.as_str()).await.context("compress chunks")?;
    bytes(base, table).await
}
