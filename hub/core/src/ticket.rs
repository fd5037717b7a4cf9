//! The service ticket: opened once for a finding, closed once with an outcome, and in between every step is an event.

use crate::appointment::{Appointment, Slot};
use crate::call_result::{CallResult, Disposition};
use crate::call_rules::HoldReason;
use crate::id::{ApplianceId, FindingId, TenantId, TicketId, TraceId};
use crate::outcome::Outcome;
use crate::prediction::Severity;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

mod event;
mod refusal;
mod state;
mod visit;

pub use event::{Settlement, TicketAction, TicketEvent};
pub use refusal::TicketError;
pub use state::{TicketCategory, TicketState};

/// A service ticket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceTicket {
    /// Id of the ticket.
    pub id: TicketId,
    /// Counts up within the tenant: what people say to each other.
    pub number: i64,
    /// Tenant that owns the ticket.
    pub tenant: TenantId,
    /// The appliance.
    pub appliance: ApplianceId,
    /// Finding that it was opened for.
    pub finding: FindingId,
    /// Fault class of the finding, repeated here because one open ticket per (appliance, class) is held by an index.
    pub fault_class: String,
    /// How bad it gets.
    pub severity: Severity,
    /// Where it stands.
    pub state: TicketState,
    /// Log-in name of the person who has it.
    pub assignee: Option<String>,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// When the contact worker looks next.
    pub contact_due: Option<Timestamp>,
    /// Log-in name of the person who pressed "call now", until that call has been placed or refused.
    pub call_requested_by: Option<String>,
    /// Why nobody was rung, if so.
    pub held: Option<HoldReason>,
    /// The newest visit, whatever has become of it.
    pub appointment: Option<Appointment>,
    /// The end.
    pub outcome: Option<Outcome>,
    /// From the reading to the call.
    pub trace: TraceId,
}

/// Newest lines of a timeline that are shown.
pub const TIMELINE_MAX: usize = 1_000;

/// `actor` of events that no person caused.
pub const HUB: &str = "hub";

impl ServiceTicket {
    /// Applies an event that `actor` caused (a log-in name, or [`HUB`]).
    pub fn apply(
        mut self,
        event: &TicketEvent,
        actor: &str,
        now: Timestamp,
    ) -> Result<(Self, Vec<TicketAction>), TicketError> {
        // What the hub learns late of a closed ticket changes nothing, and a call that ends after a person closed the
        // ticket still ends. Whatever else is tried on a closed ticket is an error that a person sees.
        if self.state == TicketState::Closed {
            return match event {
                TicketEvent::FindingCleared
                | TicketEvent::FindingGrew { .. }
                | TicketEvent::Chose { .. }
                | TicketEvent::AttemptEnded { .. } => Ok((self, vec![])),
                _ => Err(TicketError::Closed(self.number)),
            };
        }
        let actions = match event {
            TicketEvent::Opened { contact_due } => self.plan(*contact_due),
            TicketEvent::FindingGrew {
                fault_class, severity, ..
            } => self.grow(fault_class, *severity, now),
            // Not called any more (the stale guard sees to it); a person still looks at what happened.
            TicketEvent::FindingCleared => vec![],
            TicketEvent::Waits { until, reason } => self.wait(*until, *reason)?,
            TicketEvent::Held { reason } => self.hold_if_planned(*reason)?,
            TicketEvent::AttemptStarted { inbound, .. } => self.start_attempt(*inbound)?,
            TicketEvent::Chose {
                disposition,
                slot,
                service_point,
                ..
            } => self.choose(*disposition, *slot, service_point.as_deref(), now),
            TicketEvent::AttemptEnded {
                inbound,
                result,
                disposition,
                contact_due,
                ..
            } => self.end_attempt(*inbound, *result, *disposition, *contact_due),
            TicketEvent::Taken => {
                self.assignee = Some(actor.to_owned());
                vec![]
            }
            TicketEvent::CallRequested => self.request_call(actor, now)?,
            TicketEvent::Booked { slot, service_point } => self.book(*slot, service_point, actor, now)?,
            TicketEvent::Visit(event) => self.visit(event, actor, now)?,
            TicketEvent::Closed { outcome } => self.close(outcome, actor, now)?,
        };
        Ok((self, actions))
    }

    fn plan(&mut self, due: Timestamp) -> Vec<TicketAction> {
        self.state = TicketState::ContactPlanned;
        self.contact_due = Some(due);
        vec![TicketAction::LookAt(due)]
    }

    fn wait(&mut self, until: Timestamp, reason: HoldReason) -> Result<Vec<TicketAction>, TicketError> {
        self.check_planned()?;
        self.held = Some(reason);
        Ok(self.plan(until))
    }

    /// A visit that is agreed stays agreed when the call that a person asked for cannot be placed.
    fn hold_if_planned(&mut self, reason: HoldReason) -> Result<Vec<TicketAction>, TicketError> {
        self.check_planned()?;
        let actions = self.hold(Some(reason));
        if self.standing_visit().is_some() {
            self.state = TicketState::Appointment;
        }
        Ok(actions)
    }

    /// The contact worker decides only on a ticket that still waits for it: a person may have acted meanwhile.
    fn check_planned(&self) -> Result<(), TicketError> {
        if self.state == TicketState::ContactPlanned {
            Ok(())
        } else {
            Err(TicketError::NotPlanned(self.number))
        }
    }

    fn check_not_in_call(&self) -> Result<(), TicketError> {
        if self.state == TicketState::Contacting {
            Err(TicketError::InCall(self.number))
        } else {
            Ok(())
        }
    }

