//! `golden.jsonl` of a model without a network: short lives of an appliance with the scores that the detector gives at their end. They
//! hold the detector and the figures that it computes with to what they were when the model was made; what no life shows (a floor of a
//! feature that moves in none, which channel a feature is read from, how long a period is) is held by a sum over the manifest's figures.

use std::fmt::Write;

use hub_core::profile::ApplianceProfile;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{GoldenError, differs, each_line};
use crate::generic::{Step, Unit};
use crate::manifest::{Kit, Manifest, Resampling};

/// One line of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GoldenSteps {
    /// What the life shows.
    name: String,
    /// Names of the features, in the order of the values.
    features: Vec<String>,
    /// What each of them is read from: its channel and its unit.
    channels: Vec<String>,
    /// SHA-256 of the manifest's figures, in hex.
    figures: String,
    /// Values of each step, the first that are learned from and those that are watched.
    steps: Vec<Vec<Option<f64>>>,
    /// Expected score after the last step: 1 is the threshold.
    score: f64,
    /// The same against what was normal at first.
    slow_score: f64,
    /// Whether an alarm stands then.
    alarm: bool,
}

/// A line of `golden.jsonl` for a folder without a network: a life of this name, step by step with a value for each feature, and what the
/// detector says of it now. None where that is nothing, or where the manifest is of a network.
pub fn golden_life(
    name: &str,
    steps: Vec<Vec<Option<f64>>>,
    manifest: &Manifest,
    profile: &ApplianceProfile,
) -> Option<String> {
    let golden = GoldenSteps::of(name, steps, &Kit::of(manifest, profile)?, manifest)?;
    serde_json::to_string(&golden).ok()
}

/// What the detector says at the end of a life; none where it says nothing yet.
struct Said {
    score: f64,
    slow_score: f64,
    alarm: bool,
}

impl GoldenSteps {
    /// A life with what the detector says of it now; none where that is nothing.
    pub(crate) fn of(name: &str, steps: Vec<Vec<Option<f64>>>, kit: &Kit, manifest: &Manifest) -> Option<Self> {
        let said = live(&steps, kit)?;
        Some(Self {
            name: name.to_owned(),
            features: kit.channels.iter().map(|channel| channel.name.clone()).collect(),
            channels: read_from(manifest),
            figures: figures(manifest),
            steps,
            score: said.score,
            slow_score: said.slow_score,
            alarm: said.alarm,
        })
    }

    fn check(&self, kit: &Kit, manifest: &Manifest) -> Result<(), GoldenError> {
        let features: Vec<&str> = kit.channels.iter().map(|channel| channel.name.as_str()).collect();
        if self.features != features {
            return Err(GoldenError::Features {
                name: self.name.clone(),
                expected: self.features.join(", "),
                got: features.join(", "),
            });
        }
        let channels = read_from(manifest);
        if self.channels != channels {
            return Err(GoldenError::Features {
                name: self.name.clone(),
                expected: self.channels.join(", "),
                got: channels.join(", "),
            });
        }
        let figures = figures(manifest);
        if self.figures != figures {
            return Err(GoldenError::Figures {
                name: self.name.clone(),
                expected: self.figures.clone(),
                got: figures,
            });
        }
        let said = live(&self.steps, kit).ok_or_else(|| GoldenError::Silent {
            name: self.name.clone(),
        })?;
        let pairs = [(self.score, said.score), (self.slow_score, said.slow_score)];
        for (expected, got) in pairs {
            if differs(expected, got) {
                return Err(GoldenError::OtherScore {
                    name: self.name.clone(),
                    expected,
                    got,
                });
            }
        }
        match self.alarm == said.alarm {
            true => Ok(()),
            false => Err(GoldenError::Alarm {
                name: self.name.clone(),
                expected: self.alarm,
            }),
        }
    }
}

/// Lives every golden life.
pub(crate) fn check_steps(text: &str, kit: &Kit, manifest: &Manifest) -> Result<(), GoldenError> {
    each_line(text, |golden: &GoldenSteps| golden.check(kit, manifest))
}

/// Channel and unit of each feature.
fn read_from(manifest: &Manifest) -> Vec<String> {
    let features = manifest.features.iter();
    features
        .map(|feature| format!("{} in {}", feature.channel, feature.unit))
        .collect()
}

