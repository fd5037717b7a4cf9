//! Highest scores of months, and the ledgers that follow from them.

use super::state::{Named, State};
use super::{MemoryStore, not_found};
use crate::budget::{
    BudgetStore, CallRelease, FAMILIES_MAX, FamilyBudget, KeptLedger, LINES_SHOWN, LedgerLine, MonthScore,
    RELEASES_SHOWN, changed_meanwhile, check_tenant, months_kept, not_released, not_stated, statement,
    too_many_families,
};
use crate::error::Result;
use crate::site::SiteChange;
use async_trait::async_trait;
use hub_core::actor::{Act, Actor};
use hub_core::budget::change::{LINES_KEPT, LedgerChange};
use hub_core::budget::gate::{Gate, first_level};
use hub_core::budget::history::HighestScore;
use hub_core::budget::judged::{JUDGED_MAX, JudgedTicket, Predicted};
use hub_core::budget::ledger::OTHER_MODELS;
use hub_core::budget::{Budgets, Month};
use hub_core::call_rules::HoldReason;
use hub_core::finding::{Finding, FindingState};
use hub_core::id::{ApplianceId, TenantId};
use hub_core::release;
use hub_core::site::DeclaredBudget;
use hub_core::ticket::{HUB, ServiceTicket};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A family's ledger with its book.
#[derive(Debug, Clone, Default)]
pub(super) struct Book {
    kept: KeptLedger,
    /// Oldest first.
    lines: Vec<LedgerLine>,
}

impl Book {
    fn shown(&self, family: &str) -> FamilyBudget {
        FamilyBudget {
            family: family.to_owned(),
            ledger: self.kept.ledger.clone(),
            lines: self.lines.iter().rev().take(LINES_SHOWN).cloned().collect(),
        }
    }

    fn write(&mut self, by: &str, change: LedgerChange, now: Timestamp) {
        let by = by.to_owned();
        self.lines.push(LedgerLine { at: now, by, change });
        let too_many = self.lines.len().saturating_sub(LINES_KEPT);
        self.lines.drain(..too_many);
        self.kept.revision += 1;
    }
}

#[async_trait]
impl BudgetStore for MemoryStore {
    async fn budgets(&self, actor: &Actor, tenant: &TenantId) -> Result<Vec<FamilyBudget>> {
        actor.may(Act::ReadFleet)?;
        check_tenant(actor, tenant)?;
        let state = self.state();
        let own = state.ledgers.iter().filter(|((of, _), _)| of == tenant);
        Ok(own.map(|((_, family), book)| book.shown(family)).collect())
    }

    async fn budget(&self, actor: &Actor, tenant: &TenantId, family: &str) -> Result<Option<FamilyBudget>> {
        actor.may(Act::ReadFleet)?;
        check_tenant(actor, tenant)?;
        let state = self.state();
        let book = state.ledgers.get(&(tenant.clone(), family.to_owned()));
        Ok(book.map(|book| book.shown(family)))
    }

    async fn families_used(&self, actor: &Actor, tenant: &TenantId, names: &[String]) -> Result<Vec<String>> {
        actor.may(Act::ReadFleet)?;
        check_tenant(actor, tenant)?;
        let state = self.state();
        let is_used = |name: &&String| {
            let mut own = state
                .appliances
                .values()
                .filter(|appliance| appliance.tenant == *tenant);
            own.any(|appliance| appliance.profile == **name || appliance.model.as_ref() == Some(*name))
        };
        Ok(names.iter().filter(is_used).cloned().collect())
    }

    async fn release_tallies(
        &self,
        actor: &Actor,
        tenant: &TenantId,
    ) -> Result<Vec<(release::Predicted, release::Tally)>> {
        actor.may(Act::ReadFleet)?;
        check_tenant(actor, tenant)?;
        let state = self.state();
        let own = state.tallies.iter().filter(|((of, _), _)| of == tenant);
        let shown = own.map(|((_, predicted), tally)| (predicted.clone(), *tally));
        Ok(shown.take(RELEASES_SHOWN).collect())
    }

    async fn judged_tickets(&self, actor: &Actor, tenant: &TenantId) -> Result<Vec<JudgedTicket>> {
        actor.may(Act::ReadFleet)?;
        check_tenant(actor, tenant)?;
        let state = self.state();
        let own = state.tickets.values().filter(|ticket| ticket.tenant == *tenant);
        let mut judged: Vec<JudgedTicket> = own.filter_map(|ticket| state.judged(ticket)).collect();
        judged.sort_by_key(|ticket| std::cmp::Reverse(ticket.closed_at));
        judged.truncate(JUDGED_MAX);
        Ok(judged)
    }

