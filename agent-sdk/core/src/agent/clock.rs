//! Where the uptime of this boot stands in civil time. The device has no clock that runs while it is off, or does not
//! trust it: the hub is asked on each connection until it has told, and the pair is sent back, which places the records.

use super::Agent;
use crate::hub;
use crate::session::{NEVER, since};
use agent_sdk_wire::MAX_NUMBER;

/// How long records are held for the hub's answer.
pub(super) const HOLD_MS: u32 = 5_000;

pub(super) struct Clock {
    /// Whether both clocks were read at one moment; then what they said.
    pub(super) is_known: bool,
    pub(super) uptime_ms: u64,
    /// Since 1970-01-01T00:00:00Z.
    pub(super) utc_ms: u64,
    /// Whether the hub's answer is due; then when it was asked.
    is_asked: bool,
    asked_at: u64,
    /// Questions of one connection and of the next have different numbers: the answer to an old one may come late.
    is_odd: bool,
}

impl Clock {
    pub(super) const fn new() -> Self {
        Self {
            is_known: false,
            uptime_ms: 0,
            utc_ms: 0,
            is_asked: false,
            asked_at: 0,
            is_odd: false,
        }
    }

    /// A new connection: nothing was asked on it.
    pub(super) fn connected(&mut self) {
        self.is_asked = false;
        self.is_odd = !self.is_odd;
    }

    /// Where to ask, as [`crate::Identity::subscriptions`] are written.
    pub(super) fn question_topic(&self) -> &'static str {
        if self.is_odd {
            hub::QUESTION
        } else {
            hub::OTHER_QUESTION
        }
    }

    /// Whether this is where the answer comes.
    pub(super) fn is_answer(&self, topic: &[u8]) -> bool {
        hub::is_answer(topic, hub::ANSWERS, if self.is_odd { b'1' } else { b'2' })
    }

    /// The hub is asked now.
    pub(super) fn asked(&mut self, now: u64) {
        self.is_asked = true;
        self.asked_at = now;
    }

    /// Takes the hub's time in; whether it was waited for. It was right somewhere between question and answer: in the middle
    /// it is wrong by half of the time that took at most.
    pub(super) fn answered(&mut self, utc_ms: u64, now: u64) -> bool {
        if !core::mem::take(&mut self.is_asked) {
            return false;
        }
        let half = since(self.asked_at, now) / 2;
        self.set(since(half, now), utc_ms)
    }

    /// Takes a pair in, unless there is one: it stays the same throughout a boot, so that all records are placed by it.
    pub(super) fn set(&mut self, uptime_ms: u64, utc_ms: u64) -> bool {
        let is_new = !self.is_known && uptime_ms <= MAX_NUMBER && utc_ms <= MAX_NUMBER;
        if is_new {
            self.is_known = true;
            (self.uptime_ms, self.utc_ms) = (uptime_ms, utc_ms);
        }
        is_new
    }

    /// Civil time at an uptime; [`NEVER`] if it is not known.
    pub(super) fn utc_ms(&self, now: u64) -> u64 {
        if !self.is_known {
            return NEVER;
        }
        since(self.uptime_ms, self.utc_ms.saturating_add(now))
    }
}

impl Agent<'_> {
    /// Milliseconds since 1970-01-01T00:00:00Z, once the hub or the maker has told them in this boot.
    pub fn utc_ms(&self, now: u64) -> Option<u64> {
        Some(self.clock.utc_ms(now)).filter(|utc_ms| *utc_ms < NEVER)
    }

    /// Tells the civil time, for a device that has a clock of its own: the hub is not asked then. Whether it was taken;
    /// only the first time of a boot is.
    pub fn set_utc(&mut self, utc_ms: u64, now: u64) -> bool {
        let is_new = self.clock.set(now, utc_ms);
        if is_new {
            self.clock_is_known();
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::{Clock, NEVER};

    #[test]
    fn the_first_pair_of_a_boot_counts_and_lies_between_question_and_answer() {
        let mut clock = Clock::new();
        assert_eq!(clock.utc_ms(5), NEVER);
        assert!(!clock.answered(1_000_000, 5), "nobody has asked");
        clock.asked(2_000);
        assert!(clock.answered(1_000_000, 2_300));
        assert_eq!(clock.utc_ms(2_150), 1_000_000);
        assert_eq!(clock.utc_ms(150), 998_000, "also for what was before");
        assert!(!clock.answered(7, 2_300), "once");
        assert!(!clock.set(2_300, 7));
        assert_eq!(clock.utc_ms(3_150), 1_001_000);
    }

    #[test]
    fn a_time_that_the_contract_cannot_carry_is_not_taken() {
        assert!(!Clock::new().set(0, 1 << 53));
        assert!(Clock::new().set(0, (1 << 53) - 1));
    }
}
