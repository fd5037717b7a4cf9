//! ThingsBoard's device topics, provisioning, secrets that devices make, and the owner's code.

use crate::Door;
use crate::client::{Raw, connect};
use crate::store::{CLAIM, Gate};
use hub_core::clock::CivilClock;
use hub_core::id::ApplianceId;
use serde_json::{Value, json};
use std::sync::LazyLock;
use tests_mqtt::{publish, subscribe};

const WASHER: ApplianceId = ApplianceId(1);
/// Secrets that devices make.
static MADE: LazyLock<String> = LazyLock::new(|| "0123456789abcdef".repeat(4));
static MADE_BY_ANOTHER: LazyLock<String> = LazyLock::new(|| "fedcba9876543210".repeat(4));

/// Topic and payload of a PUBLISH at QoS 1 from the hub, acknowledged.
async fn receive(device: &mut Raw) -> (String, Value) {
    let (first, topic, payload) = device.receive().await;
    assert_eq!(first & 0xF6, 0x32, "{first:#x}");
    (topic, serde_json::from_slice(&payload).unwrap())
}

/// The washer of acme.
async fn connected(door: &Door) -> Raw {
    door.store.give_token(WASHER, "token-of-washer");
    connected_by(door, "token-of-washer").await
}

async fn connected_by(door: &Door, token: &str) -> Raw {
    let mut device = Raw::open(door.addr).await;
    device.send(&connect(token, "", "", 60)).await;
    assert_eq!(device.packet().await, Some((0x20, vec![0, 0])));
    let filters = [
        "v1/devices/me/attributes",
        "v1/devices/me/attributes/response/+",
        "v1/devices/me/rpc/request/+",
        "v1/devices/me/rpc/response/+",
    ];
    device.send(&subscribe(1, &filters)).await;
    assert_eq!(device.packet().await, Some((0x90, vec![0, 1, 1, 1, 1, 1])));
    device
}

