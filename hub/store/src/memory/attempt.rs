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

    /// All of them, with any person of the household, or anybody else who has a number of theirs.
    pub(super) fn calls_with(&self, household: &Household) -> Vec<PastCall> {
        let theirs = |number| household.who_has(number).is_some();
        let is_one = |owner| household.persons.iter().any(|person| person.id == owner);
        let shares = |owner| {
            self.person(owner)
                .is_some_and(|person| person.numbers.iter().any(theirs))
        };
        let attempts = self.attempts.values().map(|running| &running.attempt);
        let own = attempts.filter(|attempt| attempt.tenant == household.tenant);
        own.filter(|attempt| is_one(attempt.owner) || shares(attempt.owner))
            .map(PastCall::from)
            .collect()
    }
}
