//! Rows for the scorer, in the order of commits within each partition.

use super::columns::{trace, values};
use super::window::{self, Reader, reach};
use crate::reading::{Versions, version};
use crate::row::{Columns, db, sql, unreadable};
use crate::store::PostgresStore;
use hub_core::id::ApplianceId;
use hub_core::telemetry::{Lane, kept};
use hub_store::error::Result;
use hub_store::telemetry::StoredRow;
use sqlx::postgres::PgRow;
use std::collections::HashSet;
use tokio::time::Instant;

/// A smaller limit looks for one bad row, and must find the same one again.
const ROTATED_FROM: usize = 64;

/// The newest weeks in the order of commits, and among them what came late; of each partition a share, cut to a limit.
const UNSCORED: &str = concat!(
    "with read as materialized ( \
       select t.*, coalesce($5::text[] is null or coalesce(a.model, a.profile) = any($5), false) as watched \
       from scored s cross join lateral ( \
         (select appliance, partition, profile_no, ingest_no, lane, at, received_at, ",
    values!(),
    " as v, trace_high, trace_low from telemetry \
          where partition = s.partition and ingest_no > s.ingest_no and at >= s.seen_at - ",
    reach!(),
    " and at >= $6 order by ingest_no limit $2) \
         union all \
         (select t.appliance, t.partition, t.profile_no, t.ingest_no, t.lane, t.at, t.received_at, ",
    values!(),
    " as v, trace_high, trace_low from late l \
          join telemetry t on t.appliance = l.appliance and t.at = l.at and t.ingest_no = l.ingest_no \
          where l.partition = s.partition and l.ingest_no > s.ingest_no and l.at < s.seen_at - ",
    reach!(),
    " and t.partition = l.partition order by l.ingest_no limit $2) \
         order by ingest_no limit $2) t \
       left join appliance a on a.id = t.appliance \
       where s.partition = any($1) order by t.partition < $4, t.partition, t.ingest_no limit $3), \
     last as (select distinct on (partition) * from read order by partition, ingest_no desc) \
     select appliance, partition, profile_no, ingest_no, lane, at, received_at, v, trace_high, trace_low, (select count(*) from read) as read \
     from (select * from read where watched union all \
           select appliance, partition, profile_no, ingest_no, lane, at, received_at, '{}', trace_high, trace_low, watched from last where not watched) r \
     order by partition, ingest_no"
);

/// Every partition with a backlog gets its share, so that one busy partition does not starve the others. Rows of
/// appliances of other `families` are passed over, but for the last one of a partition.
pub(super) async fn unscored(
    store: &PostgresStore,
    limit: usize,
    families: Option<&[String]>,
) -> Result<Vec<StoredRow>> {
    let due = store.writer.unscored.take(Instant::now());
    if due.numbers.is_empty() {
        return Ok(Vec::new());
    }
    // Not always from the same: with many partitions, a limit may reach only the first of them.
    let start = store.writer.turn() % due.numbers.len();
    let first = due.numbers.get(start).filter(|_| limit >= ROTATED_FROM).copied();
    let mut conn = store.pool.acquire().await.map_err(db)?;
    let floor = window::floor(&mut conn, Reader::Scorer, &due.numbers).await?;
    let rows = sqlx::query(UNSCORED)
        .bind(&due.numbers)
        .bind(due.share(limit))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .bind(first)
        .bind(families)
        .bind(sql(floor))
        .fetch_all(&mut *conn)
        .await
        .map_err(db)?;
    let all = rows.first().map(|row| row.col::<i64>("read")).transpose()?.unwrap_or(0);
    // Versions may be read over another connection of the same pool.
    drop(conn);
    let numbers: Vec<i16> = rows.iter().map(|row| row.col("profile_no")).collect::<Result<_>>()?;
    let versions = store.catalog.with(store, numbers).await?;
    let rows: Vec<StoredRow> = rows
        .iter()
        .map(|row| stored_row(row, &versions))
        .collect::<Result<_>>()?;
    // What was read stays due until the scorer's offset has passed it; so does what the limit may have cut off.
    if usize::try_from(all).is_ok_and(|all| all < limit) {
        let read: HashSet<i16> = rows.iter().map(|row| i16::from(row.partition)).collect();
        due.settle(|partition| !read.contains(&partition));
    }
    Ok(rows)
}

fn stored_row(row: &PgRow, versions: &Versions) -> Result<StoredRow> {
    let partition: i16 = row.col("partition")?;
    let events = row.col::<Option<i16>>("lane")? == Some(Lane::Events as i16);
    Ok(StoredRow {
        appliance: ApplianceId(row.col("appliance")?),
        partition: u8::try_from(partition).map_err(|error| unreadable("partition")(Box::new(error)))?,
        ingest_no: row.col("ingest_no")?,
        lane: if events { Lane::Events } else { Lane::Telemetry },
        at: row.at("at")?,
        received_at: row.at("received_at")?,
        profile: version(versions, row.col("profile_no")?)?,
        values: kept(row.col("v")?),
        trace: trace(row)?,
    })
}
