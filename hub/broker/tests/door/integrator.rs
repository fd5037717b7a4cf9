//! Integrators read along: what they were granted, after it is stored, and what is retained.

use crate::client::{Raw, connect, connect_v5};
use crate::store::Mode;
use crate::store::READER;
use crate::{Door, eventually};
use std::time::Duration;
use tests_mqtt::{Version, acknowledge, frame, publish, subscribe, text};

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

/// A PUBLISH of version 5 at QoS 1.
fn publish_v5(topic: &str, packet_id: u16, properties: &[u8], payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(properties.len()).unwrap();
    let body = [
        &text(topic)[..],
        &packet_id.to_be_bytes(),
        &[length],
        properties,
        payload,
    ]
    .concat();
    frame(0x32, &body)
}

/// Properties and payload of the next packet, which is a PUBLISH of version 5 at QoS 1 on `topic`.
async fn receive_v5(reader: &mut Raw, topic: &str) -> (Vec<u8>, Vec<u8>) {
    let (first, body) = reader.packet().await.expect("a PUBLISH");
    assert_eq!(first & 0xF6, 0x32);
    let rest = body.strip_prefix(&text(topic)[..]).expect("on this topic");
    let (packet_id, rest) = rest.split_first_chunk().expect("a packet identifier");
    reader.send(&acknowledge(u16::from_be_bytes(*packet_id))).await;
    let (length, rest) = rest.split_first().expect("properties");
    let (properties, payload) = rest.split_at(usize::from(*length));
    (properties.to_vec(), payload.to_vec())
}

/// User properties around all others that go on.
const PASSED_ON: &[u8] = b"\x26\0\x01b\0\x011\x01\x01\x03\0\x04json\x08\0\x01r\x09\0\x01c\x26\0\x01a\0\x012";

async fn reader_v5(door: &Door, filter: &str) -> Raw {
    let mut reader = Raw::open(door.addr).await;
    reader.send(&connect_v5(READER, "", b"", true)).await;
    let (first, body) = reader.packet().await.unwrap();
    assert_eq!((first, body[1]), (0x20, 0));
    reader.send(&Version::V5.subscribe(1, &[filter])).await;
    assert_eq!(reader.packet().await, Some((0x90, vec![0, 1, 0, 1])));
    reader
}

#[tokio::test]
async fn properties_reach_version_5_whoever_publishes_and_are_kept_from_3_1_1() {
    let door = Door::open().await;
    let mut new = reader_v5(&door, "d/+/j").await;
    let mut old = reader(&door).await;
    old.send(&subscribe(1, &["d/+/j"])).await;
    assert_eq!(old.packet().await, Some((0x90, vec![0, 1, 1])));
    let (mut washer, _) = Raw::connected_v5(door.addr, "acme", "washer", b"").await;
    let mut dryer = Raw::connected(door.addr, "acme", "dryer").await;
    eventually("both are subscribed", || {
        let metrics = door.broker.metrics()();
        let figure = metrics.iter().find(|m| m.name == "mqtt_router_subscribers").unwrap();
        figure.samples[0].value == hub_core::metric::MetricValue::Number(2.0)
    })
    .await;
    // The alias is between the device and the hub; the hub's own expiry has begun.
    let properties = [&b"\x23\0\x01"[..], PASSED_ON, b"\x02\0\0\x0E\x10"].concat();
    washer.send(&publish_v5("d/washer/j", 1, &properties, ONE)).await;
    washer.expect_ack(1).await;
    let (got, payload) = receive_v5(&mut new, "d/washer/j").await;
    assert_eq!(payload, ONE);
    let (expiry, others) = got.split_at(5);
    assert_eq!(others, PASSED_ON);
    assert_eq!(expiry[0], 2);
    let left = u32::from_be_bytes(expiry[1..].try_into().unwrap());
    assert!(left <= 3_600 && left + 60 > 3_600, "{left} s");
    assert_eq!(old.receive().await.2, ONE);
    // By its alias alone.
    let two = br#"{"pump_current": 2.5}"#;
    washer.send(&publish_v5("", 2, b"\x23\0\x01\x01\x01", two)).await;
    washer.expect_ack(2).await;
    assert_eq!(
        receive_v5(&mut new, "d/washer/j").await,
        (b"\x01\x01".to_vec(), two.to_vec())
    );
    assert_eq!(old.receive().await.2, two);
    dryer.send(&publish("d/dryer/j", 1, ONE)).await;
    dryer.expect_ack(1).await;
    assert_eq!(receive_v5(&mut new, "d/dryer/j").await, (Vec::new(), ONE.to_vec()));
    assert_eq!(old.receive().await.2, ONE);
    old.ping().await;
    new.ping().await;
}

