//! Sensors that repeat themselves: what they say is of no appliance, so a step goes without it. For a detector without a network, where
//! it watches and where its figures are learned.

use hub_core::profile::ApplianceProfile;
use serde::{Deserialize, Serialize};

use crate::features::Step;
use crate::manifest::{Feature, Manifest, Resampling};
use crate::table::Row;

/// What is known of the sensor of each feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stuck(Vec<Sensor>);

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Sensor {
    newest: Option<f64>,
    /// It has changed since the last step.
    moved: bool,
    /// Steps through which it has not.
    same_for: u32,
}

impl Stuck {
    pub(crate) fn new(features: usize) -> Self {
        Self(vec![Sensor::default(); features])
    }

    /// Whether it may be that of a model with so many features.
    pub(crate) fn fits(&self, features: usize) -> bool {
        self.0.len() == features
    }

    /// Takes a row.
    pub(crate) fn see(&mut self, row: &Row, manifest: &Manifest, profile: &ApplianceProfile) {
        for (sensor, feature) in self.0.iter_mut().zip(&manifest.features) {
            let position = profile.position(&feature.channel);
            let value = position.and_then(|p| row.values.get(p).copied().flatten());
            sensor.moved |= value.is_some() && sensor.newest.is_some() && sensor.newest != value;
            sensor.newest = value.or(sensor.newest);
        }
    }

    /// Takes from a step what stuck sensors say: of a run, where the channel had one value since the step before, for no sensor repeats
    /// itself to the last digit through a whole run and the rest before it; of a period, where it had one through as many steps as
    /// the feature says.
    pub(crate) fn judge(&mut self, step: &mut Step, manifest: &Manifest) {
        for ((sensor, feature), value) in self.0.iter_mut().zip(&manifest.features).zip(&mut step.raw) {
            sensor.same_for = match std::mem::take(&mut sensor.moved) {
                true => 0,
                false => sensor.same_for.saturating_add(1),
            };
            if sensor.is_stuck(feature, manifest) {
                *value = None;
            }
        }
    }

    /// Whether the sensor of a feature was stuck in the newest step. One that has fallen silent is taken for stuck as well.
    pub(crate) fn is_stuck(&self, feature: usize, manifest: &Manifest) -> bool {
        let both = self.0.get(feature).zip(manifest.features.get(feature));
        both.is_some_and(|(sensor, feature)| sensor.newest.is_some() && sensor.is_stuck(feature, manifest))
    }
}

impl Sensor {
    fn is_stuck(&self, feature: &Feature, manifest: &Manifest) -> bool {
        let patience = match manifest.resampling {
            Resampling::Period { .. } => 0,
            Resampling::Cycle { .. } => 1,
            Resampling::Mean { .. } => feature.stuck_after,
        };
        patience > 0 && self.same_for >= patience
    }
}
