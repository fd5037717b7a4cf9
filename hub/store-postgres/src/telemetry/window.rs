//! Where readers in the order of commits look: at the newest weeks, and at the list of what came late.
//!
//! Every partition has, for each reader, an offset and a moment `seen_at`. The writer keeps the newest time of receipt of
//! all that it has ever written (it never goes back, whatever the clock does), and names a row in `late` that was measured
//! more than [`REACH`] before that. A reader that has read up to a row moves `seen_at` to the newest receipt that it has
//! read, which is never beyond what the writer had when it wrote that row, nor any row after it. So a row above an offset
//! was measured no earlier than `seen_at` less the reach, or else it is in `late`.

use crate::row::{Columns, db, sql};
use crate::store::PostgresStore;
use hub_store::error::Result;
use jiff::{SignedDuration, Timestamp};
use sqlx::PgConnection;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Rows that were measured longer ago than this when they were written are named in `late`.
pub(super) const REACH: SignedDuration = SignedDuration::from_hours(24);
/// The same in SQL. Hours, since a day of the session's time zone may have 23 of them.
macro_rules! reach {
    () => {
        "interval '24 hours'"
    };
}
pub(super) use reach;

/// Earliest moment at which rows of these partitions that are not rolled up were measured, the late ones aside: told to a
/// query as a value, it leaves out old weeks before the query starts.
pub(super) async fn floor(conn: &mut PgConnection, partitions: &[i16]) -> Result<Timestamp> {
    let query = "select min(seen_at) as seen_at from rolled where partition = any($1)";
    let row = sqlx::query(query).bind(partitions).fetch_one(conn).await.map_err(db)?;
    Ok(before(row.maybe_at("seen_at")?.unwrap_or(Timestamp::UNIX_EPOCH)))
}

/// The same for the scorer, which asks many times a second: moments only move on, so those of the last minute will do. A database
/// that was killed may have lost the last ones: they are forgotten whenever a scorer starts over.
#[derive(Debug, Default)]
pub(super) struct ScorerFloor(Mutex<Option<(Instant, BTreeMap<i16, Timestamp>)>>);

/// Moments are read again after this.
const FLOOR_KEPT_FOR: Duration = Duration::from_mins(1);

impl ScorerFloor {
    /// Earliest moment at which rows of these partitions that are not scored were measured, the late ones aside.
    pub(super) async fn of(&self, store: &PostgresStore, partitions: &[i16]) -> Result<Timestamp> {
        if let Some(floor) = self.known(partitions) {
            return Ok(floor);
        }
        let begun = Instant::now();
        let rows = store
            .scorer
            .fetch(|| sqlx::query("select partition, seen_at from scored"))
            .await?;
        let seen_at = rows.iter().map(|row| Ok((row.col("partition")?, row.at("seen_at")?)));
        let seen_at = seen_at.collect::<Result<BTreeMap<i16, Timestamp>>>()?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((begun, seen_at));
        Ok(self.known(partitions).unwrap_or_else(|| before(Timestamp::UNIX_EPOCH)))
    }

    /// They are read again.
    pub(super) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Without a moment of one of them, nothing is known.
    fn known(&self, partitions: &[i16]) -> Option<Timestamp> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, seen_at) = known.as_ref().filter(|(at, _)| at.elapsed() < FLOOR_KEPT_FOR)?;
        let moments: Option<Vec<Timestamp>> = partitions.iter().map(|of| seen_at.get(of).copied()).collect();
        moments?.into_iter().min().map(before)
    }
}

/// The moment that lies the reach before this one.
pub(super) fn before(at: Timestamp) -> Timestamp {
    at.checked_sub(REACH).unwrap_or(Timestamp::MIN)
}

/// What is stored of each partition, in order.
pub(super) struct Stored {
    /// Last number of each partition. As numbers have no holes, it is how many rows were ever written.
    pub(super) heads: Vec<i64>,
    /// No row was received later, the `unread` ones aside, and nobody who reads has noted a later time.
    pub(super) newest: Timestamp,
    /// Of these it has still to be looked up; see [`look_through`].
    pub(super) unread: Unread,
}

/// Rows of one partition: those above `low`, up to `high`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    partition: i16,
    low: i64,
    high: i64,
}

