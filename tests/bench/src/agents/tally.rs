//! What the devices of a fleet tell while they live.

use std::sync::{Mutex, MutexGuard, PoisonError};

const SECOND_MS: u64 = 1_000;

/// Counted since the start, or since [`Tally::begin_again`] where it says so.
#[derive(Debug)]
pub struct Tally(Mutex<Counts>);

#[derive(Debug)]
struct Counts {
    /// Moments of the attempts to connect, since the new beginning.
    tries: Vec<u64>,
    /// The devices that a broker has accepted since then.
    is_there: Vec<bool>,
    there: usize,
    last_came_at: u64,
    delivered: usize,
    dropped: u64,
}

/// The way back of a fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Return {
    /// When the last device was accepted, in milliseconds of uptime.
    pub last_came_at: u64,
    /// Attempts to connect.
    pub tries: usize,
    /// The most of them within one second.
    pub tries_in_a_second: usize,
}

impl Tally {
    /// Of so many devices.
    pub fn new(devices: usize) -> Self {
        Self(Mutex::new(Counts {
            tries: Vec::new(),
            is_there: vec![false; devices],
            there: 0,
            last_came_at: 0,
            delivered: 0,
            dropped: 0,
        }))
    }

    /// A device opens a connection, whether or not there is a listener.
    pub fn tries(&self, now_ms: u64) {
        self.counts().tries.push(now_ms);
    }

    /// A device was accepted. Only the first time counts.
    pub fn came(&self, device: usize, now_ms: u64) {
        let mut counts = self.counts();
        let is_there = counts.is_there.get_mut(device);
        if is_there.is_some_and(|is_there| !std::mem::replace(is_there, true)) {
            counts.there += 1;
            counts.last_came_at = now_ms;
        }
    }

    /// A reading was acknowledged.
    pub fn delivered(&self) {
        self.counts().delivered += 1;
    }

    /// Readings were dropped for want of room.
    pub fn dropped(&self, count: u32) {
        self.counts().dropped += u64::from(count);
    }

    /// None is there, and attempts are counted from now on.
    pub fn begin_again(&self) {
        let mut counts = self.counts();
        counts.tries.clear();
        counts.is_there.fill(false);
        counts.there = 0;
    }

    /// Devices that were accepted since the last beginning.
    pub fn there(&self) -> usize {
        self.counts().there
    }

    /// Readings that were acknowledged, and those that were dropped, since the start.
    pub fn readings(&self) -> (usize, u64) {
        let counts = self.counts();
        (counts.delivered, counts.dropped)
    }

    /// The way back since the last beginning.
    pub fn way_back(&self) -> Return {
        let counts = self.counts();
        Return {
            last_came_at: counts.last_came_at,
            tries: counts.tries.len(),
            tries_in_a_second: most_in_a_second(counts.tries.clone()),
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The most moments, in milliseconds, that lie within one second, wherever it begins.
fn most_in_a_second(mut moments: Vec<u64>) -> usize {
    moments.sort_unstable();
    let (mut from, mut most) = (0, 0);
    for (to, at) in moments.iter().enumerate() {
        while moments[from] + SECOND_MS <= *at {
            from += 1;
        }
        most = most.max(to + 1 - from);
    }
    most
}

#[cfg(test)]
mod tests {
    use super::{Return, Tally, most_in_a_second};

    #[test]
    fn a_second_may_begin_anywhere() {
        assert_eq!(most_in_a_second(Vec::new()), 0);
        assert_eq!(most_in_a_second(vec![0, 1_000, 2_000]), 1);
        assert_eq!(most_in_a_second(vec![1_400, 999, 0, 500, 1_499]), 4);
    }

    #[test]
    fn a_device_that_comes_twice_is_there_once() {
        let tally = Tally::new(2);
        tally.tries(1);
        tally.came(1, 1);
        tally.begin_again();
        assert_eq!(tally.there(), 0);
        for (device, at) in [(0, 5), (0, 6), (1, 9), (0, 11)] {
            tally.tries(at);
            tally.came(device, at);
        }
        assert_eq!(tally.there(), 2);
        let expected = Return {
            last_came_at: 9,
            tries: 4,
            tries_in_a_second: 4,
        };
        assert_eq!(tally.way_back(), expected);
    }
}
