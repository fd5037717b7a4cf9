//! Scoring state, findings and the tickets they open.

use super::finding::bounded;
use super::state::{Baseline, State};
use super::{MemoryStore, cursor, not_found, page};
use crate::error::{Result, StoreError};
use crate::prediction::{
    Checkpoint, FindingChange, Observation, PredictionStore, ScoredUpTo, ScoringCommit, ScoringSubject, Stretch,
};
use crate::scope::{Page, Scope};
use crate::telemetry::StoredRow;
use async_trait::async_trait;
use hub_core::contact_plan::HoldReason;
use hub_core::finding::{Finding, FindingState, Placement, place};
use hub_core::id::{ApplianceId, FindingId, TicketId, TraceId};
use hub_core::prediction::{Evidence, FaultPrediction};
use hub_core::ticket::{HUB, ServiceTicket, TicketEvent, TicketState};
use jiff::Timestamp;
use std::collections::BTreeSet;
use uuid::Uuid;

#[async_trait]
impl PredictionStore for MemoryStore {
    async fn scoring_subjects(&self, appliances: &[ApplianceId]) -> Result<Vec<ScoringSubject>> {
        let state = self.state();
        let asked: BTreeSet<ApplianceId> = appliances.iter().copied().collect();
        let known = asked.iter().filter_map(|id| state.appliances.get(id));
        Ok(known
            .map(|appliance| ScoringSubject {
                appliance: appliance.id,
                profile: appliance.profile.clone(),
                model: appliance.model.clone(),
                checkpoints: state.checkpoints_of(appliance.id),
                fresh_after: state
                    .baselines
                    .get(&appliance.id)
                    .map_or(0, |baseline| baseline.fresh_after),
            })
            .collect())
    }

    async fn scored_up_to(&self) -> Result<Vec<ScoredUpTo>> {
        Ok(self.state().telemetry.scored.clone())
    }

    async fn scored_rows(&self, stretches: &[Stretch], families: Option<&[String]>) -> Result<Vec<StoredRow>> {
        let state = self.state();
        let mut rows: Vec<StoredRow> = Vec::new();
        for stretch in stretches {
            let all = &state.telemetry.partitions[usize::from(stretch.partition)];
            let asked = all.iter().filter(|row| !row.swept).map(|row| &row.stored);
            let asked = asked.filter(|row| row.ingest_no > stretch.after && row.ingest_no <= stretch.up_to);
            rows.extend(asked.filter(|row| state.is_watched(row.appliance, families)).cloned());
        }
        rows.sort_by_key(|row| (row.partition, row.ingest_no));
        Ok(rows)
    }

    async fn commit_scoring(&self, scored: &ScoringCommit, now: Timestamp) -> Result<Vec<FindingChange>> {
        self.check_lease()?;
        let mut state = self.state();
        state.advance(scored)?;
        for checkpoint in &scored.checkpoints {
            state.save_checkpoint(checkpoint);
        }
        let mut waiting = state.findings_due(now);
        let mut changes = Vec::new();
        for observation in &scored.observations {
            let appliance = observation.appliance();
            waiting.push(appliance);
            changes.extend(state.observe(appliance, observation, now)?);
        }
        for appliance in waiting.into_iter().collect::<BTreeSet<_>>() {
            changes.extend(state.end_cool_down(appliance, now)?);
        }
        drop(state);
        if !changes.is_empty() {
            self.changed();
        }
        Ok(changes)
    }

    async fn baselines_restarted(&self) -> Result<Vec<ApplianceId>> {
        Ok(self.state().take_restarted())
    }

    async fn findings(&self, scope: &Scope, after: Option<&str>, limit: usize) -> Result<Page<Finding>> {
        let below = cursor::<Uuid>(after)?.map_or(FindingId(Uuid::max()), FindingId);
        let state = self.state();
        let seen = state.findings.range(..below).rev().map(|(_, finding)| finding);
        let seen = seen.filter(|finding| scope.includes(&finding.tenant)).cloned();
        Ok(page(seen, limit, |finding| finding.id.to_string()))
    }

    async fn finding(&self, scope: &Scope, id: FindingId) -> Result<Finding> {
        let state = self.state();
        let finding = state
            .findings
            .get(&id)
            .filter(|finding| scope.includes(&finding.tenant));
        finding.cloned().ok_or_else(|| not_found("finding", id))
    }
}

impl State {
    /// Moves the offsets on, each only forward; refuses before anything has changed.
    fn advance(&mut self, scored: &ScoringCommit) -> Result<()> {
        let offsets = &mut self.telemetry.scored;
        let stored = |new: &ScoredUpTo| offsets[usize::from(new.partition)];
        let moves_on = |new: &ScoredUpTo| {
            let (new, before) = ((new.ingest_no, new.kept_no), stored(new));
            new.0 > before.ingest_no || new.0 == before.ingest_no && new.1 > before.kept_no
        };
        if !scored.offsets.iter().all(moves_on) {
            return Err(StoreError::Conflict(
                "another scorer has saved these rows already; load the checkpoints again".to_owned(),
            ));
        }
        if let Some(unknown) = scored
            .checkpoints
            .iter()
            .find(|c| !self.appliances.contains_key(&c.appliance))
        {
            return Err(StoreError::Refused(format!(
                "there is no appliance {}",
                unknown.appliance
            )));
        }
        for new in &scored.offsets {
            let before = &mut offsets[usize::from(new.partition)];
            before.ingest_no = new.ingest_no;
            before.received_at = new.received_at.max(before.received_at);
            if new.kept_no > before.kept_no {
                (before.kept_no, before.kept_received_at) = (new.kept_no, new.kept_received_at);
            }
        }
        Ok(())
    }

