//! Messages up and down: what is sent, sent again, acknowledged, passed over, dropped.

use crate::rig::{
    CONNACK_NEW, CONNACK_RESUMED, IDENTITY, NO_BYTES, NOTHING, PINGRESP, Rig, SUBACK, Seen, packet, puback, publish,
    telemetry,
};
use agent_sdk_core::{Lane, Overflow, Publish, Qos, RECORD_HEAD_BYTES, Reason, Refused, Token};

#[test]
fn a_message_is_kept_until_it_is_acknowledged() {
    let mut rig = Rig::online(256, 64);
    assert_eq!(rig.session.publish(&telemetry(b"a")), Ok(Token(0)));
    assert_eq!(rig.sent(), publish(0x32, "t", 1, b"a"));
    assert_eq!(rig.sent(), NO_BYTES, "once on a connection");
    assert!(!rig.session.is_outbox_empty());
    rig.receive(&puback(1));
    assert_eq!(rig.seen(), [Seen::Delivered(0)]);
    assert!(rig.session.is_outbox_empty());
    assert_eq!(rig.session.outbox_free_bytes(), 256);
}

#[test]
fn flags_and_topic_go_as_they_were_given() {
    let mut rig = Rig::online(256, 64);
    let state = Publish {
        topic: "s",
        retain: true,
        ..telemetry(b"on")
    };
    let once = Publish {
        qos: Qos::AtMostOnce,
        ..telemetry(b"")
    };
    rig.session.publish(&state).unwrap();
    rig.session.publish(&once).unwrap();
    let expected = [publish(0x33, "s", 1, b"on"), publish(0x30, "t", 0, b"")];
    assert_eq!(rig.sent(), expected.concat());
    assert_eq!(
        rig.seen(),
        NOTHING,
        "what is sent at most once is not delivered for certain"
    );
}

#[test]
fn an_event_overtakes_telemetry_that_waits() {
    let mut rig = Rig::online(256, 64);
    for payload in [b"a", b"b", b"c", b"d", b"e"] {
        rig.session.publish(&telemetry(payload)).unwrap();
    }
    // The window is three.
    assert_eq!(rig.sent().len(), 3 * publish(0x32, "t", 1, b"a").len());
    let event = Publish {
        lane: Lane::Event,
        topic: "e",
        ..telemetry(b"F")
    };
    rig.session.publish(&event).unwrap();
    assert_eq!(rig.sent(), NO_BYTES);
    rig.receive(&puback(2));
    assert_eq!(rig.sent(), publish(0x32, "e", 4, b"F"));
    rig.receive(&[puback(1), puback(4), puback(3)].concat());
    let rest = [publish(0x32, "t", 5, b"d"), publish(0x32, "t", 6, b"e")];
    assert_eq!(rig.sent(), rest.concat());
    assert_eq!(rig.seen(), [1, 0, 5, 2].map(Seen::Delivered));
}

#[test]
fn a_resumed_session_gets_it_again_and_a_new_one_as_new() {
    let mut rig = Rig::online(256, 64);
    rig.session.publish(&telemetry(b"a")).unwrap();
    rig.session.publish(&telemetry(b"b")).unwrap();
    rig.poll();
    rig.cut();
    assert_eq!(rig.seen(), [Seen::Disconnected(Reason::LinkLost)]);
    rig.session.publish(&telemetry(b"c")).unwrap();

    rig.session.handle_connected(rig.now, 0);
    rig.sent();
    rig.receive(CONNACK_RESUMED);
    let expected = [
        packet(0x82, b"\xFF\xFF\x00\x08d/wm/c/+\x01"),
        publish(0x3A, "t", 1, b"a"),
        publish(0x3A, "t", 2, b"b"),
        publish(0x32, "t", 3, b"c"),
    ];
    assert_eq!(rig.sent(), expected.concat());
    rig.receive(&[SUBACK, &puback(2)[..]].concat());
    rig.cut();

    rig.session.handle_connected(rig.now, 0);
    rig.sent();
    rig.receive(CONNACK_NEW);
    let expected = [
        packet(0x82, b"\xFF\xFF\x00\x08d/wm/c/+\x01"),
        publish(0x32, "t", 4, b"a"),
        publish(0x32, "t", 5, b"c"),
    ];
    assert_eq!(rig.sent(), expected.concat());
}

#[test]
fn an_acknowledgement_of_nothing_changes_nothing() {
    let mut rig = Rig::online(256, 64);
    rig.session.publish(&telemetry(b"a")).unwrap();
    // It is not written yet.
    assert_eq!(rig.session.handle_bytes(&puback(1), rig.now), 4);
    for id in [0, 2, 0xFFFF] {
        rig.receive(&puback(id));
    }
    assert_eq!(rig.seen(), NOTHING);
    assert_eq!(rig.sent(), publish(0x32, "t", 1, b"a"));
    rig.receive(&[puback(1), puback(1)].concat());
    assert_eq!(rig.seen(), [Seen::Delivered(0)]);
}

