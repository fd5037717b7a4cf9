//! A maker's boiler, of which the project has no model: a profile, recordings, and the folder that is learned from them.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use hub_core::profile::{ApplianceProfile, Family};
use hub_core::release::EvidenceKind;
use hub_predict::training::{Trained, TrainingError, Wanted, train};
use hub_predict::{Model, Row, quantise_row};
use jiff::{SignedDuration, Timestamp};

/// Rows of a day.
pub const A_DAY: i64 = 4;

const PROFILE: &str = r#"
name = "boiler"
version = 1

[[channels]]
id = 1
name = "room_temperature_c"
unit = "Cel"
decimals = 1
min = -40.0
max = 60.0

[[channels]]
id = 2
name = "water_c"
unit = "Cel"
decimals = 1
min = 0.0
max = 120.0

[[channels]]
id = 3
name = "power_w"
unit = "W"
decimals = 1
min = 0.0
max = 5000.0

[[channels]]
id = 4
name = "pump_current_a"
unit = "A"
decimals = 3
min = 0.0
max = 5.0

[words]
name = { zh-CN = "锅炉", en = "Boiler" }
spoken = { zh-CN = "锅炉", en = "boiler" }

[words.channels]
room_temperature_c = { zh-CN = "室温", en = "room temperature" }
water_c = { zh-CN = "水温", en = "water temperature" }
power_w = { zh-CN = "功率", en = "power" }
pump_current_a = { zh-CN = "水泵电流", en = "pump current" }
"#;

pub fn profile() -> ApplianceProfile {
    let family: Family = toml::from_str(PROFILE).unwrap();
    family.profile
}

/// A folder of models with the profile alone.
pub fn models_dir() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("profiles")).unwrap();
    std::fs::write(directory.path().join("profiles/boiler.toml"), PROFILE).unwrap();
    directory
}

/// So many days of a boiler. Its power follows the room, by two in a hundred a kelvin; from a day on its pump draws half as much again,
/// within ten days.
pub fn rows(number: u32, days: i64, worn_from: Option<i64>) -> Vec<Row> {
    let start: Timestamp = "2026-01-01T01:00:00Z".parse().unwrap();
    let profile = profile();
    let mut noise = u64::from(number) * 7_919 + 12_345;
    let mut draw = move || {
        noise = noise
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (noise >> 40) as f64 / f64::from(1 << 24) - 0.5
    };
    let own = 1.0 + 0.03 * f64::from(number % 7);
    let row = |n: i64| {
        let day = n as f64 / A_DAY as f64;
        let room = 20.0 + 5.0 * (day / 3.3).sin() + 0.5 * draw();
        let worn = worn_from.map_or(0.0, |from| ((day - from as f64) / 10.0).clamp(0.0, 1.0));
        let values = [
            room,
            60.0 + draw(),
            1_000.0 * own * (0.02 * (room - 20.0)).exp() * (1.0 + 0.01 * draw()),
            0.5 * own * (1.0 + 0.5 * worn) * (1.0 + 0.02 * draw()),
        ];
        Row {
            at: start + SignedDuration::from_secs(n * 86_400 / A_DAY),
            values: quantise_row(&profile, &values.map(Some)),
        }
    };
    (0..days * A_DAY).map(row).collect()
}

/// Rows as a file, as a device's own program writes it.
pub fn csv(rows: &[Row]) -> String {
    let names: Vec<String> = profile().channels.into_iter().map(|channel| channel.name).collect();
    let mut text = format!("timestamp,{}\n", names.join(","));
    for row in rows {
        let values: Vec<String> = row
            .values
            .iter()
            .map(|value| value.map_or(String::new(), |value| value.to_string()))
            .collect();
        writeln!(text, "{},{}", row.at, values.join(",")).unwrap();
    }
    text
}

/// Writes recordings of these boilers into a folder.
pub fn record(folder: &Path, boilers: impl IntoIterator<Item = (u32, i64, Option<i64>)>) -> Vec<PathBuf> {
    let write = |(number, days, worn_from): (u32, i64, Option<i64>)| {
        let path = folder.join(format!("b-{number:02}.csv"));
        std::fs::write(&path, csv(&rows(number, days, worn_from))).unwrap();
        path
    };
    boilers.into_iter().map(write).collect()
}

/// Learns family `boiler` from these files.
pub fn learn(files: &[PathBuf], faults: Option<&Path>, out: &Path) -> Result<Trained, TrainingError> {
    let profile = profile();
    let wanted = Wanted {
        profile: &profile,
        family: "boiler",
        version: 1,
        files,
        faults,
        running: None,
        conditions: &[],
        evidence: Some(EvidenceKind::Laboratory),
    };
    train(&wanted, out)
}

/// Family `boiler`, learned from six sound boilers: what its folder holds, and the model.
pub struct Boilers {
    manifest: String,
    golden: String,
    pub card: String,
    pub model: Arc<Model>,
}

pub static BOILERS: LazyLock<Boilers> = LazyLock::new(|| {
    let (directory, recordings) = (models_dir(), tempfile::tempdir().unwrap());
    let files = record(recordings.path(), (1..=6).map(|number| (number, 120, None)));
    let folder = directory.path().join("boiler");
    learn(&files, None, &folder).unwrap();
    let read = |file: &str| std::fs::read_to_string(folder.join(file)).unwrap();
    Boilers {
        manifest: read("manifest.toml"),
        golden: read("golden.jsonl"),
        card: read("CARD.md"),
        model: Arc::new(Model::load(&folder).unwrap()),
    }
});

impl Boilers {
    /// Writes its folder.
    pub fn write(&self, folder: &Path) {
        std::fs::create_dir(folder).unwrap();
        std::fs::write(folder.join("golden.jsonl"), &self.golden).unwrap();
        std::fs::write(folder.join("manifest.toml"), &self.manifest).unwrap();
    }
}

/// A folder of models with that family, free to be spoiled; and the model's folder in it.
pub fn copied() -> (tempfile::TempDir, PathBuf) {
    let directory = models_dir();
    let folder = directory.path().join("boiler");
    BOILERS.write(&folder);
    (directory, folder)
}
