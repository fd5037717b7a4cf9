//! A model that names faults, as a hub has it: a folder, programme runs, and what is told of them. The machine is made up: its pump and its
//! motor are moved by so much of a logarithm, and a fault has moved its figure by 0.4 when it fails.

use std::path::PathBuf;
use std::sync::Arc;

use hub_core::error_chain::in_full;
use hub_core::normal::{LeftOut, NormalFeature, NormalStage};
use hub_core::situation::Observation;
use hub_core::watching::WatchState;
use hub_predict::{
    CheckpointError, Detector, Model, Registry, Row, Verdict, golden_runs, load_manifest, model_files, quantise_row,
    score_rows, stored,
};
use jiff::{SignedDuration, Timestamp};

use crate::common::{models, step};
use crate::untrained::{UNIT, judged};

const MANIFEST: &str = include_str!("../data/named/manifest.toml");
const FAULTS: &str = include_str!("../data/named/faults.toml");

/// A directory of models with this folder.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(faults: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        let profile = "profiles/washing-machine.toml";
        std::fs::create_dir(folder.0.path().join("profiles")).unwrap();
        std::fs::copy(models().join(profile), folder.0.path().join(profile)).unwrap();
        std::fs::create_dir(folder.path()).unwrap();
        folder.write("manifest.toml", MANIFEST);
        folder.write("faults.toml", faults);
        folder.write("golden.jsonl", &folder.golden(faults));
        folder
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("washing-machine")
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    fn golden(&self, faults: &str) -> String {
        let (manifest, family) = load_manifest(&self.path()).unwrap();
        let life = |name: &str, pump: f64, spun: f64| {
            let run = |number: usize| {
                let by = if number < 25 { 0.0 } else { 1.0 };
                [2.0, 100.0, pump * by - 0.7, spun * by + 0.7, 900.0].map(Some).to_vec()
            };
            golden_runs(name, (0..32).map(run).collect(), &manifest, faults, &family.profile).unwrap()
        };
        [life("quiet", 0.0, 0.0), life("pump", 0.5, 0.0), life("motor", 0.0, 0.6)].join("\n")
    }

    fn load(&self) -> Result<Model, String> {
        Model::load(&self.path()).map_err(|error| in_full(&error))
    }
}

fn model() -> Model {
    Folder::new(FAULTS).load().unwrap()
}

/// From -1 to 1, without a generator (SplitMix64, Steele and others 2014).
fn scatter(of: u64) -> f64 {
    let mut bits = of.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    f64::from((bits >> 32) as u32) / f64::from(u32::MAX) * 2.0 - 1.0
}

/// The rows of a run, of which there are two a day, with the idle row behind it.
fn run(model: &Model, number: u64, (pump, motor): (f64, f64)) -> Vec<Row> {
    let begin = Timestamp::from_second(1_767_600_000 + 43_200 * number as i64).unwrap();
    let phases = [(1, 3), (2, 12), (4, 5), (5, 8), (0, 1)];
    let minutes = phases.iter().flat_map(|(phase, rows)| vec![*phase; *rows]);
    let row = |(minute, phase): (u64, i32)| {
        let noise = |channel: u64| 0.005 * scatter(number * 10_000 + minute * 10 + channel);
        let own = |channel: u64| 0.01 * scatter(number * 10_000 + 9_990 + channel);
        let value = |name: &str| match (name, phase) {
            ("phase", _) => f64::from(phase),
            ("motor_current_a", 2) => 1.0 + noise(1),
            ("motor_current_a", 5) => 2.0 * (motor + own(1) + noise(1)).exp(),
            ("drain_pump_current_a", 4) => 0.5 * (pump + own(2) + noise(2)).exp(),
            ("drum_speed_rpm", 5) => 900.0 * (1.0 + noise(3)),
            ("water_level_mm", 2) => 100.0 * (1.0 + noise(4)),
            ("supply_voltage_v", _) => 230.0 * (1.0 + noise(5)),
            _ => 0.0,
        };
        let values: Vec<Option<f64>> = model
            .profile()
            .channels
            .iter()
            .map(|of| Some(value(&of.name)))
            .collect();
        Row {
            at: begin + SignedDuration::from_mins(minute as i64),
            values: quantise_row(model.profile(), &values),
        }
    };
    (0..).zip(minutes).map(row).collect()
}

