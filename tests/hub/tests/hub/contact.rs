//! No call twice, no call unwanted: the hub is killed with -9 at the three worst moments of a call.

use hub_lab::phone::PhoneAnswer;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;
use tests_hub::calls::{PATIENCE, about_to_ring, attempt, only_ticket, owners_phones};
use tests_hub::console::Console;
use tests_hub::eventually;
use tests_hub::hub::{Lab, RunningHub};
use tests_hub::watch::contacts_are_looked_at;

/// Kills hub and database, starts again, and waits until the hub has looked whom to ring.
async fn killed_and_back(lab: &Lab, hub: RunningHub) -> (RunningHub, Console) {
    hub.kill().await.unwrap();
    lab.kill_database();
    let hub = lab.serve().await.unwrap();
    let console = Console::log_in(lab.http, "admin", &lab.password()).await.unwrap();
    contacts_are_looked_at(lab).await;
    (hub, console)
}

fn assert_one_unknown_attempt(ticket: &Value) {
    let attempts = ticket["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 1, "one record: {attempts:?}");
    assert_eq!(
        (&attempts[0]["state"], &attempts[0]["result"]),
        (&json!("ended"), &json!("unknown"))
    );
    assert_eq!(ticket["ticket"]["contact"]["phase"], "held");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_the_attempts_row_and_the_invite() {
    let phones = owners_phones(PhoneAnswer::Never, vec![]).await.unwrap();
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
    let (lab, hub, console) = about_to_ring(lab, &phones).await.unwrap();

    attempt(&console, "the attempt's row", |a| a["state"] == "dialling").await;
    let (hub, console) = killed_and_back(&lab, hub).await;
    assert_eq!(
        phones.rung(),
        0,
        "the row is committed before the INVITE, and what was cut off is not rung by itself"
    );
    let ticket = only_ticket(&console).await;
    assert_one_unknown_attempt(&ticket);
    assert_eq!(ticket["ticket"]["contact"]["reason"], "unknown_attempt");
    hub.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_rings() {
    let phones = owners_phones(PhoneAnswer::Never, vec![]).await.unwrap();
    let (lab, hub, console) = about_to_ring(Lab::new().unwrap(), &phones).await.unwrap();
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
    .await
    .unwrap();
    let (lab, hub, console) = about_to_ring(Lab::new().unwrap(), &phones).await.unwrap();
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
    let held = async || {
        Some(only_ticket(&console).await["ticket"]["contact"]["reason"].clone()).filter(|h| h == "do_not_call")
    };
    eventually("the call is refused", PATIENCE, held).await;
    contacts_are_looked_at(&lab).await;
    assert_eq!(phones.rung(), 1);
    hub.stop().await.unwrap();
}
