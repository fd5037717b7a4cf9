//! The ledger of a family of appliances: what administrators stated, when and who, and the thresholds, breakers and verdicts that follow. It
//! is what is stored and shown; how thresholds are found is no concern of it.

mod review;

use super::change::LedgerChange;
use super::history::{History, WouldHave};
use super::judged::Bin;
use super::level::{self, Thresholds};
use super::precision::{FAULTS_A_YEAR, Faults, Precision, ScoreBand, Verdicts, belief, recall};
use super::surge::SurgeBreaker;
use super::{BudgetError, Budgets, Draws, Month};
use crate::outcome::Verdict;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Statements that are kept; the oldest go first.
pub const STATEMENTS_MAX: usize = 200;
/// Shares of faults a year that can be stated.
const FAULTS_A_YEAR_BOUNDS: (f64, f64) = (0.0001, 0.5);
/// Stands for every appliance model that has no entry of its own: it has the thresholds of the whole family.
pub const OTHER_MODELS: &str = "";

/// What an administrator stated for a family.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    /// Budgets of false tickets and false calls.
    pub budgets: Budgets,
    /// Share of appliances that get a covered fault in a year, by service statistics; from 0.0001 to 0.5.
    #[serde(default = "faults_a_year")]
    pub faults_a_year: f64,
    /// Log-in name of the administrator.
    pub by: String,
    /// When they stated it.
    pub at: Timestamp,
}

/// Why a statement is refused.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum StatementError {
    /// The budgets contradict each other.
    #[error(transparent)]
    Budget(#[from] BudgetError),
    /// Beyond the bounds, or not a number.
    #[error("the share of appliances with a fault in a year is from 0.0001 to 0.5, not {0}")]
    FaultsAYear(f64),
}

/// The ledger of one family.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// Oldest first; at most 200.
    #[serde(default)]
    statements: Vec<Statement>,
    /// What holds for each appliance model, by its name.
    #[serde(default)]
    models: BTreeMap<String, ModelEntry>,
    /// Verdicts on the family's predictions.
    #[serde(default)]
    verdicts: BTreeMap<ScoreBand, Verdicts>,
    /// Stated probabilities against what people found, by tenths.
    #[serde(default)]
    reliability: Vec<Bin>,
    /// Highest scores of appliances with a confirmed fault, oldest first; at most 500.
    #[serde(default)]
    faults: Vec<f32>,
    /// Appliances that the family watched in the newest whole month.
    #[serde(default)]
    watched: u32,
    /// When it was reviewed last; none before the first time.
    #[serde(default)]
    reviewed_at: Option<Timestamp>,
    /// Tickets that were opened before this have been counted by the breakers.
    #[serde(default)]
    counted_to: Option<Timestamp>,
}

/// What holds for one appliance model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelEntry {
    /// Thresholds in force; none while the family has too few months.
    #[serde(default)]
    pub thresholds: Option<Thresholds>,
    /// Tickets that the threshold in force would have opened in the months it was taken from.
    #[serde(default)]
    pub tickets: WouldHave,
    /// Calls, likewise.
    #[serde(default)]
    pub calls: WouldHave,
    /// The breaker of its calls.
    #[serde(default)]
    pub breaker: SurgeBreaker,
    /// Appliances that were watched in the newest whole month.
    #[serde(default)]
    pub watched: u32,
}

impl Statement {
    /// Checks that it can be true.
    ///
    /// # Errors
    ///
    /// [`StatementError`].
    pub fn check(&self) -> Result<(), StatementError> {
        self.budgets.check()?;
        let (lowest, highest) = FAULTS_A_YEAR_BOUNDS;
        if !(lowest..=highest).contains(&self.faults_a_year) {
            return Err(StatementError::FaultsAYear(self.faults_a_year));
        }
        Ok(())
    }

    /// Whether it says what the other one says.
    pub fn says_as(&self, other: &Self) -> bool {
        (self.budgets, self.faults_a_year) == (other.budgets, other.faults_a_year)
    }
}

impl Ledger {
    /// What holds now, of what was stated; none before anybody stated anything.
    pub fn statement(&self) -> Option<&Statement> {
        self.statements.last()
    }

    /// All statements that are kept, oldest first.
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// Budgets in force: the stated ones, or the default.
    pub fn budgets(&self) -> Budgets {
        self.statement()
            .map_or_else(Budgets::default, |statement| statement.budgets)
    }

    /// Share of appliances that get a covered fault in a year: as stated, or 1 %.
    pub fn faults_a_year(&self) -> f64 {
        self.statement()
            .map_or(FAULTS_A_YEAR, |statement| statement.faults_a_year)
    }