#[test]
fn a_packet_goes_out_in_any_pieces_and_is_not_mixed_with_others() {
    let mut expected = publish(0x32, "t", 1, b"a long message that takes several pieces");
    expected.extend(puback(9));
    expected.extend(publish(0x32, "e", 2, b"F"));
    for piece in 1..expected.len() {
        let mut rig = Rig::online(256, 64);
        rig.session
            .publish(&telemetry(b"a long message that takes several pieces"))
            .unwrap();
        let mut sent = vec![0; piece];
        let written = rig.session.poll_transmit(&IDENTITY, &mut sent, rig.now);
        sent.truncate(written);
        // In the middle of it, a message comes down and an event goes before what waits.
        let event = Publish {
            lane: Lane::Event,
            topic: "e",
            ..telemetry(b"F")
        };
        rig.piece = piece;
        rig.receive(&publish(0x32, "c/1", 9, b""));
        rig.session.publish(&event).unwrap();
        sent.extend(rig.sent());
        assert_eq!(sent, expected, "{piece}");
    }
}

#[test]
fn what_was_half_written_is_written_whole_on_the_next_connection() {
    let mut rig = Rig::online(256, 64);
    rig.session.publish(&telemetry(b"abcdefgh")).unwrap();
    let mut out = [0; 5];
    assert_eq!(rig.session.poll_transmit(&IDENTITY, &mut out, rig.now), 5);
    rig.cut();
    rig.session.handle_connected(rig.now, 0);
    rig.sent();
    rig.receive(&[CONNACK_RESUMED, SUBACK].concat());
    let sent = rig.sent();
    let again = publish(0x3A, "t", 1, b"abcdefgh");
    assert!(sent.ends_with(&again), "{sent:02X?}");
}

#[test]
fn commands_come_down_and_are_acknowledged_as_they_are_taken() {
    let mut rig = Rig::online(64, 64);
    rig.receive(&[publish(0x32, "c/1", 7, b"go"), publish(0x30, "c/2", 0, b"")].concat());
    let expected = [
        Seen::Message("d/wm/c/1".into(), b"go".to_vec()),
        Seen::Message("d/wm/c/2".into(), Vec::new()),
    ];
    assert_eq!(rig.seen(), expected);
    assert_eq!(rig.sent(), puback(7));
    // Nobody has looked at this one when the link goes: a new connection acknowledges nothing of the old one.
    let command = publish(0x32, "c/3", 8, b"");
    assert_eq!(rig.session.handle_bytes(&command, rig.now), command.len());
    rig.cut();
    rig.session.handle_connected(rig.now, 0);
    assert_eq!(
        rig.session.handle_bytes(CONNACK_NEW, rig.now),
        0,
        "what happened comes first"
    );
    // That the old connection has ended is not: it would be taken for the new one.
    assert_eq!(rig.seen(), [Seen::Message("d/wm/c/3".into(), Vec::new())]);
    rig.sent();
    rig.receive(CONNACK_NEW);
    assert!(!rig.sent().starts_with(&[0x40]));
}

#[test]
fn acknowledgements_wait_for_the_transport_in_their_order() {
    let mut rig = Rig::online(64, 16);
    // All of them are longer than the buffer, and bring no event.
    let commands: Vec<u8> = (1..=6)
        .flat_map(|id| publish(0x32, "c/1", id, b"too long for it"))
        .collect();
    let one = commands.len() / 6;
    let taken = rig.session.handle_bytes(&commands, rig.now);
    assert_eq!(taken, 4 * one, "four wait to be acknowledged");
    assert_eq!(rig.session.handle_bytes(&commands[taken..], rig.now), 0);
    assert_eq!(rig.sent(), (1..=4).flat_map(puback).collect::<Vec<u8>>());
    rig.receive(&commands[taken..]);
    assert_eq!(rig.sent(), (5..=6).flat_map(puback).collect::<Vec<u8>>());
    assert_eq!(rig.session.too_long_count(), 6);
    assert_eq!(rig.seen(), NOTHING);
    rig.receive(PINGRESP);
    assert!(rig.session.is_online());
}

#[test]
fn drops_are_told_by_lane_and_counted_once() {
    let one = RECORD_HEAD_BYTES + 2;
    let mut rig = Rig::online(2 * one, 64);
    rig.cut();
    rig.seen();
    for payload in [b"a", b"b", b"c", b"d"] {
        rig.session.publish(&telemetry(payload)).unwrap();
    }
    let last = Publish {
        overflow: Overflow::DropNewest,
        ..telemetry(b"e")
    };
    assert_eq!(rig.session.publish(&last), Err(Refused::Full));
    assert_eq!(rig.seen(), [Seen::Dropped(Lane::Telemetry, 3)]);
    let event = Publish {
        lane: Lane::Event,
        ..telemetry(b"F")
    };
    for _ in 0..3 {
        rig.session.publish(&event).unwrap();
    }
    assert_eq!(
        rig.seen(),
        [Seen::Dropped(Lane::Event, 1), Seen::Dropped(Lane::Telemetry, 2)]
    );
    assert_eq!(rig.seen(), NOTHING);
    assert_eq!(rig.session.outbox_free_bytes(), 0);
}
