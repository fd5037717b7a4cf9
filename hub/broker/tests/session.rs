//! The session core alone: which packet in which state gives which answer.

#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a failed test may panic"))]

use bytes::Bytes;
use hub_broker::session::packet::{Connect, Publish};
use hub_broker::session::{
    CloseReason, ConnectCode, Delivery, Event, Incoming, Kind, Login, Outgoing, Session, SessionLimits, Verdict,
};
use hub_core::id::DeviceId;
use proptest::prelude::*;
use std::time::{Duration, Instant};

const LIMITS: SessionLimits = SessionLimits {
    connect_patience: Duration::from_secs(10),
    login_patience: Duration::from_secs(10),
    keep_alive_cap: Duration::from_mins(15),
    in_flight_max: 4,
};

fn start() -> Instant {
    Instant::now()
}

fn connect(user_name: &str, keep_alive_s: u16) -> Incoming {
    Incoming::Connect(Connect {
        keep_alive_s,
        login: Some(Login {
            user_name: user_name.into(),
            password: "secret".into(),
        }),
        will: None,
    })
}

fn publish(topic: &str, qos: u8, packet_id: u16) -> Incoming {
    Incoming::Publish(Publish {
        qos,
        packet_id,
        topic: Bytes::copy_from_slice(topic.as_bytes()),
        payload: Bytes::from_static(b"x"),
    })
}

fn opened(now: Instant, keep_alive_s: u16) -> Session {
    let mut session = Session::new(LIMITS, now);
    session.handle_packet(connect("acme/washer", keep_alive_s), now);
    assert!(matches!(session.poll_event(), Some(Event::Authenticate(_))));
    session.handle_verdict(Verdict::Accepted(DeviceId::new("washer").unwrap()), now);
    assert_eq!(session.poll_transmit(), Some(Outgoing::ConnAck(ConnectCode::Accepted)));
    session
}

fn closed(session: &mut Session) -> Option<CloseReason> {
    std::iter::from_fn(|| session.poll_event()).find_map(|event| match event {
        Event::Closed(reason) => Some(reason),
        _ => None,
    })
}

#[test]
fn topics_and_what_becomes_of_them() {
    let table = [
        ("d/washer/t", Ok(Kind::Telemetry)),
        ("d/washer/j", Ok(Kind::TelemetryJson)),
        ("d/washer/e", Ok(Kind::Event)),
        ("d/washer/s", Ok(Kind::State)),
        ("d/washer/r/42", Ok(Kind::Reply("42".into()))),
        ("d/dryer/t", Err("foreign_topic")),
        ("d/washer2/t", Err("foreign_topic")),
        ("d/washer/c/42", Err("topic")),
        ("d/washer/f/1", Err("firmware")),
        ("d/washer/x", Err("topic")),
        ("d/washer/t/", Err("topic")),
        ("d/washer/r/a/b/c/d/e/f", Err("topic")),
        ("d/+/t", Err("topic")),
        ("#", Err("topic")),
        ("", Err("topic")),
        ("$SYS/broker", Err("topic")),
        ("家电/冰箱", Err("topic")),
        ("p/nonce/csr", Err("foreign_topic")),
    ];
    for (topic, expected) in table {
        let mut session = opened(start(), 60);
        session.handle_packet(publish(topic, 1, 7), start());
        let got = match session.poll_event() {
            Some(Event::Received(received)) => Ok(received.kind),
            Some(Event::Closed(reason)) => Err(reason.label()),
            other => panic!("{topic}: {other:?}"),
        };
        assert_eq!(got, expected, "{topic}");
        assert_eq!(
            session.poll_transmit(),
            None,
            "{topic}: nothing is acknowledged before its commit"
        );
    }
}

