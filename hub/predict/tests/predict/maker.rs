//! `forecall train` and what it writes: a family that nobody wrote code for.

use std::error::Error;
use std::sync::Arc;

use hub_core::error_chain::in_full;
use hub_predict::manifest::Resampling;
use hub_predict::training::Outcome;
use hub_predict::{Model, ModelError, Registry, Row, score_rows};

use crate::boiler::{A_DAY, BOILERS, copied, learn, models_dir, record, rows};

/// All that is said of why.
fn told(error: &dyn Error) -> String {
    in_full(error)
}

#[test]
fn a_few_boilers_teach_a_condition_and_say_that_they_are_no_fleet() {
    let manifest = BOILERS.model.manifest();
    let names: Vec<&str> = manifest.features.iter().map(|feature| feature.name.as_str()).collect();
    assert_eq!(names, ["water_c", "power_w", "pump_current_a", "room_temperature_c"]);
    let Resampling::Mean {
        period_s,
        running: None,
        ..
    } = manifest.resampling
    else {
        panic!("{:?}", manifest.resampling)
    };
    assert_eq!(period_s, 43_200.0, "four calibrations fit into 120 days");
    let rule = manifest.detector.as_ref().unwrap();
    let power = rule.conditions.iter().find(|one| one.feature == "power_w").unwrap();
    assert!((power.linear - 0.02).abs() < 0.002, "{power:?}");
    assert_eq!(power.by, "room_temperature_c");
    // Six are no fleet.
    assert!(manifest.features.iter().all(|feature| feature.floor == 0.0));
    assert_eq!((manifest.baseline.threshold, rule.call), (1.33, None));
    let card = &BOILERS.card;
    for said in [
        "boiler/1",
        "2880 rows of 6 devices in 6 files (laboratory)",
        "of the table by unit: a fleet's own need 30 healthy devices",
        "1.33 for tickets, as shipped, and none for calls",
        "features freed of room_temperature_c",
        "not of a fleet in use",
    ] {
        assert!(card.contains(said), "{said} is not in\n{card}");
    }
}

#[test]
fn a_fleet_teaches_floors_and_thresholds_of_its_own() {
    let (directory, recordings) = (models_dir(), tempfile::tempdir().unwrap());
    let files = record(recordings.path(), (1..=70).map(|number| (number, 190, None)));
    let trained = learn(&files, None, &directory.path().join("boiler")).unwrap();
    assert!(trained.facts.device_months >= 200, "{:?}", trained.facts);
    assert_eq!(trained.facts.floors, 3, "the room is not watched");
    let floors: Vec<f64> = trained.manifest.features.iter().map(|feature| feature.floor).collect();
    assert!(
        floors[..3].iter().all(|floor| *floor > 0.0) && floors[3] == 0.0,
        "{floors:?}"
    );
    assert!(
        floors[2] < 0.1,
        "less than a tenth of a current is harmless here: {floors:?}"
    );
    let call = trained.manifest.detector.as_ref().unwrap().call;
    assert!(
        trained.facts.device_months < 1_000 && call.is_none(),
        "one false call in 20,000 is beyond what so few months show: {call:?}"
    );
    // What is written is what was learned.
    let model = Model::load(&directory.path().join("boiler")).unwrap();
    assert_eq!(model.manifest().features, trained.manifest.features);
    assert_eq!(model.manifest().baseline, trained.manifest.baseline);
    assert_eq!(model.manifest().detector, trained.manifest.detector);
    // The same recordings make the same model.
    let again = models_dir();
    let second = learn(&files, None, &again.path().join("boiler")).unwrap();
    assert_eq!(second.manifest, trained.manifest);
}

#[test]
fn a_device_with_a_known_fault_teaches_nothing_and_is_judged() {
    let (directory, recordings) = (models_dir(), tempfile::tempdir().unwrap());
    let sound = (1..=8).map(|number| (number, 120, None));
    let files = record(recordings.path(), sound.chain([(9, 120, Some(80)), (10, 15, None)]));
    let faults = recordings.path().join("faults.csv");
    // The ninth is worn; of the tenth there is too little, and the fifth's fault shows in no channel.
    let text = "device,since,until,class\nb-09,2026-03-22,2026-04-25,worn pump\nb-10,2026-01-10,,leak\nb-05,2026-03-22,2026-04-20,paint\n";
    std::fs::write(&faults, text).unwrap();
    let trained = learn(&files, Some(&faults), &directory.path().join("boiler")).unwrap();
    let judged = &trained.judged;
    assert_eq!((judged.found(), judged.false_alarms), ((1, 2), 0), "{judged:?}");
    let of = |class: &str| {
        judged
            .faults
            .iter()
            .find(|one| one.fault.class == class)
            .unwrap()
            .outcome
    };
    assert!(
        matches!(of("worn pump"), Outcome::Found { lead_days: Some(lead), .. } if lead > 15.0),
        "{judged:?}"
    );
    assert_eq!((of("leak"), of("paint")), (Outcome::NotWatched, Outcome::Missed));
    let card = std::fs::read_to_string(directory.path().join("boiler/CARD.md")).unwrap();
    assert!(
        card.contains("| b-09 | worn pump |") && card.contains("1 of 2 found, 1 missed, 1 not watched"),
        "{card}"
    );
}

