//! What is shown of an appliance's readings — how many, and the time of the newest — is counted from the rows after they
//! are committed, up to an offset of each partition that moves in the same transaction: whatever happens at whatever
//! moment, every row is counted once.

use super::gauge::Gauges;
use crate::row::{Columns, db, sql_maybe};
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
        return Ok(0);
    }
    let mut tx = store.begin().await?;
    let spans = lock(&mut tx, &due.numbers, due.share(limit)).await?;
    let rows = write(&mut tx, &spans, &gauges.counts).await?;
    tx.commit().await.map_err(db)?;
    gauges.written();
    due.settle(|partition| spans.iter().all(|span| span.partition != partition));
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
async fn lock(conn: &mut PgConnection, partitions: &[i16], share: i64) -> Result<Vec<Span>> {
    let rows = sqlx::query(
        "with r as materialized ( \
           select partition, ingest_no from rolled where partition = any($1) order by partition \
           for no key update skip locked) \
         select r.partition, r.ingest_no as low, least(h.top, r.ingest_no + $2) as high \
         from r cross join lateral ( \
           select t.ingest_no as top from telemetry t where t.partition = r.partition order by t.ingest_no desc limit 1) h \
         where h.top > r.ingest_no",
    )
    .bind(partitions)
    .bind(share)
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

/// What is added to one appliance.
#[derive(Default)]
struct Added {
    samples: i64,
    newest: Option<Timestamp>,
}

async fn write(conn: &mut PgConnection, spans: &[Span], gauges: &Gauges) -> Result<usize> {
    let partitions: Vec<i16> = spans.iter().map(|span| span.partition).collect();
    let highs: Vec<i64> = spans.iter().map(|span| span.high).collect();
    let rows = sqlx::query(
        "select t.appliance, count(*) as samples, max(t.at) as newest \
         from unnest($1::smallint[], $2::bigint[], $3::bigint[]) as k (partition, low, high) \
         join telemetry t on t.partition = k.partition and t.ingest_no > k.low and t.ingest_no <= k.high \
         group by t.appliance",
    )
    .bind(&partitions)
    .bind(spans.iter().map(|span| span.low).collect::<Vec<i64>>())
    .bind(&highs)
    .fetch_all(&mut *conn)
    .await
    .map_err(db)?;
    let mut added: BTreeMap<i64, Added> = BTreeMap::new();
    let mut count = 0;
    for row in &rows {
        let entry = Added {
            samples: row.col("samples")?,
            newest: Some(row.at("newest")?),
        };
        count += entry.samples;
        added.insert(row.col("appliance")?, entry);
    }
    sqlx::query(
        "update rolled r set ingest_no = k.high from unnest($1::smallint[], $2::bigint[]) as k (partition, high) \
         where r.partition = k.partition",
    )
    .bind(&partitions)
    .bind(&highs)
    .execute(&mut *conn)
    .await
    .map_err(db)?;
    let counts: BTreeMap<i64, _> = gauges.sorted().into_iter().collect();
    for appliance in counts.keys() {
        added.entry(*appliance).or_default();
    }
    status(conn, &added, &counts).await?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
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
