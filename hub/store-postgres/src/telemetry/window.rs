//! Where readers in the order of commits look: at the newest weeks, and at the list of what came late.
//!
//! Every partition has, for each reader, an offset and a moment `seen_at`. The writer keeps the newest time of receipt of
//! all that it has ever written (it never goes back, whatever the clock does), and names a row in `late` that was measured
//! more than [`REACH`] before that. A reader that has read up to a row moves `seen_at` to the newest receipt that it has
//! read, which is never beyond what the writer had when it wrote that row, nor any row after it. So a row above an offset
//! was measured no earlier than `seen_at` less the reach, or else it is in `late`.

use crate::row::{Columns, db, sql};
use hub_store::error::Result;
use jiff::{SignedDuration, Timestamp};
use sqlx::PgConnection;

/// Rows that were measured longer ago than this when they were written are named in `late`.
pub(super) const REACH: SignedDuration = SignedDuration::from_hours(24);
/// The same in SQL. Hours, since a day of the session's time zone may have 23 of them.
macro_rules! reach {
    () => {
        "interval '24 hours'"
    };
}
pub(super) use reach;

/// Who reads in the order of commits.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reader {
    Scorer,
    RollUp,
}

/// Earliest moment at which unread rows of these partitions were measured, the late ones aside: told to a query as a
/// value, it leaves out old weeks before the query starts.
pub(super) async fn floor(conn: &mut PgConnection, reader: Reader, partitions: &[i16]) -> Result<Timestamp> {
    let query = match reader {
        Reader::Scorer => "select min(seen_at) as seen_at from scored where partition = any($1)",
        Reader::RollUp => "select min(seen_at) as seen_at from rolled where partition = any($1)",
    };
    let row = sqlx::query(query).bind(partitions).fetch_one(conn).await.map_err(db)?;
    Ok(before(row.maybe_at("seen_at")?.unwrap_or(Timestamp::UNIX_EPOCH)))
}

/// The moment that lies the reach before this one.
pub(super) fn before(at: Timestamp) -> Timestamp {
    at.checked_sub(REACH).unwrap_or(Timestamp::MIN)
}

/// What is stored of each partition, in order.
pub(super) struct Stored {
    /// Last number of each partition. As numbers have no holes, it is how many rows were ever written.
    pub(super) heads: Vec<i64>,
    /// Newest receipt of all rows, and all that readers have noted.
    pub(super) newest: Timestamp,
}

/// Looks at what readers have noted and at the rows since. Rows may have been deleted for their age, so whatever has
/// been read by number counts as well.
pub(super) async fn stored(conn: &mut PgConnection) -> Result<Stored> {
    let all: Vec<i16> = (0..256).collect();
    let floor = floor(conn, Reader::RollUp, &all).await?;
    let rows = sqlx::query(concat!(
        "select greatest(s.ingest_no, r.ingest_no, n.last, l.last) as last, \
           greatest(s.seen_at, r.seen_at, n.seen, l.seen) as seen \
         from scored s join rolled r on r.partition = s.partition \
         cross join lateral (select max(t.ingest_no) as last, max(t.received_at) as seen from telemetry t \
           where t.partition = s.partition and t.ingest_no > r.ingest_no and t.at >= r.seen_at - ",
        reach!(),
        " and t.at >= $1) n \
         cross join lateral (select max(o.ingest_no) as last, max(t.received_at) as seen from ( \
             select appliance, at, ingest_no from late where partition = s.partition and ingest_no > r.ingest_no offset 0) o \
           left join lateral (select received_at from telemetry \
             where appliance = o.appliance and at = o.at and ingest_no = o.ingest_no offset 0) t on true) l \
         order by s.partition"
    ))
    .bind(sql(floor))
    .fetch_all(conn)
    .await
    .map_err(db)?;
    let mut stored = Stored {
        heads: Vec::with_capacity(rows.len()),
        newest: Timestamp::UNIX_EPOCH,
    };
    for row in &rows {
        stored.heads.push(row.col("last")?);
        stored.newest = stored.newest.max(row.at("seen")?);
    }
    Ok(stored)
}
