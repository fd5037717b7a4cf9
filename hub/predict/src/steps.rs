//! Readings to the features of model steps, without a judgement: what a detector that has no network is given. A sensor that is
//! stuck says nothing of the appliance, so it is left out here and not judged there.

use hub_core::profile::ApplianceProfile;
use jiff::Timestamp;

use crate::features::Step;
use crate::gather::{Gather, Need};
use crate::manifest::Manifest;
use crate::resampler::Resampler;
use crate::run_features::{RunFigures, RunReader};
use crate::stuck::Stuck;
use crate::table::Row;

/// One model step: a period, or a programme run.
#[derive(Debug, Clone, PartialEq)]
pub struct StepFeatures {
    /// Time of the newest row of the step, by the appliance's clock.
    pub at: Timestamp,
    /// Value of each feature of the manifest, before its transform; `None` where the step has none,
    /// and where its sensor is stuck: for rule `cycle` if the channel had one value since the step before, for rule `mean` if it had one
    /// through the feature's `stuck_after` steps.
    pub values: Vec<Option<f64>>,
    /// What the run says of single parts, where that is read ([`Steps::with_figures`]).
    pub figures: Vec<Option<f64>>,
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
    stuck: Stuck,
    figures: Option<(&'a RunReader, RunFigures)>,
}

impl<'a> Steps<'a> {
    /// An appliance of which nothing has come yet. A channel that the profile lacks stays missing.
    pub fn new(manifest: &'a Manifest, profile: &'a ApplianceProfile) -> Self {
        Self {
            manifest,
            profile,
            need: Need::of(manifest, profile, None),
            gather: Gather::new(),
            resampler: Resampler::new(manifest),
            stuck: Stuck::new(manifest.features.len()),
            figures: None,
        }
    }

    /// The same with figures of each programme run or period, for a manifest of rule `cycle` or `mean`.
    pub fn with_figures(manifest: &'a Manifest, profile: &'a ApplianceProfile, reader: &'a RunReader) -> Self {
        Self {
            need: Need::of(manifest, profile, reader.channels()),
            figures: Some((reader, reader.begin())),
            ..Self::new(manifest, profile)
        }
    }

    /// Takes a reading that the hub received at `received_at`, in order of receipt, and gives the steps that it completes, oldest
    /// first. A reading whose time has passed makes none.
    pub fn take(&mut self, row: &Row, received_at: Timestamp) -> Vec<StepFeatures> {
        let (rows, _) = self.gather.push(row, received_at, &self.need);
        let mut steps = Vec::new();
        for row in &rows {
            self.stuck.see(row, self.manifest, self.profile);
            let completed = self.resampler.push(self.manifest, self.profile, row);
            let is_under_way = self.resampler.is_under_way();
            let figures = self.figures.as_mut();
            let figures = figures
                .and_then(|(reader, so_far)| reader.follow(so_far, row, completed.run_until, is_under_way))
                .unwrap_or_default();
            steps.extend(completed.steps.into_iter().map(|step| self.told(step, figures.clone())));
        }
        steps
    }

    fn told(&mut self, mut step: Step, figures: Vec<Option<f64>>) -> StepFeatures {
        self.stuck.judge(&mut step, self.manifest);
        StepFeatures {
            at: step.at,
            values: step.raw,
            figures,
            after_gap: step.after_gap,
        }
    }
}
