//! The breaker of one appliance model: where far more tickets are opened than budget and faults explain, as after a new firmware, its
//! calls stop until a person has looked. It knows counts only, neither tickets nor who is rung.

use super::Budget;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Surge that the sum is sharpest for: three times as many tickets as expected.
const TIMES: f64 = 3.0;
/// Sum from which calls stop.
const STOPS_AT: f64 = 5.5;
/// Largest sum that is kept, so that a surge that is over is forgotten within days.
const SUM_MAX: f64 = 2.0 * STOPS_AT;
/// Days of a month, as far as rates go.
const DAYS_A_MONTH: f64 = 30.0;
/// Longest release.
pub const RELEASE_MAX: SignedDuration = SignedDuration::from_hours(24 * 30);
/// Longest reason for a release, in characters.
pub const REASON_LEN_MAX: usize = 500;

/// The breaker. Its default has counted nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SurgeBreaker {
    /// Evidence of a surge: log of how much better three times the expected rate explains the counts, since it was last nothing.
    sum: f64,
    /// Tickets since it was last nothing.
    tickets: u32,
    /// Tickets that were expected since then.
    expected: f64,
    #[serde(default)]
    stop: Option<Stop>,
}

/// Calls of the appliance model have stopped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stop {
    /// When they did.
    pub at: Timestamp,
    /// Tickets in the surge until then.
    pub tickets: u32,
    /// Tickets that budget and faults explain in that time.
    pub expected: f64,
    /// A person lets them go on for a while.
    #[serde(default)]
    pub release: Option<Release>,
}

/// A person looked at a surge and lets calls go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Log-in name of the person.
    pub by: String,
    /// What they found; 1 to 500 characters.
    pub reason: String,
    /// When they released it.
    pub at: Timestamp,
    /// When calls stop again, unless the surge is over by then; at most 30 days later.
    pub until: Timestamp,
}

/// Why calls are not released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseError {
    /// There is nothing to release.
    #[error("calls of this appliance model have not stopped")]
    NotStopped,
    /// It would end before it begins, or too late.
    #[error("a release ends within 30 days from now")]
    Until,
    /// None, or too long.
    #[error("a release needs a reason of 1 to {REASON_LEN_MAX} characters")]
    Reason,
}

/// Tickets that are expected of `watched` appliances in so many days: the false ones that the budget allows, and the right ones, as the
/// share `right_rate` of the appliances each month. Without those a fleet with many faults would be taken for a surge.
pub fn expected_tickets(tickets: Budget, right_rate: f64, watched: u32, days: f64) -> f64 {
    (tickets.rate() + right_rate) * f64::from(watched) * days / DAYS_A_MONTH
}

impl SurgeBreaker {
    /// Counts the tickets that were opened since it last counted, once a day at least, of which `expected` were expected. A cumulative
    /// sum (Page, Biometrika 41, 1954) of the log-likelihood ratio of two Poisson rates (Lucas, Technometrics 27, 1985). Returns whether
    /// calls stop by this count: then a person is asked. Where `expected` is no number, nothing was expected.
    pub fn count(&mut self, tickets: u32, expected: f64, now: Timestamp) -> bool {
        let expected = if expected.is_finite() { expected } else { 0.0 };
        let step = f64::from(tickets) * TIMES.ln() - (TIMES - 1.0) * expected;
        self.sum = (self.sum + step).clamp(0.0, SUM_MAX);
        self.tickets = self.tickets.saturating_add(tickets);
        self.expected += expected;
        if self.sum == 0.0 {
            (self.tickets, self.expected) = (0, 0.0);
        }
        if self.stop.as_ref().is_some_and(|stop| stop.is_over(now)) {
            self.stop = None;
        }
        let stops = self.stop.is_none() && self.sum >= STOPS_AT;
        if stops {
            self.stop = Some(Stop {
                at: now,
                tickets: self.tickets,
                expected: self.expected,
                release: None,
            });
        }
        stops
    }

    /// Whether calls may go out, as far as the breaker is concerned.
    pub fn lets_calls_out(&self, now: Timestamp) -> bool {
        self.stop
            .as_ref()
            .is_none_or(|stop| stop.is_released(now) || stop.is_over(now) && self.sum < STOPS_AT)
    }

    /// The stop, released or not, for people.
    pub fn stop(&self) -> Option<&Stop> {
        self.stop.as_ref()
    }

    /// A person lets calls go on until then. Counting begins again: if the surge lasts beyond the release, calls stop again.
    ///
    /// # Errors
    ///
    /// [`ReleaseError`]; nothing has changed then.
    pub fn release(&mut self, by: &str, reason: &str, now: Timestamp, until: Timestamp) -> Result<(), ReleaseError> {
        let stop = self.stop.as_mut().ok_or(ReleaseError::NotStopped)?;
        if until <= now || until.duration_since(now) > RELEASE_MAX {
            return Err(ReleaseError::Until);
        }
        if reason.trim().is_empty() || reason.chars().count() > REASON_LEN_MAX {
            return Err(ReleaseError::Reason);
        }
        stop.release = Some(Release {
            by: by.to_owned(),
            reason: reason.to_owned(),
            at: now,
            until,
        });
        (self.sum, self.tickets, self.expected) = (0.0, 0, 0.0);
        Ok(())
    }
}

impl Stop {
    /// Whether a person lets calls go on now.
    pub fn is_released(&self, now: Timestamp) -> bool {
        self.release.as_ref().is_some_and(|release| now < release.until)
    }

    /// Whether it was released, and the release has ended.
    fn is_over(&self, now: Timestamp) -> bool {
        self.release.as_ref().is_some_and(|release| now >= release.until)
    }
}
