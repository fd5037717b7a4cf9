//! Readings to the features of model steps, without a judgement: what a detector that has no network is given. A sensor that is
//! stuck says nothing of the appliance, so it is left out here and not judged there.

use hub_core::profile::ApplianceProfile;
use jiff::Timestamp;

use crate::features::Step;
use crate::gather::{Gather, Need};
use crate::manifest::{Manifest, Resampling};
use crate::resampler::Resampler;
use crate::table::Row;

/// One model step: a period, or a programme run.
#[derive(Debug, Clone, PartialEq)]
pub struct StepFeatures {
    /// Time of the newest row of the step, by the appliance's clock.
    pub at: Timestamp,
    /// Value of each feature of the manifest, before its transform; `None` where the step has none,
    /// and for rule `cycle` where its channel had one value since the step before: no sensor repeats itself to the last digit through a
    /// whole run and the rest before it.
    pub values: Vec<Option<f64>>,
    /// A gap lies before this step. Rule `cycle` knows none.
    pub after_gap: bool,
}

/// The readings of one appliance on their way to model steps: the same way that they take before a model. Bounded: two rows, and the
/// sums of the step under way.
#[derive(Debug)]
pub struct Steps<'a> {
    manifest: &'a Manifest,
    profile: &'a ApplianceProfile,
    need: Need,
    gather: Gather,
    resampler: Resampler,
    /// For each feature: its channel's newest value, and whether that changed since the last step.
    moved: Vec<(Option<f64>, bool)>,
}

impl<'a> Steps<'a> {
    /// An appliance of which nothing has come yet. A channel that the profile lacks stays missing.
    pub fn new(manifest: &'a Manifest, profile: &'a ApplianceProfile) -> Self {
        Self {
            manifest,
            profile,
            need: Need::of(manifest, profile),
            gather: Gather::new(),
            resampler: Resampler::new(manifest),
            moved: vec![(None, false); manifest.features.len()],
        }
    }

    /// Takes a reading that the hub received at `received_at`, in order of receipt, and gives the steps that it completes, oldest
    /// first. A reading whose time has passed makes none.
    pub fn take(&mut self, row: &Row, received_at: Timestamp) -> Vec<StepFeatures> {
        let (rows, _) = self.gather.push(row, received_at, &self.need);
        let mut steps = Vec::new();
        for row in &rows {
            self.see(row);
            let completed = self.resampler.push(self.manifest, self.profile, row);
            steps.extend(completed.steps.into_iter().map(|step| self.told(step)));
        }
        steps
    }

    fn see(&mut self, row: &Row) {
        for ((newest, moved), feature) in self.moved.iter_mut().zip(&self.manifest.features) {
            let position = self.profile.position(&feature.channel);
            let value = position.and_then(|p| row.values.get(p).copied().flatten());
            *moved |= value.is_some() && newest.is_some() && *newest != value;
            *newest = value.or(*newest);
        }
    }

    fn told(&mut self, mut step: Step) -> StepFeatures {
        if matches!(self.manifest.resampling, Resampling::Cycle { .. }) {
            for (value, (_, moved)) in step.raw.iter_mut().zip(&mut self.moved) {
                *value = value.filter(|_| *moved);
                *moved = false;
            }
        }
        StepFeatures {
            at: step.at,
            values: step.raw,
            after_gap: step.after_gap,
        }
    }
}
