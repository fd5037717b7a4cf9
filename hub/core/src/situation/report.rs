//! A ticket that a person opens, for what no finding says.

use super::{Changes, Ids, Situation, SituationError};
use crate::call_rules::HoldReason;
use crate::contact::ContactThread;
use crate::id::{TicketId, TraceId};
use crate::ticket::{ServiceTicket, TicketCategory, TicketEvent, TicketKind, TicketStatus};
use jiff::Timestamp;

/// Tickets of one appliance that are not closed, beyond which nobody opens another.
pub const TICKETS_OPEN_MAX: usize = 100;

impl Situation {
    /// Opens a ticket of this kind, with what is wanted in the words of `actor`. The hub rings nobody about it.
    ///
    /// # Errors
    ///
    /// The kind is the hub's own, or the note is empty or too long; [`SituationError::Full`] if enough is open.
    pub fn report(
        &mut self,
        kind: TicketKind,
        note: &str,
        actor: &str,
        ids: &mut Ids<'_>,
        now: Timestamp,
        changes: &mut Changes,
    ) -> Result<TicketId, SituationError> {
        let id = self.open_plain(kind, ids, now, changes)?;
        let note = note.to_owned();
        self.act(id, &TicketEvent::Reported { kind, note }, actor, now, changes)?;
        Ok(id)
    }

    /// A ticket without a fault, of which nothing has happened yet.
    pub(super) fn open_plain(
        &mut self,
        kind: TicketKind,
        ids: &mut Ids<'_>,
        now: Timestamp,
        changes: &mut Changes,
    ) -> Result<TicketId, SituationError> {
        if self.tickets.iter().filter(|ticket| !ticket.is_closed()).count() >= TICKETS_OPEN_MAX {
            return Err(SituationError::Full {
                appliance: self.appliance,
            });
        }
        let ticket = ServiceTicket {
            id: TicketId::new(now, (ids.0)()),
            number: 0,
            tenant: self.tenant.clone(),
            appliance: self.appliance,
            kind,
            fault: None,
            status: TicketStatus::first(TicketCategory::Open, &self.labels),
            assignee: None,
            opened_at: now,
            closed_at: None,
            contact: ContactThread::held(HoldReason::NothingToSay),
            appointment: None,
            promise: None,
            next_promise: None,
            outcome: None,
            correction: None,
            judged: None,
            trace: TraceId::new(now, (ids.0)()),
        };
        let id = ticket.id;
        changes.make(id.0);
        self.put_ticket(ticket, changes);
        Ok(id)
    }
}
