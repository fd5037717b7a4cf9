//! What is shown of an appliance's readings — how many, and the time of the newest — is counted from the rows after they
//! are committed, up to an offset of each partition that moves in the same transaction: whatever happens at whatever
//! moment, every row is counted once.

use super::gauge::Gauges;
use super::guard::{GuardKey, SIGN};
use super::upkeep;
use super::window::{self, Reader, reach};
use crate::row::{Columns, db, sql, sql_maybe};
use crate::store::PostgresStore;
use hub_store::error::Result;
use jiff::Timestamp;
use sqlx::PgConnection;
use std::collections::BTreeMap;
use tokio::time::Instant;

/// Rolls up at most about `limit` rows; answers with how many it were.
pub(super) async fn roll_up(store: &PostgresStore, limit: usize) -> Result<usize> {
    let due = store.writer.unrolled.take(Instant::now());
    let gauges = Pending::take(store);
    if due.numbers.is_empty() && gauges.counts.is_empty() {
        upkeep::keep(store, Instant::now()).await?;
        return Ok(0);
    }
    let mut tx = store.begin().await?;
    let floor = window::floor(&mut tx, Reader::RollUp, &due.numbers).await?;
    let spans = lock(&mut tx, &due.numbers, floor, due.share(limit)).await?;
    let rows = write(&mut tx, &spans, floor, &gauges.counts).await?;
    tx.commit().await.map_err(db)?;
    gauges.written();
    due.settle(|partition| spans.iter().all(|span| span.partition != partition));
    if rows == 0 {
        upkeep::keep(store, Instant::now()).await?;
    }
    Ok(rows)
}

/// Counts taken for a roll-up; they wait for the next one unless they were written.
struct Pending<'a> {
    store: &'a PostgresStore,
    counts: Gauges,
}

impl<'a> Pending<'a> {
    fn take(store: &'a PostgresStore) -> Self {
        let counts = std::mem::take(&mut *store.writer.gauges());
        Self { store, counts }
    }

    fn written(mut self) {
        self.counts = Gauges::default();
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if !self.counts.is_empty() {
            let mut waiting = self.store.writer.gauges();
            // What came meanwhile is newer.
            let newer = std::mem::replace(&mut *waiting, std::mem::take(&mut self.counts));
            waiting.add(newer);
        }
    }
}

/// Rows of one partition: those above `low`, up to `high`.
struct Span {
    partition: i16,
    low: i64,
    high: i64,
}

/// Rows that are not rolled up yet. Partitions that somebody else is rolling up are left to them.
async fn lock(conn: &mut PgConnection, partitions: &[i16], floor: Timestamp, share: i64) -> Result<Vec<Span>> {
    let rows = sqlx::query(concat!(
        "with r as materialized ( \
           select partition, ingest_no, seen_at from rolled where partition = any($1) order by partition \
           for no key update skip locked) \
         select r.partition, r.ingest_no as low, least(h.top, r.ingest_no + $2) as high \
         from r cross join lateral (select greatest( \
           (select t.ingest_no from telemetry t where t.partition = r.partition and t.ingest_no > r.ingest_no \
              and t.at >= r.seen_at - ",
        reach!(),
        " and t.at >= $3 order by t.ingest_no desc limit 1), \
           (select l.ingest_no from late l where l.partition = r.partition and l.ingest_no > r.ingest_no \
            order by l.ingest_no desc limit 1)) as top) h \
         where h.top > r.ingest_no"
    ))
    .bind(partitions)
    .bind(share)
    .bind(sql(floor))
    .fetch_all(conn)
    .await
    .map_err(db)?;
    rows.iter()
        .map(|row| {
            Ok(Span {
                partition: row.col("partition")?,
                low: row.col("low")?,
                high: row.col("high")?,
            })
        })
        .collect()
}

/// Rows of these spans: of the newest weeks, and of those that came late.
const ROWS: &str = concat!(
    "select t.partition, t.appliance, t.boot, t.lane, t.seq, t.at, t.received_at \
     from unnest($1::smallint[], $2::bigint[], $3::bigint[]) as k (partition, low, high) \
     join rolled r on r.partition = k.partition \
     join telemetry t on t.partition = k.partition and t.ingest_no > k.low and t.ingest_no <= k.high \
       and t.at >= r.seen_at - ",
    reach!(),
    " and t.at >= $4 \
     union all \
     select t.partition, t.appliance, t.boot, t.lane, t.seq, t.at, t.received_at \
     from unnest($1::smallint[], $2::bigint[], $3::bigint[]) as k (partition, low, high) \
     join rolled r on r.partition = k.partition \
     join late l on l.partition = k.partition and l.ingest_no > k.low and l.ingest_no <= k.high and l.at < r.seen_at - ",
    reach!(),
    " join telemetry t on t.appliance = l.appliance and t.at = l.at and t.ingest_no = l.ingest_no \
       and t.partition = l.partition"
);

