//! Contacts: the step that dials, and what becomes of an attempt.

use super::state::State;
use super::{MemoryStore, cursor, not_found, page};
use crate::contact::{Begun, ContactStore, DialOrder, DueContact, attempt_id};
use crate::error::Result;
use crate::scope::{Page, Scope};
use crate::site::OwnerView;
use async_trait::async_trait;
use hub_core::consent::Consent;
use hub_core::contact::{AttemptEvent, AttemptState, ContactAttempt, Direction};
use hub_core::contact_plan::{ContactFacts, Decision, HoldReason, decide};
use hub_core::finding::FindingState;
use hub_core::id::{AttemptId, TenantId, TicketId};
use hub_core::phone_number::PhoneNumber;
use hub_core::ticket::{HUB, ServiceTicket, TicketEvent, TicketState};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::time::Duration;
use uuid::Uuid;

#[async_trait]
impl ContactStore for MemoryStore {
    async fn contacts_due(&self, now: Timestamp, limit: usize) -> Result<Vec<DueContact>> {
        let state = self.state();
        let planned = state
            .tickets
            .values()
            .filter(|ticket| ticket.state == TicketState::ContactPlanned);
        let mut due: Vec<(Timestamp, &ServiceTicket)> = planned
            .filter_map(|ticket| Some((ticket.contact_due?, ticket)))
            .filter(|(due, _)| *due <= now)
            .collect();
        due.sort_unstable_by_key(|(due, ticket)| (*due, ticket.id));
        let contact = |(_, ticket): (Timestamp, &ServiceTicket)| DueContact {
            ticket: ticket.id,
            tenant: ticket.tenant.clone(),
            trace: ticket.trace,
        };
        Ok(due.into_iter().take(limit).map(contact).collect())
    }

    async fn contact_planned(&self, patience: Duration) {
        self.signals().wait_contact(patience).await;
    }

    async fn begin_attempt(&self, ticket: TicketId, now: Timestamp, random: [u8; 20]) -> Result<Begun> {
        self.check_lease()?;
        let begun = self.state().begin(ticket, now, random)?;
        if begun != Begun::Settled {
            self.changed();
        }
        Ok(begun)
    }

    async fn begin_inbound(
        &self,
        tenant: &TenantId,
        caller: &PhoneNumber,
        now: Timestamp,
        random: [u8; 20],
    ) -> Result<Option<DialOrder>> {
        self.check_lease()?;
        let order = self.state().begin_inbound(tenant, caller, now, random)?;
        if order.is_some() {
            self.changed();
        }
        Ok(order)
    }

    async fn apply_attempt(&self, id: AttemptId, event: AttemptEvent, now: Timestamp) -> Result<ContactAttempt> {
        let attempt = self.state().apply_attempt(id, event, now)?;
        self.changed();
        Ok(attempt)
    }

    async fn recover_attempts(&self, now: Timestamp) -> Result<Vec<ContactAttempt>> {
        self.check_lease()?;
        let mut state = self.state();
        let alive = state
            .attempts
            .values()
            .filter(|(attempt, _)| attempt.state != AttemptState::Ended);
        let cut_off: Vec<AttemptId> = alive.map(|(attempt, _)| attempt.id).collect();
        let recovered = cut_off
            .into_iter()
            .map(|id| state.apply_attempt(id, AttemptEvent::FoundAfterRestart, now))
            .collect();
        drop(state);
        self.changed();
        recovered
    }

    async fn contacts(&self, scope: &Scope, after: Option<&str>, limit: usize) -> Result<Page<ContactAttempt>> {
        let below = cursor::<Uuid>(after)?.map_or(AttemptId(Uuid::max()), AttemptId);
        let state = self.state();
        let attempts = state.attempts.range(..below).rev().map(|(_, (attempt, _))| attempt);
        let seen = attempts.filter(|attempt| scope.includes(&attempt.tenant)).cloned();
        Ok(page(seen, limit, |attempt| attempt.id.to_string()))
    }
}

impl State {
    fn begin(&mut self, ticket: TicketId, now: Timestamp, random: [u8; 20]) -> Result<Begun> {
        let ticket = self.ticket(ticket)?;
        if ticket.state != TicketState::ContactPlanned {
            return Ok(Begun::Settled);
        }
        let owner = self.owner_of(&ticket)?;
        let plan = self.tenant(&ticket.tenant)?.contact_plan.clone();
        let facts = self.contact_facts(&ticket, owner.as_ref(), now)?;
        match (decide(&plan, &facts, now), owner) {
            (Decision::Ring, Some(owner)) => {
                let order = self.place_call(ticket, owner, Direction::Outbound, now, random)?;
                Ok(Begun::Ring(Box::new(order)))
            }
            (Decision::Wait { until, reason }, _) => {
                self.transition(ticket, &TicketEvent::Waits { until, reason }, HUB, now)?;
                Ok(Begun::Waits { until, reason })
            }
            (Decision::Person(reason), _) => self.hold(ticket, reason, now),
            (Decision::Ring, None) => self.hold(ticket, HoldReason::NoOwner, now),
        }
    }

