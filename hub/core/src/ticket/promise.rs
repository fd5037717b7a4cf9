//! Promises to owners, and the bounds of what people write on tickets.

use super::TicketError;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Longest promise, in characters.
pub const PROMISE_LEN_MAX: usize = 500;
/// Longest name of the one who was promised something, in characters.
pub const PROMISED_TO_LEN_MAX: usize = 100;

/// What somebody was promised and still waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promise {
    /// What was promised; 1 to 500 characters.
    pub what: String,
    /// Who was promised it; 1 to 100 characters.
    pub to: String,
    /// Time by which it is to be kept.
    pub by: Timestamp,
    /// Log-in name of the person who promised.
    pub made_by: String,
    /// When they did.
    pub made_at: Timestamp,
}

/// Checks a text of a ticket: not empty, and at most `max` characters.
pub(super) fn check_text(number: i64, field: &'static str, text: &str, max: usize) -> Result<(), TicketError> {
    if !text.trim().is_empty() && text.chars().count() <= max {
        return Ok(());
    }
    Err(TicketError::Text { number, field, max })
}
