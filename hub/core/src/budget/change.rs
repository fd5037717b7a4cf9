//! What happens to a ledger: one line of its book each, kept with who did it and when.

use super::Budgets;
use super::history::WouldHave;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Lines of a family's book that are kept; the oldest go first. With 20 appliance models three years.
pub const LINES_KEPT: usize = 1_000;

/// What happened to a ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(tag = "change", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum LedgerChange {
    /// An administrator stated budgets.
    Stated {
        /// The budgets.
        budgets: Budgets,
        /// Share of appliances that get a covered fault in a year.
        faults_a_year: f64,
    },
    /// An appliance model has other thresholds.
    Renewed {
        /// Appliance model; empty for all that have none of their own.
        model: String,
        /// Score from which a ticket is opened.
        tickets: f64,
        /// The same before; none where there was none.
        tickets_before: Option<f64>,
        /// Score that a call needs; none while too little is known for any call.
        calls: Option<f64>,
        /// The same before.
        calls_before: Option<f64>,
        /// Tickets that the threshold would have opened in the months it was taken from.
        would_open: WouldHave,
        /// Appliances' months that it was taken from.
        device_months: u32,
    },
    /// The tickets of an appliance model surge: its calls have stopped.
    Stopped {
        /// Appliance model.
        model: String,
        /// Tickets in the surge until then.
        tickets: u32,
        /// Tickets that budget and faults explain in that time.
        expected: f64,
    },
    /// A person lets calls of an appliance model go on for a while.
    Released {
        /// Appliance model.
        model: String,
        /// What they found.
        reason: String,
        /// When calls stop again, unless the surge is over by then.
        until: Timestamp,
    },
}

impl LedgerChange {
    /// Its word, as it is stored and shown.
    pub fn name(&self) -> &'static str {
        self.into()
    }
}
