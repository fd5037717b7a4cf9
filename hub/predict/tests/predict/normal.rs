//! What a detector takes for normal, as people are told of it, in each stage.

use std::collections::BTreeMap;

use hub_core::normal::{Counted, LearnedNormal, LeftOut, NoNormal, Normal, NormalFeature, NormalStage};
use hub_predict::{Detector, Model, Registry, Row};
use hub_store::prediction::{SavedDetector, SavedDetectors};
use jiff::Timestamp;

use crate::boiler::{A_DAY, BOILERS, models_dir, rows};
use crate::common::{models, pump_rig, pump_rows, step};
use crate::untrained::grow;

const FLOW: &str = "Volume Flow RateRMS";
/// Rows of the pump's calibration.
const CALIBRATE: u32 = 100;

fn as_of() -> Timestamp {
    "2026-03-02T02:00:00Z".parse().unwrap()
}

fn lived(mut detector: Detector, model: &Model, rows: &[Row]) -> LearnedNormal {
    for row in rows {
        step(&mut detector, model, row).unwrap();
    }
    detector.normal(model, as_of())
}

fn pump(rows: &[Row]) -> LearnedNormal {
    let model = pump_rig();
    lived(Detector::with_calibration(&model, CALIBRATE), &model, rows)
}

fn boiler(rows: &[Row]) -> LearnedNormal {
    let model = &BOILERS.model;
    lived(Detector::new(model), model, rows)
}

fn feature<'a>(baseline: &'a LearnedNormal, name: &str) -> &'a NormalFeature {
    baseline.features.iter().find(|feature| feature.name == name).unwrap()
}

fn normal(baseline: &LearnedNormal, name: &str) -> Normal {
    feature(baseline, name).normal.unwrap()
}

fn left_out(baseline: &LearnedNormal) -> Vec<(&str, LeftOut)> {
    let all = baseline.features.iter();
    all.filter_map(|feature| Some((feature.name.as_str(), feature.left_out?)))
        .collect()
}

#[test]
fn a_pump_is_told_with_what_its_baseline_and_its_family_hold() {
    let rows = pump_rows(&pump_rig(), 400, 350);
    let learning = pump(&rows[..60]);
    assert_eq!(
        (learning.stage, learning.counted, learning.calibration),
        (NormalStage::Calibrating, Counted::Readings, CALIBRATE)
    );
    assert!((50..=60).contains(&learning.calibrated), "{learning:?}");
    assert!(learning.features.is_empty() && learning.watched_since.is_none());

    let sound = pump(&rows[..350]);
    assert_eq!(
        (sound.stage, sound.calibrated, sound.compared),
        (NormalStage::Calibrated, CALIBRATE, None)
    );
    assert_eq!((sound.model.as_str(), sound.as_of), ("pump-rig/1", as_of()));
    assert_eq!(sound.features.len(), 8);
    assert!(sound.watched_since.is_some_and(|at| at <= rows[349].at), "{sound:?}");
    assert!(left_out(&sound).is_empty(), "{sound:?}");
    let flow = normal(&sound, FLOW);
    assert!(
        (flow.now - 125.0).abs() < 1.0 && (flow.average - 125.0).abs() < 1.0,
        "{flow:?}"
    );
    assert!(flow.by_ratio && flow.floor == 0.008 && flow.first.is_none(), "{flow:?}");
    assert!(flow.harmless >= flow.floor && flow.deviation.abs() < 1.0, "{flow:?}");
    let current = feature(&sound, "Current");
    assert_eq!((current.unit.as_str(), current.normal.unwrap().by_ratio), ("A", false));
    assert!(sound.features.iter().all(|feature| feature.normal.unwrap().is_finite()));

    let flow = normal(&pump(&rows), FLOW);
    assert!(flow.average < 121.0 && flow.now > 123.0, "{flow:?}");
    let away = (flow.average / flow.now).ln() / flow.harmless;
    assert!(
        flow.deviation < -3.0 && (flow.deviation - away).abs() < 0.01,
        "{flow:?}"
    );
}

