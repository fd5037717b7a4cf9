//! Duplicate guards: what is known in memory of the numbers that are stored. The roll-up notes them as ranges, one row a
//! sequence in the table `sequence`; a guard that is not in memory is rebuilt from there and from the rows since. What is
//! older than a guard knows is looked up, never presumed.

use super::window::{self, reach};
use crate::row::{Columns, db, sql};
use hub_core::telemetry::{Lane, Seen, SequenceGuard};
use hub_store::bounds::GAP_MAX;
use hub_store::error::Result;
use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use std::collections::HashSet;

/// Appliance, boot, lane; unsigned numbers are stored bit by bit.
pub(super) type GuardKey = (i64, i64, i16);

/// The key of a sequence.
pub(super) fn key(appliance: i64, boot: u64, lane: Lane) -> GuardKey {
    (appliance, boot.cast_signed(), lane as i16)
}

/// One sequence.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Guard {
    window: SequenceGuard,
    /// The bitmap is complete from this number on.
    floor: u64,
    /// What is below this number was before the sequence was first seen, and was never missed.
    first: u64,
}

impl Guard {
    /// A sequence of which rows up to `mark` are stored, and no more is known.
    fn rebuilt(mark: u64) -> Self {
        let mut window = SequenceGuard::default();
        window.note(mark);
        Self {
            window,
            floor: mark,
            first: 0,
        }
    }

    fn is_new(&self) -> bool {
        self.window.bits == [0; 4]
    }

    /// Whether a sample has been stored; notes it if not.
    pub(super) fn take(&mut self, seq: u64) -> Seen {
        let seen = if !self.is_new() && seq < self.floor {
            Seen::TooOld
        } else {
            self.window.seen(seq)
        };
        if seen == Seen::No {
            if self.is_new() {
                self.first = seq;
            }
            self.window.note(seq);
        }
        seen
    }

    /// By how much the count of missing numbers changes when `seq`, which is not stored yet, is stored.
    pub(super) fn gap(&self, seq: u64) -> i64 {
        if self.is_new() {
            0
        } else if seq > self.window.mark {
            (seq - self.window.mark - 1).min(GAP_MAX).cast_signed()
        } else if seq > self.first {
            -1
        } else {
            0
        }
    }
}

/// Turns the order of signed numbers into that of unsigned ones, and back. In `sequence`, numbers are kept in the order of
/// unsigned ones.
pub(super) const SIGN: i64 = i64::MIN;

/// The highest number that is noted of a sequence `s`. The range of the very last one has no upper end.
const MARK: &str = "case when upper_inf(s.stored) then 9223372036854775807 else upper(s.stored) - 1 end";

/// What is noted of a sequence `k`, as `s`: looked up by its key, whatever the statistics of the table say.
const OF_SEQUENCE: &str = "left join lateral (select stored, known_from from sequence \
     where appliance = k.appliance and boot = k.boot and lane = k.lane offset 0) s on true";

/// Sequences of rows of these partitions ($1) that are not rolled up yet; of the weeks from $2 on, and of those that came
/// late.
const TAIL: &str = concat!(
    "select t.appliance, t.boot, t.lane, t.seq from rolled r cross join lateral ( \
       select appliance, boot, lane, seq from telemetry where partition = r.partition and ingest_no > r.ingest_no \
         and at >= r.seen_at - ",
    reach!(),
    " and at >= $2 and seq is not null offset 0) t where r.partition = any($1) \
     union all \
     select t.appliance, t.boot, t.lane, t.seq from rolled r cross join lateral ( \
       select appliance, at, ingest_no from late where partition = r.partition and ingest_no > r.ingest_no \
         and at < r.seen_at - ",
    reach!(),
    " offset 0) l cross join lateral ( \
       select appliance, boot, lane, seq from telemetry where appliance = l.appliance and at = l.at \
         and ingest_no = l.ingest_no and partition = r.partition and seq is not null offset 0) t \
     where r.partition = any($1)"
);

