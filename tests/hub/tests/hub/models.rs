//! Models while the hub runs: one that cannot be used changes nothing, one that is promoted takes over, and a rollback goes on where
//! it was.

use super::families::copy_models;
use jiff::SignedDuration;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use tests_hub::console::Console;
use tests_hub::eventually;
use tests_hub::fleet::{log_in, recent};
use tests_hub::hub::Lab;
use tests_hub::rig::{PROFILE, Reading};
use tests_hub::site::{TestSite, daytime_zone};
use tests_hub::watch::{all_is_scored, get};

const PATIENCE: Duration = Duration::from_secs(60);
/// Readings of a sound pump: the baseline takes 200.
const SOUND: u64 = 260;
/// And of one that is worn.
const WORN: u64 = 60;

/// The pump's model once more as version 2.
fn second_version(models: &Path) {
    let (from, to) = (models.join(PROFILE), models.join("pump-rig-2"));
    std::fs::create_dir(&to).unwrap();
    for file in ["model.onnx", "golden.jsonl"] {
        std::fs::copy(from.join(file), to.join(file)).unwrap();
    }
    let manifest = std::fs::read_to_string(from.join("manifest.toml")).unwrap();
    assert!(manifest.contains("\nversion = 1\n"));
    let manifest = manifest.replacen("\nversion = 1\n", "\nversion = 2\n", 1);
    std::fs::write(to.join("manifest.toml"), manifest).unwrap();
}

async fn publish(lab: &Lab, start: jiff::Timestamp, numbers: std::ops::Range<u64>) {
    let mut client = log_in(lab.mqtt, "p-1").await.unwrap();
    let messages: Vec<Vec<u8>> = numbers
        .map(|n| {
            let at = start + SignedDuration::from_secs(n.cast_signed());
            let mut text = Vec::new();
            Reading::new(3, n, n >= SOUND).write_json(at.as_millisecond(), &mut text);
            text
        })
        .collect();
    let all: Vec<(&str, &[u8])> = messages.iter().map(|text| ("d/p-1/j", text.as_slice())).collect();
    client.publish_all(&all, 50).await.unwrap();
}

async fn is_told(lab: &Lab, part: &str) -> bool {
    get(lab, "/readyz").await.is_some_and(|(_, said)| said.contains(part))
}

