//! Model families: budgets, scores that follow, breakers, and what became of predictions.

use super::{Floors, Release};
use crate::api::models_list::ShownModel;
use crate::api::schema;
use hub_core::budget::history::WouldHave;
use hub_core::budget::judged;
use hub_core::budget::ledger::{Ledger, ModelEntry, OTHER_MODELS};
use hub_core::budget::level::{Basis, Threshold, Thresholds};
use hub_core::budget::surge;
use hub_store::budget::LedgerLine;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// A model family as it stands for a tenant.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Model {
    /// Model family.
    family: String,
    /// Versions that are served.
    versions: Vec<u32>,
    /// What is accepted of it.
    budget: StatedBudget,
    /// Appliances that were watched in the newest whole month.
    watched: u32,
    /// When scores were looked at last; none before the first time.
    reviewed_at: Option<Timestamp>,
    /// What holds for each appliance model.
    appliance_models: Vec<ApplianceModel>,
    /// Stated probabilities against what people found, by tenths that have verdicts, as it was looked at last.
    reliability: Vec<ReliabilityBin>,
    /// Where its predictions stand on their way to calls that nobody approves, by version and fault class; those that people have judged.
    releases: Vec<Release>,
    /// Floors that fleets have shown, by version, profile and appliance model. Other appliances are judged by those of the model's own
    /// table, where it judges by floors.
    floors: Vec<Floors>,
    /// What happened last, newest first; at most 100 lines.
    book: Vec<BookLine>,
}

/// What an administrator accepts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StatedBudget {
    /// False tickets per 1,000 appliances and month.
    tickets: f64,
    /// False calls per 1,000 appliances and month.
    calls: f64,
    /// Share of appliances that get a fault in a year.
    faults_a_year: f64,
    /// Who stated it; none where nobody has, and this is the default.
    stated_by: Option<String>,
    /// When it was stated.
    stated_at: Option<Timestamp>,
}

/// What holds for one appliance model.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApplianceModel {
    /// What its devices say they are, or their profile; none for all that have no scores of their own.
    model: Option<String>,
    /// Appliances that were watched in the newest whole month.
    watched: u32,
    /// Scores in force; none while the family has fewer than 200 appliances' months: then alarms open tickets, of `generic` from score 3 on.
    scores: Option<Scores>,
    /// Its calls have stopped, released or not.
    stop: Option<CallStop>,
}

/// Scores that a fleet's past asks for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Scores {
    /// Month from which they hold, as `2026-03`.
    month: String,
    /// Whose months they were taken from: its own, or those of the whole family and 15 % more.
    #[schema(schema_with = schema::words::<Basis>)]
    basis: Basis,
    /// Score from which a ticket is opened.
    tickets: Score,
    /// Score that a call needs; none while too little is known for any call.
    calls: Option<Score>,
    /// Appliances that they were taken from.
    appliances: u32,
    /// Appliances' months that they were taken from.
    device_months: u32,
    /// Tickets that this score would have opened in those months.
    would_open: Would,
    /// Calls that the other score would have allowed.
    would_call: Would,
}

/// One score, in units of the alarm threshold.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Score {
    /// Counts from now on.
    in_force: f64,
    /// What the budget asks for, or the family's first level; below the one in force while that comes down.
    wanted: f64,
    /// Ten and ninety per cent of samples of the appliances ask for less than these.
    low: f64,
    /// The upper one.
    high: f64,
}

/// What a score would have come to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Would {
    /// Without a confirmed fault: false, as far as anybody knows.
    unconfirmed: u32,
    /// With one.
    confirmed: u32,
}

/// Calls have stopped since tickets surge.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CallStop {
    /// When they did.
    at: Timestamp,
    /// Tickets in the surge until then.
    tickets: u32,
    /// Tickets that budget and faults explain.
    expected: f64,
    /// A person lets them go on.
    release: Option<CallReleased>,
}

/// A person lets calls go on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CallReleased {
    /// Log-in name.
    by: String,
    /// What they found.
    reason: String,
    /// When they released them.
    at: Timestamp,
    /// When calls stop again, unless the surge is over by then.
    until: Timestamp,
}