#[test]
fn faults_that_the_maker_named_get_their_names_back() {
    let (directory, recordings) = (models_dir(), tempfile::tempdir().unwrap());
    let (sound, worn) = (
        (1..=6).map(|number| (number, 120, None)),
        (11..=15).map(|n| (n, 120, Some(80))),
    );
    let files = record(recordings.path(), sound.chain(worn));
    // Three pumps, one of which is listed twice, and one that nobody looked into; and a part of which there is one case alone, which shows
    // as a pump does.
    let faults = recordings.path().join("faults.csv");
    let mut text = "device,since,class\n".to_owned();
    for (number, class) in [
        (11, "worn pump"),
        (12, "Worn pump"),
        (13, "worn pump "),
        (13, "worn pump"),
        (14, "\"a \"\"seal\"\"\""),
        (15, ""),
    ] {
        text.push_str(&format!("b-{number},2026-03-22,{class}\n"));
    }
    std::fs::write(&faults, text).unwrap();
    let folder = directory.path().join("boiler");
    let trained = learn(&files, Some(&faults), &folder).unwrap();
    let said = |name: &str| trained.facts.classes.iter().find(|class| class.name == name).unwrap();
    let pump = said("worn_pump");
    assert_eq!(
        (pump.found, pump.devices, pump.right, pump.wrong, pump.is_named),
        (3, 3, 3, 0, true),
        "{pump:?}"
    );
    let seal = said("a_seal");
    assert_eq!((seal.devices, seal.wrong, seal.is_named), (1, 1, false));
    let model = Arc::new(Model::load(&folder).unwrap());
    assert_eq!(model.manifest().classification, trained.manifest.classification);
    let classes = &model.manifest().classification.classes;
    let [class] = classes.as_slice() else {
        panic!("{classes:?}")
    };
    assert_eq!(class.words.en, "worn pump");
    let names: Vec<&str> = class.signature.keys().map(String::as_str).collect();
    assert_eq!(names, ["pump_current_a"], "{class:?}");
    // One that it has never seen, and one whose water cools.
    let named = |rows: &[Row]| {
        let steps = score_rows(&model, 40, rows).flat_map(Result::unwrap);
        let mut named: Vec<String> = steps
            .filter_map(|step| step.verdict.prediction.map(|p| p.fault_class))
            .collect();
        named.dedup();
        named
    };
    assert_eq!(named(&rows(21, 120, Some(80))), ["worn_pump"]);
    let mut cold = rows(22, 120, None);
    cold[90 * A_DAY as usize..]
        .iter_mut()
        .for_each(|row| row.values[1] = row.values[1].map(|water| water - 15.0));
    assert_eq!(named(&cold), ["unknown_fault"]);
    let card = std::fs::read_to_string(folder.join("CARD.md")).unwrap();
    for said in [
        "worn pump: 3 of 3 named by other devices with it",
        "a \"seal\": no name, found in 1 device where 3 are needed, 1 named as something else",
        "names faults by the direction",
    ] {
        assert!(card.contains(said), "{said} is not in\n{card}");
    }
}

