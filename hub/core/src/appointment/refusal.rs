//! Why an event is refused.

use super::REASON_LEN_MAX;
use jiff::Timestamp;

/// An event that cannot happen to a visit now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AppointmentError {
    /// What is over stays as it is.
    #[error("the visit is over ({state}): {event} is impossible; agree another visit")]
    Over {
        /// What was tried.
        event: &'static str,
        /// How it ended.
        state: &'static str,
    },
    /// Nobody sets out for a visit that the owner does not know of.
    #[error("the owner has not confirmed the visit yet: {event} is impossible; confirm it first")]
    NotConfirmed {
        /// What was tried.
        event: &'static str,
    },
    /// It has happened before.
    #[error("the visit is {state} already")]
    Already {
        /// Where it stands.
        state: &'static str,
    },
    /// A slot in the past.
    #[error("the visit cannot be moved to a slot that ended at {0}; choose a later one")]
    Passed(Timestamp),
    /// Before the slot nobody is missing.
    #[error("nobody can be missing before the visit's slot begins at {0}; move or cancel the visit instead")]
    NotBegun(Timestamp),
    /// The reason is too long.
    #[error("a reason has at most {REASON_LEN_MAX} characters, this one has {0}")]
    ReasonTooLong(usize),
}
