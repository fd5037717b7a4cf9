//! The detector without a network as a manifest has it: what it watches, and by which figures.

use std::collections::BTreeMap;

use hub_core::profile::ApplianceProfile;
use hub_core::site::Localised;
use serde::{Deserialize, Serialize};

use super::faults::Named;
use super::{Manifest, Resampling, Shown};
use crate::generic::{Channel, Condition, NamedRule, Settings, StepOf};

/// Detectors that need no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DetectorKind {
    /// Each feature against the unit's own normal, in floors ([`crate::generic`]).
    Generic,
    /// Faults that have a name by what they move, which `faults.toml` beside the manifest says, and the features as kind `generic` has them
    /// for what has none.
    Named,
}

/// What the detector without a network needs besides the sections that all detectors have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generic {
    /// Which one.
    pub kind: DetectorKind,
    /// Probability that is stated of each alarm, 0 up to below the least at which a call is placed by itself: nobody has measured it. Where
    /// the manifest has `[probability]`, of those without a name.
    pub probability: f64,
    /// Kind `named`: probability that is stated where a fault's own level for calls was held, `probability` to 1.
    #[serde(default)]
    pub call_probability: Option<f64>,
    /// Score, in floors as `baseline.threshold`, that a call would need; none where too little is known for any call. It is told with what
    /// a maker's own recordings gave, and rings nobody.
    #[serde(default)]
    pub call: Option<f64>,
    /// What conditions do to features.
    #[serde(default)]
    pub conditions: Vec<ConditionRule>,
    /// Kind `named`: what pages show for each figure that a fault moves, at most 60 characters.
    #[serde(default)]
    pub words: BTreeMap<String, Localised>,
}

/// Influence of a condition on a feature. A feature that tells a condition is not watched itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConditionRule {
    /// Feature that is freed of it.
    pub feature: String,
    /// Feature that tells the condition.
    pub by: String,
    /// Value of the condition at which nothing changes.
    pub reference: f64,
    /// Change with each unit of the condition: a share of the normal for `m/s2`, `A` and `W`, else in the feature's unit.
    pub linear: f64,
    /// Change with the square of it.
    pub square: f64,
}

/// A manifest in the words of the detector: read once, used for each step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kit {
    /// The features.
    pub(crate) channels: Vec<Channel>,
    pub(crate) settings: Settings,
    /// What a network that gives a second opinion is shown; none without one.
    pub(crate) shown: Option<Shown>,
    /// What a detector's state is of: the version, and a sum over the features, which for a shipped family come with the profile.
    pub(crate) state: String,
    /// Kind `named`: the faults.
    pub(crate) named: Option<Named>,
}

/// Form of the state of named faults: one of another form begins again.
const NAMED_STATE: u8 = 2;

impl Kit {
    /// The same with faults that have a name.
    pub(crate) fn with_named(self, named: Named) -> Self {
        Self {
            state: format!("{}{:016x}.{NAMED_STATE}", self.state, named.sum),
            named: Some(named),
            ..self
        }
    }

    /// What an appliance is compared by, where faults have a name.
    pub(crate) fn rule(&self) -> Option<NamedRule<'_>> {
        let named = self.named.as_ref()?;
        Some(NamedRule {
            figures: &named.channels,
            faults: &named.faults,
            channels: &self.channels,
            settings: &self.settings,
        })
    }

    /// Positions in the profile of the channels that are read for figures of runs; some of them twice.
    pub(crate) fn of_figures(&self) -> impl Iterator<Item = usize> {
        self.named.iter().flat_map(|named| named.reader.channels())
    }

    /// None of a manifest with a network.
    pub(crate) fn of(manifest: &Manifest, profile: &ApplianceProfile) -> Option<Self> {
        let rule = manifest.detector.as_ref()?;
        let channels = channels(manifest, profile);
        let place = |name: &String| manifest.features.iter().position(|feature| feature.name == *name);
        let condition = |one: &ConditionRule| {
            Some(Condition {
                channel: place(&one.feature)?,
                by: place(&one.by)?,
                reference: one.reference,
                linear: one.linear,
                square: one.square,
            })
        };
        let fleet_floor = |floor: f64| (floor > 0.0).then_some(floor);
        let (baseline, persistence) = (&manifest.baseline, &manifest.persistence);
        Some(Self {
            settings: Settings {
                step: step_of(&manifest.resampling),
                calibration: baseline.calibration,
                threshold: baseline.threshold,
                hold: u32::try_from(persistence.hold).unwrap_or(u32::MAX),
                clear_below: f64::from(persistence.clear_below),
                clear_after: persistence.clear_after,
                ewma: baseline.ewma,
                follow_steps: baseline.recentre_steps,
                follow_below: baseline.recentre_below,
                fleet_floors: manifest
                    .features
                    .iter()
                    .map(|feature| fleet_floor(feature.floor))
                    .collect(),
                conditions: rule.conditions.iter().filter_map(condition).collect(),
            },
            shown: Shown::of(manifest),
            state: format!("{}#{:016x}", manifest.id(), sum(&profile.name, manifest, &channels)),
            named: None,
            channels,
        })
    }
}

/// The features as channels of the detector. The mean over the rows of a run resolves ten times finer than a row; that of a period may
/// be of a single one.
pub(crate) fn channels(manifest: &Manifest, profile: &ApplianceProfile) -> Vec<Channel> {
    let finer = u8::from(step_of(&manifest.resampling) == StepOf::Run);
    let features = manifest.features.iter().map(|feature| {
        let channel = profile.channels.iter().find(|channel| channel.name == feature.channel);
        Channel {
            name: feature.name.clone(),
            unit: feature.unit.clone(),
            decimals: channel.map_or(0, |channel| channel.decimals).saturating_add(finer),
        }
    });
    features.collect()
}

fn step_of(resampling: &Resampling) -> StepOf {
    match resampling {
        Resampling::Cycle { .. } => StepOf::Run,
        Resampling::Period { .. } | Resampling::Mean { .. } => StepOf::Period,
    }
}

/// A sum over all that a state's numbers are numbers of.
fn sum(profile: &str, manifest: &Manifest, channels: &[Channel]) -> u64 {
    let features = manifest.features.iter().zip(channels);
    let texts = features.flat_map(|(feature, channel)| {
        let decimals = channel.decimals.to_string();
        [
            feature.name.clone(),
            feature.channel.clone(),
            channel.unit.clone(),
            decimals,
        ]
    });
    fnv(std::iter::once(profile.to_owned()).chain(texts))
}

/// FNV-1a over texts, each with its end.
pub(super) fn fnv(texts: impl IntoIterator<Item = String>) -> u64 {
    let mut sum = 0xcbf2_9ce4_8422_2325_u64;
    for text in texts {
        for byte in text.bytes().chain([0]) {
            sum = (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    sum
}
