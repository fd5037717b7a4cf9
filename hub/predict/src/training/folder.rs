//! The model folder: manifest, golden lives, card.

use std::fmt::Write;
use std::path::Path;

use hub_core::profile::ApplianceProfile;
use hub_core::release::EvidenceKind;
use hub_core::site::Localised;

use super::classes::OfClass;
use super::judge::Judged;
use super::learn::rounded;
use super::recordings::Device;
use super::{TrainingError, card};
use crate::generic::Unit;
use crate::golden::GoldenSteps;
use crate::manifest::{FaultClass, Kit, Manifest, Resampling};
use crate::model::Model;

/// Steps of a golden life behind its calibration.
const WATCHED: usize = 20;
/// Share of the usual value by which a channel goes up and down in one, at most.
const WAVE: f64 = 0.002;
/// How far a channel moves in one, in floors.
const MOVED: f64 = 4.0;

/// What a model was made of.
#[derive(Debug, Clone, PartialEq)]
pub struct CardFacts {
    /// Where the recordings come from, as their maker says.
    pub evidence: Option<EvidenceKind>,
    /// Files.
    pub files: usize,
    /// Rows of them.
    pub rows: usize,
    /// Devices.
    pub devices: usize,
    /// Those of them with a known fault, which teach nothing.
    pub faulty: usize,
    /// Those that could be watched.
    pub watched: usize,
    /// Whole months of healthy devices behind the thresholds; below 200 there are none of the fleet's own.
    pub device_months: u32,
    /// Features whose floor was learned.
    pub floors: usize,
    /// Features that are freed of conditions.
    pub conditions: usize,
    /// Kinds of fault that the maker named, and what came of naming them.
    pub classes: Vec<OfClass>,
    /// Channels that the model does not read, each with the reason.
    pub left_out: Vec<String>,
    /// Seconds of a step.
    pub period_s: f64,
}

/// Writes the folder, and loads it as a hub would. Where that fails, nothing is left behind.
pub(super) fn write(
    out: &Path,
    manifest: &Manifest,
    profile: &ApplianceProfile,
    devices: &[Device],
    facts: &CardFacts,
    judged: &Judged,
) -> Result<(), TrainingError> {
    let files = [
        ("golden.jsonl", golden(manifest, profile, devices)),
        ("CARD.md", card::card(manifest, facts, judged)),
        // The last: until it is there, a hub that looks sees no model.
        ("manifest.toml", text(manifest, facts)),
    ];
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| TrainingError::Write { path, source }
    };
    std::fs::create_dir_all(out).map_err(failed(out))?;
    let written = files.iter().try_for_each(|(name, text)| {
        let path = out.join(name);
        std::fs::write(&path, text).map_err(failed(&path))
    });
    let loaded = written.and_then(|()| Model::load(out).map(drop).map_err(TrainingError::Unusable));
    loaded.inspect_err(|_| {
        files.iter().for_each(|(name, _)| {
            let _ = std::fs::remove_file(out.join(name));
        });
        let _ = std::fs::remove_dir(out);
    })
}

