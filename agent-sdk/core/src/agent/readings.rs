//! The readings of an open batch, in the order they came: those of one moment are one sample. Knows nothing of messages.

use crate::publish::Overflow;
use crate::session::since;

/// Memory for one reading of an open batch.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// After the first of the batch.
    pub(super) dt_ms: u32,
    pub(super) value: i32,
    pub(super) metric: u8,
    /// Which sample of the batch it belongs to.
    row: u8,
    overflow: Overflow,
}

impl Reading {
    /// Memory that holds no reading yet.
    pub const EMPTY: Self = Self {
        dt_ms: 0,
        value: 0,
        metric: 0,
        row: 0,
        overflow: Overflow::DropOldest,
    };
}

/// The batch has no place for it: it has to be closed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoPlace;

pub(super) struct Readings<'m> {
    memory: &'m mut [Reading],
    len: usize,
    /// Samples so far.
    rows: u8,
    /// Uptime of the first reading.
    t0_ms: u64,
}

impl<'m> Readings<'m> {
    pub(super) fn new(memory: &'m mut [Reading]) -> Self {
        Self {
            memory,
            len: 0,
            rows: 0,
            t0_ms: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Samples so far.
    pub(super) fn rows(&self) -> u8 {
        self.rows
    }

    /// Uptime of the first reading in milliseconds.
    pub(super) fn t0_ms(&self) -> u64 {
        self.t0_ms
    }

    /// Adds a reading at `now`: to the last sample if that is as old, or else to a new one while there are fewer than
    /// `rows_max`. Time that went back stands still.
    pub(super) fn push(
        &mut self,
        metric: u8,
        value: i32,
        overflow: Overflow,
        now: u64,
        rows_max: u8,
    ) -> Result<(), NoPlace> {
        if self.len == 0 {
            self.t0_ms = now;
            self.rows = 0;
        }
        let last = self.all().last().map(|reading| (reading.dt_ms, reading.row));
        let dt_ms = u32::try_from(since(self.t0_ms, now)).map_err(|_| NoPlace)?;
        let (dt_ms, row, rows) = match last {
            Some((last_ms, row)) if dt_ms <= last_ms => (last_ms, row, self.rows),
            Some(_) | None if self.rows < rows_max => (dt_ms, self.rows, self.rows.wrapping_add(1)),
            Some(_) | None => return Err(NoPlace),
        };
        let slot = self.memory.get_mut(self.len).ok_or(NoPlace)?;
        *slot = Reading {
            dt_ms,
            value,
            metric,
            row,
            overflow,
        };
        self.len = self.len.wrapping_add(1);
        self.rows = rows;
        Ok(())
    }

    /// The samples that have a reading with this policy.
    pub(super) fn samples(&self, overflow: Overflow) -> Samples<'_> {
        Samples {
            rest: self.all(),
            overflow,
            left: usize::MAX,
        }
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
        self.rows = 0;
    }

    #[inline(always)]
    fn all(&self) -> &[Reading] {
        self.memory.get(..self.len).unwrap_or_default()
    }
}

/// Samples as slices of their readings, none of them empty.
#[derive(Debug, Clone)]
pub(super) struct Samples<'r> {
    rest: &'r [Reading],
    overflow: Overflow,
    /// No more than so many.
    left: usize,
}

impl Samples<'_> {
    pub(super) fn overflow(&self) -> Overflow {
        self.overflow
    }

    /// The next ones of these.
    pub(super) fn first(&self, count: usize) -> Self {
        Self { left: count, ..*self }
    }
}

impl<'r> Iterator for Samples<'r> {
    type Item = &'r [Reading];

    #[inline(never)]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        loop {
            let row = self.rest.first()?.row;
            let (mut len, mut is_wanted) = (0_usize, false);
            for reading in self.rest.iter().take_while(|reading| reading.row == row) {
                len = len.wrapping_add(1);
                is_wanted |= reading.overflow == self.overflow;
            }
            let (sample, rest) = self.rest.split_at_checked(len)?;
            self.rest = rest;
            if is_wanted {
                return Some(sample);
            }
        }
    }
}

/// When a sample was taken, in milliseconds after the first of the batch.
pub(super) fn time_of(sample: &[Reading]) -> u32 {
    sample.first().map_or(0, |reading| reading.dt_ms)
}

/// What a metric has in a sample: of several values the last.
pub(super) fn value_of(sample: &[Reading], metric: u8) -> Option<i32> {
    let reading = sample.iter().rev().find(|reading| reading.metric == metric);
    reading.map(|reading| reading.value)
}

#[cfg(test)]
mod tests {
    use super::{NoPlace, Reading, Readings, time_of, value_of};
    use crate::publish::Overflow::{DropNewest, DropOldest};

    #[test]
    fn readings_of_one_moment_are_one_sample() {
        let mut memory = [Reading::EMPTY; 6];
        let mut readings = Readings::new(&mut memory);
        assert!(readings.is_empty());
        let pushed = [
            (0, 10, DropOldest, 1_000),
            (1, 20, DropNewest, 1_000),
            (0, 11, DropOldest, 1_000),
            (1, 21, DropNewest, 1_250),
            // Time went back.
            (0, 12, DropOldest, 900),
        ];
        for (metric, value, overflow, now) in pushed {
            assert_eq!(readings.push(metric, value, overflow, now, 3), Ok(()));
        }
        assert_eq!(
            readings.push(0, 13, DropOldest, 2_000, 2),
            Err(NoPlace),
            "of two samples"
        );
        assert_eq!(readings.push(0, 13, DropOldest, 2_000, 3), Ok(()));
        assert_eq!(
            readings.push(1, 22, DropNewest, 2_000, 3),
            Err(NoPlace),
            "of six readings"
        );
        assert_eq!((readings.t0_ms(), readings.rows()), (1_000, 3));
        let seen = |overflow| {
            let samples = readings.samples(overflow);
            let told = samples.map(|sample| (time_of(sample), value_of(sample, 0), value_of(sample, 1)));
            told.collect::<Vec<_>>()
        };
        let first_two = [(0, Some(11), Some(20)), (250, Some(12), Some(21))];
        assert_eq!(seen(DropNewest), first_two);
        assert_eq!(seen(DropOldest), [&first_two[..], &[(1_000, Some(13), None)]].concat());
    }

    #[test]
    fn a_new_batch_begins_at_its_own_time() {
        let mut memory = [Reading::EMPTY; 2];
        let mut readings = Readings::new(&mut memory);
        assert_eq!(readings.push(0, 1, DropOldest, 5, 64), Ok(()));
        let far = 6 + u64::from(u32::MAX);
        assert_eq!(readings.push(0, 2, DropOldest, far, 64), Err(NoPlace));
        readings.clear();
        assert!(readings.is_empty());
        assert_eq!(readings.push(0, 2, DropOldest, far, 64), Ok(()));
        assert_eq!((readings.t0_ms(), readings.rows()), (far, 1));
        assert_eq!(Readings::new(&mut []).push(0, 1, DropOldest, 0, 64), Err(NoPlace));
    }
}