/// Predictions of one tenth of the scale.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReliabilityBin {
    /// Mean of the stated probabilities.
    stated: f64,
    /// The predicted fault was found.
    right: u32,
    /// It was not.
    wrong: u32,
}

/// A line of the book.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BookLine {
    /// When it happened.
    at: Timestamp,
    /// Who did it: a log-in name, `site file`, or `hub`.
    by: String,
    /// What happened: `stated`, `renewed`, `stopped` or `released`, with what belongs to it.
    #[schema(value_type = Object)]
    change: serde_json::Value,
}

impl From<ShownModel> for Model {
    fn from(shown: ShownModel) -> Self {
        let ledger = &shown.budget.ledger;
        Self {
            versions: shown.versions,
            budget: ledger.into(),
            watched: ledger.watched(),
            reviewed_at: ledger.reviewed_at(),
            appliance_models: ledger.models().iter().map(Into::into).collect(),
            reliability: shown.reliability.into_iter().map(Into::into).collect(),
            releases: shown.releases.into_iter().map(Into::into).collect(),
            floors: shown.floors.into_iter().map(Into::into).collect(),
            book: shown.budget.lines.into_iter().map(Into::into).collect(),
            family: shown.budget.family,
        }
    }
}

impl From<&Ledger> for StatedBudget {
    fn from(ledger: &Ledger) -> Self {
        let (budgets, statement) = (ledger.budgets(), ledger.statement());
        Self {
            tickets: budgets.tickets.per_1000(),
            calls: budgets.calls.per_1000(),
            faults_a_year: ledger.faults_a_year(),
            stated_by: statement.map(|statement| statement.by.clone()),
            stated_at: statement.map(|statement| statement.at),
        }
    }
}

impl From<(&String, &ModelEntry)> for ApplianceModel {
    fn from((model, entry): (&String, &ModelEntry)) -> Self {
        Self {
            model: (model != OTHER_MODELS).then(|| model.clone()),
            watched: entry.watched,
            scores: entry
                .thresholds
                .as_ref()
                .map(|thresholds| Scores::of(thresholds, entry)),
            stop: entry.breaker.stop().map(Into::into),
        }
    }
}

impl Scores {
    fn of(thresholds: &Thresholds, entry: &ModelEntry) -> Self {
        Self {
            month: thresholds.month.to_string(),
            basis: thresholds.basis,
            tickets: thresholds.tickets.into(),
            calls: thresholds.calls.map(Into::into),
            appliances: thresholds.appliances,
            device_months: thresholds.device_months,
            would_open: entry.tickets.into(),
            would_call: entry.calls.into(),
        }
    }
}

impl From<Threshold> for Score {
    fn from(threshold: Threshold) -> Self {
        let (low, high) = threshold.interval;
        Self {
            in_force: threshold.in_force,
            wanted: threshold.wanted,
            low,
            high,
        }
    }
}

impl From<WouldHave> for Would {
    fn from(would: WouldHave) -> Self {
        Self {
            unconfirmed: would.unconfirmed,
            confirmed: would.confirmed,
        }
    }
}

impl From<&surge::Stop> for CallStop {
    fn from(stop: &surge::Stop) -> Self {
        Self {
            at: stop.at,
            tickets: stop.tickets,
            expected: stop.expected,
            release: stop.release.clone().map(|release| CallReleased {
                by: release.by,
                reason: release.reason,
                at: release.at,
                until: release.until,
            }),
        }
    }
}

impl From<judged::Bin> for ReliabilityBin {
    fn from(bin: judged::Bin) -> Self {
        Self {
            stated: bin.stated,
            right: bin.counted.right,
            wrong: bin.counted.wrong,
        }
    }
}

impl From<LedgerLine> for BookLine {
    fn from(line: LedgerLine) -> Self {
        Self {
            at: line.at,
            by: line.by,
            change: serde_json::to_value(line.change).unwrap_or_default(),
        }
    }
}
