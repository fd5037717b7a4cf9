//! Integrators read along: what they were granted, after it is stored, and what is retained.

use crate::access::READER;
use crate::client::{Raw, connect, frame, publish, subscribe};
use crate::memory::Mode;
use crate::{Door, eventually};

const ONE: &[u8] = br#"{"pump_current": 1.5}"#;

pub async fn reader(door: &Door) -> Raw {
    let mut reader = Raw::open(door.addr).await;
    reader.send(&connect(READER, "", "reader", 60)).await;
    assert_eq!(reader.packet().await, Some((0x20, vec![0, 0])));
    reader
}

/// First byte, topic and payload of a PUBLISH, acknowledged where that is awaited.
async fn receive(reader: &mut Raw) -> (u8, String, Vec<u8>) {
    let (first, body) = reader.packet().await.expect("a PUBLISH");
    assert_eq!(first & 0xF0, 0x30, "{first:#x}");
    let length = usize::from(u16::from_be_bytes([body[0], body[1]]));
    let topic = String::from_utf8(body[2..2 + length].to_vec()).unwrap();
    if first & 0x06 == 0 {
        return (first, topic, body[2 + length..].to_vec());
    }
    reader.send(&[0x40, 2, body[2 + length], body[3 + length]]).await;
    (first, topic, body[4 + length..].to_vec())
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
    let (_, topic, payload) = receive(&mut reader).await;
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
        let body = [
            &crate::client::string(&format!("d/{device}/s"))[..],
            &[0, 1],
            device.as_bytes(),
        ]
        .concat();
        raw.send(&frame(0x33, &body)).await;
        raw.expect_ack(1).await;
    }
    let mut globex = Raw::connected(door.addr, "globex", "washer").await;
    let body = [&crate::client::string("d/washer/s")[..], &[0, 1], b"other"].concat();
    globex.send(&frame(0x33, &body)).await;
    globex.expect_ack(1).await;
    let mut reader = reader(&door).await;
    reader.send(&subscribe(1, &["d/+/s"])).await;
    assert_eq!(reader.packet().await, Some((0x90, vec![0, 1, 1])));
    let mut states = Vec::new();
    for _ in 0..3 {
        let (first, topic, payload) = receive(&mut reader).await;
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
    eventually("its place is free", || door.closed("lost") == 1).await;
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    reader(&door).await.ping().await;
}
