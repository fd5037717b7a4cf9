//! The model folder: manifest, golden lives, card.

use std::fmt::Write;
use std::path::Path;

use hub_core::profile::ApplianceProfile;
use hub_core::release::EvidenceKind;

use super::judge::Judged;
use super::learn::rounded;
use super::recordings::Device;
use super::{TrainingError, card};
use crate::generic::Unit;
use crate::golden::GoldenSteps;
use crate::manifest::{Kit, Manifest, Resampling};
use crate::model::Model;

/// Steps of a golden life behind its calibration.
const WATCHED: usize = 20;
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
    line("\n[classification]\nunknown_severity = \"major\"".to_owned());
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

/// `golden.jsonl`: what the figures of the manifest say of made-up lives around the devices' usual values.
fn golden(manifest: &Manifest, profile: &ApplianceProfile, devices: &[Device]) -> String {
    let Some(kit) = Kit::of(manifest, profile) else {
        return String::new();
    };
    let usual: Vec<f64> = (0..kit.channels.len())
        .map(|feature| middle(devices, feature))
        .collect();
    let need = kit.settings.calibration.clamp(40, 400) as usize;
    let wave = |step: usize| 1.0 + 0.002 * f64::from([0_i8, 1, 0, -1][step % 4]);
    let step = |n: usize| -> Vec<Option<f64>> {
        let value = |usual: &f64| Some(rounded(usual * wave(n)));
        usual.iter().map(value).collect()
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
        GoldenSteps::of(name, steps.collect(), &kit)
    };
    let mut text = String::new();
    for golden in lives.into_iter().filter_map(line) {
        // What has a JSON form is checked when the folder is loaded.
        let _ = writeln!(text, "{}", serde_json::to_string(&golden).unwrap_or_default());
    }
    text
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