    fn hold(&mut self, ticket: ServiceTicket, reason: HoldReason, now: Timestamp) -> Result<Begun> {
        self.transition(ticket, &TicketEvent::Held { reason }, HUB, now)?;
        Ok(Begun::Held(reason))
    }

    fn owner_of(&self, ticket: &ServiceTicket) -> Result<Option<OwnerView>> {
        let owner = self.appliance(ticket.appliance)?.owner;
        owner.map(|owner| self.owner_view(owner)).transpose()
    }

    fn contact_facts(&self, ticket: &ServiceTicket, owner: Option<&OwnerView>, now: Timestamp) -> Result<ContactFacts> {
        let finding = self.findings.get(&ticket.finding);
        let finding = finding.ok_or_else(|| not_found("finding", ticket.finding))?;
        let attempts = self.attempts_of(ticket.id).into_iter();
        let said = owner.map(|owner| self.said_lately(owner.id, now)).unwrap_or_default();
        Ok(ContactFacts {
            finding_open: finding.state == FindingState::Open,
            probability: finding.prediction.probability,
            ticket_open: ticket.state == TicketState::ContactPlanned,
            owner_known: owner.is_some_and(|owner| owner.phone.is_some()),
            consent: owner.map_or(Consent::NeverGiven, |owner| owner.consent),
            do_not_call: owner.is_some_and(|owner| owner.do_not_call),
            zone: owner.and_then(|owner| TimeZone::get(&owner.zone).ok()),
            attempts: attempts
                .filter(|attempt| attempt.direction == Direction::Outbound)
                .map(|attempt| (attempt.ended_at.unwrap_or(attempt.started_at), attempt.result))
                .collect(),
            to_person: said.rung,
            declined_elsewhere: said.declined,
            unknown_elsewhere: said.unknown,
            in_call: said.in_call,
            requested_by_person: ticket.call_requested_by.is_some(),
        })
    }

    fn begin_inbound(
        &mut self,
        tenant: &TenantId,
        caller: &PhoneNumber,
        now: Timestamp,
        random: [u8; 20],
    ) -> Result<Option<DialOrder>> {
        let rings = |owner: hub_core::id::OwnerId| {
            let owner = self.owners.get(&owner);
            owner.is_some_and(|owner| owner.tenant == *tenant && owner.phone.as_ref() == Some(caller))
        };
        let theirs = |ticket: &&ServiceTicket| {
            let owner = self
                .appliances
                .get(&ticket.appliance)
                .and_then(|appliance| appliance.owner);
            !matches!(ticket.state, TicketState::Closed | TicketState::Contacting) && owner.is_some_and(rings)
        };
        let open = self.tickets.values().filter(theirs);
        let found = open.max_by_key(|ticket| (ticket.state != TicketState::Appointment, ticket.id));
        let Some(ticket) = found.cloned() else { return Ok(None) };
        let Some(owner) = self.owner_of(&ticket)? else {
            return Ok(None);
        };
        self.place_call(ticket, owner, Direction::Inbound, now, random)
            .map(Some)
    }

    /// Writes the attempt and moves the ticket; everything that a call needs.
    fn place_call(
        &mut self,
        ticket: ServiceTicket,
        owner: OwnerView,
        direction: Direction,
        now: Timestamp,
        random: [u8; 20],
    ) -> Result<DialOrder> {
        let appliance = self.appliance(ticket.appliance)?;
        let appliance = self.view(appliance);
        let point = appliance.service_point.as_deref();
        let point = point.and_then(|point| self.service_point(&ticket.tenant, point));
        let offered = point.and_then(|point| self.next_slot(&ticket.tenant, point, now));
        let attempt = ContactAttempt {
            id: attempt_id(now, &random),
            tenant: ticket.tenant.clone(),
            ticket: ticket.id,
            owner: owner.id,
            direction,
            state: AttemptState::Dialling,
            started_at: now,
            ended_at: None,
            result: None,
            disposition: None,
            requested_by: ticket
                .call_requested_by
                .clone()
                .filter(|_| direction == Direction::Outbound),
            offered,
            detail: None,
            trace: ticket.trace,
        };
        let finding = self.findings.get(&ticket.finding).cloned();
        let finding = finding.ok_or_else(|| not_found("finding", ticket.finding))?;
        let tenant = self.tenant(&ticket.tenant)?;
        let (brand, visit_price) = (tenant.brand.clone(), tenant.visit_price.clone());
        let started = TicketEvent::AttemptStarted {
            attempt: attempt.id,
            inbound: direction == Direction::Inbound,
        };
        self.transition(ticket, &started, HUB, now)?;
        let point = appliance.service_point.clone().filter(|_| offered.is_some());
        self.attempts.insert(attempt.id, (attempt.clone(), point));
        Ok(DialOrder {
            attempt,
            owner,
            appliance,
            finding,
            brand,
            visit_price,
        })
    }
}
