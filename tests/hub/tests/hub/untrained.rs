//! Appliances that nobody trained a model for: a profile alone is enough to be watched, what is opened is read by a person, and a folder
//! that a maker has made takes over while the hub runs.

use super::families::{FRIDGE, copy_models};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use tests_hub::console::{Console, page};
use tests_hub::eventually;
use tests_hub::fleet::{log_in, recent};
use tests_hub::hub::Lab;
use tests_hub::site::{TestSite, daytime_zone};
use tests_hub::watch::all_is_scored;

const PATIENCE: Duration = Duration::from_secs(60);
/// Readings of a day.
const A_DAY: i64 = 4;
/// Days of a sound fridge: its normal takes 40.
const SOUND: i64 = 55;
const DAYS: i64 = 80;

/// What a fridge says n quarters of a day after its first word; from a day on its compressor draws more and more.
fn reading(n: i64, worn_from: i64) -> [f64; 2] {
    let noise = |k: i64| ((n * 7_919 + k * 104_729) % 1_000) as f64 / 1_000.0 - 0.5;
    let worn = ((n - worn_from * A_DAY) as f64 / (8 * A_DAY) as f64).clamp(0.0, 1.0);
    [4.5 + 0.4 * noise(1), (1.2 + 0.05 * noise(2)) * (1.0 + 1.5 * worn)]
}

async fn publish(lab: &Lab, device: &str, start: Timestamp, days: std::ops::Range<i64>) {
    let message = |n: i64| {
        let [inside, current] = reading(n, SOUND);
        let at = start + SignedDuration::from_hours(n * 24 / A_DAY);
        json!({ "ts": at.as_millisecond(), "values": { "inside_c": inside, "compressor_a": current } }).to_string()
    };
    let messages: Vec<String> = (days.start * A_DAY..days.end * A_DAY).map(message).collect();
    let topic = format!("d/{device}/j");
    let all: Vec<(&str, &[u8])> = messages.iter().map(|text| (topic.as_str(), text.as_bytes())).collect();
    let mut client = log_in(lab.mqtt, device).await.unwrap();
    client.publish_all(&all, 50).await.unwrap();
}

async fn until_watching(console: &Console, id: &Value, state: &str, model: &str) {
    eventually(&format!("it is {state} by {model}"), PATIENCE, async || {
        let told = console.get(&format!("/api/v1/appliances/{id}")).await.ok()?["watching"].clone();
        (told["state"] == state && told["model"] == model).then_some(())
    })
    .await;
}

/// Recordings of sound fridges, and a family learned from them.
async fn train(lab: &Lab, models: &Path) {
    let folder = lab.path().join("recordings");
    std::fs::create_dir(&folder).unwrap();
    let start: Timestamp = "2026-01-05T01:00:00Z".parse().unwrap();
    let mut args = ["train", "--profile"].map(str::to_owned).to_vec();
    args.push(models.join("profiles/fridge.toml").display().to_string());
    args.push("--healthy".to_owned());
    for number in 0..3 {
        let mut text = "timestamp,inside_c,compressor_a\n".to_owned();
        for n in 0..120 * A_DAY {
            let [inside, current] = reading(n + number * 13, i64::MAX / 8);
            let at = start + SignedDuration::from_hours(n * 24 / A_DAY);
            text += &format!("{at},{inside:.1},{current:.2}\n");
        }
        let file = folder.join(format!("f-{number}.csv"));
        std::fs::write(&file, text).unwrap();
        args.push(file.display().to_string());
    }
    args.push("--out".to_owned());
    args.push(models.join("fridge").display().to_string());
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let said = lab.run(&args).await.unwrap();
    assert!(said.contains("fridge/1 is written to"), "{said}");
    let checked = lab
        .run(&["model", "check", models.join("fridge").to_str().unwrap()])
        .await
        .unwrap();
    assert!(checked.contains("fridge/1 for profile fridge"), "{checked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_alone_is_watched_and_a_trained_folder_takes_over() {
    let mut lab = Lab::new().unwrap();
    let models = lab.path().join("models");
    copy_models(&models);
    std::fs::write(models.join("profiles/fridge.toml"), FRIDGE).unwrap();
    lab.models(models.clone());
    let site = TestSite {
        trunk: None,
        password: None,
        devices: vec![("f-1".to_owned(), "fridge".to_owned(), None)],
        consent: false,
        zone: daytime_zone(12),
    };
    lab.apply(&site.toml()).await.unwrap();
    let hub = lab.serve().await.unwrap();
    let console = Console::log_in(lab.http, "admin", &lab.password()).await.unwrap();
    let id = console.all("/api/v1/appliances").await.unwrap()[0]["id"].clone();
    let start = recent() - SignedDuration::from_hours(24 * (DAYS + 1));

    publish(&lab, "f-1", start, 0..20).await;
    all_is_scored(&lab).await;
    until_watching(&console, &id, "calibrating", "generic/1").await;
    publish(&lab, "f-1", start, 20..SOUND).await;
    all_is_scored(&lab).await;
    until_watching(&console, &id, "watched", "generic/1").await;
    assert!(console.all("/api/v1/tickets").await.unwrap().is_empty());
    // The normal that was learned, and the fault that follows, outlive the hub.
    hub.stop().await.unwrap();
    let hub = lab.serve().await.unwrap();
    let console = Console::log_in(lab.http, "admin", &lab.password()).await.unwrap();
    publish(&lab, "f-1", start, SOUND..DAYS).await;
    all_is_scored(&lab).await;
    let findings = console.all("/api/v1/findings").await.unwrap();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0]["fault_class"], "unknown_fault", "{findings:?}");
    assert!(findings[0].to_string().contains("generic/1"), "{findings:?}");
    let tickets = console.all("/api/v1/tickets").await.unwrap();
    assert_eq!(tickets.len(), 1, "{tickets:?}");
    let ticket = page(
        &lab,
        "en",
        &format!("/tickets/{}", tickets[0]["ticket"]["id"].as_str().unwrap()),
    )
    .await
    .unwrap();
    assert!(ticket.contains("compressor current"), "{ticket}");
    train(&lab, &models).await;
    eventually("the folder is taken", PATIENCE, async || {
        let log = std::fs::read_to_string(lab.path().join("hub.log")).ok()?;
        let last = log.lines().rfind(|line| line.contains("models were loaded again"))?;
        last.contains("fridge/1").then_some(())
    })
    .await;
    publish(&lab, "f-1", start, DAYS..DAYS + 1).await;
    all_is_scored(&lab).await;
    until_watching(&console, &id, "calibrating", "fridge/1").await;
    hub.stop().await.unwrap();
}
