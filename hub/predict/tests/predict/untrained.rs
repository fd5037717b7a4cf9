//! The detector without a network on the hub's road: a family of a folder, and family `generic` of a profile alone.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use hub_core::id::{ApplianceId, TenantId};
use hub_core::prediction::UNKNOWN_FAULT;
use hub_core::situation::Observation;
use hub_core::watching::WatchState;
use hub_predict::{
    CheckpointError, Detector, Detectors, Manner, Model, Registry, Row, Verdict, WINDOWS_MAX, Watch, score_csv, stored,
};
use hub_store::prediction::ScoringSubject;
use hub_store::telemetry::StoredRow;
use jiff::{SignedDuration, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::boiler::{BOILERS, copied, csv, models_dir, rows};
use crate::common::{models, step};
use crate::road::compare;

pub const UNIT: ApplianceId = ApplianceId(1);

/// Verdicts of rows in such batches, of which some end with a restart; and the state at the end.
pub fn judged(model: &Arc<Model>, mut rows: Vec<StoredRow>, batches: &[(usize, bool)]) -> (Vec<Verdict>, Vec<u8>) {
    let mut detectors = Detectors::default();
    detectors.insert(UNIT, model.clone(), Detector::new(model));
    let manner = Manner {
        again: false,
        windows: WINDOWS_MAX,
        progress: &(),
    };
    let mut verdicts = Vec::new();
    for (count, restarts) in batches.iter().cycle() {
        if rows.is_empty() {
            break;
        }
        let rest = rows.split_off((*count).min(rows.len()));
        let batch = detectors.score(std::mem::replace(&mut rows, rest), &manner);
        verdicts.extend(batch.judged.into_iter().map(|step| step.verdict));
        if *restarts {
            let state = detectors.checkpoint(UNIT).unwrap();
            detectors.insert(UNIT, model.clone(), Detector::restore(model, &state).unwrap());
        }
    }
    (verdicts, detectors.checkpoint(UNIT).unwrap())
}

/// A life with a fault, with a channel that is silent for a while, another that is stuck, and a gap.
fn life() -> Vec<Row> {
    let mut rows = rows(3, 130, Some(85));
    for row in &mut rows[200..209] {
        row.values[1] = None;
    }
    let stuck = rows[240].values[2];
    rows[240..300].iter_mut().for_each(|row| row.values[2] = stuck);
    rows.drain(310..326);
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_cut_into_batches_and_no_restart_changes_a_verdict(
        batches in vec((1_usize..90, any::<bool>()), 1..8),
        parts in any::<bool>(),
    ) {
        let model = &BOILERS.model;
        let whole = stored(UNIT, model.profile(), 1, &life());
        let (expected, state) = judged(model, whole.clone(), &[(usize::MAX, false)]);
        let sent = if parts { in_parts(&whole) } else { whole };
        let (verdicts, left) = judged(model, sent, &batches);
        prop_assert_eq!(&verdicts, &expected);
        prop_assert!(parts || left == state);
    }
}

/// Each row as one message a channel.
fn in_parts(rows: &[StoredRow]) -> Vec<StoredRow> {
    let mut parts: Vec<StoredRow> = Vec::new();
    for row in rows {
        for channel in 0..row.values.len() {
            let mut part = row.clone();
            part.values
                .iter_mut()
                .enumerate()
                .filter(|(i, _)| *i != channel)
                .for_each(|(_, value)| *value = None);
            part.ingest_no = parts.len() as i64 + 1;
            if part.values[channel].is_some() {
                parts.push(part);
            }
        }
    }
    parts
}

#[test]
fn what_is_cut_holds_a_fault_that_is_found_and_told() {
    let model = &BOILERS.model;
    let (verdicts, state) = judged(model, stored(UNIT, model.profile(), 1, &life()), &[(7, true)]);
    let found = verdicts.iter().find(|verdict| verdict.alarm).unwrap();
    let prediction = found.prediction.as_ref().unwrap();
    assert_eq!(
        (prediction.fault_class.as_str(), prediction.model.as_str()),
        (UNKNOWN_FAULT, "boiler/1")
    );
    assert!(
        prediction.probability < 0.9 && prediction.score >= 1.0,
        "{prediction:?}"
    );
    let cause = &prediction.top[0];
    assert!(
        cause.channel == "pump_current_a" && cause.value > 1.1 * cause.baseline_mean,
        "{cause:?}"
    );
    assert!(prediction.top.len() <= 3 && prediction.since <= prediction.at);
    let detector = Detector::restore(model, &state).unwrap();
    let evidence = detector.evidence(model, prediction);
    assert_eq!(
        (evidence.points.len(), evidence.channels.len()),
        (16, prediction.top.len())
    );
    let last = evidence.points.last().unwrap();
    assert!(
        (last.values[0] / 0.8175 - 1.0).abs() < 0.05,
        "the pump draws {}",
        last.values[0]
    );
    // The stuck and the silent sensor are told, and neither has alarmed.
    assert!(verdicts.iter().any(|verdict| verdict.suspect.contains(&1)), "stuck");
    assert!(verdicts.iter().any(|verdict| verdict.suspect.contains(&0)), "silent");
    assert!(verdicts.iter().filter(|v| v.alarm).all(|v| v.at >= prediction.at));
}

#[test]
fn the_hub_and_the_command_say_the_same() {
    let (directory, _) = copied();
    let registry = Arc::new(Registry::load(directory.path()).unwrap());
    let model = registry.get("boiler").unwrap();
    let told = compare(model, &registry, &csv(&life()));
    assert!(matches!(&told[0], Observation::Alarm { prediction, .. } if prediction.fault_class == UNKNOWN_FAULT));
    // And of a profile alone.
    let directory = models_dir();
    let registry = Arc::new(Registry::load(directory.path()).unwrap());
    let model = registry.of(None, "boiler").unwrap();
    let told = compare(model, &registry, &csv(&rows(2, 150, Some(100))));
    assert!(matches!(&told[0], Observation::Alarm { prediction, .. } if prediction.model == "generic/1"));
}

#[test]
fn a_profile_alone_is_watched_by_generic_until_a_model_is_there() {
    let directory = models_dir();
    let alone = Registry::load(directory.path()).unwrap();
    assert_eq!(alone.families().count(), 0);
    assert_eq!(
        alone.generics().map(|(profile, _)| profile).collect::<Vec<_>>(),
        ["boiler"]
    );
    assert_eq!(alone.watched(), ["boiler", "generic"]);
    let generic = alone.of(None, "boiler").unwrap();
    assert_eq!((generic.version(), generic.has_network()), ("generic/1", false));
    let names: Vec<&str> = generic
        .manifest()
        .features
        .iter()
        .map(|feature| feature.name.as_str())
        .collect();
    assert_eq!(
        names,
        ["water_c", "power_w", "pump_current_a"],
        "the room tells nothing of the boiler"
    );
    assert!(alone.of(Some("boiler"), "boiler").is_none() && alone.of(None, "kettle").is_none());

    BOILERS.write(&directory.path().join("boiler"));
    let both = alone.load_again(directory.path()).unwrap();
    assert_eq!(both.of(None, "boiler").unwrap().version(), "boiler/1");
    let named = both.of(Some("generic"), "boiler").unwrap();
    assert!(Arc::ptr_eq(named, generic), "loaded once");
    assert_eq!(both.generics().count(), 0);
    // Its profile gets a channel: what it had learned is of other features.
    grow(directory.path());
    let grown = both.load_again(directory.path()).unwrap();
    assert!(!grown.serves_as(&both));
    let state = Detector::new(generic).checkpoint();
    let other = grown.of(Some("generic"), "boiler").unwrap();
    assert!(matches!(
        Detector::restore(other, &state),
        Err(CheckpointError::OtherModel { .. })
    ));
    // Every profile that the project ships has it, though each has a family of its own.
    let shipped = Registry::load(&models()).unwrap();
    assert_eq!(shipped.generics().count(), 0);
    assert!(shipped.of(Some("generic"), "pump-rig").is_some());
}

/// Appends a channel that is measured to the boiler's profile.
pub fn grow(directory: &Path) {
    let path = directory.join("profiles/boiler.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let channel =
        "[[channels]]\nid = 5\nname = \"flow_l_min\"\nunit = \"l/min\"\ndecimals = 1\nmin = 0.0\nmax = 90.0\n\n[words]";
    let text = text
        .replacen("[words]", channel, 1)
        .replacen("version = 1", "version = 2", 1);
    std::fs::write(&path, text + "flow_l_min = { zh-CN = \"流量\", en = \"flow\" }\n").unwrap();
}

/// Days of the pump rig's eight channels under family `generic`.
#[test]
fn an_appliance_that_is_watched_is_saved_in_a_kilobyte() {
    let registry = Registry::load(&models()).unwrap();
    let model = registry.of(Some("generic"), "pump-rig").unwrap();
    assert_eq!(model.manifest().features.len(), 8);
    let mut detector = Detector::new(model);
    let start = Timestamp::from_second(1_700_000_000).unwrap();
    let mut largest = 0;
    for hour in 0..24 * 100_i32 {
        let wave = f64::from(hour % 17) / 17.0;
        let value = |channel: i32| Some(20.0 + f64::from(channel) + 0.1 * wave);
        let row = Row {
            at: start + SignedDuration::from_hours(i64::from(hour)),
            values: (0..8).map(value).collect(),
        };
        step(&mut detector, model, &row).unwrap();
        if hour > 24 * 60 {
            largest = largest.max(detector.checkpoint().len());
        }
    }
    assert_eq!(detector.watching(model).state, WatchState::Watched);
    assert!((400..=1_024).contains(&largest), "{largest} bytes");
}

#[test]
fn an_appliance_that_goes_from_state_to_state_is_said_not_to_be_watched() {
    let model = &BOILERS.model;
    let mut detector = Detector::new(model);
    let mut told = Vec::new();
    for (number, mut row) in rows(4, 260, None).into_iter().enumerate() {
        // Another state every ten days.
        if (number / 40) % 2 == 1 {
            row.values[1] = Some(95.0 + 0.1 * (number % 3) as f64);
        }
        step(&mut detector, model, &row).unwrap();
        let watching = detector.watching(model);
        if told.last() != Some(&watching.state) {
            told.push(watching.state);
        }
    }
    assert_eq!(told, [WatchState::Calibrating, WatchState::CannotCalibrate]);
    let watching = detector.watching(model);
    assert_eq!(watching.unsteady.as_deref(), Some("water_c"));
    assert_eq!(
        (watching.model.as_deref(), watching.calibration),
        (Some("boiler/1"), 40)
    );
    // And `score` says so.
    let mut jumping = rows(4, 130, None);
    for (number, row) in jumping.iter_mut().enumerate() {
        let state = if (number / 40) % 2 == 1 { 95.0 } else { 60.0 };
        row.values[1] = Some(state + 0.1 * (number % 3) as f64);
    }
    let summary = score_csv(csv(&jumping).as_bytes(), Vec::new(), model, 40).unwrap();
    assert!(
        summary
            .nothing_judged()
            .unwrap()
            .contains("water_c moves from state to state"),
        "{summary}"
    );
}

/// What the store says of it begins it again: a part was changed, or the appliance has another owner.
#[test]
fn a_restarted_baseline_is_learned_again() {
    let (directory, _) = copied();
    let registry = Arc::new(Registry::load(directory.path()).unwrap());
    let model = registry.get("boiler").unwrap().clone();
    let mut watch = Watch::new(registry, &[], Arc::new(()));
    let admit = |watch: &mut Watch, fresh_after| {
        watch.admit(&ScoringSubject {
            appliance: UNIT,
            tenant: TenantId::new("acme").unwrap(),
            profile: "boiler".to_owned(),
            appliance_model: "boiler".to_owned(),
            model: None,
            checkpoints: Vec::new(),
            fresh_after,
        });
    };
    admit(&mut watch, 0);
    let rows = stored(UNIT, model.profile(), 1, &rows(5, 60, None));
    let (first, second) = rows.split_at(160);
    watch.score(first.to_vec(), Instant::now());
    assert_eq!(watch.states()[&WatchState::Watched], 1);
    watch.forget(UNIT);
    admit(&mut watch, 160);
    watch.score(second.to_vec(), Instant::now());
    assert_eq!(watch.states()[&WatchState::Calibrating], 1);
    let state = watch.state(UNIT).unwrap();
    let watching = Detector::restore(&model, &state).unwrap().watching(&model);
    assert!((30..40).contains(&watching.calibrated), "{watching:?}");
}

/// What each was for a detector that takes whatever comes first for normal, follows while an alarm stands, and asks a network.
#[test]
fn what_misled_the_detector_before_does_not_mislead_this_one() {
    let model = &BOILERS.model;
    let alarms = |rows: &[Row]| -> Vec<Timestamp> {
        let mut detector = Detector::new(model);
        let mut said = Vec::new();
        for row in rows {
            said.extend(step(&mut detector, model, row).unwrap());
        }
        said.into_iter()
            .filter(|verdict| verdict.alarm)
            .map(|verdict| verdict.at)
            .collect()
    };
    // Another regime inside the calibration: neither blind nor noisy behind it.
    let mut begun = rows(1, 130, Some(90));
    begun[..40].iter_mut().for_each(|row| row.values[1] = Some(95.0));
    let found = alarms(&begun);
    assert!(found[0] > begun[360].at, "{:?}", found.first());
    // A fault that stays is told for as long as it does: nothing gets used to it.
    let lasting = rows(1, 400, Some(60));
    let found = alarms(&lasting);
    assert!(found.last().unwrap().duration_since(found[0]) > SignedDuration::from_hours(24 * 300));
    // One that is slower than what the normal follows.
    let mut slow = rows(2, 900, None);
    for (number, row) in slow.iter_mut().enumerate().skip(240) {
        let grown = 1.0 + 0.8 * (number - 240) as f64 / 3_360.0;
        row.values[3] = row.values[3].map(|value| value * grown);
    }
    assert!(
        !alarms(&slow).is_empty(),
        "a pump that draws 80 % more within two years"
    );
    assert!(alarms(&rows(2, 900, None)).is_empty());
}

/// Idle is no state of its normal: rows of phase 0 are of no step, however many there are.
#[test]
fn idle_is_not_mixed_into_what_is_normal() {
    let registry = Registry::load(&models()).unwrap();
    let model = registry.of(Some("generic"), "washing-machine").unwrap();
    let place = |name: &str| model.profile().position(name).unwrap();
    let (phase, motor) = (place("phase"), place("motor_current_a"));
    let start = Timestamp::from_second(1_700_006_400).unwrap();
    let mut detector = Detector::new(model);
    let mut last = None;
    for day in 0..90_i64 {
        // From a day on the motor draws half as much again; on each day it stands for another time.
        let draws = if day < 60 { 2.0 } else { 3.0 };
        for minute in 0..20 + 90 * (day % 5) {
            let runs = minute < 20;
            let mut values = vec![None; model.profile().channels.len()];
            values[phase] = Some(if runs { 2.0 } else { 0.0 });
            values[motor] = Some(if runs { draws + 0.01 * (minute % 7) as f64 } else { 0.0 });
            let at = start + SignedDuration::from_hours(24 * day) + SignedDuration::from_mins(minute);
            last = step(&mut detector, model, &Row { at, values }).unwrap().pop().or(last);
        }
        if day == 55 {
            let watching = detector.watching(model);
            assert_eq!(watching.state, WatchState::Watched, "{watching:?}");
            assert!(!detector.alarming());
        }
    }
    let prediction = last.unwrap().prediction.unwrap();
    assert_eq!(prediction.top[0].channel, "motor_current_a");
    assert!((prediction.top[0].baseline_mean - 2.03).abs() < 0.02, "{prediction:?}");
}
