//! Clients that mean harm, or know no better: each is refused for a reason that is counted, and honest ones go on.

use crate::client::{Raw, connect};
use crate::store::Mode;
use crate::{Door, eventually};
use hub_core::id::ApplianceId;
use hub_core::quota::Pace;
use std::time::Duration;
use tests_mqtt::{frame, publish, subscribe, text};

const ONE: &[u8] = br#"{"pump_current": 1.5}"#;

#[tokio::test]
async fn refused_log_ins_are_told_why() {
    let door = Door::open().await;
    let addr = door.addr;
    let first = |bytes: Vec<u8>| async move {
        let mut raw = Raw::open(addr).await;
        raw.send(&bytes).await;
        let packet = raw.packet().await;
        raw.expect_closed("after the refusal").await;
        packet
    };
    let code = |code| Some((0x20, vec![0, code]));
    assert_eq!(first(connect("acme/washer", "wrong", "x", 60)).await, code(5));
    assert_eq!(
        first(connect("globex/dryer", "secret-of-dryer", "x", 60)).await,
        code(5),
        "another tenant's device"
    );
    assert_eq!(first(connect("TOKEN-unknown", "", "x", 60)).await, code(5));
    assert_eq!(first(connect("a/b/c", "secret", "x", 60)).await, code(4));
    assert_eq!(
        first(frame(0x10, b"\0\x04MQTT\x04\x02\0\x3C\0\x01x")).await,
        code(4),
        "no user name"
    );
    assert_eq!(
        first(frame(0x10, b"\0\x04MQTT\x06\x02\0\x3C\0\0\x01x")).await,
        Some((0x20, vec![0, 0x84, 0])),
        "a version that does not exist, answered as 5.0 has it"
    );
    assert_eq!(
        first(frame(0x10, b"\0\x06MQIsdp\x03\x02\0\x3C\0\x01x")).await,
        code(1),
        "MQTT 3.1"
    );
    door.store.set(Mode::Fail);
    assert_eq!(
        first(connect("acme/washer", "secret-of-washer", "x", 60)).await,
        code(3),
        "store away"
    );
}

#[tokio::test]
async fn an_access_token_is_enough() {
    let door = Door::open().await;
    door.store.give_token(ApplianceId(2), "token-of-globex");
    let mut device = Raw::open(door.addr).await;
    device.send(&connect("token-of-globex", "", "any", 0)).await;
    assert_eq!(
        device.packet().await,
        Some((0x20, vec![0, 0])),
        "keepalive 0 is taken too"
    );
    device.send(&publish("d/washer/j", 1, ONE)).await;
    device.expect_ack(1).await;
    assert_eq!(
        door.store.samples()[0].0,
        ApplianceId(2),
        "the tenant comes from the credential"
    );
}

#[tokio::test]
async fn the_same_client_id_and_device_name_in_two_tenants_do_not_meet() {
    let door = Door::open().await;
    let mut acme = Raw::connected(door.addr, "acme", "washer").await;
    let mut globex = Raw::connected(door.addr, "globex", "washer").await;
    acme.send(&publish("d/washer/j", 1, ONE)).await;
    globex.send(&publish("d/washer/j", 1, ONE)).await;
    acme.expect_ack(1).await;
    globex.expect_ack(1).await;
    let mut owners = door.store.samples().iter().map(|(a, _)| a.0).collect::<Vec<_>>();
    owners.sort_unstable();
    assert_eq!(owners, [1, 2]);
    assert_eq!(door.closed("taken_over"), 0);
}

#[tokio::test]
async fn the_same_device_takes_over() {
    let door = Door::open().await;
    let mut first = Raw::connected(door.addr, "acme", "washer").await;
    let mut other = Raw::connected(door.addr, "acme", "dryer").await;
    let mut second = Raw::connected(door.addr, "acme", "washer").await;
    first.expect_closed("taken over").await;
    second.ping().await;
    other.ping().await;
    assert_eq!(door.closed("taken_over"), 1);
    second.send(&[0xE0, 0]).await;
    second.expect_closed("in order").await;
    // The end of the first connection must not be told as the device's absence.
    eventually("gone", || {
        door.store
            .with(|s| s.presence.iter().rfind(|p| p.0 == ApplianceId(1)).is_some_and(|p| !p.1))
    })
    .await;
    let told = door.store.with(|s| {
        s.presence
            .iter()
            .filter(|p| p.0 == ApplianceId(1) && !p.1)
            .cloned()
            .collect::<Vec<_>>()
    });
    assert_eq!(
        told,
        [(ApplianceId(1), false, "disconnected: disconnected in order".into())]
    );
}