/// The same of these appliances ($4) alone: their readings from the reach before `seen_at` on, and their late ones, by the
/// indexes of appliances. The sums hide the keys of the other indexes from the planner, by which the whole tail would be
/// read.
const TAIL_OF_APPLIANCES: &str = concat!(
    "select t.appliance, t.boot, t.lane, t.seq \
     from (select distinct appliance from unnest($4::bigint[]) as k (appliance)) k \
     cross join lateral (select partition from appliance where id = k.appliance offset 0) a \
     join rolled r on r.partition = a.partition cross join lateral ( \
       (select appliance, boot, lane, seq from telemetry where appliance = k.appliance and partition + 0 = r.partition \
         and ingest_no + 0 > r.ingest_no and at >= r.seen_at - ",
    reach!(),
    " and at >= $2 and seq is not null offset 0) \
       union all \
       (select t.appliance, t.boot, t.lane, t.seq from ( \
           select appliance, at, ingest_no from late where appliance = k.appliance and partition + 0 = r.partition \
             and ingest_no > r.ingest_no and at < r.seen_at - ",
    reach!(),
    " offset 0) l cross join lateral ( \
         select appliance, boot, lane, seq from telemetry where appliance = l.appliance and at = l.at \
           and ingest_no = l.ingest_no and partition = r.partition and seq is not null offset 0) t)) t \
     where r.partition = any($1)"
);

/// Numbers that wait for the roll-up and are read as a whole: some rounds of a flood. Where more wait, the roll-up stands,
/// and the rows of those who send are looked up: a day's of each, and what of their own has waited.
const TAIL_MAX: i64 = 200_000;

/// How to read the rows of these partitions that are not rolled up.
async fn tail_of(conn: &mut PgConnection, partitions: &[i16]) -> Result<&'static str> {
    let is_long = window::waiting(conn, partitions).await? > TAIL_MAX;
    Ok(if is_long { TAIL_OF_APPLIANCES } else { TAIL })
}

/// Guards of all sequences that have rows which are not rolled up, unless there are more than `most`, or so many rows that
/// nobody may wait for them to be read.
pub(super) async fn tail(conn: &mut PgConnection, most: usize) -> Result<Option<Vec<(GuardKey, Guard)>>> {
    let partitions: Vec<i16> = (0..256).collect();
    if window::waiting(conn, &partitions).await? > TAIL_MAX {
        return Ok(None);
    }
    let floor = window::floor(conn, &partitions).await?;
    let query = format!(
        "select k.appliance, k.boot, k.lane, greatest(k.mark, {MARK}) # $3 as mark from ( \
           select appliance, boot, lane, max(seq # $3) as mark from ({TAIL}) t group by 1, 2, 3 limit $4) k \
         {OF_SEQUENCE}"
    );
    let rows = sqlx::query(&query)
        .bind(partitions)
        .bind(sql(floor))
        .bind(SIGN)
        .bind(i64::try_from(most.saturating_add(1)).unwrap_or(i64::MAX))
        .fetch_all(conn)
        .await
        .map_err(db)?;
    if rows.len() > most {
        return Ok(None);
    }
    rows.iter().map(rebuilt).collect::<Result<_>>().map(Some)
}

/// The guards of sequences that are not in memory: new ones where nothing is stored. Of those in `partitions` there may be
/// rows that are not rolled up.
pub(super) async fn rebuild(
    conn: &mut PgConnection,
    keys: &HashSet<GuardKey>,
    partitions: &[i16],
) -> Result<Vec<(GuardKey, Guard)>> {
    let (appliances, boots, lanes) = columns(keys.iter().copied());
    if partitions.is_empty() {
        let query = format!(
            "select k.appliance, k.boot, k.lane, {MARK} # $1 as mark \
             from unnest($2::bigint[], $3::bigint[], $4::smallint[]) as k (appliance, boot, lane) {OF_SEQUENCE}"
        );
        let query = sqlx::query(&query).bind(SIGN).bind(appliances).bind(boots).bind(lanes);
        let rows = query.fetch_all(conn).await.map_err(db)?;
        return rows.iter().map(rebuilt).collect();
    }
    let floor = window::floor(conn, partitions).await?;
    let tail = tail_of(conn, partitions).await?;
    let query = format!(
        "select k.appliance, k.boot, k.lane, greatest({MARK}, n.mark) # $3 as mark \
         from unnest($4::bigint[], $5::bigint[], $6::smallint[]) as k (appliance, boot, lane) \
         {OF_SEQUENCE} \
         left join (select appliance, boot, lane, max(seq # $3) as mark from ({tail}) t group by 1, 2, 3) n \
           on n.appliance = k.appliance and n.boot = k.boot and n.lane = k.lane"
    );
    let rows = sqlx::query(&query)
        .bind(partitions)
        .bind(sql(floor))
        .bind(SIGN)
        .bind(appliances)
        .bind(boots)
        .bind(lanes)
        .fetch_all(conn)
        .await
        .map_err(db)?;
    rows.iter().map(rebuilt).collect()
}

