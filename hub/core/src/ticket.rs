//! The service ticket: opened once, for a finding or by a person; closed once with an outcome; in between every step is an event.

use crate::appointment::{Appointment, Slot};
use crate::call_result::Disposition;
use crate::contact::{ContactThread, Turn};
use crate::id::{ApplianceId, TenantId, TicketId, TraceId};
use crate::outcome::{NOTE_LEN_MAX, Outcome, Verdict};
use crate::prediction::Severity;
use crate::release::Predicted;
use jiff::Timestamp;
use promise::check_text;
use serde::{Deserialize, Serialize};

mod correction;
mod event;
mod kind;
mod label;
mod promise;
mod refusal;
mod status;
mod visit;

pub use correction::{CORRECTION_REASON_LEN_MAX, CORRECTIONS_MAX, Correction};
pub use event::{Settlement, TicketAction, TicketEvent};
pub use kind::{TicketFault, TicketKind};
pub use label::{LABEL_LEN_MAX, LABELS_MAX, TicketLabel, TicketLabels};
pub use promise::{
    PERSON_RINGS, PROMISE_LEN_MAX, PROMISED_TO_LEN_MAX, Promise, REFUSAL_LEN_MAX, RELEASE_LEN_MAX, TO_OWNER,
};
pub use refusal::TicketError;
pub use status::{TicketCategory, TicketStatus};

/// A service ticket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceTicket {
    /// Id of the ticket.
    pub id: TicketId,
    /// Counts up within the tenant: what people say to each other. 0 until it is stored.
    pub number: i64,
    /// Tenant that owns the ticket.
    pub tenant: TenantId,
    /// The appliance.
    pub appliance: ApplianceId,
    /// Kind.
    pub kind: TicketKind,
    /// Fault that it is about; none of a ticket that a person opened.
    #[serde(flatten)]
    pub fault: Option<TicketFault>,
    /// Where it stands for people.
    pub status: TicketStatus,
    /// Log-in name of the person who has it.
    pub assignee: Option<String>,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// Where the hub stands with ringing the owner about it.
    pub contact: ContactThread,
    /// The newest visit, whatever has become of it.
    pub appointment: Option<Appointment>,
    /// What somebody was promised, of two promises the one that is due first; none when the ticket is closed.
    pub promise: Option<Promise>,
    /// The other promise: a person's where that one is a call's, a call's where it is a person's.
    pub next_promise: Option<Promise>,
    /// The end.
    pub outcome: Option<Outcome>,
    /// The newest correction of the outcome, if it was corrected.
    pub correction: Option<Correction>,
    /// What its verdict is counted for, from the closing on; none of a ticket without a prediction.
    pub judged: Option<Predicted>,
    /// From the reading to the call.
    pub trace: TraceId,
}

/// Newest lines of a timeline that are shown.
pub const TIMELINE_MAX: usize = 1_000;

/// `actor` of events that no person caused.
pub const HUB: &str = "hub";

impl ServiceTicket {
    /// Whether it has an outcome.
    pub fn is_closed(&self) -> bool {
        self.status.category == TicketCategory::Resolved
    }

    /// Applies an event that `actor` caused (a log-in name, or [`HUB`]); `labels` are the tenant's. Answers what follows
    /// from it beyond the ticket.
    ///
    /// # Errors
    ///
    /// [`TicketError`].
    pub fn apply(
        mut self,
        event: &TicketEvent,
        actor: &str,
        labels: &TicketLabels,
        now: Timestamp,
    ) -> Result<(Self, Vec<TicketAction>), TicketError> {
        // What the hub learns late of a closed ticket changes nothing, and a call that ends after a person closed the
        // ticket still ends. Whatever else is tried on a closed ticket is an error that a person sees.
        if self.is_closed() {
            return match event {
                TicketEvent::FindingCleared
                | TicketEvent::FindingGrew { .. }
                | TicketEvent::Chose { .. }
                | TicketEvent::AttemptEnded { .. } => Ok((self, vec![])),
                TicketEvent::Corrected { outcome, reason } => self.correct(outcome, reason, actor, now),
                _ => Err(TicketError::Closed(self.number)),
            };
        }
        let number = self.number;
        let refused = |refusal| TicketError::of_contact(number, refusal);
        let has_visit = self.standing_visit().is_some();
        match event {
            TicketEvent::Opened { contact_due } => self.contact.plan(*contact_due),
            TicketEvent::Reported { kind, note } => self.report(*kind, note)?,
            TicketEvent::RangIn if number != 0 => return Err(TicketError::NotReported(number)),
            TicketEvent::RangIn => {}
            TicketEvent::NamedByCaller { rings_by } => self.promise_call(*rings_by, now),
            TicketEvent::FindingGrew {
                fault_class, severity, ..
            } => self.grow(fault_class, *severity, now),
            // Not called any more (the stale guard sees to it); a person still looks at what happened.
            TicketEvent::FindingCleared => self.contact.clear(),
            TicketEvent::Waits { until, reason } => self.contact.wait(*until, *reason).map_err(refused)?,
            TicketEvent::Held { reason } => {
                let turn = self.contact.refuse(*reason, has_visit).map_err(refused)?;
                self.turn(turn, labels);
            }
            TicketEvent::AttemptStarted { inbound, .. } => self.contact.start_attempt(*inbound).map_err(refused)?,
            TicketEvent::Chose {
                disposition,
                slot,
                service_point,
                rings_by,
                ..
            } => {
                let agreed = slot.zip(service_point.as_deref());
                self.choose(*disposition, agreed, labels, now);
                if let Some(by) = rings_by {
                    self.promise_call(*by, now);
                }
            }
            TicketEvent::AttemptEnded {
                inbound,
                result,
                disposition,
                contact_due,
                ..
            } => {
                let contact = &mut self.contact;
                let turn = contact.end_attempt(*inbound, *result, *disposition, *contact_due, has_visit);
                self.turn(turn, labels);
            }
            TicketEvent::Taken => self.assignee = Some(actor.to_owned()),
            TicketEvent::StatusSet { label } => self.set_status(label, labels)?,
            TicketEvent::Noted { text } => check_text(number, "a note", text, NOTE_LEN_MAX)?,
            TicketEvent::Promised { what, to, by } => self.promise(what, to, *by, actor, now)?,
            TicketEvent::PromiseKept { by, of_call } => self.end_promise(*by, *of_call)?,
            TicketEvent::PromiseReleased { reason, by, of_call } => {
                check_text(number, "a reason", reason, RELEASE_LEN_MAX)?;
                self.end_promise(*by, *of_call)?;
            }
            TicketEvent::CallRequested if self.fault.is_none() => return Err(TicketError::NothingToSay(number)),
            TicketEvent::CallRequested => self.contact.request_call(actor, now).map_err(refused)?,
            TicketEvent::CallApproved => self.contact.approve(actor, now).map_err(refused)?,
            TicketEvent::CallRefused { reason } => {
                check_text(number, "a reason", reason, REFUSAL_LEN_MAX)?;
                let turn = self.contact.decline(has_visit).map_err(refused)?;
                self.turn(turn, labels);
            }
            TicketEvent::Booked { slot, service_point } => {
                self.contact.check_not_in_call().map_err(refused)?;
                self.agree(*slot, service_point, actor, now);
                self.await_visit(labels);
            }
            TicketEvent::Visit(event) => self.visit(event, actor, labels, now)?,
            TicketEvent::Closed { outcome } => {
                self.contact.check_not_in_call().map_err(refused)?;
                let actions = self.close(outcome, actor, labels, now)?;
                return Ok((self, actions));
            }
            TicketEvent::Corrected { .. } => return Err(TicketError::NotClosed(number)),
        }
        Ok((self, vec![]))
    }