#[test]
fn log_ins_and_their_codes() {
    let long = "x".repeat(257);
    let table = [
        ("", Some(ConnectCode::BadLogin)),
        ("acme/", Some(ConnectCode::BadLogin)),
        ("/washer", Some(ConnectCode::BadLogin)),
        ("acme/a/b", Some(ConnectCode::BadLogin)),
        ("家电/冰箱", Some(ConnectCode::BadLogin)),
        (long.as_str(), Some(ConnectCode::BadLogin)),
        ("acme/washer", None),
        ("A1_TOKEN", None),
    ];
    for (user_name, code) in table {
        let mut session = Session::new(LIMITS, start());
        session.handle_packet(connect(user_name, 60), start());
        assert_eq!(session.poll_transmit(), code.map(Outgoing::ConnAck), "{user_name}");
        assert_eq!(session.is_closed(), code.is_some(), "{user_name}");
    }
    for (verdict, code) in [
        (Verdict::Refused, ConnectCode::NotAuthorised),
        (Verdict::Unavailable, ConnectCode::Unavailable),
    ] {
        let mut session = Session::new(LIMITS, start());
        session.handle_packet(connect("acme/washer", 60), start());
        session.handle_verdict(verdict, start());
        assert_eq!(session.poll_transmit(), Some(Outgoing::ConnAck(code)));
        assert!(session.is_closed());
    }
}

#[test]
fn secrets_are_not_in_debug_output() {
    let mut session = Session::new(LIMITS, start());
    let packet = connect("TOP-TOKEN", 60);
    let shown = format!("{packet:?}");
    session.handle_packet(packet, start());
    let shown = format!("{shown}{:?}{session:?}", session.poll_event());
    assert!(!shown.contains("secret") && !shown.contains("TOP-TOKEN"), "{shown}");
}

#[test]
fn acknowledgements_follow_commits_in_the_order_of_receipt() {
    let mut session = opened(start(), 60);
    for packet_id in [5, 6, 7] {
        session.handle_packet(publish("d/washer/t", 1, packet_id), start());
    }
    session.handle_committed(1);
    session.handle_committed(1);
    assert_eq!(session.poll_transmit(), None);
    session.handle_committed(0);
    assert_eq!(session.poll_transmit(), Some(Outgoing::PubAck(5)));
    assert_eq!(session.poll_transmit(), Some(Outgoing::PubAck(6)));
    assert_eq!(session.poll_transmit(), None);
    session.handle_committed(2);
    assert_eq!(session.poll_transmit(), Some(Outgoing::PubAck(7)));
}

#[test]
fn too_much_in_flight_closes_at_qos_1_and_drops_at_qos_0() {
    let mut session = opened(start(), 60);
    for packet_id in 1..=4 {
        session.handle_packet(publish("d/washer/t", 1, packet_id), start());
        assert!(matches!(session.poll_event(), Some(Event::Received(_))));
    }
    session.handle_packet(publish("d/washer/t", 0, 0), start());
    assert_eq!(session.poll_event(), Some(Event::Dropped));
    session.handle_packet(Incoming::PingReq, start());
    assert_eq!(
        session.poll_transmit(),
        Some(Outgoing::PingResp),
        "control packets are still read"
    );
    session.handle_packet(publish("d/washer/t", 1, 5), start());
    assert_eq!(closed(&mut session), Some(CloseReason::InFlight));
}

#[test]
fn subscriptions() {
    let mut session = opened(start(), 60);
    let filters = [
        "d/washer/c/+",
        "d/washer/f/+",
        "d/washer/#",
        "#",
        "+/washer/c/+",
        "d/dryer/c/+",
        "$share/g/d/washer/c/+",
    ];
    let filters = filters.iter().map(|f| ((*f).to_owned(), 2)).collect();
    session.handle_packet(Incoming::Subscribe { packet_id: 9, filters }, start());
    let codes = vec![1, 1, 0x80, 0x80, 0x80, 0x80, 0x80];
    assert_eq!(session.poll_transmit(), Some(Outgoing::SubAck { packet_id: 9, codes }));
    assert_eq!(session.poll_event(), Some(Event::CommandsWanted));
    let filters = vec!["never/granted".to_owned()];
    session.handle_packet(Incoming::Unsubscribe { packet_id: 10, filters }, start());
    assert_eq!(session.poll_transmit(), Some(Outgoing::UnsubAck(10)));
}

