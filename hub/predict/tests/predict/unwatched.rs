//! The detector without a network: whom it does not watch and says so, and what it tells once.

use std::sync::Arc;
use std::time::Instant;

use hub_core::id::TenantId;
use hub_core::situation::Observation;
use hub_core::watching::WatchState;
use hub_predict::{Detector, Detectors, Manner, Registry, Row, WINDOWS_MAX, Watch, stored};
use hub_store::prediction::{Checkpoint, ScoringSubject};
use jiff::{SignedDuration, Timestamp};

use crate::boiler::{BOILERS, models_dir, rows};
use crate::common::{models, of_network, step};
use crate::untrained::{UNIT, grow, judged};

/// Its normal is learned again with the channel that has come, and nobody would tell the end of the alarm that stands.
#[test]
fn an_alarm_ends_when_what_raised_it_is_not_known_any_more() {
    let directory = models_dir();
    let before = Registry::load(directory.path()).unwrap();
    let model = before.of(None, "boiler").unwrap();
    let rows = stored(UNIT, model.profile(), 1, &rows(2, 150, Some(100)));
    let (first, last) = rows.split_at(rows.len() - 1);
    let (verdicts, state) = judged(model, first.to_vec(), &[(usize::MAX, false)]);
    assert!(verdicts.last().unwrap().alarm);
    grow(directory.path());
    for (registry, ends) in [(Registry::load(directory.path()).unwrap(), true), (before, false)] {
        let mut watch = Watch::new(Arc::new(registry), &[], Arc::new(()));
        watch.admit(&ScoringSubject {
            appliance: UNIT,
            tenant: TenantId::new("acme").unwrap(),
            profile: "boiler".to_owned(),
            appliance_model: "boiler".to_owned(),
            model: None,
            checkpoints: vec![Checkpoint {
                appliance: UNIT,
                model: "generic/1".to_owned(),
                ingest_no: first.len() as i64,
                state: state.clone(),
            }],
            fresh_after: 0,
        });
        let commit = watch.score(last.to_vec(), Instant::now()).commit;
        let ended = [Observation::Clear { appliance: UNIT }];
        assert_eq!(commit.observations == ended, ends);
        assert_eq!(commit.observations.is_empty(), !ends);
    }
}

/// A restart takes nothing back and tells nothing twice: what was told is in the state, and stands as long as the alarm does.
#[test]
fn an_alarm_is_not_told_again_after_a_restart() {
    let model = &BOILERS.model;
    let rows = stored(UNIT, model.profile(), 1, &rows(1, 200, Some(60)));
    let told = |every: usize| {
        let mut detectors = Detectors::default();
        detectors.insert(UNIT, model.clone(), Detector::new(model));
        let manner = Manner {
            again: false,
            windows: WINDOWS_MAX,
            progress: &(),
        };
        let mut told = Vec::new();
        for rows in rows.chunks(every) {
            let batch = detectors.score(rows.to_vec(), &manner);
            told.extend(batch.judged.into_iter().flat_map(|step| step.news));
            let state = detectors.checkpoint(UNIT).unwrap();
            detectors.insert(UNIT, model.clone(), Detector::restore(model, &state).unwrap());
        }
        told
    };
    let whole = told(usize::MAX);
    assert!(matches!(whole[0], Observation::Alarm { .. }));
    assert_eq!(told(1), whole);
    assert_eq!(told(37), whole);
}

/// Steps without a value of what is watched are held for nothing.
#[test]
fn steps_in_which_nothing_was_measured_hold_nothing() {
    let model = &BOILERS.model;
    let mut life = rows(1, 130, Some(60));
    for row in &mut life[400..] {
        // The room is no sign of health.
        row.values = vec![row.values[0], None, None, None];
    }
    let (verdicts, _) = judged(model, stored(UNIT, model.profile(), 1, &life), &[(usize::MAX, false)]);
    let (before, silent) = verdicts.split_at(199);
    let standing = before.last().unwrap().prediction.as_ref().unwrap();
    for verdict in &silent[2..] {
        assert!(!verdict.judged && verdict.alarm && verdict.held == 0.0, "{verdict:?}");
        assert!(verdict.prediction.as_ref().unwrap().score >= standing.score);
    }
    assert!(silent.len() > 40, "{}", silent.len());
}

