//! A hub that has lived, and what people see of it: the same wherever it has moved to.

use hub_lab::phone::{PhoneAnswer, Phones};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tests_hub::calls::{attempt, owners_phones};
use tests_hub::console::Console;
use tests_hub::eventually;
use tests_hub::fleet::{log_in, past, recent, send};
use tests_hub::hub::{Lab, RunningHub};
use tests_hub::site::{TestSite, daytime_zone};
use tests_hub::soak::{Fleet, site};
use tests_mqtt::{acknowledge, read_publish, subscribe};
use tests_world::FaultKind;

/// Devices that publish all the time.
pub const PUBLISHERS: usize = 8;
/// Sealed in the database.
pub const TRUNK_PASSWORD: &str = "a-trunk-password";
const PATIENCE: Duration = Duration::from_secs(60);
/// The device with a fault, and one that is away.
const WORN: &str = "wm-1";
const AWAY: &str = "wm-2";

/// A hub at work, and who works with it.
pub struct Lived {
    pub lab: Lab,
    pub hub: RunningHub,
    pub fleet: Fleet,
    /// Readings that the worn device had acknowledged.
    pub worn: u64,
    _phones: Phones,
}

/// A site with owners, whose devices have published, one of them until a ticket was opened and its owner rung in vain;
/// with a payload in quarantine, and a command that waits for a device that is away.
pub async fn lived() -> Lived {
    let phones = owners_phones(PhoneAnswer::Busy, Vec::new()).await.unwrap();
    let lab = Lab::new().unwrap();
    lab.apply(&site_of(&phones).toml()).await.unwrap();
    let hub = lab.serve().await.unwrap();
    lab.approve_calls().await.unwrap();
    let mut fleet = Fleet::start(lab.mqtt, PUBLISHERS);
    let console = Console::log_in(lab.http, "admin", &lab.password()).await.unwrap();
    spoil(&lab, &console).await;
    command(&console, "r1").await;
    let samples = past(11, 55, Some(FaultKind::DrainPumpWear), recent());
    let worn = send(&lab, WORN, 1, samples).await.unwrap();
    attempt(&console, "the owner is rung", |a| a["state"] == "ended").await;
    fleet.more(600, PATIENCE).await.unwrap();
    Lived {
        lab,
        hub,
        fleet,
        worn,
        _phones: phones,
    }
}

fn site_of(phones: &Phones) -> TestSite {
    let mut site = site(PUBLISHERS);
    let washing_machine = |name: &str| (name.to_owned(), "washing-machine".to_owned(), None);
    site.devices.splice(0..0, [WORN, AWAY].map(washing_machine));
    site.trunk = Some(phones.local());
    site.password = Some(TRUNK_PASSWORD);
    site.consent = true;
    site.zone = daytime_zone(recent().to_zoned(jiff::tz::TimeZone::UTC).hour());
    site
}

/// What cannot be read is kept.
async fn spoil(lab: &Lab, console: &Console) {
    let mut device = log_in(lab.mqtt, WORN).await.unwrap();
    let topic = format!("d/{WORN}/j");
    device.publish_all(&[(&topic, b"{\"spoilt")], 1).await.unwrap();
    let kept = async || (!console.all("/api/v1/quarantine").await.unwrap().is_empty()).then_some(());
    eventually("quarantine", PATIENCE, kept).await;
}

async fn command(console: &Console, request: &str) {
    let path = format!("{}/commands", appliance(console, AWAY).await);
    let asked = json!({ "body": { "drain": true }, "request": request, "expires_in_s": 86_400 });
    let (status, answer) = console.post(&path, request, &asked).await.unwrap();
    assert_eq!(status, 200, "{answer}");
}

async fn appliance(console: &Console, name: &str) -> String {
    let all = console.all("/api/v1/appliances").await.unwrap();
    let one = all.into_iter().find(|one| one["device"] == name).unwrap();
    format!("/api/v1/appliances/{}", one["id"])
}

/// The device that was away comes, and gets the commands that wait, in order.
pub async fn delivers(lab: &Lab, commands: &[&str]) {
    let mut device = log_in(lab.mqtt, AWAY).await.unwrap();
    device.send(&subscribe(1, &[&format!("d/{AWAY}/c/+")])).await;
    for wanted in commands {
        loop {
            let (first, body) = device.packet().await.unwrap().expect("the hub closed");
            let Some((topic, packet_id, _)) = read_publish(first, &body) else {
                continue;
            };
            let awaited = format!("d/{AWAY}/c/{wanted}");
            assert_eq!(topic, awaited.as_bytes(), "not {wanted}: {body:?}");
            device.send(&acknowledge(packet_id.unwrap())).await;
            break;
        }
    }
    device.ping().await.unwrap();
}

/// What people see of the past, by name; it stands still while devices publish.
pub async fn seen(lab: &Lab, password: &str) -> BTreeMap<String, Value> {
    let console = Console::log_in(lab.http, "admin", password).await.unwrap();
    let mut seen = BTreeMap::new();
    for list in ["tickets", "contacts", "findings", "quarantine"] {
        let all = console.all(&format!("/api/v1/{list}")).await.unwrap();
        assert!(!all.is_empty(), "there are no {list}");
        if list == "tickets" {
            let id = all[0]["ticket"]["id"].as_str().unwrap();
            let whole = console.get(&format!("/api/v1/tickets/{id}")).await.unwrap();
            seen.insert("ticket".into(), whole);
        }
        seen.insert(list.into(), all.into());
    }
    let away = appliance(&console, AWAY).await;
    let commands = console.all(&format!("{away}/commands")).await.unwrap();
    seen.insert("commands".into(), commands.into());
    let devices = console.all("/api/v1/appliances").await.unwrap();
    let devices = devices
        .iter()
        .map(|one| json!([one["id"], one["device"], one["owner"]]));
    seen.insert("devices".into(), devices.collect::<Vec<_>>().into());
    seen
}