    async fn state_budget(
        &self,
        actor: &Actor,
        tenant: &TenantId,
        family: &str,
        budgets: Budgets,
        faults_a_year: f64,
        now: Timestamp,
    ) -> Result<()> {
        actor.may(Act::SetBudgets)?;
        check_tenant(actor, tenant)?;
        let stated = statement(actor, family, budgets, faults_a_year, now)?;
        let mut state = self.state();
        state.tenant(tenant)?;
        let place = (tenant.clone(), family.to_owned());
        let others = state.ledgers.keys().filter(|(of, _)| of == tenant).count();
        if others >= FAMILIES_MAX && !state.ledgers.contains_key(&place) {
            return Err(too_many_families(tenant));
        }
        let mut book = state.book(tenant, family);
        let change = book.kept.ledger.state(stated).map_err(not_stated)?;
        book.write(&actor.name, change, now);
        state.ledgers.insert(place, book);
        Ok(())
    }

    async fn release_calls(
        &self,
        actor: &Actor,
        tenant: &TenantId,
        release: &CallRelease,
        now: Timestamp,
    ) -> Result<()> {
        actor.may(Act::ReleaseCalls)?;
        check_tenant(actor, tenant)?;
        let mut state = self.state();
        let place = (tenant.clone(), release.family.clone());
        let unknown = || not_found("ledger", &release.family);
        let book = state.ledgers.get_mut(&place).ok_or_else(unknown)?;
        let CallRelease {
            model, reason, until, ..
        } = release;
        let released = book.kept.ledger.release(model, &actor.name, reason, now, *until);
        book.write(&actor.name, released.map_err(not_released)?, now);
        state.end_surges(tenant, &release.family, now)
    }

    async fn families_scored(&self) -> Result<Vec<(TenantId, String)>> {
        Ok(self.state().families().into_iter().collect())
    }

    async fn families_kept(&self) -> Result<Vec<(TenantId, String)>> {
        Ok(self.state().ledgers.keys().cloned().collect())
    }

    async fn ledger(&self, tenant: &TenantId, family: &str) -> Result<KeptLedger> {
        Ok(self.state().book(tenant, family).kept)
    }

    async fn scores_of(
        &self,
        tenant: &TenantId,
        family: &str,
        month: Month,
    ) -> Result<BTreeMap<String, Vec<HighestScore>>> {
        let state = self.state();
        let mut scores: BTreeMap<String, Vec<HighestScore>> = BTreeMap::new();
        for ((appliance, of, at), score) in &state.scores {
            if of != family || *at != month || state.appliance(*appliance)?.tenant != *tenant {
                continue;
            }
            let (appliance, score) = (*appliance, *score);
            let of_model = scores.entry(state.appliance_model(appliance)?).or_default();
            of_model.push(HighestScore { appliance, score });
        }
        Ok(scores)
    }

    async fn tickets_opened(
        &self,
        tenant: &TenantId,
        family: &str,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<BTreeMap<String, u32>> {
        let state = self.state();
        let mut opened: BTreeMap<String, u32> = BTreeMap::new();
        let of_tenant = state.tickets.values().filter(|ticket| ticket.tenant == *tenant);
        for ticket in of_tenant.filter(|ticket| ticket.opened_at >= since && ticket.opened_at < until) {
            let predicted = state.predicted(ticket);
            if predicted.is_some_and(|finding| finding.prediction.family() == family) {
                *opened.entry(state.appliance_model(ticket.appliance)?).or_default() += 1;
            }
        }
        Ok(opened)
    }

    async fn save_ledger(
        &self,
        tenant: &TenantId,
        family: &str,
        kept: &KeptLedger,
        changes: &[LedgerChange],
        now: Timestamp,
    ) -> Result<()> {
        self.check_lease()?;
        let mut state = self.state();
        let mut book = state.book(tenant, family);
        if book.kept.revision != kept.revision {
            return Err(changed_meanwhile());
        }
        let wakes = kept.ledger.wakes_findings(&book.kept.ledger);
        book.kept.ledger = kept.ledger.clone();
        for change in changes {
            book.write(HUB, change.clone(), now);
        }
        book.kept.revision = kept.revision + 1;
        state.ledgers.insert((tenant.clone(), family.to_owned()), book);
        if wakes {
            state.wake_findings(tenant, family, now)?;
        }
        state.end_surges(tenant, family, now)
    }

    async fn sweep_scores(&self, now: Timestamp, limit: usize) -> Result<u64> {
        self.check_lease()?;
        let Some(now) = self.hub.gate.as_of(now) else {
            return Ok(0);
        };
        let (kept, mut state) = (months_kept(now), self.state());
        let old = state.scores.keys().filter(|(_, _, month)| !kept.contains(month));
        let old: Vec<_> = old.take(limit).cloned().collect();
        for place in &old {
            state.scores.remove(place);
        }
        Ok(old.len() as u64)
    }
}

impl State {
    fn book(&self, tenant: &TenantId, family: &str) -> Book {
        let place = (tenant.clone(), family.to_owned());
        self.ledgers.get(&place).cloned().unwrap_or_default()
    }

    fn families(&self) -> BTreeSet<Named> {
        let scored = self.scores.keys().filter_map(|(appliance, family, _)| {
            let tenant = &self.appliances.get(appliance)?.tenant;
            Some((tenant.clone(), family.clone()))
        });
        scored.chain(self.ledgers.keys().cloned()).collect()
    }