/// `manifest.toml`, for a person to read.
fn text(manifest: &Manifest, facts: &CardFacts) -> String {
    let mut text = format!(
        "# Made by `forecall train`; what each field means: docs/adding-a-family.md.\nfamily = {:?}\nversion = {}\nprofile = {:?}\nprofile_version = {}\n\n",
        manifest.family, manifest.version, manifest.profile, manifest.profile_version
    );
    let mut line = |said: String| {
        text.push_str(&said);
        text.push('\n');
    };
    if let Resampling::Mean {
        period_s,
        row_s,
        gap_s,
        min_rows,
        running,
    } = &manifest.resampling
    {
        line("[resampling]\nrule = \"mean\"".to_owned());
        line(format!(
            "period_s = {period_s:?}\nrow_s = {row_s:?}\ngap_s = {gap_s:?}\nmin_rows = {min_rows}"
        ));
        if let Some(running) = running {
            line(format!(
                "running = {{ channel = {:?}, from = {:?} }}",
                running.channel, running.from
            ));
        }
    }
    if let Some(rule) = &manifest.detector {
        line(format!(
            "\n[detector]\nkind = \"generic\"\nprobability = {:?}",
            rule.probability
        ));
        match rule.call {
            Some(call) => line(format!("call = {call:?}")),
            None => line("# No score for calls: too few months of healthy devices.".to_owned()),
        }
        for one in &rule.conditions {
            line(format!(
                "\n[[detector.conditions]]\nfeature = {:?}\nby = {:?}\nreference = {:?}\nlinear = {:?}\nsquare = {:?}",
                one.feature, one.by, one.reference, one.linear, one.square
            ));
        }
    }
    let baseline = &manifest.baseline;
    line(format!(
        "\n[baseline]\ncalibration = {}\newma = {:?}\nrecentre_steps = {:?}\nrecentre_below = {:?}\nthreshold = {:?}",
        baseline.calibration, baseline.ewma, baseline.recentre_steps, baseline.recentre_below, baseline.threshold
    ));
    let persistence = &manifest.persistence;
    line(format!(
        "\n[persistence]\nhold = {}\nclear_below = {:?}\nclear_after = {}\nevidence_points = {}",
        persistence.hold, persistence.clear_below, persistence.clear_after, persistence.evidence_points
    ));
    let classification = &manifest.classification;
    line("\n[classification]".to_owned());
    if !classification.classes.is_empty() {
        line(format!("min_cosine = {:?}", classification.min_cosine));
    }
    line("unknown_severity = \"major\"".to_owned());
    classification.classes.iter().for_each(|class| line(class_text(class)));
    line(format!(
        "\n[budgets]\ntickets = {:?}\ncalls = {:?}",
        manifest.budgets.tickets, manifest.budgets.calls
    ));
    line(format!("\n[evidence]\nkind = {:?}", manifest.evidence.kind.name()));
    line(format!(
        "\n[[data]]\nname = \"recordings of {} devices\"\nlicence = \"the maker's\"\npart = {:?}",
        facts.devices,
        card::evidence(facts.evidence)
    ));
    line(format!(
        "\n[metrics]\ndevice_months = {:?}\nfloors_learned = {:?}",
        f64::from(facts.device_months),
        facts.floors as f64
    ));
    for feature in &manifest.features {
        line(format!(
            "\n[[features]]\nname = {:?}\nchannel = {:?}\nunit = {:?}\nstatistic = \"mean\"\nstuck_after = {}",
            feature.name, feature.channel, feature.unit, feature.stuck_after
        ));
        if feature.floor > 0.0 {
            line(format!("floor = {:?}", feature.floor));
        }
    }
    text
}

/// What alarms are named by. Words of a maker may hold anything that is no control character.
fn class_text(class: &FaultClass) -> String {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let words = |words: &Localised| format!("{{ zh-CN = {}, en = {} }}", quoted(&words.zh_cn), quoted(&words.en));
    let moves = class
        .signature
        .iter()
        .map(|(feature, by)| format!("{} = {by:?}", quoted(feature)));
    let moves: Vec<String> = moves.collect();
    format!(
        "\n# Learned from the maker's labels; words and severity may be changed at any time.\n[[classification.classes]]\nname = {}\nseverity = \"major\"\n\
         signature = {{ {} }}\nwords = {}\nspoken = {}",
        quoted(&class.name),
        moves.join(", "),
        words(&class.words),
        words(&class.spoken)
    )
}

