//! Readings to the features of model steps, without a judgement: what a detector that has no network is given.

use hub_core::profile::ApplianceProfile;
use jiff::Timestamp;

use crate::features::Step;
use crate::gather::{Gather, Need};
use crate::manifest::Manifest;
use crate::resampler::Resampler;
use crate::table::Row;

/// One model step: a period, or a programme run.
#[derive(Debug, Clone, PartialEq)]
pub struct StepFeatures {
    /// Time of the newest row of the step, by the appliance's clock.
    pub at: Timestamp,
    /// Value of each feature of the manifest, before its transform; `None` where the step has none.
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
        }
    }

    /// Takes a reading that the hub received at `received_at`, in order of receipt, and gives the steps that it completes, oldest
    /// first. A reading whose time has passed makes none.
    pub fn take(&mut self, row: &Row, received_at: Timestamp) -> Vec<StepFeatures> {
        let (rows, _) = self.gather.push(row, received_at, &self.need);
        let steps = rows
            .iter()
            .flat_map(|row| self.resampler.push(self.manifest, self.profile, row));
        steps.map(StepFeatures::from).collect()
    }
}

impl From<Step> for StepFeatures {
    fn from(step: Step) -> Self {
        Self {
            at: step.at,
            values: step.raw,
            after_gap: step.after_gap,
        }
    }
}