/// Rows of which nobody has looked up yet when they were received.
#[derive(Debug, Default)]
pub(super) struct Unread(Vec<Range>);

impl Unread {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first of them, at most so many numbers.
    fn page(&self, most: i64) -> Vec<Range> {
        let mut left = most.max(1);
        let mut page = Vec::new();
        for range in &self.0 {
            let high = range.high.min(range.low.saturating_add(left));
            left -= high - range.low;
            page.push(Range { high, ..*range });
            if left == 0 {
                break;
            }
        }
        page
    }

    /// Leaves out a page that was looked up.
    fn pass(&mut self, page: &[Range]) {
        for (range, passed) in self.0.iter_mut().zip(page) {
            range.low = passed.high;
        }
        self.0.retain(|range| range.low < range.high);
    }
}

/// Where a partition stands, without a look through its rows.
struct Head {
    partition: i16,
    /// The last number. Rows may have been deleted for their age, so whatever has been read by number counts as well.
    last: i64,
    /// How far it is rolled up.
    rolled: i64,
    /// How many numbers wait for the roll-up.
    waiting: i64,
    /// What readers have noted.
    seen_at: Timestamp,
    /// When the last row was measured, if it waits for the roll-up and is not in `late`.
    at: Option<Timestamp>,
}

/// The last number of each partition, in order: a row or two of each are read, however many wait.
pub(super) async fn heads(conn: &mut PgConnection) -> Result<Vec<i64>> {
    let heads = look(conn, None).await?;
    Ok(heads.iter().map(|head| head.last).collect())
}

/// How many numbers of these partitions wait for the roll-up.
pub(super) async fn waiting(conn: &mut PgConnection, partitions: &[i16]) -> Result<i64> {
    let heads = look(conn, Some(partitions)).await?;
    Ok(heads.iter().map(|head| head.waiting).sum())
}

/// Numbers that are looked through at a time for the newest receipt: minutes of a large fleet.
pub(super) const LOOKED_THROUGH: i64 = 200_000;

/// Looks at what readers have noted, and names the rows since that have to be looked through. Receipts do not follow the
/// numbers: the clock may have been set back. Where more rows wait than are looked through at a time, `most`, as when the
/// roll-up stands, the last one tells for all: it is not in `late`, so it was measured no more than the reach before the newest
/// receipt that the writer knew of when it wrote it, and the writer knew that of all rows before. A time that is too late does
/// no harm: readings that are measured before the last one was are named in `late`, until the clock has passed that time. Where
/// the last row is in `late`, it tells nothing, and all are looked through, some at a time.
pub(super) async fn stored(conn: &mut PgConnection, most: i64) -> Result<Stored> {
    let heads = look(conn, None).await?;
    let are_many = heads.iter().map(|head| head.waiting).sum::<i64>() > most;
    let mut newest = Timestamp::UNIX_EPOCH;
    let mut unread = Unread::default();
    for head in &heads {
        newest = newest.max(head.seen_at);
        match head.at.filter(|_| are_many) {
            Some(at) => newest = newest.max(at.checked_add(REACH).unwrap_or(Timestamp::MAX)),
            None if head.waiting > 0 => unread.0.push(Range {
                partition: head.partition,
                low: head.rolled,
                high: head.rolled + head.waiting,
            }),
            None => {}
        }
    }
    Ok(Stored {
        heads: heads.iter().map(|head| head.last).collect(),
        newest,
        unread,
    })
}

/// Looks up when the first of the unread rows were received, at most so many numbers, and leaves them out; answers with the
/// newest receipt of them. Until none is left, it is not known which rows have to be named in `late`.
pub(super) async fn look_through(conn: &mut PgConnection, unread: &mut Unread, most: i64) -> Result<Timestamp> {
    let page = unread.page(most);
    let newest = newest_receipt(conn, &page).await?;
    unread.pass(&page);
    Ok(newest)
}

fn all() -> Vec<i16> {
    (0..256).collect()
}

/// Whether a partition is one of those that are asked for.
const ASKED: &str = "where partition = any($2)";