    /// What its device says it is, or else its profile.
    pub(super) fn appliance_model(&self, id: ApplianceId) -> Result<String> {
        let said = self.births.get(&id).map(|kept| kept.birth.model.clone());
        let said = said.filter(|model| !model.is_empty());
        Ok(said.unwrap_or(self.appliance(id)?.profile.clone()))
    }

    fn predicted(&self, ticket: &ServiceTicket) -> Option<&Finding> {
        self.findings.get(&ticket.fault.as_ref()?.finding)
    }

    fn judged(&self, ticket: &ServiceTicket) -> Option<JudgedTicket> {
        let outcome = ticket.outcome.as_ref()?;
        let predicted = self.predicted(ticket).map(|finding| Predicted {
            family: finding.prediction.family().to_owned(),
            score: finding.prediction.score,
            probability: finding.prediction.probability,
        });
        Some(JudgedTicket {
            appliance: ticket.appliance,
            model: self.appliance_model(ticket.appliance).ok()?,
            closed_at: ticket.closed_at?,
            predicted,
            verdict: outcome.verdict,
            repaired: outcome.repaired() && ticket.kind.mends(),
        })
    }

    /// Takes the highest scores of months, each only upwards.
    pub(super) fn put_scores(&mut self, scores: &[MonthScore]) {
        for new in scores {
            let place = (new.appliance, new.family.clone(), new.month);
            let kept = self.scores.entry(place).or_insert(new.score);
            *kept = kept.max(new.score);
        }
    }

    /// What the fleet's history says of appliances like this one.
    pub(super) fn gates_of(&self, appliance: ApplianceId) -> Result<BTreeMap<String, Arc<Gate>>> {
        let (tenant, model) = (&self.appliance(appliance)?.tenant, self.appliance_model(appliance)?);
        let of_tenant = self.ledgers.iter().filter(|((of, _), _)| of == tenant);
        let gates = of_tenant.map(|((_, family), book)| {
            let models = book.kept.ledger.models();
            let place = if models.contains_key(&model) {
                &model
            } else {
                OTHER_MODELS
            };
            (family.clone(), Arc::new(Gate::new(book.kept.ledger.clone(), place)))
        });
        Ok(gates.collect())
    }

    /// Findings that a level has come down to are due.
    fn wake_findings(&mut self, tenant: &TenantId, family: &str, now: Timestamp) -> Result<()> {
        let waits = |finding: &&Finding| {
            let is_open = finding.state == FindingState::Open && finding.ticket.is_none();
            let is_own = finding.tenant == *tenant && finding.prediction.family() == family;
            is_open && is_own && finding.ticket_from.is_some() && finding.suppressed_until.is_none()
        };
        let mut due = Vec::new();
        for finding in self.findings.values().filter(waits) {
            let gates = self.gates_of(finding.appliance)?;
            let level = gates.get(family).and_then(|gate| gate.ticket_level());
            let level = level.or_else(|| first_level(family));
            if level.is_none_or(|level| f64::from(finding.prediction.score) >= level) {
                due.push(finding.id);
            }
        }
        for id in due {
            if let Some(finding) = self.findings.get_mut(&id) {
                finding.suppressed_until = Some(now);
            }
        }
        Ok(())
    }

    /// Calls that were held for a surge alone are due where it is over or released. What a person has taken, and nobody approved, is theirs.
    fn end_surges(&mut self, tenant: &TenantId, family: &str, now: Timestamp) -> Result<()> {
        let mut due = Vec::new();
        let is_held = |ticket: &&ServiceTicket| ticket.contact.reason == Some(HoldReason::Surge);
        for ticket in self.tickets.values().filter(is_held) {
            let is_own = ticket.tenant == *tenant
                && self.predicted(ticket).map(|finding| finding.prediction.family()) == Some(family);
            let is_taken = ticket.assignee.is_some() && ticket.contact.approved_by.is_none();
            if !is_own || is_taken {
                continue;
            }
            let gates = self.gates_of(ticket.appliance)?;
            if gates.get(family).is_none_or(|gate| !gate.surges(now)) {
                due.push(ticket.id);
            }
        }
        for id in due {
            if let Some(ticket) = self.tickets.get_mut(&id) {
                ticket.contact.end_surge(now);
            }
        }
        Ok(())
    }

    /// Brings what a tenant states to what is declared.
    pub(super) fn put_budgets(
        &mut self,
        tenant: &TenantId,
        declared: &[DeclaredBudget],
        now: Timestamp,
        changes: &mut Vec<SiteChange>,
    ) -> Result<()> {
        for budget in declared {
            let stated = budget.statement(now);
            let mut book = self.book(tenant, &budget.family);
            let known = book.kept.ledger.statement();
            if known.is_some_and(|known| known.says_as(&stated)) {
                continue;
            }
            let action = if known.is_some() { "change" } else { "add" };
            let by = stated.by.clone();
            let change = book.kept.ledger.state(stated).map_err(not_stated)?;
            book.write(&by, change, now);
            self.ledgers.insert((tenant.clone(), budget.family.clone()), book);
            changes.push(SiteChange {
                action,
                kind: "budget",
                id: format!("{tenant}/{}", budget.family),
            });
        }
        Ok(())
    }
}