#[test]
fn a_sensor_that_is_silent_stuck_or_was_never_there_is_told() {
    let mut rows = pump_rows(&pump_rig(), 400, usize::MAX);
    for (number, row) in rows.iter_mut().enumerate() {
        row.values[5] = None;
        if number > 200 {
            row.values[3] = None;
            row.values[6] = Some(231.0);
        }
    }
    let told = pump(&rows);
    assert_eq!(
        left_out(&told),
        [
            ("Pressure", LeftOut::Silent),
            ("Thermocouple", LeftOut::NotCalibrated),
            ("Voltage", LeftOut::Stuck)
        ]
    );
    assert!(feature(&told, "Thermocouple").normal.is_none() && feature(&told, "Pressure").normal.is_some());
}

#[test]
fn a_boiler_is_told_with_its_first_normal_and_what_it_is_freed_of() {
    let days = |days: i64| (days * A_DAY) as usize;
    let life = rows(1, 130, None);
    let learning = boiler(&life[..days(15)]);
    assert_eq!(
        (learning.stage, learning.counted, learning.calibration),
        (NormalStage::Calibrating, Counted::Periods, 40)
    );
    assert!((25..=30).contains(&learning.calibrated), "{learning:?}");
    assert!(learning.features.is_empty() && learning.compared.is_none() && learning.period_s == Some(43_200.0));

    let sound = boiler(&life);
    assert_eq!((sound.stage, sound.calibrated), (NormalStage::Calibrated, 40));
    assert!((210..=222).contains(&sound.compared.unwrap()), "{sound:?}");
    assert!(
        sound
            .watched_since
            .is_some_and(|at| at > life[days(15)].at && at < life[days(25)].at),
        "{sound:?}"
    );
    assert_eq!(left_out(&sound), [("room_temperature_c", LeftOut::Condition)]);
    assert!(feature(&sound, "room_temperature_c").normal.is_none());
    let pump = normal(&sound, "pump_current_a");
    let first = pump.first.unwrap();
    assert!(
        (pump.now / 0.515 - 1.0).abs() < 0.03 && (first / 0.515 - 1.0).abs() < 0.03,
        "{pump:?}"
    );
    assert!(pump.by_ratio && (0.001..0.2).contains(&pump.floor), "{pump:?}");
    assert!(pump.harmless >= pump.floor && pump.deviation.abs() < 1.0, "{pump:?}");
    let water = normal(&sound, "water_c");
    assert!(!water.by_ratio && (water.now - 60.0).abs() < 0.5, "{water:?}");

    let worn = normal(&boiler(&rows(1, 130, Some(85))), "pump_current_a");
    assert!(worn.average > 1.2 * worn.now && worn.deviation > 2.5, "{worn:?}");
    assert!(worn.deviation_from_first.is_some_and(|away| away > 1.0), "{worn:?}");
}

#[test]
fn a_feature_of_a_boiler_that_is_not_compared_says_why() {
    let mut life = rows(1, 130, None);
    let from = (110 * A_DAY) as usize;
    let stuck = life[from].values[2];
    for row in &mut life[from..] {
        (row.values[1], row.values[2]) = (None, stuck);
    }
    let told = boiler(&life);
    let mut told: Vec<(&str, LeftOut)> = left_out(&told);
    told.sort_by_key(|(name, _)| *name);
    assert_eq!(
        told,
        [
            ("power_w", LeftOut::Stuck),
            ("room_temperature_c", LeftOut::Condition),
            ("water_c", LeftOut::Silent)
        ]
    );
    // A sensor that came when the normal had been learned.
    let mut life = rows(1, 130, None);
    life[..from].iter_mut().for_each(|row| row.values[3] = None);
    let told = boiler(&life);
    let pump = feature(&told, "pump_current_a");
    assert_eq!((pump.left_out, pump.normal), (Some(LeftOut::NotCalibrated), None));
}