#[tokio::test]
async fn foreign_and_multi_byte_topics_close_the_connection_only() {
    let door = Door::open().await;
    let mut listener = Raw::connected(door.addr, "acme", "washer").await;
    listener.send(&subscribe(1, &["d/washer/c/+"])).await;
    assert_eq!(listener.packet().await, Some((0x90, vec![0, 1, 1])));
    for (topic, label) in [
        ("d/washer/t", "foreign_topic"),
        ("家电/冰箱", "topic"),
        ("d/bad/t/ü", "topic"),
        ("$share/g/t", "topic"),
        ("d/bad/c/1", "topic"),
        ("", "topic"),
    ] {
        let before = door.closed(label);
        let mut bad = Raw::connected(door.addr, "acme", "bad").await;
        bad.send(&publish(topic, 1, ONE)).await;
        bad.expect_closed(topic).await;
        assert_eq!(door.closed(label), before + 1, "{topic}");
        listener.ping().await;
    }
    let mut bad = Raw::connected(door.addr, "acme", "bad").await;
    bad.send(&frame(0x32, b"\0\x02\xFF\xFE\0\x01x")).await;
    bad.expect_closed("a topic that is not UTF-8").await;
    listener.ping().await;
    assert_eq!(door.store.samples().len() + door.store.with(|s| s.quarantined.len()), 0);
}

#[tokio::test]
async fn client_ids_play_no_part() {
    let door = Door::open().await;
    for client_id in ["acme/device-1", "a+b", "#", "$SYS", "家电", "", &"x".repeat(5_000)] {
        for _ in 0..2 {
            let mut device = Raw::open(door.addr).await;
            device
                .send(&connect("acme/washer", "secret-of-washer", client_id, 60))
                .await;
            assert_eq!(device.packet().await, Some((0x20, vec![0, 0])), "{client_id}");
            device.ping().await;
        }
    }
}

#[tokio::test]
async fn subscriptions_are_the_listed_ones() {
    let door = Door::open().await;
    let mut device = Raw::connected(door.addr, "acme", "washer").await;
    let filters = [
        "d/washer/c/+",
        "d/washer/f/+",
        "#",
        "d/+/t",
        "d/washer/#",
        "d/dryer/c/+",
        "$share/g/t",
        "$SYS/#",
        "",
    ];
    device.send(&subscribe(9, &filters)).await;
    let codes = [0, 9, 1, 1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80];
    assert_eq!(device.packet().await, Some((0x90, codes.to_vec())));
    let unsubscribe = frame(0xA2, &[&[0, 10][..], &text("never/heard/of")].concat());
    device.send(&unsubscribe).await;
    assert_eq!(device.packet().await, Some((0xB0, vec![0, 10])));
}

#[tokio::test]
async fn oversize_and_garbage_are_cut() {
    let door = Door::open_with(|c| c.identity_connects = Pace::new(1_000, 1_000)).await;
    let mut honest = Raw::connected(door.addr, "acme", "washer").await;
    let mut big = Raw::connected(door.addr, "acme", "bad").await;
    big.send(&publish("d/bad/j", 1, &vec![b' '; 17 * 1024])).await;
    big.expect_closed("17 KiB").await;
    // Only the announcement of 256 MiB.
    let mut bigger = Raw::open(door.addr).await;
    bigger.send(&[0x10, 0xFF, 0xFF, 0xFF, 0x7F]).await;
    bigger.expect_closed("256 MiB").await;
    assert_eq!(door.closed("oversize"), 2);

    for greeted in [false, true] {
        for seed in 0..60u8 {
            let mut raw = if greeted {
                Raw::connected(door.addr, "acme", "bad").await
            } else {
                Raw::open(door.addr).await
            };
            let garbage: Vec<u8> = (0..400u32)
                .map(|i| (i * 31 + u32::from(seed) * 97 + i * i * 7) as u8)
                .collect();
            raw.send(&garbage).await;
            raw.0.say_no_more().await;
            // Answers to what happened to be a packet are fine; a connection that stays is not.
            while raw.packet().await.is_some() {}
        }
    }
    honest.send(&publish("d/washer/j", 1, ONE)).await;
    honest.expect_ack(1).await;
}

