//! MQTT 5 codes, what is kept of a session, and the ends that the hub brings about.

use crate::client::{Raw, connect, connect_v5};
use crate::{Door, eventually};
use hub_broker::ACCESS_WATCH;
use hub_core::id::ApplianceId;
use std::time::Duration;
use tests_mqtt::Version::V5;
use tests_mqtt::{AN_HOUR, frame, publish, subscribe, text};

const WASHER: ApplianceId = ApplianceId(1);
const ONE: &[u8] = br#"{"pump_current": 1.5}"#;

#[tokio::test]
async fn the_older_connection_is_told_that_it_is_taken_over() {
    let door = Door::open().await;
    let (mut first, _) = Raw::connected_v5(door.addr, "acme", "washer", &[]).await;
    let (mut second, _) = Raw::connected_v5(door.addr, "acme", "washer", &[]).await;
    first.expect_reason(0x8E).await;
    second.ping().await;
}

#[tokio::test]
async fn a_revoked_device_is_cut_within_a_second() {
    let door = Door::open().await;
    let (mut new, _) = Raw::connected_v5(door.addr, "acme", "washer", &[]).await;
    let mut other = Raw::connected(door.addr, "acme", "dryer").await;
    new.ping().await;
    let before = door.access_asked().await;
    door.store.revoke(WASHER);
    let cut = tokio::time::timeout(ACCESS_WATCH / 2, new.expect_reason(0x98)).await;
    cut.expect("it is cut by the change, not by the next question");
    // As soon as the broker hears of it: no other question was asked in between.
    assert!(door.access_asked().await <= before + 1);
    other.ping().await;
    let mut again = Raw::open(door.addr).await;
    again.send(&connect("acme/washer", "secret-of-washer", "x", 60)).await;
    assert_eq!(again.packet().await, Some((0x20, vec![0, 5])));
    assert_eq!(door.closed("revoked"), 1);
}

#[tokio::test]
async fn a_session_is_kept_with_its_subscriptions() {
    let door = Door::open().await;
    let (mut first, connack) = Raw::connected_v5(door.addr, "acme", "washer", AN_HOUR).await;
    assert_eq!(connack[0], 0, "nothing was kept");
    first.send(&V5.subscribe(1, &["d/washer/c/+"])).await;
    assert_eq!(first.packet().await, Some((0x90, vec![0, 1, 0, 1])));
    let kept = door.store.kept.session_of(WASHER).expect("kept before SUBACK");
    assert_eq!(kept.subscriptions, [("d/washer/c/+".to_owned(), 1)]);
    assert_eq!(kept.expiry_s, 3_600);
    drop(first);
    let mut second = Raw::open(door.addr).await;
    second
        .send(&connect_v5("acme/washer", "secret-of-washer", AN_HOUR, false))
        .await;
    let (_, connack) = second.packet().await.unwrap();
    assert_eq!(connack[..2], [1, 0], "session present");
    door.command("now", 5).await;
    let (first_byte, body) = second.packet().await.unwrap();
    assert_eq!(first_byte & 0xF0, 0x30, "a command without a new subscription");
    assert!(body.windows(14).any(|w| w == b"d/washer/c/now"), "{body:?}");
    eventually("told that it went out", || door.store.commands_sent(WASHER) == 1).await;
    // A clean start forgets it.
    let (_third, connack) = Raw::connected_v5(door.addr, "acme", "washer", &[]).await;
    assert_eq!(connack[0], 0);
    assert!(door.store.kept.session_of(WASHER).is_none());
}