#[tokio::test]
async fn what_has_run_out_before_it_could_be_sent_is_not_sent() {
    let door = Door::open().await;
    let mut reader = reader_v5(&door, "d/+/j").await;
    let (mut washer, _) = Raw::connected_v5(door.addr, "acme", "washer", b"").await;
    subscribed(&door).await;
    let an_hour = &b"\x02\0\0\x0E\x10"[..];
    let reading = |n: u16| format!(r#"{{"pump_current": 1.{n:02}}}"#).into_bytes();
    // The reader acknowledges nothing yet, so its window is full.
    let mut unacknowledged = Vec::new();
    for n in 1..=16 {
        washer.send(&publish_v5("d/washer/j", n, an_hour, &reading(n))).await;
        washer.expect_ack(n).await;
        let (_, body) = reader.packet().await.expect("a PUBLISH");
        let at = text("d/washer/j").len();
        unacknowledged.push(u16::from_be_bytes(body[at..at + 2].try_into().unwrap()));
    }
    for (n, expiry) in [(17, &b"\x02\0\0\0\x01"[..]), (18, an_hour)] {
        washer.send(&publish_v5("d/washer/j", n, expiry, &reading(n))).await;
        washer.expect_ack(n).await;
    }
    // Time itself is what this is about: the first of the two is of no use any more, and the other has lost as much.
    tokio::time::sleep(Duration::from_millis(2_200)).await;
    for packet_id in unacknowledged {
        reader.send(&acknowledge(packet_id)).await;
    }
    let (properties, payload) = receive_v5(&mut reader, "d/washer/j").await;
    assert_eq!(payload, reading(18));
    let left = u32::from_be_bytes(properties[1..5].try_into().unwrap());
    assert!((3_540..=3_598).contains(&left), "{left} s");
    assert_eq!(door.broker.counters().refused_for("expired"), 1);
    reader.ping().await;
}

/// A washer with a will, connected.
async fn with_will(door: &Door) -> Raw {
    let will = [
        &[u8::try_from(PASSED_ON.len()).unwrap()][..],
        PASSED_ON,
        &text("d/washer/s"),
        &text("gone"),
    ]
    .concat();
    let body = [
        &text("MQTT")[..],
        // Version 5; user name, password, will at QoS 1, clean start; a minute; no properties, no client identifier.
        &[5, 0b1100_1110, 0, 60, 0, 0, 0],
        &will,
        &text("acme/washer"),
        &text("secret-of-washer"),
    ]
    .concat();
    let mut washer = Raw::open(door.addr).await;
    washer.send(&frame(0x10, &body)).await;
    let (first, body) = washer.packet().await.unwrap();
    assert_eq!((first, body[1]), (0x20, 0));
    washer
}

#[tokio::test]
async fn the_properties_of_a_will_go_with_it() {
    let door = Door::open().await;
    let mut reader = reader_v5(&door, "d/+/s").await;
    subscribed(&door).await;
    drop(with_will(&door).await);
    assert_eq!(
        receive_v5(&mut reader, "d/washer/s").await,
        (PASSED_ON.to_vec(), b"gone".to_vec())
    );
}

/// Who hears of it and subscribes finds it retained.
#[tokio::test]
async fn a_will_is_told_once_it_is_stored() {
    let door = Door::open().await;
    let mut reader = reader_v5(&door, "d/+/s").await;
    subscribed(&door).await;
    let washer = with_will(&door).await;
    let asked = door.store.with(|stored| stored.ingest_asked);
    door.store.set(Mode::Hold);
    drop(washer);
    eventually("the will is on its way", || {
        door.store.with(|stored| stored.ingest_asked) > asked
    })
    .await;
    // Long enough for what is told too early to arrive.
    tokio::time::sleep(Duration::from_millis(100)).await;
    reader.ping().await;
    door.store.set(Mode::Commit);
    let (_, payload) = receive_v5(&mut reader, "d/washer/s").await;
    assert_eq!(payload, b"gone");
}

/// A device that comes back on another connection while its old one is still open says so behind its will.
#[tokio::test]
async fn a_will_is_told_before_what_its_device_says_next() {
    let door = Door::open().await;
    let mut reader = reader_v5(&door, "d/+/s").await;
    subscribed(&door).await;
    let old = with_will(&door).await;
    let mut new = Raw::connected(door.addr, "acme", "washer").await;
    new.send(&publish("d/washer/s", 1, b"back")).await;
    for expected in [&b"gone"[..], b"back"] {
        assert_eq!(receive_v5(&mut reader, "d/washer/s").await.1, expected);
    }
    drop(old);
}
