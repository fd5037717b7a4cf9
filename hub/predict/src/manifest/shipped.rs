//! Family `generic` as it is shipped: for a profile that no model is for, made of the profile alone. It watches what measures the
//! appliance, by the floors of the table by unit.

use std::collections::BTreeMap;

use hub_core::prediction::Severity;
use hub_core::profile::{ApplianceProfile, Channel};

use super::generic::{DetectorKind, Generic};
use super::{
    Baseline, Budgets, Classification, Feature, Manifest, Persistence, Resampling, Running, StatedEvidence, Statistic,
    Transform,
};
use crate::course::POINTS_MAX;
use crate::generic::Settings;
use crate::trial::{LABELS, SURROUNDINGS, plain};

/// Name of the family.
pub(crate) const FAMILY: &str = "generic";
/// Counts up when anything below changes: states of another version are not continued.
const VERSION: u32 = 1;
/// A day: what repeats with the hours, a compressor's turns or a household's, is in every step alike.
const PERIOD_S: f64 = 86_400.0;
/// Parts of a row come within so many seconds, whatever the profile's devices send.
const ROW_S: f64 = 60.0;
/// A week without a word.
const GAP_S: f64 = 7.0 * 86_400.0;
/// Days through which a sensor has one value until it is taken for stuck: one that is never anything but 0 is not watched.
const STUCK_AFTER: u32 = 12;
/// Of ten alarms, so many right ones are stated. Nobody has measured it; it is far below what rings anybody.
const PROBABILITY: f64 = 0.3;
/// Features of a manifest.
const FEATURES_MAX: usize = 64;

/// Words in the plain name of a channel that says how the appliance is used.
const USE: [&str; 14] = [
    "setpoint", "target", "door", "load", "inlet", "supply", "mains", "tapwater", "ambient", "设定", "门", "进水",
    "电源", "供电",
];
/// Words in the plain name of a channel that says in which part of a programme the appliance is.
const PHASES: [&str; 9] = [
    "phase",
    "programme",
    "program",
    "mode",
    "state",
    "status",
    "stage",
    "程序",
    "状态",
];
/// Words in the plain name of a channel that counts, or that a judgement was written into.
const COUNTS: [&str; 9] = [
    "error", "code", "count", "total", "hours", "uptime", "runtime", "energy", "累计",
];

/// What a channel of a profile tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// How the appliance is.
    Measured,
    /// The conditions under which it works.
    Condition,
    /// Which part of its programme it is in.
    Phase,
    /// Nothing of these: it counts, or it names something by a number.
    Other,
}

/// What a channel tells, by its name and its unit.
pub(crate) fn role(channel: &Channel) -> Role {
    let name = plain(&channel.name);
    let says = |words: &[&str]| words.iter().any(|word| name.contains(word));
    let is_number = channel.decimals == 0 && matches!(channel.unit.as_str(), "/" | "1" | "");
    if is_number && says(&PHASES) {
        Role::Phase
    } else if is_number || says(&COUNTS) || LABELS.contains(&name.as_str()) {
        Role::Other
    } else if says(&SURROUNDINGS) || says(&USE) {
        Role::Condition
    } else {
        Role::Measured
    }
}

impl Feature {
    /// The mean of a channel, under the channel's name.
    pub(crate) fn mean_of(channel: &Channel) -> Self {
        Self {
            name: channel.name.clone(),
            words: None,
            channel: channel.name.clone(),
            unit: channel.unit.clone(),
            statistic: Statistic::Mean,
            per: None,
            phases: Vec::new(),
            transform: Transform::None,
            floor: 0.0,
            stuck_after: STUCK_AFTER,
        }
    }
}