/// Rows of one fault, an alarm that the label begins behind, and a kind that cannot be told from what has no name.
#[test]
fn a_fault_is_named_once_when_its_alarm_opens() {
    let (directory, recordings) = (models_dir(), tempfile::tempdir().unwrap());
    let sound = (1..=6).map(|number| (number, 120, None));
    let files = record(recordings.path(), sound.chain((11..=15).map(|n| (n, 120, Some(80)))));
    let faults = recordings.path().join("faults.csv");
    let mut text = "device,since,until,class\n".to_owned();
    for device in ["b-11", "b-12", "b-13"] {
        text.push_str(&format!(
            "{device},2026-03-22,2026-04-20,worn pump\n{device},2026-04-01,,worn pump\n"
        ));
    }
    // The alarm stands by then.
    text.push_str("b-14,2026-04-15,,worn pump\nb-15,2026-03-22,,Unknown fault\n");
    std::fs::write(&faults, text).unwrap();
    let folder = directory.path().join("boiler");
    let trained = learn(&files, Some(&faults), &folder).unwrap();
    let [unknown, pump] = trained.facts.classes.as_slice() else {
        panic!("{:?}", trained.facts.classes)
    };
    assert_eq!((pump.found, pump.devices, pump.right, pump.is_named), (3, 3, 3, true));
    assert_eq!((unknown.found, unknown.wrong, unknown.is_named), (1, 1, false));
    assert_eq!(trained.manifest.classification.classes.len(), 1);
    let card = std::fs::read_to_string(folder.join("CARD.md")).unwrap();
    let said = "Unknown fault: no name, since alarms without a name are called so, 1 named as something else";
    assert!(card.contains(said), "{card}");
}

#[test]
fn one_device_makes_no_name_however_often_it_is_listed() {
    let (directory, recordings) = (models_dir(), tempfile::tempdir().unwrap());
    let boilers = (1..=6).map(|number| (number, 120, None)).chain([(11, 120, Some(80))]);
    let files = record(recordings.path(), boilers);
    let faults = recordings.path().join("faults.csv");
    std::fs::write(
        &faults,
        "device,since,class\n".to_owned() + &"b-11,2026-03-22,worn pump\n".repeat(3),
    )
    .unwrap();
    let trained = learn(&files, Some(&faults), &directory.path().join("boiler")).unwrap();
    let class = &trained.facts.classes[0];
    assert_eq!(
        (class.found, class.devices, class.right, class.is_named),
        (1, 1, 0, false)
    );
    assert!(trained.manifest.classification.classes.is_empty());
}

#[test]
fn what_cannot_be_learned_from_is_named_and_leaves_no_folder() {
    let (directory, recordings) = (models_dir(), tempfile::tempdir().unwrap());
    let out = directory.path().join("boiler");
    let short = record(recordings.path(), [(1, 9, None)]);
    let refused = |files: &[std::path::PathBuf], faults: Option<&str>| {
        let path = recordings.path().join("faults.csv");
        if let Some(text) = faults {
            std::fs::write(&path, text).unwrap();
        }
        let error = learn(files, faults.is_some().then_some(path.as_path()), &out).unwrap_err();
        assert!(!out.exists(), "nothing is left behind");
        told(&error)
    };
    let nothing = recordings.path().join("nothing.csv");
    std::fs::write(&nothing, "timestamp,humidity\n2026-01-01T00:00:00Z,4\n").unwrap();
    for (files, faults, why) in [
        (vec![recordings.path().join("gone.csv")], None, "cannot open"),
        (vec![nothing], None, "no channel of profile boiler measures anything"),
        (short.clone(), None, "none of the 1 devices has 40 steps of one state"),
        (
            short.clone(),
            Some("device,since\nb-99,2026-01-02\n"),
            "no recording of b-99",
        ),
        (
            short.clone(),
            Some("device,since\nb-01,2026-01-02\n"),
            "at least one has to be healthy",
        ),
        (short.clone(), Some("device,when\nb-01,2026-01-02\n"), "column `since`"),
    ] {
        let said = refused(&files, faults);
        assert!(said.contains(why), "{said}");
    }
    // A folder that is taken, and one that no hub would find a profile for.
    std::fs::create_dir(&out).unwrap();
    std::fs::write(out.join("manifest.toml"), "mine").unwrap();
    assert!(told(&learn(&short, None, &out).unwrap_err()).contains("is there already"));
    assert_eq!(std::fs::read_to_string(out.join("manifest.toml")).unwrap(), "mine");
    let elsewhere = recordings.path().join("model");
    assert!(told(&learn(&short, None, &elsewhere).unwrap_err()).contains("`profiles/`"));
}

