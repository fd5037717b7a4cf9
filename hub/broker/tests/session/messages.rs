//! Messages to a device: topics, window, identifiers, properties.

use crate::fixture::*;
use hub_broker::session::packet::Delivered;
use hub_broker::session::{Delivery, Event, Incoming, Outbound, Outgoing, Session};
use hub_store::session::KeptSession;

fn command(request: u32, packet_id: u16) -> Outbound {
    Outbound::Command {
        request: request.to_string(),
        payload: json(),
        packet_id,
        sent_before: true,
        expires_in_s: Some(30),
    }
}

fn sent(session: &mut Session) -> Vec<Delivered> {
    let publish = |packet| match packet {
        Outgoing::Publish(delivered) => Some(*delivered),
        _ => None,
    };
    transmitted(session).into_iter().filter_map(publish).collect()
}

fn listening(version: hub_broker::session::Version, filter: &str) -> Session {
    let mut session = opened(version);
    session.handle_packet(subscribe(1, &[filter]), start());
    let _ = (events(&mut session), transmitted(&mut session));
    session
}

#[test]
fn commands_wait_for_the_window_and_are_not_repeated() {
    let mut session = opened(V4);
    assert_eq!(session.handle_message(command(0, 0)), Delivery::NotSubscribed);
    let mut session = listening(V4, "d/washer/c/+");
    let taken = (0..60)
        .filter(|n| session.handle_message(command(*n, 0)) == Delivery::Taken)
        .count();
    assert_eq!(taken, 16 + 32, "window and queue are bounded");
    assert_eq!(session.handle_message(command(0, 0)), Delivery::Repeated);
    let first = sent(&mut session);
    assert_eq!(first.len(), 16);
    assert_eq!((first[0].topic.as_str(), first[0].dup), ("d/washer/c/0", false));
    session.handle_packet(Incoming::PubAck(first[0].packet_id), start());
    session.handle_packet(Incoming::PubAck(60_000), start());
    assert_eq!(events(&mut session), [Event::CommandTaken("0".into())]);
    assert_eq!(sent(&mut session)[0].topic, "d/washer/c/16");
    session.handle_packet(unsubscribe(2, &["d/washer/c/+"]), start());
    assert_eq!(session.handle_message(command(99, 0)), Delivery::NotSubscribed);
}

#[test]
fn the_client_s_receive_maximum_is_kept() {
    let mut connect = hello(V5);
    connect.properties.receive_maximum = 2;
    let mut session = open(connect, device(None));
    session.handle_packet(subscribe(1, &["d/washer/c/+"]), start());
    for n in 0..5 {
        session.handle_message(command(n, 0));
    }
    let two = sent(&mut session);
    assert_eq!(two.len(), 2);
    session.handle_packet(Incoming::PubAck(two[1].packet_id), start());
    assert_eq!(sent(&mut session).len(), 1);
}

#[test]
fn the_proposed_identifier_is_used_where_it_is_free() {
    let mut session = listening(V4, "d/washer/c/+");
    for (request, packet_id) in [(1, 500), (2, 500), (3, 0)] {
        session.handle_message(command(request, packet_id));
    }
    let ids: Vec<u16> = sent(&mut session).iter().map(|publish| publish.packet_id).collect();
    assert_eq!(ids, [500, 1, 2]);
}

#[test]
fn a_repeat_is_marked_only_in_the_same_session() {
    let kept = KeptSession {
        expiry_s: 3600,
        subscriptions: vec![("d/washer/c/+".into(), 1)],
        unreleased: vec![],
    };
    let mut session = open(durable(V4), device(Some(kept)));
    session.handle_message(command(1, 9));
    let [repeat] = &sent(&mut session)[..] else { panic!() };
    assert_eq!((repeat.dup, repeat.packet_id), (true, 9));
}

#[test]
fn version_5_gets_what_an_answer_needs_and_3_1_1_nothing_of_it() {
    let mut session = listening(V5, "d/washer/c/+");
    session.handle_message(command(7, 0));
    let properties = sent(&mut session).remove(0).properties;
    assert_eq!(properties.message_expiry_s, Some(30));
    assert_eq!(properties.response_topic.as_deref(), Some("d/washer/r/7"));
    assert_eq!(properties.correlation_data.as_deref(), Some(&b"7"[..]));
    let mut session = listening(V4, "d/washer/c/+");
    session.handle_message(command(7, 0));
    assert_eq!(sent(&mut session).remove(0).properties, Default::default());
}

#[test]
fn each_message_goes_where_the_device_listens() {
    let payload = json;
    let number = || "4".to_owned();
    let table = [
        (
            "v1/devices/me/rpc/request/+",
            command(7, 0),
            "v1/devices/me/rpc/request/7",
        ),
        (
            "v1/devices/me/attributes",
            Outbound::Attributes { payload: payload() },
            "v1/devices/me/attributes",
        ),
        (
            "v1/devices/me/attributes/response/+",
            Outbound::AttributesAnswer {
                number: number(),
                payload: payload(),
            },
            "v1/devices/me/attributes/response/4",
        ),
        (
            "v1/devices/me/rpc/response/+",
            Outbound::RpcAnswer {
                number: number(),
                payload: payload(),
            },
            "v1/devices/me/rpc/response/4",
        ),
    ];
    for (filter, message, topic) in table {
        let mut deaf = opened(V4);
        assert_eq!(deaf.handle_message(message.clone()), Delivery::NotSubscribed, "{topic}");
        let mut session = listening(V4, filter);
        assert_eq!(session.handle_message(message), Delivery::Taken, "{topic}");
        assert_eq!(sent(&mut session)[0].topic, topic);
    }
    let mut both = listening(V4, "d/washer/c/+");
    both.handle_packet(subscribe(2, &["v1/devices/me/rpc/request/+"]), start());
    both.handle_message(command(7, 0));
    assert_eq!(sent(&mut both)[0].topic, "d/washer/c/7", "our own topic comes first");
}

#[test]
fn nothing_longer_than_the_client_takes_is_sent() {
    let mut connect = hello(V5);
    connect.properties.packet_bytes_max = 200;
    let mut session = open(connect, device(None));
    session.handle_packet(subscribe(1, &["d/washer/c/+"]), start());
    let message = |bytes: usize| Outbound::Command {
        request: bytes.to_string(),
        payload: vec![b'x'; bytes].into(),
        packet_id: 0,
        sent_before: false,
        expires_in_s: None,
    };
    assert_eq!(session.handle_message(message(200)), Delivery::TooLarge);
    let fits = (0..200)
        .rev()
        .find(|bytes| session.handle_message(message(*bytes)) == Delivery::Taken);
    let [longest] = &sent(&mut session)[..] else { panic!() };
    assert_eq!((longest.bytes(V5), fits.is_some()), (200, true));
}