impl Manifest {
    /// Family `generic` for a profile; none where no channel measures anything. Rows of phase 0 are of no step.
    pub fn generic(profile: &ApplianceProfile) -> Option<Self> {
        let measured = profile
            .channels
            .iter()
            .filter(|channel| role(channel) == Role::Measured);
        let features: Vec<Feature> = measured.take(FEATURES_MAX).map(Feature::mean_of).collect();
        let phase = profile.channels.iter().find(|channel| role(channel) == Role::Phase);
        let running = phase.map(|channel| Running {
            channel: channel.name.clone(),
            from: 1.0,
        });
        let resampling = Resampling::Mean {
            period_s: PERIOD_S,
            row_s: ROW_S,
            gap_s: GAP_S,
            min_rows: 1,
            running,
        };
        (!features.is_empty()).then(|| Self {
            family: FAMILY.to_owned(),
            version: VERSION,
            ..Self::without_network(profile, resampling, features, &Settings::default())
        })
    }

    /// A manifest without a network, of these figures; its family bears the profile's name.
    pub(crate) fn without_network(
        profile: &ApplianceProfile,
        resampling: Resampling,
        features: Vec<Feature>,
        settings: &Settings,
    ) -> Self {
        Self {
            family: profile.name.clone(),
            version: 1,
            profile: profile.name.clone(),
            profile_version: profile.version,
            resampling,
            detector: Some(Generic {
                kind: DetectorKind::Generic,
                probability: PROBABILITY,
                call_probability: None,
                call: None,
                conditions: Vec::new(),
                words: BTreeMap::new(),
            }),
            baseline: Baseline {
                calibration: settings.calibration,
                ewma: settings.ewma,
                shrinkage: 0.0,
                recentre_steps: settings.follow_steps,
                recentre_below: settings.follow_below,
                threshold: settings.threshold,
            },
            autoencoder: None,
            persistence: Persistence {
                hold: settings.hold as usize,
                clear_below: settings.clear_below as f32,
                clear_after: settings.clear_after,
                evidence_points: POINTS_MAX,
            },
            probability: None,
            classification: Classification {
                min_cosine: 1.0,
                unknown_severity: Severity::Major,
                classes: Vec::new(),
            },
            features,
            budgets: Budgets {
                tickets: 1.0,
                calls: 0.05,
            },
            evidence: StatedEvidence::default(),
            data: Vec::new(),
            metrics: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub_core::profile::Family;

    fn shipped(profile: &str) -> Manifest {
        let family: Family = toml::from_str(profile).unwrap();
        let manifest = Manifest::generic(&family.profile).unwrap();
        assert_eq!(manifest.check(&family.profile), Ok(()));
        manifest
    }

    fn names(manifest: &Manifest) -> Vec<&str> {
        manifest.features.iter().map(|feature| feature.name.as_str()).collect()
    }

    #[test]
    fn what_measures_the_appliance_is_watched_and_what_does_not_is_left_out() {
        let fridge = shipped(include_str!("../../../../models/profiles/fridge.toml"));
        let watched = [
            "compartment_temperature_c",
            "evaporator_temperature_c",
            "condenser_temperature_c",
            "power_w",
            "compressor_duty",
            "start_current_a",
        ];
        assert_eq!(names(&fridge), watched);
        let washing = shipped(include_str!("../../../../models/profiles/washing-machine.toml"));
        let Resampling::Mean {
            running: Some(running), ..
        } = &washing.resampling
        else {
            panic!("{:?}", washing.resampling)
        };
        assert_eq!((running.channel.as_str(), running.from), ("phase", 1.0));
        for left_out in ["phase", "supply_voltage_v"] {
            assert!(!names(&washing).contains(&left_out), "{left_out}");
        }
        assert!(names(&washing).contains(&"drain_pump_current_a"));
    }

    #[test]
    fn a_profile_without_a_measurement_has_none() {
        let channel = |id, name: &str, unit: &str, decimals| Channel {
            id,
            name: name.into(),
            unit: unit.into(),
            decimals,
            min: 0.0,
            max: 100.0,
        };
        let profile = ApplianceProfile {
            name: "door".into(),
            version: 1,
            channels: vec![channel(1, "door_open_s", "s", 1), channel(2, "error", "/", 0)],
        };
        assert_eq!(Manifest::generic(&profile), None);
    }
}