/// A sum over all that the manifest says and the detector goes by. Written out figure by figure: a field that a later program knows besides changes no sum of a
/// folder that does without it.
pub(super) fn figures(manifest: &Manifest) -> String {
    let mut text = match &manifest.resampling {
        Resampling::Period { period_s, hold_gap_s } => format!("period {period_s:?} {hold_gap_s:?}\n"),
        Resampling::Cycle {
            phase_channel,
            idle_phase,
            period_s,
            gap_s,
            min_rows,
        } => format!("cycle {phase_channel:?} {idle_phase} {period_s:?} {gap_s:?} {min_rows}\n"),
        Resampling::Mean {
            period_s,
            row_s,
            gap_s,
            min_rows,
            running,
        } => {
            let running = running.as_ref().map(|running| (&running.channel, running.from));
            format!("mean {period_s:?} {row_s:?} {gap_s:?} {min_rows} {running:?}\n")
        }
    };
    let (baseline, persistence) = (&manifest.baseline, &manifest.persistence);
    let mut line = |said: std::fmt::Arguments<'_>| {
        // Writing to memory does not fail.
        let _ = writeln!(text, "{said}");
    };
    line(format_args!(
        "baseline {} {:?} {:?} {:?} {:?}",
        baseline.calibration, baseline.ewma, baseline.recentre_steps, baseline.recentre_below, baseline.threshold
    ));
    line(format_args!(
        "persistence {} {:?} {}",
        persistence.hold, persistence.clear_below, persistence.clear_after
    ));
    if let Some(rule) = &manifest.detector {
        line(format_args!("stated {:?} {:?}", rule.probability, rule.call));
        if let Some(calls) = rule.call_probability {
            line(format_args!("stated of calls {calls:?}"));
        }
        for one in &rule.conditions {
            line(format_args!(
                "condition {:?} {:?} {:?} {:?} {:?}",
                one.feature, one.by, one.reference, one.linear, one.square
            ));
        }
    }
    for feature in &manifest.features {
        let per = feature.per.as_ref().map(|per| (&per.channel, per.reference, per.power));
        line(format_args!(
            "feature {:?} {:?} {:?} {:?} {:?} {per:?} {:?} {:?} {:?} {}",
            feature.name,
            feature.channel,
            feature.unit,
            feature.statistic,
            feature.phases,
            feature.transform,
            feature.floor,
            manifest.classification.unknown_severity,
            feature.stuck_after
        ));
    }
    beside(manifest, &mut text);
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// What a detector goes by that also names its alarms, or has a second opinion.
fn beside(manifest: &Manifest, text: &mut String) {
    let mut line = |said: std::fmt::Arguments<'_>| {
        // Writing to memory does not fail.
        let _ = writeln!(text, "{said}");
    };
    for class in &manifest.classification.classes {
        line(format_args!(
            "class {:?} {:?} {:?} {:?}",
            class.name, class.severity, class.signature, manifest.classification.min_cosine
        ));
    }
    if let Some(rule) = &manifest.probability {
        line(format_args!(
            "probability {:?} {:?} {:?}",
            rule.offset, rule.slope, rule.ceiling
        ));
    }
    if let Some(network) = &manifest.autoencoder {
        line(format_args!(
            "opinion {} {} {:?} {:?} {:?}",
            network.window, network.stride, network.clip, network.threshold, network.period_s
        ));
        for (name, input) in &network.inputs {
            line(format_args!("input {name:?} {:?} {:?}", input.transform, input.floor));
        }
    }
}

fn live(steps: &[Vec<Option<f64>>], kit: &Kit) -> Option<Said> {
    let mut unit = Unit::new(&kit.channels, &kit.settings);
    let mut said = None;
    for values in steps {
        let step = unit.step(&kit.channels, &kit.settings, values, false, false);
        if let Step::Watching {
            score,
            slow_score,
            alarm,
            ..
        } = step
        {
            said = Some(Said {
                score: score / kit.settings.threshold,
                slow_score: slow_score / kit.settings.threshold,
                alarm,
            });
        }
    }
    said
}
