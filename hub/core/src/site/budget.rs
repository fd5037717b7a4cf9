//! Budgets of false tickets and calls, as a site file declares them.

use crate::budget::ledger::Statement;
use crate::budget::precision::FAULTS_A_YEAR;
use crate::budget::{Budget, Budgets};
use jiff::Timestamp;
use serde::Deserialize;

/// Longest name of a model family, in bytes.
pub const FAMILY_LEN_MAX: usize = 64;
/// Who states what a site file declares.
const SITE_FILE: &str = "site file";

/// What a tenant accepts of a model family, per 1,000 appliances and month.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredBudget {
    /// Model family, e.g. `washing-machine`.
    pub family: String,
    /// False tickets; without it, as by default.
    #[serde(default = "tickets")]
    pub tickets: Budget,
    /// False calls, at most as many as false tickets; without it, as by default.
    #[serde(default = "calls")]
    pub calls: Budget,
    /// Share of appliances that get a covered fault in a year, from 0.0001 to 0.5; without it, 0.01.
    #[serde(default = "faults_a_year")]
    pub faults_a_year: f64,
}

fn tickets() -> Budget {
    Budgets::default().tickets
}

fn calls() -> Budget {
    Budgets::default().calls
}

fn faults_a_year() -> f64 {
    FAULTS_A_YEAR
}

impl DeclaredBudget {
    /// As it is stated in a ledger.
    pub fn statement(&self, at: Timestamp) -> Statement {
        Statement {
            budgets: Budgets {
                tickets: self.tickets,
                calls: self.calls,
            },
            faults_a_year: self.faults_a_year,
            by: SITE_FILE.to_owned(),
            at,
        }
    }

    /// Why it cannot be stated, if so.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub fn check(&self) -> Result<(), String> {
        check_family(&self.family)?;
        self.statement(Timestamp::UNIX_EPOCH)
            .check()
            .map_err(|error| error.to_string())
    }
}

/// Whether this can be the name of a model family; if not, what is wanted.
///
/// # Errors
///
/// What is wanted.
pub fn check_family(family: &str) -> Result<(), String> {
    let is_named = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if (1..=FAMILY_LEN_MAX).contains(&family.len()) && family.chars().all(is_named) {
        return Ok(());
    }
    Err(format!(
        "a model family has 1 to {FAMILY_LEN_MAX} letters, digits, '-', '_' and '.'"
    ))
}
