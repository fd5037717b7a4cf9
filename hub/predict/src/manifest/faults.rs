//! `faults.toml` of a model folder of kind `named`: what is read of each programme run or period, what conditions do to it, which faults move what,
//! and how the healthy fleet wanders. Read and checked once, to what a detector goes by (`Named`).

mod check;

pub use check::FaultsError;
pub(crate) use check::Named;

use serde::{Deserialize, Serialize};

use super::Per;
use crate::generic::Speed;
use crate::run_features::Take;

/// The file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultsFile {
    /// Score, in levels for tickets, from which a ticket is opened; above 0.
    pub threshold: f64,
    /// Score, in levels for calls, from which a named fault may be called about; above 0.
    pub calls: f64,
    /// Figures by which faults are told, and those that tell a condition, in the order of the metrics; 1 to 64.
    pub compared: Vec<String>,
    /// What is read of a run or period, 1 to 64; sums behind what they are made of.
    pub figures: Vec<FigureRule>,
    /// What conditions do to compared figures.
    #[serde(default)]
    pub conditions: Vec<FigureCondition>,
    /// The faults, 1 to 32. A class may be there twice, at two speeds.
    pub signatures: Vec<SignatureRule>,
    /// Covariances of healthy deviations.
    pub metrics: MetricRows,
}

/// A figure of a run or period: of its rows, or a sum of figures before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FigureRule {
    /// Its name.
    pub name: String,
    /// Whether its natural logarithm is told.
    #[serde(default)]
    pub logarithm: bool,
    /// Rows that it is taken from.
    #[serde(default)]
    pub rows: Option<RowsRule>,
    /// Figures that it is the sum of.
    #[serde(default)]
    pub sum: Vec<Share>,
}

/// Rows that count, and what is taken of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowsRule {
    /// Channel of the profile.
    pub channel: String,
    /// Phases of the programme; none where steps are periods of the clock.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<i32>,
    /// What is taken.
    pub take: Take,
    /// Channels, and values of each with which a row counts; at most 4.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub within: Vec<Within>,
    /// Division by another channel of the same row.
    #[serde(default)]
    pub per: Option<Per>,
}

/// A range of a channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Within {
    /// Channel of the profile.
    pub channel: String,
    /// Its least value.
    pub least: f64,
    /// Its largest.
    pub most: f64,
}

/// A figure and a number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// Name of the figure.
    pub figure: String,
    /// The factor of a sum; how far a fault moves the figure when it fails; or the score for each of its usual deviations.
    pub by: f64,
}

/// Influence of a condition on a figure. A figure that tells a condition is no sign of health.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FigureCondition {
    /// Compared figure that is freed of it.
    pub figure: String,
    /// Compared figure that tells it.
    pub by: String,
    /// Its value at which nothing changes.
    pub reference: f64,
    /// Change with each unit of it.
    pub linear: f64,
    /// Change with the square of it.
    pub square: f64,
}

/// A fault that has a name, as [`crate::generic::Signature`] has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignatureRule {
    /// Class of the manifest's classification.
    pub class: String,
    /// Average by which it is looked at.
    pub speed: Speed,
    /// Score, in usual deviations, that counts as 1 for tickets; above 0.
    pub ticket_level: f64,
    /// The same for calls, not below that for tickets.
    pub call_level: f64,
    /// Compared figures that it moves; the first is what it cannot be told without.
    pub moves: Vec<Share>,
    /// Compared figure that has to bear it out.
    #[serde(default)]
    pub borne_out_by: Option<Share>,
}

/// Rows of the covariance of the compared figures, at each speed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricRows {
    /// Of the newest runs.
    pub newest: Vec<Vec<f64>>,
    /// Of the quick averages.
    pub quick: Vec<Vec<f64>>,
    /// Of the slow averages.
    pub slow: Vec<Vec<f64>>,
}