#[tokio::test]
async fn telemetry_attributes_and_questions() {
    let door = Door::open().await;
    let mut device = connected(&door).await;
    device
        .send(&publish("v1/devices/me/telemetry", 2, br#"{"pump_current": 1.5}"#))
        .await;
    device.expect_ack(2).await;
    assert_eq!(door.store.samples()[0].0, WASHER);
    device
        .send(&publish(
            "v1/devices/me/attributes",
            3,
            br#"{"firmware": "1.2", "floor": 3}"#,
        ))
        .await;
    device.expect_ack(3).await;
    door.store.tell(WASHER, "interval", json!(30));
    let (topic, told) = receive(&mut device).await;
    assert_eq!(
        (topic.as_str(), told),
        ("v1/devices/me/attributes", json!({"interval": 30}))
    );
    let question = br#"{"clientKeys":"firmware,none","sharedKeys":"interval"}"#;
    device
        .send(&publish("v1/devices/me/attributes/request/7", 4, question))
        .await;
    let (topic, answer) = receive(&mut device).await;
    assert_eq!(topic, "v1/devices/me/attributes/response/7");
    assert_eq!(
        answer,
        json!({"client": {"firmware": "1.2"}, "shared": {"interval": 30}})
    );
    device.expect_ack(4).await;
    for (number, method) in [(1, "getCurrentTime"), (2, "getSessionLimits"), (3, "makeCoffee")] {
        let body = json!({"method": method, "params": {}}).to_string();
        let topic = format!("v1/devices/me/rpc/request/{number}");
        device.send(&publish(&topic, 10 + number, body.as_bytes())).await;
        let (topic, answer) = receive(&mut device).await;
        assert_eq!(topic, format!("v1/devices/me/rpc/response/{number}"));
        match method {
            "getCurrentTime" => assert_eq!(answer, json!({"time": door.clock.now().as_millisecond()})),
            "getSessionLimits" => assert_eq!(answer["maxInflightMessages"], 128),
            _ => assert!(answer["error"].is_string()),
        }
        device.expect_ack(10 + number).await;
    }
}

#[tokio::test]
async fn commands_are_calls_and_their_answers_replies() {
    let door = Door::open().await;
    let mut device = connected(&door).await;
    door.command("42", 5).await;
    let (topic, call) = receive(&mut device).await;
    assert_eq!(
        (topic.as_str(), call),
        ("v1/devices/me/rpc/request/42", json!({"do": "42"}))
    );
    device
        .send(&publish("v1/devices/me/rpc/response/42", 5, br#"{"ok":true}"#))
        .await;
    device.expect_ack(5).await;
    let replies = door.store.with(|s| s.replies.clone());
    assert_eq!(replies, [(WASHER, "42".into(), br#"{"ok":true}"#.to_vec())]);
}

#[tokio::test]
async fn an_owner_opens_a_claim_on_the_device() {
    let door = Door::open().await;
    let mut device = connected(&door).await;
    let claim = br#"{"secretKey":"blue-42","durationMs":60000}"#;
    device.send(&publish("v1/devices/me/claim", 5, claim)).await;
    device.expect_ack(5).await;
    let claims = door.store.with(|s| s.claims.clone());
    let until = door.clock.now() + jiff::SignedDuration::from_secs(60);
    assert_eq!(claims, [(WASHER, "blue-42".into(), until)]);
}

#[tokio::test]
async fn a_claim_credential_gets_a_credential_and_nothing_else() {
    let door = Door::open().await;
    let mut device = Raw::open(door.addr).await;
    device.send(&connect(CLAIM, "", "", 60)).await;
    assert_eq!(device.packet().await, Some((0x20, vec![0, 0])));
    device.send(&subscribe(1, &["p/n1/r", "d/washer/c/+", "p/n2/r"])).await;
    assert_eq!(device.packet().await, Some((0x90, vec![0, 1, 1, 0x80, 0x80])));
    device.send(&publish("p/n1/q", 2, br#"{"device":"wm-77"}"#)).await;
    let (topic, answer) = receive(&mut device).await;
    assert_eq!(
        (topic.as_str(), &answer),
        ("p/n1/r", &json!({"status": "ok", "secret": answer["secret"]}))
    );
    device.expect_ack(2).await;
    let given = answer["secret"].as_str().unwrap();
    let mut new = Raw::open(door.addr).await;
    new.send(&connect("acme/wm-77", given, "", 60)).await;
    assert_eq!(new.packet().await, Some((0x20, vec![0, 0])), "it comes in with it");
    device.send(&publish("p/n1/q", 3, br#"{"device":"washer"}"#)).await;
    let (_, answer) = receive(&mut device).await;
    assert_eq!(answer["status"], "refused");
    device.expect_ack(3).await;
    for (packet_id, body) in [
        (5, &b"nonsense"[..]),
        (6, br#"{"device":"a/b"}"#),
        (7, br#"{"device":"x","csr":"y"}"#),
    ] {
        device.send(&publish("p/n1/q", packet_id, body)).await;
        let (_, answer) = receive(&mut device).await;
        assert_eq!(answer["status"], "refused");
        assert!(answer["reason"].as_str().is_some_and(|reason| !reason.is_empty()));
        device.expect_ack(packet_id).await;
    }
    device.send(&publish("d/washer/j", 4, b"{}")).await;
    device.expect_closed("a claim credential publishes no readings").await;
    assert_eq!(door.closed("foreign_topic"), 1);
}

/// What a claimant is answered on a connection of its own.
async fn claimed(door: &Door, body: &str) -> Value {
    let mut device = Raw::open(door.addr).await;
    device.send(&connect(CLAIM, "", "", 60)).await;
    assert_eq!(device.packet().await, Some((0x20, vec![0, 0])));
    device.send(&subscribe(1, &["p/1/r"])).await;
    assert_eq!(device.packet().await, Some((0x90, vec![0, 1, 1])));
    device.send(&publish("p/1/q", 2, body.as_bytes())).await;
    receive(&mut device).await.1
}

/// As after an answer that was lost: another connection, the same words. The secret is not said again.
#[tokio::test]
async fn a_claimant_that_asks_again_with_the_secret_it_made_is_answered_again() {
    let door = Door::open().await;
    let asks = |device: &str, secret: &str| json!({"device": device, "secret": secret}).to_string();
    for round in 0..3 {
        let told = claimed(&door, &asks("wm-77", &MADE)).await;
        assert_eq!(told, json!({"status": "ok"}), "round {round}");
    }
    assert_eq!(door.store.claim_uses(), 1);
    for (device, secret) in [("wm-77", &MADE_BY_ANOTHER), ("washer", &MADE)] {
        let told = claimed(&door, &asks(device, secret)).await;
        assert_eq!(told["status"], "refused", "{device}");
    }
    let both = json!({"device": "wm-78", "secret": *MADE, "csr": "-----BEGIN"}).to_string();
    let told = claimed(&door, &both).await;
    assert_eq!(told["status"], "refused");
    assert!(
        told["reason"]
            .as_str()
            .is_some_and(|reason| reason.contains("not for both"))
    );
    assert_eq!(door.store.claim_uses(), 1);
}

#[tokio::test]
async fn a_device_gives_itself_a_secret_and_ends_the_one_before() {
    let door = Door::open().await;
    let mut device = connected_by(&door, "secret-of-dryer").await;
    // Who ends a secret is cut, as everyone is who may have come in by it: here not before it has its answers.
    door.store.shut(&[Gate::Changes]);
    let new = || json!({"secret": *MADE});
    let asked = [
        (1, "endOldSecret", new(), "refused"),
        (2, "proposeSecret", json!({}), "refused"),
        (3, "proposeSecret", json!({"secret": 7}), "refused"),
        (4, "endOldSecret", json!([*MADE]), "refused"),
        (5, "proposeSecret", new(), "ok"),
        (6, "endOldSecret", new(), "ok"),
    ];
    for (number, method, params, status) in asked {
        let body = json!({"method": method, "params": params}).to_string();
        let topic = format!("v1/devices/me/rpc/request/{number}");
        device.send(&publish(&topic, 10 + number, body.as_bytes())).await;
        let (topic, answer) = receive(&mut device).await;
        assert_eq!(topic, format!("v1/devices/me/rpc/response/{number}"));
        assert_eq!(answer["status"], status, "{number}: {answer}");
        device.expect_ack(10 + number).await;
    }
    // Without parameters, as the device's other questions are asked.
    device
        .send(&publish(
            "v1/devices/me/rpc/request/7",
            17,
            br#"{"method":"proposeSecret"}"#,
        ))
        .await;
    assert_eq!(receive(&mut device).await.1["status"], "refused");
    device.expect_ack(17).await;
    door.store.shut(&[]);
    device.expect_closed("its old secret has ended").await;
    for (token, code) in [("secret-of-dryer", 5), (MADE.as_str(), 0)] {
        let mut again = Raw::open(door.addr).await;
        again.send(&connect(token, "", "", 60)).await;
        assert_eq!(again.packet().await, Some((0x20, vec![0, code])), "{token}");
    }
}
