//! Rows of a profile to model steps, by the rule of a manifest.

use hub_core::profile::ApplianceProfile;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cycle::{Came, Cycle, CycleRule};
use crate::features::Step;
use crate::manifest::{Feature, Manifest, Resampling};
use crate::means::{Ended, Means, MeansRule};
use crate::resample::Period;
use crate::table::Row;

/// What is under way between two steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Resampler {
    Period(Period),
    Cycle(Cycle),
    Mean(Means),
}

/// What a row completes.
#[derive(Debug, Default)]
pub(crate) struct Completed {
    /// Model steps, oldest first.
    pub(crate) steps: Vec<Step>,
    /// Of a programme run or a period that it ends, whether that is none of the model's steps since its rows come too seldom.
    pub(crate) sparse_run: Option<bool>,
    /// Time of the newest row of a programme run that it ends, whatever comes of the run; of a period the last moment of it.
    pub(crate) run_until: Option<Timestamp>,
}

impl Resampler {
    pub(crate) fn new(manifest: &Manifest) -> Self {
        match manifest.resampling {
            Resampling::Period { .. } => Self::Period(Period::new()),
            Resampling::Cycle { .. } => Self::Cycle(Cycle::new(manifest.features.len())),
            Resampling::Mean { .. } => Self::Mean(Means::new(manifest.features.len())),
        }
    }

    /// Whether a programme run is under way, or a period of which a mean is taken: that one always is.
    pub(crate) fn is_under_way(&self) -> bool {
        match self {
            Self::Cycle(cycle) => cycle.is_under_way(),
            Self::Mean(_) => true,
            Self::Period(_) => false,
        }
    }

    /// Takes a row, which has its values in the profile's order.
    pub(crate) fn push(&mut self, manifest: &Manifest, profile: &ApplianceProfile, row: &Row) -> Completed {
        let value = |channel: &str| {
            profile
                .position(channel)
                .and_then(|p| row.values.get(p).copied().flatten())
        };
        let per = |feature: &Feature| match &feature.per {
            None => Some(1.0),
            Some(per) => value(&per.channel)
                .filter(|d| *d > 0.0)
                .map(|d| (per.reference / d).powi(per.power)),
        };
        let raw: Vec<_> = manifest
            .features
            .iter()
            .map(|f| value(&f.channel).zip(per(f)).map(|(v, p)| v * p))
            .collect();
        match (self, &manifest.resampling) {
            (Self::Period(period), Resampling::Period { period_s, hold_gap_s }) => {
                let steps = period.push(row.at, raw, *period_s, *hold_gap_s);
                Completed {
                    steps,
                    ..Completed::default()
                }
            }
            (
                Self::Cycle(cycle),
                Resampling::Cycle {
                    phase_channel,
                    idle_phase,
                    period_s,
                    gap_s,
                    min_rows,
                },
            ) => {
                let rule = CycleRule {
                    manifest,
                    idle_phase: *idle_phase,
                    period_s: *period_s,
                    gap_s: *gap_s,
                    min_rows: *min_rows,
                };
                let phase = value(phase_channel).map(|p| p.round() as i32);
                let Some(run) = cycle.push(row.at, phase, &raw, &rule) else {
                    return Completed::default();
                };
                let (step, sparse_run) = match run.came {
                    Came::Step(step) => (Some(step), Some(false)),
                    Came::Sparse => (None, Some(true)),
                    Came::Short => (None, None),
                };
                Completed {
                    steps: step.into_iter().collect(),
                    sparse_run,
                    run_until: Some(run.until),
                }
            }
            (
                Self::Mean(means),
                Resampling::Mean {
                    period_s,
                    gap_s,
                    min_rows,
                    running,
                    ..
                },
            ) => {
                let rule = MeansRule {
                    period_s: *period_s,
                    gap_s: *gap_s,
                    min_rows: *min_rows,
                    has_idle: running.is_some(),
                };
                let runs = match running {
                    Some(running) => value(&running.channel).map(|value| value >= running.from),
                    None => Some(true),
                };
                let (ended, run_until) = means.push(row.at, &raw, runs, rule);
                let (step, sparse_run) = match ended {
                    None => (None, None),
                    Some(Ended::Whole(step)) => (Some(step), Some(false)),
                    Some(Ended::Thin) => (None, Some(true)),
                };
                Completed {
                    steps: step.into_iter().collect(),
                    sparse_run,
                    run_until,
                }
            }
            // `new` and a checkpoint's check pair them.
            _ => Completed::default(),
        }
    }
}
