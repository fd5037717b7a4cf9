//! What has become of situations: as much as a store has to save, once for each thing, however often it changed.

use super::call::Running;
use crate::appointment::Appointment;
use crate::baseline::{Firmware, Restart};
use crate::finding::Finding;
use crate::id::{ApplianceId, AppointmentId, AttemptId, FindingId, PersonId, TenantId, TicketId};
use crate::release::{Predicted, Tally};
use crate::ticket::{ServiceTicket, TicketEvent};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Something as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed<T> {
    /// As it is now.
    pub now: T,
    /// It is not stored yet.
    pub is_new: bool,
}

/// A line of a ticket's timeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Tenant that owns the ticket.
    pub tenant: TenantId,
    /// The ticket.
    pub ticket: TicketId,
    /// When it happened (civil time).
    pub at: Timestamp,
    /// Who did it: a log-in name, or [`crate::ticket::HUB`].
    pub actor: String,
    /// What happened.
    pub event: TicketEvent,
}

/// A line of the stream of events that integrators and pages follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Tenant that may hear of it.
    pub tenant: TenantId,
    /// When it happened (civil time).
    pub at: Timestamp,
    /// What happened, as `noun.verb`.
    pub kind: String,
    /// The ticket that it happened to.
    pub ticket: Option<TicketId>,
    /// The appliance that it happened to.
    pub appliance: Option<ApplianceId>,
}

/// A person's key 9: their consent ledger says so of all calls, and their numbers go on the tenant's do-not-call list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Tenant that rang.
    pub tenant: TenantId,
    /// The person who refused.
    pub person: PersonId,
    /// When they did (civil time).
    pub at: Timestamp,
}

/// What a store saves, all or nothing: each thing as it became last, and what is told in the order in which it happened.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Changes {
    /// Findings.
    pub findings: BTreeMap<FindingId, Changed<Finding>>,
    /// Those of which prediction and evidence, which are large, have changed too.
    pub grown: BTreeSet<FindingId>,
    /// Tickets. A new one has the number 0: the store counts.
    pub tickets: BTreeMap<TicketId, Changed<ServiceTicket>>,
    /// Visits.
    pub appointments: BTreeMap<AppointmentId, Changed<Appointment>>,
    /// Attempts.
    pub attempts: BTreeMap<AttemptId, Changed<Running>>,
    /// Lines of timelines.
    pub lines: Vec<Line>,
    /// Events.
    pub told: Vec<Told>,
    /// Keys 9.
    pub refusals: Vec<Refusal>,
    /// Appliances whose baseline starts over, and why: what a detector remembers of them is forgotten, and it is learned under the
    /// firmware that was told last.
    pub restarted: BTreeMap<ApplianceId, Restart>,
    /// Firmware of those for which that was the reason.
    pub firmware: BTreeMap<ApplianceId, Firmware>,
    /// What is added to the tallies of predictions, by tenant.
    pub tallies: BTreeMap<(TenantId, Predicted), Tally>,
    made: BTreeSet<uuid::Uuid>,
}

impl Changes {
    /// Whether nothing is to be saved.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Something was made that is not stored yet.
    pub(super) fn make(&mut self, id: uuid::Uuid) {
        self.made.insert(id);
    }

    /// Nothing is counted of what no finding says.
    pub(super) fn count(&mut self, tenant: &TenantId, predicted: Option<Predicted>, added: Tally) {
        if let Some(predicted) = predicted
            && !added.is_nothing()
        {
            *self.tallies.entry((tenant.clone(), predicted)).or_default() += added;
        }
    }

    pub(super) fn finding(&mut self, finding: Finding, grew: bool) {
        if grew {
            self.grown.insert(finding.id);
        }
        let is_new = self.made.contains(&finding.id.0);
        self.findings.insert(finding.id, Changed { is_new, now: finding });
    }

    pub(super) fn ticket(&mut self, ticket: ServiceTicket) {
        let is_new = self.made.contains(&ticket.id.0);
        self.tickets.insert(ticket.id, Changed { is_new, now: ticket });
    }

    pub(super) fn appointment(&mut self, visit: Appointment) {
        let is_new = self.made.contains(&visit.id.0);
        self.appointments.insert(visit.id, Changed { is_new, now: visit });
    }

    pub(super) fn attempt(&mut self, running: Running) {
        let is_new = self.made.contains(&running.attempt.id.0);
        let id = running.attempt.id;
        self.attempts.insert(id, Changed { is_new, now: running });
    }
}
