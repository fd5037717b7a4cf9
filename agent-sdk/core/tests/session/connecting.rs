//! From the transport to the session, and back to the next try.

use crate::rig::{
    CONNACK_NEW, CONNACK_RESUMED, IDENTITY, NO_BYTES, NOTHING, PINGRESP, Rig, SETTINGS, SUBACK, Seen, memory, packet,
    puback, telemetry,
};
use agent_sdk_core::{Credentials, Identity, RECEIVE_BYTES_MIN, Reason, Session, Will};

const CONNECT: &[u8] = b"\x10\x0E\x00\x04MQTT\x04\x00\x00\x3C\x00\x02wm";
const SUBSCRIBE: &[u8] = b"\x82\x0D\xFF\xFF\x00\x08d/wm/c/+\x01";

#[test]
fn connect_then_connack_then_subscribe() {
    let mut rig = Rig::new(64, 64, SETTINGS);
    assert_eq!(rig.session.next_connect_at(), Some(0), "at once");
    assert!(!rig.poll(), "nothing before the transport");
    rig.session.handle_connected(rig.now, 0);
    assert_eq!(rig.session.next_connect_at(), None);
    assert_eq!(rig.sent(), CONNECT);
    assert!(!rig.session.is_online());
    rig.receive(CONNACK_NEW);
    assert_eq!(rig.sent(), SUBSCRIBE);
    assert!(rig.session.is_online());
    rig.receive(SUBACK);
    assert_eq!(rig.seen(), [Seen::Connected(false), Seen::Subscribed(0)]);
    assert_eq!(rig.sent(), NO_BYTES);
}

#[test]
fn without_subscriptions_none_is_asked_for() {
    let mut session = Session::new(memory(64), memory(64), SETTINGS, 1).unwrap();
    let identity = Identity {
        subscriptions: &[],
        credentials: Some(Credentials {
            user_name: "t/wm",
            password: Some(b"secret"),
        }),
        will: Some(Will {
            topic: "s",
            payload: b"off",
        }),
        ..IDENTITY
    };
    let mut out = [0; 256];
    session.handle_connected(0, 0);
    let written = session.poll_transmit(&identity, &mut out, 0);
    let body = b"\x00\x04MQTT\x04\xEC\x00\x3C\x00\x02wm\x00\x06d/wm/s\x00\x03off\x00\x04t/wm\x00\x06secret";
    assert_eq!(out[..written], packet(0x10, body));
    assert_eq!(session.handle_bytes(CONNACK_NEW, 0), 4);
    assert_eq!(session.poll_transmit(&identity, &mut out, 0), 0);
}

#[test]
fn a_receive_buffer_that_no_answer_fits_into_is_refused() {
    assert!(Session::new(memory(64), memory(RECEIVE_BYTES_MIN - 1), SETTINGS, 1).is_none());
    assert!(Session::new(&mut [], memory(RECEIVE_BYTES_MIN), SETTINGS, 1).is_some());
}

#[test]
fn refused_filters_are_counted() {
    let mut rig = Rig::new(64, 64, SETTINGS);
    rig.session.handle_connected(rig.now, 0);
    rig.poll();
    rig.receive(CONNACK_RESUMED);
    rig.receive(&[0x90, 3, 0xFF, 0xFF, 0x80]);
    assert_eq!(rig.seen(), [Seen::Connected(true), Seen::Subscribed(1)]);
}

