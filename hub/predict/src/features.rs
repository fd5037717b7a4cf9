//! From a model step's raw values to what the baseline sees: transforms, and sensors that are missing or stuck.

use hub_core::normal::LeftOut;
use serde::{Deserialize, Serialize};

use crate::manifest::{Feature, Manifest, Transform};

/// A value below this is taken as this by [`Transform::Log`].
const LOG_FLOOR: f64 = 1e-3;

/// Steps for which a missing value is taken as unchanged before its sensor counts as missing.
const MISSING_HOLD: u32 = 10;

/// One model step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    pub(crate) at: jiff::Timestamp,
    /// Value of each feature before the transform.
    pub(crate) raw: Vec<Option<f64>>,
    /// A gap lies before this step: the window starts over.
    pub(crate) after_gap: bool,
    /// Filled in for a short gap; says nothing of the sensors.
    pub(crate) filled: bool,
}

/// What is known of each feature's sensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sensors {
    last: Vec<Option<f64>>,
    missing_for: Vec<u32>,
    same_for: Vec<u32>,
}

impl Sensors {
    pub(crate) fn new(n: usize) -> Self {
        Self {
            last: vec![None; n],
            missing_for: vec![0; n],
            same_for: vec![0; n],
        }
    }

    /// The step's values after the transform; `None` where the sensor is missing or stuck.
    pub(crate) fn observe(&mut self, step: &Step, manifest: &Manifest) -> Vec<Option<f64>> {
        manifest
            .features
            .iter()
            .enumerate()
            .map(|(i, feature)| {
                if !step.filled {
                    self.update(i, step.raw[i]);
                }
                let stuck = feature.stuck_after > 0 && self.same_for[i] >= feature.stuck_after;
                let missing = self.missing_for[i] > MISSING_HOLD;
                self.last[i]
                    .filter(|_| !stuck && !missing)
                    .map(|value| feature.transform.apply(value))
            })
            .collect()
    }

    /// Why a feature has no value in the newest step, if so.
    pub(crate) fn left_out(&self, i: usize, feature: &Feature) -> Option<LeftOut> {
        let count = |steps: &[u32]| steps.get(i).copied().unwrap_or(0);
        let is_known = self.last.get(i).is_some_and(Option::is_some);
        if !is_known || count(&self.missing_for) > MISSING_HOLD {
            Some(LeftOut::Silent)
        } else {
            let is_stuck = feature.stuck_after > 0 && count(&self.same_for) >= feature.stuck_after;
            is_stuck.then_some(LeftOut::Stuck)
        }
    }

    fn update(&mut self, i: usize, value: Option<f64>) {
        match value.filter(|v| v.is_finite()) {
            None => self.missing_for[i] = self.missing_for[i].saturating_add(1),
            Some(value) => {
                self.same_for[i] = if self.last[i] == Some(value) {
                    self.same_for[i].saturating_add(1)
                } else {
                    0
                };
                self.missing_for[i] = 0;
                self.last[i] = Some(value);
            }
        }
    }

    /// Newest known value of each feature.
    pub(crate) fn last(&self) -> &[Option<f64>] {
        &self.last
    }
}

impl Transform {
    pub(crate) fn apply(self, value: f64) -> f64 {
        match self {
            Transform::None => value,
            Transform::Log => value.max(LOG_FLOOR).ln(),
        }
    }

    /// Centre and standard deviation in the channel's unit; for the logarithm to first order.
    pub(crate) fn undo(self, centre: f64, deviation: f64) -> (f64, f64) {
        match self {
            Transform::None => (centre, deviation),
            Transform::Log => (centre.exp(), centre.exp() * deviation),
        }
    }
}