    fn hold(&mut self, reason: Option<HoldReason>) -> Vec<TicketAction> {
        self.state = TicketState::PersonNeeded;
        self.held = reason;
        self.contact_due = None;
        self.call_requested_by = None;
        vec![TicketAction::StopLooking]
    }

    /// More certainty lifts a ticket that was held only because it was below the gate, and a fault that is back lifts
    /// one that was held because it had gone. Whether a call follows is decided when it is due.
    fn grow(&mut self, fault_class: &str, severity: Severity, now: Timestamp) -> Vec<TicketAction> {
        self.fault_class = fault_class.to_owned();
        self.severity = self.severity.max(severity);
        if self.state == TicketState::PersonNeeded
            && matches!(self.held, Some(HoldReason::BelowGate | HoldReason::FindingCleared))
            && self.assignee.is_none()
        {
            return self.plan(now);
        }
        vec![]
    }

    /// What the ticket was waiting for is kept while the owner is the caller: an inbound call without a choice changes
    /// nothing.
    fn start_attempt(&mut self, inbound: bool) -> Result<Vec<TicketAction>, TicketError> {
        if inbound {
            self.check_not_in_call()?
        } else {
            self.check_planned()?;
            self.held = None;
            self.contact_due = None;
            self.call_requested_by = None;
        }
        self.state = TicketState::Contacting;
        Ok(vec![TicketAction::StopLooking])
    }

    fn choose(
        &mut self,
        disposition: Disposition,
        slot: Option<Slot>,
        service_point: Option<&str>,
        now: Timestamp,
    ) -> Vec<TicketAction> {
        match (disposition, slot, service_point) {
            (Disposition::AppointmentBooked, Some(slot), Some(point)) => self.agree(slot, point, "owner_by_phone", now),
            (Disposition::DoNotCall, _, _) => self.held = Some(HoldReason::DoNotCall),
            _ => {}
        }
        vec![]
    }

    fn end_attempt(
        &mut self,
        inbound: bool,
        result: CallResult,
        disposition: Option<Disposition>,
        contact_due: Timestamp,
    ) -> Vec<TicketAction> {
        use Disposition as D;
        // An end that is heard twice changes nothing.
        if self.state != TicketState::Contacting {
            return vec![];
        }
        match disposition {
            // A person moves the visit, or speaks with the owner; the visit stands until then.
            Some(D::AnotherTime | D::PersonWanted) => return self.hold(Some(HoldReason::Reached)),
            Some(D::DoNotCall) if self.standing_visit().is_none() => return self.hold(Some(HoldReason::DoNotCall)),
            Some(D::AppointmentBooked) if self.standing_visit().is_some() => self.held = None,
            _ => {}
        }
        // An earlier wish for another time still waits for a person.
        if self.standing_visit().is_some() && self.held != Some(HoldReason::Reached) {
            self.state = TicketState::Appointment;
            self.contact_due = None;
            self.call_requested_by = None;
            return vec![TicketAction::StopLooking];
        }
        if inbound {
            return self.resume(result);
        }
        match result {
            CallResult::Answered => self.hold(Some(HoldReason::Reached)),
            CallResult::Unknown => self.hold(Some(HoldReason::UnknownAttempt)),
            CallResult::Declined => self.hold(Some(HoldReason::Declined)),
            CallResult::InvalidNumber => self.hold(Some(HoldReason::InvalidNumber)),
            CallResult::TrunkRefused => self.hold(Some(HoldReason::TrunkRefused)),
            CallResult::Busy | CallResult::NoAnswer | CallResult::NoAudio | CallResult::NetworkFailure => {
                self.plan(contact_due)
            }
        }
    }

    /// Back to what an inbound call found: a planned call stays planned for when it was due, unless the owner has been
    /// spoken with now; what waited for a person still does. An inbound call never plans an outbound one.
    fn resume(&mut self, result: CallResult) -> Vec<TicketAction> {
        match self.contact_due {
            Some(due) if result != CallResult::Answered => self.plan(due),
            Some(_) => self.hold(Some(HoldReason::Reached)),
            None => self.hold(self.held.or(Some(HoldReason::Reached))),
        }
    }

    fn request_call(&mut self, actor: &str, now: Timestamp) -> Result<Vec<TicketAction>, TicketError> {
        self.check_not_in_call()?;
        self.call_requested_by = Some(actor.to_owned());
        self.held = None;
        Ok(self.plan(now))
    }

    fn close(&mut self, outcome: &Outcome, actor: &str, now: Timestamp) -> Result<Vec<TicketAction>, TicketError> {
        self.check_not_in_call()?;
        outcome.check().map_err(|source| TicketError::Outcome {
            number: self.number,
            source,
        })?;
        let visit = self.end_visit(outcome, actor, now)?;
        let settlement = if outcome.repaired() {
            Settlement::Repaired
        } else if outcome.verdict == crate::outcome::Verdict::Wrong {
            Settlement::FalseAlarm
        } else {
            Settlement::LeftAsItIs
        };
        self.state = TicketState::Closed;
        self.closed_at = Some(now);
        self.held = None;
        self.contact_due = None;
        self.call_requested_by = None;
        self.outcome = Some(outcome.clone());
        let mut actions = vec![TicketAction::StopLooking];
        actions.extend(visit);
        actions.push(TicketAction::SettleFinding(settlement));
        Ok(actions)
    }
}

#[cfg(test)]
mod tests;
