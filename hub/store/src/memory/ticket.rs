//! Tickets: lists, the whole story of one, and the one way in which they change.

use super::state::State;
use super::{MemoryStore, cursor, not_found, page};
use crate::error::Result;
use crate::scope::{Page, Scope};
use crate::ticket::{TicketFilter, TicketStore, TicketSummary, TicketView, TimelineEntry};
use async_trait::async_trait;
use hub_core::finding::{COOL_DOWN, FindingState};
use hub_core::id::{ApplianceId, TicketId};
use hub_core::ticket::{ServiceTicket, Settlement, TicketAction, TicketEvent, TicketState};
use jiff::Timestamp;
use uuid::Uuid;

/// Newest lines of a timeline that are shown.
const TIMELINE_MAX: usize = 1_000;

#[async_trait]
impl TicketStore for MemoryStore {
    async fn tickets(
        &self,
        scope: &Scope,
        filter: &TicketFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<TicketSummary>> {
        let below = cursor::<Uuid>(after)?.map_or(TicketId(Uuid::max()), TicketId);
        let state = self.state();
        let wanted = |ticket: &&ServiceTicket| {
            scope.includes(&ticket.tenant)
                && filter
                    .category
                    .is_none_or(|category| ticket.state.category() == category)
                && (filter.assignee.is_none() || ticket.assignee == filter.assignee)
        };
        let tickets = state
            .tickets
            .range(..below)
            .rev()
            .map(|(_, ticket)| ticket)
            .filter(wanted);
        let summaries = tickets.filter_map(|ticket| {
            Some(TicketSummary {
                appliance: state.view(state.appliances.get(&ticket.appliance)?),
                probability: state.findings.get(&ticket.finding)?.prediction.probability,
                ticket: ticket.clone(),
            })
        });
        Ok(page(summaries, limit, |summary| summary.ticket.id.to_string()))
    }

    async fn ticket(&self, scope: &Scope, id: TicketId, now: Timestamp) -> Result<TicketView> {
        let state = self.state();
        let ticket = state.ticket(id)?;
        if !scope.includes(&ticket.tenant) {
            return Err(not_found("ticket", id));
        }
        let appliance = state.appliance(ticket.appliance)?;
        let point = appliance.service_point.as_deref();
        let point = point.and_then(|point| state.service_point(&ticket.tenant, point));
        let timeline = state.timelines.get(&id).map_or(&[][..], Vec::as_slice);
        let finding = state.findings.get(&ticket.finding);
        Ok(TicketView {
            appliance: state.view(appliance),
            owner: appliance.owner.map(|owner| state.owner_view(owner)).transpose()?,
            finding: finding.cloned().ok_or_else(|| not_found("finding", ticket.finding))?,
            service_point: point.cloned(),
            next_slot: point.and_then(|point| state.next_slot(&ticket.tenant, point, now)),
            attempts: state.attempts_of(id),
            timeline: timeline[timeline.len().saturating_sub(TIMELINE_MAX)..].to_vec(),
            ticket,
        })
    }

    async fn apply_ticket(
        &self,
        scope: &Scope,
        id: TicketId,
        event: &TicketEvent,
        actor: &str,
        now: Timestamp,
    ) -> Result<ServiceTicket> {
        let mut state = self.state();
        let ticket = state.ticket(id)?;
        if !scope.includes(&ticket.tenant) {
            return Err(not_found("ticket", id));
        }
        if let TicketEvent::Booked { slot, service_point } = event {
            state.check_room(&ticket, *slot, service_point)?;
        }
        let ticket = state.transition(ticket, event, actor, now)?;
        drop(state);
        self.changed();
        Ok(ticket)
    }
}

impl State {
    pub(super) fn ticket(&self, id: TicketId) -> Result<ServiceTicket> {
        self.tickets.get(&id).cloned().ok_or_else(|| not_found("ticket", id))
    }

    /// The ticket of this fault that is not closed.
    pub(super) fn not_closed(&self, appliance: ApplianceId, fault_class: &str) -> Option<ServiceTicket> {
        let mut open = self
            .tickets
            .values()
            .filter(|ticket| ticket.state != TicketState::Closed);
        open.find(|ticket| ticket.appliance == appliance && ticket.fault_class == fault_class)
            .cloned()
    }

    /// Applies an event and saves all that follows from it; an event that is refused changes nothing.
    pub(super) fn transition(
        &mut self,
        ticket: ServiceTicket,
        event: &TicketEvent,
        actor: &str,
        now: Timestamp,
    ) -> Result<ServiceTicket> {
        let (ticket, actions) = ticket.apply(event, actor, now)?;
        self.tickets.insert(ticket.id, ticket.clone());
        self.timelines.entry(ticket.id).or_default().push(TimelineEntry {
            at: now,
            actor: actor.to_owned(),
            event: event.clone(),
        });
        let told = serde_json::to_value(event).unwrap_or_default();
        let name = told.get("event").and_then(|name| name.as_str()).unwrap_or("changed");
        let kind = format!("ticket.{name}");
        self.tell(&ticket.tenant, &kind, Some(ticket.id), Some(ticket.appliance), now);
        for action in actions {
            self.perform(&ticket, &action, now)?;
        }
        Ok(ticket)
    }

    fn perform(&mut self, ticket: &ServiceTicket, action: &TicketAction, now: Timestamp) -> Result<()> {
        match action {
            // The contact worker's list is `contact_due` of tickets in this state.
            TicketAction::LookAt(_) | TicketAction::StopLooking => {}
            TicketAction::SettleFinding(Settlement::Repaired) => {
                self.settle_findings(ticket, None, now);
                self.restart_baseline(ticket.appliance, now)?;
            }
            TicketAction::SettleFinding(Settlement::FalseAlarm) => {
                self.settle_findings(ticket, Some(now + COOL_DOWN), now);
            }
            // Still open and still this ticket's: what comes of the same fault finds it and opens no other.
            TicketAction::SettleFinding(Settlement::LeftAsItIs) => {}
        }
        Ok(())
    }

    fn settle_findings(&mut self, ticket: &ServiceTicket, quiet_until: Option<Timestamp>, now: Timestamp) {
        let mut settled = false;
        for finding in self.findings.values_mut() {
            if finding.appliance == ticket.appliance
                && (finding.id == ticket.finding || finding.ticket == Some(ticket.id))
            {
                finding.state = FindingState::Cleared;
                finding.suppressed_until = quiet_until.or(finding.suppressed_until);
                settled = true;
            }
        }
        if settled {
            let (id, appliance) = (Some(ticket.id), Some(ticket.appliance));
            self.tell(&ticket.tenant, "finding.cleared", id, appliance, now);
        }
    }
}
