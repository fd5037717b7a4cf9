//! What a step of a ticket says of such predictions is counted: verdicts of closed tickets, and people's approvals.

use super::{Changes, Situation};
use crate::outcome::Verdict;
use crate::release::{Predicted, Tally};
use crate::ticket::{ServiceTicket, TicketEvent};

impl Situation {
    /// What the finding says that a ticket is about. None without a finding, or where the situation was loaded without it.
    pub fn predicted(&self, ticket: &ServiceTicket) -> Option<Predicted> {
        let fault = ticket.fault.as_ref()?;
        self.finding(fault.finding).ok().map(Predicted::of)
    }

    /// Counts what `event` made of a ticket, of which the verdict `was` stood before. A verdict stays with what it was counted for first: the
    /// finding of a closed ticket may learn more.
    pub(super) fn count(
        &self,
        ticket: &mut ServiceTicket,
        was: Option<Verdict>,
        event: &TicketEvent,
        changes: &mut Changes,
    ) {
        let verdict = verdict_of(ticket);
        if verdict != was {
            ticket.judged = ticket.judged.take().or_else(|| self.predicted(ticket));
            let predicted = ticket.judged.clone();
            changes.count(&self.tenant, predicted, Tally::judged(was, verdict));
        }
        if matches!(event, TicketEvent::CallApproved) {
            changes.count(&self.tenant, self.predicted(ticket), Tally::APPROVED);
        }
        if matches!(event, TicketEvent::CallRefused { .. }) {
            changes.count(&self.tenant, self.predicted(ticket), Tally::REFUSED);
        }
    }
}

/// The verdict that stands on a ticket.
pub(super) fn verdict_of(ticket: &ServiceTicket) -> Option<Verdict> {
    ticket.outcome.as_ref().map(|outcome| outcome.verdict)
}