#[tokio::test]
async fn qos_2_is_stored_once_across_connections() {
    let door = Door::open().await;
    let (mut first, _) = Raw::connected_v5(door.addr, "acme", "washer", AN_HOUR).await;
    let packet = V5.publish(2, "d/washer/j", 7, ONE);
    first.send(&packet).await;
    assert_eq!(first.packet().await.unwrap().0, 0x50, "PUBREC");
    assert_eq!(door.store.samples().len(), 1, "stored when it is acknowledged");
    drop(first);
    let mut second = Raw::open(door.addr).await;
    second
        .send(&connect_v5("acme/washer", "secret-of-washer", AN_HOUR, false))
        .await;
    assert_eq!(second.packet().await.unwrap().1[..2], [1, 0]);
    let mut repeat = packet.clone();
    repeat[0] |= 0x08;
    second.send(&repeat).await;
    assert_eq!(second.packet().await.unwrap().0, 0x50);
    second.send(&frame(0x62, &[0, 7])).await;
    assert_eq!(second.packet().await.unwrap().0, 0x70, "PUBCOMP");
    assert_eq!((door.store.samples().len(), door.store.unreleased().len()), (1, 0));
    // The identifier is free again.
    second.send(&packet).await;
    assert_eq!(second.packet().await.unwrap().0, 0x50);
    assert_eq!(door.store.samples().len(), 2);
}

/// A CONNECT with a will on `d/{device}/s`, retained, after `delay_s`.
fn with_will(device: &str, delay_s: u8) -> Vec<u8> {
    let head = [&text("MQTT")[..], &[5, 0b1110_0110, 0, 60, 5, 0x11, 0, 0, 0, 60]].concat();
    let will = [
        &[5, 0x18, 0, 0, 0, delay_s][..],
        &text(&format!("d/{device}/s")),
        &text("gone"),
    ]
    .concat();
    let names = [format!("acme/{device}"), format!("secret-of-{device}")];
    let body = [head, text("id"), will, names.map(|s| text(&s)).concat()].concat();
    frame(0x10, &body)
}

#[tokio::test]
async fn wills_are_stored_after_their_delay_unless_the_device_is_back() {
    let door = Door::open().await;
    for (device, delay_s) in [("washer", 0), ("dryer", 1), ("bad", 60)] {
        let mut raw = Raw::open(door.addr).await;
        raw.send(&with_will(device, delay_s)).await;
        assert_eq!(raw.packet().await.unwrap().1[1], 0);
    }
    let said = |appliance| {
        door.store
            .with(|s| s.said.iter().filter(|(a, _)| *a == ApplianceId(appliance)).count())
    };
    eventually("the will without delay", || said(1) == 1).await;
    eventually("the will after a second", || said(3) == 1).await;
    assert_eq!(door.store.state(WASHER), Some(b"gone".to_vec()));
    let mut back = Raw::connected(door.addr, "acme", "bad").await;
    back.ping().await;
    assert_eq!(said(4), 0, "back before its time");
    // In order: no will.
    back.send(&[0xE0, 0]).await;
    back.expect_closed("in order").await;
    assert_eq!(said(4), 0);
}

#[tokio::test]
async fn the_end_of_the_hub_is_told_after_the_commits() {
    let door = Door::open().await;
    let (mut new, _) = Raw::connected_v5(door.addr, "acme", "washer", &[]).await;
    let mut old = Raw::connected(door.addr, "acme", "dryer").await;
    let mut will = Raw::open(door.addr).await;
    will.send(&with_will("bad", 0)).await;
    assert_eq!(will.packet().await.unwrap().1[1], 0);
    door.store.set(crate::store::Mode::Hold);
    new.send(&V5.publish(1, "d/washer/j", 1, ONE)).await;
    old.send(&publish("d/dryer/j", 1, ONE)).await;
    new.ping().await;
    old.ping().await;
    let Door {
        broker, store, addr, ..
    } = door;
    let stopped = tokio::spawn(broker.stopped());
    // The listener is closed when the connections are told.
    eventually("the hub stops", || std::net::TcpStream::connect(addr).is_err()).await;
    store.set(crate::store::Mode::Commit);
    assert_eq!(new.packet().await.unwrap().0, 0x40, "the acknowledgement first");
    new.expect_reason(0x8B).await;
    old.expect_ack(1).await;
    old.expect_closed("stopping").await;
    will.expect_reason(0x8B).await;
    stopped.await.unwrap();
    assert_eq!(
        (store.samples().len(), store.with(|s| s.said.len())),
        (2, 0),
        "no will at the end"
    );
}