    /// The checkpoints of all models, unless the baseline was restarted.
    fn checkpoints_of(&self, appliance: ApplianceId) -> Vec<Checkpoint> {
        let own = self.checkpoints.range((appliance, String::new())..);
        let own = own.take_while(|((of, _), _)| *of == appliance);
        let own = own.filter(|_| !self.is_restarted(appliance));
        own.map(|(_, checkpoint)| checkpoint.clone()).collect()
    }

    /// A checkpoint of a detector whose baseline was restarted meanwhile is left out.
    fn save_checkpoint(&mut self, checkpoint: &Checkpoint) {
        if !self.is_restarted(checkpoint.appliance) {
            let key = (checkpoint.appliance, checkpoint.model.clone());
            self.checkpoints.insert(key, checkpoint.clone());
        }
    }

    fn is_restarted(&self, appliance: ApplianceId) -> bool {
        self.baselines
            .get(&appliance)
            .is_some_and(|baseline| baseline.restarted)
    }

    /// Those whose baseline was restarted: it starts with rows that are not scored yet.
    fn take_restarted(&mut self) -> Vec<ApplianceId> {
        let mut taken = Vec::new();
        for (id, baseline) in self.baselines.iter_mut().filter(|(_, baseline)| baseline.restarted) {
            let partition = self
                .appliances
                .get(id)
                .map(|appliance| usize::from(appliance.partition));
            baseline.restarted = false;
            baseline.fresh_after = partition.map_or(0, |partition| self.telemetry.scored[partition].ingest_no);
            taken.push(*id);
        }
        self.checkpoints.retain(|(id, _), _| !taken.contains(id));
        taken
    }

    /// What a detector says on a baseline that was restarted does not count, nor of an appliance that does not exist.
    fn counts(&self, appliance: ApplianceId) -> bool {
        self.appliances.contains_key(&appliance) && !self.is_restarted(appliance)
    }

    fn observe(
        &mut self,
        appliance: ApplianceId,
        observation: &Observation,
        now: Timestamp,
    ) -> Result<Vec<FindingChange>> {
        if !self.counts(appliance) {
            return Ok(Vec::new());
        }
        match observation {
            Observation::Clear { .. } => self.clear_findings(appliance, now),
            Observation::Alarm {
                prediction,
                evidence,
                trace,
                ..
            } => {
                let (prediction, evidence) = bounded(prediction.clone(), evidence.clone());
                Ok(vec![self.alarm(appliance, prediction, evidence, *trace, now)?])
            }
        }
    }

    /// Opens the ticket that a cool-down held back. A fault that was judged a false alarm and is still seen is news again.
    fn end_cool_down(&mut self, appliance: ApplianceId, now: Timestamp) -> Result<Vec<FindingChange>> {
        if !self.counts(appliance) {
            return Ok(Vec::new());
        }
        let open = self.open_findings(appliance).into_iter();
        open.filter(|finding| finding.wants_ticket(now))
            .map(|mut finding| {
                let opened = self.give_ticket(&mut finding, now)?;
                Ok(FindingChange { finding, opened })
            })
            .collect()
    }

    fn alarm(
        &mut self,
        appliance: ApplianceId,
        prediction: FaultPrediction,
        evidence: Evidence,
        trace: TraceId,
        now: Timestamp,
    ) -> Result<FindingChange> {
        let open = self.open_findings(appliance);
        let (mut finding, before) = match place(&open, &prediction.fault_class) {
            Placement::New => (self.first_seen(appliance, prediction, evidence, trace, now)?, None),
            Placement::Repeat(id) | Placement::Name(id) => {
                let Some(before) = open.into_iter().find(|finding| finding.id == id) else {
                    return Err(not_found("finding", id));
                };
                (before.clone().observe(prediction, evidence, now), Some(before))
            }
        };
        self.findings.insert(finding.id, finding.clone());
        let opened = if finding.wants_ticket(now) {
            self.give_ticket(&mut finding, now)?
        } else {
            if let Some(before) = &before {
                self.tell_ticket(before, &finding, now)?;
            }
            None
        };
        Ok(FindingChange { finding, opened })
    }

