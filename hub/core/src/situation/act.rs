//! What happens to a ticket, and all that follows from it on the same appliance.

use super::count::verdict_of;
use super::{Changes, Line, Situation, SituationError};
use crate::appointment::Appointment;
use crate::baseline::{Restart, RestartReason};
use crate::finding::{COOL_DOWN, FindingState};
use crate::id::{AppointmentId, FindingId, TicketId};
use crate::ticket::{HUB, ServiceTicket, Settlement, TicketAction, TicketEvent};
use jiff::Timestamp;

/// One step of a cascade.
enum Step {
    /// This happens to a ticket, by the hub's own doing.
    Tell(TicketId, TicketEvent),
    /// What else follows from a ticket's step.
    Perform(TicketId, TicketAction),
    /// A finding is cleared.
    Clear(FindingId),
}

impl Situation {
    /// Something happens to a ticket: `event`, caused by `actor` (a log-in name, or [`HUB`]). A closed ticket may clear findings,
    /// which other tickets hear of.
    ///
    /// # Errors
    ///
    /// What [`ServiceTicket::apply`] refuses; [`SituationError::Missing`] if the ticket is not of this situation. `changes` are
    /// as far as it came, and not to be saved.
    pub fn act(
        &mut self,
        id: TicketId,
        event: &TicketEvent,
        actor: &str,
        now: Timestamp,
        changes: &mut Changes,
    ) -> Result<ServiceTicket, SituationError> {
        let steps = self.tell(id, event, actor, now, changes)?;
        self.follow(steps, now, changes)?;
        self.ticket(id).cloned()
    }

    /// The unit is another one, or serves somebody else: its baseline starts over, and what was found by the old one is cleared.
    ///
    /// # Errors
    ///
    /// As [`Situation::act`].
    pub fn restart_baseline(
        &mut self,
        reason: RestartReason,
        now: Timestamp,
        changes: &mut Changes,
    ) -> Result<(), SituationError> {
        let steps = self.restart(reason, now, changes);
        self.follow(steps, now, changes)
    }

    /// The readings are back at the baseline: every open finding is cleared. Answers with which they were.
    pub(super) fn clear(&mut self, now: Timestamp, changes: &mut Changes) -> Result<Vec<FindingId>, SituationError> {
        let open: Vec<FindingId> = self.open().map(|finding| finding.id).collect();
        self.follow(open.iter().copied().map(Step::Clear).collect(), now, changes)?;
        Ok(open)
    }

    /// Goes through the steps and, before the next of them, through what follows from each. A step never leads to one of its
    /// own kind on the same thing, so there is an end.
    fn follow(&mut self, steps: Vec<Step>, now: Timestamp, changes: &mut Changes) -> Result<(), SituationError> {
        let mut steps: Vec<Step> = steps.into_iter().rev().collect();
        while let Some(step) = steps.pop() {
            let next = match step {
                Step::Tell(ticket, event) => self.tell(ticket, &event, HUB, now, changes)?,
                Step::Perform(ticket, action) => self.perform(ticket, &action, now, changes)?,
                Step::Clear(finding) => self.clear_one(finding, now, changes)?,
            };
            steps.extend(next.into_iter().rev());
        }
        Ok(())
    }

    /// The ticket by its own rules, with a line of its timeline and an event.
    fn tell(
        &mut self,
        id: TicketId,
        event: &TicketEvent,
        actor: &str,
        now: Timestamp,
        changes: &mut Changes,
    ) -> Result<Vec<Step>, SituationError> {
        let before = self.ticket(id)?.clone();
        let (known, verdict) = (before.appointment.clone(), verdict_of(&before));
        let (mut ticket, actions) = before.apply(event, actor, &self.labels, now)?;
        self.count(&mut ticket, verdict, event, changes);
        let visit = ticket.appointment.clone();
        self.put_ticket(ticket, changes);
        self.note(id, event, actor, now, changes);
        if visit != known
            && let Some(visit) = visit
        {
            self.put_visit(visit, known.map(|known| known.id), now, changes);
        }
        Ok(actions.into_iter().map(|action| Step::Perform(id, action)).collect())
    }

