//! A way out that has failed is left alone for a while, tried with one call, and used again a little at a time. It knows neither
//! tickets nor owners: what waits for it stays planned in its order. The clock that decides is the caller's, and so is chance.

use jiff::{SignedDuration, Timestamp};

/// Pause after the first failure; each one more in a row doubles it.
const PAUSE_FIRST: SignedDuration = SignedDuration::from_secs(10);
/// Longest pause by our own count.
const PAUSE_LONGEST: SignedDuration = SignedDuration::from_mins(5);
/// Longest pause that a carrier may ask for (`Retry-After`, RFC 3261 §20.33). A longer one is cut: a carrier that means days says so to
/// the first call of each half hour.
const RETRY_AFTER_MAX: SignedDuration = SignedDuration::from_mins(30);
/// A trying call of which nothing is heard for so long says nothing any more. Longer than a call waits for its first ring.
const TRY_MAX: SignedDuration = SignedDuration::from_mins(2);
/// Time between two calls on a way that has come back.
pub const PACE: SignedDuration = SignedDuration::from_secs(2);
/// Time for which a way that has come back is used at that pace: enough for 150 calls.
const PACED: SignedDuration = SignedDuration::from_mins(5);

/// A way out: the trunk of a tenant, or the hub's own house.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breaker {
    state: State,
    /// Failures since it last worked.
    failures: u32,
    /// Time of the first of them.
    since: Timestamp,
    /// Words of the last of them.
    why: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing is known of it, as after a start: the first call tries it.
    Unproven,
    /// Calls go out.
    Works,
    /// No call goes out.
    Paused { until: Timestamp },
    /// One call is on its way to find out.
    Tried { since: Timestamp },
    /// It works again: a call goes out now and then.
    Returns { since: Timestamp, next: Timestamp },
}

/// Why no call goes out, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// Time of the first failure.
    pub since: Timestamp,
    /// Time from which one call tries it; past while that call is on its way or awaited.
    pub until: Timestamp,
    /// Words of the last failure. No number of a person in them.
    pub why: String,
}

/// What a failed call says of its way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Failure {
    /// Words of the failure.
    pub why: String,
    /// Seconds after which the far side wants to be asked again, if it says so.
    pub retry_after_s: Option<u32>,
}

impl Default for Breaker {
    /// As after a start: what was known before is forgotten, so that the first call is the one that tries.
    fn default() -> Self {
        Self {
            state: State::Unproven,
            failures: 0,
            since: Timestamp::UNIX_EPOCH,
            why: String::new(),
        }
    }
}

impl Breaker {
    /// Whether a call may go out now. A clock that was set back keeps no way closed.
    pub fn is_ready(&self, now: Timestamp) -> bool {
        match self.state {
            State::Unproven | State::Works => true,
            State::Paused { until } => is_past(until, RETRY_AFTER_MAX, now),
            State::Tried { since } => is_past(since + TRY_MAX, TRY_MAX, now),
            State::Returns { next, .. } => is_past(next, PACE, now),
        }
    }

    /// A call that may go out takes its place: nobody else's follows at once where this one tries the way, or its pace.
    pub fn take(&mut self, now: Timestamp) {
        self.state = match self.state {
            State::Works => State::Works,
            State::Unproven | State::Paused { .. } | State::Tried { .. } => State::Tried { since: now },
            State::Returns { since, .. } if is_past(since + PACED, PACED, now) => State::Works,
            State::Returns { since, .. } => State::Returns {
                since,
                next: now + PACE,
            },
        };
    }

    /// The call that took its place does not go out after all, or says nothing of this way.
    pub fn give_back(&mut self, now: Timestamp) {
        self.state = match self.state {
            State::Tried { .. } if self.failures == 0 => State::Unproven,
            State::Tried { .. } => State::Paused { until: now },
            State::Returns { since, .. } => State::Returns { since, next: now },
            other @ (State::Unproven | State::Works | State::Paused { .. }) => other,
        };
    }

    /// A call went through. Any does: also one that was placed before the way failed.
    pub fn works(&mut self, now: Timestamp) {
        self.state = match self.state {
            State::Unproven | State::Tried { .. } if self.failures == 0 => State::Works,
            State::Unproven | State::Tried { .. } | State::Paused { .. } => State::Returns {
                since: now,
                next: now + PACE,
            },
            other @ (State::Works | State::Returns { .. }) => other,
        };
        self.failures = 0;
    }

    /// A call failed. `spread` from 0 to 1 lengthens the pause by up to a quarter, so that hubs do not come back as one. Calls that
    /// were placed together fail together: the pause that the first of them began is not doubled by the others.
    pub fn failed(&mut self, failure: Failure, now: Timestamp, spread: f64) {
        let asked = SignedDuration::from_secs(failure.retry_after_s.unwrap_or(0).into()).min(RETRY_AFTER_MAX);
        let until = match self.state {
            State::Paused { until } if !self.is_ready(now) => until,
            State::Paused { .. } | State::Unproven | State::Works | State::Tried { .. } | State::Returns { .. } => {
                if self.failures == 0 {
                    self.since = now;
                }
                self.failures = self.failures.saturating_add(1);
                now + self.pause_after(spread)
            }
        };
        self.why = failure.why;
        self.state = State::Paused {
            until: until.max(now + asked),
        };
    }