/// Rows of so many runs, each moved by so much.
fn runs(model: &Model, numbers: std::ops::Range<u64>, moved: impl Fn(u64) -> (f64, f64)) -> Vec<Row> {
    numbers.flat_map(|number| run(model, number, moved(number))).collect()
}

/// Verdicts of these rows.
fn live(model: &Model, detector: &mut Detector, rows: &[Row]) -> Vec<Verdict> {
    rows.iter()
        .flat_map(|row| step(detector, model, row).unwrap())
        .collect()
}

fn grown(number: u64, from: u64, by: f64) -> f64 {
    by * number.saturating_sub(from) as f64
}

#[test]
fn it_calibrates_by_runs_and_watches_then() {
    let model = model();
    let mut detector = Detector::new(&model);
    let first = live(&model, &mut detector, &runs(&model, 0..19, |_| (0.0, 0.0)));
    assert!(first.len() == 19 && first.iter().all(|verdict| verdict.calibrating && !verdict.judged));
    let told = detector.watching(&model);
    assert_eq!(
        (told.state, told.calibrated, told.calibration),
        (WatchState::Calibrating, 19, 20)
    );
    // Phase, both currents, level, speed and voltage, of which the last two are read for figures alone.
    assert_eq!(told.channels, 6);
    let later = live(&model, &mut detector, &runs(&model, 19..80, |_| (0.0, 0.0)));
    assert!(
        later
            .iter()
            .all(|verdict| verdict.judged && !verdict.calibrating && !verdict.alarm)
    );
    assert!(
        later
            .iter()
            .all(|verdict| verdict.score < 0.8 && verdict.held == verdict.score)
    );
    assert_eq!(detector.watching(&model).state, WatchState::Watched);
}

#[test]
fn a_fault_that_grows_is_named_and_may_be_called_about_once_its_own_level_was_held() {
    let model = model();
    let mut detector = Detector::new(&model);
    let rows = runs(&model, 0..95, |number| (grown(number, 50, 0.02), 0.0));
    let mut predictions = Vec::new();
    for row in &rows {
        for verdict in step(&mut detector, &model, row).unwrap() {
            assert!(verdict.apart.is_empty());
            assert_eq!(verdict.alarm, verdict.prediction.is_some());
            predictions.extend(verdict.prediction);
        }
    }
    let first = predictions.first().expect("an alarm");
    assert!(predictions.iter().all(|one| one.fault_class == "drain_pump"));
    assert!(
        first.score >= 1.0 && first.below_call_level && first.probability == 0.3,
        "{first:?}"
    );
    let cause = &first.top[0];
    assert_eq!((cause.channel.as_str(), cause.unit.as_str()), ("pump", "A"));
    assert!((cause.baseline_mean - 0.5).abs() < 0.02, "{cause:?}");
    assert!(
        cause.value > 1.25 * cause.baseline_mean && cause.share == 1.0,
        "{cause:?}"
    );
    let called = predictions
        .iter()
        .position(|one| !one.below_call_level)
        .expect("its level for calls");
    assert!(called > 3 && predictions[called].probability == 0.6);
    assert!(
        predictions[called..].iter().all(|one| !one.below_call_level),
        "it was held in this alarm"
    );
    assert_eq!(predictions.last().unwrap().model_hash.as_deref(), Some(model.hash()));
    assert_eq!(detector.standing(&model), Some(("drain_pump", 0.6)));

    let evidence = detector.evidence(&model, predictions.last().unwrap());
    assert!((2..=16).contains(&evidence.points.len()));
    assert_eq!(evidence.channels.len(), 1);
    let drawn: Vec<f64> = evidence.points.iter().map(|point| point.values[0]).collect();
    assert!(drawn[drawn.len() - 1] > drawn[0] && drawn[0] > 0.5, "{drawn:?}");
    let words = model.manifest().words();
    assert_eq!(words.features["pump"].en, "drain-pump current");
    assert_eq!(words.faults["drain_pump"].name.en, "Drain pump wearing out");
}

