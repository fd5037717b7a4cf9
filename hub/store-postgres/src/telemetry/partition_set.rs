//! Which of the 256 partitions have something to do: set by the writers of rows, taken by their readers. All of them
//! are due at the start and when the lease is taken, and rarely at other times: only who holds the lease writes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// All partitions are due again after this time.
const LOOK_AT_ALL: Duration = Duration::from_secs(300);
/// Rows read from one partition at a time, at least.
const SHARE_MIN: usize = 16;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct PartitionSet {
    bits: [AtomicU64; 4],
    looked_at_all: Mutex<Option<Instant>>,
}

/// Partitions that were taken; they are due again when this is dropped, but for those that were found done.
pub(crate) struct Taken<'a> {
    from: &'a PartitionSet,
    pub(crate) numbers: Vec<i16>,
}

impl PartitionSet {
    /// Something was written there.
    pub(crate) fn insert(&self, partition: i16) {
        let bit = usize::from(partition.cast_unsigned() & 255);
        self.bits[bit / 64].fetch_or(1 << (bit % 64), Ordering::Relaxed);
    }

    /// All of them are due with the next look.
    pub(crate) fn insert_all(&self) {
        *self.looked_at_all.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// What is due at `now`. Taken before the rows are read: what is written meanwhile is due again.
    pub(crate) fn take(&self, now: Instant) -> Taken<'_> {
        let mut looked = self.looked_at_all.lock().unwrap_or_else(PoisonError::into_inner);
        let all = looked.is_none_or(|then| now.duration_since(then) >= LOOK_AT_ALL);
        if all {
            *looked = Some(now);
        }
        drop(looked);
        let words = [0, 1, 2, 3].map(|word: usize| self.bits[word].swap(0, Ordering::Relaxed));
        let is_due = |n: &i16| all || words[usize::from(n.cast_unsigned()) / 64] >> (n % 64) & 1 == 1;
        Taken {
            from: self,
            numbers: (0..256i16).filter(is_due).collect(),
        }
    }
}

impl Taken<'_> {
    /// How many rows to read from each, where about `limit` are read in all.
    pub(crate) fn share(&self, limit: usize) -> i64 {
        share(limit, self.numbers.len())
    }

    /// Nothing is left to do in those for which `done` says so.
    pub(crate) fn settle(mut self, done: impl Fn(i16) -> bool) {
        self.numbers.retain(|number| !done(*number));
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        for number in &self.numbers {
            self.from.insert(*number);
        }
    }
}

/// How many rows to read from each of so many partitions, where about `limit` are read in all.
pub(crate) fn share(limit: usize, partitions: usize) -> i64 {
    let share = limit / partitions.max(1);
    i64::try_from(share.max(SHARE_MIN)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_settled_is_due_again_and_all_of_it_after_a_while() {
        let set = PartitionSet::default();
        let now = Instant::now();
        let all = set.take(now);
        assert_eq!(all.numbers, (0..256).collect::<Vec<i16>>());
        all.settle(|n| n != 7 && n != 255);
        set.insert(64);
        drop(set.take(now));
        assert_eq!(set.take(now).numbers, [7, 64, 255]);
        set.take(now).settle(|_| true);
        assert!(set.take(now).numbers.is_empty());
        assert_eq!(set.take(now + LOOK_AT_ALL).numbers.len(), 256);
    }
}
