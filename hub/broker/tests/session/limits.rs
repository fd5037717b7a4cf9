//! Bounds: publishes under way, aliases, filters, memory.

use crate::fixture::*;
use hub_broker::session::packet::Subscribe;
use hub_broker::session::{CloseReason, Event, Incoming, Message, Outgoing, Publish, Reason, Session};
use hub_store::session::KeptSession;

fn fill(session: &mut Session) {
    for packet_id in 1..=4 {
        session.handle_packet(publish("d/washer/t", 1, packet_id), start());
        assert!(matches!(session.poll_event(), Some(Event::Received(_))));
    }
}

#[test]
fn too_much_in_flight_closes_3_1_1_at_qos_1_and_drops_at_qos_0() {
    let mut session = opened(V4);
    let _ = events(&mut session);
    fill(&mut session);
    session.handle_packet(publish("d/washer/t", 0, 0), start());
    assert_eq!(session.poll_event(), Some(Event::Dropped));
    session.handle_packet(Incoming::PingReq, start());
    assert_eq!(
        transmitted(&mut session),
        [Outgoing::PingResp],
        "control packets are still read"
    );
    session.handle_packet(publish("d/washer/t", 1, 5), start());
    session.handle_packet(Incoming::PingReq, start());
    assert_eq!(transmitted(&mut session), [Outgoing::PingResp]);
    assert!(!session.is_closed(), "what came before is acknowledged first");
    for number in 0..3 {
        session.handle_committed(number);
    }
    // There is room, but what was left out must not be overtaken.
    session.handle_packet(publish("d/washer/t", 1, 6), start());
    assert_eq!(events(&mut session), []);
    session.handle_committed(3);
    let acknowledged = transmitted(&mut session);
    assert!(acknowledged.iter().all(|packet| matches!(packet, Outgoing::PubAck(_))));
    assert_eq!(acknowledged.len(), 4);
    assert_eq!(closed(&mut session), Some(CloseReason::InFlight));
}

#[test]
fn too_much_in_flight_is_refused_by_code_in_version_5_and_its_memory_is_bounded() {
    let mut session = opened(V5);
    let _ = events(&mut session);
    fill(&mut session);
    for packet_id in 5..9 {
        session.handle_packet(publish("d/washer/t", 2, packet_id), start());
        assert_eq!(events(&mut session), [Event::Refused(CloseReason::InFlight)]);
    }
    assert_eq!(session.in_flight(), 4);
    for number in 0..4 {
        session.handle_committed(number);
    }
    let quotas = transmitted(&mut session)
        .into_iter()
        .filter(|packet| matches!(packet, Outgoing::PubRec(ack) if ack.reason == Reason::Quota));
    assert_eq!(quotas.count(), 4);

    // A client that never heeds its receive maximum is cut.
    fill(&mut session);
    for packet_id in 5..10 {
        session.handle_packet(publish("d/washer/t", 1, packet_id), start());
    }
    assert_eq!(closed(&mut session), Some(CloseReason::ReceiveMaximum));
    let last = transmitted(&mut session).pop();
    assert!(matches!(
        last,
        Some(Outgoing::Disconnect {
            reason: Reason::ReceiveMaximum,
            ..
        })
    ));
}

/// MQTT 5 §4.9: a QoS 2 publish counts until PUBCOMP.
#[test]
fn unreleased_publishes_count() {
    let mut session = opened(V5);
    let _ = events(&mut session);
    for packet_id in 1..=4 {
        session.handle_packet(publish("d/washer/t", 2, packet_id), start());
        session.handle_committed(u64::from(packet_id) - 1);
    }
    let _ = (events(&mut session), transmitted(&mut session));
    session.handle_packet(publish("d/washer/t", 1, 5), start());
    assert_eq!(events(&mut session), [Event::Refused(CloseReason::InFlight)]);
    session.handle_packet(Incoming::PubRel(2), start());
    session.handle_packet(publish("d/washer/t", 1, 6), start());
    assert!(matches!(&events(&mut session)[..], [Event::Received(_)]));
}

