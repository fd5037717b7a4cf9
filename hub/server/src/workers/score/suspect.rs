//! Rows that cannot be scored: at which row the scoring thread is, so that its end tells which one it was, and what is left
//! out since: that row, or all of its appliance where it was not the first.

use crate::workers::passed_over::Passed;
use hub_core::id::ApplianceId;
use hub_predict::{Progress, RowRef, is_reading};
use hub_store::telemetry::StoredRow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};

/// Rows that are left out, at most. Of more the oldest are given up, and stop a round once more if they come again.
const LEFT_OUT_MAX: usize = 1_000;
/// With so many rows that end the thread, an appliance is left out as a whole. Each of them costs a reading again of what is in
/// no checkpoint, and until that is over nobody is scored.
const ENDS_MAX: u8 = 3;
/// Appliances whose rows are counted, at most: 10,000 readings again of up to 13 s are more than a day in which hardly anything
/// else was scored. Of any further appliance only single rows are left out.
const COUNTED_MAX: usize = 10_000;

/// The row that a detector is at work on, if there is one.
#[derive(Debug, Default)]
pub(super) struct Suspect {
    row: Mutex<Option<RowRef>>,
}

impl Progress for Suspect {
    fn begin(&self, row: RowRef) {
        self.set(Some(row));
    }

    /// If they are several, nobody knows which one ends the thread.
    fn begin_all(&self, rows: &[RowRef]) {
        let only = rows.first().filter(|first| rows.iter().all(|row| row == *first));
        self.set(only.copied());
    }

    fn end(&self) {
        self.set(None);
    }
}

impl Suspect {
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
    /// How many rows of an appliance have ended the thread: see [`ENDS_MAX`].
    ends: BTreeMap<ApplianceId, u8>,
}

impl LeftOut {
    /// The thread has ended at this row: it is left out from now on, or all of its appliance.
    pub(super) fn add(&mut self, row: &RowRef) -> Passed {
        if self.count(row.appliance) >= ENDS_MAX {
            tracing::error!(
                appliance = %row.appliance,
                trace = %row.trace,
                rows = ENDS_MAX,
                "several rows of this appliance cannot be scored: nothing more of it is scored until the hub is started again, or serves another model"
            );
            return Passed::Appliance;
        }
        tracing::error!(appliance = %row.appliance, trace = %row.trace, "a row cannot be scored and was passed over");
        if self.places.insert(row.place) {
            self.by_age.push_back(row.place);
        }
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
        Passed::Row
    }

    /// How many rows of this appliance have ended the thread, one more now.
    fn count(&mut self, appliance: ApplianceId) -> u8 {
        if self.ends.len() >= COUNTED_MAX && !self.ends.contains_key(&appliance) {
            tracing::warn!(
                %appliance,
                "rows of too many appliances cannot be scored: those of this one are not counted"
            );
            return 1;
        }
        let ends = self.ends.entry(appliance).or_default();
        *ends = ends.saturating_add(1);
        *ends
    }

    /// Nothing of this appliance is scored.
    fn is_whole(&self, appliance: ApplianceId) -> bool {
        self.ends.get(&appliance).is_some_and(|ends| *ends >= ENDS_MAX)
    }

    /// Takes the values out of what is left out among these rows: then they say nothing to a detector, and scoring passes
    /// them. Answers with how many readings it were for their appliance alone; rows were told when they were added.
    pub(super) fn blank(&self, rows: &mut [StoredRow]) -> usize {
        let mut for_appliances = 0;
        if self.ends.is_empty() && self.places.is_empty() {
            return for_appliances;
        }
        for row in rows {
            let is_known = self.places.contains(&(row.partition, row.ingest_no));
            let is_whole = !is_known && self.is_whole(row.appliance);
            if is_whole && is_reading(row) {
                for_appliances += 1;
            }
            if is_known || is_whole {
                row.values.clear();
            }
        }
        for_appliances
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::row;
    use super::*;

    fn with_value(appliance: i64, partition: u8, number: i64) -> StoredRow {
        StoredRow {
            values: vec![Some(1)],
            ..row(appliance, partition, number)
        }
    }

    #[test]
    fn rows_that_are_left_out_have_no_values_and_are_not_too_many() {
        let mut left_out = LeftOut::default();
        let most = i64::try_from(LEFT_OUT_MAX).unwrap();
        // Each of another appliance.
        for number in (0..=most).chain([1, 2]) {
            assert_eq!(left_out.add(&RowRef::of(&row(number, 7, number))), Passed::Row);
        }
        assert_eq!(
            (left_out.places.len(), left_out.by_age.len()),
            (LEFT_OUT_MAX, LEFT_OUT_MAX)
        );
        let mut rows = [(7, 0), (7, 1), (8, 1), (7, most)].map(|(partition, number)| with_value(1, partition, number));
        assert_eq!(left_out.blank(&mut rows), 0);
        assert_eq!(rows.map(|row| row.values.len()), [1, 0, 1, 0]);
    }

    #[test]
    fn with_the_third_row_an_appliance_is_left_out_as_a_whole() {
        let mut left_out = LeftOut::default();
        let added = [1, 2, 3].map(|number| left_out.add(&RowRef::of(&row(1, 7, number))));
        assert_eq!(added, [Passed::Row, Passed::Row, Passed::Appliance]);
        left_out.add(&RowRef::of(&row(2, 7, 4)));
        let places = [(1, 2), (1, 3), (1, 9), (2, 4), (2, 5)];
        let mut rows = places.map(|(appliance, number)| with_value(appliance, 7, number));
        // The third row and a later one; a row without values is no reading.
        let mut silent = [row(1, 7, 10)];
        assert_eq!((left_out.blank(&mut rows), left_out.blank(&mut silent)), (2, 0));
        assert_eq!(rows.map(|row| row.values.len()), [0, 0, 0, 0, 1]);
    }

    /// However many rows of others are forgotten meanwhile.
    #[test]
    fn ends_are_counted_of_a_bounded_number_of_appliances() {
        let mut left_out = LeftOut::default();
        let most = i64::try_from(COUNTED_MAX).unwrap();
        for appliance in 0..=most {
            left_out.add(&RowRef::of(&row(appliance, 7, appliance)));
        }
        assert_eq!(left_out.ends.len(), COUNTED_MAX);
        let thrice = |left_out: &mut LeftOut, appliance| {
            left_out.add(&RowRef::of(&row(appliance, 8, 1)));
            left_out.add(&RowRef::of(&row(appliance, 8, 2)))
        };
        assert_eq!(thrice(&mut left_out, 0), Passed::Appliance);
        assert_eq!(thrice(&mut left_out, most), Passed::Row);
    }
}