    /// A line of the ticket's timeline, and an event.
    fn note(&self, id: TicketId, event: &TicketEvent, actor: &str, now: Timestamp, changes: &mut Changes) {
        changes.lines.push(Line {
            tenant: self.tenant.clone(),
            ticket: id,
            at: now,
            actor: actor.to_owned(),
            event: event.clone(),
        });
        changes
            .told
            .push(self.told(format!("ticket.{}", event.name()), Some(id), now));
    }

    /// What has become of a ticket's visit, of which the ticket knew the one with the id `known`.
    fn put_visit(&self, visit: Appointment, known: Option<AppointmentId>, now: Timestamp, changes: &mut Changes) {
        if known != Some(visit.id) {
            changes.make(visit.id.0);
        }
        let kind = format!("appointment.{}", visit.state.name());
        changes.told.push(self.told(kind, Some(visit.ticket), now));
        changes.appointment(visit);
    }

    fn perform(
        &mut self,
        id: TicketId,
        action: &TicketAction,
        now: Timestamp,
        changes: &mut Changes,
    ) -> Result<Vec<Step>, SituationError> {
        let settlement = match action {
            TicketAction::NoteVisit(event) => {
                self.note(id, &TicketEvent::Visit(event.clone()), HUB, now, changes);
                return Ok(Vec::new());
            }
            TicketAction::NotePromise => {
                let over = TicketEvent::PromiseReleased {
                    reason: String::new(),
                    by: None,
                    of_call: None,
                };
                self.note(id, &over, HUB, now, changes);
                return Ok(Vec::new());
            }
            TicketAction::TakeBack { settlement, at } => {
                self.take_back(id, *settlement, *at, now, changes)?;
                return Ok(Vec::new());
            }
            TicketAction::SettleFinding(settlement) => settlement,
        };
        match settlement {
            Settlement::Repaired => {
                self.clear_of_ticket(id, None, now, changes)?;
                Ok(self.restart(RestartReason::Repaired, now, changes))
            }
            Settlement::FalseAlarm => {
                self.clear_of_ticket(id, Some(now + COOL_DOWN), now, changes)?;
                Ok(Vec::new())
            }
            // Still open and still this ticket's: what comes of the same fault finds it and opens no other.
            Settlement::LeftAsItIs => Ok(Vec::new()),
        }
    }

    /// Clears what this ticket is about, and what it was about before: a fault that came back is another finding.
    fn clear_of_ticket(
        &mut self,
        id: TicketId,
        quiet_until: Option<Timestamp>,
        now: Timestamp,
        changes: &mut Changes,
    ) -> Result<(), SituationError> {
        let settled = self.findings_of(id)?;
        if !settled.is_empty() {
            changes.told.push(self.told("finding.cleared", Some(id), now));
        }
        for mut finding in settled {
            if finding.state == FindingState::Open {
                finding.state = FindingState::Cleared;
                // A label that is taken back opens again what it has cleared, and nothing that had gone before.
                finding.last_seen = now;
            }
            finding.suppressed_until = quiet_until.or(finding.suppressed_until);
            self.put_finding(finding, false, changes);
        }
        Ok(())
    }

    /// Forgets what the detector knows of this unit.
    fn restart(&mut self, reason: RestartReason, now: Timestamp, changes: &mut Changes) -> Vec<Step> {
        self.restarted = true;
        changes.restarted.insert(self.appliance, Restart { at: now, reason });
        self.open().map(|finding| Step::Clear(finding.id)).collect()
    }

    fn clear_one(&mut self, id: FindingId, now: Timestamp, changes: &mut Changes) -> Result<Vec<Step>, SituationError> {
        let mut finding = self.finding(id)?.clone();
        finding.state = FindingState::Cleared;
        finding.last_seen = now;
        let ticket = finding.ticket;
        self.put_finding(finding, false, changes);
        changes.told.push(self.told("finding.cleared", ticket, now));
        let open = self
            .tickets
            .iter()
            .find(|known| Some(known.id) == ticket && !known.is_closed());
        Ok(open
            .map(|ticket| Step::Tell(ticket.id, TicketEvent::FindingCleared))
            .into_iter()
            .collect())
    }
}