    /// Takes a statement. Thresholds follow with the next [`Ledger::renew`]; they rise at once and come down slowly.
    ///
    /// # Errors
    ///
    /// [`StatementError`]; nothing has changed then.
    pub fn state(&mut self, statement: Statement) -> Result<LedgerChange, StatementError> {
        statement.check()?;
        let change = LedgerChange::Stated {
            budgets: statement.budgets,
            faults_a_year: statement.faults_a_year,
        };
        self.statements.push(statement);
        let too_many = self.statements.len().saturating_sub(STATEMENTS_MAX);
        self.statements.drain(..too_many);
        Ok(change)
    }

    /// The thresholds for `month`, from what is known of each appliance model of the family until its first day and the family's `first`
    /// level, where it has one. A model of which nothing is known any more keeps what it had. Answers with what has changed.
    pub fn renew(
        &mut self,
        month: Month,
        first: Option<f64>,
        histories: &BTreeMap<String, History>,
        draws: &mut Draws,
    ) -> Vec<LedgerChange> {
        let in_force = |(model, entry): (&String, &ModelEntry)| Some((model.clone(), entry.thresholds.clone()?));
        let before = self.models.iter().filter_map(in_force).collect();
        let mut changes = Vec::new();
        for (model, thresholds) in level::renew(month, self.budgets(), first, histories, &before, draws) {
            let would_have = |score| {
                histories
                    .get(&model)
                    .map(|history| history.would_have(score))
                    .unwrap_or_default()
            };
            let tickets = would_have(thresholds.tickets.in_force);
            let calls = thresholds
                .calls
                .map(|calls| would_have(calls.in_force))
                .unwrap_or_default();
            let entry = self.models.entry(model.clone()).or_default();
            (entry.tickets, entry.calls) = (tickets, calls);
            let last = entry.thresholds.replace(thresholds.clone());
            changes.extend(renewed(model, last.as_ref(), &thresholds, tickets));
        }
        changes
    }

    /// What holds for an appliance model.
    pub fn model(&self, model: &str) -> Option<&ModelEntry> {
        self.models.get(model)
    }

    /// The breaker of an appliance model, to count or release.
    pub fn breaker(&mut self, model: &str) -> &mut SurgeBreaker {
        &mut self.models.entry(model.to_owned()).or_default().breaker
    }

    /// Takes the verdict on a prediction of this band.
    pub fn observe(&mut self, band: ScoreBand, verdict: Verdict, now: Month) {
        self.verdicts
            .entry(band)
            .or_insert_with(|| Verdicts::new(now))
            .observe(verdict, now);
    }

    /// A verdict of the month `given` was corrected: what was learned from it is taken back.
    pub fn take_back(&mut self, band: ScoreBand, verdict: Verdict, given: Month, now: Month) {
        if let Some(verdicts) = self.verdicts.get_mut(&band) {
            verdicts.take_back(verdict, given, now);
        }
    }

    /// How sure a prediction with this score is, for an appliance model that has thresholds. `fleet` are confirmed faults of the
    /// family, `simulated` those of a simulator, each with those that reached the score.
    pub fn precision(
        &self,
        model: &str,
        score: f64,
        fleet: Faults,
        simulated: Faults,
        now: Month,
    ) -> Option<Precision> {
        let thresholds = self.models.get(model)?.thresholds.as_ref()?;
        let band = ScoreBand::of(score, thresholds.calls.map(|calls| calls.in_force));
        let verdicts = self.verdicts.get(&band).copied().unwrap_or_else(|| Verdicts::new(now));
        let harmless_rate = thresholds.tails.rate_at_most(score);
        let belief = belief(self.faults_a_year(), recall(fleet, simulated), harmless_rate);
        Some(verdicts.precision(belief, now))
    }
}

fn faults_a_year() -> f64 {
    FAULTS_A_YEAR
}

/// The line of the book about other thresholds; none where both are what they were.
fn renewed(model: String, last: Option<&Thresholds>, now: &Thresholds, would_open: WouldHave) -> Option<LedgerChange> {
    let levels = |thresholds: &Thresholds| {
        let calls = thresholds.calls.map(|calls| calls.in_force);
        (thresholds.tickets.in_force, calls)
    };
    let ((tickets, calls), before) = (levels(now), last.map(levels));
    (before != Some((tickets, calls))).then(|| LedgerChange::Renewed {
        model,
        tickets,
        tickets_before: before.map(|(tickets, _)| tickets),
        calls,
        calls_before: before.and_then(|(_, calls)| calls),
        would_open,
        device_months: now.device_months,
    })
}