#[tokio::test]
async fn silent_and_slow_clients_are_cut_on_time() {
    let door = Door::open_with(|c| c.connect_patience = Duration::from_millis(400)).await;
    let mut silent = Raw::open(door.addr).await;
    let mut slow = Raw::open(door.addr).await;
    let packet = connect("acme/washer", "secret-of-washer", "x", 60);
    let drip = async {
        for byte in &packet {
            slow.send(&[*byte]).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        slow.expect_closed("one byte at a time").await;
    };
    tokio::join!(drip, silent.expect_closed("says nothing"));
    assert_eq!(door.closed("silent_connect"), 2);
}

#[tokio::test]
async fn no_sign_of_life_within_the_keepalive() {
    let door = Door::open().await;
    let mut device = Raw::open(door.addr).await;
    device.send(&connect("acme/washer", "secret-of-washer", "x", 1)).await;
    assert_eq!(device.packet().await, Some((0x20, vec![0, 0])));
    // Half a packet is no sign of life.
    device.send(&[0xC0]).await;
    let start = std::time::Instant::now();
    device.expect_closed("silent").await;
    assert!(
        start.elapsed() >= Duration::from_millis(1_400),
        "one and a half times the keepalive"
    );
    assert_eq!(door.closed("keep_alive"), 1);
    let offline = (
        ApplianceId(1),
        false,
        "keep_alive: no sign of life within the keepalive".to_owned(),
    );
    eventually("told", || door.store.with(|s| s.presence.contains(&offline))).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut() {
    let door = Door::open_with(|c| c.write_patience = Duration::from_millis(300)).await;
    let mut deaf = Raw::connected(door.addr, "acme", "bad").await;
    let pings = [0xC0, 0].repeat(32 * 1024);
    let flood = async { while deaf.0.write_all(&pings).await.is_ok() {} };
    tokio::time::timeout(crate::client::PATIENCE, flood).await.expect("cut");
    eventually("counted", || door.closed("write_stalled") == 1).await;
}

#[tokio::test]
async fn a_full_hub_says_so() {
    let door = Door::open_with(|c| c.connections_max = 2).await;
    let mut first = Raw::connected(door.addr, "acme", "washer").await;
    let second = Raw::open(door.addr).await;
    eventually("both are in", || {
        door.broker
            .counters()
            .connections
            .load(std::sync::atomic::Ordering::Relaxed)
            == 2
    })
    .await;
    for _ in 0..3 {
        let mut third = Raw::open(door.addr).await;
        third.send(&connect("acme/dryer", "secret-of-dryer", "x", 60)).await;
        assert_eq!(third.packet().await, Some((0x20, vec![0, 3])));
        third.expect_closed("full").await;
    }
    first.ping().await;
    drop(second);
    eventually("there is room", || {
        door.broker
            .counters()
            .connections
            .load(std::sync::atomic::Ordering::Relaxed)
            == 1
    })
    .await;
    Raw::connected(door.addr, "acme", "dryer").await.ping().await;
    assert_eq!(door.closed("full"), 3);
}

#[tokio::test]
async fn packets_of_a_server_are_refused() {
    let door = Door::open().await;
    for bytes in [vec![0x90, 3, 0, 1, 1], frame(0x40, &[0, 1, 9, 9]), vec![0xD0, 0]] {
        let mut bad = Raw::connected(door.addr, "acme", "bad").await;
        bad.send(&bytes).await;
        bad.expect_closed("packet of a server").await;
    }
    assert_eq!(door.closed("unexpected") + door.closed("malformed"), 3);
}
