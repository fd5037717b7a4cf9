//! Which appliances have rows that are in no checkpoint: whose turn it is to be saved, and what a restart reads again. Pure.
//!
//! A checkpoint is some 6 kB and a row 100 bytes, so a checkpoint with each row would be most of what the database writes.
//! A restart, on the other hand, gives detectors again what is in no checkpoint. Both are bounded:
//!
//! - At most [`STRETCH_MAX`] rows of each of the 256 partitions are read again, 384,000 in all; at 30,000 a second, which two
//!   cores do with reading and network, 13 s. With 15 s for a database that recovers, the last row is scored 30 s after
//!   `kill -9`.
//! - 250 devices that send 16,667 readings a second are so saved every 23 s: 11 checkpoints a second, 4 bytes a reading.
//! - 100,000 devices that send as many are saved every 23 s as well: 4,300 checkpoints a second, 26 MB, for 2 MB of readings.
//!   That is what it costs to be back within 30 s; a disk that cannot do it is behind by more rows, never by rows lost. At
//!   most [`CHECKPOINTS_MAX`] are saved in one round, of which that load has four a second.
//! - 12,000 devices with a reading a minute are saved when [`KEPT_FOR`] has passed, each at a time of its own: 10 a second,
//!   300 bytes a reading.
//!
//! A silent appliance is saved when its time has come, and needs nothing from then on.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use hub_core::id::ApplianceId;
use hub_store::telemetry::StoredRow;
use jiff::Timestamp;

/// An appliance is saved when so many rows of its partition were scored since its first row that is in no checkpoint.
pub(super) const STRETCH_MAX: i64 = 1_500;
/// It is saved after about this time in any case: a quarter sooner or later, so that not all are saved at once.
pub(super) const KEPT_FOR: Duration = Duration::from_secs(20 * 60);
/// Checkpoints saved in one round because their turn has come. What is beyond it is saved in the next one.
pub(super) const CHECKPOINTS_MAX: usize = 2_000;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    unsaved: HashMap<ApplianceId, Unsaved>,
    /// By partition and the first row that is in no checkpoint.
    first: BTreeSet<(u8, i64, ApplianceId)>,
    /// By the time at which they are saved in any case.
    turn: BTreeSet<(Instant, ApplianceId)>,
}

#[derive(Debug, Clone, Copy)]
struct Unsaved {
    partition: u8,
    first: i64,
    last: i64,
    /// Newest receipt known of the rows before the first.
    received_at: Timestamp,
    turn: Instant,
}

/// What is saved of an appliance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) partition: u8,
    /// Its last row.
    pub(super) last: i64,
}

/// Whose turn it is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) appliances: Vec<ApplianceId>,
    /// There are more than may be saved in one round.
    pub(super) more: bool,
}

impl Ledger {
    /// A detector is given this row. `received_at` is the newest receipt known of the rows before those of its round.
    pub(super) fn note(&mut self, row: &StoredRow, received_at: Timestamp, now: Instant) {
        if let Some(known) = self.unsaved.get_mut(&row.appliance) {
            known.last = row.ingest_no.max(known.last);
            return;
        }
        let turn = now + patience(row.appliance);
        let unsaved = Unsaved {
            partition: row.partition,
            first: row.ingest_no,
            last: row.ingest_no,
            received_at,
            turn,
        };
        self.unsaved.insert(row.appliance, unsaved);
        self.first.insert((row.partition, row.ingest_no, row.appliance));
        self.turn.insert((turn, row.appliance));
    }

    /// All of its rows are in a checkpoint, or need none any more; what was in none.
    pub(super) fn settle(&mut self, appliance: ApplianceId) -> Option<Span> {
        let unsaved = self.unsaved.remove(&appliance)?;
        self.first.remove(&(unsaved.partition, unsaved.first, appliance));
        self.turn.remove(&(unsaved.turn, appliance));
        Some(Span {
            partition: unsaved.partition,
            last: unsaved.last,
        })
    }

    /// Number of the last row of a partition before all that are in no checkpoint, and the newest receipt known up to it;
    /// `None` if there are none.
    pub(super) fn kept(&self, partition: u8) -> Option<(i64, Timestamp)> {
        let (_, first, appliance) = self.first.range(of(partition, i64::MAX)).next()?;
        let received_at = self.unsaved.get(appliance)?.received_at;
        Some((first - 1, received_at))
    }

