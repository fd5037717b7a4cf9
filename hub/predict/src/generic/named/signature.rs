//! What each fault moves, and from which score on it counts.

use super::super::condition::Condition;
use super::metric::{Measured, Metric};

/// Purity from which a fault may be named to an owner: a call asks for it, a ticket does not.
const NAMED_FROM: f64 = 0.7;

/// Average by which a fault is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speed {
    /// Of the newest few steps: for faults of weeks whose channels scatter little.
    Quick,
    /// Of the newest twenty or so.
    Slow,
}

/// A fault that has a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Signature {
    /// Fault class.
    pub class: String,
    /// Channels that it moves, by index, and how far each when it fails, on the scale of their values. The first is the one that it cannot
    /// be told without.
    pub moves: Vec<(usize, f64)>,
    /// How it is looked at.
    pub speed: Speed,
    /// Score that counts as 1 for tickets: the rule of budgets on the fleet's own months.
    pub ticket_level: f64,
    /// The same for calls.
    pub call_level: f64,
}

/// What is known of an appliance model's faults.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedFaults {
    /// The faults. One class may be there twice, at both speeds.
    pub signatures: Vec<Signature>,
    /// What conditions do to channels.
    pub conditions: Vec<Condition>,
    /// How the healthy fleet wanders, by the quick and by the slow averages.
    pub quick: Metric,
    /// By the slow averages.
    pub slow: Metric,
    /// Score, in levels, from which a ticket is opened.
    pub threshold: f64,
}

/// A fault beside the deviations of one appliance.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Likeness {
    /// How far the appliance went in the fault's direction, in usual deviations, times the purity.
    pub(super) score: f64,
    /// Share of that in all that it went.
    pub(super) purity: f64,
}

impl Likeness {
    pub(super) fn of(measured: &Measured, signature: &Signature) -> Self {
        let Some((far, purity)) = measured.along(&signature.moves) else {
            return Self::default();
        };
        Self {
            score: far * purity,
            purity,
        }
    }

    /// Whether it may be named.
    pub(super) fn is_named(self) -> bool {
        self.purity >= NAMED_FROM
    }
}
