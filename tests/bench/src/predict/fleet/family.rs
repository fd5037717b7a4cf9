//! The family of the fleet: a model folder without a network, made here and loaded as a hub loads one.

use crate::predict::noise;
use anyhow::{Context, Result};
use hub_core::profile;
use hub_predict::{Model, golden_life, load_manifest};
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

pub(super) const CHANNELS: usize = 8;
pub(super) const STEP_MINUTES: usize = 15;

/// Unit, decimals and normal value of each channel.
const NORMAL: [(&str, u8, f64); CHANNELS] = [
    ("Cel", 2, 4.5),
    ("Cel", 2, 38.0),
    ("A", 3, 1.2),
    ("W", 1, 80.0),
    ("V", 1, 230.0),
    ("bar", 2, 6.2),
    ("1/min", 0, 2_900.0),
    ("m/s2", 3, 0.8),
];

/// All but the features.
const MANIFEST: &str = r#"
family = "fleet"
version = 1
profile = "fleet"
profile_version = 1
data = []

[resampling]
rule = "mean"
period_s = 900.0
row_s = 60.0
gap_s = 604800.0

[detector]
kind = "generic"
probability = 0.3

[baseline]
calibration = 40
ewma = 0.2
recentre_steps = 120.0
recentre_below = 1.5
threshold = 1.33

[persistence]
hold = 4
clear_below = 0.7
clear_after = 12

[classification]
unknown_severity = "major"

[budgets]
tickets = 1.0
calls = 0.05
"#;

/// Stored integers of one sample.
pub(super) type Sample = [i32; CHANNELS];

/// The model of the fleet.
pub(super) fn model() -> Result<Arc<Model>> {
    let folder = tempfile::tempdir()?;
    let model = folder.path().join("fleet");
    std::fs::create_dir(folder.path().join("profiles"))?;
    std::fs::create_dir(&model)?;
    write(&folder.path().join("profiles/fleet.toml"), &family_text())?;
    write(&model.join("manifest.toml"), &manifest_text())?;
    write(&model.join("golden.jsonl"), &golden_text(&model)?)?;
    let model = Model::load(&model).context("the model of the fleet")?;
    Ok(Arc::new(model))
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn name(channel: usize) -> String {
    format!("channel_{}", channel + 1)
}

fn family_text() -> String {
    let mut text = String::from("name = \"fleet\"\nversion = 1\n");
    for (at, (unit, decimals, normal)) in NORMAL.into_iter().enumerate() {
        let _ = write!(
            text,
            "\n[[channels]]\nid = {}\nname = \"{}\"\nunit = \"{unit}\"\ndecimals = {decimals}\nmin = 0.0\nmax = {:?}\n",
            at + 1,
            name(at),
            10.0 * normal
        );
    }
    text.push_str("\n[words]\nname = { zh-CN = \"设备\", en = \"Appliance\" }\n");
    text.push_str("spoken = { zh-CN = \"设备\", en = \"appliance\" }\n\n[words.channels]\n");
    for at in 0..CHANNELS {
        let _ = writeln!(
            text,
            "{} = {{ zh-CN = \"通道 {}\", en = \"channel {}\" }}",
            name(at),
            at + 1,
            at + 1
        );
    }
    text
}

fn manifest_text() -> String {
    let mut text = MANIFEST.to_owned();
    for (at, (unit, ..)) in NORMAL.into_iter().enumerate() {
        let _ = write!(
            text,
            "\n[[features]]\nname = \"{0}\"\nchannel = \"{0}\"\nunit = \"{unit}\"\nstatistic = \"mean\"\nstuck_after = 12\n",
            name(at)
        );
    }
    text
}

/// Three short lives, with what the detector says of them: a folder is refused without.
fn golden_text(model: &Path) -> Result<String> {
    let (manifest, family) = load_manifest(model)?;
    let calibration = manifest.baseline.calibration as usize;
    let mut text = String::new();
    for (life, moved) in [
        ("quiet", None),
        ("the first one", Some(0)),
        ("the last one", Some(CHANNELS - 1)),
    ] {
        let value = |step: usize, at: usize, normal: f64| {
            let wave = 1.0 + 0.002 * f64::from([0_i8, 1, 0, -1][step % 4]);
            let is_moved = moved == Some(at) && step >= calibration;
            Some(normal * wave * if is_moved { 1.3 } else { 1.0 })
        };
        let step = |step: usize| -> Vec<Option<f64>> {
            let normals = NORMAL.into_iter().enumerate();
            normals.map(|(at, (.., normal))| value(step, at, normal)).collect()
        };
        let steps = (0..calibration + 8).map(step).collect();
        let golden = golden_life(life, steps, &manifest, &family.profile);
        let golden = golden.with_context(|| format!("nothing is said of {life}"))?;
        let _ = writeln!(text, "{golden}");
    }
    Ok(text)
}

/// What this appliance measures in a minute of its life: its own normal, and a noise of one in a hundred.
pub(super) fn sample(channels: &[profile::Channel], appliance: usize, minute: usize) -> Sample {
    let mut sample = [0; CHANNELS];
    for (n, (stored, (channel, (_, _, normal)))) in (0_u64..).zip(sample.iter_mut().zip(channels.iter().zip(NORMAL))) {
        let own = 1.0 + 0.2 * noise(appliance as u64 * 16 + n);
        let now = 1.0 + 0.02 * noise(((appliance as u64) << 24) + (minute as u64) * 16 + n);
        *stored = channel.quantise(normal * own * now).unwrap_or(0);
    }
    sample
}
