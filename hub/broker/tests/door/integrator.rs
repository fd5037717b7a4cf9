//! Integrators read along: what they were granted, after it is stored, and what is retained.

use crate::access::READER;
use crate::client::{Raw, connect};
use crate::memory::Mode;
use crate::{Door, eventually};
use tests_mqtt::{frame, publish, subscribe, text};

const ONE: &[u8] = br#"{"pump_current": 1.5}"#;

pub async fn reader(door: &Door) -> Raw {
    let mut reader = Raw::open(door.addr).await;
    reader.send(&connect(READER, "", "reader", 60)).await;
    assert_eq!(reader.packet().await, Some((0x20, vec![0, 0])));
    reader
}

/// The subscription reaches the router a moment after SUBACK.
pub async fn subscribed(door: &Door) {
    eventually("subscribed", || {
        let metrics = door.broker.metrics()();
        let figure = metrics.iter().find(|m| m.name == "mqtt_router_subscribers").unwrap();
        figure.samples[0].value == hub_core::metric::MetricValue::Number(1.0)
    })
    .await;
}

#[tokio::test]
async fn what_is_stored_is_passed_on_within_the_tenant() {
    let door = Door::open().await;
    let mut reader = reader(&door).await;
    reader.send(&subscribe(1, &["d/+/j", "#", "x/+"])).await;
    assert_eq!(reader.packet().await, Some((0x90, vec![0, 1, 1, 0x80, 0x80])));
    let mut acme = Raw::connected(door.addr, "acme", "washer").await;
    let mut globex = Raw::connected(door.addr, "globex", "washer").await;
    subscribed(&door).await;
    door.store.set(Mode::Hold);
    globex.send(&publish("d/washer/j", 1, br#"{"other": 1}"#)).await;
    acme.send(&publish("d/washer/j", 1, ONE)).await;
    acme.ping().await;
    reader.ping().await;
    door.store.set(Mode::Commit);
    let (_, topic, payload) = reader.receive().await;
    assert_eq!((topic.as_str(), &payload[..]), ("d/washer/j", ONE));
    acme.expect_ack(1).await;
    globex.expect_ack(1).await;
    reader.ping().await;
    reader.send(&publish("d/washer/c/1", 9, b"x")).await;
    reader.expect_closed("an integrator only reads").await;
    assert_eq!(door.closed("read_only"), 1);
}

#[tokio::test]
async fn retained_states_come_with_the_subscription() {
    let door = Door::open().await;
    for device in ["washer", "dryer", "bad"] {
        let mut raw = Raw::connected(door.addr, "acme", device).await;
        let body = [&text(&format!("d/{device}/s"))[..], &[0, 1], device.as_bytes()].concat();
        raw.send(&frame(0x33, &body)).await;
        raw.expect_ack(1).await;
    }
    let mut globex = Raw::connected(door.addr, "globex", "washer").await;
    let body = [&text("d/washer/s")[..], &[0, 1], b"other"].concat();
    globex.send(&frame(0x33, &body)).await;
    globex.expect_ack(1).await;
    let mut reader = reader(&door).await;
    reader.send(&subscribe(1, &["d/+/s"])).await;
    assert_eq!(reader.packet().await, Some((0x90, vec![0, 1, 1])));
    let mut states = Vec::new();
    for _ in 0..3 {
        let (first, topic, payload) = reader.receive().await;
        assert_eq!(first & 1, 1, "with the retain flag");
        states.push((topic, String::from_utf8(payload).unwrap()));
    }
    states.sort();
    let expected = ["bad", "dryer", "washer"].map(|d| (format!("d/{d}/s"), d.to_owned()));
    assert_eq!(states, expected);
    reader.ping().await;
}

#[tokio::test]
async fn programs_of_one_integrator_live_side_by_side_up_to_a_bound() {
    let door = Door::open().await;
    let mut programs = Vec::new();
    for _ in 0..16 {
        programs.push(reader(&door).await);
    }
    let mut more = Raw::open(door.addr).await;
    more.send(&connect(READER, "", "reader", 60)).await;
    assert_eq!(more.packet().await, Some((0x20, vec![0, 3])));
    for program in &mut programs {
        program.ping().await;
    }
    drop(programs.pop());
    eventually("its place is free", || door.connections() == 15).await;
    assert_eq!(door.closed("lost"), 1);
    reader(&door).await.ping().await;
}
