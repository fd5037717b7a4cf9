//! Budgets: what each month's highest scores were, what people stated, and the ledgers that follow. Rules are in
//! [`hub_core::budget`]; a store keeps what they look at and what they say.

use crate::error::{Result, StoreError, not_found};
use async_trait::async_trait;
use hub_core::actor::Actor;
use hub_core::budget::change::LedgerChange;
use hub_core::budget::history::HighestScore;
use hub_core::budget::judged::JudgedTicket;
use hub_core::budget::ledger::{Ledger, Statement, StatementError};
use hub_core::budget::surge::ReleaseError;
use hub_core::budget::{Budgets, Month};
use hub_core::id::{ApplianceId, TenantId};
use hub_core::release::{Predicted, Tally};
use hub_core::site::check_family;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Families of a tenant of which budgets are stated or scores looked at, as far as people add to them: each is looked at once a minute.
pub const FAMILIES_MAX: usize = 100;
/// Predictions of a tenant, by model and fault class, whose verdicts are listed.
pub const RELEASES_SHOWN: usize = 1_000;
/// Lines of a family's book that are shown, the newest.
pub const LINES_SHOWN: usize = 100;

/// The highest held score of an appliance in a month, so far.
#[derive(Debug, Clone, PartialEq)]
pub struct MonthScore {
    /// The appliance.
    pub appliance: ApplianceId,
    /// Model family.
    pub family: String,
    /// Month of the readings (UTC).
    pub month: Month,
    /// The score.
    pub score: f32,
}

/// The ledger of a family, as it is kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KeptLedger {
    /// The ledger.
    pub ledger: Ledger,
    /// Counts its changes; 0 where nothing is kept yet.
    pub revision: i64,
}

/// A line of a family's book.
#[derive(Debug, Clone, PartialEq)]
pub struct LedgerLine {
    /// When it happened.
    pub at: Timestamp,
    /// Who did it: a log-in name, `site file`, or `hub`.
    pub by: String,
    /// What happened.
    pub change: LedgerChange,
}

/// What is shown of a family.
#[derive(Debug, Clone, PartialEq)]
pub struct FamilyBudget {
    /// Model family.
    pub family: String,
    /// Its ledger.
    pub ledger: Ledger,
    /// Newest lines of its book, newest first.
    pub lines: Vec<LedgerLine>,
}

/// Which calls are released, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRelease {
    /// Model family.
    pub family: String,
    /// Appliance model.
    pub model: String,
    /// What was found; 1 to 500 characters.
    pub reason: String,
    /// When calls stop again, unless the surge is over by then; at most 30 days ahead.
    pub until: Timestamp,
}

/// Budgets and ledgers.
#[async_trait]
pub trait BudgetStore: Send + Sync {
    /// The ledgers of a tenant's families, by name: of each that is reviewed, or of which something was stated.
    async fn budgets(&self, actor: &Actor, tenant: &TenantId) -> Result<Vec<FamilyBudget>>;

    /// The ledger of one family; none where nothing is kept of it.
    async fn budget(&self, actor: &Actor, tenant: &TenantId, family: &str) -> Result<Option<FamilyBudget>>;

    /// Those of these names that appliances of a tenant have as their profile or their model.
    async fn families_used(&self, actor: &Actor, tenant: &TenantId, names: &[String]) -> Result<Vec<String>>;

    /// What people of a tenant made of predictions, by model and fault class; the first [`RELEASES_SHOWN`].
    async fn release_tallies(&self, actor: &Actor, tenant: &TenantId) -> Result<Vec<(Predicted, Tally)>>;

    /// Closed tickets of a tenant, newest first, with their outcomes as they stand; at most
    /// [`hub_core::budget::judged::JUDGED_MAX`].
    async fn judged_tickets(&self, actor: &Actor, tenant: &TenantId) -> Result<Vec<JudgedTicket>>;

    /// Takes what the actor states about a family: budgets, and the share of appliances that get a covered fault in a year. `Refused`
    /// where it cannot be true, the family cannot be one by its name, or the tenant has [`FAMILIES_MAX`] others already.
    async fn state_budget(
        &self,
        actor: &Actor,
        tenant: &TenantId,
        family: &str,
        budgets: Budgets,
        faults_a_year: f64,
        now: Timestamp,
    ) -> Result<()>;

