//! QoS 2 while the store fails: what is acknowledged is stored, and once.

use crate::client::{Honest, Raw, connect_v5};
use crate::integrator::{reader, subscribed};
use crate::store::Mode;
use crate::{Door, eventually};
use hub_core::id::ApplianceId;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tests_mqtt::Version::V5;
use tests_mqtt::{AN_HOUR, frame, publish, subscribe};

const BAD: ApplianceId = ApplianceId(4);
const ONE: &[u8] = br#"{"pump_current": 1.5}"#;
const POISONED: &[u8] = br#"{"poison": 1}"#;

/// A connection of the device `bad` that has published a poisoned reading at QoS 2, and how often that failed.
async fn poisoned(door: &Door) -> Raw {
    let (mut bad, _) = Raw::connected_v5(door.addr, "acme", "bad", AN_HOUR).await;
    bad.send(&V5.publish(2, "d/bad/j", 7, POISONED)).await;
    let counters = door.broker.counters();
    eventually("a failed try", || counters.commit_failures.load(Ordering::Relaxed) >= 1).await;
    bad
}

/// The packet identifier of a publish that failed would be held for the device's next session, and that session's publish
/// under it taken for a repeat: acknowledged and lost.
#[tokio::test]
async fn what_failed_on_an_ended_connection_is_not_stored_behind_a_clean_start() {
    let door = Door::open().await;
    // Somebody reads along, so the ended connection's letters are still read for a while.
    let mut reader = reader(&door).await;
    reader.send(&subscribe(1, &["d/+/j"])).await;
    assert_eq!(reader.packet().await, Some((0x90, vec![0, 1, 1])));
    subscribed(&door).await;
    let counters = door.broker.counters();
    let waiting = || counters.queue_items.load(Ordering::Relaxed);
    let ended = poisoned(&door).await;
    assert_eq!(waiting(), 1, "it is tried again");
    drop(ended);
    let (mut next, connack) = Raw::connected_v5(door.addr, "acme", "bad", &[]).await;
    assert_eq!(connack[0], 0, "a new session");
    door.store.change(|s| s.cured = true);
    // Given up, or stored by a next try.
    eventually("nothing waits for another try", || waiting() == 0).await;
    assert!(door.store.unreleased().is_empty(), "nothing is held");
    next.send(&V5.publish(2, "d/bad/j", 7, ONE)).await;
    assert_eq!(next.packet().await.unwrap().0, 0x50, "PUBREC");
    let (samples, quarantined) = (door.store.samples(), door.store.with(|s| s.quarantined.len()));
    assert_eq!(quarantined, 0);
    assert_eq!(samples.len(), 1, "stored when it is acknowledged");
    assert_eq!(samples[0].1.values, [Some(1500)]);
}

/// Nothing has failed here, and the earlier connection is over: only what it sent says that there is something to wait for.
#[tokio::test]
async fn a_session_begins_behind_what_the_one_before_has_sent() {
    let door = Door::open().await;
    let (mut first, _) = Raw::connected_v5(door.addr, "acme", "bad", AN_HOUR).await;
    first.send(&V5.publish(1, "d/bad/j", 6, ONE)).await;
    assert_eq!(first.packet().await.unwrap().0, 0x40, "PUBACK");
    let commits = || door.store.with(|s| s.ingest_asked);
    let before = commits();
    door.store.set(Mode::Hold);
    first.send(&V5.publish(2, "d/bad/j", 7, ONE)).await;
    eventually("it is being committed", || commits() == before + 1).await;
    drop(first);
    eventually("the connection is over", || door.connections() == 0).await;
    let mut next = Raw::open(door.addr).await;
    next.send(&connect_v5("acme/bad", "secret-of-bad", AN_HOUR, true)).await;
    let counters = door.broker.counters();
    let waiting = || counters.queue_items.load(Ordering::Relaxed);
    eventually("the next one waits behind it", || waiting() == 2).await;
    door.store.set(Mode::Commit);
    assert_eq!(next.packet().await.unwrap().1[..2], [0, 0], "a new session");
    assert!(door.store.unreleased().is_empty(), "nothing is held");
    next.send(&V5.publish(2, "d/bad/j", 7, ONE)).await;
    assert_eq!(next.packet().await.unwrap().0, 0x50, "PUBREC");
    assert_eq!(
        door.store.samples().len(),
        3,
        "no repeat of what another session has sent"
    );
}

#[tokio::test]
async fn what_the_store_cannot_take_is_quarantined_with_its_packet_identifier() {
    let door = Door::open().await;
    let mut bad = poisoned(&door).await;
    let mut good = Honest::connected(door.addr, "acme", "washer").await;
    for _ in 0..500 {
        if door.store.with(|s| !s.quarantined.is_empty()) {
            break;
        }
        good.report(r#"{"pump_current": 2.5}"#.into()).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(bad.packet().await.unwrap().0, 0x50, "PUBREC");
    assert!(door.store.unreleased().contains(&(BAD, 7)), "held");
    // The device did not see PUBREC and sends it again.
    door.store.change(|s| s.cured = true);
    drop(bad);
    let mut again = Raw::open(door.addr).await;
    again
        .send(&connect_v5("acme/bad", "secret-of-bad", AN_HOUR, false))
        .await;
    assert_eq!(again.packet().await.unwrap().1[..2], [1, 0], "session present");
    let mut repeat = V5.publish(2, "d/bad/j", 7, POISONED);
    repeat[0] |= 0x08;
    again.send(&repeat).await;
    assert_eq!(again.packet().await.unwrap().0, 0x50, "PUBREC");
    let of_bad = door.store.samples().iter().filter(|(id, _)| *id == BAD).count();
    assert_eq!((of_bad, door.store.with(|s| s.quarantined.len())), (0, 1));
}

#[tokio::test]
async fn a_release_that_the_store_does_not_take_is_not_completed() {
    let door = Door::open().await;
    let (mut bad, _) = Raw::connected_v5(door.addr, "acme", "bad", AN_HOUR).await;
    bad.send(&V5.publish(2, "d/bad/j", 7, ONE)).await;
    assert_eq!(bad.packet().await.unwrap().0, 0x50, "PUBREC");
    door.store.change(|s| s.no_release = true);
    bad.send(&frame(0x62, &[0, 7])).await;
    assert_eq!(bad.packet().await.unwrap().0, 0xE0, "no PUBCOMP: DISCONNECT");
    bad.expect_closed("it is to come again").await;
    assert_eq!(door.closed("commit_failed"), 1);
    assert_eq!(
        (door.store.unreleased().len(), door.store.with(|s| s.quarantined.len())),
        (1, 0)
    );
}

#[tokio::test]
async fn what_a_deleted_appliance_says_is_not_acknowledged_and_holds_up_nobody() {
    let door = Door::open().await;
    let mut bad = Raw::connected(door.addr, "acme", "bad").await;
    let mut good = Honest::connected(door.addr, "acme", "washer").await;
    door.store.change(|s| s.deleted = Some(BAD));
    bad.send(&publish("d/bad/j", 7, ONE)).await;
    good.report(r#"{"pump_current": 2.5}"#.into()).await;
    let held_up = door.store.with(|s| s.held_up);
    assert!(held_up <= 1, "the sound reading was in {held_up} batches that failed");
    bad.expect_closed("nobody").await;
    assert_eq!(
        (door.store.samples().len(), door.store.with(|s| s.quarantined.len())),
        (1, 0)
    );
}
