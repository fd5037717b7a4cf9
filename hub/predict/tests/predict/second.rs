//! The pump rig's second version: the detector without a network names its alarms and asks the network of version 1 when one opens.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use hub_core::prediction::{FaultPrediction, SecondOpinion};
use hub_predict::{Detector, Model, ModelError, Row, Verdict, quantise_row, stored};

use crate::common::{models, pump_rig, pump_rows, step};
use crate::untrained::{UNIT, judged};

/// Places of channels in the profile.
const WATER: usize = 5;
const FLOW: usize = 7;

fn shipped() -> Arc<Model> {
    Arc::new(Model::load(&models().join("pump-rig")).unwrap())
}

/// A sound pump of so many rows, each with a change of its values.
fn rows(model: &Model, count: usize, change: impl Fn(usize, &mut [f64])) -> Vec<Row> {
    let mut rows = pump_rows(model, count, usize::MAX);
    for (second, row) in rows.iter_mut().enumerate() {
        let mut values: Vec<f64> = row.values.iter().map(|value| value.unwrap()).collect();
        change(second, &mut values);
        let values: Vec<Option<f64>> = values.into_iter().map(Some).collect();
        row.values = quantise_row(model.profile(), &values);
    }
    rows
}

/// The flow is less by this share from second 300 on, at once.
fn less_flow(model: &Model, count: usize, lost: f64) -> Vec<Row> {
    rows(model, count, |second, values| {
        if second >= 300 {
            values[FLOW] *= 1.0 - lost;
        }
    })
}

fn verdicts(model: &Model, rows: &[Row]) -> Vec<Verdict> {
    let mut detector = Detector::new(model);
    let of_row = |row: &Row| step(&mut detector, model, row).unwrap();
    rows.iter().flat_map(of_row).collect()
}

fn predictions(verdicts: &[Verdict]) -> Vec<&FaultPrediction> {
    verdicts
        .iter()
        .filter_map(|verdict| verdict.prediction.as_ref())
        .collect()
}

/// Fails with version 1's manifest, as the first half shows: its network reproduces a steady loss of flow of 3 %, and had a veto.
#[test]
fn a_steady_fault_of_one_channel_that_the_network_vetoed_is_told_with_its_opinion() {
    let before = pump_rig();
    let rows = less_flow(&before, 700, 0.032);
    let told = verdicts(&before, &rows);
    let last = told.last().unwrap();
    assert!(last.baseline_score > 1.4 && last.autoencoder_score < 1.0, "{last:?}");
    assert!(told.iter().all(|verdict| !verdict.alarm), "vetoed");

    let now = shipped();
    let told = verdicts(&now, &rows);
    let found = predictions(&told);
    let first = found.first().expect("it is told");
    assert_eq!(
        (first.fault_class.as_str(), first.model.as_str()),
        ("flow_loss", "pump-rig/2")
    );
    assert_eq!(first.second_opinion, Some(SecondOpinion::Disagrees));
    assert_eq!(first.top[0].channel, "Volume Flow RateRMS");
    assert!(first.since.duration_since(rows[300].at).as_secs() < 60, "{first:?}");
    assert!(
        (first.probability - 0.3).abs() < 1e-6,
        "no rule of the manifest knows better"
    );
    // The opinion is that of the moment in which the alarm opened, and is told with all that is told of it.
    assert!(
        found
            .iter()
            .all(|one| one.second_opinion == Some(SecondOpinion::Disagrees))
    );
    assert!(told.last().unwrap().alarm);
}

#[test]
fn the_network_agrees_to_a_fault_that_it_does_not_know() {
    let model = shipped();
    let told = verdicts(&model, &less_flow(&model, 420, 0.08));
    let found = predictions(&told);
    assert_eq!(found[0].second_opinion, Some(SecondOpinion::Agrees), "{:?}", found[0]);
    let sound = verdicts(&model, &rows(&model, 700, |_, _| {}));
    assert!(predictions(&sound).is_empty());
}

/// With version 1 a loss that is followed ends by itself: its baseline moves below 2.5, and its threshold is 2.1.
#[test]
fn what_is_normal_stays_where_it_is_while_an_alarm_stands() {
    let model = shipped();
    let told = verdicts(&model, &less_flow(&model, 2_400, 0.032));
    let found = predictions(&told);
    let normal = |prediction: &FaultPrediction| prediction.top[0].baseline_mean;
    let (first, last) = (found[0], found[found.len() - 1]);
    assert!(last.at.duration_since(first.at).as_secs() > 1_800 && told.last().unwrap().alarm);
    assert_eq!(normal(first), normal(last));
}

