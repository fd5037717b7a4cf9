//! Rows for the scorer, in the order of commits within each partition: those that are not scored yet, and after a restart
//! those that are in no checkpoint.

use super::columns::{trace, values};
use super::window::{self, reach};
use crate::reading::{Versions, version};
use crate::row::{Columns, db, sql, unreadable};
use crate::store::PostgresStore;
use hub_core::id::ApplianceId;
use hub_core::telemetry::{Lane, kept};
use hub_store::error::Result;
use hub_store::prediction::Stretch;
use hub_store::telemetry::{StoredRow, Unscored};
use jiff::Timestamp;
use sqlx::postgres::PgRow;
use std::collections::BTreeMap;
use tokio::time::Instant;

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

/// The newest weeks in the order of commits, and among them what came late; of each partition a share, cut to a limit. Each
/// row says how many were read of its partition.
const UNSCORED: &str = concat!(
    "with noted as materialized (select partition, seen_at, ingest_no from scored where partition = any($1)), \
     read as materialized ( \
       select t.*, ",
    watched!("$5"),
    " as watched \
       from (select s.partition, s.seen_at, greatest(s.ingest_no, k.low) as low \
         from unnest($1::smallint[], $7::bigint[]) as k (partition, low) join noted s on s.partition = k.partition) s \
       cross join lateral ( \
         (select ",
    row!(),
    " from telemetry t where t.partition = s.partition and t.ingest_no > s.low and t.at >= s.seen_at - ",
    reach!(),
    " and t.at >= $6 order by t.ingest_no limit $2) \
         union all \
         (select t.* from late l cross join lateral (select ",
    row!(),
    " from telemetry t where t.appliance = l.appliance and t.at = l.at and t.ingest_no = l.ingest_no \
            and t.partition = l.partition offset 0) t \
          where l.partition = s.partition and l.ingest_no > s.low and l.at < s.seen_at - ",
    reach!(),
    " order by l.ingest_no limit $2) \
         order by ingest_no limit $2) t ",
    family!(),
    " order by t.partition < $4, t.partition, t.ingest_no limit $3) \
     select appliance, partition, profile_no, ingest_no, lane, at, received_at, case when watched then v else '{}' end as v, \
       trace_high, trace_low, watched, read, last \
     from (select r.*, count(*) over w as read, last_value(r.ingest_no) over w as last from read r window w as ( \
         partition by r.partition order by r.ingest_no rows between unbounded preceding and unbounded following)) r \
     where watched or ingest_no = last order by partition, ingest_no"
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

/// Every partition with a backlog gets its share, so that one busy partition does not starve the others; what some do not
/// use goes to those of which the share has cut something off. Rows of appliances of other `families` are passed over, but
/// for the last one of a partition.
pub(super) async fn unscored(store: &PostgresStore, limit: usize, families: Option<&[String]>) -> Result<Unscored> {
    let due = store.writer.unscored.take(Instant::now());
    if due.numbers.is_empty() {
        return Ok(Unscored::default());
    }
    // Not always from the same: with many partitions, a limit may reach only the first of them.
    let start = store.writer.turn() % due.numbers.len();
    let share = due.share(limit);
    let look = Look {
        first: due.numbers.get(start).copied(),
        families,
        floor: store.writer.scorer_floor.of(store, &due.numbers).await?,
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let from: BTreeMap<i16, i64> = due.numbers.iter().map(|partition| (*partition, 0)).collect();
    let mut read = look.read(store, &from, share, limit).await?;
    let portions = portions(&read)?;
    let left = limit - portions.values().map(|portion| portion.rows).sum::<i64>();
    let mut more = left <= 0;
    if !more {
        // What was read stays due until the scorer's offset has passed it; so does what the limit may have cut off.
        due.settle(|partition| !portions.contains_key(&partition));
        let cut = portions.iter().filter(|(_, portion)| portion.rows >= share);
        let cut: BTreeMap<i16, i64> = cut.map(|(partition, portion)| (*partition, portion.last)).collect();
        // At least one row of each, or none: a statement reads no more than it may give.
        let further = i64::try_from(cut.len()).ok().and_then(|count| left.checked_div(count));
        more = further == Some(0);
        if let Some(share @ 1..) = further {
            let rest = look.read(store, &cut, share, left).await?;
            more = joined(&mut read, rest, share)?;
        }
    }
    let mut rows = stored_rows(store, &read).await?;
    rows.sort_by_key(|row| (row.partition, row.ingest_no));
    Ok(Unscored { rows, more })
}

/// What all statements of one look have in common.
struct Look<'a> {
    /// Rows of this partition and those behind it come first, where a limit does not let all through.
    first: Option<i16>,
    families: Option<&'a [String]>,
    /// Rows that were measured before are looked up as late ones.
    floor: Timestamp,
}

impl Look<'_> {
    /// Rows of these partitions behind these numbers: of each so many, and so many in all.
    async fn read(
        &self,
        store: &PostgresStore,
        from: &BTreeMap<i16, i64>,
        share: i64,
        limit: i64,
    ) -> Result<Vec<PgRow>> {
        let query = || {
            sqlx::query(UNSCORED)
                .bind(from.keys().copied().collect::<Vec<i16>>())
                .bind(share)
                .bind(limit)
                .bind(self.first)
                .bind(self.families)
                .bind(sql(self.floor))
                .bind(from.values().copied().collect::<Vec<i64>>())
        };
        store.scorer.fetch(query).await
    }
}

/// What was read of one partition.
struct Portion {
    rows: i64,
    /// Number of the last one.
    last: i64,
}

fn portions(read: &[PgRow]) -> Result<BTreeMap<i16, Portion>> {
    let portion = |row: &PgRow| -> Result<(i16, Portion)> {
        let portion = Portion {
            rows: row.col("read")?,
            last: row.col("last")?,
        };
        Ok((row.col("partition")?, portion))
    };
    read.iter().map(portion).collect()
}

/// Adds the `rest` to what was `read` of some partitions, of which so many rows each were asked for; whether there may be
/// more. A row that nobody watches comes only where it is the last.
fn joined(read: &mut Vec<PgRow>, rest: Vec<PgRow>, share: i64) -> Result<bool> {
    let further = portions(&rest)?;
    let mut rows = Vec::with_capacity(read.len() + rest.len());
    for row in read.drain(..) {
        if row.col::<bool>("watched")? || !further.contains_key(&row.col::<i16>("partition")?) {
            rows.push(row);
        }
    }
    rows.extend(rest);
    *read = rows;
    Ok(further.values().any(|portion| portion.rows >= share))
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
