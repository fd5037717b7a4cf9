//! No call twice, no call unwanted: the hub is killed with -9 at the three worst moments of a call.

use crate::telemetry::recent;
use hub_core::phone_number::PhoneNumber;
use hub_lab::phone::{PhoneAnswer, PhoneScript, Phones};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;
use tests_hub::console::Console;
use tests_hub::eventually;
use tests_hub::fleet::{past, send};
use tests_hub::hub::{Lab, RunningHub};
use tests_hub::site::{TestSite, daytime_zone};
use tests_world::FaultKind;

/// Long enough for a wrong second INVITE to show.
const QUIET: Duration = Duration::from_secs(4);
const PATIENCE: Duration = Duration::from_secs(60);

/// The owner's phone.
pub async fn owners_phones(answer: PhoneAnswer, keys: Vec<(Duration, char)>) -> Phones {
    let (phones, _reports) = Phones::start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    phones.set(
        PhoneNumber::new(&TestSite::number(0)).unwrap(),
        PhoneScript {
            answer,
            keys,
            hang_up: None,
        },
    );
    phones
}

/// A hub about to ring `phones` about a worn pump.
pub async fn about_to_ring(lab: Lab, phones: &Phones) -> (Lab, RunningHub, Console) {
    let zone = daytime_zone(recent().to_zoned(jiff::tz::TimeZone::UTC).hour());
    let devices = vec![("wm-1".to_owned(), "washing-machine".to_owned(), None)];
    let site = TestSite {
        trunk: Some(phones.local()),
        password: None,
        devices,
        consent: true,
        zone,
    };
    lab.apply(&site.toml()).await.unwrap();
    let hub = lab.serve().await.unwrap();
    let console = Console::log_in(lab.http, "admin", &lab.password()).await.unwrap();
    send(&lab, "wm-1", 1, past(11, 55, Some(FaultKind::DrainPumpWear), recent()))
        .await
        .unwrap();
    (lab, hub, console)
}

/// Waits until the attempt is as wished.
pub async fn attempt(console: &Console, what: &str, wished: impl Fn(&Value) -> bool) -> Value {
    let look = async || {
        console
            .all("/api/v1/contacts")
            .await
            .unwrap()
            .into_iter()
            .find(|a| wished(a))
    };
    eventually(what, PATIENCE, look).await
}

/// Kills hub and database, starts again, and waits out what must not happen.
async fn killed_and_back(lab: &Lab, hub: RunningHub) -> (RunningHub, Console) {
    hub.kill().await.unwrap();
    lab.kill_database();
    let hub = lab.serve().await.unwrap();
    let console = Console::log_in(lab.http, "admin", &lab.password()).await.unwrap();
    tokio::time::sleep(QUIET).await;
    (hub, console)
}

pub async fn only_ticket(console: &Console) -> Value {
    let tickets = console.all("/api/v1/tickets").await.unwrap();
    assert_eq!(tickets.len(), 1, "one fault, one ticket");
    console
        .get(&format!(
            "/api/v1/tickets/{}",
            tickets[0]["ticket"]["id"].as_str().unwrap()
        ))
        .await
        .unwrap()
}

fn assert_one_unknown_attempt(ticket: &Value) {
    let attempts = ticket["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 1, "one record: {attempts:?}");
    assert_eq!(
        (&attempts[0]["state"], &attempts[0]["result"]),
        (&json!("ended"), &json!("unknown"))
    );
    assert_eq!(ticket["ticket"]["state"], "person_needed");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_the_attempts_row_and_the_invite() {
    let phones = owners_phones(PhoneAnswer::Never, vec![]).await;
    let mut lab = Lab::new().unwrap();
    // A slow voice keeps the gap open: prompts are made after the row is committed and before the INVITE leaves.
    let slow = lab.path().join("slow");
    std::fs::create_dir(&slow).unwrap();
    std::fs::write(
        slow.join("espeak-ng"),
        "#!/bin/sh\nsleep 2\nexec /usr/bin/espeak-ng \"$@\"\n",
    )
    .unwrap();
    std::fs::set_permissions(slow.join("espeak-ng"), std::fs::Permissions::from_mode(0o755)).unwrap();
    lab.path_first(&slow);
    let (lab, hub, console) = about_to_ring(lab, &phones).await;

    attempt(&console, "the attempt's row", |a| a["state"] == "dialling").await;
    let (hub, console) = killed_and_back(&lab, hub).await;
    assert_eq!(
        phones.rung(),
        0,
        "the row is committed before the INVITE, and what was cut off is not rung by itself"
    );
    let ticket = only_ticket(&console).await;
    assert_one_unknown_attempt(&ticket);
    assert_eq!(ticket["ticket"]["held"], "unknown_attempt");
    hub.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_rings() {
    let phones = owners_phones(PhoneAnswer::Never, vec![]).await;
    let (lab, hub, console) = about_to_ring(Lab::new().unwrap(), &phones).await;
    attempt(&console, "the phone rings", |a| a["state"] == "ringing").await;
    let (hub, console) = killed_and_back(&lab, hub).await;
    assert_eq!(phones.rung(), 1, "no second ring");
    assert_one_unknown_attempt(&only_ticket(&console).await);
    hub.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_right_after_key_9() {
    let phones = owners_phones(
        PhoneAnswer::After(Duration::from_millis(300)),
        vec![(Duration::from_secs(2), '9')],
    )
    .await;
    let (lab, hub, console) = about_to_ring(Lab::new().unwrap(), &phones).await;
    attempt(&console, "the owner presses 9", |a| a["disposition"] == "do_not_call").await;
    let (hub, console) = killed_and_back(&lab, hub).await;

    let ticket = only_ticket(&console).await;
    assert_one_unknown_attempt(&ticket);
    assert_eq!(
        ticket["attempts"][0]["disposition"], "do_not_call",
        "consent as pressed"
    );
    assert_eq!(
        (&ticket["owner"]["consent"], &ticket["owner"]["do_not_call"]),
        (&json!("withdrawn"), &json!(true))
    );

    // Not even a person's "call now" rings against the owner's word.
    let id = ticket["ticket"]["id"].as_str().unwrap();
    let (status, _) = console
        .post(&format!("/api/v1/tickets/{id}/call"), "k1", &json!({}))
        .await
        .unwrap();
    assert!(status < 300, "{status}");
    let held = async || Some(only_ticket(&console).await["ticket"]["held"].clone()).filter(|h| h == "do_not_call");
    eventually("the call is refused", PATIENCE, held).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(phones.rung(), 1);
    hub.stop().await.unwrap();
}
