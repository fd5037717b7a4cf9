//! The decision to dial, and the attempt that it makes.

use super::call::Running;
use super::{Changes, Situation, SituationError};
use crate::appointment::Slot;
use crate::call_result::CallResult;
use crate::call_rules::{ContactFacts, Decision, HoldReason, REMEMBERED, decide};
use crate::consent::{Consent, Subject};
use crate::contact::{AttemptState, ContactAttempt, ContactPhase, Direction};
use crate::finding::FindingState;
use crate::household::{Household, Person};
use crate::id::{AttemptId, PersonId, TicketId};
use crate::release::{Release, Tally};
use crate::site::ServicePoint;
use crate::ticket::{HUB, ServiceTicket, TicketEvent, TicketFault};
use crate::working_hours::WorkingHours;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// Calls to one household are counted over this time; a little more than the plan's 24 hours.
pub const CALLS_COUNTED: SignedDuration = SignedDuration::from_hours(48);

/// Open tickets of a caller that are looked through, the newest.
pub const TICKETS_MAX: usize = 500;

/// The household that would be rung.
#[derive(Debug, Clone, PartialEq)]
pub struct Home<'a> {
    /// The household.
    pub household: &'a Household,
    /// Calls with any of its persons, for whichever ticket: those that are up, and those that started within [`CALLS_COUNTED`] or
    /// ended within [`REMEMBERED`]. So a household of several is rung no more often than one person.
    pub calls: Vec<PastCall>,
}

/// A call as the decision looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PastCall {
    /// Who rang whom.
    pub direction: Direction,
    /// When its attempt was committed.
    pub started_at: Timestamp,
    /// Something rang, or it was answered.
    pub rang: bool,
    /// When it ended; none while it is up.
    pub ended_at: Option<Timestamp>,
    /// What the network said.
    pub result: Option<CallResult>,
}

impl PastCall {
    /// Whether it uses up a place in the caps: from the first sign of ringing on, or where the owner's line has spoken for itself.
    /// What failed before, on the trunk or in our own house, is no attempt. One that is under way may ring at any moment.
    pub fn counts(&self) -> bool {
        self.rang || self.result.is_none_or(CallResult::is_of_the_owner)
    }
}

impl From<&ContactAttempt> for PastCall {
    fn from(attempt: &ContactAttempt) -> Self {
        Self {
            direction: attempt.direction,
            started_at: attempt.started_at,
            rang: attempt.rang_at.is_some(),
            ended_at: attempt.ended_at,
            result: attempt.result,
        }
    }
}

/// What was decided about a ticket whose contact is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dial<Order = ()> {
    /// It may be rung: [`Situation::place`] makes the attempt. `Order` is what the caller is handed for it.
    Ring(Order),
    /// Looked at again then.
    Waits {
        /// Time from which it is looked at again.
        until: Timestamp,
        /// The reason, as it stands on the ticket.
        reason: HoldReason,
    },
    /// A person decides.
    Held(HoldReason),
    /// Somebody acted on the ticket meanwhile: nothing to do.
    Settled,
}

impl Dial {
    /// Why nobody is rung, for a caller who would be handed an order; `None` if the attempt is to be made.
    pub fn refusal<Order>(self) -> Option<Dial<Order>> {
        match self {
            Dial::Ring(()) => None,
            Dial::Waits { until, reason } => Some(Dial::Waits { until, reason }),
            Dial::Held(reason) => Some(Dial::Held(reason)),
            Dial::Settled => Some(Dial::Settled),
        }
    }
}

/// What an attempt is made with.
#[derive(Debug, Clone, PartialEq)]
pub struct Placing {
    /// Its id.
    pub id: AttemptId,
    /// The person at the other end.
    pub owner: PersonId,
    /// Who rings whom.
    pub direction: Direction,
    /// The slot that key 1 books; one that is the ticket's own visit is not offered again.
    pub offered: Option<Slot>,
    /// Service point of the appliance, whose slot it is.
    pub service_point: Option<ServicePoint>,
    /// The household's time zone.
    pub zone: Option<TimeZone>,
}

impl Situation {
    /// Decides about a ticket whose contact is due, by [`decide`], for the person whom [`Household::to_ring`] names, and notes on the ticket
    /// why nobody is rung, if so. `for_ticket` are the calls that were made for it, oldest first, and `tally` is what people made of what
    /// it predicts ([`Situation::predicted`]).
    ///
    /// # Errors
    ///
    /// [`SituationError::Missing`] if ticket or finding are not of this situation.
    pub fn dial(
        &mut self,
        id: TicketId,
        home: Option<&Home<'_>>,
        for_ticket: &[PastCall],
        tally: Tally,
        now: Timestamp,
        changes: &mut Changes,
    ) -> Result<Dial, SituationError> {
        let ticket = self.ticket(id)?;
        if ticket.contact.phase != ContactPhase::Planned {
            return Ok(Dial::Settled);
        }
        let decision = match &ticket.fault {
            None => Decision::Person(HoldReason::NothingToSay),
            Some(fault) => {
                let facts = self.facts(ticket, fault, home, for_ticket, tally, now)?;
                decide(&self.rules, &facts, now)
            }
        };
        let dial = match decision {
            Decision::Ring => return Ok(Dial::Ring(())),
            Decision::Wait { until, reason } => Dial::Waits { until, reason },
            Decision::Person(reason) => Dial::Held(reason),
        };
        let event = match dial {
            Dial::Waits { until, reason } => TicketEvent::Waits { until, reason },
            Dial::Held(reason) => TicketEvent::Held { reason },
            Dial::Ring(()) | Dial::Settled => return Ok(dial),
        };
        self.act(id, &event, HUB, now, changes)?;
        Ok(dial)
    }

