//! Contacts: the step that dials, and what becomes of an attempt.

use super::state::State;
use super::{MemoryStore, cursor, not_found, page};
use crate::contact::{Begun, ContactStore, DialOrder, DueContact, attempt_id};
use crate::error::Result;
use crate::page::Page;
use crate::site::OwnerView;
use async_trait::async_trait;
use hub_core::actor::{Act, Actor};
use hub_core::contact::{AttemptEvent, AttemptState, ContactAttempt, ContactPhase, Direction};
use hub_core::id::{AttemptId, HouseholdId, TenantId, TicketId};
use hub_core::phone_number::PhoneNumber;
use hub_core::situation::{Changes, Home, PastCall, Placing, Situation, for_caller};
use hub_core::ticket::ServiceTicket;
use jiff::Timestamp;
use std::time::Duration;
use uuid::Uuid;

#[async_trait]
impl ContactStore for MemoryStore {
    async fn contacts_due(&self, not_of: &[TenantId], now: Timestamp, limit: usize) -> Result<Vec<DueContact>> {
        let state = self.state();
        let planned = state
            .tickets
            .values()
            .filter(|ticket| ticket.contact.phase == ContactPhase::Planned && !not_of.contains(&ticket.tenant));
        let mut due: Vec<(Timestamp, &ServiceTicket)> = planned
            .filter_map(|ticket| Some((ticket.contact.due?, ticket)))
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
        let attempt = self.state().call_event(id, event, now)?;
        self.changed();
        Ok(attempt)
    }

    async fn recover_attempts(&self, now: Timestamp) -> Result<Vec<ContactAttempt>> {
        self.check_lease()?;
        let mut state = self.state();
        let attempts = state.attempts.values().map(|running| &running.attempt);
        let alive = attempts.filter(|attempt| attempt.state != AttemptState::Ended);
        let cut_off: Vec<AttemptId> = alive.map(|attempt| attempt.id).collect();
        let recovered = cut_off
            .into_iter()
            .map(|id| state.call_event(id, AttemptEvent::FoundAfterRestart, now))
            .collect();
        drop(state);
        self.changed();
        recovered
    }

    async fn contacts(&self, actor: &Actor, after: Option<&str>, limit: usize) -> Result<Page<ContactAttempt>> {
        actor.may(Act::ReadCalls)?;
        let below = cursor::<Uuid>(after)?.map_or(AttemptId(Uuid::max()), AttemptId);
        let state = self.state();
        let attempts = state.attempts.range(..below).rev().map(|(_, running)| &running.attempt);
        let seen = attempts
            .filter(|attempt| state.reaches_ticket(actor, attempt.ticket))
            .cloned();
        Ok(page(seen, limit, |attempt| attempt.id.to_string()))
    }
}

impl State {
    fn begin(&mut self, ticket: TicketId, now: Timestamp, random: [u8; 20]) -> Result<Begun> {
        let mut situation = self.situation_of(ticket, now)?;
        let household = self.household_of(self.appliance(situation.appliance)?)?;
        let home = household.as_ref().map(|household| Home {
            household,
            calls: self.calls_with(household),
        });
        let past: Vec<PastCall> = self.attempts_of(ticket).iter().map(PastCall::from).collect();
        let mut changes = Changes::default();
        let dial = situation.dial(ticket, home.as_ref(), &past, now, &mut changes)?;
        let owner = household.and_then(OwnerView::to_ring);
        let begun = match (dial.refusal(), owner) {
            (Some(Begun::Settled), _) => return Ok(Begun::Settled),
            (Some(refusal), _) => refusal,
            (None, None) => return Err(not_found("owner of appliance", situation.appliance)),
            (None, Some(owner)) => {
                let call = Call {
                    ticket,
                    owner,
                    direction: Direction::Outbound,
                    id: attempt_id(now, &random),
                };
                Begun::Ring(Box::new(self.place(situation, call, now, &mut changes)?))
            }
        };
        self.save(changes)?;
        Ok(begun)
    }

    fn begin_inbound(
        &mut self,
        tenant: &TenantId,
        caller: &PhoneNumber,
        now: Timestamp,
        random: [u8; 20],
    ) -> Result<Option<DialOrder>> {
        let rings = |household: HouseholdId| {
            let known = self.households.get(&household);
            known.filter(|known| known.tenant == *tenant).is_some_and(|known| {
                let mut numbers = known.persons.iter().flat_map(|person| &person.numbers);
                numbers.any(|number| number == caller)
            })
        };
        let is_theirs = |ticket: &&ServiceTicket| {
            let appliance = self.appliances.get(&ticket.appliance);
            appliance.and_then(|appliance| appliance.household).is_some_and(rings)
        };
        let theirs: Vec<ServiceTicket> = self.tickets.values().filter(is_theirs).cloned().collect();
        let Some(ticket) = for_caller(&theirs).map(|ticket| ticket.id) else {
            return Ok(None);
        };
        let situation = self.situation_of(ticket, now)?;
        let household = self.household_of(self.appliance(situation.appliance)?)?;
        let Some(owner) = household.and_then(|household| OwnerView::who_calls(household, caller)) else {
            return Ok(None);
        };
        let call = Call {
            ticket,
            owner,
            direction: Direction::Inbound,
            id: attempt_id(now, &random),
        };
        let mut changes = Changes::default();
        let order = self.place(situation, call, now, &mut changes)?;
        self.save(changes)?;
        Ok(Some(order))
    }

    /// Makes the attempt, with everything that its call needs.
    fn place(&self, mut situation: Situation, call: Call, now: Timestamp, changes: &mut Changes) -> Result<DialOrder> {
        let appliance = self.view(self.appliance(situation.appliance)?);
        let point = appliance.service_point.as_deref();
        let point = point.and_then(|point| self.service_point(&situation.tenant, point));
        let placing = Placing {
            id: call.id,
            owner: call.owner.id,
            direction: call.direction,
            offered: point.and_then(|point| self.next_slot(&situation.tenant, point, now)),
            service_point: appliance.service_point.clone(),
        };
        let attempt = situation.place(call.ticket, placing, now, changes)?;
        let about = situation.fault_of(call.ticket)?.finding;
        let tenant = self.tenant(&situation.tenant)?;
        Ok(DialOrder {
            attempt,
            owner: call.owner,
            finding: situation.finding(about)?.clone(),
            appliance,
            brand: tenant.brand.clone(),
            visit_price: tenant.visit_price.clone(),
        })
    }

    fn call_event(&mut self, id: AttemptId, event: AttemptEvent, now: Timestamp) -> Result<ContactAttempt> {
        let mut changes = Changes::default();
        let attempt = self.situation_in(id, now)?.call_event(id, event, now, &mut changes)?;
        self.save(changes)?;
        Ok(attempt)
    }
}

/// A call that is placed.
struct Call {
    ticket: TicketId,
    owner: OwnerView,
    direction: Direction,
    id: AttemptId,
}
