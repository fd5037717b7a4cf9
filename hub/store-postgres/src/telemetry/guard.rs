//! Duplicate guards: what is known in memory of the index `telemetry_by_sequence`. A guard that is not there is rebuilt
//! from the highest number that the roll-up has noted and from the rows since; what is older than a guard knows is looked
//! up, never presumed.

use super::window::{self, REACH, Reader};
use crate::layout::Week;
use crate::row::{Columns, db, sql};
use hub_core::telemetry::{Lane, Seen, SequenceGuard};
use hub_store::error::Result;
use jiff::Timestamp;
use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use std::collections::HashSet;

/// Most numbers that one jump counts as missing: a device that makes its numbers up must not overflow the count.
const GAP_MAX: u64 = 1_000_000;

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

/// Turns the order of signed numbers into that of unsigned ones, and back.
pub(super) const SIGN: i64 = i64::MIN;

/// The guards of sequences that are not in memory: new ones where nothing is stored. `partitions` are theirs.
pub(super) async fn rebuild(
    conn: &mut PgConnection,
    keys: &HashSet<GuardKey>,
    partitions: &[i16],
) -> Result<Vec<(GuardKey, Guard)>> {
    let floor = window::floor(conn, Reader::RollUp, partitions).await?;
    let (appliances, boots, lanes) = columns(keys.iter().copied());
    // Whole weeks: otherwise a sequence that ended before the floor would be read down to its beginning.
    // Numbers of 2^63 and above are stored as negative ones, and come last.
    let newest = |sign: &str| {
        format!(
            "(select seq from telemetry t where t.appliance = k.appliance and t.boot = k.boot and t.lane = k.lane \
               and t.seq is not null and t.seq {sign} 0 and t.at >= $4 order by t.seq desc limit 1)"
        )
    };
    let query = format!(
        "select k.appliance, k.boot, k.lane, greatest(coalesce({}, {}) # $5, s.mark # $5, \
           (select max(l.seq # $5) from late l where l.appliance = k.appliance and l.boot = k.boot and l.lane = k.lane \
             and l.seq is not null)) # $5 as mark \
         from unnest($1::bigint[], $2::bigint[], $3::smallint[]) as k (appliance, boot, lane) \
         left join sequence s on s.appliance = k.appliance and s.boot = k.boot and s.lane = k.lane",
        newest("<"),
        newest(">=")
    );
    let rows = sqlx::query(&query)
        .bind(appliances)
        .bind(boots)
        .bind(lanes)
        .bind(sql(Week::of(floor).start()))
        .bind(SIGN)
        .fetch_all(conn)
        .await
        .map_err(db)?;
    rows.iter()
        .map(|row| {
            let key = (row.col("appliance")?, row.col("boot")?, row.col("lane")?);
            let mark: Option<i64> = row.col("mark")?;
            Ok((
                key,
                mark.map_or_else(Guard::default, |mark| Guard::rebuilt(mark.cast_unsigned())),
            ))
        })
        .collect()
}

/// A sample of which the guard knows nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Doubt {
    pub(super) key: GuardKey,
    pub(super) seq: u64,
    /// When it was measured, as it is told this time.
    pub(super) at: Timestamp,
}

/// Which of these samples are stored. Most that are have the time that they are told again with, so it is looked there
/// first; the others may have been placed elsewhere, and then every week is asked.
pub(super) async fn stored(conn: &mut PgConnection, doubts: &[Doubt]) -> Result<HashSet<(GuardKey, u64)>> {
    let mut found = near(conn, doubts).await?;
    let rest: Vec<Doubt> = doubts
        .iter()
        .filter(|doubt| !found.contains(&(doubt.key, doubt.seq)))
        .copied()
        .collect();
    if !rest.is_empty() {
        found.extend(anywhere(conn, &rest).await?);
    }
    Ok(found)
}

async fn near(conn: &mut PgConnection, doubts: &[Doubt]) -> Result<HashSet<(GuardKey, u64)>> {
    let (appliances, boots, lanes) = columns(doubts.iter().map(|doubt| doubt.key));
    let from = |doubt: &Doubt| doubt.at.checked_sub(REACH).unwrap_or(Timestamp::MIN);
    let to = |doubt: &Doubt| doubt.at.checked_add(REACH).unwrap_or(Timestamp::MAX);
    let rows = sqlx::query(
        "select k.appliance, k.boot, k.lane, k.seq \
         from unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::bigint[], $5::timestamptz[], $6::timestamptz[]) \
           as k (appliance, boot, lane, seq, near, till) \
         where exists (select from telemetry t where t.appliance = k.appliance and t.boot = k.boot \
           and t.lane = k.lane and t.seq = k.seq and t.seq is not null and t.at between k.near and k.till \
           and t.at between $7 and $8)",
    )
    .bind(appliances)
    .bind(boots)
    .bind(lanes)
    .bind(doubts.iter().map(|doubt| doubt.seq.cast_signed()).collect::<Vec<_>>())
    .bind(doubts.iter().map(|doubt| sql(from(doubt))).collect::<Vec<_>>())
    .bind(doubts.iter().map(|doubt| sql(to(doubt))).collect::<Vec<_>>())
    .bind(sql(doubts.iter().map(from).min().unwrap_or(Timestamp::MIN)))
    .bind(sql(doubts.iter().map(to).max().unwrap_or(Timestamp::MAX)))
    .fetch_all(conn)
    .await
    .map_err(db)?;
    numbers(&rows)
}

async fn anywhere(conn: &mut PgConnection, doubts: &[Doubt]) -> Result<HashSet<(GuardKey, u64)>> {
    let (appliances, boots, lanes) = columns(doubts.iter().map(|doubt| doubt.key));
    let rows = sqlx::query(
        "select k.appliance, k.boot, k.lane, k.seq \
         from unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::bigint[]) as k (appliance, boot, lane, seq) \
         where exists (select from telemetry t where t.appliance = k.appliance and t.boot = k.boot \
                       and t.lane = k.lane and t.seq = k.seq and t.seq is not null)",
    )
    .bind(appliances)
    .bind(boots)
    .bind(lanes)
    .bind(doubts.iter().map(|doubt| doubt.seq.cast_signed()).collect::<Vec<_>>())
    .fetch_all(conn)
    .await
    .map_err(db)?;
    numbers(&rows)
}

fn numbers(rows: &[PgRow]) -> Result<HashSet<(GuardKey, u64)>> {
    rows.iter()
        .map(|row| {
            let key = (row.col("appliance")?, row.col("boot")?, row.col("lane")?);
            Ok((key, row.col::<i64>("seq")?.cast_unsigned()))
        })
        .collect()
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
