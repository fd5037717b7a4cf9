//! A challenger beside the pump rig's model: heard for comparison, and without a bearing on anything else.

use std::path::Path;

use hub_core::shadow::ShadowSaid;
use tempfile::TempDir;

use super::fake::{Fake, pumps, registry};
use super::*;
use crate::detector::Detector;
use crate::model::Model;
use crate::serving::Serving;

const MANY: usize = 1_000;
const ROUND: i64 = 97;
const SECONDS: i64 = 520;

/// The model of the pump rig, and another version of it in its shadow: the same but for these words of its manifest.
fn challenged(words: &[(&str, &str)]) -> (TempDir, Arc<Registry>) {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    let folder = tempfile::tempdir().unwrap();
    let to = |file: &str| folder.path().join(file);
    std::fs::create_dir(to("profiles")).unwrap();
    std::fs::copy(models.join("profiles/pump-rig.toml"), to("profiles/pump-rig.toml")).unwrap();
    for version in ["1", "2"] {
        std::fs::create_dir(to(version)).unwrap();
        for file in ["manifest.toml", "model.onnx", "golden.jsonl"] {
            std::fs::copy(models.join("evaluation/pump-rig-1").join(file), to(version).join(file)).unwrap();
        }
    }
    let mut manifest = std::fs::read_to_string(to("2/manifest.toml")).unwrap();
    for (from, to) in words.iter().chain(&[("version = 1", "version = 2")]) {
        assert!(manifest.contains(from), "{from}");
        manifest = manifest.replacen(from, to, 1);
    }
    std::fs::write(to("2/manifest.toml"), manifest).unwrap();
    let mut serving = Serving::default();
    serving.challenge("pump-rig", Some(2), 1).unwrap();
    serving.write(folder.path()).unwrap();
    let registry = Arc::new(Registry::load(folder.path()).unwrap());
    assert!(registry.refused().is_empty() && registry.missing_challengers().is_empty());
    (folder, registry)
}

/// What comes of all rows, by a scorer to which nothing happens.
fn through(registry: &Arc<Registry>) -> (Fake, Watch) {
    let mut store = Fake::new(pumps(registry, 1..=3, SECONDS));
    let mut watch = store.start(registry, MANY);
    store.run(&mut watch, ROUND, Instant::now());
    (store, watch)
}

fn rises(said: &[(ApplianceId, ShadowSaid)]) -> usize {
    let rises = said.iter().filter(|(_, said)| matches!(said, ShadowSaid::Alarm { .. }));
    rises.count()
}

#[test]
fn a_challenger_changes_nothing_that_its_champion_says_or_holds() {
    let (alone, watch_alone) = through(&registry());
    assert!(alone.begun.is_empty() && alone.said.is_empty() && alone.judged_from.is_empty());
    // One that is the same, and one to which more is an alarm.
    let lower = [
        ("threshold = 2.1", "threshold = 1.0"),
        ("threshold = 1.2631", "threshold = 0.6"),
    ];
    for words in [&[] as &[(&str, &str)], &lower] {
        let (_folder, registry) = challenged(words);
        let (beside, watch) = through(&registry);
        assert_eq!(beside.told, alone.told);
        for pump in 1..=3 {
            assert_eq!(watch.state(ApplianceId(pump)), watch_alone.state(ApplianceId(pump)));
        }
        let begun: Vec<(&str, &str)> = beside
            .begun
            .iter()
            .map(|c| (c.model.as_str(), c.champion.as_str()))
            .collect();
        assert_eq!(begun, [("pump-rig/2", "pump-rig/1")]);
        assert!(beside.dropped.is_empty());
        // Calibration, and a full window behind it.
        let model = registry.get("pump-rig").unwrap().manifest();
        let window = model.autoencoder.as_ref().unwrap().window;
        let first = i64::from(model.baseline.calibration) + i64::try_from(window).unwrap() - 1;
        for pump in 1..=3 {
            let from = beside.judged_from[&ApplianceId(pump)];
            let rows = beside.rows.iter().filter(|row| row.appliance == ApplianceId(pump));
            let since = from.duration_since(rows.map(|row| row.at).min().unwrap());
            assert_eq!(since.as_secs(), first, "pump {pump}");
        }
        let told = alone
            .told
            .iter()
            .filter(|told| matches!(told, Observation::Alarm { .. }));
        match words {
            [] => assert_eq!(rises(&beside.said), told.count()),
            _ => assert!(rises(&beside.said) > 0),
        }
        // The first pump's flow comes back, and that is heard too.
        let ended = |(pump, said): &(ApplianceId, ShadowSaid)| pump.0 == 1 && matches!(said, ShadowSaid::Clear { .. });
        assert!(beside.said.iter().any(ended), "{:?}", beside.said);
    }
}