#[tokio::test]
async fn filters_of_others_are_refused_and_the_connection_stays() {
    let door = Door::open().await;
    let mut device = Raw::connected(door.addr, "acme", "washer").await;
    let many: Vec<String> = (0..500).map(|n| format!("d/washer/x/{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for packet_id in 1..=20 {
        device.send(&subscribe(packet_id, &many)).await;
        let (first, body) = device.packet().await.unwrap();
        assert_eq!((first, body.len()), (0x90, 502));
        assert!(body[2..].iter().all(|code| *code == 0x80));
    }
    device.ping().await;
}

#[tokio::test]
async fn a_device_that_comes_anew_finds_what_its_earlier_connection_left_under_way() {
    let door = Door::open().await;
    let (mut first, _) = Raw::connected_v5(door.addr, "acme", "washer", AN_HOUR).await;
    door.store.set(crate::store::Mode::Hold);
    let packet = V5.publish(2, "d/washer/j", 7, ONE);
    first.send(&packet).await;
    first.ping().await;
    let mut second = Raw::open(door.addr).await;
    second
        .send(&connect_v5("acme/washer", "secret-of-washer", AN_HOUR, false))
        .await;
    first.expect_reason(0x8E).await;
    door.store.set(crate::store::Mode::Commit);
    assert_eq!(second.packet().await.unwrap().1[..2], [1, 0], "session present");
    let mut repeat = packet.clone();
    repeat[0] |= 0x08;
    second.send(&repeat).await;
    assert_eq!(second.packet().await.unwrap().0, 0x50, "PUBREC");
    assert_eq!(door.store.samples().len(), 1, "stored once");
}

#[tokio::test]
async fn a_lost_change_of_access_still_cuts_and_only_whom_it_should() {
    let door = Door::open().await;
    let (mut washer, _) = Raw::connected_v5(door.addr, "acme", "washer", &[]).await;
    let mut dryer = Raw::connected(door.addr, "acme", "dryer").await;
    let mut reader = Raw::open(door.addr).await;
    reader.send(&connect(crate::store::READER, "", "reader", 60)).await;
    assert_eq!(reader.packet().await, Some((0x20, vec![0, 0])));
    door.store.change(|s| s.changes_lost = true);
    door.store.revoke(WASHER);
    washer.expect_reason(0x98).await;
    dryer.ping().await;
    reader.ping().await;
    assert_eq!(door.closed("revoked"), 1);
}

#[tokio::test]
async fn changes_of_others_access_disturb_no_log_in() {
    let door = Door::open_with(|c| c.identity_connects = hub_core::quota::Pace::new(1_000, 1_000)).await;
    // Let in, but not told so yet: what an earlier session left is dropped behind what is under way.
    door.store.set(crate::store::Mode::Hold);
    let commits = || door.store.with(|s| s.ingest_asked);
    let (asked, before) = (door.access_asked().await, commits());
    let mut slow = Raw::open(door.addr).await;
    slow.send(&connect_v5("acme/dryer", "secret-of-dryer", AN_HOUR, true))
        .await;
    eventually("it waits for what is under way", || commits() > before).await;
    door.store.revoke(ApplianceId(4));
    eventually("the change is acted on", || door.store.with(|s| s.access_asked > asked)).await;
    door.store.set(crate::store::Mode::Commit);
    assert_eq!(slow.packet().await.unwrap().1[1], 0);
    slow.ping().await;
    // One change after the other, as when a group's key is exchanged.
    let store = door.store.clone();
    let changes = tokio::spawn(async move {
        loop {
            store.revoke(ApplianceId(4));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    for _ in 0..50 {
        Raw::connected(door.addr, "acme", "washer").await.ping().await;
    }
    changes.abort();
    assert_eq!((door.closed("revoked"), door.store.with(|s| s.said.len())), (0, 0));
}