/// What is added to one appliance.
#[derive(Default)]
struct Added {
    samples: i64,
    newest: Option<Timestamp>,
}

/// What the rows of some spans say.
#[derive(Default)]
struct Sums {
    appliances: BTreeMap<i64, Added>,
    /// Newest receipt of each partition.
    seen: BTreeMap<i16, Timestamp>,
    sequences: BTreeMap<GuardKey, Numbers>,
    rows: i64,
}

/// Numbers of one sequence, as the database writes a multirange without its braces, and when one of its rows was received
/// last.
struct Numbers {
    ranges: String,
    used_at: Timestamp,
}

impl Sums {
    /// Notes numbers of a sequence. Its rows may be of two partitions, where that of its appliance has changed.
    fn note(&mut self, key: GuardKey, ranges: &str, used_at: Timestamp) {
        let ranges = ranges.trim_matches(['{', '}']);
        let own = self.sequences.entry(key).or_insert(Numbers {
            ranges: String::new(),
            used_at,
        });
        if !own.ranges.is_empty() {
            own.ranges.push(',');
        }
        own.ranges.push_str(ranges);
        own.used_at = used_at.max(own.used_at);
    }
}

async fn write(conn: &mut PgConnection, spans: &[Span], floor: Timestamp, gauges: &Gauges) -> Result<usize> {
    let mut sums = if spans.is_empty() {
        Sums::default()
    } else {
        sum(conn, spans, floor).await?
    };
    advance(conn, spans, &sums.seen).await?;
    save_numbers(conn, &sums.sequences).await?;
    let counts: BTreeMap<i64, _> = gauges.sorted().into_iter().collect();
    for appliance in counts.keys() {
        sums.appliances.entry(*appliance).or_default();
    }
    status(conn, &sums.appliances, &counts).await?;
    Ok(usize::try_from(sums.rows).unwrap_or(usize::MAX))
}

async fn sum(conn: &mut PgConnection, spans: &[Span], floor: Timestamp) -> Result<Sums> {
    let query = format!(
        "select partition, appliance, boot, lane, range_agg(int8range(seq # $5, nullif(seq # $5, 9223372036854775807) + 1)) filter (where seq is not null)::text as numbers, count(*) as samples, max(at) as newest, \
           max(received_at) as seen from ({ROWS}) t group by partition, appliance, boot, lane \
         order by appliance, boot, lane"
    );
    let rows = sqlx::query(&query)
        .bind(spans.iter().map(|span| span.partition).collect::<Vec<i16>>())
        .bind(spans.iter().map(|span| span.low).collect::<Vec<i64>>())
        .bind(spans.iter().map(|span| span.high).collect::<Vec<i64>>())
        .bind(sql(floor))
        .bind(SIGN)
        .fetch_all(conn)
        .await
        .map_err(db)?;
    let mut sums = Sums::default();
    for row in &rows {
        let (appliance, samples) = (row.col("appliance")?, row.col::<i64>("samples")?);
        let (newest, seen) = (row.at("newest")?, row.at("seen")?);
        sums.rows += samples;
        let added = sums.appliances.entry(appliance).or_default();
        added.samples += samples;
        added.newest = added.newest.max(Some(newest));
        let partition = sums.seen.entry(row.col("partition")?).or_insert(seen);
        *partition = seen.max(*partition);
        if let (Some(boot), Some(lane), Some(numbers)) = (row.col("boot")?, row.col("lane")?, row.col("numbers")?) {
            sums.note((appliance, boot, lane), numbers, seen);
        }
    }
    Ok(sums)
}

