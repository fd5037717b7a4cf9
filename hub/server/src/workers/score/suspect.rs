//! Rows that cannot be scored: at which row the scoring thread is, so that its end tells which one it was, and which rows are
//! left out since.

use hub_core::id::{ApplianceId, TraceId};
use hub_store::telemetry::StoredRow;
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};

/// Rows that are left out, at most. Of more the oldest are given up, and stop a round once more if they come again.
const LEFT_OUT_MAX: usize = 1_000;

/// Which row it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RowRef {
    /// Its partition, and its number there.
    pub(super) place: (u8, i64),
    pub(super) appliance: ApplianceId,
    pub(super) trace: TraceId,
}

impl RowRef {
    pub(super) fn of(row: &StoredRow) -> Self {
        Self {
            place: (row.partition, row.ingest_no),
            appliance: row.appliance,
            trace: row.trace,
        }
    }
}

/// The row that a detector is at work on, if there is one.
#[derive(Debug, Default)]
pub(super) struct Suspect {
    row: Mutex<Option<RowRef>>,
}

impl Suspect {
    /// A detector begins with this row.
    pub(super) fn begin(&self, row: RowRef) {
        self.set(Some(row));
    }

    /// The network begins with windows of these rows: if they are several, nobody knows which one ends the thread.
    pub(super) fn begin_all(&self, rows: &[RowRef]) {
        let only = rows.first().filter(|first| rows.iter().all(|row| row == *first));
        self.set(only.copied());
    }

    /// The row at which the thread ended, if it is known; none is worked on any more.
    pub(super) fn take(&self) -> Option<RowRef> {
        self.row.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set(&self, row: Option<RowRef>) {
        *self.row.lock().unwrap_or_else(PoisonError::into_inner) = row;
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    places: BTreeSet<(u8, i64)>,
    by_age: VecDeque<(u8, i64)>,
}

impl LeftOut {
    /// This row is left out from now on.
    pub(super) fn add(&mut self, row: &RowRef) {
        if !self.places.insert(row.place) {
            return;
        }
        tracing::error!(appliance = %row.appliance, trace = %row.trace, "a row cannot be scored and was passed over");
        self.by_age.push_back(row.place);
        if self.by_age.len() > LEFT_OUT_MAX
            && let Some(oldest) = self.by_age.pop_front()
        {
            self.places.remove(&oldest);
            let (partition, ingest_no) = oldest;
            tracing::warn!(
                partition,
                ingest_no,
                "too many rows cannot be scored: the oldest of them is not known any more"
            );
        }
    }

    /// Takes the values out of those of these rows that are left out: then they say nothing to a detector, and scoring
    /// passes them.
    pub(super) fn blank(&self, rows: &mut [StoredRow]) {
        if self.places.is_empty() {
            return;
        }
        for row in rows {
            if self.places.contains(&(row.partition, row.ingest_no)) {
                row.values.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::row;
    use super::*;

    #[test]
    fn rows_that_are_left_out_have_no_values_and_are_not_too_many() {
        let mut left_out = LeftOut::default();
        let most = i64::try_from(LEFT_OUT_MAX).unwrap();
        for number in (0..=most).chain([1, 2]) {
            left_out.add(&RowRef::of(&row(1, 7, number)));
        }
        assert_eq!(
            (left_out.places.len(), left_out.by_age.len()),
            (LEFT_OUT_MAX, LEFT_OUT_MAX)
        );
        let with_value = |partition, number| StoredRow {
            values: vec![Some(1)],
            ..row(1, partition, number)
        };
        let mut rows = [
            with_value(7, 0),
            with_value(7, 1),
            with_value(8, 1),
            with_value(7, most),
        ];
        left_out.blank(&mut rows);
        assert_eq!(rows.map(|row| row.values.len()), [1, 0, 1, 0]);
    }
}