fn edit(path: &std::path::Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from} is not in\n{text}");
    std::fs::write(path, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn a_folder_that_was_spoiled_is_refused_by_name_and_the_old_model_goes_on() {
    let (manifest, golden) = ("manifest.toml", "golden.jsonl");
    let cases = [
        (golden, "\"score\":", "\"score\":1", "expected a score of"),
        (
            golden,
            "\"alarm\":false",
            "\"alarm\":true",
            "an alarm is expected: true",
        ),
        (
            golden,
            "[\"water_c\",\"power_w\"",
            "[\"power_w\",\"water_c\"",
            "is of the features power_w, water_c",
        ),
        (
            manifest,
            "stuck_after = 12",
            "stuck_after = 12\nfloor = nan",
            "floor must be above 0",
        ),
        (
            manifest,
            "stuck_after = 12",
            "stuck_after = 12\nfloor = -1.0",
            "floor must be above 0",
        ),
        (
            manifest,
            "threshold = 1.33",
            "threshold = inf",
            "baseline.threshold must be finite",
        ),
        (manifest, "threshold = 1.33", "threshold = 1.5", "other figures"),
        (
            manifest,
            "channel = \"water_c\"",
            "channel = \"room_temperature_c\"",
            "is of the features water_c in Cel",
        ),
        (manifest, "period_s = 43200.0", "period_s = 21600.0", "other figures"),
        (manifest, "gap_s = ", "gap_s = 9", "other figures"),
        (manifest, "min_rows = 1", "min_rows = 2", "other figures"),
        (manifest, "stuck_after = 12", "stuck_after = 13", "other figures"),
        (
            manifest,
            "statistic = \"mean\"\nstuck_after = 12\n\n[[features]]\nname = \"pump_current_a\"",
            "statistic = \"mean\"\nstuck_after = 12\nfloor = 0.3\n\n[[features]]\nname = \"pump_current_a\"",
            "other figures",
        ),
        (manifest, "clear_after = 12", "clear_after = 13", "other figures"),
        (manifest, "probability = 0.3", "probability = 0.31", "other figures"),
        (
            manifest,
            "kind = \"generic\"",
            "kind = \"generic\"\ncall = 9.0",
            "other figures",
        ),
        (
            manifest,
            "kind = \"generic\"",
            "kind = \"other\"",
            "manifest.toml is not valid",
        ),
        (
            manifest,
            "probability = 0.3",
            "probability = 0.95",
            "detector.probability",
        ),
        (
            manifest,
            "probability = 0.3",
            "probability = nan",
            "detector.probability",
        ),
        (
            manifest,
            "calibration = 40",
            "calibration = 20",
            "baseline.calibration must be 40 to 400",
        ),
        (
            manifest,
            "by = \"room_temperature_c\"",
            "by = \"moon\"",
            "needs two features",
        ),
        (
            manifest,
            "channel = \"water_c\"",
            "channel = \"steam_c\"",
            "profile has no channel steam_c",
        ),
        (
            manifest,
            "rule = \"mean\"",
            "rule = \"period\"",
            "manifest.toml is not valid",
        ),
        (
            manifest,
            "row_s = 21600.0",
            "row_s = 0.0",
            "resampling: times must be above 0",
        ),
        (manifest, "family = \"boiler\"", "family = \"generic\"", "the hub's own"),
        (
            manifest,
            "[persistence]",
            "[autoencoder]\nwindow = 8\nstride = 1\nclip = 9.0\nthreshold = 1.0\n\n[persistence]",
            "autoencoder.inputs needs each feature",
        ),
    ];
    for (file, from, to, why) in cases {
        let (directory, folder) = copied();
        let before = Registry::load(directory.path()).unwrap();
        edit(&folder.join(file), from, to);
        let said = told(&Model::load(&folder).err().unwrap());
        assert!(said.contains(why), "{from} to {to}: {said}");
        let again = before.load_again(directory.path()).unwrap();
        assert_eq!(again.refused().len(), 1);
        assert!(again.serves_as(&before), "the one before goes on");
    }
    let (_directory, folder) = copied();
    std::fs::remove_file(folder.join(golden)).unwrap();
    assert!(matches!(Model::load(&folder).err().unwrap(), ModelError::Read { .. }));
}

#[test]
fn a_second_version_is_served_in_place_of_the_first() {
    let (directory, folder) = copied();
    let first = Registry::load(directory.path()).unwrap();
    let second = directory.path().join("boiler-2");
    std::fs::create_dir(&second).unwrap();
    for file in ["manifest.toml", "golden.jsonl"] {
        std::fs::copy(folder.join(file), second.join(file)).unwrap();
    }
    edit(&second.join("manifest.toml"), "version = 1", "version = 2");
    let both = first.load_again(directory.path()).unwrap();
    assert_eq!(both.get("boiler").unwrap().version(), "boiler/2");
    assert_eq!(both.others().len(), 1);
    assert!(!both.serves_as(&first));
}
