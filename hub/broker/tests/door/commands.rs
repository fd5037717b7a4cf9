//! Commands down, replies up.

use crate::Door;
use crate::client::{Honest, Raw};
use hub_core::clock::CivilClock;
use hub_core::id::ApplianceId;
use hub_store::telemetry::{Command, TelemetryStore};
use jiff::SignedDuration;
use rumqttc::QoS;
use tests_mqtt::{publish, subscribe};

const WASHER: ApplianceId = ApplianceId(1);

impl Door {
    pub async fn command(&self, request: &str, minutes: i64) {
        self.command_of(request, &format!(r#"{{"do":"{request}"}}"#), minutes)
            .await;
    }

    /// The same with this body.
    pub async fn command_of(&self, request: &str, body: &str, minutes: i64) {
        let now = self.clock.now();
        let command = Command {
            number: 0,
            sent: false,
            takes_cbor: false,
            request: request.into(),
            body: body.into(),
            expires_at: now + SignedDuration::from_mins(minutes),
        };
        self.store.queue_command(WASHER, &command, now).await.unwrap();
    }
}

#[tokio::test]
async fn a_command_is_sent_answered_and_not_sent_again() {
    let door = Door::open().await;
    door.command("early", 5).await;
    door.command("expired", -1).await;
    let mut device = Honest::connected(door.addr, "acme", "washer").await;
    device.client.subscribe("d/washer/c/+", QoS::AtLeastOnce).await.unwrap();
    let early = device.receive().await;
    assert_eq!(
        (early.topic.as_str(), &early.payload[..]),
        ("d/washer/c/early", &br#"{"do":"early"}"#[..])
    );
    assert_eq!(early.qos, QoS::AtLeastOnce);
    device.publish("d/washer/r/early".into(), "done".into()).await;
    door.command("late", 5).await;
    assert_eq!(
        device.receive().await.topic,
        "d/washer/c/late",
        "neither the expired one nor the first again"
    );
    let replies = door.store.with(|s| s.replies.clone());
    assert_eq!(replies, [(WASHER, "early".into(), b"done".to_vec())]);
}

#[tokio::test]
async fn an_unanswered_command_comes_again_after_a_reconnect() {
    let door = Door::open().await;
    for _ in 0..2 {
        let mut device = Raw::connected(door.addr, "acme", "washer").await;
        door.command("once", 5).await;
        device.send(&subscribe(1, &["d/washer/c/+"])).await;
        assert_eq!(device.packet().await.unwrap().0, 0x90);
        let (first, body) = device.packet().await.unwrap();
        assert_eq!((first, &body[2..16]), (0x32, &b"d/washer/c/once"[..14]));
        device.ping().await;
    }
    let mut device = Raw::connected(door.addr, "acme", "washer").await;
    device.send(&publish("d/washer/r/once", 3, b"ok")).await;
    device.expect_ack(3).await;
    device.send(&subscribe(1, &["d/washer/c/+"])).await;
    assert_eq!(device.packet().await.unwrap().0, 0x90);
    door.command("next", 5).await;
    let (_, body) = device.packet().await.unwrap();
    assert!(
        body.starts_with(b"\0\x0Fd/washer/c/next"),
        "the answered one does not come again"
    );
}

#[tokio::test]
async fn more_commands_than_the_window_all_arrive_once() {
    let door = Door::open().await;
    for n in 0..32 {
        door.command(&format!("c{n}"), 5).await;
    }
    let mut device = Honest::connected(door.addr, "acme", "washer").await;
    device.client.subscribe("d/washer/c/+", QoS::AtLeastOnce).await.unwrap();
    for n in 0..32 {
        assert_eq!(device.receive().await.topic, format!("d/washer/c/c{n}"));
    }
}
