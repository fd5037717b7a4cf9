//! Tickets: in a list, and with their whole story.

use super::{Appliance, Appointment, Contact, Finding, Owner, Slot};
use crate::api::schema;
use hub_core::call_rules::HoldReason;
use hub_core::outcome as core;
use hub_core::prediction::Severity;
use hub_core::ticket::{ServiceTicket, TicketCategory, TicketEvent, TicketState};
use hub_store::ticket as store;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// How a ticket ended.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Outcome {
    /// What was done.
    #[schema(schema_with = schema::words::<core::Resolution>)]
    resolution: core::Resolution,
    /// Whether the prediction was right.
    #[schema(schema_with = schema::words::<core::Verdict>)]
    verdict: core::Verdict,
    /// What was found and done.
    note: String,
}

/// A service ticket.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ticket {
    /// Id of the ticket.
    id: Uuid,
    /// Counts up within the tenant: what people say to each other.
    number: i64,
    /// Tenant that owns the ticket.
    tenant: String,
    /// The appliance.
    appliance: i64,
    /// Finding that it was opened for.
    finding: Uuid,
    /// Fault class of the finding.
    fault_class: String,
    /// How bad it gets.
    #[schema(schema_with = schema::words::<Severity>)]
    severity: Severity,
    /// Where it stands.
    #[schema(schema_with = schema::words::<TicketState>)]
    state: TicketState,
    /// What clocks and counts go by.
    #[schema(schema_with = schema::words::<TicketCategory>)]
    category: TicketCategory,
    /// Log-in name of the person who has it.
    assignee: Option<String>,
    /// When it was opened.
    opened_at: Timestamp,
    /// When it was closed.
    closed_at: Option<Timestamp>,
    /// When the contact worker looks next.
    contact_due: Option<Timestamp>,
    /// Log-in name of the person whose "call now" is still to be placed.
    call_requested_by: Option<String>,
    /// Why nobody was rung, if so: `quiet_hours`, `consent_withdrawn`, `below_gate` …
    #[schema(value_type = Option<String>)]
    held: Option<HoldReason>,
    /// The newest visit, whatever has become of it.
    appointment: Option<Appointment>,
    /// The end.
    outcome: Option<Outcome>,
    /// From the reading to the call.
    trace: Uuid,
}

impl From<ServiceTicket> for Ticket {
    fn from(ticket: ServiceTicket) -> Self {
        Self {
            id: ticket.id.0,
            number: ticket.number,
            tenant: ticket.tenant.into(),
            appliance: ticket.appliance.0,
            finding: ticket.finding.0,
            fault_class: ticket.fault_class,
            severity: ticket.severity,
            state: ticket.state,
            category: ticket.state.category(),
            assignee: ticket.assignee,
            opened_at: ticket.opened_at,
            closed_at: ticket.closed_at,
            contact_due: ticket.contact_due,
            call_requested_by: ticket.call_requested_by,
            held: ticket.held,
            appointment: ticket.appointment.map(Into::into),
            outcome: ticket.outcome.map(|outcome| Outcome {
                resolution: outcome.resolution,
                verdict: outcome.verdict,
                note: outcome.note,
            }),
            trace: ticket.trace.0,
        }
    }
}

/// A ticket in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TicketSummary {
    /// The ticket.
    ticket: Ticket,
    /// Its appliance.
    appliance: Appliance,
    /// Calibrated probability of its finding, 0 to 1.
    probability: f32,
}

impl From<store::TicketSummary> for TicketSummary {
    fn from(summary: store::TicketSummary) -> Self {
        Self {
            ticket: summary.ticket.into(),
            appliance: summary.appliance.into(),
            probability: summary.probability,
        }
    }
}

/// One line of a ticket's timeline.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TimelineEntry {
    /// Time.
    at: Timestamp,
    /// Who: a log-in name, or `hub`.
    actor: String,
    /// What: `event` names it (`opened`, `held`, `attempt_started` …), the other members belong to it.
    #[schema(value_type = Object)]
    event: TicketEvent,
}

/// A ticket with its whole story.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TicketDetail {
    /// The ticket.
    ticket: Ticket,
    /// The appliance.
    appliance: Appliance,
    /// Person who would be rung.
    owner: Option<Owner>,
    /// Finding that it was opened for.
    finding: Finding,
    /// Name of the service point that comes.
    service_point: Option<String>,
    /// The next free slot of that service point.
    next_slot: Option<Slot>,
    /// Attempts to reach the owner, oldest first.
    attempts: Vec<Contact>,
    /// What happened, oldest first.
    timeline: Vec<TimelineEntry>,
}

impl From<store::TicketView> for TicketDetail {
    fn from(view: store::TicketView) -> Self {
        let line = |entry: store::TimelineEntry| TimelineEntry {
            at: entry.at,
            actor: entry.actor,
            event: entry.event,
        };
        Self {
            ticket: view.ticket.into(),
            appliance: view.appliance.into(),
            owner: view.owner.map(Into::into),
            finding: view.finding.into(),
            service_point: view.service_point.map(|point| point.id),
            next_slot: view.next_slot.map(Into::into),
            attempts: view.attempts.into_iter().map(Into::into).collect(),
            timeline: view.timeline.into_iter().map(line).collect(),
        }
    }
}
