//! Publishes of a device: topics, QoS 0 to 2, order of acknowledgements.

use crate::fixture::*;
use hub_broker::session::packet::Ack;
use hub_broker::session::{CloseReason, Event, Incoming, Kind, Outgoing, Reason, Session};
use hub_store::session::KeptSession;

fn received(session: &mut Session) -> Vec<(u64, Option<u16>)> {
    let received = |event| match event {
        Event::Received(received) => Some((received.number.unwrap(), received.exactly_once)),
        _ => None,
    };
    events(session).into_iter().filter_map(received).collect()
}

fn success(packet_id: u16) -> Ack {
    Ack {
        packet_id,
        reason: Reason::Success,
        text: None,
    }
}

fn ack(packet_id: u16) -> Outgoing {
    Outgoing::PubAck(success(packet_id))
}

fn rec(packet_id: u16) -> Outgoing {
    Outgoing::PubRec(success(packet_id))
}

fn comp(packet_id: u16) -> Outgoing {
    Outgoing::PubComp(success(packet_id))
}

#[test]
fn topics_and_what_becomes_of_them() {
    let table = [
        ("d/washer/t", Ok(Kind::Telemetry)),
        ("d/washer/j", Ok(Kind::TelemetryJson)),
        ("d/washer/e", Ok(Kind::Event)),
        ("d/washer/s", Ok(Kind::State)),
        ("d/washer/r/42", Ok(Kind::Reply("42".into()))),
        ("v1/devices/me/telemetry", Ok(Kind::TelemetryJson)),
        ("v1/devices/me/attributes", Ok(Kind::Attributes)),
        (
            "v1/devices/me/attributes/request/1",
            Ok(Kind::AttributesRequest("1".into())),
        ),
        ("v1/devices/me/rpc/request/2", Ok(Kind::DeviceRpc("2".into()))),
        ("v1/devices/me/rpc/response/3", Ok(Kind::Reply("3".into()))),
        ("v1/devices/me/claim", Ok(Kind::OwnerClaim)),
        (
            "v1/devices/me/attributes/response/1",
            Err(("topic", Reason::NotAuthorised)),
        ),
        ("v1/gateway/telemetry", Err(("topic", Reason::TopicInvalid))),
        ("d/dryer/t", Err(("foreign_topic", Reason::NotAuthorised))),
        ("d/washer2/t", Err(("foreign_topic", Reason::NotAuthorised))),
        ("d/washer/c/42", Err(("topic", Reason::NotAuthorised))),
        ("d/washer/f/1", Err(("firmware", Reason::NotAuthorised))),
        ("d/washer/x", Err(("topic", Reason::TopicInvalid))),
        ("d/washer/t/", Err(("topic", Reason::TopicInvalid))),
        ("d/washer/r/a/b/c/d/e/f", Err(("topic", Reason::TopicInvalid))),
        ("d/+/t", Err(("topic", Reason::TopicInvalid))),
        ("#", Err(("topic", Reason::TopicInvalid))),
        ("$SYS/broker", Err(("topic", Reason::TopicInvalid))),
        ("家电/冰箱", Err(("topic", Reason::TopicInvalid))),
        ("p/nonce/q", Err(("foreign_topic", Reason::NotAuthorised))),
    ];
    for (topic, expected) in table {
        for version in [V4, V5] {
            let mut session = opened(version);
            session.handle_packet(publish(topic, 1, 7), start());
            let got = match session.poll_event() {
                Some(Event::Received(received)) => {
                    assert_eq!(
                        session.poll_transmit(),
                        None,
                        "{topic}: nothing is acknowledged before its commit"
                    );
                    assert_eq!(received.message.topic(), topic);
                    Ok(received.kind)
                }
                // Version 5 has a code for it, and the connection stays.
                Some(Event::Refused(reason)) if version == V5 => {
                    let Some(Outgoing::PubAck(ack)) = session.poll_transmit() else {
                        panic!("{topic}")
                    };
                    assert_eq!((ack.packet_id, ack.text.is_some()), (7, true));
                    Err((reason.label(), ack.reason))
                }
                Some(Event::Closed(reason)) if version == V4 => Err((reason.label(), reason.reason())),
                other => panic!("{topic}: {other:?}"),
            };
            assert_eq!(got, expected, "{topic}");
        }
    }
}

