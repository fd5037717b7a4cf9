//! Which rows are rolled up and not aggregated yet.

use crate::row::{Columns, db, sql};
use crate::store::PostgresStore;
use hub_store::error::Result;
use hub_store::retention::TURNS;
use jiff::{SignedDuration, Timestamp};
use sqlx::PgConnection;
use std::collections::BTreeMap;

/// More rows than there will ever be, and few enough to be added to the number of one.
const LIMIT_MAX: i64 = i64::MAX / 2;

/// Where a partition stood when a round began.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    ingest_no: i64,
    /// What lies above was received at this time or later, and measured at most a day before it, or is in `late`.
    seen_at: Timestamp,
}

/// A round under way: the partitions that it has to do with, and up to where. What is rolled up later waits for the next
/// round, so that a round ends under any load.
pub(crate) type Round = BTreeMap<i16, Mark>;

/// Everything that is rolled up now and not aggregated yet, of all partitions or of those whose turn it is.
pub(super) async fn begin(store: &PostgresStore, turn: Option<u16>) -> Result<Round> {
    let rows = sqlx::query(
        "select r.partition, r.ingest_no, r.seen_at from aggregated a join rolled r on r.partition = a.partition \
         where r.ingest_no > a.ingest_no and ($1::int is null or a.partition % $2::int = $1::int)",
    )
    .bind(turn.map(|turn| i32::from(turn % TURNS)))
    .bind(i32::from(TURNS))
    .fetch_all(&store.pool)
    .await
    .map_err(db)?;
    rows.iter()
        .map(|row| {
            let mark = Mark {
                ingest_no: row.col("ingest_no")?,
                seen_at: row.at("seen_at")?,
            };
            Ok((row.col("partition")?, mark))
        })
        .collect()
}

/// Rows of one partition: those above `low`, up to `high`, which may be none.
pub(super) struct Span {
    pub(super) partition: i16,
    pub(super) low: i64,
    pub(super) high: i64,
    /// What lies above `low` was received at this time or later, and measured at most a day before it, or is in `late`.
    pub(super) seen_at: Timestamp,
    /// The same of what lies above `high`.
    next_seen_at: Timestamp,
}

impl Span {
    /// Whether it has rows.
    pub(super) fn has_rows(&self) -> bool {
        self.high > self.low
    }

    /// Whether there is more of this partition up to the mark.
    pub(super) fn goes_on(&self, partition: i16, mark: &Mark) -> bool {
        self.partition == partition && self.high < mark.ingest_no
    }
}

/// How many numbers these are.
pub(super) fn rows(spans: &[Span]) -> usize {
    let rows: i64 = spans.iter().map(|span| span.high - span.low).sum();
    usize::try_from(rows).unwrap_or(usize::MAX)
}

/// Rows of the round that are due, `limit` at most, one partition after the other: so an appliance's are added at once, and
/// its day is written once a round. Partitions that are not reached have none. Their offsets are locked until the end of the
/// transaction; those that somebody else is at are left to them.
pub(super) async fn due(conn: &mut PgConnection, round: &Round, limit: usize) -> Result<Vec<Span>> {
    // Only at the mark it is known of what follows when it was received.
    let rows = sqlx::query(
        "with due as materialized ( \
           select a.partition, a.ingest_no as low, k.ingest_no as top, a.seen_at, k.seen_at as top_seen_at \
           from aggregated a join unnest($2::smallint[], $3::bigint[], $4::timestamptz[]) \
             as k (partition, ingest_no, seen_at) on k.partition = a.partition where k.ingest_no > a.ingest_no \
           order by a.partition for no key update of a skip locked), \
         before as (select *, sum(top - low) over (order by partition) - (top - low) as ahead from due), \
         cut as (select *, least(top, low + greatest($1::bigint - ahead, 0)::bigint) as high from before) \
         select partition, low, high, seen_at, case when high = top then top_seen_at else seen_at end as next_seen_at \
         from cut order by partition",
    )
    .bind(i64::try_from(limit.max(1)).unwrap_or(LIMIT_MAX).min(LIMIT_MAX))
    .bind(round.keys().copied().collect::<Vec<i16>>())
    .bind(round.values().map(|mark| mark.ingest_no).collect::<Vec<i64>>())
    .bind(round.values().map(|mark| sql(mark.seen_at)).collect::<Vec<_>>())
    .fetch_all(conn)
    .await
    .map_err(db)?;
    rows.iter()
        .map(|row| {
            Ok(Span {
                partition: row.col("partition")?,
                low: row.col("low")?,
                high: row.col("high")?,
                seen_at: row.at("seen_at")?,
                next_seen_at: row.at("next_seen_at")?,
            })
        })
        .collect()
}

/// Moves the offsets behind these rows.
pub(super) async fn pass(conn: &mut PgConnection, spans: &[Span]) -> Result<()> {
    sqlx::query(
        "update aggregated a set ingest_no = k.high, seen_at = k.seen_at \
         from unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::timestamptz[]) as k (partition, low, high, seen_at) \
         where a.partition = k.partition and a.ingest_no = k.low",
    )
    .bind(partitions(spans))
    .bind(lows(spans))
    .bind(highs(spans))
    .bind(spans.iter().map(|span| sql(span.next_seen_at)).collect::<Vec<_>>())
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

/// None of these rows was measured before, but for those in `late`.
pub(super) fn measured_from(spans: &[Span]) -> Timestamp {
    let seen_at = spans
        .iter()
        .map(|span| span.seen_at)
        .min()
        .unwrap_or(Timestamp::UNIX_EPOCH);
    seen_at
        .checked_sub(SignedDuration::from_hours(24))
        .unwrap_or(Timestamp::MIN)
}

pub(super) fn partitions(spans: &[Span]) -> Vec<i16> {
    spans.iter().map(|span| span.partition).collect()
}

pub(super) fn lows(spans: &[Span]) -> Vec<i64> {
    spans.iter().map(|span| span.low).collect()
}

pub(super) fn highs(spans: &[Span]) -> Vec<i64> {
    spans.iter().map(|span| span.high).collect()
}