/// Who made a model for these appliances is told that it is not served; something else in its place would not be seen.
#[test]
fn a_refused_folder_hands_its_appliances_to_nobody() {
    let directory = models_dir();
    let copy = |family: &str, files: &[&str]| {
        let profile = format!("profiles/{family}.toml");
        std::fs::copy(models().join(&profile), directory.path().join(&profile)).unwrap();
        std::fs::create_dir(directory.path().join(family)).unwrap();
        for file in files {
            std::fs::copy(of_network(family).join(file), directory.path().join(family).join(file)).unwrap();
        }
    };
    let files = ["manifest.toml", "model.onnx", "golden.jsonl"];
    copy("pump-rig", &files);
    // A washing machine's network was not copied.
    copy("washing-machine", &["manifest.toml", "golden.jsonl"]);
    let spoiled = Registry::load(directory.path()).unwrap();
    assert_eq!((spoiled.families().count(), spoiled.refused().len()), (1, 1));
    assert!(spoiled.of(None, "washing-machine").is_none() && spoiled.is_refused("washing-machine"));
    assert!(!spoiled.watched().contains(&"washing-machine".to_owned()));
    assert_eq!(
        spoiled.generics().map(|(profile, _)| profile).collect::<Vec<_>>(),
        ["boiler"]
    );
    // Asked for by name it is there, and the others are as they were.
    let named = spoiled.of(Some("generic"), "washing-machine").unwrap();
    assert_eq!(named.version(), "generic/1");
    assert_eq!(spoiled.of(None, "boiler").unwrap().version(), "generic/1");
    assert_eq!(spoiled.of(None, "pump-rig").unwrap().version(), "pump-rig/1");
    // So with a manifest that cannot be read at all.
    let manifest = directory.path().join("washing-machine/manifest.toml");
    for text in ["family = \"washing-machine\"\nversion = one", "{"] {
        std::fs::write(&manifest, text).unwrap();
        let spoiled = Registry::load(directory.path()).unwrap();
        assert!(spoiled.of(None, "washing-machine").is_none(), "{text}");
    }
    // Mended, or taken away.
    for file in files {
        let from = models().join("washing-machine").join(file);
        std::fs::copy(from, directory.path().join("washing-machine").join(file)).unwrap();
    }
    let mended = spoiled.load_again(directory.path()).unwrap();
    assert!(mended.of(None, "washing-machine").unwrap().has_network() && !mended.serves_as(&spoiled));
    std::fs::remove_dir_all(directory.path().join("washing-machine")).unwrap();
    let gone = spoiled.load_again(directory.path()).unwrap();
    assert_eq!(gone.of(None, "washing-machine").unwrap().version(), "generic/1");
}

/// A feature without its condition cannot be compared, so an appliance of which no other is left is not watched.
#[test]
fn nothing_left_to_compare_is_said_not_to_be_watched() {
    let model = &BOILERS.model;
    let mut detector = Detector::new(model);
    let (room, current) = (0, 3);
    // Which features are freed of the room's temperature was learned; what is left without it is taken away as well.
    let rule = model.manifest().detector.as_ref().unwrap();
    let is_freed = |name: &str| rule.conditions.iter().any(|one| one.feature == name);
    for (number, mut row) in rows(6, 120, None).into_iter().enumerate() {
        if number >= 320 {
            row.values[room] = None;
            for (place, name) in [(1, "water_c"), (current, "pump_current_a")] {
                if !is_freed(name) {
                    row.values[place] = None;
                }
            }
        }
        step(&mut detector, model, &row).unwrap();
        let state = detector.watching(model).state;
        match number {
            ..320 if number > 200 => assert_eq!(state, WatchState::Watched),
            340.. => assert_eq!(state, WatchState::ChannelsMissing),
            _ => {}
        }
    }
    // Nor while it calibrates.
    let mut detector = Detector::new(model);
    for mut row in rows(6, 10, None) {
        row.values = vec![None, None, row.values[2], None];
        step(&mut detector, model, &row).unwrap();
    }
    assert!(is_freed("power_w"));
    assert_eq!(detector.watching(model).state, WatchState::ChannelsMissing);
}

/// The channel that tells running from idle never comes: no row is of any step.
#[test]
fn a_phase_that_never_comes_is_said() {
    let registry = Registry::load(&models()).unwrap();
    let model = registry.of(Some("generic"), "washing-machine").unwrap();
    let place = |name: &str| model.profile().position(name).unwrap();
    let start = Timestamp::from_second(1_700_006_400).unwrap();
    let mut detector = Detector::new(model);
    for hour in 0..60_i32 {
        let mut values = vec![None; model.profile().channels.len()];
        values[place("motor_current_a")] = Some(2.0 + 0.01 * f64::from(hour % 7));
        let at = start + SignedDuration::from_hours(i64::from(hour));
        step(&mut detector, model, &Row { at, values }).unwrap();
    }
    assert_eq!(detector.watching(model).state, WatchState::ChannelsMissing);
}