#[test]
fn a_second_fault_while_an_alarm_stands_gets_its_own_name() {
    let model = shipped();
    let rows = rows(&model, 800, |second, values| {
        if (300..450).contains(&second) {
            values[FLOW] *= 0.92;
        }
        if second >= 450 {
            values[WATER] += 12.0;
        }
    });
    let told = verdicts(&model, &rows);
    let found = predictions(&told);
    let mut classes: Vec<&str> = found.iter().map(|one| one.fault_class.as_str()).collect();
    classes.dedup();
    assert_eq!(classes, ["flow_loss", "hot_water"]);
    let alarms = told.iter().skip_while(|verdict| !verdict.alarm);
    assert!(alarms.clone().all(|verdict| verdict.alarm), "one alarm, of two faults");
    // Not with the first step that points there: four of them, as an alarm is held.
    let hot = found.iter().find(|one| one.fault_class == "hot_water").unwrap();
    assert!(hot.at.duration_since(rows[450].at).as_secs() >= 20, "{hot:?}");
}

/// What the network is shown, what it said and which name is on its way are saved with the rest.
#[test]
fn no_cut_and_no_restart_changes_a_name_or_an_opinion() {
    let model = shipped();
    let rows = rows(&model, 620, |second, values| {
        if (300..450).contains(&second) {
            values[FLOW] *= 0.92;
        }
        if second >= 450 {
            values[WATER] += 12.0;
        }
    });
    let rows = stored(UNIT, model.profile(), 1, &rows);
    let (expected, state) = judged(&model, rows.clone(), &[(usize::MAX, false)]);
    assert!(predictions(&expected).iter().all(|one| one.second_opinion.is_some()));
    for batches in [&[(1, true)][..], &[(7, true), (40, false)], &[(13, false), (3, true)]] {
        let (told, left) = judged(&model, rows.clone(), batches);
        assert_eq!(told, expected);
        assert_eq!(left, state);
    }
    // Eight features of eight steps.
    assert!((64..1_024 + 128).contains(&state.len()), "{} bytes", state.len());
    for cut in 0..state.len().min(200) {
        assert!(Detector::restore(&model, &state[..cut]).is_err());
    }
}

fn copy() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("pump-rig");
    for name in ["pump-rig", "profiles"] {
        std::fs::create_dir(directory.path().join(name)).unwrap();
    }
    let files = ["manifest.toml", "model.onnx", "golden.jsonl"].map(|file| format!("pump-rig/{file}"));
    for file in files.iter().map(String::as_str).chain(["profiles/pump-rig.toml"]) {
        std::fs::copy(models().join(file), directory.path().join(file)).unwrap();
    }
    (directory, folder)
}

fn told(refused: &ModelError) -> String {
    let mut said = refused.to_string();
    let mut source = refused.source();
    while let Some(why) = source {
        said += &format!(": {why}");
        source = why.source();
    }
    said
}

#[test]
fn a_network_that_cannot_give_an_opinion_is_refused_with_what_is_wrong() {
    let cases = [
        ("window = 32", "window = 1024", "reaches back over 206 steps"),
        (
            "period_s = 1.0",
            "period_s = 7.0",
            "autoencoder.period_s must be above 0",
        ),
        (
            "Current = { floor = 0.2 }\n",
            "",
            "autoencoder.inputs needs each feature",
        ),
        (
            "Current = { floor = 0.2 }",
            "Current = { floor = 0.0 }",
            "with a floor above 0",
        ),
        // Another floor is another network's: what is golden was made of the one before.
        (
            "Current = { floor = 0.2 }",
            "Current = { floor = 0.3 }",
            "was made of other figures",
        ),
        ("min_cosine = 0.7", "min_cosine = 0.0", "classification.min_cosine"),
    ];
    for (from, to, why) in cases {
        let (_directory, folder) = copy();
        let path = folder.join("manifest.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from}");
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let said = told(&Model::load(&folder).err().unwrap());
        assert!(said.contains(why), "{from} to {to}: {said}");
    }
    let (_directory, folder) = copy();
    Model::load(&folder).unwrap();
    // Lives alone hold the detector, and no network.
    let golden = std::fs::read_to_string(folder.join("golden.jsonl")).unwrap();
    let lives: Vec<&str> = golden.lines().filter(|line| !line.contains("\"window\"")).collect();
    std::fs::write(folder.join("golden.jsonl"), lives.join("\n")).unwrap();
    assert!(matches!(Model::load(&folder).err().unwrap(), ModelError::Golden { .. }));
    std::fs::remove_file(folder.join("model.onnx")).unwrap();
    let said = told(&Model::load(&folder).err().unwrap());
    assert!(said.contains("cannot read") && said.contains("model.onnx"), "{said}");
}
