//! What scoring sees becomes findings, and findings become tickets: one for one fault, however often a model says it.

use super::{Changes, Ids, Situation, SituationError};
use crate::budget::Month;
use crate::budget::gate::{Gate, first_level};
use crate::call_rules::HoldReason;
use crate::contact::ContactThread;
use crate::finding::{Finding, FindingState, Placement, place};
use crate::id::{ApplianceId, FindingId, TicketId, TraceId};
use crate::prediction::{Evidence, FaultPrediction};
use crate::ticket::{HUB, ServiceTicket, TicketCategory, TicketEvent, TicketFault, TicketKind, TicketStatus};
use jiff::Timestamp;

/// What scoring saw.
#[derive(Debug, Clone, PartialEq)]
pub enum Observation {
    /// Both detectors agree for the hold time.
    Alarm {
        /// The appliance.
        appliance: ApplianceId,
        /// What and how sure.
        prediction: Box<FaultPrediction>,
        /// What a person will see.
        evidence: Evidence,
        /// Trace of the reading that raised it.
        trace: TraceId,
    },
    /// The readings are back at the baseline, with the appliance in use.
    Clear {
        /// The appliance.
        appliance: ApplianceId,
    },
}

impl Observation {
    /// The appliance that it is about.
    pub fn appliance(&self) -> ApplianceId {
        match self {
            Self::Alarm { appliance, .. } | Self::Clear { appliance } => *appliance,
        }
    }
}

/// A finding that changed and, where one was opened, its ticket.
#[derive(Debug, Clone, PartialEq)]
pub struct FindingChange {
    /// The finding as it is now; without evidence where that was neither new nor read.
    pub finding: Finding,
    /// The ticket that this opened.
    pub opened: Option<TicketId>,
}

impl Situation {
    /// Takes in what scoring saw of this appliance. What a detector says on a baseline that was restarted does not count.
    ///
    /// # Errors
    ///
    /// None that a stored ticket gives reason for: the hub's own events are refused by no ticket that is not closed.
    pub fn observe(
        &mut self,
        observation: &Observation,
        ids: &mut Ids<'_>,
        now: Timestamp,
        changes: &mut Changes,
    ) -> Result<Vec<FindingChange>, SituationError> {
        match observation {
            _ if self.restarted => Ok(Vec::new()),
            Observation::Clear { .. } => self
                .clear(now, changes)?
                .into_iter()
                .map(|id| {
                    let finding = self.finding(id)?.clone();
                    Ok(FindingChange { finding, opened: None })
                })
                .collect(),
            Observation::Alarm {
                prediction,
                evidence,
                trace,
                ..
            } => {
                let prediction = self.stated(FaultPrediction::clone(prediction).bounded(), now);
                let change = self.alarm(prediction, evidence, *trace, ids, now, changes)?;
                Ok(vec![change])
            }
        }
    }

    /// Opens the tickets that cool-downs held back, and those of findings whose level has come down to them. A fault that was judged a
    /// false alarm and is still seen is news again.
    ///
    /// # Errors
    ///
    /// As [`Situation::observe`].
    pub fn end_cool_downs(
        &mut self,
        ids: &mut Ids<'_>,
        now: Timestamp,
        changes: &mut Changes,
    ) -> Result<Vec<FindingChange>, SituationError> {
        if self.restarted {
            return Ok(Vec::new());
        }
        let without = |finding: &&Finding| finding.ticket.is_none();
        let held_back: Vec<Finding> = self.open().filter(without).cloned().collect();
        let mut told = Vec::new();
        for finding in held_back {
            let finding = self.place_by_level(finding, now, changes);
            if finding.wants_ticket(now) {
                told.push(self.give_ticket(finding, ids, now, changes)?);
            }
        }
        Ok(told)
    }

