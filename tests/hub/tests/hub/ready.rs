//! Review first is a queue: what a simulated model says rings nobody until a person approves, or until verdicts of closed tickets have
//! released such predictions.

use hub_lab::phone::{PhoneAnswer, Phones};
use hub_store_postgres::{Cluster, ClusterOptions};
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tests_hub::approval::has_a_quiet_past;
use tests_hub::calls::{PATIENCE, at_work, attempt, only_ticket, owners_phones, worn_pump};
use tests_hub::clock::SetClock;
use tests_hub::console::{Console, page};
use tests_hub::eventually;
use tests_hub::fleet::{past, recent, send};
use tests_hub::hub::Lab;
use tests_hub::site::{TestSite, daytime_zone};
use tests_hub::watch::contacts_are_looked_at;
use tests_world::FaultKind;

/// Seconds from midnight until half past nine.
const MIDNIGHT_TO_MORNING_S: i64 = 9 * 3_600 + 1_800;

async fn until_reason(console: &Console, device: &str, reason: &str) -> Value {
    let look = async || {
        let tickets = console.all("/api/v1/tickets").await.unwrap();
        let is_it = |one: &Value| {
            one["appliance"]["device"] == device
                && one["ticket"]["status"]["category"] != "resolved"
                && one["ticket"]["contact"]["reason"] == reason
        };
        tickets.into_iter().find(is_it)
    };
    let found = eventually(&format!("{device} is held: {reason}"), PATIENCE, look).await;
    found["ticket"].clone()
}