#[test]
fn a_boiler_that_goes_from_state_to_state_names_the_feature() {
    let mut life = rows(4, 260, None);
    for (number, row) in life.iter_mut().enumerate() {
        if (number / 40) % 2 == 1 {
            row.values[1] = Some(95.0 + 0.1 * (number % 3) as f64);
        }
    }
    let refused = boiler(&life[..250]);
    assert_eq!(
        (refused.stage, refused.refused_by.as_deref()),
        (NormalStage::Calibrating, Some("water_c"))
    );
    let given_up = boiler(&life);
    assert_eq!(
        (given_up.stage, given_up.refused_by.as_deref()),
        (NormalStage::CannotCalibrate, Some("water_c"))
    );
    assert!(given_up.features.is_empty() && given_up.watched_since.is_none());
}

#[test]
fn a_model_of_runs_counts_runs() {
    let model = Model::load(&models().join("washing-machine")).unwrap();
    let told = Detector::new(&model).normal(&model, as_of());
    assert_eq!((told.stage, told.counted), (NormalStage::Calibrating, Counted::Runs));
    assert_eq!(
        (told.calibrated, told.calibration),
        (0, model.manifest().baseline.calibration)
    );
}

#[test]
fn what_was_saved_is_read_by_the_model_that_is_served_or_the_reason_is_told() {
    let directory = models_dir();
    let registry = Registry::load(directory.path()).unwrap();
    let model = registry.of(None, "boiler").unwrap();
    let mut detector = Detector::new(model);
    for row in rows(1, 60, None) {
        step(&mut detector, model, &row).unwrap();
    }
    let state = |model: &str, state: &[u8]| SavedDetector {
        model: model.to_owned(),
        state: state.to_vec(),
        saved_at: as_of(),
    };
    let saved = |restarted: bool, states: Vec<SavedDetector>| SavedDetectors {
        profile: "boiler".to_owned(),
        model: None,
        restarted,
        states,
        floors: BTreeMap::new(),
    };
    let own = detector.checkpoint();
    let known = saved(true, vec![state("boiler/1", &[]), state("generic/1", &own)]);
    assert_eq!(registry.normal(&known), Ok(detector.normal(model, as_of())));
    assert_eq!(registry.normal(&known).unwrap().features.len(), 3);
    // Of the fleet's floors those that this model judges by.
    let pump = |saved: &SavedDetectors| {
        let normal = registry.normal(saved).unwrap();
        let pump = normal.features.iter().find(|one| one.name == "pump_current_a");
        pump.unwrap().normal.as_ref().unwrap().floor
    };
    let of_fleet = |model: &str| SavedDetectors {
        floors: BTreeMap::from([(model.to_owned(), BTreeMap::from([("pump_current_a".to_owned(), 0.3)]))]),
        ..known.clone()
    };
    assert_eq!(pump(&of_fleet("boiler/1")), pump(&known));
    assert!(pump(&of_fleet("generic/1")) > 2.5 * pump(&known));

    let why = |registry: &Registry, saved: &SavedDetectors| registry.normal(saved).unwrap_err();
    let kettle = SavedDetectors {
        profile: "kettle".to_owned(),
        ..known.clone()
    };
    assert_eq!(why(&registry, &kettle), NoNormal::NoModel);
    assert_eq!(why(&registry, &saved(false, vec![])), NoNormal::NothingSaved);
    assert_eq!(why(&registry, &saved(true, vec![])), NoNormal::Restarted);
    let other = saved(false, vec![state("boiler/1", &own)]);
    assert_eq!(why(&registry, &other), NoNormal::OtherModel);
    let cut = saved(false, vec![state("generic/1", &own[..own.len() / 2])]);
    assert_eq!(why(&registry, &cut), NoNormal::Unreadable);
    // Its profile gets a channel: what was learned is of other features.
    grow(directory.path());
    let grown = Registry::load(directory.path()).unwrap();
    assert_eq!(why(&grown, &known), NoNormal::OtherModel);
}
