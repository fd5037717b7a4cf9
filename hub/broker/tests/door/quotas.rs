//! Limits on how much, how often and how many.

use crate::client::{Raw, connect, connect_v5};
use crate::{Door, eventually};
use hub_core::id::ApplianceId;
use hub_core::quota::Pace;
use std::time::Instant;
use tests_mqtt::Version::{V4, V5};
use tests_mqtt::{publish, subscribe};

const ONE: &[u8] = br#"{"pump_current": 1.5}"#;

/// What a pace of one a second may have let through since then besides its burst.
fn more_since(start: Instant) -> usize {
    start.elapsed().as_secs() as usize + 1
}

#[tokio::test]
async fn over_the_rate_is_refused_and_others_go_on() {
    let door = Door::open_with(|c| c.device_messages = Pace::new(1, 10)).await;
    let start = Instant::now();
    let (mut fast, _) = Raw::connected_v5(door.addr, "acme", "washer", &[]).await;
    let mut calm = Raw::connected(door.addr, "acme", "dryer").await;
    for packet_id in 1..=20 {
        fast.send(&V5.publish(1, "d/washer/j", packet_id, ONE)).await;
    }
    let mut codes = Vec::new();
    for _ in 0..20 {
        let (first, body) = fast.packet().await.unwrap();
        assert_eq!(first, 0x40);
        codes.push(body.get(2).copied().unwrap_or(0));
    }
    assert_eq!(codes[..10], [0; 10], "the burst");
    let taken = codes.iter().filter(|code| **code == 0).count();
    assert!(taken < 20 && taken <= 10 + more_since(start), "{codes:?}");
    assert!(codes.iter().all(|code| [0, 0x97].contains(code)), "{codes:?}");
    fast.ping().await;
    calm.ping().await;
    assert!(door.broker.counters().refused_for("device_rate") >= 20 - taken as u64);
    // Nothing is gained by coming again; and what was dropped at QoS 0 is told.
    let mut again = Raw::connected(door.addr, "acme", "washer").await;
    for _ in 0..30 {
        again.send(&V4.publish(0, "d/washer/j", 0, ONE)).await;
    }
    again.ping().await;
    let more = (1..=30).map(|packet_id| publish("d/washer/j", packet_id, ONE));
    again.send(&more.collect::<Vec<_>>().concat()).await;
    let mut acknowledged = 0;
    // MQTT 3.1.1 has no other way to say it.
    while let Some((first, _)) = again.packet().await {
        assert_eq!(first, 0x40);
        acknowledged += 1;
    }
    assert!(acknowledged <= more_since(start), "{acknowledged}");
    assert!(door.closed("quota") >= 1);
    let dropped = || door.store.appliance(ApplianceId(1)).dropped;
    eventually("drops are told", || dropped() + more_since(start) as i64 >= 30).await;
}

#[tokio::test]
async fn subscriptions_cost_like_publishes() {
    let door = Door::open_with(|c| c.device_messages = Pace::new(1, 40)).await;
    let start = Instant::now();
    let mut reader = Raw::open(door.addr).await;
    reader.send(&connect(crate::store::READER, "", "reader", 60)).await;
    assert_eq!(reader.packet().await, Some((0x20, vec![0, 0])));
    for packet_id in 1..=200 {
        reader.send(&subscribe(packet_id, &["d/+/s"])).await;
    }
    let mut granted = 0;
    while let Some((first, _)) = reader.packet().await {
        assert_eq!(first, 0x90);
        granted += 1;
    }
    assert!((40..=40 + more_since(start)).contains(&granted), "{granted}");
    assert_eq!(door.closed("quota"), 1);
}

