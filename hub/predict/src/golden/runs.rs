//! `golden.jsonl` of a model that names faults: short lives of an appliance, run by run, with what the detector says at their end. They hold
//! the detector; what no life shows (what a figure is read from, a floor, a condition) is held by a sum over manifest and faults.

use hub_core::prediction::UNKNOWN_FAULT;
use hub_core::profile::ApplianceProfile;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::steps::figures;
use super::{GoldenError, differs, each_line};
use crate::generic::{NamedRule, NamedUnit};
use crate::manifest::{FaultsFile, Kit, Manifest};

/// One line of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GoldenRuns {
    /// What the life shows.
    name: String,
    /// Names of the features and of the compared figures, in the order of their values.
    features: Vec<String>,
    /// SHA-256 over the manifest's figures and the file of the faults, in hex.
    figures: String,
    /// Values of each run: its features, then its compared figures.
    runs: Vec<Vec<Option<f64>>>,
    /// Expected score after the last run: 1 opens a ticket.
    score: f64,
    /// The same of the strongest fault that may be named: 1 is where a call may be made.
    call: f64,
    /// Class that the score stands for.
    fault: String,
    /// Whether an alarm stands then.
    alarm: bool,
}

/// What the detector says at the end of a life.
struct Said {
    score: f64,
    call: f64,
    fault: String,
    alarm: bool,
}

/// A line of `golden.jsonl` for a folder that names faults: a life of this name, run by run with a value for each feature of the manifest and
/// then for each compared figure, and what the detector says of it now. None where that is nothing, or where manifest or faults cannot be
/// used.
pub fn golden_runs(
    name: &str,
    runs: Vec<Vec<Option<f64>>>,
    manifest: &Manifest,
    faults: &str,
    profile: &ApplianceProfile,
) -> Option<String> {
    let file: FaultsFile = toml::from_str(faults).ok()?;
    let kit = Kit::of(manifest, profile)?.with_named(file.named(manifest, profile).ok()?);
    let said = live(&runs, &kit)?;
    let golden = GoldenRuns {
        name: name.to_owned(),
        features: names(&kit),
        figures: sum(manifest, faults),
        runs,
        score: said.score,
        call: said.call,
        fault: said.fault,
        alarm: said.alarm,
    };
    serde_json::to_string(&golden).ok()
}

/// Lives every golden life.
pub(crate) fn check_runs(text: &str, kit: &Kit, manifest: &Manifest, faults: &str) -> Result<(), GoldenError> {
    each_line(text, |golden: &GoldenRuns| golden.check(kit, manifest, faults))
}

impl GoldenRuns {
    fn check(&self, kit: &Kit, manifest: &Manifest, faults: &str) -> Result<(), GoldenError> {
        let name = || self.name.clone();
        let features = names(kit);
        if self.features != features {
            return Err(GoldenError::Features {
                name: name(),
                expected: self.features.join(", "),
                got: features.join(", "),
            });
        }
        let figures = sum(manifest, faults);
        if self.figures != figures {
            return Err(GoldenError::Figures {
                name: name(),
                expected: self.figures.clone(),
                got: figures,
            });
        }
        let said = live(&self.runs, kit).ok_or_else(|| GoldenError::Silent { name: name() })?;
        for (expected, got) in [(self.score, said.score), (self.call, said.call)] {
            if differs(expected, got) {
                return Err(GoldenError::OtherScore {
                    name: name(),
                    expected,
                    got,
                });
            }
        }
        if self.fault != said.fault {
            return Err(GoldenError::OtherFault {
                name: name(),
                expected: self.fault.clone(),
                got: said.fault,
            });
        }
        match self.alarm == said.alarm {
            true => Ok(()),
            false => Err(GoldenError::Alarm {
                name: name(),
                expected: self.alarm,
            }),
        }
    }
}

fn names(kit: &Kit) -> Vec<String> {
    let named = kit.named.iter().flat_map(|named| &named.channels);
    kit.channels
        .iter()
        .chain(named)
        .map(|channel| channel.name.clone())
        .collect()
}

fn sum(manifest: &Manifest, faults: &str) -> String {
    hex::encode(Sha256::digest(format!("{}\n{faults}", figures(manifest))))
}

fn live(runs: &[Vec<Option<f64>>], kit: &Kit) -> Option<Said> {
    let (named, rule) = kit.named.as_ref().zip(kit.rule())?;
    let mut unit = NamedUnit::new(rule);
    let mut said = None;
    for run in runs {
        let (features, figures) = run.split_at_checked(kit.channels.len())?;
        said = said_of(&mut unit, rule, features, figures, named.calls).or(said);
    }
    said
}

fn said_of(
    unit: &mut NamedUnit,
    rule: NamedRule<'_>,
    features: &[Option<f64>],
    figures: &[Option<f64>],
    calls: f64,
) -> Option<Said> {
    let step = unit.step(rule, features, figures);
    let sign = step.sign?;
    let signatures = &rule.faults.signatures;
    let in_levels = step.unnamed / rule.settings.threshold;
    let strongest = sign.strongest.filter(|_| sign.score > in_levels);
    let class = strongest.and_then(|i| signatures.get(i)).map(|one| one.class.as_str());
    Some(Said {
        score: sign.score / rule.faults.threshold,
        call: sign.call / calls,
        fault: class.unwrap_or(UNKNOWN_FAULT).to_owned(),
        alarm: sign.alarm,
    })
}