    /// Whose turn it is at `now`, when detectors were given rows up to these of each partition: first those for whose rows
    /// a restart would have to read furthest back.
    pub(super) fn due(&self, read: impl Iterator<Item = (u8, i64)>, now: Instant) -> Due {
        let mut far: Vec<(i64, ApplianceId)> = Vec::new();
        for (partition, read) in read {
            let behind = self.first.range(of(partition, read - STRETCH_MAX));
            far.extend(behind.map(|(_, first, appliance)| (first - read, *appliance)));
        }
        far.sort_unstable();
        let mut appliances: Vec<ApplianceId> = far.into_iter().map(|(_, appliance)| appliance).collect();
        let known: BTreeSet<ApplianceId> = appliances.iter().copied().collect();
        let late = self.turn.range(..=(now, ApplianceId(i64::MAX)));
        appliances.extend(late.map(|(_, appliance)| *appliance).filter(|a| !known.contains(a)));
        let more = appliances.len() > CHECKPOINTS_MAX;
        appliances.truncate(CHECKPOINTS_MAX);
        Due { appliances, more }
    }
}

/// What of a partition has its first row at this number or before it.
fn of(partition: u8, number: i64) -> std::ops::RangeInclusive<(u8, i64, ApplianceId)> {
    (partition, i64::MIN, ApplianceId(i64::MIN))..=(partition, number, ApplianceId(i64::MAX))
}

/// [`KEPT_FOR`], a quarter less or more by the appliance's number.
fn patience(appliance: ApplianceId) -> Duration {
    // Fibonacci hashing: neighbours lie far apart.
    let hash = appliance.0.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54;
    let share = u32::try_from(hash).unwrap_or(0);
    KEPT_FOR * 3 / 4 + KEPT_FOR / 2 * share / 1_024
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::fake::row;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_restart_reads_from_the_first_row_that_is_in_no_checkpoint() {
        let now = Instant::now();
        let mut ledger = Ledger::default();
        assert_eq!(ledger.kept(7), None);
        for (appliance, number) in [(1, 10), (2, 11), (1, 12), (3, 13)] {
            ledger.note(&row(appliance, 7, number), at(number), now);
        }
        ledger.note(&row(4, 8, 1), at(1), now);
        assert_eq!(ledger.kept(7), Some((9, at(10))));
        let span = Span { partition: 7, last: 12 };
        assert_eq!(ledger.settle(ApplianceId(1)), Some(span));
        assert_eq!(ledger.settle(ApplianceId(1)), None);
        assert_eq!(ledger.kept(7), Some((10, at(11))));
        ledger.settle(ApplianceId(3));
        ledger.settle(ApplianceId(2));
        assert_eq!((ledger.kept(7), ledger.kept(8)), (None, Some((0, at(1)))));
        assert!(ledger.first.len() == 1 && ledger.turn.len() == 1);
    }

    #[test]
    fn it_is_an_appliances_turn_by_rows_and_by_time_and_never_too_many_at_once() {
        let now = Instant::now();
        let mut ledger = Ledger::default();
        ledger.note(&row(1, 7, 10), at(0), now);
        ledger.note(&row(2, 8, 20), at(0), now);
        let due = |ledger: &Ledger, read: [i64; 2], now| ledger.due([(7, read[0]), (8, read[1])].into_iter(), now);
        assert_eq!(due(&ledger, [STRETCH_MAX + 9, STRETCH_MAX + 19], now), Due::default());
        // The one that holds back more comes first.
        let both = due(&ledger, [STRETCH_MAX + 10, STRETCH_MAX + 21], now);
        assert_eq!(both.appliances, [ApplianceId(2), ApplianceId(1)]);
        assert!(!both.more);
        // Rows that come later do not put it off.
        ledger.note(&row(1, 7, 900), at(0), now + KEPT_FOR / 2);
        assert_eq!(due(&ledger, [900, 20], now + KEPT_FOR / 2), Due::default());
        assert_eq!(due(&ledger, [900, 20], now + KEPT_FOR * 5 / 4).appliances.len(), 2);

        for appliance in 3..10_000 {
            ledger.note(&row(appliance, 9, appliance), at(0), now);
        }
        let when = |share: u32| due(&ledger, [900, 20], now + KEPT_FOR * share / 100);
        let spread = [74, 80, 90, 95].map(|share| when(share).appliances.len());
        assert!(spread.is_sorted() && spread[0] == 0, "{spread:?}");
        assert!((500..1_500).contains(&spread[1]), "{spread:?}");
        assert!(when(126).more && when(126).appliances.len() == CHECKPOINTS_MAX);
    }
}