async fn until_watching_is(console: &Console, state: &str) {
    eventually(&format!("the pump is {state}"), PATIENCE, async || {
        let all = console.all("/api/v1/appliances").await.ok()?;
        let one = console
            .get(&format!("/api/v1/appliances/{}", all[0]["id"]))
            .await
            .ok()?;
        (one["watching"]["state"] == state).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn models_come_and_go_while_the_hub_runs_and_no_window_is_lost() {
    let mut lab = Lab::new().unwrap();
    let models = lab.path().join("models");
    copy_models(&models);
    lab.models(models.clone());
    let site = TestSite {
        trunk: None,
        password: None,
        devices: vec![("p-1".to_owned(), PROFILE.to_owned(), None)],
        consent: false,
        zone: daytime_zone(12),
    };
    lab.apply(&site.toml()).await.unwrap();
    let hub = lab.serve().await.unwrap();
    let console = Console::log_in(lab.http, "admin", &lab.password()).await.unwrap();
    let start = recent() - SignedDuration::from_secs((SOUND + WORN + 5).cast_signed());

    publish(&lab, start, 0..150).await;
    all_is_scored(&lab).await;
    // Half a file, as of a copy that was broken off: told, and the calibration goes on.
    second_version(&models);
    let network = models.join("pump-rig-2/model.onnx");
    let whole = std::fs::read(&network).unwrap();
    std::fs::write(&network, &whole[..whole.len() / 2]).unwrap();
    eventually("the new folder is refused", PATIENCE, async || {
        is_told(&lab, "pump-rig-2").await.then_some(())
    })
    .await;
    publish(&lab, start, 150..SOUND).await;
    all_is_scored(&lab).await;
    until_watching_is(&console, "watched").await;

    // It is whole, and the highest: it learns this pump first.
    std::fs::write(&network, &whole).unwrap();
    eventually("the new folder is taken", PATIENCE, async || {
        (!is_told(&lab, "pump-rig-2").await).then_some(())
    })
    .await;
    let dir = models.to_str().unwrap();
    let listed = lab.run(&["model", "list", "--models", dir]).await.unwrap();
    assert!(
        listed.contains("served   pump-rig/2") && listed.contains("reserve  pump-rig/1"),
        "{listed}"
    );
    // Back to the one before, whose detector goes on from where it was.
    lab.run(&["model", "promote", "pump-rig/1", "--models", dir])
        .await
        .unwrap();
    eventually("the first version is served again", PATIENCE, async || {
        let log = std::fs::read_to_string(lab.path().join("hub.log")).ok()?;
        let last = log.lines().rfind(|line| line.contains("models were loaded again"))?;
        last.contains("pump-rig/1").then_some(())
    })
    .await;
    // The other one goes on in its shadow.
    let loads = || {
        let log = std::fs::read_to_string(lab.path().join("hub.log")).unwrap_or_default();
        log.matches("models were loaded again").count()
    };
    let before = loads();
    lab.run(&["model", "challenge", "pump-rig", "2", "--models", dir])
        .await
        .unwrap();
    eventually("the challenger is taken", PATIENCE, async || {
        (loads() > before).then_some(())
    })
    .await;
    publish(&lab, start, SOUND..SOUND + WORN).await;
    all_is_scored(&lab).await;
    until_watching_is(&console, "watched").await;
    let tickets = console.all("/api/v1/tickets").await.unwrap();
    assert_eq!(tickets.len(), 1, "{tickets:?}");
    let findings = console.all("/api/v1/findings").await.unwrap();
    let said: Vec<&Value> = findings.iter().map(|finding| &finding["fault_class"]).collect();
    assert_eq!(said, ["flow_loss"], "{findings:?}");
    let hash = findings[0]["prediction"]["model_hash"].as_str().unwrap_or_default();
    assert_eq!(hash.len(), 64, "{findings:?}");
    let compared = lab.run(&["model", "compare", "pump-rig"]).await.unwrap();
    for piece in [
        "champion    pump-rig/1",
        "challenger  pump-rig/2",
        "judged      1 appliances",
        "alarms      champion 1, challenger 1; of the champion's the challenger saw 1",
    ] {
        assert!(compared.contains(piece), "{compared}");
    }
    let out = lab.path().join("labels.parquet");
    let labels = ["model", "labels", "--out", out.to_str().unwrap()];
    assert!(lab.run(&labels).await.unwrap().contains("0 closed tickets"));
    assert!(out.is_file());
    hub.stop().await.unwrap();
}

#[tokio::test]
async fn the_commands_say_what_is_there_and_refuse_what_is_not() {
    let lab = Lab::bare().unwrap();
    let models = lab.path().join("models");
    copy_models(&models);
    second_version(&models);
    let dir = models.to_str().unwrap();
    let folder = models.join("pump-rig-2");
    let checked = lab.run(&["model", "check", folder.to_str().unwrap()]).await.unwrap();
    assert!(checked.contains("pump-rig/2 for profile pump-rig"), "{checked}");
    let promoted = lab
        .run(&["model", "promote", "pump-rig/1", "--models", dir])
        .await
        .unwrap();
    assert!(promoted.contains("pump-rig/1 is served"), "{promoted}");
    let back = lab
        .run(&["model", "rollback", "pump-rig", "--models", dir])
        .await
        .unwrap();
    assert!(back.contains("pump-rig/2 is served again"), "{back}");
    let challenged = lab
        .run(&["model", "challenge", "pump-rig", "1", "--models", dir])
        .await
        .unwrap();
    assert!(
        challenged.contains("pump-rig/1 is scored in the shadow of pump-rig/2"),
        "{challenged}"
    );
    let listed = lab.run(&["model", "list", "--models", dir]).await.unwrap();
    assert!(
        listed.contains("served   pump-rig/2") && listed.contains("shadow   pump-rig/1"),
        "{listed}"
    );
    let ended = lab
        .run(&["model", "challenge", "pump-rig", "--models", dir])
        .await
        .unwrap();
    assert!(ended.contains("nothing is scored"), "{ended}");
    for (command, why) in [
        (vec!["promote", "pump-rig/7"], "there is no pump-rig/7"),
        (vec!["promote", "kettle/1"], "none of this family"),
        (vec!["challenge", "pump-rig", "7"], "there is no pump-rig/7"),
        (vec!["challenge", "pump-rig", "2"], "pump-rig/2 is served itself"),
        (vec!["challenge", "kettle", "1"], "no model of kettle is served"),
        (
            vec!["rollback", "washing-machine"],
            "nothing was served before washing-machine",
        ),
    ] {
        let args = [vec!["model"], command, vec!["--models", dir]].concat();
        let refused = format!("{:#}", lab.run(&args).await.unwrap_err());
        assert!(refused.contains(why), "{refused}");
    }
    std::fs::remove_file(folder.join("golden.jsonl")).unwrap();
    let spoiled = lab
        .run(&["model", "check", folder.to_str().unwrap()])
        .await
        .unwrap_err();
    let spoiled = format!("{spoiled:#}");
    assert!(spoiled.contains("golden.jsonl"), "{spoiled}");
}