    fn turn(&mut self, turn: Turn, labels: &TicketLabels) {
        match turn {
            Turn::GoesOn => {}
            Turn::PersonNeeded => self.status.move_to(TicketCategory::Open, labels),
            Turn::VisitAwaited => self.status.move_to(TicketCategory::Paused, labels),
        }
    }

    /// The ticket was made for this and is not stored yet.
    fn report(&self, kind: TicketKind, note: &str) -> Result<(), TicketError> {
        if self.number != 0 || kind == TicketKind::PredictedFault {
            return Err(TicketError::NotReported(self.number));
        }
        check_text(self.number, "a note", note, NOTE_LEN_MAX)
    }

    fn grow(&mut self, fault_class: &str, severity: Severity, now: Timestamp) {
        if let Some(fault) = &mut self.fault {
            if fault.fault_class != fault_class {
                self.contact.forget_decision();
            }
            fault.fault_class = fault_class.to_owned();
            fault.severity = fault.severity.max(severity);
        }
        if self.assignee.is_none() {
            self.contact.lift(now);
        }
    }

    fn choose(
        &mut self,
        disposition: Disposition,
        agreed: Option<(Slot, &str)>,
        labels: &TicketLabels,
        now: Timestamp,
    ) {
        match (disposition, agreed) {
            (Disposition::AppointmentBooked, Some((slot, point))) => {
                self.agree(slot, point, "owner_by_phone", now);
                self.status.move_to(TicketCategory::Paused, labels);
            }
            (Disposition::DoNotCall, _) => self.contact.forbid(),
            _ => {}
        }
    }

    fn set_status(&mut self, label: &str, labels: &TicketLabels) -> Result<(), TicketError> {
        let (number, label) = (self.number, label.to_owned());
        match labels.get(&label).map(|known| known.category) {
            None => Err(TicketError::UnknownLabel { number, label }),
            Some(TicketCategory::Resolved) => Err(TicketError::ResolvedByClosing { number, label }),
            Some(category @ (TicketCategory::Open | TicketCategory::Paused)) => {
                self.status = TicketStatus { category, label };
                Ok(())
            }
        }
    }

    fn close(
        &mut self,
        outcome: &Outcome,
        actor: &str,
        labels: &TicketLabels,
        now: Timestamp,
    ) -> Result<Vec<TicketAction>, TicketError> {
        outcome
            .check(self.fault.is_some())
            .map_err(|source| TicketError::Outcome {
                number: self.number,
                source,
            })?;
        let visit = self.end_visit(outcome, actor, now)?;
        let promises: Vec<TicketAction> = self.promises().map(|_| TicketAction::NotePromise).collect();
        (self.promise, self.next_promise) = (None, None);
        self.status.move_to(TicketCategory::Resolved, labels);
        self.closed_at = Some(now);
        self.contact.finish(None);
        self.outcome = Some(outcome.clone());
        let settlement = self.settlement(outcome).map(TicketAction::SettleFinding);
        Ok(visit.into_iter().chain(promises).chain(settlement).collect())
    }

    /// What an outcome of this ticket means for its finding, or for the baseline where there is none; nothing where neither is
    /// concerned.
    pub fn settlement(&self, outcome: &Outcome) -> Option<Settlement> {
        if outcome.repaired() && self.kind.mends() {
            return Some(Settlement::Repaired);
        }
        let of_fault = |_| match outcome.verdict {
            Verdict::Wrong => Settlement::FalseAlarm,
            Verdict::Right | Verdict::OtherFault | Verdict::NotChecked => Settlement::LeftAsItIs,
        };
        self.fault.as_ref().map(of_fault)
    }
}

#[cfg(test)]
mod tests;