    fn first_seen(
        &mut self,
        appliance: ApplianceId,
        prediction: FaultPrediction,
        evidence: Evidence,
        trace: TraceId,
        now: Timestamp,
    ) -> Result<Finding> {
        let tenant = self.appliance(appliance)?.tenant.clone();
        let id = FindingId::new(now, self.random());
        self.tell(&tenant, "finding.opened", None, Some(appliance), now);
        Ok(Finding {
            id,
            tenant,
            appliance,
            fault_class: prediction.fault_class.clone(),
            state: FindingState::Open,
            alarm_at: prediction.at,
            first_seen: now,
            last_seen: now,
            count: 1,
            suppressed_until: self.suppressed_until(appliance, &prediction.fault_class, now),
            prediction,
            evidence,
            ticket: None,
            trace,
        })
    }

    /// Opens a ticket, or takes up the one that is still open for this fault: its earlier finding cleared, the fault is
    /// back.
    fn give_ticket(&mut self, finding: &mut Finding, now: Timestamp) -> Result<Option<TicketId>> {
        if let Some(mut ticket) = self.not_closed(finding.appliance, &finding.fault_class) {
            finding.ticket = Some(ticket.id);
            self.findings.insert(finding.id, finding.clone());
            ticket.finding = finding.id;
            self.transition(ticket, &grown(finding, finding.fault_class.clone()), HUB, now)?;
            return Ok(None);
        }
        let id = TicketId::new(now, self.random());
        let Some(tenant) = self.tenants.get_mut(&finding.tenant) else {
            return Err(not_found("tenant", &finding.tenant));
        };
        tenant.tickets += 1;
        let ticket = ServiceTicket {
            id,
            number: tenant.tickets,
            tenant: finding.tenant.clone(),
            appliance: finding.appliance,
            finding: finding.id,
            fault_class: finding.fault_class.clone(),
            severity: finding.prediction.severity,
            state: TicketState::ContactPlanned,
            assignee: None,
            opened_at: now,
            closed_at: None,
            contact_due: None,
            call_requested_by: None,
            held: None,
            appointment: None,
            outcome: None,
            trace: finding.trace,
        };
        finding.ticket = Some(id);
        self.findings.insert(finding.id, finding.clone());
        self.transition(ticket, &TicketEvent::Opened { contact_due: now }, HUB, now)?;
        Ok(Some(id))
    }

    /// Tells the ticket what its finding has learnt, if that matters: a class named, the gate crossed, or worse than
    /// known.
    fn tell_ticket(&mut self, before: &Finding, after: &Finding, now: Timestamp) -> Result<()> {
        let gate = self.tenant(&after.tenant)?.contact_plan.probability_min;
        let named = before.fault_class != after.fault_class;
        let worse = after.prediction.severity > before.prediction.severity;
        if named {
            self.tell(&after.tenant, "finding.named", after.ticket, Some(after.appliance), now);
        }
        let callable = after.prediction.probability >= gate;
        let Some(ticket) = after.ticket.and_then(|id| self.tickets.get(&id)).cloned() else {
            return Ok(());
        };
        let below = ticket.held == Some(HoldReason::BelowGate) || before.prediction.probability < gate;
        if ticket.state == TicketState::Closed || !(named || callable && below || worse) {
            return Ok(());
        }
        // Another ticket may be open for the class that was named; this one then keeps its own.
        let class = match self.not_closed(after.appliance, &after.fault_class) {
            Some(other) if other.id != ticket.id => ticket.fault_class.clone(),
            _ => after.fault_class.clone(),
        };
        self.transition(ticket, &grown(after, class), HUB, now)?;
        Ok(())
    }

    /// Clears all findings of an appliance and tells their tickets.
    pub(super) fn clear_findings(&mut self, appliance: ApplianceId, now: Timestamp) -> Result<Vec<FindingChange>> {
        let mut changes = Vec::new();
        for mut finding in self.open_findings(appliance) {
            finding.state = FindingState::Cleared;
            finding.last_seen = now;
            self.findings.insert(finding.id, finding.clone());
            self.tell(&finding.tenant, "finding.cleared", finding.ticket, Some(appliance), now);
            let ticket = finding.ticket.and_then(|id| self.tickets.get(&id)).cloned();
            if let Some(ticket) = ticket.filter(|ticket| ticket.state != TicketState::Closed) {
                self.transition(ticket, &TicketEvent::FindingCleared, HUB, now)?;
            }
            changes.push(FindingChange { finding, opened: None });
        }
        Ok(changes)
    }

    /// Forgets what the detector knows of this unit, marks the one in memory as stale, and clears what it had found.
    pub(super) fn restart_baseline(&mut self, appliance: ApplianceId, now: Timestamp) -> Result<()> {
        let fresh_after = self
            .baselines
            .get(&appliance)
            .map_or(0, |baseline| baseline.fresh_after);
        let restarted = Baseline {
            restarted: true,
            fresh_after,
        };
        self.baselines.insert(appliance, restarted);
        self.clear_findings(appliance, now)?;
        Ok(())
    }
}

fn grown(finding: &Finding, fault_class: String) -> TicketEvent {
    TicketEvent::FindingGrew {
        fault_class,
        probability: finding.prediction.probability,
        severity: finding.prediction.severity,
    }
}
