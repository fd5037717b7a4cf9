//! State × packet: what is done and said. The tables stand in `table_v4.txt` and `table_v5.txt`; `UPDATE_EXPECT=1` writes
//! them again.

use crate::fixture::*;
use expect_test::{ExpectFile, expect_file};
use hub_broker::session::{CloseReason, Event, Incoming, Outgoing, Session, Verdict, Version};

/// Everything that came of the last step, in one line.
fn outcome(session: &mut Session) -> String {
    let mut parts: Vec<String> = events(session).iter().map(event).collect();
    parts.extend(transmitted(session).iter().map(packet));
    if parts.is_empty() { "-".into() } else { parts.join("; ") }
}

fn event(event: &Event) -> String {
    match event {
        Event::Authenticate(credential) => format!("authenticate {credential}"),
        Event::Received(r) => format!(
            "received {:?} #{:?} once {:?}",
            r.kind,
            r.number.unwrap(),
            r.exactly_once
        ),
        Event::Will { received, delay_s } => format!("will {:?} after {delay_s} s", received.kind),
        Event::KeepSession(kept) => format!("keep {} s {:?}", kept.expiry_s, kept.subscriptions),
        Event::Refused(reason) => format!("refused {}", reason.label()),
        Event::Closed(reason) => format!("closed {}", reason.label()),
        other => format!("{other:?}"),
    }
}

fn packet(packet: &Outgoing) -> String {
    match packet {
        Outgoing::ConnAck { present, reason, .. } => format!("> CONNACK {reason:?} present {present}"),
        Outgoing::Publish(p) => format!("> PUBLISH {} qos {} id {} dup {}", p.topic, p.qos, p.packet_id, p.dup),
        Outgoing::PubAck(ack) => format!("> PUBACK {} {:?}", ack.packet_id, ack.reason),
        Outgoing::PubRec(ack) => format!("> PUBREC {} {:?}", ack.packet_id, ack.reason),
        Outgoing::PubComp(ack) => format!("> PUBCOMP {} {:?}", ack.packet_id, ack.reason),
        Outgoing::SubAck { packet_id, codes } => format!("> SUBACK {packet_id} {codes:02x?}"),
        Outgoing::UnsubAck { packet_id, reasons } => format!("> UNSUBACK {packet_id} {reasons:?}"),
        Outgoing::PingResp => "> PINGRESP".into(),
        Outgoing::Disconnect { reason, .. } => format!("> DISCONNECT {reason:?}"),
    }
}

/// Every state that a packet, an answer or the time can find a session in.
fn states(version: Version) -> Vec<(&'static str, Session)> {
    let mut login = new();
    login.handle_packet(Incoming::Connect(Box::new(hello(version))), start());
    let mut with_will = hello(version);
    with_will.will = Some(will("d/washer/s", 9));
    let mut in_flight = opened(version);
    in_flight.handle_packet(publish("d/washer/t", 2, 7), start());
    let mut received = opened_durable(version);
    received.handle_packet(publish("d/washer/t", 2, 7), start());
    received.handle_committed(0);
    let mut over = opened(version);
    over.handle_close(CloseReason::Lost);
    let mut states = vec![
        ("greeting", new()),
        ("login", login),
        ("opening", greet(durable(version), device(None))),
        ("open", open(with_will, device(None))),
        ("kept", opened_durable(version)),
        ("in flight", in_flight),
        ("received", received),
        ("over", over),
    ];
    for (_, session) in &mut states {
        let _ = (events(session), transmitted(session));
    }
    states
}

/// What a client can send.
fn packets(version: Version) -> Vec<(&'static str, Incoming)> {
    vec![
        ("CONNECT", Incoming::Connect(Box::new(hello(version)))),
        ("PUBLISH 0", publish("d/washer/t", 0, 0)),
        ("PUBLISH 1", publish("d/washer/t", 1, 5)),
        ("PUBLISH 2", publish("d/washer/t", 2, 7)),
        ("PUBLISH 1 foreign", publish("d/dryer/t", 1, 5)),
        ("PUBLISH 0 foreign", publish("d/dryer/t", 0, 0)),
        ("PUBLISH 1 no topic", publish("家电/#", 1, 5)),
        ("PUBREL", Incoming::PubRel(7)),
        ("PUBACK", Incoming::PubAck(7)),
        (
            "SUBSCRIBE",
            subscribe(3, &["d/washer/c/+", "#", "$share/g/d/washer/c/+", "d/#/x"]),
        ),
        ("UNSUBSCRIBE", unsubscribe(4, &["d/washer/c/+"])),
        ("PINGREQ", Incoming::PingReq),
        ("DISCONNECT", DISCONNECT),
        (
            "DISCONNECT with will",
            Incoming::Disconnect {
                reason: 4,
                session_expiry_s: None,
            },
        ),
        (
            "DISCONNECT keep",
            Incoming::Disconnect {
                reason: 0,
                session_expiry_s: Some(9),
            },
        ),
        (
            "DISCONNECT forget",
            Incoming::Disconnect {
                reason: 0,
                session_expiry_s: Some(0),
            },
        ),
        ("AUTH", Incoming::Unexpected("AUTH")),
    ]
}

/// What the shell can say.
type Step = (&'static str, fn(&mut Session));
const STEPS: [Step; 8] = [
    ("store keeps", |s| s.handle_session_kept(true, start())),
    ("store fails", |s| s.handle_session_kept(false, start())),
    ("accepted", |s| {
        s.handle_verdict(Verdict::Accepted(device(None)), start())
    }),
    ("refused", |s| s.handle_verdict(Verdict::Refused, start())),
    ("unavailable", |s| s.handle_verdict(Verdict::Unavailable, start())),
    ("committed", |s| s.handle_committed(0)),
    ("lost", |s| s.handle_close(CloseReason::Lost)),
    ("taken over", |s| s.handle_close(CloseReason::TakenOver)),
];

fn table(version: Version) -> String {
    let mut table = String::new();
    for (at, (state, _)) in states(version).into_iter().enumerate() {
        table += &format!("{state}\n");
        let session = || states(version).swap_remove(at).1;
        for (name, packet) in packets(version) {
            let mut session = session();
            if session.wants_packet() || session.is_closed() {
                session.handle_packet(packet, start());
                table += &format!("  {name}: {}\n", outcome(&mut session));
            }
        }
        for (name, step) in STEPS {
            let mut session = session();
            step(&mut session);
            table += &format!("  ({name}): {}\n", outcome(&mut session));
        }
        let mut session = session();
        if let Some(due) = session.poll_timeout() {
            session.handle_timeout(due);
            table += &format!("  (time is up): {}\n", outcome(&mut session));
        }
    }
    table
}

fn check(version: Version, expected: &ExpectFile) {
    expected.assert_eq(&table(version));
}

#[test]
fn version_3_1_1() {
    check(V4, &expect_file!["table_v4.txt"]);
}

#[test]
fn version_5_0() {
    check(V5, &expect_file!["table_v5.txt"]);
}
