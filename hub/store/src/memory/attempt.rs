//! Contact attempts: those of a ticket, and those with a household.

use super::state::State;
use hub_core::contact::{ATTEMPTS_MAX, ContactAttempt};
use hub_core::household::Household;
use hub_core::id::TicketId;
use hub_core::situation::PastCall;

impl State {
    /// Oldest first.
    pub(super) fn attempts_of(&self, ticket: TicketId) -> Vec<ContactAttempt> {
        let attempts = self.attempts.values().map(|running| &running.attempt);
        let own = attempts.filter(|attempt| attempt.ticket == ticket);
        own.take(ATTEMPTS_MAX).cloned().collect()
    }

    /// All of them, with any person of the household.
    pub(super) fn calls_with(&self, household: &Household) -> Vec<PastCall> {
        let attempts = self.attempts.values().map(|running| &running.attempt);
        attempts
            .filter(|attempt| household.persons.iter().any(|person| person.id == attempt.owner))
            .map(PastCall::from)
            .collect()
    }
}
