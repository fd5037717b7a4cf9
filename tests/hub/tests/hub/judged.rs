//! What readings of ordinary shape come to: those that are judged whatever the messages they come in, and those that are not, of
//! which the appliance's page says why.

use super::families::{FRIDGE, copy_models};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::time::Duration;
use tests_hub::console::{Console, page};
use tests_hub::eventually;
use tests_hub::fleet::{log_in, recent};
use tests_hub::hub::{Lab, RunningHub};
use tests_hub::rig::{CHANNELS, PROFILE, Reading};
use tests_hub::site::{TestSite, daytime_zone};
use tests_hub::watch::all_is_scored;

const PATIENCE: Duration = Duration::from_secs(60);
/// Readings of a sound pump: the baseline takes 200.
const SOUND: i64 = 260;
/// And of one that is worn.
const WORN: i64 = 60;

/// A hub with these devices. It knows fridges, and no model is for them.
async fn hub(devices: &[(&str, &str)]) -> (Lab, RunningHub, Console) {
    let mut lab = Lab::new().unwrap();
    let models = lab.path().join("models");
    copy_models(&models);
    std::fs::write(models.join("profiles/fridge.toml"), FRIDGE).unwrap();
    lab.models(models);
    let site = TestSite {
        trunk: None,
        password: None,
        devices: devices
            .iter()
            .map(|(device, profile)| ((*device).to_owned(), (*profile).to_owned(), None))
            .collect(),
        consent: false,
        zone: daytime_zone(12),
    };
    lab.apply(&site.toml()).await.unwrap();
    let hub = lab.serve().await.unwrap();
    let console = Console::log_in(lab.http, "admin", &lab.password()).await.unwrap();
    (lab, hub, console)
}

fn message(at: Timestamp, values: &Value) -> String {
    json!({ "ts": at.as_millisecond(), "values": values }).to_string()
}

/// The n-th reading of the one pump that all devices here play, by channel.
fn values(n: i64) -> Vec<(&'static str, f64)> {
    let reading = Reading::new(3, n.cast_unsigned(), n >= SOUND);
    let named = CHANNELS.iter().zip(reading.stored());
    named
        .map(|(channel, value)| {
            (
                channel.name,
                f64::from(*value) / 10f64.powi(i32::from(channel.decimals)),
            )
        })
        .collect()
}

fn whole(n: i64) -> Value {
    Value::Object(
        values(n)
            .into_iter()
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .collect(),
    )
}

async fn publish(lab: &Lab, device: &str, messages: &[String]) {
    let topic = format!("d/{device}/j");
    let mut client = log_in(lab.mqtt, device).await.unwrap();
    for part in messages.chunks(200) {
        let all: Vec<(&str, &[u8])> = part.iter().map(|text| (topic.as_str(), text.as_bytes())).collect();
        client.publish_all(&all, 50).await.unwrap();
    }
}

/// The appliance as the list has it.
async fn listed(console: &Console, device: &str) -> Value {
    let appliances = console.all("/api/v1/appliances").await.unwrap();
    appliances.into_iter().find(|one| one["device"] == device).unwrap()
}

