//! Duplicate guards: what is known in memory of the index `telemetry_by_sequence`. A guard that is not there is rebuilt
//! from the newest row of its sequence; what is older than a guard knows is looked up, never presumed.

use crate::row::{Columns, db};
use hub_core::telemetry::{Lane, Seen, SequenceGuard};
use hub_store::error::Result;
use sqlx::PgConnection;
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

/// The guards of sequences that are not in memory: new ones where nothing is stored.
pub(super) async fn rebuild(conn: &mut PgConnection, keys: &HashSet<GuardKey>) -> Result<Vec<(GuardKey, Guard)>> {
    let (appliances, boots, lanes) = columns(keys.iter().copied());
    // Numbers of 2^63 and above are stored as negative ones, and come last.
    let newest = |sign: &str| {
        format!(
            "(select seq from telemetry t where t.appliance = k.appliance and t.boot = k.boot and t.lane = k.lane \
               and t.seq is not null and t.seq {sign} 0 order by t.seq desc limit 1)"
        )
    };
    let query = format!(
        "select k.appliance, k.boot, k.lane, coalesce({}, {}) as mark \
         from unnest($1::bigint[], $2::bigint[], $3::smallint[]) as k (appliance, boot, lane)",
        newest("<"),
        newest(">=")
    );
    let rows = sqlx::query(&query)
        .bind(appliances)
        .bind(boots)
        .bind(lanes)
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

/// Which of these samples are stored.
pub(super) async fn stored(conn: &mut PgConnection, doubtful: &[(GuardKey, u64)]) -> Result<HashSet<(GuardKey, u64)>> {
    let (appliances, boots, lanes) = columns(doubtful.iter().map(|(key, _)| *key));
    let seqs: Vec<i64> = doubtful.iter().map(|(_, seq)| seq.cast_signed()).collect();
    let rows = sqlx::query(
        "select k.appliance, k.boot, k.lane, k.seq \
         from unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::bigint[]) as k (appliance, boot, lane, seq) \
         where exists (select from telemetry t where t.appliance = k.appliance and t.boot = k.boot \
                       and t.lane = k.lane and t.seq = k.seq and t.seq is not null)",
    )
    .bind(appliances)
    .bind(boots)
    .bind(lanes)
    .bind(seqs)
    .fetch_all(conn)
    .await
    .map_err(db)?;
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
