//! Deadlines: pings, answers that do not come, and when to come back.

use crate::rig::{CONNACK_NEW, NO_BYTES, NOTHING, PINGREQ, PINGRESP, Rig, SETTINGS, SUBACK, Seen, puback, telemetry};
use agent_sdk_core::{Publish, Qos, Reason, Settings};

#[test]
fn a_hub_that_does_not_accept_in_time_is_left() {
    for is_connect_written in [false, true] {
        let mut rig = Rig::new(64, 64, SETTINGS);
        rig.session.handle_connected(rig.now, 0);
        if is_connect_written {
            rig.sent();
        }
        assert_eq!(rig.session.next_deadline(), Some(rig.now + 5_000));
        rig.session.handle_timeout(rig.now + 4_999);
        assert_eq!(rig.session.poll_event(), None);
        rig.now += 5_000;
        rig.session.handle_timeout(rig.now);
        assert_eq!(rig.seen(), [Seen::Disconnected(Reason::NoConnack)]);
        assert_eq!(rig.sent(), NO_BYTES);
        rig.cut();
        assert!(rig.session.next_connect_at().is_some_and(|at| at >= rig.now));
    }
}

#[test]
fn a_silent_device_pings_at_three_quarters_of_the_keep_alive() {
    let mut rig = Rig::online(64, 64);
    let start = rig.now;
    assert_eq!(rig.session.next_deadline(), Some(start + 45_000));
    rig.now = start + 44_999;
    assert_eq!(rig.sent(), NO_BYTES);
    rig.now = start + 45_000;
    assert_eq!(rig.sent(), PINGREQ);
    assert_eq!(rig.session.next_deadline(), Some(rig.now + 10_000));
    rig.now += 9_999;
    assert_eq!(rig.sent(), NO_BYTES, "one is enough");
    rig.receive(PINGRESP);
    assert_eq!(
        rig.session.next_deadline(),
        Some(start + 90_000),
        "counted from the ping"
    );
    assert_eq!(rig.seen(), NOTHING);
}

#[test]
fn a_link_that_does_not_answer_a_ping_is_dead() {
    let mut rig = Rig::online(64, 64);
    rig.now += 45_000;
    assert_eq!(rig.sent(), PINGREQ);
    // Something else that arrives is no answer.
    rig.now += 5_000;
    rig.receive(&puback(7));
    rig.now += 4_999;
    assert_eq!(rig.seen(), NOTHING);
    rig.now += 1;
    // A caller that only polls finds out as well.
    assert_eq!(rig.sent(), NO_BYTES);
    assert_eq!(rig.seen(), [Seen::Disconnected(Reason::NoAnswer)]);
    assert_eq!(rig.session.next_deadline(), None);
}

#[test]
fn a_device_that_sends_without_being_answered_pings_as_well() {
    let mut rig = Rig::online(4_096, 64);
    let start = rig.now;
    let once = Publish {
        qos: Qos::AtMostOnce,
        ..telemetry(b"a")
    };
    for _ in 0..44 {
        rig.now += 1_000;
        rig.session.publish(&once).unwrap();
        assert!(!rig.sent().ends_with(PINGREQ));
    }
    assert_eq!(rig.session.next_deadline(), Some(start + 45_000));
    rig.now += 1_000;
    assert_eq!(rig.sent(), PINGREQ);
}

#[test]
fn a_device_that_only_receives_pings_because_the_hub_counts_what_it_sends() {
    let mut rig = Rig::online(64, 64);
    let start = rig.now;
    for _ in 0..44 {
        rig.now += 1_000;
        rig.receive(&puback(7));
    }
    assert_eq!(rig.sent(), NO_BYTES);
    assert_eq!(rig.session.next_deadline(), Some(start + 45_000));
    rig.now += 1_000;
    assert_eq!(rig.sent(), PINGREQ);
}

#[test]
fn traffic_both_ways_needs_no_ping() {
    let mut rig = Rig::online(64, 64);
    for id in 1..200 {
        rig.now += 1_000;
        rig.session.publish(&telemetry(b"a")).unwrap();
        let sent = rig.sent();
        assert_eq!(sent.first(), Some(&0x32), "{sent:02X?}");
        assert!(!sent.ends_with(PINGREQ), "{id}");
        rig.receive(&puback(id));
    }
    assert!(rig.session.is_outbox_empty());
}

#[test]
fn without_keep_alive_there_is_no_deadline() {
    let settings = Settings {
        keep_alive_s: 0,
        ..SETTINGS
    };
    let mut rig = Rig::new(64, 64, settings);
    rig.session.handle_connected(rig.now, 0);
    rig.poll();
    rig.receive(CONNACK_NEW);
    rig.receive(SUBACK);
    rig.sent();
    assert_eq!(rig.session.next_deadline(), None);
    rig.now += 1_000_000_000;
    assert_eq!(rig.sent(), NO_BYTES);
}

#[test]
fn the_end_of_time_overflows_nothing() {
    let mut rig = Rig::new(64, 64, SETTINGS);
    rig.now = u64::MAX;
    rig.session.handle_connected(rig.now, 0);
    rig.session.handle_timeout(rig.now);
    rig.poll();
    rig.cut();
    assert_eq!(rig.session.next_connect_at(), Some(u64::MAX));
}
