//! Promises to owners, and the bounds of what people write on tickets.

use super::{HUB, TicketError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Longest promise, in characters.
pub const PROMISE_LEN_MAX: usize = 500;
/// Longest name of the one who was promised something, in characters.
pub const PROMISED_TO_LEN_MAX: usize = 100;

/// Longest reason for which a promise is released, in characters.
pub const RELEASE_LEN_MAX: usize = 500;

/// `what` of the promise that a call of the hub makes: a person rings. Pages have words for it.
pub const PERSON_RINGS: &str = "person_rings";
/// `to` of that promise: the one who was spoken with. No name, which would outlive the household.
pub const TO_OWNER: &str = "owner";

/// What somebody was promised and still waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promise {
    /// What was promised; 1 to 500 characters.
    pub what: String,
    /// Who was promised it; 1 to 100 characters.
    pub to: String,
    /// Time by which it is to be kept.
    pub by: Timestamp,
    /// Log-in name of the person who promised, or [`HUB`] for what a call of the hub did.
    pub made_by: String,
    /// When they did.
    pub made_at: Timestamp,
}

impl Promise {
    /// What a call of the hub promises: a person rings by then.
    pub(super) fn of_call(by: Timestamp, now: Timestamp) -> Self {
        Self {
            what: PERSON_RINGS.to_owned(),
            to: TO_OWNER.to_owned(),
            by,
            made_by: HUB.to_owned(),
            made_at: now,
        }
    }

    /// Whether a call of the hub made it.
    pub fn is_of_call(&self) -> bool {
        self.made_by == HUB && self.what == PERSON_RINGS
    }

    /// Whether its time has passed.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.by <= now
    }
}

/// Checks a text of a ticket: not empty, and at most `max` characters.
pub(super) fn check_text(number: i64, field: &'static str, text: &str, max: usize) -> Result<(), TicketError> {
    if !text.trim().is_empty() && text.chars().count() <= max {
        return Ok(());
    }
    Err(TicketError::Text { number, field, max })
}
