//! The visit of a ticket: how it is agreed, what becomes of it, and what the ticket waits for then.

use super::{ServiceTicket, TicketAction, TicketCategory, TicketError, TicketEvent, TicketLabels};
use crate::appointment::{Agreement, Appointment, AppointmentEvent, AppointmentState, CancelledBy, Slot};
use crate::contact::ContactPhase;
use crate::outcome::Outcome;
use jiff::Timestamp;

impl ServiceTicket {
    /// The visit that is still to take place.
    pub fn standing_visit(&self) -> Option<&Appointment> {
        self.appointment.as_ref().filter(|visit| visit.state.stands())
    }

    /// The visit that is still to take place, unless its slot is over: then a person says what became of it.
    pub fn visit_ahead(&self, now: Timestamp) -> Option<&Appointment> {
        self.standing_visit().filter(|visit| visit.slot.end > now)
    }

    /// The slot that `event` would give this ticket by a person's word, with its service point. Whether there is a place is the
    /// store's to look up.
    pub fn slot_wanted<'a>(&'a self, event: &'a TicketEvent) -> Option<(Slot, &'a str)> {
        match event {
            TicketEvent::Booked { slot, service_point } => Some((*slot, service_point)),
            TicketEvent::Visit(AppointmentEvent::Moved { slot }) => {
                let visit = self.standing_visit()?;
                Some((*slot, &visit.service_point))
            }
            _ => None,
        }
    }

    pub(super) fn agree(&mut self, slot: Slot, service_point: &str, by: &str, now: Timestamp) {
        let agreement = Agreement {
            slot,
            service_point,
            by,
        };
        let last = self.appointment.take();
        self.appointment = Some(Appointment::agree(last, &self.tenant, self.id, agreement, now));
    }

    /// Nobody is rung and nobody need act until the visit.
    pub(super) fn await_visit(&mut self, labels: &TicketLabels) {
        self.status.move_to(TicketCategory::Paused, labels);
        self.contact.finish(None);
    }

    /// A visit that is over or called off leaves its ticket to a person, who writes the outcome or arranges another one; a call
    /// that is up or planned goes on.
    pub(super) fn visit(
        &mut self,
        event: &AppointmentEvent,
        actor: &str,
        labels: &TicketLabels,
        now: Timestamp,
    ) -> Result<(), TicketError> {
        let is_agreed = matches!(event, AppointmentEvent::Confirmed | AppointmentEvent::Moved { .. });
        // The owner may be moving it by key 1 just now. What the technician says is true beside any call.
        if is_agreed || matches!(event, AppointmentEvent::Cancelled { .. }) {
            let refused = |refusal| TicketError::of_contact(self.number, refusal);
            self.contact.check_not_in_call().map_err(refused)?;
        }
        self.change_visit(event, actor, now)?;
        if is_agreed {
            self.await_visit(labels);
        } else if self.standing_visit().is_none() {
            if self.contact.phase == ContactPhase::Done {
                self.contact.leave_to_a_person();
            }
            self.status.move_to(TicketCategory::Open, labels);
        }
        Ok(())
    }

    fn change_visit(&mut self, event: &AppointmentEvent, actor: &str, now: Timestamp) -> Result<(), TicketError> {
        let visit = self.appointment.clone().ok_or(TicketError::NoVisit(self.number))?;
        let changed = visit.apply(event, actor, now).map_err(|source| TicketError::Visit {
            number: self.number,
            source,
        })?;
        self.appointment = Some(changed);
        Ok(())
    }

    /// No visit outlives its ticket: it is done where the outcome says that a technician was there, and called off otherwise.
    pub(super) fn end_visit(
        &mut self,
        outcome: &Outcome,
        actor: &str,
        now: Timestamp,
    ) -> Result<Option<TicketAction>, TicketError> {
        let Some(visit) = self.standing_visit() else {
            return Ok(None);
        };
        let is_proposed = visit.state == AppointmentState::Proposed;
        let (event, _) = if is_proposed { called_off() } else { end_by(outcome) };
        self.change_visit(&event, actor, now)?;
        Ok(Some(TicketAction::NoteVisit(event)))
    }

    /// The visit that the closing ended as `was` has it ends as `is` has it. When it ended stays, by which it is known again, and
    /// so does what people said of a visit before the closing.
    pub(super) fn correct_visit(&mut self, was: &Outcome, is: &Outcome) -> Option<TicketAction> {
        let ((_, ended), (event, ends)) = (end_by(was), end_by(is));
        let closed_at = self.closed_at;
        let visit = self.appointment.as_mut()?;
        if ended == ends || visit.state != ended || Some(visit.changed_at) != closed_at {
            return None;
        }
        visit.state = ends;
        Some(TicketAction::NoteVisit(event))
    }
}

/// What an outcome says of a visit that stood until then.
fn end_by(outcome: &Outcome) -> (AppointmentEvent, AppointmentState) {
    if outcome.had_a_visit() {
        return (AppointmentEvent::Done, AppointmentState::Done);
    }
    called_off()
}

fn called_off() -> (AppointmentEvent, AppointmentState) {
    let (by, reason) = (CancelledBy::Closing, String::new());
    (AppointmentEvent::Cancelled { by, reason }, AppointmentState::Cancelled)
}
