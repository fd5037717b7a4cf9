//! What a detector takes for an appliance's normal, as people are told of it: a view of the state that was saved last, or why there is
//! none. It knows no detector and no form of a state.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a detector takes for normal.
#[derive(Debug, Clone, PartialEq)]
pub struct LearnedNormal {
    /// When the state was saved of which this is a view: what came since is not in it.
    pub as_of: Timestamp,
    /// Model and version that watch the appliance, e.g. `pump-rig/1`.
    pub model: String,
    /// How far learning has come.
    pub stage: NormalStage,
    /// What `calibrated` and `calibration` count.
    pub counted: Counted,
    /// Seconds of a period, where periods are counted.
    pub period_s: Option<f64>,
    /// Readings, runs or periods that are taken for the normal.
    pub calibrated: u32,
    /// How many of them are needed.
    pub calibration: u32,
    /// Steps that were compared with the normal, up to 65,535; none where the detector does not count them.
    pub compared: Option<u32>,
    /// Event time of the reading since which the appliance has been watched without a break; none while it is not.
    pub watched_since: Option<Timestamp>,
    /// Feature that was not of one state, so that the calibration began again the last time.
    pub refused_by: Option<String>,
    /// What is known of each feature, in the model's order, at most 64, and behind them of each figure that named faults are told by, at most
    /// 64; empty until the calibration has ended.
    pub features: Vec<NormalFeature>,
}

/// How far a detector has come with learning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
pub enum NormalStage {
    /// The normal is being learned.
    Calibrating,
    /// No stretch of one state was found for so long that it is said. The search goes on.
    CannotCalibrate,
    /// Readings are compared with the normal.
    Calibrated,
}

/// What a calibration counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// Readings, all channels of a moment together.
    Readings,
    /// Programme runs.
    Runs,
    /// Periods of the clock in which the appliance ran.
    Periods,
}

/// What is known of one feature.
#[derive(Debug, Clone, PartialEq)]
pub struct NormalFeature {
    /// Name, as the model's manifest has it.
    pub name: String,
    /// SenML unit of its values.
    pub unit: String,
    /// Why it is not compared now, if so.
    pub left_out: Option<LeftOut>,
    /// What is normal for it; none where it was not learned.
    pub normal: Option<Normal>,
}

/// Why a feature is not compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
pub enum LeftOut {
    /// It has had no value for some steps, or what it depends on has had none.
    Silent,
    /// Its sensor repeats one value.
    Stuck,
    /// Too little of the calibration had it.
    NotCalibrated,
    /// It tells a condition, of which others are freed, and is no sign of health itself.
    Condition,
}

/// What is normal for a feature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normal {
    /// The value that is normal now, in the feature's unit: it follows slow changes.
    pub now: f64,
    /// The value that was normal at the end of the calibration, in the feature's unit, where the detector keeps it.
    pub first: Option<f64>,
    /// Moving average of the newest values, in the feature's unit.
    pub average: f64,
    /// Values are compared by their ratio: `floor` and `harmless` are shares of the normal (natural logarithms), not in the unit.
    pub by_ratio: bool,
    /// Deviation that is harmless whatever the appliance itself varies by.
    pub floor: f64,
    /// The same with what the appliance itself varies by: what a deviation counts in.
    pub harmless: f64,
    /// How far the average is from what is normal now, in `harmless`. Negative is below.
    pub deviation: f64,
    /// How far the average is from what was normal at first, as the detector counts it: in floors of twice the width. Negative is below.
    pub deviation_from_first: Option<f64>,
}

impl Normal {
    /// All of it is a number: of a damaged state that may not be so.
    pub fn is_finite(&self) -> bool {
        let sure = [self.now, self.average, self.floor, self.harmless, self.deviation];
        let kept = [self.first, self.deviation_from_first].into_iter().flatten();
        sure.into_iter().chain(kept).all(f64::is_finite)
    }
}

/// Why nothing is known of an appliance's normal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
pub enum NoNormal {
    /// No model watches the appliance.
    NoModel,
    /// No state was saved yet: no reading has come, or the first ones came a short while ago.
    NothingSaved,
    /// The baseline was restarted, by a repair or with another owner, profile or firmware, and nothing was saved since.
    Restarted,
    /// What was saved is of another model or version, or of other features: the normal is learned again from the next readings.
    OtherModel,
    /// What was saved cannot be read: the normal is learned again.
    Unreadable,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_normal_that_holds_no_number_is_told_from_others() {
        let normal = Normal {
            now: 1.2,
            first: None,
            average: 1.3,
            by_ratio: false,
            floor: 0.1,
            harmless: 0.12,
            deviation: 0.8,
            deviation_from_first: Some(0.4),
        };
        assert!(normal.is_finite());
        let spoiled = [
            Normal {
                now: f64::NAN,
                ..normal
            },
            Normal {
                first: Some(f64::INFINITY),
                ..normal
            },
            Normal {
                deviation_from_first: Some(f64::NAN),
                ..normal
            },
        ];
        assert!(spoiled.iter().all(|normal| !normal.is_finite()));
    }
}