/// What the hub may not do ends the connection, and one more byte is nobody's.
#[test]
fn a_hub_that_breaks_the_protocol_is_left() {
    let early: [&[u8]; 5] = [CONNACK_NEW, PINGRESP, SUBACK, &[0x40, 2, 0, 1], &[0x30, 3, 0, 1, b'a']];
    for answer in early {
        let mut rig = Rig::new(64, 64, SETTINGS);
        rig.session.handle_connected(rig.now, 0);
        // The CONNECT is not written yet.
        assert_eq!(rig.session.handle_bytes(answer, rig.now), answer.len());
        assert_eq!(rig.seen(), [Seen::Disconnected(Reason::Protocol)], "{answer:02X?}");
        assert_eq!(rig.session.next_deadline(), None);
        assert_eq!(rig.session.handle_bytes(CONNACK_NEW, rig.now), 4);
        assert_eq!(rig.sent(), NO_BYTES, "{answer:02X?}");
    }
    for answer in &early[1..] {
        let mut rig = Rig::new(64, 64, SETTINGS);
        rig.session.handle_connected(rig.now, 0);
        rig.poll();
        rig.receive(answer);
        assert_eq!(
            rig.seen(),
            [Seen::Disconnected(Reason::Protocol)],
            "before CONNACK: {answer:02X?}"
        );
    }
    let late: [&[u8]; 5] = [
        CONNACK_NEW,
        SUBACK,
        &[0x90, 3, 0, 1, 1],
        &[0x50, 2, 0, 1],
        &[0x34, 5, 0, 1, b'a', 0, 1],
    ];
    for answer in late {
        let mut rig = Rig::online(64, 64);
        rig.receive(answer);
        assert_eq!(
            rig.seen(),
            [Seen::Disconnected(Reason::Protocol)],
            "online: {answer:02X?}"
        );
    }
    let other_suback: [&[u8]; 2] = [&[0x90, 3, 0, 1, 1], &[0x90, 4, 0xFF, 0xFF, 1, 1]];
    for answer in other_suback {
        let mut rig = Rig::new(64, 64, SETTINGS);
        rig.session.handle_connected(rig.now, 0);
        rig.poll();
        rig.receive(CONNACK_NEW);
        rig.receive(answer);
        let expected = [Seen::Connected(false), Seen::Disconnected(Reason::Protocol)];
        assert_eq!(rig.seen(), expected, "{answer:02X?}");
    }
}

#[test]
fn a_refusal_says_why_and_backs_off() {
    let mut rig = Rig::new(64, 64, SETTINGS);
    rig.session.handle_connected(rig.now, 0);
    rig.poll();
    rig.receive(&[0x20, 2, 0, 5]);
    assert_eq!(rig.seen(), [Seen::Disconnected(Reason::Refused(5))]);
    assert_eq!(rig.session.next_connect_at(), None, "the transport is still there");
    rig.cut();
    assert_eq!(rig.seen(), NOTHING, "it was told already");
    let at = rig.session.next_connect_at().unwrap();
    assert!((rig.now..=rig.now + 1_000).contains(&at), "{at}");
    assert_eq!(rig.session.next_deadline(), Some(at));
}

#[test]
fn what_was_not_told_of_a_connection_is_not_told_of_the_next() {
    let mut rig = Rig::new(64, 64, SETTINGS);
    rig.session.handle_connected(rig.now, 0);
    rig.poll();
    // Its link is gone as it is accepted, and nobody asks what became of it.
    assert!(rig.session.handle_bytes(CONNACK_NEW, rig.now) > 0);
    rig.session.handle_disconnected(rig.now);
    rig.session.handle_connected(rig.now, 0);
    assert_eq!(rig.seen(), NOTHING);
    rig.cut();
    assert_eq!(rig.seen(), [Seen::Disconnected(Reason::LinkLost)]);
}

#[test]
fn failures_in_a_row_wait_longer_and_a_hub_that_serves_ends_the_row() {
    let longest = |rig: &mut Rig, attempts: u32| {
        let mut longest = 0;
        for _ in 0..attempts {
            rig.cut();
            longest = longest.max(rig.session.next_connect_at().unwrap() - rig.now);
        }
        longest
    };
    let mut rig = Rig::new(64, 64, SETTINGS);
    let far = longest(&mut rig, 40);
    assert!((30_000..=60_000).contains(&far), "{far}");
    assert_eq!(rig.seen(), NOTHING, "what was never connected is not disconnected");

    // A hub that accepts and does nothing more has not served.
    rig.connect(CONNACK_NEW);
    let still_far = longest(&mut rig, 20);
    assert!(still_far > 30_000, "{still_far}");

    rig.connect(CONNACK_NEW);
    rig.session.publish(&telemetry(b"a")).unwrap();
    rig.poll();
    rig.receive(&puback(1));
    assert!(longest(&mut rig, 1) <= 1_000);
    // One more is the second in a row.
    assert!(longest(&mut rig, 1) <= 2_000);
}

#[test]
fn goodbye_is_said_and_what_waits_stays() {
    let mut rig = Rig::online(64, 64);
    rig.session.publish(&telemetry(b"a")).unwrap();
    rig.session.close();
    assert_eq!(rig.sent(), [0xE0, 0]);
    assert_eq!(rig.seen(), [Seen::Disconnected(Reason::Closed)]);
    assert!(!rig.session.is_outbox_empty());
    rig.cut();
    rig.session.close();
    assert!(rig.session.next_connect_at().is_some());
    rig.session.handle_connected(rig.now, 0);
    rig.session.close();
    assert_eq!(
        rig.seen(),
        [Seen::Disconnected(Reason::Closed)],
        "there was no session to say goodbye to"
    );
    assert_eq!(rig.sent(), NO_BYTES);
}
