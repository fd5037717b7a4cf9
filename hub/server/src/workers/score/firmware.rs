//! Firmware that changes, in the order of readings: a baseline that starts over for it takes nothing that came before the change,
//! and the detector of the baseline before nothing that came behind it.

use super::failure::ScoringError;
use super::{Found, Round, ScoreWorker, in_time};
use hub_core::id::ApplianceId;
use hub_predict::is_reading;
use hub_store::telemetry::StoredRow;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// A change that waits, for a ticket to be closed or for its day, is looked at again after this.
const ASK_AGAIN: Duration = Duration::from_mins(1);

/// Appliances of which a change waits, and when that was said: those of the last minute.
#[derive(Debug, Default)]
pub(super) struct Waiting(BTreeMap<ApplianceId, Instant>);

impl ScoreWorker {
    /// Restarts the baselines of appliances whose next reading is behind a change, before it is given. Where a reading behind one
    /// follows others of the same appliance, the round ends before it.
    pub(super) async fn follow_firmware(&mut self, found: &mut Found, now: Instant) -> Result<(), ScoringError> {
        self.waiting
            .0
            .retain(|_, said| now.saturating_duration_since(*said) < ASK_AGAIN);
        let read = found.rows.iter().filter(|row| is_reading(row)).map(|row| row.appliance);
        let read: BTreeSet<ApplianceId> = read.filter(|id| !self.waiting.0.contains_key(id)).collect();
        if read.is_empty() {
            return Ok(());
        }
        let read: Vec<ApplianceId> = read.into_iter().collect();
        // After the rows were read: a change is stored before what is behind it.
        let changes = in_time(self.predictions.firmware_changes(&read)).await?;
        let before = found.rows.len();
        let reached = cut(&mut found.rows, &changes.into_iter().collect());
        if found.rows.len() < before {
            found.round = Round::Scored { more: true };
        }
        if reached.is_empty() {
            return Ok(());
        }
        let asked: Vec<ApplianceId> = reached.iter().copied().collect();
        let restarted = in_time(self.predictions.follow_firmware(&asked, self.clock.now())).await?;
        for appliance in reached.iter().filter(|id| !restarted.contains(id)) {
            self.waiting.0.insert(*appliance, now);
        }
        if restarted.is_empty() {
            return Ok(());
        }
        tracing::info!(appliances = restarted.len(), "baselines restarted for another firmware");
        self.drop_restarted().await
    }
}

/// Takes rows away, of each partition from the first one on that is behind the change of its appliance and has one before it.
/// Answers with the appliances whose first row is behind their change. Rows of a partition are in the order of commits.
fn cut(rows: &mut Vec<StoredRow>, changes: &BTreeMap<ApplianceId, Timestamp>) -> BTreeSet<ApplianceId> {
    let (mut before, mut reached, mut ended) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    rows.retain(|row| {
        if ended.contains(&row.partition) {
            return false;
        }
        let Some(changed_at) = changes.get(&row.appliance).filter(|_| is_reading(row)) else {
            return true;
        };
        if reached.contains(&row.appliance) {
            return true;
        }
        if row.received_at < *changed_at {
            before.insert(row.appliance);
            return true;
        }
        if before.contains(&row.appliance) {
            ended.insert(row.partition);
            return false;
        }
        reached.insert(row.appliance)
    });
    reached
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workers::score::fake;
    use jiff::SignedDuration;

    /// A reading of an appliance in a partition, received so many seconds after the first.
    fn row(appliance: i64, partition: u8, ingest_no: i64, second: i64) -> StoredRow {
        StoredRow {
            received_at: at(second),
            values: vec![Some(1)],
            ..fake::row(appliance, partition, ingest_no)
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second)
    }

    fn cut_at(rows: &[StoredRow], changes: &[(i64, i64)]) -> (Vec<i64>, Vec<i64>) {
        let changes = changes.iter().map(|(id, second)| (ApplianceId(*id), at(*second)));
        let mut rows = rows.to_vec();
        let reached = cut(&mut rows, &changes.collect());
        let left = rows.iter().map(|row| row.ingest_no).collect();
        (left, reached.iter().map(|id| id.0).collect())
    }

    #[test]
    fn a_round_ends_before_the_first_reading_behind_a_change() {
        let rows = [
            row(1, 7, 1, 1),
            row(2, 7, 2, 2),
            row(1, 7, 3, 3),
            row(2, 7, 4, 4),
            row(3, 8, 5, 5),
        ];
        assert_eq!(cut_at(&rows, &[]), (vec![1, 2, 3, 4, 5], vec![]));
        // The other partition goes on.
        assert_eq!(cut_at(&rows, &[(1, 3)]), (vec![1, 2, 5], vec![]));
        // What is next is behind the change: nothing is taken away.
        assert_eq!(cut_at(&rows, &[(1, 1)]), (vec![1, 2, 3, 4, 5], vec![1]));
        assert_eq!(cut_at(&rows, &[(1, 1), (2, 3), (3, 9)]), (vec![1, 2, 3, 5], vec![1]));
    }

    #[test]
    fn what_is_no_reading_ends_no_round() {
        let mut rows = [row(1, 7, 1, 1), row(1, 7, 2, 5)];
        rows[1].values = vec![None];
        assert_eq!(cut_at(&rows, &[(1, 3)]), (vec![1, 2], vec![]));
    }
}