#[test]
fn a_killed_scorer_hears_of_a_challenger_what_one_hears_that_never_was() {
    let (_folder, registry) = challenged(&[]);
    let (whole, _) = through(&registry);
    let mut killed = Fake::new(whole.rows.clone());
    let now = Instant::now();
    for life in 0.. {
        assert!(life < 50, "it comes to no end");
        let mut watch = killed.start(&registry, MANY);
        let mut new = 0;
        let is_done = loop {
            let Some((commit, again)) = killed.round(&mut watch, ROUND, now) else {
                break true;
            };
            // The fourth round of new rows is lost.
            if new == 3 {
                break false;
            }
            killed.commit(commit);
            new += u32::from(again == 0);
        };
        if is_done {
            break;
        }
    }
    assert_eq!(killed.said, whole.said);
    assert_eq!(killed.judged_from, whole.judged_from);
    assert_eq!(killed.told, whole.told);
}

#[test]
fn a_challenger_that_fails_is_dropped_with_the_reason_and_its_champion_goes_on() {
    let (alone, _) = through(&registry());
    let (_folder, registry) = challenged(&[]);
    let mut store = Fake::new(pumps(&registry, 1..=3, SECONDS));
    let mut watch = store.start(&registry, MANY);
    let now = Instant::now();
    for _ in 0..3 {
        let (commit, _) = store.round(&mut watch, ROUND, now).unwrap();
        store.commit(commit);
    }
    assert!(store.dropped.is_empty());
    // It has a place for half of the features, and ends the thread that gives it a row.
    let mut manifest = registry.get("pump-rig").unwrap().manifest().clone();
    manifest.features.truncate(4);
    watch
        .shadow
        .replace("pump-rig", ApplianceId(2), Detector::for_manifest(&manifest, 10));
    store.run(&mut watch, ROUND, now);
    assert_eq!(store.dropped.keys().collect::<Vec<_>>(), ["pump-rig"]);
    assert!(!store.dropped["pump-rig"].is_empty());
    assert!(!watch.shadow.is_on());
    assert_eq!(store.told, alone.told);
    // The next life tries it again.
    let mut watch = store.start(&registry, MANY);
    assert!(watch.shadow.is_on());
    store.run(&mut watch, ROUND, now);
    assert_eq!(store.told.len(), alone.told.len());
}

#[test]
fn a_challenger_whose_network_gives_an_error_is_dropped_with_what_that_says_and_its_champion_goes_on() {
    let (alone, watch_alone) = through(&registry());
    let (folder, registry) = challenged(&[]);
    let mut store = Fake::new(pumps(&registry, 1..=3, SECONDS));
    let mut watch = store.start(&registry, MANY);
    let model = Model::load(&folder.path().join("2")).unwrap().spoiled();
    watch.shadow.replace_model("pump-rig", Arc::new(model));
    store.run(&mut watch, ROUND, Instant::now());
    let why = &store.dropped["pump-rig"];
    assert!(why.contains("window has 256 values, the model takes 264"), "{why}");
    assert!(!watch.shadow.is_on());
    // Nothing of the round in which it failed is heard, and it had judged nothing before.
    assert!(store.said.is_empty() && store.judged_from.is_empty());
    assert_eq!(store.told, alone.told);
    for pump in 1..=3 {
        assert_eq!(watch.state(ApplianceId(pump)), watch_alone.state(ApplianceId(pump)));
    }
}