#[test]
fn a_second_fault_is_told_apart_while_the_first_one_stands() {
    let model = Arc::new(model());
    let moved = |number: u64| {
        let pump = if number < 50 { 0.0 } else { 0.5 };
        (pump, grown(number, 75, 0.04).min(0.8))
    };
    let rows = runs(&model, 0..110, moved);
    let steps: Vec<_> = score_rows(&model, 40, &rows).flat_map(Result::unwrap).collect();
    let told: Vec<(usize, String, f32)> = steps
        .iter()
        .enumerate()
        .flat_map(|(number, step)| step.news.iter().map(move |news| (number, news)))
        .filter_map(|(number, news)| match news {
            Observation::Alarm { prediction, .. } => Some((number, prediction.fault_class.clone(), prediction.score)),
            Observation::Clear { .. } => None,
        })
        .collect();
    let of = |class: &str| told.iter().filter(|(_, of, _)| of == class).collect::<Vec<_>>();
    let (pump, motor) = (of("drain_pump"), of("drum_bearing"));
    assert_eq!(pump.len() + motor.len(), told.len(), "{told:?}");
    assert!((50..60).contains(&pump[0].0) && motor[0].0 > 78, "{told:?}");
    // Told once, and again as it grows: not with every run.
    assert!(motor.len() < 12, "{motor:?}");
    assert!(
        motor
            .windows(2)
            .all(|pair| pair[1].2 >= 1.05 * pair[0].2 || pair[1].2 >= 1.0),
        "{motor:?}"
    );
    let last = &steps.last().unwrap().verdict;
    assert_eq!(
        last.prediction.as_ref().unwrap().fault_class,
        "drain_pump",
        "it keeps its name"
    );
    let apart = steps.iter().flat_map(|step| &step.verdict.apart);
    assert!(
        apart
            .clone()
            .all(|one| one.top[0].channel == "spun" && one.model_hash.is_some())
    );
    let since = last.prediction.as_ref().unwrap().since;
    let own: Vec<_> = apart.clone().map(|one| one.since).collect();
    assert!(own[0] > since, "not since the first fault came");
    assert!(
        own.iter().all(|one| *one == own[0]),
        "told again, it is since the same run"
    );
    assert!(apart.count() >= 1);
}

#[test]
fn what_has_no_name_opens_unknown_fault_with_the_features() {
    let model = model();
    let mut detector = Detector::new(&model);
    let mut rows = runs(&model, 0..90, |_| (0.0, 0.0));
    let level = model.profile().position("water_level_mm").unwrap();
    let late = rows[29 * 60].at;
    for row in rows.iter_mut().filter(|row| row.at >= late) {
        row.values[level] = row.values[level].map(|value| 2.0 * value);
    }
    let said = live(&model, &mut detector, &rows);
    let prediction = said
        .iter()
        .find_map(|verdict| verdict.prediction.as_ref())
        .expect("an alarm");
    assert_eq!(
        (prediction.fault_class.as_str(), prediction.probability),
        ("unknown_fault", 0.3)
    );
    assert_eq!(prediction.top[0].channel, "wash_level");
    assert!(!prediction.below_call_level, "no call is ever about what has no name");
}

