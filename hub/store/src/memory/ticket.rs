//! Tickets: lists, the whole story of one, and the one way in which they change.

use super::state::State;
use super::{MemoryStore, cursor, not_found, page};
use crate::error::Result;
use crate::page::Page;
use crate::site::OwnerView;
use crate::ticket::{TicketFilter, TicketStore, TicketSummary, TicketView, cursor as cursor_of, place};
use async_trait::async_trait;
use hub_core::actor::{Act, Actor};
use hub_core::finding::Finding;
use hub_core::id::{ApplianceId, TenantId, TicketId};
use hub_core::release::{Predicted, Release, Tally};
use hub_core::situation::Changes;
use hub_core::ticket::{ServiceTicket, TIMELINE_MAX, TicketEvent, TicketKind};
use jiff::Timestamp;
use uuid::Uuid;

#[async_trait]
impl TicketStore for MemoryStore {
    async fn tickets(
        &self,
        actor: &Actor,
        filter: &TicketFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<TicketSummary>> {
        actor.may(Act::ReadTickets)?;
        let is_queue = filter.ready_to_ring && !filter.promised;
        let (mut edge, mut behind) = (None, None);
        if filter.promised {
            behind = place(after)?;
        } else {
            edge = cursor::<Uuid>(after)?.map(TicketId);
        }
        let state = self.state();
        let wanted = |ticket: &&ServiceTicket| {
            state.reaches(actor, ticket.appliance)
                && filter
                    .category
                    .is_none_or(|category| ticket.status.category == category)
                && filter.kind.is_none_or(|kind| ticket.kind == kind)
                && filter.label.as_ref().is_none_or(|label| ticket.status.label == *label)
                && (filter.assignee.is_none() || ticket.assignee == filter.assignee)
                && (!filter.promised || !ticket.is_closed() && promised(ticket) > behind)
                && (!filter.ready_to_ring || ticket.contact.waits_for_approval())
                && edge.is_none_or(|edge| if is_queue { ticket.id > edge } else { ticket.id < edge })
        };
        let mut tickets: Vec<&ServiceTicket> = state.tickets.values().filter(wanted).collect();
        if filter.promised {
            tickets.sort_by_key(|ticket| promised(ticket));
        } else if !is_queue {
            tickets.reverse();
        }
        let summaries = tickets.into_iter().filter_map(|ticket| {
            let labels = &state.tenants.get(&ticket.tenant)?.labels;
            let finding = state.finding_of(ticket);
            Some(TicketSummary {
                appliance: state.view(state.appliances.get(&ticket.appliance)?),
                label: labels.name(&ticket.status.label),
                probability: finding.map(|finding| finding.prediction.probability),
                ticket: ticket.clone(),
            })
        });
        Ok(page(summaries, limit, |summary| cursor_of(filter, &summary.ticket)))
    }

    async fn ticket(&self, actor: &Actor, id: TicketId, now: Timestamp) -> Result<TicketView> {
        actor.may(Act::ReadTickets)?;
        let state = self.state();
        let ticket = state.ticket(id)?;
        if !state.reaches(actor, ticket.appliance) {
            return Err(not_found("ticket", id));
        }
        let appliance = state.appliance(ticket.appliance)?;
        let point = appliance.service_point.as_deref();
        let point = point.and_then(|point| state.service_point(&ticket.tenant, point));
        let timeline = state.timelines.get(&id).map_or(&[][..], Vec::as_slice);
        Ok(TicketView {
            appliance: state.view(appliance),
            owner: state
                .household_of(appliance)?
                .and_then(|household| OwnerView::on_ticket(household, actor)),
            finding: state.finding_of(&ticket).cloned(),
            release: state
                .finding_of(&ticket)
                .map(|finding| Release::of(finding, state.tally(&ticket.tenant, &Predicted::of(finding)))),
            labels: state.tenant(&ticket.tenant)?.labels.clone(),
            service_point: point.cloned(),
            next_slot: point.and_then(|point| state.next_slot(&ticket.tenant, point, now)),
            attempts: match actor.may(Act::ReadCalls) {
                Ok(()) => state.attempts_of(id),
                Err(_) => Vec::new(),
            },
            timeline: timeline[timeline.len().saturating_sub(TIMELINE_MAX)..].to_vec(),
            ticket,
        })
    }

    async fn open_ticket(
        &self,
        actor: &Actor,
        appliance: ApplianceId,
        kind: TicketKind,
        note: &str,
        now: Timestamp,
    ) -> Result<ServiceTicket> {
        actor.may(Act::WorkTickets)?;
        let mut state = self.state();
        if !state.reaches(actor, appliance) {
            return Err(not_found("appliance", appliance));
        }
        let mut situation = state.situation(appliance, now)?;
        let mut changes = Changes::default();
        let id = state.with_ids(|ids| situation.report(kind, note, &actor.name, ids, now, &mut changes))?;
        state.save(changes)?;
        let ticket = state.ticket(id)?;
        drop(state);
        self.changed();
        Ok(ticket)
    }

    async fn apply_ticket(
        &self,
        actor: &Actor,
        id: TicketId,
        event: &TicketEvent,
        now: Timestamp,
    ) -> Result<ServiceTicket> {
        actor.may(event.act())?;
        let mut state = self.state();
        let mut situation = state.situation_of(id, now)?;
        if !actor.reaches(&situation.tenant, situation.site.as_deref()) {
            return Err(not_found("ticket", id));
        }
        let ticket = situation.ticket(id)?;
        if let Some((slot, point)) = ticket.slot_wanted(event) {
            state.check_room(ticket, slot, point)?;
        }
        let mut changes = Changes::default();
        let ticket = situation.act(id, event, &actor.name, now, &mut changes)?;
        state.save(changes)?;
        drop(state);
        self.changed();
        Ok(ticket)
    }
}

/// Place of a ticket in a list of promises; none without one.
fn promised(ticket: &ServiceTicket) -> Option<(Timestamp, TicketId)> {
    ticket.promise.as_ref().map(|promise| (promise.by, ticket.id))
}

impl State {
    fn finding_of(&self, ticket: &ServiceTicket) -> Option<&Finding> {
        self.findings.get(&ticket.fault.as_ref()?.finding)
    }

    /// What people made of such predictions.
    pub(super) fn tally(&self, tenant: &TenantId, predicted: &Predicted) -> Tally {
        let of = (tenant.clone(), predicted.clone());
        self.tallies.get(&of).copied().unwrap_or_default()
    }

    pub(super) fn ticket(&self, id: TicketId) -> Result<ServiceTicket> {
        self.tickets.get(&id).cloned().ok_or_else(|| not_found("ticket", id))
    }
}
