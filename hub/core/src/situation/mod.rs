//! What is open on one appliance: its open findings, the tickets that are not closed, a contact attempt, and the tenant's rules.
//! All that the service desk decides is decided here, as steps from one situation to the next: a store loads the situation
//! under the appliance's lock, lets something happen to it, and saves the [`Changes`].
//!
//! Nothing here waits, reads a clock or draws a random number.

mod act;
mod baseline;
mod call;
mod caller;
mod changes;
mod count;
mod dial;
mod observe;
mod report;
mod take_back;
#[cfg(test)]
mod tests;

pub use call::Running;
pub use caller::{FIGURES_MAX, Keyed, for_caller, is_in_call};
pub use changes::{Changed, Changes, Line, Refusal, Told};
pub use dial::{CALLS_COUNTED, Dial, Home, PastCall, Placing, TICKETS_MAX};
pub use observe::{FindingChange, Observation};
pub use report::TICKETS_OPEN_MAX;

use crate::budget::gate::Gate;
use crate::call_rules::{CallRules, HoldReason};
use crate::contact::AttemptError;
use crate::finding::{Finding, FindingState};
use crate::id::{ApplianceId, FindingId, TenantId, TicketId};
use crate::prediction::FaultPrediction;
use crate::ticket::{ServiceTicket, TicketError, TicketFault, TicketLabels};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Open findings of which a cool-down has ended get their ticket with one batch of the scorer, at most so many.
pub const COOL_DOWNS_MAX: usize = 100;

/// What is open on one appliance, as it was loaded under the appliance's lock and as it became since.
#[derive(Debug, Clone, PartialEq)]
pub struct Situation {
    /// The appliance.
    pub appliance: ApplianceId,
    /// Tenant that owns it.
    pub tenant: TenantId,
    /// Service point that serves the appliance, if one does.
    pub site: Option<String>,
    /// The tenant's rules for calls.
    pub rules: CallRules,
    /// What the fleet's history says of appliances like this one, by model family. Loaded where a prediction or a call is decided about.
    pub gates: BTreeMap<String, Arc<Gate>>,
    /// Labels of the tenant's tickets.
    pub labels: TicketLabels,
    /// The baseline was restarted and the detector has not been told yet: what it says does not count.
    pub restarted: bool,
    /// The open findings, oldest first. Where something may happen to a ticket, also the cleared ones that are the ticket's;
    /// where its label is corrected, also what a false alarm keeps quiet.
    pub findings: Vec<Finding>,
    /// Fault classes that a person's "false alarm" keeps quiet, each until then.
    pub quiet: Vec<(String, Timestamp)>,
    /// The tickets that are not closed, and the one that something happens to, whatever its state.
    pub tickets: Vec<ServiceTicket>,
    /// The attempt that something happens to.
    pub attempts: Vec<Running>,
}

/// Something cannot happen now. Situation and changes are as far as it came then, and are thrown away.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SituationError {
    /// The ticket's rules refuse it.
    #[error(transparent)]
    Ticket(#[from] TicketError),
    /// The attempt's rules refuse it.
    #[error(transparent)]
    Attempt(#[from] AttemptError),
    /// Enough is open on the appliance.
    #[error("appliance {appliance} has {TICKETS_OPEN_MAX} tickets that are not closed; close one first")]
    Full {
        /// The appliance.
        appliance: ApplianceId,
    },
    /// The situation was loaded without it, or it is another appliance's.
    #[error("the situation of appliance {appliance} has no {what} {id}")]
    Missing {
        /// The appliance.
        appliance: ApplianceId,
        /// Kind of thing.
        what: &'static str,
        /// Its id.
        id: String,
    },
}

/// Ids for what is made: ten random bytes each, from the function that draws them.
pub struct Ids<'a>(pub &'a mut (dyn FnMut() -> [u8; 10] + Send));

impl Situation {
    fn open(&self) -> impl Iterator<Item = &Finding> + Clone {
        self.findings
            .iter()
            .filter(|finding| finding.state == FindingState::Open)
    }

    /// The ticket of this fault that is not closed: there is one at most.
    fn not_closed(&self, fault_class: &str) -> Option<&ServiceTicket> {
        let is_it = |ticket: &&ServiceTicket| {
            let fault = ticket.fault.as_ref();
            !ticket.is_closed() && fault.is_some_and(|fault| fault.fault_class == fault_class)
        };
        self.tickets.iter().find(is_it)
    }

    /// The ticket.
    ///
    /// # Errors
    ///
    /// [`SituationError::Missing`].
    pub fn ticket(&self, id: TicketId) -> Result<&ServiceTicket, SituationError> {
        let found = self.tickets.iter().find(|ticket| ticket.id == id);
        found.ok_or_else(|| self.missing("ticket", id))
    }

    /// The finding.
    ///
    /// # Errors
    ///
    /// [`SituationError::Missing`].
    pub fn finding(&self, id: FindingId) -> Result<&Finding, SituationError> {
        let found = self.findings.iter().find(|finding| finding.id == id);
        found.ok_or_else(|| self.missing("finding", id))
    }

    /// The fault that a ticket is about.
    ///
    /// # Errors
    ///
    /// [`SituationError::Missing`], also of a ticket without one.
    pub fn fault_of(&self, id: TicketId) -> Result<&TicketFault, SituationError> {
        let fault = self.ticket(id)?.fault.as_ref();
        fault.ok_or_else(|| self.missing("fault of ticket", id))
    }

    /// What the fleet's history says of this prediction; none of a family without one.
    fn gate_of(&self, prediction: &FaultPrediction) -> Option<&Gate> {
        self.gates.get(prediction.family()).map(Arc::as_ref)
    }

    /// What the fleet's history says against a call about this prediction that nobody asked for. Before there is one, nothing else speaks
    /// for such a call.
    fn withheld(&self, prediction: &FaultPrediction, now: Timestamp) -> Option<HoldReason> {
        self.gate_of(prediction)
            .map_or(Some(HoldReason::NoCallLevel), |gate| gate.withheld(prediction, now))
    }

    /// What a ticket is about, and what it was about before: a fault that came back is another finding.
    fn findings_of(&self, id: TicketId) -> Result<Vec<Finding>, SituationError> {
        let about = self.ticket(id)?.fault.as_ref().map(|fault| fault.finding);
        let is_own = |finding: &&Finding| Some(finding.id) == about || finding.ticket == Some(id);
        Ok(self.findings.iter().filter(is_own).cloned().collect())
    }

    fn missing(&self, what: &'static str, id: impl ToString) -> SituationError {
        SituationError::Missing {
            appliance: self.appliance,
            what,
            id: id.to_string(),
        }
    }

    /// Keeps a finding as it is now, and notes that it is to be saved; with `grew`, its prediction and evidence too.
    fn put_finding(&mut self, finding: Finding, grew: bool, changes: &mut Changes) {
        changes.finding(finding.clone(), grew);
        match self.findings.iter_mut().find(|known| known.id == finding.id) {
            Some(known) => *known = finding,
            None => self.findings.push(finding),
        }
    }

    fn put_ticket(&mut self, ticket: ServiceTicket, changes: &mut Changes) {
        changes.ticket(ticket.clone());
        match self.tickets.iter_mut().find(|known| known.id == ticket.id) {
            Some(known) => *known = ticket,
            None => self.tickets.push(ticket),
        }
    }

    fn told(&self, kind: impl Into<String>, ticket: Option<TicketId>, now: Timestamp) -> Told {
        Told {
            tenant: self.tenant.clone(),
            at: now,
            kind: kind.into(),
            ticket,
            appliance: Some(self.appliance),
        }
    }
}
