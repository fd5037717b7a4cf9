//! Highest scores of months, and the ledgers that follow from them.

mod declare;
mod gate;
mod ledger;
mod past;
mod shown;

pub(crate) use declare::put as declare;
pub(crate) use gate::load as load_gates;

use crate::row::{db, sql, stored};
use crate::store::{PostgresStore, commit};
use async_trait::async_trait;
use hub_core::actor::{Act, Actor};
use hub_core::budget::change::LedgerChange;
use hub_core::budget::history::HighestScore;
use hub_core::budget::judged::JudgedTicket;
use hub_core::budget::{Budgets, Month};
use hub_core::id::TenantId;
use hub_core::release::{Predicted, Tally};
use hub_core::ticket::HUB;
use hub_store::budget::{
    BudgetStore, CallRelease, FamilyBudget, KeptLedger, changed_meanwhile, check_tenant, not_released, not_stated,
    statement,
};
use hub_store::error::{Result, not_found};
use jiff::Timestamp;
use std::collections::BTreeMap;

#[async_trait]
impl BudgetStore for PostgresStore {
    async fn budgets(&self, actor: &Actor, tenant: &TenantId) -> Result<Vec<FamilyBudget>> {
        actor.may(Act::ReadFleet)?;
        check_tenant(actor, tenant)?;
        let mut tx = self.begin_scoped(actor).await?;
        ledger::all(&mut tx, tenant).await
    }

    async fn budget(&self, actor: &Actor, tenant: &TenantId, family: &str) -> Result<Option<FamilyBudget>> {
        actor.may(Act::ReadFleet)?;
        check_tenant(actor, tenant)?;
        let mut tx = self.begin_scoped(actor).await?;
        ledger::shown(&mut tx, tenant, family).await
    }

    async fn families_used(&self, actor: &Actor, tenant: &TenantId, names: &[String]) -> Result<Vec<String>> {
        actor.may(Act::ReadFleet)?;
        check_tenant(actor, tenant)?;
        let mut tx = self.begin_scoped(actor).await?;
        shown::families_used(&mut tx, tenant, names).await
    }

    async fn release_tallies(&self, actor: &Actor, tenant: &TenantId) -> Result<Vec<(Predicted, Tally)>> {
        actor.may(Act::ReadFleet)?;
        check_tenant(actor, tenant)?;
        let mut tx = self.begin_scoped(actor).await?;
        shown::release_tallies(&mut tx, tenant).await
    }

    async fn judged_tickets(&self, actor: &Actor, tenant: &TenantId) -> Result<Vec<JudgedTicket>> {
        actor.may(Act::ReadFleet)?;
        check_tenant(actor, tenant)?;
        let mut tx = self.begin_scoped(actor).await?;
        past::judged(&mut tx, tenant).await
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
        let now = stored(now);
        let stated = statement(actor, family, budgets, faults_a_year, now)?;
        let mut tx = self.begin_scoped(actor).await?;
        let known: Option<bool> = sqlx::query_scalar("select true from tenant where id = $1")
            .bind(tenant.as_str())
            .fetch_optional(&mut *tx)
            .await
            .map_err(db)?;
        known.ok_or_else(|| not_found("tenant", tenant))?;
        ledger::has_room(&mut tx, tenant, family).await?;
        let mut kept = ledger::lock_or_make(&mut tx, tenant, family).await?;
        let change = kept.ledger.state(stated).map_err(not_stated)?;
        ledger::save(&mut tx, tenant, family, &kept).await?;
        ledger::write(&mut tx, (tenant, family), &actor.name, &[change], now).await?;
        commit(self, tx).await
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
        let now = stored(now);
        let CallRelease {
            family,
            model,
            reason,
            until,
        } = release;
        let mut tx = self.begin_scoped(actor).await?;
        let kept = ledger::lock(&mut tx, tenant, family).await?;
        let mut kept = kept.ok_or_else(|| not_found("ledger", family))?;
        let released = kept.ledger.release(model, &actor.name, reason, now, *until);
        let change = released.map_err(not_released)?;
        ledger::save(&mut tx, tenant, family, &kept).await?;
        ledger::save_model(&mut tx, tenant, family, model, &kept.ledger).await?;
        ledger::write(&mut tx, (tenant, family.as_str()), &actor.name, &[change], now).await?;
        past::end_surges(&mut tx, (tenant, family.as_str()), &kept.ledger, now).await?;
        commit(self, tx).await
    }

    async fn families_scored(&self) -> Result<Vec<(TenantId, String)>> {
        past::families(self).await
    }

    async fn families_kept(&self) -> Result<Vec<(TenantId, String)>> {
        ledger::families(self).await
    }

    async fn ledger(&self, tenant: &TenantId, family: &str) -> Result<KeptLedger> {
        let mut conn = self.pool.acquire().await.map_err(db)?;
        let kept = ledger::read(&mut conn, tenant, family).await?;
        Ok(kept.unwrap_or_default())
    }

    async fn scores_of(
        &self,
        tenant: &TenantId,
        family: &str,
        month: Month,
    ) -> Result<BTreeMap<String, Vec<HighestScore>>> {
        past::scores(self, tenant, family, month).await
    }

    async fn tickets_opened(
        &self,
        tenant: &TenantId,
        family: &str,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<BTreeMap<String, u32>> {
        past::opened(self, tenant, family, (since, until)).await
    }

    async fn save_ledger(
        &self,
        tenant: &TenantId,
        family: &str,
        kept: &KeptLedger,
        changes: &[LedgerChange],
        now: Timestamp,
    ) -> Result<()> {
        let now = stored(now);
        let mut tx = self.begin_fenced().await?;
        let known = ledger::lock_or_make(&mut tx, tenant, family).await?;
        if known.revision != kept.revision {
            return Err(changed_meanwhile());
        }
        ledger::save(&mut tx, tenant, family, kept).await?;
        ledger::save_models(&mut tx, tenant, family, &known.ledger, &kept.ledger).await?;
        ledger::write(&mut tx, (tenant, family), HUB, changes, now).await?;
        if kept.ledger.wakes_findings(&known.ledger) {
            past::wake(&mut tx, tenant, family, now).await?;
        }
        past::end_surges(&mut tx, (tenant, family), &kept.ledger, now).await?;
        commit(self, tx).await
    }

    async fn sweep_scores(&self, now: Timestamp, limit: usize) -> Result<u64> {
        let Some(now) = self.gate.as_of(now) else {
            return Ok(0);
        };
        past::sweep(self, now, limit).await
    }
}

/// Appliance model of an appliance `a` with its birth message `h`.
macro_rules! appliance_model {
    () => {
        "coalesce(nullif(h.model, ''), a.profile)"
    };
}
pub(crate) use appliance_model;

/// Model family of a finding `f`.
macro_rules! family {
    () => {
        "split_part(f.prediction->>'model', '/', 1)"
    };
}
pub(crate) use family;

/// A time as the id of a ticket that was opened then, or before any of the same millisecond.
fn first_id(at: Timestamp) -> uuid::Uuid {
    hub_core::id::TicketId::new(at, [0; 10]).0
}

/// Both ends of a span, as the database takes them.
fn span(of: (Timestamp, Timestamp)) -> [jiff_sqlx::Timestamp; 2] {
    [sql(of.0), sql(of.1)]
}