async fn advance(conn: &mut PgConnection, spans: &[Span], seen: &BTreeMap<i16, Timestamp>) -> Result<()> {
    if spans.is_empty() {
        return Ok(());
    }
    let seen = |span: &Span| sql_maybe(seen.get(&span.partition).copied());
    sqlx::query(
        "update rolled r set ingest_no = k.high, seen_at = greatest(r.seen_at, k.seen) \
         from unnest($1::smallint[], $2::bigint[], $3::timestamptz[]) as k (partition, high, seen) \
         where r.partition = k.partition",
    )
    .bind(spans.iter().map(|span| span.partition).collect::<Vec<i16>>())
    .bind(spans.iter().map(|span| span.high).collect::<Vec<i64>>())
    .bind(spans.iter().map(seen).collect::<Vec<_>>())
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

/// A sequence's numbers take up at most about this much, in bytes: some 1,100 ranges, one more than there are holes.
const NUMBERS_BYTES_MAX: i32 = 24_576;
/// Ranges that are left when it was more; what lies below them goes to quarantine unless it is noted anew.
const RANGES_LEFT: i64 = 500;

/// Notes the numbers of each sequence, for guards that are rebuilt and for what is older than they know.
async fn save_numbers(conn: &mut PgConnection, sequences: &BTreeMap<GuardKey, Numbers>) -> Result<()> {
    if sequences.is_empty() {
        return Ok(());
    }
    let split = |at: fn(&GuardKey) -> i64| sequences.keys().map(at).collect::<Vec<i64>>();
    let (appliances, boots) = (split(|key| key.0), split(|key| key.1));
    let lanes: Vec<i16> = sequences.keys().map(|key| key.2).collect();
    let multirange = |numbers: &Numbers| format!("{{{}}}", numbers.ranges);
    sqlx::query(
        "insert into sequence as s (appliance, boot, lane, stored, used_at) \
         select appliance, boot, lane, stored::int8multirange, used_at \
         from unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::text[], $5::timestamptz[]) \
           as k (appliance, boot, lane, stored, used_at) \
         on conflict (appliance, boot, lane) do update set stored = s.stored + excluded.stored, \
           used_at = greatest(s.used_at, excluded.used_at)",
    )
    .bind(&appliances)
    .bind(&boots)
    .bind(&lanes)
    .bind(sequences.values().map(multirange).collect::<Vec<String>>())
    .bind(
        sequences
            .values()
            .map(|numbers| sql(numbers.used_at))
            .collect::<Vec<_>>(),
    )
    .execute(&mut *conn)
    .await
    .map_err(db)?;
    sqlx::query(
        "with large as materialized ( \
           select appliance, boot, lane, s.stored from unnest($1::bigint[], $2::bigint[], $3::smallint[]) \
             as k (appliance, boot, lane) join sequence s using (appliance, boot, lane) \
           where pg_column_size(s.stored) > $4) \
         update sequence s set stored = n.stored, known_from = greatest(s.known_from, lower(n.stored)) \
         from large l cross join lateral (select range_agg(r) as stored from ( \
           select r from unnest(l.stored) r order by r desc limit $5) r) n \
         where s.appliance = l.appliance and s.boot = l.boot and s.lane = l.lane",
    )
    .bind(&appliances)
    .bind(&boots)
    .bind(&lanes)
    .bind(NUMBERS_BYTES_MAX)
    .bind(RANGES_LEFT)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

async fn status(
    conn: &mut PgConnection,
    added: &BTreeMap<i64, Added>,
    counts: &BTreeMap<i64, super::gauge::Gauge>,
) -> Result<()> {
    let appliances: Vec<i64> = added.keys().copied().collect();
    let gauge = |appliance: &i64| counts.get(appliance).copied().unwrap_or_default();
    // Locked in the order of appliances, as quarantine does.
    sqlx::query("select from appliance_status where appliance = any($1) order by appliance for no key update")
        .bind(&appliances)
        .execute(&mut *conn)
        .await
        .map_err(db)?;
    sqlx::query(
        "update appliance_status s set samples = s.samples + k.samples, \
           last_sample_at = greatest(s.last_sample_at, k.newest), gaps = greatest(s.gaps + k.gaps, 0), \
           dropped = s.dropped + k.dropped, repeated = s.repeated + k.repeated, \
           skew_ms = coalesce(k.skew_ms, s.skew_ms) \
         from unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[]) \
           as k (appliance, samples, newest, gaps, dropped, repeated, skew_ms) \
         where s.appliance = k.appliance",
    )
    .bind(&appliances)
    .bind(added.values().map(|a| a.samples).collect::<Vec<i64>>())
    .bind(added.values().map(|a| sql_maybe(a.newest)).collect::<Vec<_>>())
    .bind(appliances.iter().map(|a| gauge(a).gaps).collect::<Vec<i64>>())
    .bind(appliances.iter().map(|a| gauge(a).dropped).collect::<Vec<i64>>())
    .bind(appliances.iter().map(|a| gauge(a).repeated).collect::<Vec<i64>>())
    .bind(appliances.iter().map(|a| gauge(a).skew_ms).collect::<Vec<Option<i64>>>())
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}
