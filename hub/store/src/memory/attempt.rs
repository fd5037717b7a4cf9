//! Contact attempts: those of a ticket, and those with a person.

use super::state::State;
use hub_core::contact::{ATTEMPTS_MAX, ContactAttempt};
use hub_core::id::{OwnerId, TicketId};
use hub_core::situation::PastCall;

impl State {
    /// Oldest first.
    pub(super) fn attempts_of(&self, ticket: TicketId) -> Vec<ContactAttempt> {
        let attempts = self.attempts.values().map(|running| &running.attempt);
        let own = attempts.filter(|attempt| attempt.ticket == ticket);
        own.take(ATTEMPTS_MAX).cloned().collect()
    }

    /// All of them.
    pub(super) fn calls_with(&self, owner: OwnerId) -> Vec<PastCall> {
        let attempts = self.attempts.values().map(|running| &running.attempt);
        attempts
            .filter(|attempt| attempt.owner == owner)
            .map(PastCall::from)
            .collect()
    }
}