    /// Lets calls that a surge has stopped go on: those that were held for it alone are due now. A `Conflict` where none have stopped.
    async fn release_calls(
        &self,
        actor: &Actor,
        tenant: &TenantId,
        release: &CallRelease,
        now: Timestamp,
    ) -> Result<()>;

    /// Families to review: each of which a score of an appliance of the tenant is kept, and each that has a ledger.
    async fn families_scored(&self) -> Result<Vec<(TenantId, String)>>;

    /// Families that have a ledger, whose breakers count.
    async fn families_kept(&self) -> Result<Vec<(TenantId, String)>>;

    /// The ledger of a family; an empty one where none is kept yet.
    async fn ledger(&self, tenant: &TenantId, family: &str) -> Result<KeptLedger>;

    /// The highest score of each appliance of a tenant that a family watched in a month, by appliance model: what its device says of
    /// itself, or else its profile. A million appliances take 40 MB.
    async fn scores_of(
        &self,
        tenant: &TenantId,
        family: &str,
        month: Month,
    ) -> Result<BTreeMap<String, Vec<HighestScore>>>;

    /// Tickets that were opened for predictions of a family from `since` on and before `until`, by appliance model.
    async fn tickets_opened(
        &self,
        tenant: &TenantId,
        family: &str,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<BTreeMap<String, u32>>;

    /// Keeps a ledger in place of the one that was read, with lines of its book; of these the last
    /// [`hub_core::budget::change::LINES_KEPT`] stay. Only entries that have changed are written. Where
    /// [`Ledger::wakes_findings`], open findings that a level has come down to get their ticket with the next batch of the scorer; calls
    /// that were held for a surge that is over are due. `Conflict` where somebody else has changed it meanwhile.
    async fn save_ledger(
        &self,
        tenant: &TenantId,
        family: &str,
        kept: &KeptLedger,
        changes: &[LedgerChange],
        now: Timestamp,
    ) -> Result<()>;

    /// Takes out about `limit` scores of months that are not looked at any more, or lie ahead. Answers with how many they were; none goes
    /// that is not too old by what [`crate::retention::UpkeepStore::vouch`] has said last.
    async fn sweep_scores(&self, now: Timestamp, limit: usize) -> Result<u64>;
}

/// Months of which scores are kept at this time: a year, the one that runs, and the next, since clocks of devices may be ahead.
pub fn months_kept(now: Timestamp) -> std::ops::RangeInclusive<Month> {
    let month = Month::at(now);
    let year = i32::try_from(hub_core::budget::history::MONTHS_MAX).unwrap_or(i32::MAX);
    month.plus(-year)..=month.plus(1)
}

/// Whether the tenant is theirs to ask about.
///
/// # Errors
///
/// `NotFound`: to them there is no such tenant.
pub fn check_tenant(actor: &Actor, tenant: &TenantId) -> Result<()> {
    if actor.includes(tenant) {
        return Ok(());
    }
    Err(not_found("tenant", tenant))
}

/// A release that is refused.
pub fn not_released(error: ReleaseError) -> StoreError {
    match error {
        ReleaseError::NotStopped => StoreError::Conflict(error.to_string()),
        ReleaseError::Until | ReleaseError::Reason => StoreError::Refused(error.to_string()),
    }
}

/// What somebody states about a family, if it can be one by its name.
///
/// # Errors
///
/// `Refused` where it cannot.
pub fn statement(
    actor: &Actor,
    family: &str,
    budgets: Budgets,
    faults_a_year: f64,
    now: Timestamp,
) -> Result<Statement> {
    check_family(family).map_err(StoreError::Refused)?;
    Ok(Statement {
        budgets,
        faults_a_year,
        by: actor.name.clone(),
        at: now,
    })
}

/// A statement that is refused.
pub fn not_stated(error: StatementError) -> StoreError {
    StoreError::Refused(error.to_string())
}

/// Why nothing is stated of another family.
pub fn too_many_families(tenant: &TenantId) -> StoreError {
    StoreError::Refused(format!(
        "tenant {tenant} has {FAMILIES_MAX} model families with budgets or scores already, and may not have more"
    ))
}

/// Why a ledger is not kept: it is another one by now.
pub fn changed_meanwhile() -> StoreError {
    StoreError::Conflict("somebody else has changed this ledger; look again".to_owned())
}
