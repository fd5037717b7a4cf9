//! What each fault moves, and from which score on it counts.

use serde::{Deserialize, Serialize};

use super::super::condition::Condition;
use super::metric::{Measured, Metric};
use super::signs::Signs;

/// Purity from which a fault may be named to an owner: a call asks for it, a ticket does not.
const NAMED_FROM: f64 = 0.7;

/// Average by which a fault is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speed {
    /// Of the newest step alone, which has to stand for the hold time: for faults of days whose channels scatter little.
    Newest,
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
    /// Channel that has to bear it out, and the score for each of its usual deviations, at the most: negative where it goes down. A sensor
    /// that has begun to scatter looks like a motor that does, and brakes no drum.
    pub borne_out_by: Option<(usize, f64)>,
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
    /// How the healthy fleet wanders, by the newest steps and by both averages.
    pub metrics: Metrics,
    /// Score, in levels, from which a ticket is opened.
    pub threshold: f64,
}

impl NamedFaults {
    /// Where a figure is beside what is usual: its deviation by an average, and one that is usual for the appliance. None while its normal is learned, or where it has
    /// been silent.
    pub fn apart(&self, signs: &Signs, channel: usize, speed: Speed) -> Option<(f64, f64)> {
        let apart = signs.deviations(speed).get(channel).copied().flatten()?;
        Some((apart, signs.usual(channel, speed, self.metrics.of(speed))))
    }
}

/// A metric for each [`Speed`].
#[derive(Debug, Clone, PartialEq)]
pub struct Metrics {
    /// Of the newest steps.
    pub newest: Metric,
    /// Of the quick averages.
    pub quick: Metric,
    /// Of the slow averages.
    pub slow: Metric,
}

impl Metrics {
    /// The metric of a speed.
    pub fn of(&self, speed: Speed) -> &Metric {
        match speed {
            Speed::Newest => &self.newest,
            Speed::Quick => &self.quick,
            Speed::Slow => &self.slow,
        }
    }
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
        let borne_out = signature
            .borne_out_by
            .map_or(f64::MAX, |(channel, by)| by * measured.usual(channel));
        Self {
            score: (far * purity).min(borne_out).max(0.0),
            purity,
        }
    }

    /// Whether it may be named.
    pub(super) fn is_named(self) -> bool {
        self.purity >= NAMED_FROM
    }
}