async fn act(console: &Console, ticket: &Value, act: &str, body: Value) -> Value {
    let id = ticket["id"].as_str().unwrap();
    let key = format!("{act}-{id}").replace('/', ".");
    let path = format!("/api/v1/tickets/{id}/{act}");
    let (status, answer) = console.post(&path, &key, &body).await.unwrap();
    assert_eq!(status, 200, "{act}: {answer}");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulated_models_word_rings_nobody_until_a_person_approves() {
    let phones = owners_phones(PhoneAnswer::Busy, vec![]).await.unwrap();
    let (lab, hub, console) = at_work(Lab::new().unwrap(), &phones).await.unwrap();
    worn_pump(&lab).await.unwrap();
    let ticket = until_reason(&console, "wm-1", "ready_to_ring").await;
    contacts_are_looked_at(&lab).await;
    assert_eq!(phones.rung(), 0);
    let release = only_ticket(&console).await["release"].clone();
    assert_eq!(
        (&release["evidence"], &release["judged"], &release["judged_needed"]),
        (&json!("simulated"), &json!(0), &json!(21))
    );
    let shown = page(&lab, "en", "/ready-to-ring").await.unwrap();
    let form = format!("/tickets/{}/call/approve", ticket["id"].as_str().unwrap());
    assert!(shown.contains(&form) && shown.contains("<svg"), "{shown}");

    let refused = act(
        &console,
        &ticket,
        "call/refuse",
        json!({ "reason": "a filter was cleaned" }),
    )
    .await;
    assert_eq!(refused["contact"]["reason"], "call_refused");
    contacts_are_looked_at(&lab).await;
    assert_eq!(phones.rung(), 0, "refused");
    assert!(!page(&lab, "en", "/ready-to-ring").await.unwrap().contains(&form));

    act(&console, &ticket, "call/approve", json!({})).await;
    attempt(&console, "the approved call", |a| a["result"] == "busy").await;
    assert_eq!(phones.rung(), 1);
    let told = only_ticket(&console).await;
    let events = told["timeline"].as_array().unwrap().iter();
    let decided: Vec<_> = events
        .filter(|line| line["actor"] == "admin")
        .map(|line| line["event"]["event"].as_str().unwrap())
        .collect();
    assert_eq!(decided, ["call_refused", "call_approved"]);
    assert_eq!(
        (&told["release"]["approved"], &told["release"]["refused"]),
        (&json!(1), &json!(1))
    );
    hub.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_approved_in_the_night_rings_in_the_morning() {
    let phones = owners_phones(PhoneAnswer::Busy, vec![]).await.unwrap();
    let mut lab = Lab::new().unwrap();
    let clock = SetClock::of(&mut lab).unwrap();
    let hour = recent().to_zoned(TimeZone::UTC).hour();
    let night = TestSite {
        zone: daytime_zone((hour + 12) % 24),
        ..site(&phones, &["wm-1"])
    };
    lab.apply(&night.toml()).await.unwrap();
    let hub = lab.serve().await.unwrap();
    let password = lab.password();
    let console = Console::log_in(lab.http, "admin", &password).await.unwrap();
    worn_pump(&lab).await.unwrap();
    let ticket = until_reason(&console, "wm-1", "ready_to_ring").await;
    act(&console, &ticket, "call/approve", json!({})).await;
    let waits = until_reason(&console, "wm-1", "quiet_hours").await;
    assert_eq!(waits["contact"]["phase"], "planned");
    contacts_are_looked_at(&lab).await;
    assert_eq!(phones.rung(), 0);
    hub.stop().await.unwrap();

    clock.ahead_of_the_machine_s(MIDNIGHT_TO_MORNING_S).unwrap();
    let hub = lab.serve().await.unwrap();
    let console = Console::log_in(lab.http, "admin", &password).await.unwrap();
    attempt(&console, "the call of the morning", |a| a["result"] == "busy").await;
    assert_eq!(phones.rung(), 1);
    hub.stop().await.unwrap();
}

/// 20 pumps were found worn before; the first of three more is the one that releases calls, and its correction takes that back.
#[tokio::test(flavor = "multi_thread")]
async fn verdicts_release_a_class_and_a_correction_takes_that_back() {
    let phones = owners_phones(PhoneAnswer::Busy, vec![]).await.unwrap();
    let lab = Lab::new().unwrap();
    let devices = ["wm-1", "wm-2", "wm-3"];
    lab.apply(&site(&phones, &devices).toml()).await.unwrap();
    let hub = lab.serve().await.unwrap();
    let console = Console::log_in(lab.http, "admin", &lab.password()).await.unwrap();
    found_worn_before(&lab, 20).await;
    has_a_quiet_past(&lab, "washing-machine").await.unwrap();
    let wears_out = async |device: &str| {
        let samples = past(11, 55, Some(FaultKind::DrainPumpWear), recent());
        send(&lab, device, 1, samples).await.unwrap();
    };
    wears_out("wm-1").await;
    let first = until_reason(&console, "wm-1", "ready_to_ring").await;
    let end = json!({ "resolution": "confirmed_deferred", "verdict": "right" });
    act(&console, &first, "close", end).await;

    wears_out("wm-2").await;
    attempt(&console, "a call that nobody approved", |a| a["state"] == "ended").await;
    let wrong = json!({ "resolution": "unreachable", "reason": "the wrong ticket" });
    act(&console, &first, "correction", wrong).await;
    wears_out("wm-3").await;
    let last = until_reason(&console, "wm-3", "ready_to_ring").await;
    let path = format!("/api/v1/tickets/{}", last["id"].as_str().unwrap());
    let release = console.get(&path).await.unwrap()["release"].clone();
    assert_eq!(
        (&release["right"], &release["judged"], &release["withheld"]),
        (&json!(20), &json!(20), &json!("too_few_verdicts"))
    );
    assert_eq!(console.all("/api/v1/contacts").await.unwrap().len(), 1);
    hub.stop().await.unwrap();
}

fn site(phones: &Phones, devices: &[&str]) -> TestSite {
    let device = |name: &&str| ((*name).to_owned(), "washing-machine".to_owned(), None);
    TestSite {
        trunk: Some(phones.local()),
        password: None,
        devices: devices.iter().map(device).collect(),
        consent: true,
        zone: daytime_zone(recent().to_zoned(TimeZone::UTC).hour()),
    }
}

/// So many closed tickets of such predictions, as the hub has counted them.
async fn found_worn_before(lab: &Lab, right: i64) {
    let cluster = Cluster::join_or_start(&lab.state(), ClusterOptions::default())
        .await
        .unwrap();
    assert!(cluster.is_joined(), "the hub does not run");
    let mut sql = PgConnection::connect_with(&cluster.connect_options()).await.unwrap();
    sqlx::query("insert into release_tally (tenant, model, fault_class, was_right) values ('acme', 'washing-machine/1', 'drain_pump_wear', $1)")
        .bind(right)
        .execute(&mut sql)
        .await
        .unwrap();
    sql.close().await.unwrap();
}
