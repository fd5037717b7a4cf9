//! The model folders of this project, and folders that somebody changed.

use std::error::Error;
use std::path::Path;

use crate::common::{models, of_network, step};
use hub_core::families::Families;
use hub_core::language::Language;
use hub_core::prediction::UNKNOWN_FAULT;
use hub_core::profile::Family;
use hub_predict::{Detector, Model, ModelError, Registry, Row, Serving, model_files, quantise_row};
use jiff::{SignedDuration, Timestamp};
use tests_world::{FaultKind, FaultPlan, Unit, WashingMachine};

/// A copy of a model folder with its profile, free to be spoiled.
fn copy(family: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join(family);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::create_dir_all(directory.path().join("profiles")).unwrap();
    let profile = format!("profiles/{family}.toml");
    std::fs::copy(models().join(&profile), directory.path().join(&profile)).unwrap();
    for file in ["manifest.toml", "model.onnx", "golden.jsonl"] {
        std::fs::copy(of_network(family).join(file), folder.join(file)).unwrap();
    }
    (directory, folder)
}

fn edit(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from}");
    std::fs::write(path, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn every_model_of_the_project_loads() {
    let registry = Registry::load(&models()).unwrap();
    assert!(registry.refused().is_empty(), "{:?}", registry.refused());
    let families: Vec<&str> = registry.families().map(|(family, _)| family).collect();
    assert!(families.contains(&"pump-rig") && families.contains(&"washing-machine"));
    assert_eq!(families.iter().filter(|f| f.starts_with("pump-rig-loo-")).count(), 7);
    assert_eq!(registry.get("pump-rig").unwrap().version(), "pump-rig/2");
    for (_, model) in registry.families() {
        assert!(model.folder().join("CARD.md").is_file() || model.folder().join("../CARD.md").is_file());
    }
}

#[test]
fn a_network_that_was_changed_is_refused() {
    let (_directory, folder) = copy("pump-rig");
    Model::load(&folder).unwrap();
    let path = folder.join("model.onnx");
    let mut onnx = std::fs::read(&path).unwrap();
    // Weights make up nearly all of the file: change the sign bits of some in the middle.
    let middle = onnx.len() / 2;
    onnx[middle..middle + 256].iter_mut().for_each(|byte| *byte ^= 0x80);
    std::fs::write(&path, onnx).unwrap();
    let refused = Model::load(&folder).err().unwrap();
    assert!(
        matches!(refused, ModelError::Golden { .. } | ModelError::Network { .. }),
        "{refused}"
    );
}

#[test]
fn a_folder_that_is_incomplete_or_contradicts_itself_is_refused_and_the_others_are_served() {
    let (directory, folder) = copy("pump-rig");
    std::fs::write(folder.join("golden.jsonl"), "").unwrap();
    assert!(matches!(Model::load(&folder).err().unwrap(), ModelError::Golden { .. }));
    std::fs::remove_file(folder.join("golden.jsonl")).unwrap();
    assert!(matches!(Model::load(&folder).err().unwrap(), ModelError::Read { .. }));
    let (_second, folder) = copy("pump-rig");
    edit(
        &folder.join("manifest.toml"),
        "channel = \"Thermocouple\"",
        "channel = \"Nothing\"",
    );
    assert!(matches!(
        Model::load(&folder).err().unwrap(),
        ModelError::Manifest { .. }
    ));
    // A test rig's counts release no calls: they may not even be stated as if they did.
    let (_laboratory, folder) = copy("pump-rig");
    let kind = "kind = \"laboratory\"";
    let stated =
        |kind: &str, class: &str| format!("kind = \"{kind}\"\nverdicts = {{ {class} = {{ right = 21, wrong = 0 }} }}");
    edit(&folder.join("manifest.toml"), kind, &stated("laboratory", "flow_loss"));
    let refused = Model::load(&folder).err().unwrap();
    assert!(matches!(refused, ModelError::Manifest { .. }), "{refused}");
    edit(
        &folder.join("manifest.toml"),
        &stated("laboratory", "flow_loss"),
        &stated("fleet", "rust"),
    );
    assert!(matches!(
        Model::load(&folder).err().unwrap(),
        ModelError::Manifest { .. }
    ));
    edit(
        &folder.join("manifest.toml"),
        &stated("fleet", "rust"),
        &stated("fleet", "flow_loss"),
    );
    let model = Model::load(&folder).unwrap();
    let evidence = &model.manifest().evidence;
    assert_eq!(
        (
            evidence.basis("flow_loss").stated.right,
            evidence.basis("hot_water").stated.right
        ),
        (21, 0)
    );
    let (_third, folder) = copy("pump-rig");
    edit(
        &folder.join("manifest.toml"),
        "version = 1",
        "version = 1\ncolour = \"red\"",
    );
    assert!(matches!(Model::load(&folder).err().unwrap(), ModelError::Toml { .. }));
    assert!(Registry::load(directory.path()).is_err());
    let (_fourth, good) = copy("pump-rig");
    let served = directory.path().join("served");
    std::fs::rename(&good, &served).unwrap();
    let registry = Registry::load(directory.path()).unwrap();
    assert_eq!((registry.families().count(), registry.refused().len()), (1, 1));
}

/// Where a test has a folder of that name.
fn models_of_the_project() -> std::path::PathBuf {
    models()
}

/// A folder with the project's pump model and, beside it, the same one as version 2.
fn two_versions() -> (tempfile::TempDir, std::path::PathBuf, std::path::PathBuf) {
    let (directory, first) = copy("pump-rig");
    let second = directory.path().join("pump-rig-2");
    std::fs::create_dir(&second).unwrap();
    for file in ["manifest.toml", "model.onnx", "golden.jsonl"] {
        std::fs::copy(first.join(file), second.join(file)).unwrap();
    }
    edit(&second.join("manifest.toml"), "version = 1", "version = 2");
    (directory, first, second)
}

fn served(registry: &Registry) -> &str {
    registry.get("pump-rig").unwrap().version()
}

#[test]
fn the_version_that_a_person_chose_is_served_else_the_highest() {
    let (directory, _, second) = two_versions();
    let models = directory.path();
    let registry = Registry::load(models).unwrap();
    assert_eq!((served(&registry), registry.others().len()), ("pump-rig/2", 1));
    let mut serving = Serving::default();
    serving.promote("pump-rig", 1, Some(2));
    serving.write(models).unwrap();
    assert_eq!(served(&Registry::load(models).unwrap()), "pump-rig/1");
    assert_eq!(serving.roll_back("pump-rig").unwrap(), 2);
    serving.write(models).unwrap();
    assert_eq!(served(&Registry::load(models).unwrap()), "pump-rig/2");
    // What was chosen is not there any more: the family is watched all the same, and that is told.
    std::fs::remove_dir_all(second).unwrap();
    let left = Registry::load(models).unwrap();
    assert_eq!(served(&left), "pump-rig/1");
    assert_eq!(left.missing(), [("pump-rig".to_owned(), 2)]);
    std::fs::write(Serving::file(models), "pump-rig = 1").unwrap();
    assert!(
        Registry::load(models).is_err(),
        "a list that cannot be read is not passed over"
    );
}

#[test]
fn a_model_that_is_spoiled_or_gone_while_it_is_served_stays() {
    let (directory, first, second) = two_versions();
    let models = directory.path();
    let before = Registry::load(models).unwrap();
    let stamps = model_files(models).len();
    assert_eq!(stamps, 10, "four of each folder, the profile, and the list");

    let onnx = std::fs::read(second.join("model.onnx")).unwrap();
    std::fs::write(second.join("model.onnx"), &onnx[..onnx.len() / 2]).unwrap();
    let spoiled = before.load_again(models).unwrap();
    assert_eq!((served(&spoiled), spoiled.refused().len()), ("pump-rig/2", 1));
    assert!(std::sync::Arc::ptr_eq(
        before.get("pump-rig").unwrap(),
        spoiled.get("pump-rig").unwrap()
    ));
    assert_eq!(
        served(&Registry::load(models).unwrap()),
        "pump-rig/1",
        "as a start would"
    );

    // It is mended, and taken.
    std::fs::write(second.join("model.onnx"), &onnx).unwrap();
    let mended = spoiled.load_again(models).unwrap();
    assert_eq!((served(&mended), mended.refused().len()), ("pump-rig/2", 0));

    // It goes, as while a folder is copied again: nothing else takes over, unless a person says so.
    std::fs::remove_dir_all(second).unwrap();
    let gone = mended.load_again(models).unwrap();
    assert_eq!((served(&gone), gone.refused().len()), ("pump-rig/2", 1));
    assert!(gone.serves_as(&mended));
    let mut serving = Serving::default();
    serving.promote("pump-rig", 1, Some(2));
    serving.write(models).unwrap();
    let chosen = gone.load_again(models).unwrap();
    assert_eq!(served(&chosen), "pump-rig/1");
    assert!(!chosen.serves_as(&gone));
    // And so does the last of a family; what was chosen holds without its list.
    std::fs::remove_file(Serving::file(models)).unwrap();
    std::fs::remove_dir_all(first).unwrap();
    let last = chosen.load_again(models).unwrap();
    assert_eq!((served(&last), last.refused().len()), ("pump-rig/1", 1));
}

#[test]
fn what_has_not_changed_is_not_loaded_again_and_a_model_waits_for_its_profile() {
    let (directory, first, second) = two_versions();
    let models = directory.path();
    std::fs::remove_dir_all(second).unwrap();
    let washing = models.join("washing-machine");
    std::fs::create_dir(&washing).unwrap();
    for file in ["manifest.toml", "model.onnx", "golden.jsonl"] {
        std::fs::copy(
            models_of_the_project().join("washing-machine").join(file),
            washing.join(file),
        )
        .unwrap();
    }
    let before = Registry::load(models).unwrap();
    assert_eq!(
        (before.families().count(), before.refused().len()),
        (1, 1),
        "it has no profile yet"
    );
    let again = before.load_again(models).unwrap();
    assert!(again.serves_as(&before), "nothing has changed");
    let files = model_files(models);
    let profile = models_of_the_project().join("profiles/washing-machine.toml");
    std::fs::copy(profile, models.join("profiles/washing-machine.toml")).unwrap();
    assert_ne!(files, model_files(models), "a hub looks again");
    let both = again.load_again(models).unwrap();
    assert_eq!((both.families().count(), both.refused().len()), (2, 0));
    // The content is another one, its length is not.
    let manifest = first.join("manifest.toml");
    edit(&manifest, "version = 1", "version = 3");
    let third = both.load_again(models).unwrap();
    assert_eq!(served(&third), "pump-rig/3");
    assert!(std::sync::Arc::ptr_eq(
        both.get("washing-machine").unwrap(),
        third.get("washing-machine").unwrap()
    ));
}

/// Both families as a hub knows them, with all models.
fn families(registry: &Registry) -> Families {
    let read = |name| {
        let path = models().join("profiles").join(format!("{name}.toml"));
        toml::from_str::<Family>(&std::fs::read_to_string(path).unwrap()).unwrap()
    };
    let words = registry.families().map(|(_, model)| model.manifest().words());
    Families::new(["washing-machine", "pump-rig", "fridge"].map(read), words)
}

#[test]
fn every_family_channel_feature_and_fault_class_has_words_in_both_languages() {
    let registry = Registry::load(&models()).unwrap();
    let all = families(&registry);
    for (family, model) in registry.families() {
        let profile = &model.profile().name;
        for language in Language::ALL {
            assert!(all.spoken(profile, language).is_some(), "{family}");
            for channel in &model.profile().channels {
                let words = all.channel(profile, &channel.name, language);
                assert_ne!(words, channel.name, "{family}");
            }
            for feature in &model.manifest().features {
                let words = all.feature(profile, &feature.name, language);
                assert_ne!(words, feature.name, "{family}");
            }
            for class in &model.manifest().classification.classes {
                assert_ne!(all.fault(profile, &class.name, language), class.name, "{family}");
                assert!(all.fault_sentence(profile, &class.name, language).is_some(), "{family}");
            }
        }
    }
    let (zh, en) = (Language::ZhCn, Language::En);
    let washing = "washing-machine";
    assert_eq!(
        (all.name(washing, zh), all.name(washing, en)),
        ("洗衣机", "Washing machine")
    );
    assert_eq!(all.spoken(washing, en), Some("washing machine"));
    assert_eq!(all.feature(washing, "spin_current", en), "motor current while spinning");
    assert_eq!(all.feature(washing, "motor_current_a", zh), "电机电流");
    assert_eq!(all.feature(washing, "flux", en), "flux");
    assert_eq!(all.feature("pump-rig", "Volume Flow RateRMS", en), "flow");
    assert_eq!(all.fault("pump-rig", "flow_loss", zh), "流量下降");
    assert_eq!(
        all.fault_sentence("pump-rig", "hot_water", en),
        Some("Its readings show hotter water than usual. It may soon overheat.")
    );
    assert_eq!(all.fault_sentence("pump-rig", UNKNOWN_FAULT, en), None);
    assert_eq!(all.fault_sentence("pump-rig", "drum_bearing", en), None);
}

/// A folder is loaded after one edit of a file of it: why it is refused.
fn refused_after(file: &str, from: &str, to: &str) -> String {
    let (directory, folder) = copy("washing-machine");
    let folders = [folder.clone(), directory.path().join("profiles")];
    let path = folders
        .iter()
        .map(|folder| folder.join(file))
        .find(|path| path.is_file());
    edit(&path.unwrap(), from, to);
    let refused = Model::load(&folder).err().unwrap();
    let mut said = refused.to_string();
    let mut source = refused.source();
    while let Some(why) = source {
        said += &format!(": {why}");
        source = why.source();
    }
    said
}

#[test]
fn words_that_are_missing_or_cannot_be_spoken_are_refused_and_named() {
    let (manifest, profile) = ("manifest.toml", "washing-machine.toml");
    let cases = [
        (manifest, "zh-CN = \"排水泵磨损\", ", "", "missing field `zh-CN`"),
        (manifest, ", en = \"Drain pump wearing out\"", "", "missing field `en`"),
        (
            manifest,
            "spoken = { zh-CN",
            "# spoken = { zh-CN",
            "missing field `spoken`",
        ),
        (
            manifest,
            "\"Drain pump wearing out\"",
            "\"\"",
            "class drain_pump_wear: words: en: 1 to 60 characters",
        ),
        (
            manifest,
            "它的数据显示，排水泵",
            "它的数据显示，pump",
            "class drain_pump_wear: spoken: zh-CN: 'p' cannot be read aloud",
        ),
        (
            manifest,
            "words = { zh-CN = \"排水泵电流\"",
            "# words = { zh-CN = \"排水泵电流\"",
            "feature drain_pump_current needs words",
        ),
        (
            profile,
            "en = \"washing machine\"",
            "en = \"洗衣机\"",
            "words.spoken cannot be used: en: '洗' cannot be read aloud",
        ),
        (
            profile,
            "phase = {",
            "phases = {",
            "[words.channels] has phases, which is no channel of it",
        ),
        (
            profile,
            "phase = { zh-CN",
            "# phase = { zh-CN",
            "channel phase has no words",
        ),
    ];
    for (file, from, to, why) in cases {
        let said = refused_after(file, from, to);
        assert!(said.contains(file) && said.contains(why), "{said}");
    }
    let long = "泵".repeat(161);
    let said = refused_after(manifest, "它的数据显示，排水泵", &long);
    assert!(
        said.contains("class drain_pump_wear: spoken: zh-CN: 1 to 160 characters"),
        "{said}"
    );
}

/// One simulated household: quiet while sound, then found, named right and before it fails.
#[test]
fn a_worn_drain_pump_is_found_before_it_fails() {
    let model = Model::load(&models().join("washing-machine")).unwrap();
    let start = Timestamp::from_second(1_767_600_000).unwrap();
    let onset = start + SignedDuration::from_hours(24 * 30);
    let plan = FaultPlan {
        kind: FaultKind::DrainPumpWear,
        onset,
        days_to_failure: 25.0,
    };
    let mut machine = WashingMachine::new(Unit::draw(77, 28_800), start).with_fault(plan);
    let mut detector = Detector::new(&model);
    let mut first = None;
    for sample in machine.step_until(onset + SignedDuration::from_hours(24 * 25)) {
        let values: Vec<_> = sample.values.iter().map(|(_, value)| Some(*value)).collect();
        let row = Row {
            at: sample.at,
            values: quantise_row(model.profile(), &values),
        };
        let verdicts = step(&mut detector, &model, &row).unwrap();
        first = first.or_else(|| verdicts.into_iter().find_map(|v| v.prediction));
    }
    let prediction = first.unwrap();
    assert!(prediction.at > onset);
    assert_eq!(prediction.fault_class, "drain_pump_wear");
    assert_eq!(prediction.top[0].channel, "drain_pump_current");
    assert!(prediction.top[0].value > prediction.top[0].baseline_mean);
}