#[test]
fn a_refused_publish_at_qos_0_ends_the_connection_with_its_code() {
    let mut session = opened(V5);
    session.handle_packet(publish("d/dryer/t", 0, 0), start());
    let [Outgoing::Disconnect { reason, .. }] = &transmitted(&mut session)[..] else {
        panic!()
    };
    assert_eq!(*reason, Reason::NotAuthorised);
}

#[test]
fn acknowledgements_follow_commits_in_the_order_of_receipt() {
    for version in [V4, V5] {
        let mut session = opened(version);
        for (qos, packet_id) in [(1, 5), (2, 6), (1, 7)] {
            session.handle_packet(publish("d/washer/t", qos, packet_id), start());
        }
        session.handle_committed(1);
        session.handle_committed(1);
        session.handle_committed(99);
        assert_eq!(transmitted(&mut session), []);
        session.handle_committed(0);
        assert_eq!(transmitted(&mut session), [ack(5), rec(6)]);
        session.handle_committed(2);
        assert_eq!(transmitted(&mut session), [ack(7)]);
    }
}

#[test]
fn refused_publishes_wait_for_their_turn_too() {
    let mut session = opened(V5);
    session.handle_packet(publish("d/washer/t", 1, 1), start());
    session.handle_packet(publish("d/dryer/t", 1, 2), start());
    session.handle_packet(publish("d/washer/t", 1, 3), start());
    assert_eq!(transmitted(&mut session), []);
    session.handle_refused(2, CloseReason::Quota("messages of this device"));
    session.handle_noted(0, "quarantined: not CBOR");
    let sent: Vec<_> = transmitted(&mut session)
        .into_iter()
        .map(|packet| match packet {
            Outgoing::PubAck(ack) => (ack.packet_id, ack.reason, ack.text.unwrap().into_string()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        (sent[0].0, sent[0].1, sent[0].2.as_str()),
        (1, Reason::Success, "quarantined: not CBOR")
    );
    assert_eq!((sent[1].0, sent[1].1), (2, Reason::NotAuthorised));
    let quota = "over a limit: messages of this device";
    assert_eq!((sent[2].0, sent[2].1, sent[2].2.as_str()), (3, Reason::Quota, quota));
}

#[test]
fn what_the_shell_refuses_ends_a_connection_of_version_3_1_1() {
    let mut session = opened(V4);
    session.handle_packet(publish("d/washer/t", 0, 0), start());
    session.handle_refused(0, CloseReason::Quota("messages"));
    assert!(!session.is_closed(), "QoS 0 may be dropped");
    session.handle_packet(publish("d/washer/t", 1, 1), start());
    session.handle_refused(1, CloseReason::Quota("messages"));
    assert!(session.is_closed());
    assert_eq!(transmitted(&mut session), []);
}

/// MQTT 3.1.1 §4.3.3: the whole exchange, with repeats of each packet of the client.
#[test]
fn exactly_once() {
    let mut session = opened(V4);
    session.handle_packet(publish("d/washer/t", 2, 7), start());
    session.handle_packet(publish("d/washer/t", 2, 7), start());
    assert_eq!(received(&mut session), [(0, None)], "the repeat is not passed on");
    session.handle_committed(0);
    assert_eq!(transmitted(&mut session), [rec(7)]);
    session.handle_packet(publish("d/washer/t", 2, 7), start());
    assert_eq!(
        (received(&mut session), transmitted(&mut session)),
        (vec![], vec![rec(7)])
    );
    session.handle_packet(Incoming::PubRel(7), start());
    assert_eq!(
        transmitted(&mut session),
        [comp(7)],
        "this session ends with its connection: nothing is stored of it"
    );
    session.handle_packet(publish("d/washer/t", 2, 7), start());
    assert_eq!(received(&mut session).len(), 1, "the identifier is free again");
}

#[test]
fn exactly_once_in_a_kept_session_is_stored_with_its_identifier() {
    for version in [V4, V5] {
        let mut session = opened_durable(version);
        session.handle_packet(publish("d/washer/t", 2, 7), start());
        assert_eq!(received(&mut session), [(0, Some(7))]);
        session.handle_committed(0);
        assert_eq!(transmitted(&mut session), [rec(7)]);
        session.handle_packet(Incoming::PubRel(7), start());
        assert_eq!(
            events(&mut session),
            [Event::Released {
                number: 1,
                packet_id: 7
            }]
        );
        assert_eq!(transmitted(&mut session), [], "not before it is stored");
        session.handle_committed(1);
        assert_eq!(transmitted(&mut session), [comp(7)]);
    }
}

#[test]
fn what_ingest_does_not_store_is_remembered_here() {
    let mut session = opened_durable(V5);
    session.handle_packet(publish("v1/devices/me/rpc/request/1", 2, 7), start());
    assert_eq!(received(&mut session), [(0, None)]);
    session.handle_committed(0);
    session.handle_packet(Incoming::PubRel(7), start());
    assert_eq!(transmitted(&mut session), [rec(7), comp(7)]);
}

#[test]
fn a_kept_session_remembers_what_was_not_released() {
    let kept = KeptSession {
        expiry_s: 600,
        subscriptions: vec![],
        unreleased: vec![7, 8],
    };
    let mut session = open(durable(V5), device(Some(kept)));
    events(&mut session);
    session.handle_packet(publish("d/washer/t", 2, 7), start());
    assert_eq!(
        (received(&mut session), transmitted(&mut session)),
        (vec![], vec![rec(7)])
    );
    session.handle_packet(Incoming::PubRel(8), start());
    let [Event::Released { number, packet_id: 8 }] = events(&mut session)[..] else {
        panic!()
    };
    session.handle_committed(number);
    assert_eq!(transmitted(&mut session), [comp(8)]);
}

#[test]
fn a_release_of_nothing_is_answered() {
    let found = |session: &mut Session| match &transmitted(session)[..] {
        [Outgoing::PubComp(ack)] => ack.reason,
        other => panic!("{other:?}"),
    };
    let mut session = opened(V5);
    session.handle_packet(Incoming::PubRel(9), start());
    assert_eq!(found(&mut session), Reason::PacketIdNotFound);
    // The store may know what this connection does not: it is asked to forget it.
    let mut session = opened_durable(V5);
    session.handle_packet(Incoming::PubRel(9), start());
    let [Event::Released { number, packet_id: 9 }] = events(&mut session)[..] else {
        panic!()
    };
    session.handle_committed(number);
    assert_eq!(found(&mut session), Reason::PacketIdNotFound);
}

#[test]
fn an_error_frees_the_identifier() {
    let mut session = opened_durable(V5);
    session.handle_packet(publish("d/washer/t", 2, 7), start());
    session.handle_refused(0, CloseReason::Quota("bytes"));
    session.handle_packet(publish("d/washer/t", 2, 7), start());
    assert_eq!(received(&mut session).len(), 2);
    let [Outgoing::PubRec(ack)] = &transmitted(&mut session)[..] else {
        panic!()
    };
    assert_eq!(ack.reason, Reason::Quota);
}

#[test]
fn nothing_is_said_after_the_end() {
    let mut session = opened(V4);
    session.handle_packet(publish("d/washer/t", 1, 1), start());
    session.handle_packet(DISCONNECT, start());
    session.handle_committed(0);
    session.handle_packet(Incoming::PingReq, start());
    assert_eq!(transmitted(&mut session), []);
}

#[test]
fn what_a_bridge_says_of_itself_is_acknowledged_in_turn_and_goes_nowhere() {
    let state = "$SYS/broker/connection/house.hub/state";
    for version in [V4, V5] {
        let mut session = opened(version);
        session.handle_packet(publish("d/washer/t", 1, 1), start());
        session.handle_packet(publish(state, 1, 2), start());
        session.handle_packet(publish(state, 0, 0), start());
        let [(number, None)] = received(&mut session)[..] else {
            panic!("only the reading is for the store")
        };
        assert_eq!(transmitted(&mut session), []);
        session.handle_committed(number);
        assert_eq!(transmitted(&mut session), [ack(1), ack(2)]);
    }
    // mosquitto never sends it at QoS 2.
    let mut session = opened(V5);
    session.handle_packet(publish(state, 2, 3), start());
    assert!(matches!(&events(&mut session)[..], [Event::Refused(_)]));
    let mut session = opened(V4);
    session.handle_packet(publish("$SYS/broker/connection/house.hub", 1, 3), start());
    assert_eq!(closed(&mut session).map(|reason| reason.label()), Some("topic"));
}
