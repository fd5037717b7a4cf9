//! Contacts: the step that dials, and what becomes of an attempt.

use super::state::State;
use super::{MemoryStore, cursor, not_found, page};
use crate::contact::{Begun, ContactStore, DialOrder, DueContact, Greeting, RangIn, attempt_id};
use crate::error::Result;
use crate::page::Page;
use crate::site::OwnerView;
use async_trait::async_trait;
use hub_core::actor::{Act, Actor};
use hub_core::call_rules::HoldReason;
use hub_core::contact::{AttemptEvent, AttemptState, ContactAttempt, ContactPhase, Direction};
use hub_core::id::{ApplianceId, AttemptId, HouseholdId, TenantId, TicketId};
use hub_core::phone_number::PhoneNumber;
use hub_core::release::Tally;
use hub_core::situation::{Changes, Home, Keyed, PastCall, Placing, Situation, for_caller, is_in_call};
use hub_core::ticket::ServiceTicket;
use jiff::Timestamp;
use jiff::tz::TimeZone;
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
            .filter(|(due, ticket)| {
                let waits = ticket.contact.reason == Some(HoldReason::NoTrunk);
                *due <= now || waits && state.trunks.contains_key(&ticket.tenant)
            })
            .collect();
        due.sort_unstable_by_key(|(due, ticket)| (*due, ticket.id));
        let contact = |(due, ticket): (Timestamp, &ServiceTicket)| DueContact {
            ticket: ticket.id,
            tenant: ticket.tenant.clone(),
            trace: ticket.trace,
            waited_for_trunk: due > now,
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
    ) -> Result<RangIn> {
        self.check_lease()?;
        let rang_in = self.state().begin_inbound(tenant, caller, now, random)?;
        if let RangIn::Order(_) = rang_in {
            self.changed();
        }
        Ok(rang_in)
    }

    async fn greeting(&self, tenant: &TenantId, now: Timestamp) -> Result<Option<Greeting>> {
        let state = self.state();
        let Ok(known) = state.tenant(tenant) else {
            return Ok(None);
        };
        let mut points = state.service_points.iter();
        let point = points.find(|((of, _), _)| of == tenant).map(|(_, point)| point);
        Ok(Some(Greeting::new(known.brand.clone(), point, &known.call_rules, now)))
    }

    async fn name_by_keys(
        &self,
        tenant: &TenantId,
        figures: &str,
        rings_by: Timestamp,
        now: Timestamp,
    ) -> Result<bool> {
        self.check_lease()?;
        let is_named = self.state().name_by_keys(tenant, figures, rings_by, now)?;
        if is_named {
            self.changed();
        }
        Ok(is_named)
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
        let predicted = situation.predicted(situation.ticket(ticket)?);
        let tally = predicted.map_or_else(Tally::default, |of| self.tally(&situation.tenant, &of));
        let mut changes = Changes::default();
        let dial = situation.dial(ticket, home.as_ref(), &past, tally, now, &mut changes)?;
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
    ) -> Result<RangIn> {
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
        let mut changes = Changes::default();
        let (situation, ticket) = match for_caller(&theirs, now).map(|ticket| ticket.id) {
            Some(ticket) => (self.situation_of(ticket, now)?, ticket),
            None if is_in_call(&theirs) => return Ok(RangIn::InCall),
            None => {
                let mut appliances = self.appliances.values();
                let Some(own) = appliances.find(|appliance| appliance.household.is_some_and(rings)) else {
                    return Ok(RangIn::Unknown);
                };
                let mut situation = self.situation(own.id, now)?;
                let ticket = self.with_ids(|ids| situation.open_for_caller(ids, now, &mut changes))?;
                (situation, ticket)
            }
        };
        let household = self.household_of(self.appliance(situation.appliance)?)?;
        let Some(owner) = household.and_then(|household| OwnerView::who_calls(household, caller)) else {
            return Ok(RangIn::Unknown);
        };
        let call = Call {
            ticket,
            owner,
            direction: Direction::Inbound,
            id: attempt_id(now, &random),
        };
        let order = self.place(situation, call, now, &mut changes)?;
        self.save(changes)?;
        Ok(RangIn::Order(Box::new(order)))
    }

    fn name_by_keys(&mut self, tenant: &TenantId, figures: &str, rings_by: Timestamp, now: Timestamp) -> Result<bool> {
        let keyed = Keyed::read(figures);
        let (appliance, ticket) = match (self.by_serial(tenant, keyed.serial), keyed.ticket) {
            (Some(appliance), _) => (appliance, None),
            (None, Some(number)) => {
                let mut open = self.tickets.values().filter(|ticket| !ticket.is_closed());
                let Some(ticket) = open.find(|ticket| ticket.tenant == *tenant && ticket.number == number) else {
                    return Ok(false);
                };
                (ticket.appliance, Some(ticket.id))
            }
            (None, None) => return Ok(false),
        };
        let household = self.household_of(self.appliance(appliance)?)?;
        if !household.is_some_and(|household| household.can_be_rung()) {
            return Ok(false);
        }
        let (mut situation, mut changes) = (self.situation(appliance, now)?, Changes::default());
        self.with_ids(|ids| situation.named(ticket, rings_by, ids, now, &mut changes))?;
        self.save(changes)?;
        Ok(true)
    }

    /// The one appliance whose serial number has these figures.
    fn by_serial(&self, tenant: &TenantId, figures: Option<&str>) -> Option<ApplianceId> {
        let figures = figures?;
        let has = |device: &str| device.chars().filter(char::is_ascii_digit).eq(figures.chars());
        let own = self.appliances.values().filter(|appliance| appliance.tenant == *tenant);
        let mut named = own.filter(|appliance| has(appliance.device.as_str()));
        let one = named.next()?;
        named.next().is_none().then_some(one.id)
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
            service_point: point.cloned(),
            zone: TimeZone::get(&call.owner.zone).ok(),
        };
        let attempt = situation.place(call.ticket, placing, now, changes)?;
        let ticket = situation.ticket(call.ticket)?;
        let about = ticket.fault.as_ref().map(|fault| fault.finding);
        let tenant = self.tenant(&situation.tenant)?;
        Ok(DialOrder {
            attempt,
            owner: call.owner,
            finding: about.map(|finding| situation.finding(finding).cloned()).transpose()?,
            visit: ticket.visit_ahead(now).map(|visit| visit.slot),
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