#[test]
fn commands_wait_for_the_window_and_are_not_repeated() {
    let mut session = opened(start(), 60);
    let command = |session: &mut Session, n: u32| session.handle_command(&n.to_string(), Bytes::from_static(b"{}"));
    assert_eq!(command(&mut session, 0), Delivery::NotSubscribed);
    let filters = vec![("d/washer/c/+".to_owned(), 1)];
    session.handle_packet(Incoming::Subscribe { packet_id: 1, filters }, start());
    session.poll_transmit();
    let taken = (0..60).filter(|n| command(&mut session, *n) == Delivery::Taken).count();
    assert_eq!(taken, 16 + 32, "window and queue are bounded");
    assert_eq!(command(&mut session, 0), Delivery::Repeated);
    let sent: Vec<_> = std::iter::from_fn(|| session.poll_transmit()).collect();
    assert_eq!(sent.len(), 16);
    let Some(Outgoing::Publish {
        qos: 1,
        packet_id,
        topic,
        ..
    }) = sent.first()
    else {
        panic!("{sent:?}");
    };
    assert_eq!(topic, "d/washer/c/0");
    session.handle_packet(Incoming::PubAck(*packet_id), start());
    session.handle_packet(Incoming::PubAck(60_000), start());
    let Some(Outgoing::Publish { topic, .. }) = session.poll_transmit() else {
        panic!("the window has room again");
    };
    assert_eq!(topic, "d/washer/c/16");
    let filters = vec!["d/washer/c/+".to_owned()];
    session.handle_packet(Incoming::Unsubscribe { packet_id: 2, filters }, start());
    assert_eq!(command(&mut session, 99), Delivery::NotSubscribed);
}

#[test]
fn deadlines() {
    let t0 = start();
    let mut silent = Session::new(LIMITS, t0);
    silent.handle_timeout(t0 + Duration::from_millis(9_999));
    assert!(!silent.is_closed());
    silent.handle_timeout(t0 + Duration::from_secs(10));
    assert_eq!(closed(&mut silent), Some(CloseReason::SilentConnect));

    for (keep_alive_s, patience) in [(10, Duration::from_secs(15)), (0, LIMITS.keep_alive_cap)] {
        let mut session = opened(t0, keep_alive_s);
        let heard = t0 + Duration::from_secs(8);
        session.handle_packet(Incoming::PingReq, heard);
        assert_eq!(session.poll_timeout(), Some(heard + patience));
        session.handle_timeout(heard + patience);
        assert_eq!(closed(&mut session), Some(CloseReason::KeepAlive));
    }
}

#[test]
fn a_will_is_the_device_s_own_and_speaks_only_when_it_vanishes() {
    let with_will = |topic: &str| {
        let mut session = Session::new(LIMITS, start());
        let Incoming::Connect(mut packet) = connect("acme/washer", 60) else {
            unreachable!()
        };
        let Incoming::Publish(will) = publish(topic, 2, 0) else {
            unreachable!()
        };
        packet.will = Some(will);
        session.handle_packet(Incoming::Connect(packet), start());
        session.poll_event();
        session.handle_verdict(Verdict::Accepted(DeviceId::new("washer").unwrap()), start());
        session
    };
    let mut foreign = with_will("d/dryer/s");
    assert_eq!(
        foreign.poll_transmit(),
        Some(Outgoing::ConnAck(ConnectCode::NotAuthorised))
    );
    assert_eq!(closed(&mut foreign).map(|r| r.label()), Some("will"));

    let mut vanished = with_will("d/washer/e");
    vanished.handle_close(CloseReason::Lost);
    assert!(matches!(vanished.poll_event(), Some(Event::Received(r)) if r.kind == Kind::Event && r.number.is_none()));

    let mut left = with_will("d/washer/e");
    left.handle_packet(Incoming::Disconnect, start());
    assert_eq!(left.poll_event(), Some(Event::Closed(CloseReason::Disconnected)));
}