    /// What to tell while it does not work; none while it does, or nothing is known.
    pub fn pause(&self) -> Option<Pause> {
        let until = match self.state {
            State::Paused { until } => until,
            State::Tried { since } if self.failures > 0 => since,
            State::Unproven | State::Works | State::Tried { .. } | State::Returns { .. } => return None,
        };
        Some(Pause {
            since: self.since,
            until,
            why: self.why.clone(),
        })
    }

    fn pause_after(&self, spread: f64) -> SignedDuration {
        let doubled = 1 << self.failures.saturating_sub(1).min(10);
        let pause = PAUSE_FIRST.saturating_mul(doubled).min(PAUSE_LONGEST);
        pause + (pause / 4).mul_f64(spread.clamp(0.0, 1.0))
    }
}

/// Whether `then` has come. It was set at most `ahead` in advance, or the clock has been set back since.
fn is_past(then: Timestamp, ahead: SignedDuration, now: Timestamp) -> bool {
    then <= now || then.duration_since(now) > ahead
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use std::fmt::Write;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    fn failure(retry_after_s: Option<u32>) -> Failure {
        Failure {
            why: "503".to_owned(),
            retry_after_s,
        }
    }

    fn working() -> Breaker {
        let mut breaker = Breaker::default();
        breaker.works(at(0));
        breaker
    }

    /// Seconds until a call may go out again.
    fn pause(breaker: &Breaker, now: i64) -> i64 {
        (now..).find(|second| breaker.is_ready(at(*second))).unwrap() - now
    }

    #[test]
    fn pauses_double_up_to_five_minutes_and_are_spread() {
        let (mut breaker, mut now, mut table) = (working(), 0, String::new());
        for spread in [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.5] {
            breaker.take(at(now));
            breaker.failed(failure(None), at(now), spread);
            let pause = pause(&breaker, now);
            writeln!(table, "{pause} s").unwrap();
            now += pause;
        }
        expect![[r#"
            10 s
            20 s
            40 s
            80 s
            160 s
            300 s
            300 s
            375 s
            338 s
        "#]]
        .assert_eq(&table);
        assert_eq!(breaker.pause().unwrap().since, at(0));
        breaker.works(at(now));
        assert_eq!(breaker.pause(), None);
        breaker.failed(failure(None), at(now), 0.0);
        assert_eq!(pause(&breaker, now), 10, "it begins again");
    }

    #[test]
    fn what_the_carrier_asks_for_is_kept_within_half_an_hour() {
        for (asked, kept) in [(None, 10), (Some(3), 10), (Some(120), 120), (Some(86_400), 1_800)] {
            let mut breaker = working();
            breaker.failed(failure(asked), at(0), 0.0);
            assert_eq!(pause(&breaker, 0), kept, "{asked:?}");
        }
        let mut breaker = working();
        breaker.failed(failure(None), at(0), 0.0);
        breaker.failed(failure(None), at(1), 0.0);
        assert_eq!(pause(&breaker, 1), 9, "those that fail together fail once");
        breaker.failed(failure(Some(60)), at(2), 0.0);
        assert_eq!(pause(&breaker, 2), 60);
    }

    #[test]
    fn one_call_tries_and_the_others_follow_at_a_pace() {
        let mut breaker = Breaker::default();
        assert!(breaker.is_ready(at(0)));
        breaker.take(at(0));
        assert!(!breaker.is_ready(at(1)), "after a start the first call tries");
        assert_eq!(breaker.pause(), None, "and nothing is known to be wrong");
        breaker.give_back(at(1));
        assert!(breaker.is_ready(at(1)));
        breaker.take(at(1));
        breaker.works(at(2));
        for _ in 0..3 {
            breaker.take(at(2));
            assert!(breaker.is_ready(at(2)), "nothing was wrong: all may go");
        }
        breaker.failed(failure(None), at(3), 0.0);
        assert!(!breaker.is_ready(at(12)));
        breaker.take(at(13));
        assert!(!breaker.is_ready(at(14)), "one tries");
        assert!(breaker.pause().is_some());
        breaker.give_back(at(14));
        assert!(breaker.is_ready(at(14)), "another one may");
        breaker.take(at(14));
        breaker.works(at(15));
        let mut gone = Vec::new();
        for second in 15..400 {
            while breaker.is_ready(at(second)) && gone.len() < 200 {
                breaker.take(at(second));
                gone.push(second);
            }
        }
        assert_eq!(gone[..3], [17, 19, 21], "a pace apart");
        assert_eq!(gone[148..152], [313, 315, 315, 315], "until all may go again");
    }

    #[test]
    fn neither_a_lost_call_nor_a_clock_set_back_closes_a_way() {
        let mut breaker = working();
        breaker.failed(failure(Some(1_800)), at(0), 0.0);
        assert!(breaker.is_ready(at(-3_600)));
        breaker.take(at(1_800));
        assert!(!breaker.is_ready(at(1_919)));
        assert!(breaker.is_ready(at(1_920)), "nothing was heard of it");
        assert!(breaker.is_ready(at(0)));
        breaker.works(at(1_920));
        assert!(breaker.is_ready(at(0)));
    }
}
