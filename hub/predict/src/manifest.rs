//! `manifest.toml` of a model folder: everything about a model that is not a weight.

mod check;
mod faults;
mod generic;
mod opinion;
mod shipped;

pub use check::ManifestError;
pub(crate) use faults::Named;
pub use faults::{
    FaultsError, FaultsFile, FigureCondition, FigureRule, MetricRows, RowsRule, Share, SignatureRule, Within,
};
pub use generic::{ConditionRule, DetectorKind, Generic};
pub(crate) use generic::{Kit, channels};
pub use opinion::Input;
pub(crate) use opinion::Shown;
pub(crate) use shipped::{FAMILY, Role, role};

use std::collections::BTreeMap;

use hub_core::budget::precision::Counted;
use hub_core::families::{FaultWords, ModelWords};
use hub_core::prediction::Severity;
use hub_core::release::{Basis, EvidenceKind};
use hub_core::site::Localised;
use serde::{Deserialize, Serialize};

/// The manifest of one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Appliance family, e.g. `pump-rig`.
    pub family: String,
    /// Counts up with each trained model of the family.
    pub version: u32,
    /// Name of the appliance profile whose rows are scored.
    pub profile: String,
    /// The least profile version that has all channels used here.
    pub profile_version: u16,
    /// How rows become model steps.
    pub resampling: Resampling,
    /// Detector that judges without a network; none where baseline and autoencoder have to agree.
    pub detector: Option<Generic>,
    /// The unit's own baseline.
    pub baseline: Baseline,
    /// The autoencoder's input; none without a network. Beside `detector` it gives a second opinion when an alarm opens.
    pub autoencoder: Option<Autoencoder>,
    /// When a deviation becomes an alarm, and when it ends.
    pub persistence: Persistence,
    /// From score to probability. Beside `detector` it need not be there, and is that of alarms that have a name.
    pub probability: Option<Probability>,
    /// How a fault gets its name.
    pub classification: Classification,
    /// The features, in the order of the network's input; kind `named` may do without.
    #[serde(default)]
    pub features: Vec<Feature>,
    /// Tickets and calls that the model may cause. Stated by its maker and kept with the model; no rule of the hub reads it.
    pub budgets: Budgets,
    /// What the model's figures stand on. One that does not say is as a simulator's.
    #[serde(default)]
    pub evidence: StatedEvidence,
    /// Training data.
    pub data: Vec<DataSource>,
    /// Figures measured when the model was made, by name.
    #[serde(default)]
    pub metrics: BTreeMap<String, f64>,
}

/// How rows become model steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum Resampling {
    /// One step a period of event time; short gaps repeat the last values, longer ones empty the window.
    Period {
        /// Seconds from step to step.
        period_s: f64,
        /// The longest gap, in seconds, that is filled by repeating the last values.
        hold_gap_s: f64,
    },
    /// One step a programme run: from the first row whose phase is not idle to the row that is idle again.
    Cycle {
        /// The channel that tells the phase of the programme.
        phase_channel: String,
        /// Its value between runs.
        idle_phase: i32,
        /// Seconds from row to row while a programme runs.
        #[serde(default = "a_minute_s")]
        period_s: f64,
        /// A silence of this many seconds ends a run as well.
        gap_s: f64,
        /// A run of fewer rows is dropped (a door opened and shut, a programme given up).
        min_rows: u32,
    },
    /// One step the mean of the rows of one period of the clock in which the appliance runs; for a detector without a network.
    Mean {
        /// Seconds of a period, whole ones: periods begin where this divides the seconds since 1970.
        period_s: f64,
        /// Seconds from row to row: parts that are closer are one row, until a channel comes again.
        row_s: f64,
        /// Behind a silence of this many seconds the moving average begins at the normal again.
        gap_s: f64,
        /// A period of fewer rows makes no step.
        #[serde(default = "one_row")]
        min_rows: u32,
        /// What tells running from idle; without it all rows count.
        #[serde(default)]
        running: Option<Running>,
    },
}

