//! Readings as ThingsBoard casts them: numbers as text, with a sample among them that cannot be taken.

use serde_json::{Value, json};
use std::time::Duration;
use tests_hub::console::Console;
use tests_hub::eventually;
use tests_hub::fleet::{log_in, recent};
use tests_hub::hub::Lab;
use tests_hub::rig::{PROFILE, Reading, STEP_MS};
use tests_hub::site::{TestSite, daytime_zone};
use tests_hub::watch::all_is_scored;

const SOUND: u64 = 260;
const WORN: u64 = 140;
/// Readings of a message; as text they take more room.
const BATCH: usize = 40;
/// The message that holds one sample more, with a wrong time.
const WITH_A_BAD_ONE: usize = 3;
const PATIENCE: Duration = Duration::from_secs(60);

/// The fault is found at the same second, and the ticket opens as with numbers.
#[tokio::test(flavor = "multi_thread")]
async fn a_fault_is_found_in_numbers_that_come_as_text() {
    let lab = Lab::new().unwrap();
    let devices = ["numbers", "texts"].map(|name| (name.to_owned(), PROFILE.to_owned(), None));
    let site = TestSite {
        trunk: None,
        password: None,
        devices: devices.to_vec(),
        consent: false,
        zone: daytime_zone(12),
    };
    lab.apply(&site.toml()).await.unwrap();
    let hub = lab.serve().await.unwrap();
    let count = SOUND + WORN;
    let t0_ms = recent().as_millisecond() - i64::try_from(count).unwrap() * STEP_MS;
    let samples: Vec<Value> = (0..count)
        .map(|n| {
            let mut text = Vec::new();
            Reading::new(1, n, n >= SOUND).write_json(t0_ms + i64::try_from(n).unwrap() * STEP_MS, &mut text);
            serde_json::from_slice(&text).unwrap()
        })
        .collect();
    send(&lab, "numbers", &samples, |sample| sample.clone()).await;
    send(&lab, "texts", &samples, as_text).await;

    let console = Console::log_in(lab.http, "admin", &lab.password()).await.unwrap();
    let (numbers, texts) = (
        shown(&console, "numbers", count).await,
        shown(&console, "texts", count).await,
    );
    assert_eq!((&numbers["quarantined"], &texts["quarantined"]), (&json!(0), &json!(1)));
    let held = console.all("/api/v1/quarantine").await.unwrap();
    assert_eq!(held.len(), 1, "{held:?}");
    assert_eq!(held[0]["readable"], r#"{"ts":36000,"values":{"Current":"1.24"}}"#);
    let reason = held[0]["reason"].as_str().unwrap();
    assert!(reason.starts_with("1 of 41 samples, the others are stored"), "{reason}");

    // Neither changes any more.
    all_is_scored(&lab).await;
    let of_numbers = finding(&console, &numbers["id"]).await;
    let of_texts = finding(&console, &texts["id"]).await;
    for field in ["fault_class", "alarm_at", "state", "evidence"] {
        assert_eq!(of_numbers[field], of_texts[field], "{field}");
    }
    assert_eq!(of_texts["fault_class"], "flow_loss");
    assert!(of_texts["ticket"].is_string() && of_texts["ticket"] != of_numbers["ticket"]);
    hub.stop().await.unwrap();
}

async fn send(lab: &Lab, device: &str, samples: &[Value], write: impl Fn(&Value) -> Value) {
    let topic = format!("d/{device}/j");
    let batches = samples.chunks(BATCH).enumerate().map(|(number, batch)| {
        let mut batch: Vec<Value> = batch.iter().map(&write).collect();
        if device == "texts" && number == WITH_A_BAD_ONE {
            batch.insert(BATCH / 2, json!({"ts": 36_000, "values": {"Current": "1.24"}}));
        }
        Value::Array(batch).to_string()
    });
    let batches: Vec<String> = batches.collect();
    let messages: Vec<_> = batches.iter().map(|text| (topic.as_str(), text.as_bytes())).collect();
    let mut client = log_in(lab.mqtt, device).await.unwrap();
    client.publish_all(&messages, 1).await.unwrap();
    // As after a lost acknowledgement: nothing is stored twice, nor put aside twice.
    let again = &messages[WITH_A_BAD_ONE..=WITH_A_BAD_ONE];
    client.publish_all(again, 1).await.unwrap();
}

fn as_text(sample: &Value) -> Value {
    let mut sample = sample.clone();
    for value in sample["values"].as_object_mut().unwrap().values_mut() {
        *value = Value::String(value.to_string());
    }
    sample
}

/// An appliance, once all that it sent is counted.
async fn shown(console: &Console, device: &str, count: u64) -> Value {
    eventually("samples are counted", PATIENCE, async || {
        let appliances = console.all("/api/v1/appliances").await.unwrap();
        let appliance = appliances.into_iter().find(|appliance| appliance["device"] == device)?;
        (appliance["samples"] == count).then_some(appliance)
    })
    .await
}

/// Its finding, with a ticket.
async fn finding(console: &Console, appliance: &Value) -> Value {
    eventually("the finding has a ticket", PATIENCE, async || {
        let findings = console.all("/api/v1/findings").await.unwrap();
        let mut findings = findings.into_iter();
        findings.find(|finding| finding["appliance"] == *appliance && finding["ticket"].is_string())
    })
    .await
}
