//! What a model says of an appliance: the words between scorer, finding, ticket and page.

use crate::budget::precision::Counted;
use crate::release::Basis;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How bad it gets if nothing is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Comfort or running cost.
    Minor,
    /// A function will fail.
    Major,
    /// Water, heat or electricity may do damage: the owner is told not to use the appliance.
    Critical,
}

/// What a second model makes of an alarm that the first one has opened. It opens no alarm, ends none and changes no score.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, strum::VariantArray, strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum SecondOpinion {
    /// It finds the readings unusual as well.
    Agrees,
    /// It takes them for usual.
    Disagrees,
}

/// One sensor's share in an alarm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Contribution {
    /// The channel or feature, as named by the model's manifest.
    pub channel: String,
    /// Share of the whole deviation, 0 to 1.
    pub share: f32,
    /// Mean of the anomalous span, in the channel's unit.
    pub value: f64,
    /// The unit's own baseline mean, in the same unit.
    pub baseline_mean: f64,
    /// The unit's own baseline standard deviation, in the same unit.
    pub baseline_deviation: f64,
    /// SenML unit.
    pub unit: String,
}

/// A fault predicted for one appliance at one moment of event time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaultPrediction {
    /// Word of the manifest's list, or `unknown_fault`.
    pub fault_class: String,
    /// Calibrated probability that the fault is real, 0 to 1.
    pub probability: f32,
    /// Verdicts on the family's predictions that the probability stands on besides the fleet's history; none where it is the model's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdicts: Option<Counted>,
    /// How bad it gets.
    pub severity: Severity,
    /// Highest score of this deviation that was held, in units of the alarm threshold: 1.0 is the threshold.
    pub score: f32,
    /// Model and version, e.g. `washing-machine/1`.
    pub model: String,
    /// SHA-256 of that model's files, in hex: a version is what a maker calls it. None of predictions from before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_hash: Option<String>,
    /// Event time of the newest sample that was looked at.
    pub at: Timestamp,
    /// Event time from which the deviation has been seen.
    pub since: Timestamp,
    /// At most five, largest share first.
    pub top: Vec<Contribution>,
    /// Of a second model, when the alarm was opened; none where there is none, or where it had seen too little.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_opinion: Option<SecondOpinion>,
    /// The model has a level of its own for calls about this class, and it was not held: nobody is rung about it unless a person asks for
    /// that or approves it. Never of a model without such levels.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub below_call_level: bool,
    /// What the model states of its evidence for this class. Predictions of before this was kept are as a simulator's.
    #[serde(default)]
    pub basis: Basis,
}

/// The name of a fault that no listed class explains.
pub const UNKNOWN_FAULT: &str = "unknown_fault";

/// One point of the series that a ticket's chart is drawn from, frozen with the finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvidencePoint {
    /// Event time.
    pub at: Timestamp,
    /// Score in units of the threshold.
    pub score: f32,
    /// Value of each of the evidence's channels, in the channel's unit.
    pub values: Vec<f64>,
}

/// The frozen window that shows why: what a person sees on the ticket even years later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The channels shown: those of `FaultPrediction::top`, in that order.
    pub channels: Vec<Contribution>,
    /// At most 300 points, oldest first, reaching from the baseline into the anomalous span.
    pub points: Vec<EvidencePoint>,
    /// Where the anomalous span starts.
    pub anomalous_since: Timestamp,
}

/// Most points of an evidence series that are kept.
const EVIDENCE_POINTS_MAX: usize = 300;
/// Most sensors named by a prediction.
const TOP_MAX: usize = 5;

impl FaultPrediction {
    /// Model family, without the version.
    pub fn family(&self) -> &str {
        self.model
            .split_once('/')
            .map_or(self.model.as_str(), |(family, _)| family)
    }

    /// What a model says, within the bounds, and without the infinities that JSON cannot hold and nobody could read back.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.probability = finite32(self.probability).clamp(0.0, 1.0);
        self.score = finite32(self.score);
        self.top.truncate(TOP_MAX);
        self.top.iter_mut().for_each(finite_contribution);
        self
    }
}

impl Evidence {
    /// In the place of evidence that was not read, since nobody looks at it.
    pub fn left_out() -> Self {
        Self {
            channels: Vec::new(),
            points: Vec::new(),
            anomalous_since: Timestamp::UNIX_EPOCH,
        }
    }

    /// As [`FaultPrediction::bounded`]: the newest points are kept.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.channels.truncate(TOP_MAX);
        self.channels.iter_mut().for_each(finite_contribution);
        let over = self.points.len().saturating_sub(EVIDENCE_POINTS_MAX);
        self.points.drain(..over);
        for point in &mut self.points {
            point.score = finite32(point.score);
            point.values.iter_mut().for_each(finite64);
        }
        self
    }
}

fn finite_contribution(contribution: &mut Contribution) {
    contribution.share = finite32(contribution.share);
    finite64(&mut contribution.value);
    finite64(&mut contribution.baseline_mean);
    finite64(&mut contribution.baseline_deviation);
}

/// Beyond these a stored number does not come back: JSON would spell it out in hundreds of digits.
const LARGEST_32: f32 = 1e30;
const LARGEST_64: f64 = 1e100;

fn finite32(value: f32) -> f32 {
    if value.is_nan() {
        0.0
    } else {
        value.clamp(-LARGEST_32, LARGEST_32)
    }
}

fn finite64(value: &mut f64) {
    *value = if value.is_nan() {
        0.0
    } else {
        value.clamp(-LARGEST_64, LARGEST_64)
    };
}
