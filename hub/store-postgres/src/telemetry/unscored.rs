//! Rows for the scorer, in the order of commits within each partition: those that are not scored yet, and after a restart
//! those that are in no checkpoint.

use super::columns::{trace, values};
use super::window::{self, Reader, reach};
use crate::reading::{Versions, version};
use crate::row::{Columns, db, sql, unreadable};
use crate::store::PostgresStore;
use hub_core::id::ApplianceId;
use hub_core::telemetry::{Lane, kept};
use hub_store::error::Result;
use hub_store::prediction::Stretch;
use hub_store::telemetry::StoredRow;
use sqlx::postgres::PgRow;
use std::collections::HashSet;
use tokio::time::Instant;

/// A smaller limit looks for one bad row, and must find the same one again.
const ROTATED_FROM: usize = 64;

/// The columns of a row, but for the appliance's family.
macro_rules! row {
    () => {
        concat!(
            "t.appliance, t.partition, t.profile_no, t.ingest_no, t.lane, t.at, t.received_at, ",
            values!(),
            " as v, t.trace_high, t.trace_low"
        )
    };
}

/// Whether a row `t` is of an appliance of the families that are asked for. Looked up row by row: a join would be free to
/// read all appliances.
macro_rules! watched {
    ($families:literal) => {
        concat!(
            "coalesce(",
            $families,
            "::text[] is null or a.family = any(",
            $families,
            "), false)"
        )
    };
}
macro_rules! family {
    () => {
        "left join lateral (select coalesce(a.model, a.profile) as family from appliance a where a.id = t.appliance offset 0) a \
         on true"
    };
}

/// The newest weeks in the order of commits, and among them what came late; of each partition a share, cut to a limit.
const UNSCORED: &str = concat!(
    "with read as materialized ( \
       select t.*, ",
    watched!("$5"),
    " as watched \
       from scored s cross join lateral ( \
         (select ",
    row!(),
    " from telemetry t where t.partition = s.partition and t.ingest_no > s.ingest_no and t.at >= s.seen_at - ",
    reach!(),
    " and t.at >= $6 order by t.ingest_no limit $2) \
         union all \
         (select t.* from late l cross join lateral (select ",
    row!(),
    " from telemetry t where t.appliance = l.appliance and t.at = l.at and t.ingest_no = l.ingest_no \
            and t.partition = l.partition offset 0) t \
          where l.partition = s.partition and l.ingest_no > s.ingest_no and l.at < s.seen_at - ",
    reach!(),
    " order by l.ingest_no limit $2) \
         order by ingest_no limit $2) t ",
    family!(),
    " where s.partition = any($1) order by t.partition < $4, t.partition, t.ingest_no limit $3), \
     last as (select distinct on (partition) * from read order by partition, ingest_no desc) \
     select appliance, partition, profile_no, ingest_no, lane, at, received_at, v, trace_high, trace_low, (select count(*) from read) as read \
     from (select * from read where watched union all \
           select appliance, partition, profile_no, ingest_no, lane, at, received_at, '{}', trace_high, trace_low, watched from last where not watched) r \
     order by partition, ingest_no"
);

/// Rows of stretches: of the newest weeks, and among them those that came late.
const AGAIN: &str = concat!(
    "select t.* from unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::timestamptz[]) as k (partition, low, high, seen_at) \
     cross join lateral ( \
       (select ",
    row!(),
    " from telemetry t where t.partition = k.partition and t.ingest_no > k.low and t.ingest_no <= k.high and t.at >= k.seen_at - ",
    reach!(),
    " and t.at >= $6 order by t.ingest_no limit $7) \
       union all \
       (select t.* from late l cross join lateral (select ",
    row!(),
    " from telemetry t where t.appliance = l.appliance and t.at = l.at and t.ingest_no = l.ingest_no \
          and t.partition = l.partition offset 0) t \
        where l.partition = k.partition and l.ingest_no > k.low and l.ingest_no <= k.high and l.at < k.seen_at - ",
    reach!(),
    " order by l.ingest_no limit $7)) t ",
    family!(),
    " where ",
    watched!("$5"),
    " order by t.partition, t.ingest_no"
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
    let rows = stored_rows(store, &rows).await?;
    // What was read stays due until the scorer's offset has passed it; so does what the limit may have cut off.
    if usize::try_from(all).is_ok_and(|all| all < limit) {
        let read: HashSet<i16> = rows.iter().map(|row| i16::from(row.partition)).collect();
        due.settle(|partition| !read.contains(&partition));
    }
    Ok(rows)
}

/// Rows of these stretches, by partition and number.
pub(crate) async fn again(
    store: &PostgresStore,
    stretches: &[Stretch],
    families: Option<&[String]>,
) -> Result<Vec<StoredRow>> {
    let Some(earliest) = stretches.iter().map(|stretch| stretch.received_at).min() else {
        return Ok(Vec::new());
    };
    let longest = stretches.iter().map(|stretch| stretch.up_to - stretch.after).max();
    let rows = sqlx::query(AGAIN)
        .bind(stretches.iter().map(|s| i16::from(s.partition)).collect::<Vec<_>>())
        .bind(stretches.iter().map(|s| s.after).collect::<Vec<_>>())
        .bind(stretches.iter().map(|s| s.up_to).collect::<Vec<_>>())
        .bind(stretches.iter().map(|s| sql(s.received_at)).collect::<Vec<_>>())
        .bind(families)
        .bind(sql(window::before(earliest)))
        .bind(longest.unwrap_or(0).max(0))
        .fetch_all(&store.pool)
        .await
        .map_err(db)?;
    stored_rows(store, &rows).await
}

async fn stored_rows(store: &PostgresStore, rows: &[PgRow]) -> Result<Vec<StoredRow>> {
    let numbers: Vec<i16> = rows.iter().map(|row| row.col("profile_no")).collect::<Result<_>>()?;
    let versions = store.catalog.with(store, numbers).await?;
    rows.iter().map(|row| stored_row(row, &versions)).collect()
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