    /// Makes the attempt and moves the ticket.
    ///
    /// # Errors
    ///
    /// The ticket refuses it: it is not planned, or in a call.
    pub fn place(
        &mut self,
        id: TicketId,
        placing: Placing,
        now: Timestamp,
        changes: &mut Changes,
    ) -> Result<ContactAttempt, SituationError> {
        let ticket = self.ticket(id)?;
        let own = ticket.standing_visit().map(|visit| visit.slot);
        let offered = placing.offered.filter(|slot| own != Some(*slot));
        let is_inbound = placing.direction == Direction::Inbound;
        let hours = WorkingHours {
            point: placing.service_point.as_ref(),
            rules: &self.rules,
            zone: placing.zone.as_ref(),
        };
        let attempt = ContactAttempt {
            id: placing.id,
            tenant: ticket.tenant.clone(),
            ticket: id,
            owner: placing.owner,
            direction: placing.direction,
            state: AttemptState::Dialling,
            started_at: now,
            rang_at: None,
            ended_at: None,
            result: None,
            disposition: None,
            requested_by: ticket.contact.requested_by.clone().filter(|_| !is_inbound),
            offered,
            rings_by: Some(hours.rings_by(now)),
            detail: None,
            trace: ticket.trace,
        };
        changes.make(attempt.id.0);
        let running = Running {
            attempt: attempt.clone(),
            service_point: placing
                .service_point
                .filter(|_| offered.is_some())
                .map(|point| point.id),
        };
        self.put_attempt(running, changes);
        let started = TicketEvent::AttemptStarted {
            attempt: attempt.id,
            inbound: is_inbound,
        };
        self.act(id, &started, HUB, now, changes)?;
        Ok(attempt)
    }

    fn facts(
        &self,
        ticket: &ServiceTicket,
        fault: &TicketFault,
        home: Option<&Home<'_>>,
        for_ticket: &[PastCall],
        tally: Tally,
        now: Timestamp,
    ) -> Result<ContactFacts, SituationError> {
        let finding = self.finding(fault.finding)?;
        let outbound = || for_ticket.iter().filter(|call| call.direction == Direction::Outbound);
        let when = |call: &PastCall| (call.ended_at.unwrap_or(call.started_at), call.result);
        let unrung = outbound().rev().take_while(|call| !call.counts());
        let unrung: Vec<_> = unrung.filter_map(|call| Some((when(call).0, call.result?))).collect();
        let tried_since_asked = ticket.contact.was_tried_since_asked();
        // One that rang and failed then is what the person asked for.
        let has_rung_since = tried_since_asked && unrung.is_empty();
        let calls = home.map_or(&[][..], |home| &home.calls);
        let person = home.and_then(|home| home.household.to_ring(Subject::SERVICE_CALLS));
        let number = person.and_then(Person::number);
        let rung = calls
            .iter()
            .filter(|call| call.direction == Direction::Outbound && call.counts());
        Ok(ContactFacts {
            finding_open: finding.state == FindingState::Open,
            probability: finding.prediction.probability,
            released: Release::of(finding, tally).is_released(),
            approved: ticket.contact.approved_by.is_some(),
            withheld: self.withheld(&finding.prediction, now),
            surges: self.gate_of(&finding.prediction).is_some_and(|gate| gate.surges(now)),
            ticket_open: ticket.contact.phase == ContactPhase::Planned,
            owner_known: number.is_some(),
            consent: person.map_or(Consent::NeverGiven, |person| person.consent(Subject::SERVICE_CALLS)),
            do_not_call: number.is_some_and(|number| number.do_not_call),
            zone: home.and_then(|home| TimeZone::get(&home.household.zone).ok()),
            attempts: outbound().filter(|call| call.counts()).map(when).collect(),
            unrung,
            to_household: rung
                .filter(|call| call.ended_at.is_none() || call.started_at > now - CALLS_COUNTED)
                .map(|call| call.started_at)
                .collect(),
            declined_elsewhere: said(calls, CallResult::Declined, now).next().is_some(),
            unknown_elsewhere: was_cut_off(calls, now),
            in_call: calls.iter().any(|call| call.ended_at.is_none()),
            requested_by_person: ticket.contact.requested_by.is_some() && !has_rung_since,
            tried_since_asked,
        })
    }
}

/// The calls to a household, within [`REMEMBERED`], that ended so.
fn said(calls: &[PastCall], result: CallResult, now: Timestamp) -> impl Iterator<Item = &PastCall> {
    calls.iter().filter(move |call| {
        let is_recent = call.ended_at.is_some_and(|at| at > now - REMEMBERED);
        is_recent && call.direction == Direction::Outbound && call.result == Some(result)
    })
}

/// Whether a call to them was cut off that no answered call, in either direction, has followed.
fn was_cut_off(calls: &[PastCall], now: Timestamp) -> bool {
    let answered = calls.iter().filter(|call| call.result == Some(CallResult::Answered));
    let answered_last = answered.filter_map(|call| call.ended_at).max();
    said(calls, CallResult::Unknown, now).any(|call| call.ended_at >= answered_last)
}
