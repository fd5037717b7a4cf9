//! Tickets: lists, the whole story of one, and the events that change it.

use crate::error::{Result, StoreError};
use crate::page::Page;
use crate::site::{ApplianceView, OwnerView};
use async_trait::async_trait;
use hub_core::actor::Actor;
use hub_core::appointment::Slot;
use hub_core::contact::ContactAttempt;
use hub_core::finding::Finding;
use hub_core::id::{ApplianceId, TicketId};
use hub_core::release::Release;
use hub_core::site::{Localised, ServicePoint};
use hub_core::ticket::{ServiceTicket, TicketCategory, TicketEvent, TicketKind, TicketLabels};
use jiff::Timestamp;
use serde::Serialize;

/// One line of a ticket's timeline.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TimelineEntry {
    /// Time.
    pub at: Timestamp,
    /// Who: a log-in name, or `hub`.
    pub actor: String,
    /// Event.
    pub event: TicketEvent,
}

/// A ticket in a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TicketSummary {
    /// The ticket.
    pub ticket: ServiceTicket,
    /// Its appliance.
    pub appliance: ApplianceView,
    /// Name of its label.
    pub label: Localised,
    /// Calibrated probability of its finding, if it has one.
    pub probability: Option<f32>,
}

/// Everything that a person needs to act on a ticket.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TicketView {
    /// The ticket.
    pub ticket: ServiceTicket,
    /// The appliance.
    pub appliance: ApplianceView,
    /// Who; the number serialises masked.
    pub owner: Option<OwnerView>,
    /// Finding that it was opened for, if it was.
    pub finding: Option<Finding>,
    /// Where such predictions stand on their way to calls that nobody approves; none without a finding.
    pub release: Option<Release>,
    /// Labels of its tenant.
    pub labels: TicketLabels,
    /// Who comes, with its slots.
    pub service_point: Option<ServicePoint>,
    /// The next free slot of that service point.
    pub next_slot: Option<Slot>,
    /// Attempts, oldest first; none for an actor who may not read calls.
    pub attempts: Vec<ContactAttempt>,
    /// What happened, oldest first.
    pub timeline: Vec<TimelineEntry>,
}

/// The tickets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TicketFilter {
    /// Only this category.
    pub category: Option<TicketCategory>,
    /// Only this kind.
    pub kind: Option<TicketKind>,
    /// Only this label.
    pub label: Option<String>,
    /// Only those of this log-in name.
    pub assignee: Option<String>,
    /// Only those that are not closed and on which a promise stands, the first due first: what is overdue leads the list.
    pub promised: bool,
    /// Only those that are ready to ring once a person approves, the longest waiting first
    /// ([`hub_core::contact::ContactThread::waits_for_approval`]).
    pub ready_to_ring: bool,
}

/// The cursor of a page that ends with this ticket.
pub fn cursor(filter: &TicketFilter, ticket: &ServiceTicket) -> String {
    match &ticket.promise {
        Some(promise) if filter.promised => format!("{}.{}", promise.by.as_microsecond(), ticket.id),
        _ => ticket.id.to_string(),
    }
}

/// Place in a list of promises behind which a page begins: time and ticket of the promise before it.
///
/// # Errors
///
/// A cursor that nobody gave out.
pub fn place(after: Option<&str>) -> Result<Option<(Timestamp, TicketId)>> {
    let Some(text) = after else { return Ok(None) };
    let read = || {
        let (by, id) = text.split_once('.')?;
        let by = Timestamp::from_microsecond(by.parse().ok()?).ok()?;
        Some((by, id.parse().ok()?))
    };
    let place = read().ok_or_else(|| StoreError::NotFound {
        what: "page after",
        id: text.to_owned(),
    })?;
    Ok(Some(place))
}

/// Tickets.
#[async_trait]
pub trait TicketStore: Send + Sync {
    /// Tickets, newest first; with [`TicketFilter::promised`], by the times of their promises, else with
    /// [`TicketFilter::ready_to_ring`], oldest first.
    async fn tickets(
        &self,
        actor: &Actor,
        filter: &TicketFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<TicketSummary>>;

    /// The whole story of one; `now` is when the next free slot is asked for.
    async fn ticket(&self, actor: &Actor, id: TicketId, now: Timestamp) -> Result<TicketView>;

    /// Opens a ticket of an appliance that no finding speaks of, with what is wanted, by
    /// [`hub_core::situation::Situation::report`]. A `Conflict` if enough is open on the appliance.
    async fn open_ticket(
        &self,
        actor: &Actor,
        appliance: ApplianceId,
        kind: TicketKind,
        note: &str,
        now: Timestamp,
    ) -> Result<ServiceTicket>;

    /// Applies an event by [`ServiceTicket::apply`] and saves ticket, timeline, actions and event in one transaction.
    /// A visit that is booked or moved is a `Conflict` if its slot is not offered or has no place left.
    async fn apply_ticket(
        &self,
        actor: &Actor,
        id: TicketId,
        event: &TicketEvent,
        now: Timestamp,
    ) -> Result<ServiceTicket>;
}