/// As a client does that has stored what it could not send: all of it at once, and again what is not acknowledged.
#[tokio::test]
async fn a_backlog_beyond_the_bound_gets_through_over_some_connections() {
    let door = Door::open().await;
    let mut backlog: Vec<u16> = (1..=500).collect();
    let mut connections = 0;
    while !backlog.is_empty() {
        connections += 1;
        assert!(connections <= 20, "{} are left", backlog.len());
        let mut device = Raw::connected(door.addr, "acme", "washer").await;
        let all = backlog.iter().map(|packet_id| {
            let reading = format!(r#"{{"pump_current": {packet_id}e-3}}"#);
            publish("d/washer/j", *packet_id, reading.as_bytes())
        });
        device.send(&all.collect::<Vec<_>>().concat()).await;
        let before = backlog.len();
        while !backlog.is_empty() {
            let Some((first, body)) = device.packet().await else {
                break;
            };
            assert_eq!(first, 0x40);
            assert_eq!(body, backlog.remove(0).to_be_bytes(), "in order");
        }
        assert!(
            backlog.is_empty() || before - backlog.len() >= 128,
            "{} are left",
            backlog.len()
        );
    }
    assert_eq!(door.store.samples().len(), 500, "each once");
}

#[tokio::test]
async fn a_storm_of_connects_under_one_name_lets_in_few() {
    let door = Door::open_with(|c| c.identity_connects = Pace::new(1, 5)).await;
    let start = Instant::now();
    let mut honest = Raw::connected(door.addr, "acme", "dryer").await;
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..100 {
        let mut raw = Raw::open(door.addr).await;
        raw.send(&connect_v5("acme/washer", "secret-of-washer", &[], true))
            .await;
        match raw.packet().await.unwrap().1[1] {
            0 => taken += 1,
            0x9F => refused += 1,
            other => panic!("{other:#x}"),
        }
    }
    assert!((5..=5 + more_since(start)).contains(&taken), "{taken}");
    assert_eq!(taken + refused, 100);
    assert_eq!(door.broker.counters().refused_for("connect_rate"), refused as u64);
    honest.ping().await;
    // The first of these may come a second after the last.
    let mut codes = Vec::new();
    for _ in 0..10 {
        let mut old = Raw::open(door.addr).await;
        old.send(&connect("acme/washer", "secret-of-washer", "x", 60)).await;
        codes.push(old.packet().await);
    }
    assert!(codes.contains(&Some((0x20, vec![0, 3]))), "{codes:?}");
}

#[tokio::test]
async fn a_tenant_has_so_many_connections() {
    let door = Door::open_with(|c| c.connections_per_tenant_max = 2).await;
    let first = Raw::connected(door.addr, "acme", "washer").await;
    let _second = Raw::connected(door.addr, "acme", "dryer").await;
    let mut third = Raw::open(door.addr).await;
    third.send(&connect("acme/bad", "secret-of-bad", "x", 60)).await;
    assert_eq!(third.packet().await, Some((0x20, vec![0, 3])));
    Raw::connected(door.addr, "globex", "washer").await.ping().await;
    drop(first);
    eventually("the place is free", || door.connections() == 1).await;
    assert!(door.closed("lost") >= 1);
    Raw::connected(door.addr, "acme", "bad").await.ping().await;
}

#[tokio::test]
async fn log_ins_are_asked_together() {
    let door = Door::open_with(|c| c.identity_connects = Pace::new(1_000, 10_000)).await;
    let mut waiting = Vec::new();
    for _ in 0..300 {
        let mut raw = Raw::open(door.addr).await;
        raw.send(&connect("acme/washer", "wrong", "x", 60)).await;
        waiting.push(raw);
    }
    for raw in &mut waiting {
        assert_eq!(raw.packet().await, Some((0x20, vec![0, 5])));
    }
    let (batches, largest) = door
        .store
        .with(|s| (s.identified.len(), s.identified.iter().copied().max()));
    assert!(
        batches < 300 && largest > Some(1),
        "{batches} batches, the largest {largest:?}"
    );
    assert_eq!(door.closed("refused"), 300);
}

#[tokio::test]
async fn one_address_cannot_take_all_places_of_the_not_yet_let_in() {
    let door = Door::open_with(|c| c.greetings_per_address_max = 10).await;
    let mut honest = Raw::connected(door.addr, "acme", "washer").await;
    let mut silent = Vec::new();
    for _ in 0..30 {
        silent.push(Raw::open(door.addr).await);
    }
    eventually("refused", || door.closed("greetings") == 20).await;
    honest.ping().await;
    drop(silent);
    eventually("places are free", || door.closed("handshake_lost") >= 10).await;
    Raw::connected(door.addr, "acme", "dryer").await.ping().await;
}

#[tokio::test]
async fn figures_for_monitoring() {
    let door = Door::open().await;
    let mut device = Raw::connected(door.addr, "acme", "washer").await;
    device.send(&publish("d/washer/j", 1, ONE)).await;
    device.expect_ack(1).await;
    let metrics = door.broker.metrics()();
    let find = |name: &str, label: Option<&str>| {
        let metric = metrics.iter().find(|m| m.name == name).expect("the figure exists");
        let is = |s: &&hub_core::metric::MetricSample| {
            label.is_none_or(|label| s.labels.iter().any(|(_, value)| value == label))
        };
        metric.samples.iter().find(is).expect("the value exists").value.clone()
    };
    let number = hub_core::metric::MetricValue::Number;
    assert_eq!(find("mqtt_connections", None), number(1.0));
    assert_eq!(find("mqtt_connections_by_transport", Some("tcp")), number(1.0));
    assert_eq!(find("mqtt_acknowledged_total", None), number(1.0));
    assert_eq!(find("mqtt_tenant_messages_total", Some("acme")), number(1.0));
    assert_eq!(find("mqtt_tenant_connections", Some("acme")), number(1.0));
}