async fn id(console: &Console, device: &str) -> Value {
    listed(console, device).await["id"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_is_found_in_whole_messages_in_one_for_each_channel_and_behind_a_reading_from_tomorrow() {
    let names = ["whole", "single", "ahead"];
    let (lab, hub, console) = hub(&names.map(|name| (name, PROFILE))).await;
    let start = recent() - SignedDuration::from_secs(SOUND + WORN + 5);
    let at = |n: i64| start + SignedDuration::from_secs(n);
    let in_whole: Vec<String> = (0..SOUND + WORN).map(|n| message(at(n), &whole(n))).collect();
    let single = (0..SOUND + WORN).flat_map(|n| {
        let of_channel = move |(name, value): (&str, f64)| message(at(n), &json!({ name: value }));
        values(n).into_iter().map(of_channel)
    });
    let mut ahead = in_whole.clone();
    ahead.insert(
        150,
        message(recent() + SignedDuration::from_secs(570), &json!({ "Current": 1.23 })),
    );
    publish(&lab, "whole", &in_whole).await;
    publish(&lab, "single", &single.collect::<Vec<_>>()).await;
    publish(&lab, "ahead", &ahead).await;
    all_is_scored(&lab).await;

    let findings = console.all("/api/v1/findings").await.unwrap();
    let tickets = console.all("/api/v1/tickets").await.unwrap();
    let mut told = Vec::new();
    for name in names {
        let id = id(&console, name).await;
        let own: Vec<&Value> = findings.iter().filter(|finding| finding["appliance"] == id).collect();
        assert_eq!(own.len(), 1, "{name}: {findings:?}");
        let opened = tickets.iter().filter(|ticket| ticket["appliance"]["id"] == id);
        assert_eq!(opened.count(), 1, "{name}: {tickets:?}");
        let watching = console.get(&format!("/api/v1/appliances/{id}")).await.unwrap()["watching"].clone();
        assert_eq!(watching["state"], "watched", "{name}: {watching}");
        let unjudged = watching["unjudged"].as_array().unwrap();
        let passed = unjudged.iter().any(|one| one["reason"] == "unordered");
        assert!(!passed, "{name} came in order: {watching}");
        told.push(["fault_class", "alarm_at"].map(|field| own[0][field].clone()));
    }
    assert_eq!(told[0][0], "flow_loss");
    assert_eq!(told[1], told[0], "one message a channel");
    assert_eq!(told[2], told[0], "one reading ahead");
    hub.stop().await.unwrap();
}

/// Each device does what leads to one state.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_an_appliance_says_whether_it_is_watched_in_both_languages() {
    let devices = [
        ("silent", PROFILE),
        ("modelless", "fridge"),
        ("calibrating", PROFILE),
        ("watched", PROFILE),
        ("seldom", PROFILE),
        ("deaf", PROFILE),
        ("backward", PROFILE),
        ("mixed", PROFILE),
    ];
    let (lab, hub, console) = hub(&devices).await;
    let start = recent() - SignedDuration::from_hours(3);
    let at = |n: i64| start + SignedDuration::from_secs(n);
    let every =
        |step: i64, count: i64| -> Vec<String> { (0..count).map(|n| message(at(n * step), &whole(n))).collect() };
    publish(&lab, "modelless", &[message(at(0), &json!({ "inside_c": 4.5 }))]).await;
    publish(&lab, "calibrating", &every(1, 120)).await;
    publish(&lab, "watched", &every(1, 240)).await;
    publish(&lab, "seldom", &every(60, 40)).await;
    let one = |n: i64| message(at(n), &json!({ "Current": values(n)[2].1 }));
    publish(&lab, "deaf", &(0..40).map(one).collect::<Vec<_>>()).await;
    let mut backward = every(1, 240);
    backward.extend((0..80).map(|n| message(at(n - 4_000), &whole(n))));
    publish(&lab, "backward", &backward).await;
    // The second hundred at another speed.
    let mixed = (0..240).map(|n| match n {
        0..100 => message(at(n), &whole(n)),
        n => message(
            at(n),
            &json!({ "Current": 4.0, "Voltage": values(n)[6].1, "Pressure": 3.0, "Temperature": 90.0,
            "Accelerometer1RMS": 0.3, "Accelerometer2RMS": 0.3, "Thermocouple": 60.0, "Volume Flow RateRMS": 90.0 }),
        ),
    });
    publish(&lab, "mixed", &mixed.collect::<Vec<_>>()).await;
    all_is_scored(&lab).await;

    let expected = [
        ("silent", "no_readings", "no reading has come", "还没有模型可用的读数"),
        (
            "modelless",
            "calibrating",
            "by generic/1: compared with itself",
            "由 generic/1 监测",
        ),
        ("calibrating", "calibrating", "120 of 200", "120 / 200"),
        ("watched", "watched", "● Watched", "● 监测中"),
        (
            "seldom",
            "too_seldom",
            "every 60 s, and the model needs one every 5 s",
            "间隔 60 秒，模型需要不超过 5 秒",
        ),
        (
            "deaf",
            "channels_missing",
            "7 of 8 channels have no value",
            "8 个通道中有 7 个没有数值",
        ),
        ("backward", "times_passed", "times from before", "读数的时间早于"),
        ("mixed", "watched", "several states", "混有多种状态"),
    ];
    for (device, state, english, chinese) in expected {
        let id = id(&console, device).await;
        let watching = eventually(&format!("{device} is {state}"), PATIENCE, async || {
            let told = console.get(&format!("/api/v1/appliances/{id}")).await.unwrap()["watching"].clone();
            (told["state"] == state).then_some(told)
        })
        .await;
        assert_eq!(listed(&console, device).await["watching"]["state"], state, "{device}");
        for (language, words) in [("en", english), ("zh-CN", chinese)] {
            let page = page(&lab, language, &format!("/appliances/{id}")).await.unwrap();
            let text = text(&page);
            assert!(text.contains(words), "{device}: {words} is not in\n{text}\n{watching}");
        }
    }
    let metrics = reqwest::get(format!("http://{}/metrics", lab.http))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    for line in [
        "forecall_scoring_appliances{state=\"calibrating\"} 2",
        "forecall_scoring_appliances{state=\"watched\"} 2",
        "forecall_scoring_appliances{state=\"too_seldom\"} 1",
        "forecall_scoring_appliances{state=\"channels_missing\"} 1",
        "forecall_scoring_appliances{state=\"times_passed\"} 1",
        "forecall_scoring_unjudged_total{reason=\"unordered\"} 80",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    hub.stop().await.unwrap();
}

/// What a page says, without its markup.
fn text(page: &str) -> String {
    let pieces = page.split('<').filter_map(|piece| piece.split_once('>'));
    let words = pieces.map(|(_, text)| text.trim()).filter(|text| !text.is_empty());
    words
        .collect::<Vec<_>>()
        .join(" ")
        .replace(['\u{2068}', '\u{2069}'], "")
}