    /// The prediction with the probability that the fleet's history and verdicts make of it, where there is a history.
    fn stated(&self, prediction: FaultPrediction, now: Timestamp) -> FaultPrediction {
        let gate = self.gate_of(&prediction);
        let precision = gate.and_then(|gate| gate.precision(f64::from(prediction.score), Month::at(now)));
        match precision {
            None => prediction,
            Some(precision) => FaultPrediction {
                probability: precision.probability as f32,
                verdicts: Some(precision.counted),
                ..prediction
            },
        }
    }

    /// Notes on a finding without a ticket the score from which it gets one, if its own is below. It waits for that then, and for no
    /// cool-down that is over.
    fn place_by_level(&mut self, mut finding: Finding, now: Timestamp, changes: &mut Changes) -> Finding {
        let level = self.gate_of(&finding.prediction).and_then(Gate::ticket_level);
        let level = level.or_else(|| first_level(finding.prediction.family()));
        let level = level.filter(|level| finding.ticket.is_none() && f64::from(finding.prediction.score) < *level);
        let is_over = level.is_some() && finding.suppressed_until.is_some_and(|until| until <= now);
        if finding.ticket_from != level || is_over {
            finding.ticket_from = level;
            if is_over {
                finding.suppressed_until = None;
            }
            self.put_finding(finding.clone(), false, changes);
        }
        finding
    }

    fn alarm(
        &mut self,
        prediction: FaultPrediction,
        evidence: &Evidence,
        trace: TraceId,
        ids: &mut Ids<'_>,
        now: Timestamp,
        changes: &mut Changes,
    ) -> Result<FindingChange, SituationError> {
        let (finding, before) = match place(self.open(), &prediction.fault_class) {
            Placement::New => {
                let evidence = evidence.clone().bounded();
                let first = self.first_seen(prediction, evidence, trace, ids, now, changes);
                (first, None)
            }
            Placement::Repeat(id) | Placement::Name(id) => {
                let before = self.finding(id)?.clone();
                let after = before.clone().observe(prediction, evidence, now);
                let grew = after.prediction != before.prediction;
                self.put_finding(after.clone(), grew, changes);
                (after, Some(before))
            }
        };
        let finding = self.place_by_level(finding, now, changes);
        if finding.wants_ticket(now) {
            return self.give_ticket(finding, ids, now, changes);
        }
        if let Some(before) = before {
            self.tell_ticket(&before, &finding, now, changes)?;
        }
        Ok(FindingChange { finding, opened: None })
    }

    fn first_seen(
        &mut self,
        prediction: FaultPrediction,
        evidence: Evidence,
        trace: TraceId,
        ids: &mut Ids<'_>,
        now: Timestamp,
        changes: &mut Changes,
    ) -> Finding {
        let quiet_until = self.quiet_until(&prediction.fault_class, now);
        let finding = Finding {
            id: FindingId::new(now, (ids.0)()),
            tenant: self.tenant.clone(),
            appliance: self.appliance,
            fault_class: prediction.fault_class.clone(),
            state: FindingState::Open,
            alarm_at: prediction.at,
            first_seen: now,
            last_seen: now,
            count: 1,
            suppressed_until: quiet_until,
            ticket_from: None,
            prediction,
            evidence,
            ticket: None,
            trace,
        };
        changes.make(finding.id.0);
        self.put_finding(finding.clone(), true, changes);
        changes.told.push(self.told("finding.opened", None, now));
        finding
    }

    /// Until when a person's "false alarm" keeps this fault quiet; also one that was named since the situation was loaded.
    fn quiet_until(&self, fault_class: &str, now: Timestamp) -> Option<Timestamp> {
        let stored = self.quiet.iter().map(|(class, until)| (class, Some(*until)));
        let own = self.findings.iter();
        let own = own.map(|finding| (&finding.fault_class, finding.suppressed_until));
        let same = stored.chain(own).filter(|(class, _)| *class == fault_class);
        same.filter_map(|(_, until)| until).filter(|until| *until > now).max()
    }

