//! Promises to owners, and the bounds of what people write on tickets.
//!
//! A ticket has two at most, one of a person and one of a call, so that neither takes the other's place.

use super::{HUB, ServiceTicket, TicketError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Longest promise, in characters.
pub const PROMISE_LEN_MAX: usize = 500;
/// Longest name of the one who was promised something, in characters.
pub const PROMISED_TO_LEN_MAX: usize = 100;

/// Longest reason for which a promise is released, in characters.
pub const RELEASE_LEN_MAX: usize = 500;
/// Longest reason for which a call is refused, in characters.
pub const REFUSAL_LEN_MAX: usize = 500;

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

impl ServiceTicket {
    /// The promises that stand, the one that is due first before the other.
    pub fn promises(&self) -> impl Iterator<Item = &Promise> {
        self.promise.iter().chain(&self.next_promise)
    }

    /// A person's promise. An earlier one of a person is over with it.
    pub(super) fn promise(
        &mut self,
        what: &str,
        to: &str,
        by: Timestamp,
        actor: &str,
        now: Timestamp,
    ) -> Result<(), TicketError> {
        check_text(self.number, "a promise", what, PROMISE_LEN_MAX)?;
        check_text(self.number, "the name of the one promised", to, PROMISED_TO_LEN_MAX)?;
        if by <= now {
            return Err(TicketError::PromiseInThePast(self.number));
        }
        self.put_promise(Promise {
            what: what.to_owned(),
            to: to.to_owned(),
            by,
            made_by: actor.to_owned(),
            made_at: now,
        });
        Ok(())
    }

    /// A call has said that a person rings by then. What a call has promised for an earlier time stands: it is not put off.
    pub(super) fn promise_call(&mut self, by: Timestamp, now: Timestamp) {
        let stands = self.promises().any(|known| known.is_of_call() && known.by <= by);
        if !stands {
            self.put_promise(Promise::of_call(by, now));
        }
    }

    /// In the place of the one of its kind.
    fn put_promise(&mut self, new: Promise) {
        let known = [self.promise.take(), self.next_promise.take()];
        let other = known
            .into_iter()
            .flatten()
            .find(|known| known.is_of_call() != new.is_of_call());
        (self.promise, self.next_promise) = match other {
            Some(other) if other.by <= new.by => (Some(other), Some(new)),
            other => (Some(new), other),
        };
    }

    /// Takes a promise off the ticket, the other one stays: the one of this time and kind, or the one that is due first.
    pub(super) fn end_promise(&mut self, by: Option<Timestamp>, of_call: Option<bool>) -> Result<(), TicketError> {
        let is_meant = |known: &Option<Promise>| {
            known.as_ref().is_some_and(|known| {
                by.is_none_or(|by| known.by == by) && of_call.is_none_or(|of_call| known.is_of_call() == of_call)
            })
        };
        if is_meant(&self.promise) {
            self.promise = self.next_promise.take();
        } else if is_meant(&self.next_promise) {
            self.next_promise = None;
        } else {
            return Err(TicketError::NoPromise(self.number));
        }
        Ok(())
    }
}

/// Checks a text of a ticket: not empty, and at most `max` characters.
pub(super) fn check_text(number: i64, field: &'static str, text: &str, max: usize) -> Result<(), TicketError> {
    if !text.trim().is_empty() && text.chars().count() <= max {
        return Ok(());
    }
    Err(TicketError::Text { number, field, max })
}