#[test]
fn topic_aliases() {
    let aliased = |topic: &str, alias| {
        Incoming::Publish(Publish {
            qos: 0,
            packet_id: 0,
            retain: false,
            alias: Some(alias),
            message: Message::new(topic.as_bytes(), b"payload"),
        })
    };
    let mut session = opened(V5);
    let _ = events(&mut session);
    session.handle_packet(aliased("d/washer/t", 16), start());
    session.handle_packet(aliased("", 16), start());
    session.handle_packet(aliased("d/washer/e", 16), start());
    session.handle_packet(aliased("", 16), start());
    let topics: Vec<_> = events(&mut session)
        .into_iter()
        .map(|event| match event {
            Event::Received(received) => {
                assert_eq!(received.message.payload(), b"payload");
                received.message.topic().to_owned()
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(topics, ["d/washer/t", "d/washer/t", "d/washer/e", "d/washer/e"]);
    for (topic, alias) in [("", 1), ("d/washer/t", 17), ("d/washer/t", 0)] {
        let mut session = opened(V5);
        session.handle_packet(aliased(topic, alias), start());
        assert_eq!(closed(&mut session), Some(CloseReason::TopicAlias(alias)));
        let [Outgoing::Disconnect { reason, .. }] = &transmitted(&mut session)[..] else {
            panic!()
        };
        assert_eq!(*reason, Reason::TopicAliasInvalid);
    }
    // A topic of the longest packet is not kept as it is, and stays as wrong as it was.
    let mut session = opened(V5);
    let long = "x/".repeat(8_000);
    for topic in [long.as_str(), ""] {
        let Incoming::Publish(mut packet) = aliased(topic, 1) else {
            unreachable!()
        };
        (packet.qos, packet.packet_id) = (1, 1);
        session.handle_packet(Incoming::Publish(packet), start());
    }
    let refused = events(&mut session)
        .into_iter()
        .filter(|event| matches!(event, Event::Refused(_)));
    assert_eq!(refused.count(), 2);
}

#[test]
fn thousands_of_filters_are_each_refused_and_told_once() {
    for version in [V4, V5] {
        let mut session = opened(version);
        let _ = events(&mut session);
        session.handle_packet(subscribe(1, &["x/+"; 10_000]), start());
        assert!(matches!(
            &events(&mut session)[..],
            [Event::Refused(CloseReason::Filter(..))]
        ));
        let [Outgoing::SubAck { codes, .. }] = &transmitted(&mut session)[..] else {
            panic!()
        };
        assert_eq!(codes.len(), 10_000);
        assert!(codes.iter().all(|code| *code >= 0x80));
        session.handle_packet(unsubscribe(2, &["x/+"; 10_000]), start());
        let [Outgoing::UnsubAck { reasons, .. }] = &transmitted(&mut session)[..] else {
            panic!()
        };
        assert_eq!(reasons.len(), 10_000);
    }
    let mut connect = hello(V5);
    connect.properties.packet_bytes_max = 1_000;
    let mut session = open(connect, device(None));
    session.handle_packet(subscribe(1, &["x/+"; 10_000]), start());
    assert_eq!(closed(&mut session), Some(CloseReason::ClientTooSmall(1_000)));
}

#[test]
fn subscription_identifiers_are_not_supported() {
    let Incoming::Subscribe(packet) = subscribe(1, &["d/washer/c/+"]) else {
        unreachable!()
    };
    let mut session = opened(V5);
    let packet = Subscribe {
        identifier: true,
        ..*packet
    };
    session.handle_packet(Incoming::Subscribe(Box::new(packet)), start());
    let [Outgoing::Disconnect { reason, .. }] = &transmitted(&mut session)[..] else {
        panic!()
    };
    assert_eq!(*reason, Reason::SubscriptionIdUnsupported);
}

/// A client that has lost its own state releases nothing of it; it must not lock itself out.
#[test]
fn what_an_earlier_connection_left_does_not_count() {
    let kept = |count| KeptSession {
        expiry_s: 600,
        subscriptions: vec![],
        unreleased: (1..=count).collect(),
    };
    let mut session = open(durable(V5), device(Some(kept(9))));
    let _ = events(&mut session);
    session.handle_packet(publish("d/washer/t", 1, 20), start());
    assert!(matches!(&events(&mut session)[..], [Event::Received(_)]));
    let mut endless = greet(durable(V5), device(Some(kept(1_025))));
    assert_eq!(events(&mut endless)[0], Event::DropSession);
}

#[test]
fn no_reason_strings_where_they_are_not_wanted() {
    let mut connect = hello(V5);
    connect.properties.problem_information = false;
    let mut session = open(connect, device(None));
    session.handle_packet(publish("d/dryer/t", 1, 1), start());
    let [Outgoing::PubAck(ack)] = &transmitted(&mut session)[..] else {
        panic!()
    };
    assert_eq!((ack.reason, &ack.text), (Reason::NotAuthorised, &None));
}

#[test]
fn an_idle_session_is_small() {
    assert!(size_of::<Session>() <= 400, "{}", size_of::<Session>());
    assert!(size_of::<Outgoing>() <= 40, "{}", size_of::<Outgoing>());
    assert!(size_of::<Event>() <= 136, "{}", size_of::<Event>());
}