#[test]
fn what_is_normal_is_told_of_the_features_and_of_the_figures_behind_them() {
    let model = model();
    let mut detector = Detector::new(&model);
    live(&model, &mut detector, &runs(&model, 0..19, |_| (0.0, 0.0)));
    let learning = detector.normal(&model, Timestamp::UNIX_EPOCH);
    assert_eq!(
        (learning.stage, learning.calibrated, learning.calibration),
        (NormalStage::Calibrating, 19, 20)
    );
    assert!(learning.features.is_empty());

    live(&model, &mut detector, &runs(&model, 19..30, |_| (0.45, 0.0)));
    let told = detector.normal(&model, Timestamp::UNIX_EPOCH);
    let left_out = |all: &[NormalFeature]| {
        let all = all.iter().map(|one| (one.name.clone(), one.left_out));
        all.collect::<Vec<_>>()
    };
    // The detector without names needs 40 runs for the features.
    let figures = [("pump", None), ("spun", None), ("full_speed", Some(LeftOut::Condition))];
    let not_yet = [
        ("spin_current", Some(LeftOut::NotCalibrated)),
        ("wash_level", Some(LeftOut::NotCalibrated)),
    ];
    let expected = not_yet.into_iter().chain(figures);
    let expected: Vec<_> = expected.map(|(name, why)| (name.to_owned(), why)).collect();
    assert_eq!(
        (told.stage, left_out(&told.features)),
        (NormalStage::Calibrated, expected)
    );
    let pump = told.features[2].normal.unwrap();
    assert_eq!(
        (told.features[2].unit.as_str(), pump.by_ratio, pump.first),
        ("A", true, None)
    );
    assert!(
        (pump.now - 0.5).abs() < 0.02 && (pump.average - 0.784).abs() < 0.03,
        "{pump:?}"
    );
    // 0.45 of a logarithm in usual deviations of 0.05.
    assert!(pump.harmless == 0.05 && (pump.deviation - 9.0).abs() < 0.5, "{pump:?}");

    let without = |mut rows: Vec<Row>, channel: &str| {
        let position = model.profile().position(channel).unwrap();
        rows.iter_mut().for_each(|row| row.values[position] = None);
        rows
    };
    let rows = without(runs(&model, 30..45, |_| (0.0, 0.0)), "drain_pump_current_a");
    live(&model, &mut detector, &rows);
    let told = detector.normal(&model, Timestamp::UNIX_EPOCH);
    assert_eq!(told.features[2].left_out, Some(LeftOut::Silent));
    let level = told.features[1].normal.unwrap();
    assert!(
        told.features[1].left_out.is_none() && (level.now - 100.0).abs() < 1.0,
        "{level:?}"
    );
}

#[test]
fn a_manifest_of_one_kind_takes_nothing_of_the_other() {
    let folder = Folder::new(FAULTS);
    let refused = |from: &str, to: &str| {
        folder.write("manifest.toml", &MANIFEST.replace(from, to));
        folder.load().err().expect("refused")
    };
    let probability = "\n[probability]\noffset = 0.0\nslope = 1.0\nceiling = 0.5\n\n[budgets]";
    let stated = refused("\n[budgets]", probability);
    assert!(
        stated.contains("autoencoder and probability are for kind generic"),
        "{stated}"
    );
    let network = "\n[autoencoder]\nwindow = 8\nstride = 1\nclip = 10.0\nthreshold = 1.0\n\n[budgets]";
    let beside = refused("\n[budgets]", network);
    assert!(
        beside.contains("autoencoder and probability are for kind generic"),
        "{beside}"
    );
    let signature = "name = \"drum_bearing\"\nsignature = { spin_current = 1.0 }";
    let signed = refused("name = \"drum_bearing\"", signature);
    assert!(signed.contains("needs them without a signature"), "{signed}");
    let generic = refused("kind = \"named\"", "kind = \"generic\"");
    assert!(generic.contains("class drain_pump: needs a signature"), "{generic}");
    folder.write("manifest.toml", MANIFEST);
    folder.load().unwrap();
}

#[test]
fn a_hub_that_is_killed_within_a_run_goes_on_as_if_it_had_not_been() {
    let model = model();
    let moved = |number: u64| (grown(number, 40, 0.02), if number < 60 { 0.0 } else { 0.6 });
    let rows = runs(&model, 0..80, moved);
    let (mut one, mut other) = (Detector::new(&model), Detector::new(&model));
    let (mut said, mut again) = (Vec::new(), Vec::new());
    for row in &rows {
        said.extend(step(&mut one, &model, row).unwrap());
        let bytes = other.checkpoint();
        assert!(bytes[0] == 5 && bytes.len() < 2_000, "{} bytes", bytes.len());
        other = Detector::restore(&model, &bytes).unwrap();
        again.extend(step(&mut other, &model, row).unwrap());
    }
    assert!(said == again && one == other);
    assert!(said.iter().any(|verdict| verdict.alarm) && said.iter().any(|verdict| !verdict.apart.is_empty()));
    let bytes = one.checkpoint();
    for cut in 0..bytes.len().min(300) {
        assert!(Detector::restore(&model, &bytes[..cut]).is_err());
    }
    // Figures that are read from other phases are other numbers.
    let others = FAULTS.replace("phases = [4]", "phases = [4, 5]");
    let other = Folder::new(&others).load().unwrap();
    let refused = Detector::restore(&other, &bytes).unwrap_err();
    assert!(
        matches!(refused, CheckpointError::OtherModel { alarming: true, .. }),
        "{refused:?}"
    );
}