fn rebuilt(row: &PgRow) -> Result<(GuardKey, Guard)> {
    let key = (row.col("appliance")?, row.col("boot")?, row.col("lane")?);
    let mark: Option<i64> = row.col("mark")?;
    let guard = mark.map_or_else(Guard::default, |mark| Guard::rebuilt(mark.cast_unsigned()));
    Ok((key, guard))
}

/// A sample of which the guard knows nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Doubt {
    pub(super) key: GuardKey,
    pub(super) seq: u64,
    /// Of its appliance.
    pub(super) partition: i16,
}

/// What is known of samples of which guards know nothing.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// These are stored.
    pub(super) stored: HashSet<(GuardKey, u64)>,
    /// Of these nobody can say: they lie below all that is noted of a sequence with very many holes. Looking through an
    /// appliance's readings for them would keep everybody else waiting.
    pub(super) forgotten: HashSet<(GuardKey, u64)>,
}

/// Which of these samples are stored: by what the roll-up has noted of each sequence, and by the rows since.
pub(super) async fn look_up(conn: &mut PgConnection, doubts: &[Doubt]) -> Result<Found> {
    let mut partitions: Vec<i16> = doubts.iter().map(|doubt| doubt.partition).collect();
    partitions.sort_unstable();
    partitions.dedup();
    let floor = window::floor(conn, &partitions).await?;
    let tail = tail_of(conn, &partitions).await?;
    let (appliances, boots, lanes) = columns(doubts.iter().map(|doubt| doubt.key));
    let query = format!(
        "with k as materialized ( \
           select * from unnest($4::bigint[], $5::bigint[], $6::smallint[], $7::bigint[]) as k (appliance, boot, lane, seq)), \
         tail as materialized (select * from ({tail}) t) \
         select k.appliance, k.boot, k.lane, k.seq, coalesce(s.stored @> (k.seq # $3), false) \
           or (k.appliance, k.boot, k.lane, k.seq) in (select appliance, boot, lane, seq from tail) as is_stored, \
           coalesce(k.seq # $3 < s.known_from, false) as is_forgotten \
         from k {OF_SEQUENCE}"
    );
    let rows = sqlx::query(&query)
        .bind(partitions)
        .bind(sql(floor))
        .bind(SIGN)
        .bind(appliances)
        .bind(boots)
        .bind(lanes)
        .bind(doubts.iter().map(|doubt| doubt.seq.cast_signed()).collect::<Vec<_>>())
        .fetch_all(conn)
        .await
        .map_err(db)?;
    let mut found = Found::default();
    for row in &rows {
        let key = (row.col("appliance")?, row.col("boot")?, row.col("lane")?);
        let number = (key, row.col::<i64>("seq")?.cast_unsigned());
        if row.col("is_stored")? {
            found.stored.insert(number);
        } else if row.col("is_forgotten")? {
            found.forgotten.insert(number);
        }
    }
    Ok(found)
}

fn columns(keys: impl Iterator<Item = GuardKey>) -> (Vec<i64>, Vec<i64>, Vec<i16>) {
    let mut split = (Vec::new(), Vec::new(), Vec::new());
    for (appliance, boot, lane) in keys {
        split.0.push(appliance);
        split.1.push(boot);
        split.2.push(lane);
    }
    split
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rebuilt_guard_presumes_nothing_below_its_mark() {
        let mut guard = Guard::rebuilt(100);
        assert_eq!(
            [99, 100, 101, 101].map(|seq| guard.take(seq)),
            [Seen::TooOld, Seen::Yes, Seen::No, Seen::Yes]
        );
        let mut new = Guard::default();
        assert_eq!([50, 49, 51].map(|seq| new.take(seq)), [Seen::No; 3]);
    }

    #[test]
    fn missing_numbers_are_counted_until_they_arrive() {
        let mut guard = Guard::default();
        let mut missing = 0;
        for (seq, expected) in [
            (10, 0),
            (11, 0),
            (15, 3),
            (13, 2),
            (12, 1),
            (9, 1),
            (16, 1),
            (u64::MAX, 1_000_001),
        ] {
            missing += guard.gap(seq);
            guard.take(seq);
            assert_eq!(missing, expected, "after {seq}");
        }
    }
}