/// `golden.jsonl`: what the figures of the manifest say of made-up lives around the devices' usual values.
fn golden(manifest: &Manifest, profile: &ApplianceProfile, devices: &[Device]) -> String {
    let Some(kit) = Kit::of(manifest, profile) else {
        return String::new();
    };
    let usual: Vec<f64> = (0..kit.channels.len())
        .map(|feature| middle(devices, feature))
        .collect();
    let need = kit.settings.calibration.clamp(40, 400) as usize;
    let waves = waves(&kit, &usual, need);
    let step = |n: usize| -> Vec<Option<f64>> {
        let way = f64::from([0_i8, 1, 0, -1][n % 4]);
        let value = |(usual, wave): (&f64, &f64)| Some(rounded(usual + wave * way));
        usual.iter().zip(&waves).map(value).collect()
    };
    let mut unit = Unit::new(&kit.channels, &kit.settings);
    for n in 0..need {
        unit.step(&kit.channels, &kit.settings, &step(n), false, false);
    }
    let watched: Vec<usize> = unit
        .baseline(&kit.channels, &kit.settings)
        .iter()
        .map(|one| one.channel)
        .collect();
    let moved = |feature: usize, floors: f64| unit.value_at(&kit.channels, &kit.settings, feature, floors);
    let (first, last) = (watched.first().copied(), watched.last().copied());
    let lives = [
        ("quiet", vec![]),
        (
            "the first feature is above normal",
            first.map(|one| (one, moved(one, MOVED))).into_iter().collect(),
        ),
        ("the last feature is below normal, and the first is silent", {
            let silent = first.filter(|_| watched.len() > 1).map(|one| (one, None));
            silent
                .into_iter()
                .chain(last.map(|one| (one, moved(one, -MOVED))))
                .collect()
        }),
    ];
    let line = |(name, other): (&str, Vec<(usize, Option<f64>)>)| {
        let steps = (0..need + WATCHED).map(|n| {
            let mut values = step(n);
            for (feature, value) in other.iter().filter(|_| n >= need) {
                if let Some(own) = values.get_mut(*feature) {
                    *own = value.map(rounded);
                }
            }
            values
        });
        GoldenSteps::of(name, steps.collect(), &kit, manifest)
    };
    let mut text = String::new();
    for golden in lives.into_iter().filter_map(line) {
        // What has a JSON form is checked when the folder is loaded.
        let _ = writeln!(text, "{}", serde_json::to_string(&golden).unwrap_or_default());
    }
    text
}

/// How far each channel moves in a quiet life: a share of what is usual, and never more than a floor, or a channel that is held tightly would
/// go from state to state. One that is not watched stays where it is.
fn waves(kit: &Kit, usual: &[f64], need: usize) -> Vec<f64> {
    let mut unit = Unit::new(&kit.channels, &kit.settings);
    let values: Vec<Option<f64>> = usual.iter().copied().map(Some).collect();
    for _ in 0..need {
        unit.step(&kit.channels, &kit.settings, &values, false, false);
    }
    let normals = unit.baseline(&kit.channels, &kit.settings);
    let wave = |(place, usual): (usize, &f64)| {
        let normal = normals.iter().find(|normal| normal.channel == place);
        normal.map_or(0.0, |normal| (WAVE * usual.abs()).min(normal.floor))
    };
    usual.iter().enumerate().map(wave).collect()
}

/// The value in the middle of a feature; 1 where no device has any.
fn middle(devices: &[Device], feature: usize) -> f64 {
    let steps = devices.iter().flat_map(|device| &device.steps);
    let mut values: Vec<f64> = steps
        .filter_map(|step| step.values.get(feature).copied().flatten())
        .collect();
    values.sort_by(f64::total_cmp);
    rounded(values.get(values.len() / 2).copied().unwrap_or(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generic::Settings;
    use crate::golden::check_steps;
    use crate::manifest::Feature;
    use crate::training::recordings::Taken;
    use hub_core::profile::Family;
    use jiff::Timestamp;

    /// A supply that is held to a few parts in a hundred thousand, as a fleet has shown: two in a thousand of its value are many floors.
    #[test]
    fn a_channel_that_is_held_tightly_has_golden_lives() {
        let family: Family = toml::from_str(include_str!("../../../../models/profiles/pump-rig.toml")).unwrap();
        let profile = family.profile;
        let features: Vec<Feature> = profile.channels.iter().map(Feature::mean_of).collect();
        let resampling = Resampling::Mean {
            period_s: 86_400.0,
            row_s: 60.0,
            gap_s: 604_800.0,
            min_rows: 1,
            running: None,
        };
        let mut manifest = Manifest::without_network(&profile, resampling, features, &Settings::default());
        let voltage = manifest.features.iter_mut().find(|feature| feature.name == "Voltage");
        voltage.unwrap().floor = 0.005;
        let step = |day: i64| Taken {
            at: Timestamp::from_second(86_400 * day).unwrap(),
            values: [0.21, 0.27, 2.0, 0.2, 90.0, 26.0, 230.0, 125.0].map(Some).to_vec(),
            after_gap: false,
        };
        let device = Device {
            name: "one".to_owned(),
            steps: (0..60).map(step).collect(),
        };
        let text = golden(&manifest, &profile, &[device]);
        assert_eq!(text.lines().count(), 3, "{text}");
        let kit = Kit::of(&manifest, &profile).unwrap();
        check_steps(&text, &kit, &manifest).unwrap();
    }
}