#[test]
fn no_cut_into_rounds_and_no_restart_between_them_changes_what_it_says() {
    let model = Arc::new(model());
    let moved = |number: u64| (grown(number, 40, 0.02), if number < 60 { 0.0 } else { 0.6 });
    let rows = runs(&model, 0..80, moved);
    let said = live(&model, &mut Detector::new(&model), &rows);
    assert!(said.iter().any(|verdict| verdict.alarm) && said.iter().any(|verdict| !verdict.apart.is_empty()));
    let sent = stored(UNIT, model.profile(), 1, &rows);
    let (whole, state) = judged(&model, sent.clone(), &[(usize::MAX, false)]);
    assert_eq!(whole, said);
    for rounds in [vec![(1, false)], vec![(7, false), (40, true)]] {
        let (verdicts, left) = judged(&model, sent.clone(), &rounds);
        assert_eq!(verdicts, said);
        assert!(left == state, "{rounds:?}");
    }
}

#[test]
fn a_folder_is_refused_where_its_faults_are_missing_wrong_or_others_than_its_golden_lives_are_of() {
    let folder = Folder::new(FAULTS);
    let hash = folder.load().unwrap().hash().to_owned();
    let refused = |faults: &str| {
        folder.write("faults.toml", faults);
        folder.load().err().expect("refused")
    };
    let other = refused(&FAULTS.replace("ticket_level = 6.0", "ticket_level = 5.0"));
    assert!(
        other.contains("golden.jsonl") && other.contains("other figures"),
        "{other}"
    );
    let wrong = refused(&FAULTS.replace("class = \"drain_pump\"", "class = \"pump\""));
    assert!(
        wrong.contains("faults.toml") && wrong.contains("has no signature"),
        "{wrong}"
    );
    let toml = refused("threshold = 1.0");
    assert!(toml.contains("faults.toml") && toml.contains("missing field"), "{toml}");
    std::fs::remove_file(folder.path().join("faults.toml")).unwrap();
    assert!(folder.load().err().expect("refused").contains("faults.toml"));

    let more = FAULTS.replace("ticket_level = 6.0", "ticket_level = 6.5");
    let changed = Folder::new(&more).load().unwrap();
    assert_ne!(changed.hash(), hash, "the hash is over the faults too");
    let lives = folder
        .golden(FAULTS)
        .replace("\"fault\":\"drum_bearing\"", "\"fault\":\"drain_pump\"");
    folder.write("faults.toml", FAULTS);
    folder.write("golden.jsonl", &lives);
    let named = folder.load().err().expect("refused");
    assert!(named.contains("the detector names drum_bearing"), "{named}");
}

#[test]
fn a_hub_that_runs_takes_other_faults() {
    let folder = Folder::new(FAULTS);
    let directory = folder.0.path();
    assert!(model_files(directory).contains(&folder.path().join("faults.toml")));
    let before = Registry::load(directory).unwrap();
    let other = FAULTS.replace("ticket_level = 6.0", "ticket_level = 6.5");
    folder.write("faults.toml", &other);
    folder.write("golden.jsonl", &folder.golden(&other));
    let after = before.load_again(directory).unwrap();
    assert!(!after.serves_as(&before) && after.refused().is_empty());
    folder.write("faults.toml", "nothing");
    let kept = after.load_again(directory).unwrap();
    assert!(kept.get("washing-machine").is_some() && kept.refused().len() == 1);
}