/// Of these partitions; of all of them where none is named, which is cheaper than to look each of them up. What readers have
/// noted is read once and joined in memory: both tables are small.
async fn look(conn: &mut PgConnection, partitions: Option<&[i16]>) -> Result<Vec<Head>> {
    let floor = floor(conn, partitions.unwrap_or(&all())).await?;
    let query = format!(
        "with s as materialized (select partition, ingest_no, seen_at from scored {1}), \
           r as materialized (select partition, ingest_no, seen_at from rolled {1}) \
         select s.partition, greatest(s.ingest_no, r.ingest_no, n.last, l.last) as last, r.ingest_no as rolled, \
           greatest(n.last, l.last, r.ingest_no) - r.ingest_no as waiting, greatest(s.seen_at, r.seen_at) as seen_at, \
           case when n.last > coalesce(l.last, 0) then n.at end as at \
         from s join r on r.partition = s.partition \
         left join lateral (select t.ingest_no as last, t.at from telemetry t \
           where t.partition = s.partition and t.ingest_no > r.ingest_no and t.at >= r.seen_at - {0} \
             and t.at >= $1 order by t.ingest_no desc limit 1) n on true \
         left join lateral (select o.ingest_no as last from late o \
           where o.partition = s.partition and o.ingest_no > r.ingest_no order by o.ingest_no desc limit 1) l on true \
         order by s.partition",
        reach!(),
        partitions.map_or("", |_| ASKED)
    );
    let mut query = sqlx::query(&query).bind(sql(floor));
    if let Some(partitions) = partitions {
        query = query.bind(partitions);
    }
    let rows = query.fetch_all(conn).await.map_err(db)?;
    rows.iter()
        .map(|row| {
            Ok(Head {
                partition: row.col("partition")?,
                last: row.col("last")?,
                rolled: row.col("rolled")?,
                waiting: row.col("waiting")?,
                seen_at: row.at("seen_at")?,
                at: row.maybe_at("at")?,
            })
        })
        .collect()
}

/// The newest receipt of these rows, and all that the roll-up has noted of their partitions: of those that it has passed
/// meanwhile, that tells.
async fn newest_receipt(conn: &mut PgConnection, ranges: &[Range]) -> Result<Timestamp> {
    let partitions: Vec<i16> = ranges.iter().map(|range| range.partition).collect();
    let floor = floor(conn, &partitions).await?;
    let row = sqlx::query(concat!(
        "select max(greatest(r.seen_at, n.seen, l.seen)) as seen \
         from unnest($2::smallint[], $3::bigint[], $4::bigint[]) as k (partition, low, high) \
         join (select partition, seen_at, ingest_no from rolled where partition = any($2)) r on r.partition = k.partition \
         cross join lateral (select max(t.received_at) as seen from telemetry t \
           where t.partition = k.partition and t.ingest_no > greatest(k.low, r.ingest_no) and t.ingest_no <= k.high \
             and t.at >= r.seen_at - ",
        reach!(),
        " and t.at >= $1) n \
         cross join lateral (select max(t.received_at) as seen from ( \
             select appliance, at, ingest_no from late where partition = k.partition \
               and ingest_no > greatest(k.low, r.ingest_no) and ingest_no <= k.high offset 0) o \
           left join lateral (select received_at from telemetry \
             where appliance = o.appliance and at = o.at and ingest_no = o.ingest_no offset 0) t on true) l"
    ))
    .bind(sql(floor))
    .bind(partitions)
    .bind(ranges.iter().map(|range| range.low).collect::<Vec<i64>>())
    .bind(ranges.iter().map(|range| range.high).collect::<Vec<i64>>())
    .fetch_one(conn)
    .await
    .map_err(db)?;
    Ok(row.maybe_at("seen")?.unwrap_or(Timestamp::UNIX_EPOCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_unread_rows_are_no_longer_than_asked_for_and_leave_none_out() {
        let range = |partition, low, high| Range { partition, low, high };
        let mut unread = Unread(vec![range(1, 10, 14), range(2, 0, 1), range(9, 5, 12)]);
        let mut pages = Vec::new();
        while !unread.is_empty() {
            let page = unread.page(3);
            unread.pass(&page);
            pages.push(page);
        }
        let expected = [
            vec![range(1, 10, 13)],
            vec![range(1, 13, 14), range(2, 0, 1), range(9, 5, 6)],
            vec![range(9, 6, 9)],
            vec![range(9, 9, 12)],
        ];
        assert_eq!(pages, expected);
    }
}