#[test]
fn packets_at_the_wrong_time() {
    let mut session = Session::new(LIMITS, start());
    session.handle_packet(Incoming::PingReq, start());
    assert_eq!(closed(&mut session), Some(CloseReason::NotConnect));
    for packet in [
        connect("acme/washer", 60),
        Incoming::Unexpected("SUBACK"),
        publish("d/washer/t", 2, 1),
        Incoming::Subscribe {
            packet_id: 0,
            filters: Vec::new(),
        },
        Incoming::Unsubscribe {
            packet_id: 1,
            filters: Vec::new(),
        },
    ] {
        let mut session = opened(start(), 60);
        session.handle_packet(packet.clone(), start());
        assert!(closed(&mut session).is_some_and(|r| r.is_refusal()), "{packet:?}");
        session.handle_packet(Incoming::PingReq, start());
        assert_eq!(session.poll_transmit(), None, "nothing is said after the end");
    }
}

/// Anything that can be done to a session.
#[derive(Debug, Clone)]
enum Step {
    Packet(Incoming),
    Committed(u64),
    Command(u32),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let topic = prop_oneof![
        Just("d/washer/t".to_owned()),
        Just("d/washer/r/1".to_owned()),
        "[a-z/+#$家]{0,12}"
    ];
    let filter = prop_oneof![Just("d/washer/c/+".to_owned()), "[a-z/+#]{0,12}"];
    let packet = prop_oneof![
        8 => (topic, 0u8..3, any::<u16>()).prop_map(|(t, q, id)| publish(&t, q, if q == 0 { 0 } else { id.max(1) })),
        2 => any::<u16>().prop_map(Incoming::PubAck),
        2 => (any::<u16>(), prop::collection::vec((filter.clone(), 0u8..3), 0..4))
            .prop_map(|(packet_id, filters)| Incoming::Subscribe { packet_id, filters }),
        2 => (any::<u16>(), prop::collection::vec(filter, 0..3))
            .prop_map(|(packet_id, filters)| Incoming::Unsubscribe { packet_id, filters }),
        2 => Just(Incoming::PingReq),
    ];
    prop_oneof![
        6 => packet.prop_map(Step::Packet),
        4 => (0u64..40).prop_map(Step::Committed),
        2 => (0u32..100).prop_map(Step::Command),
        1 => (0u64..30).prop_map(Step::Wait),
    ]
}

proptest! {
    /// Whatever happens in whatever order: no panic, bounded, one end, and an acknowledgement only for a commit.
    #[test]
    fn invariants(steps in prop::collection::vec(step(), 0..120)) {
        let mut now = start();
        let mut session = opened(now, 60);
        let (mut acknowledged, mut commits, mut ends, mut received) = (0, std::collections::BTreeSet::new(), 0, 0u64);
        for step in steps {
            match step {
                Step::Packet(packet) => session.handle_packet(packet, now),
                Step::Committed(number) => {
                    if number < received { commits.insert(number); }
                    session.handle_committed(number);
                }
                Step::Command(n) => { session.handle_command(&n.to_string(), Bytes::new()); }
                Step::Wait(seconds) => { now += Duration::from_secs(seconds); session.handle_timeout(now); }
            }
            while let Some(event) = session.poll_event() {
                match event {
                    Event::Received(_) => received += 1,
                    Event::Closed(_) => ends += 1,
                    _ => {}
                }
            }
            while let Some(packet) = session.poll_transmit() {
                acknowledged += usize::from(matches!(packet, Outgoing::PubAck(_)));
            }
            prop_assert!(session.in_flight() <= LIMITS.in_flight_max);
            prop_assert!(acknowledged <= commits.len());
            prop_assert_eq!(ends, i32::from(session.is_closed()));
        }
    }
}