/// The channel that tells running from idle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Running {
    /// Channel of the profile. A row without it is as the one before.
    pub channel: String,
    /// The appliance runs from this value on.
    pub from: f64,
}

fn one_row() -> u32 {
    1
}

fn a_minute_s() -> f64 {
    60.0
}

/// What is taken from a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Statistic {
    /// Mean of the values (for rule `period` the value itself).
    Mean,
    /// Root of the mean square.
    Rms,
    /// Rise per minute from the first to the last row of each stretch in the phases, all stretches together.
    RisePerMinute,
    /// Sum of the falls from row to row, per minute, all stretches together: what leaks even when it is topped up.
    FallPerMinute,
}

/// Division by another channel of the same row, so that what is left does not depend on how the appliance was used:
/// `value × (reference / divisor)^power`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Per {
    /// The divisor's channel; a row in which it is missing or not above 0 is left out.
    pub channel: String,
    /// The divisor's value at which nothing changes.
    pub reference: f64,
    /// 1 for proportional quantities, 2 for square ones.
    pub power: i32,
}

/// A function applied before the baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transform {
    /// The value as it is.
    #[default]
    None,
    /// Natural logarithm, of values below 1e-3 as of 1e-3: for quantities that vary by a factor.
    Log,
}

/// One input of the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// Name in predictions and signatures.
    pub name: String,
    /// What pages show for it, at most 60 characters. A feature that bears a channel's name needs none: it has the words that
    /// the profile has for that channel.
    #[serde(default)]
    pub words: Option<Localised>,
    /// Channel of the profile.
    pub channel: String,
    /// SenML unit of the feature's value before the transform.
    pub unit: String,
    /// What is taken of the channel.
    pub statistic: Statistic,
    /// Rule `cycle`: what the value is divided by.
    #[serde(default)]
    pub per: Option<Per>,
    /// Rule `cycle`: the phases looked at; empty means all.
    #[serde(default)]
    pub phases: Vec<i32>,
    /// Applied before the baseline.
    #[serde(default)]
    pub transform: Transform,
    /// Deviation, after the transform, that is harmless in this family whatever the unit's own noise. Without a network 0, or no
    /// floor, means that of the table by unit; a share of the normal for `m/s2`, `A` and `W`.
    #[serde(default)]
    pub floor: f64,
    /// A channel whose value did not change for this many steps is taken for stuck; 0 means never. Without a network a channel with
    /// one value through a whole run, and the rest before it, is stuck in any case.
    #[serde(default)]
    pub stuck_after: u32,
}

/// The unit's own baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// Length of calibration where nobody says otherwise: rows for rule `period`, programme runs for rule `cycle`.
    pub calibration: u32,
    /// Weight of the newest step in the moving average, above 0 and up to 1.
    pub ewma: f64,
    /// Share of the off-diagonal covariance that is dropped, 0 to 1. Without a network nothing is computed of it.
    #[serde(default)]
    pub shrinkage: f64,
    /// Steps in which a healthy unit's baseline follows a slow drift; 0 means it never moves.
    pub recentre_steps: f64,
    /// Mahalanobis distance from which the baseline stands still; without a network, deviation of any feature in floors.
    pub recentre_below: f64,
    /// Mahalanobis distance that counts as 1.0; without a network, deviation of the three strongest features in floors.
    pub threshold: f64,
}

/// The autoencoder's input and threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Autoencoder {
    /// Steps in a window.
    pub window: usize,
    /// Steps from one window to the next; always 1 so far.
    pub stride: usize,
    /// Scaled deviations are cut off here.
    pub clip: f32,
    /// Root of the summed channel errors that counts as 1.0.
    pub threshold: f64,
    /// Beside `detector`: seconds from step to step of the network, where those of the detector are longer.
    #[serde(default)]
    pub period_s: Option<f64>,
    /// Beside `detector`: each feature as the network was trained on it.
    #[serde(default)]
    pub inputs: BTreeMap<String, Input>,
}