    /// Opens a ticket, or takes up the one that is still open for this fault: its earlier finding cleared, the fault is back.
    fn give_ticket(
        &mut self,
        mut finding: Finding,
        ids: &mut Ids<'_>,
        now: Timestamp,
        changes: &mut Changes,
    ) -> Result<FindingChange, SituationError> {
        if let Some(mut ticket) = self.not_closed(&finding.fault_class).cloned() {
            finding.ticket = Some(ticket.id);
            self.put_finding(finding.clone(), false, changes);
            if let Some(fault) = &mut ticket.fault {
                fault.finding = finding.id;
            }
            let (id, grown) = (ticket.id, grown(&finding, finding.fault_class.clone()));
            self.put_ticket(ticket, changes);
            self.act(id, &grown, HUB, now, changes)?;
            return Ok(FindingChange { finding, opened: None });
        }
        let ticket = ServiceTicket {
            id: TicketId::new(now, (ids.0)()),
            number: 0,
            tenant: finding.tenant.clone(),
            appliance: finding.appliance,
            kind: TicketKind::PredictedFault,
            fault: Some(TicketFault {
                finding: finding.id,
                fault_class: finding.fault_class.clone(),
                severity: finding.prediction.severity,
            }),
            status: TicketStatus::first(TicketCategory::Open, &self.labels),
            assignee: None,
            opened_at: now,
            closed_at: None,
            contact: ContactThread::planned(now),
            appointment: None,
            promise: None,
            next_promise: None,
            outcome: None,
            correction: None,
            judged: None,
            trace: finding.trace,
        };
        let id = ticket.id;
        changes.make(id.0);
        self.put_ticket(ticket, changes);
        finding.ticket = Some(id);
        self.put_finding(finding.clone(), false, changes);
        self.act(id, &TicketEvent::Opened { contact_due: now }, HUB, now, changes)?;
        Ok(FindingChange {
            finding,
            opened: Some(id),
        })
    }

    /// Tells the ticket what its finding has learnt, if that matters: a class named, the gate crossed, or worse than known.
    fn tell_ticket(
        &mut self,
        before: &Finding,
        after: &Finding,
        now: Timestamp,
        changes: &mut Changes,
    ) -> Result<(), SituationError> {
        let gate = self.rules.probability_min;
        let named = before.fault_class != after.fault_class;
        let worse = after.prediction.severity > before.prediction.severity;
        if named {
            changes.told.push(self.told("finding.named", after.ticket, now));
        }
        let ticket = self.tickets.iter().find(|ticket| Some(ticket.id) == after.ticket);
        let Some(ticket) = ticket.filter(|ticket| !ticket.is_closed()) else {
            return Ok(());
        };
        let was_below = ticket.contact.reason == Some(HoldReason::BelowGate) || before.prediction.probability < gate;
        let was_withheld = matches!(
            ticket.contact.reason,
            Some(HoldReason::NoCallLevel | HoldReason::BelowCallLevel | HoldReason::Surge)
        );
        // Without a history there is no other level to cross than the tenant's own; what waits for a history is not told each time.
        let is_withheld = match self.gate_of(&after.prediction) {
            Some(fleet) => fleet.surges(now) || fleet.withheld(&after.prediction, now).is_some(),
            None => was_withheld,
        };
        let crossed = (was_below || was_withheld) && after.prediction.probability >= gate && !is_withheld;
        if !(named || crossed || worse) {
            return Ok(());
        }
        // Another ticket may be open for the class that was named; this one then keeps its own.
        let other = self
            .not_closed(&after.fault_class)
            .filter(|other| other.id != ticket.id);
        let own = other.and(ticket.fault.as_ref()).map(|fault| &fault.fault_class);
        let class = own.unwrap_or(&after.fault_class).clone();
        let id = ticket.id;
        self.act(id, &grown(after, class), HUB, now, changes).map(drop)
    }
}

fn grown(finding: &Finding, fault_class: String) -> TicketEvent {
    TicketEvent::FindingGrew {
        fault_class,
        probability: finding.prediction.probability,
        severity: finding.prediction.severity,
    }
}
