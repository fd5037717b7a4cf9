//! Tickets: in a list, and with their whole story.

use super::{Appliance, Appointment, Contact, Finding, Owner, Release, Slot};
use crate::api::schema;
use hub_core::call_rules::HoldReason;
use hub_core::contact::ContactPhase;
use hub_core::outcome as core;
use hub_core::prediction::Severity;
use hub_core::ticket::{self, ServiceTicket, TicketCategory, TicketEvent, TicketKind};
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
    /// Part that was replaced, if one was.
    part: Option<String>,
}

/// The newest correction of an outcome. What it was before stands in the timeline.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Correction {
    /// How many there have been.
    count: u32,
    /// What was wrong with the outcome before.
    reason: String,
    /// Log-in name of the person who corrected it.
    by: String,
    /// When they did.
    at: Timestamp,
}

/// Where a ticket stands for people.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Status {
    /// What clocks and counts go by.
    #[schema(schema_with = schema::words::<TicketCategory>)]
    category: TicketCategory,
    /// Id of one of the tenant's labels.
    label: String,
}

/// Where the hub stands with ringing the owner.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ContactThread {
    /// Phase.
    #[schema(schema_with = schema::words::<ContactPhase>)]
    phase: ContactPhase,
    /// When the contact worker looks next.
    due: Option<Timestamp>,
    /// Log-in name of the person whose "call now" is still to be placed.
    requested_by: Option<String>,
    /// Log-in name of the person who approved that the hub rings, while that stands.
    approved_by: Option<String>,
    /// Why nobody was rung, if so: `quiet_hours`, `consent_withdrawn`, `below_gate`, `ready_to_ring` …
    #[schema(value_type = Option<String>)]
    reason: Option<HoldReason>,
}

/// What somebody was promised and still waits for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Promise {
    /// What was promised; `person_rings` where a call of the hub did.
    what: String,
    /// Who was promised it; `owner` where a call of the hub did.
    to: String,
    /// Time by which it is to be kept.
    by: Timestamp,
    /// Log-in name of the person who promised, or `hub`.
    made_by: String,
    /// When they did.
    made_at: Timestamp,
}

impl From<ticket::Promise> for Promise {
    fn from(promise: ticket::Promise) -> Self {
        Self {
            what: promise.what,
            to: promise.to,
            by: promise.by,
            made_by: promise.made_by,
            made_at: promise.made_at,
        }
    }
}

/// A label of a tenant's tickets.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Label {
    /// Id within the tenant.
    id: String,
    /// Category that it belongs to.
    #[schema(schema_with = schema::words::<TicketCategory>)]
    category: TicketCategory,
    /// Name that people see.
    name: LabelName,
}

/// Name of a label in both languages.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LabelName {
    /// Simplified Chinese.
    #[serde(rename = "zh-CN")]
    zh_cn: String,
    /// English.
    en: String,
}

impl From<&ticket::TicketLabel> for Label {
    fn from(label: &ticket::TicketLabel) -> Self {
        Self {
            id: label.id.clone(),
            category: label.category,
            name: LabelName {
                zh_cn: label.name.zh_cn.clone(),
                en: label.name.en.clone(),
            },
        }
    }
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
    /// Kind.
    #[schema(schema_with = schema::words::<TicketKind>)]
    kind: TicketKind,
    /// Finding that it was opened for; none of a ticket that a person opened.
    finding: Option<Uuid>,
    /// Fault class of the finding.
    fault_class: Option<String>,
    /// How bad it gets: `minor`, `major` or `critical`.
    #[schema(value_type = Option<String>)]
    severity: Option<Severity>,
    /// Where it stands for people.
    status: Status,
    /// Log-in name of the person who has it.
    assignee: Option<String>,
    /// When it was opened.
    opened_at: Timestamp,
    /// When it was closed.
    closed_at: Option<Timestamp>,
    /// Where the hub stands with ringing the owner.
    contact: ContactThread,
    /// The newest visit, whatever has become of it.
    appointment: Option<Appointment>,
    /// What somebody was promised; of two promises the one that is due first.
    promise: Option<Promise>,
    /// The other promise: a person's where that one is a call's, a call's where it is a person's.
    next_promise: Option<Promise>,
    /// The end.
    outcome: Option<Outcome>,
    /// The newest correction of the end, if it was corrected.
    correction: Option<Correction>,
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
            kind: ticket.kind,
            finding: ticket.fault.as_ref().map(|fault| fault.finding.0),
            severity: ticket.fault.as_ref().map(|fault| fault.severity),
            fault_class: ticket.fault.map(|fault| fault.fault_class),
            status: Status {
                category: ticket.status.category,
                label: ticket.status.label,
            },
            assignee: ticket.assignee,
            opened_at: ticket.opened_at,
            closed_at: ticket.closed_at,
            contact: ContactThread {
                phase: ticket.contact.phase,
                due: ticket.contact.due,
                requested_by: ticket.contact.requested_by,
                approved_by: ticket.contact.approved_by,
                reason: ticket.contact.reason,
            },
            promise: ticket.promise.map(Into::into),
            next_promise: ticket.next_promise.map(Into::into),
            appointment: ticket.appointment.map(Into::into),
            correction: ticket.correction.map(|last| Correction {
                count: last.count,
                reason: last.reason,
                by: last.by,
                at: last.at,
            }),
            outcome: ticket.outcome.map(|outcome| Outcome {
                resolution: outcome.resolution,
                verdict: outcome.verdict,
                note: outcome.note,
                part: outcome.part,
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
    /// Calibrated probability of its finding, 0 to 1, if it has one.
    probability: Option<f32>,
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
    /// Finding that it was opened for, if it was.
    finding: Option<Finding>,
    /// Where such predictions stand on their way to calls that nobody approves; none without a finding.
    release: Option<Release>,
    /// Labels that its status may have.
    labels: Vec<Label>,
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
            finding: view.finding.map(Into::into),
            release: view.release.map(Into::into),
            labels: view.labels.all().iter().map(Into::into).collect(),
            service_point: view.service_point.map(|point| point.id),
            next_slot: view.next_slot.map(Into::into),
            attempts: view.attempts.into_iter().map(Into::into).collect(),
            timeline: view.timeline.into_iter().map(line).collect(),
        }
    }
}