/// When a deviation becomes an alarm, and when it ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Persistence {
    /// Steps for which the score must stay at 1.0 or above.
    pub hold: usize,
    /// Below this score a step counts as healthy again.
    pub clear_below: f32,
    /// Healthy steps in a row that end an alarm.
    pub clear_after: u32,
    /// Points kept for the evidence of a ticket, at most 300; without a network at most 16, which it is where nothing is said.
    #[serde(default = "few_points")]
    pub evidence_points: usize,
}

fn few_points() -> usize {
    crate::course::POINTS_MAX
}

/// Logistic calibration: `p = 1 / (1 + exp(-(offset + slope × ln(held score))))`, never above `ceiling`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probability {
    /// Offset at score 1.0.
    pub offset: f64,
    /// Per unit of the score's natural logarithm.
    pub slope: f64,
    /// What the number of held-out examples can support.
    pub ceiling: f64,
}

/// How a fault gets its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Classification {
    /// Least cosine between the deviation and a class's signature; below it the fault is unknown.
    #[serde(default = "the_same")]
    pub min_cosine: f64,
    /// Severity of an unknown fault.
    pub unknown_severity: Severity,
    /// The classes.
    #[serde(default)]
    pub classes: Vec<FaultClass>,
}

fn the_same() -> f64 {
    1.0
}

/// One fault class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultClass {
    /// Name, as in findings and tickets.
    pub name: String,
    /// What pages show for it, at most 60 characters.
    pub words: Localised,
    /// What an owner hears about it, a sentence or two of at most 160 characters. It is read aloud.
    pub spoken: Localised,
    /// How bad it gets.
    pub severity: Severity,
    /// Direction of the scaled deviation by feature; features not named are 0. Without a network none: `faults.toml` has what it moves.
    #[serde(default)]
    pub signature: BTreeMap<String, f64>,
}

/// What the model may cause per 1,000 appliances and month.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budgets {
    /// Tickets.
    pub tickets: f64,
    /// Calls.
    pub calls: f64,
}

/// What the figures of a model stand on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatedEvidence {
    /// Kind of evidence.
    pub kind: EvidenceKind,
    /// Kind `fleet`: verdicts of closed tickets elsewhere, by fault class. They count towards calls that nobody approves.
    #[serde(default)]
    pub verdicts: BTreeMap<String, Counted>,
}

impl StatedEvidence {
    /// What is stated for one fault class.
    pub fn basis(&self, fault_class: &str) -> Basis {
        Basis {
            kind: self.kind,
            stated: self.verdicts.get(fault_class).copied().unwrap_or_default(),
        }
    }
}

/// Where training data came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSource {
    /// What it is and who made it.
    pub name: String,
    /// Licence.
    pub licence: String,
    /// What of it was used.
    pub part: String,
}

impl Manifest {
    /// `family/version`, as on every prediction.
    pub fn id(&self) -> String {
        format!("{}/{}", self.family, self.version)
    }

    /// Whether it judges by floors alone: no network judges, and no fault has a level of its own.
    pub(crate) fn is_by_floors(&self) -> bool {
        self.kind() == Some(DetectorKind::Generic)
    }

    /// What people call its fault classes and features.
    pub fn words(&self) -> ModelWords {
        let faults = self.classification.classes.iter().map(|class| {
            let (name, spoken) = (class.words.clone(), class.spoken.clone());
            (class.name.clone(), FaultWords { name, spoken })
        });
        let own = |feature: &Feature| Some((feature.name.clone(), feature.words.clone()?));
        let figures = self.detector.iter().flat_map(|rule| rule.words.clone());
        let stated = self.evidence.verdicts.keys();
        let bases = stated.map(|class| (class.clone(), self.evidence.basis(class)));
        ModelWords {
            family: self.family.clone(),
            profile: self.profile.clone(),
            version: self.version,
            by_floors: self.is_by_floors(),
            faults: faults.collect(),
            features: self.features.iter().filter_map(own).chain(figures).collect(),
            basis: self.evidence.basis(""),
            bases: bases.collect(),
        }
    }
}
