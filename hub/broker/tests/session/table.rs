//! State × packet: what is done and said.

use crate::fixture::*;
use expect_test::{Expect, expect};
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

fn check(version: Version, expected: &Expect) {
    expected.assert_eq(&table(version));
}

#[test]
fn version_3_1_1() {
    check(
        V4,
        &expect![[r#"
        greeting
          CONNECT: authenticate acme/washer
          PUBLISH 0: closed not_connect
          PUBLISH 1: closed not_connect
          PUBLISH 2: closed not_connect
          PUBLISH 1 foreign: closed not_connect
          PUBLISH 0 foreign: closed not_connect
          PUBLISH 1 no topic: closed not_connect
          PUBREL: closed not_connect
          PUBACK: closed not_connect
          SUBSCRIBE: closed not_connect
          UNSUBSCRIBE: closed not_connect
          PINGREQ: closed not_connect
          DISCONNECT: closed not_connect
          DISCONNECT with will: closed not_connect
          DISCONNECT keep: closed not_connect
          DISCONNECT forget: closed not_connect
          AUTH: closed not_connect
          (store keeps): -
          (store fails): -
          (accepted): -
          (refused): -
          (unavailable): -
          (committed): -
          (lost): closed lost
          (taken over): closed taken_over
          (time is up): closed silent_connect
        login
          (store keeps): -
          (store fails): -
          (accepted): Opened { present: false }; > CONNACK Success present false
          (refused): closed refused; > CONNACK NotAuthorised present false
          (unavailable): closed store_down; > CONNACK Unavailable present false
          (committed): -
          (lost): closed lost
          (taken over): closed taken_over
          (time is up): closed store_down; > CONNACK Unavailable present false
        opening
          (store keeps): -
          (store fails): closed store_down; > CONNACK Unavailable present false
          (accepted): -
          (refused): -
          (unavailable): -
          (committed): -
          (lost): closed lost
          (taken over): closed taken_over
          (time is up): closed store_down; > CONNACK Unavailable present false
        open
          CONNECT: will State after 0 s; closed unexpected
          PUBLISH 0: received Telemetry #0 once None
          PUBLISH 1: received Telemetry #0 once None
          PUBLISH 2: received Telemetry #0 once None
          PUBLISH 1 foreign: will State after 0 s; closed foreign_topic
          PUBLISH 0 foreign: will State after 0 s; closed foreign_topic
          PUBLISH 1 no topic: will State after 0 s; closed topic
          PUBREL: > PUBCOMP 7 PacketIdNotFound
          PUBACK: -
          SUBSCRIBE: refused filter; CommandsWanted; > SUBACK 3 [01, 80, 80, 80]
          UNSUBSCRIBE: > UNSUBACK 4 [NoSubscriptionExisted]
          PINGREQ: > PINGRESP
          DISCONNECT: closed disconnected
          DISCONNECT with will: will State after 0 s; closed disconnected
          DISCONNECT keep: will State after 0 s; closed unexpected
          DISCONNECT forget: closed disconnected
          AUTH: will State after 0 s; closed unexpected
          (store keeps): -
          (store fails): -
          (accepted): -
          (refused): -
          (unavailable): -
          (committed): -
          (lost): will State after 0 s; closed lost
          (taken over): will State after 0 s; closed taken_over
          (time is up): will State after 0 s; closed keep_alive
        kept
          CONNECT: closed unexpected
          PUBLISH 0: received Telemetry #0 once None
          PUBLISH 1: received Telemetry #0 once None
          PUBLISH 2: received Telemetry #0 once Some(7)
          PUBLISH 1 foreign: closed foreign_topic
          PUBLISH 0 foreign: closed foreign_topic
          PUBLISH 1 no topic: closed topic
          PUBREL: Released { number: 0, packet_id: 7 }
          PUBACK: -
          SUBSCRIBE: refused filter; keep 3600 s [("d/washer/c/+", 1)]
          UNSUBSCRIBE: > UNSUBACK 4 [NoSubscriptionExisted]
          PINGREQ: > PINGRESP
          DISCONNECT: closed disconnected
          DISCONNECT with will: closed disconnected
          DISCONNECT keep: keep 9 s []; closed disconnected
          DISCONNECT forget: DropSession; closed disconnected
          AUTH: closed unexpected
          (store keeps): -
          (store fails): -
          (accepted): -
          (refused): -
          (unavailable): -
          (committed): -
          (lost): closed lost
          (taken over): closed taken_over
          (time is up): closed keep_alive
        in flight
          CONNECT: closed unexpected
          PUBLISH 0: received Telemetry #1 once None
          PUBLISH 1: received Telemetry #1 once None
          PUBLISH 2: -
          PUBLISH 1 foreign: closed foreign_topic
          PUBLISH 0 foreign: closed foreign_topic
          PUBLISH 1 no topic: closed topic
          PUBREL: closed unexpected
          PUBACK: -
          SUBSCRIBE: refused filter; CommandsWanted; > SUBACK 3 [01, 80, 80, 80]
          UNSUBSCRIBE: > UNSUBACK 4 [NoSubscriptionExisted]
          PINGREQ: > PINGRESP
          DISCONNECT: closed disconnected
          DISCONNECT with will: closed disconnected
          DISCONNECT keep: closed unexpected
          DISCONNECT forget: closed disconnected
          AUTH: closed unexpected
          (store keeps): -
          (store fails): -
          (accepted): -
          (refused): -
          (unavailable): -
          (committed): > PUBREC 7 Success
          (lost): closed lost
          (taken over): closed taken_over
          (time is up): closed keep_alive
        received
          CONNECT: closed unexpected
          PUBLISH 0: received Telemetry #1 once None
          PUBLISH 1: received Telemetry #1 once None
          PUBLISH 2: > PUBREC 7 Success
          PUBLISH 1 foreign: closed foreign_topic
          PUBLISH 0 foreign: closed foreign_topic
          PUBLISH 1 no topic: closed topic
          PUBREL: Released { number: 1, packet_id: 7 }
          PUBACK: -
          SUBSCRIBE: refused filter; keep 3600 s [("d/washer/c/+", 1)]
          UNSUBSCRIBE: > UNSUBACK 4 [NoSubscriptionExisted]
          PINGREQ: > PINGRESP
          DISCONNECT: closed disconnected
          DISCONNECT with will: closed disconnected
          DISCONNECT keep: keep 9 s []; closed disconnected
          DISCONNECT forget: DropSession; closed disconnected
          AUTH: closed unexpected
          (store keeps): -
          (store fails): -
          (accepted): -
          (refused): -
          (unavailable): -
          (committed): -
          (lost): closed lost
          (taken over): closed taken_over
          (time is up): closed keep_alive
        over
          CONNECT: -
          PUBLISH 0: -
          PUBLISH 1: -
          PUBLISH 2: -
          PUBLISH 1 foreign: -
          PUBLISH 0 foreign: -
          PUBLISH 1 no topic: -
          PUBREL: -
          PUBACK: -
          SUBSCRIBE: -
          UNSUBSCRIBE: -
          PINGREQ: -
          DISCONNECT: -
          DISCONNECT with will: -
          DISCONNECT keep: -
          DISCONNECT forget: -
          AUTH: -
          (store keeps): -
          (store fails): -
          (accepted): -
          (refused): -
          (unavailable): -
          (committed): -
          (lost): -
          (taken over): -
    "#]],
    );
}

#[test]
fn version_5_0() {
    check(
        V5,
        &expect![[r#"
        greeting
          CONNECT: authenticate acme/washer
          PUBLISH 0: closed not_connect
          PUBLISH 1: closed not_connect
          PUBLISH 2: closed not_connect
          PUBLISH 1 foreign: closed not_connect
          PUBLISH 0 foreign: closed not_connect
          PUBLISH 1 no topic: closed not_connect
          PUBREL: closed not_connect
          PUBACK: closed not_connect
          SUBSCRIBE: closed not_connect
          UNSUBSCRIBE: closed not_connect
          PINGREQ: closed not_connect
          DISCONNECT: closed not_connect
          DISCONNECT with will: closed not_connect
          DISCONNECT keep: closed not_connect
          DISCONNECT forget: closed not_connect
          AUTH: closed not_connect
          (store keeps): -
          (store fails): -
          (accepted): -
          (refused): -
          (unavailable): -
          (committed): -
          (lost): closed lost
          (taken over): closed taken_over
          (time is up): closed silent_connect
        login
          (store keeps): -
          (store fails): -
          (accepted): Opened { present: false }; > CONNACK Success present false
          (refused): closed refused; > CONNACK NotAuthorised present false
          (unavailable): closed store_down; > CONNACK Unavailable present false
          (committed): -
          (lost): closed lost
          (taken over): closed taken_over
          (time is up): closed store_down; > CONNACK Unavailable present false
        opening
          (store keeps): -
          (store fails): closed store_down; > CONNACK Unavailable present false
          (accepted): -
          (refused): -
          (unavailable): -
          (committed): -
          (lost): closed lost
          (taken over): closed taken_over
          (time is up): closed store_down; > CONNACK Unavailable present false
        open
          CONNECT: will State after 0 s; closed unexpected; > DISCONNECT ProtocolError
          PUBLISH 0: received Telemetry #0 once None
          PUBLISH 1: received Telemetry #0 once None
          PUBLISH 2: received Telemetry #0 once None
          PUBLISH 1 foreign: refused foreign_topic; > PUBACK 5 NotAuthorised
          PUBLISH 0 foreign: will State after 0 s; closed foreign_topic; > DISCONNECT NotAuthorised
          PUBLISH 1 no topic: refused topic; > PUBACK 5 TopicInvalid
          PUBREL: > PUBCOMP 7 PacketIdNotFound
          PUBACK: -
          SUBSCRIBE: refused filter; CommandsWanted; > SUBACK 3 [01, 87, 9e, 8f]
          UNSUBSCRIBE: > UNSUBACK 4 [NoSubscriptionExisted]
          PINGREQ: > PINGRESP
          DISCONNECT: closed disconnected
          DISCONNECT with will: will State after 0 s; closed disconnected
          DISCONNECT keep: will State after 0 s; closed unexpected; > DISCONNECT ProtocolError
          DISCONNECT forget: closed disconnected
          AUTH: will State after 0 s; closed unexpected; > DISCONNECT ProtocolError
          (store keeps): -
          (store fails): -
          (accepted): -
          (refused): -
          (unavailable): -
          (committed): -
          (lost): will State after 0 s; closed lost
          (taken over): will State after 0 s; closed taken_over; > DISCONNECT TakenOver
          (time is up): will State after 0 s; closed keep_alive; > DISCONNECT KeepAliveTimeout
        kept
          CONNECT: closed unexpected; > DISCONNECT ProtocolError
          PUBLISH 0: received Telemetry #0 once None
          PUBLISH 1: received Telemetry #0 once None
          PUBLISH 2: received Telemetry #0 once Some(7)
          PUBLISH 1 foreign: refused foreign_topic; > PUBACK 5 NotAuthorised
          PUBLISH 0 foreign: closed foreign_topic; > DISCONNECT NotAuthorised
          PUBLISH 1 no topic: refused topic; > PUBACK 5 TopicInvalid
          PUBREL: Released { number: 0, packet_id: 7 }
          PUBACK: -
          SUBSCRIBE: refused filter; keep 600 s [("d/washer/c/+", 1)]
          UNSUBSCRIBE: > UNSUBACK 4 [NoSubscriptionExisted]
          PINGREQ: > PINGRESP
          DISCONNECT: closed disconnected
          DISCONNECT with will: closed disconnected
          DISCONNECT keep: keep 9 s []; closed disconnected
          DISCONNECT forget: DropSession; closed disconnected
          AUTH: closed unexpected; > DISCONNECT ProtocolError
          (store keeps): -
          (store fails): -
          (accepted): -
          (refused): -
          (unavailable): -
          (committed): -
          (lost): closed lost
          (taken over): closed taken_over; > DISCONNECT TakenOver
          (time is up): closed keep_alive; > DISCONNECT KeepAliveTimeout
        in flight
          CONNECT: closed unexpected; > DISCONNECT ProtocolError
          PUBLISH 0: received Telemetry #1 once None
          PUBLISH 1: received Telemetry #1 once None
          PUBLISH 2: -
          PUBLISH 1 foreign: refused foreign_topic
          PUBLISH 0 foreign: closed foreign_topic; > DISCONNECT NotAuthorised
          PUBLISH 1 no topic: refused topic
          PUBREL: closed unexpected; > DISCONNECT ProtocolError
          PUBACK: -
          SUBSCRIBE: refused filter; CommandsWanted; > SUBACK 3 [01, 87, 9e, 8f]
          UNSUBSCRIBE: > UNSUBACK 4 [NoSubscriptionExisted]
          PINGREQ: > PINGRESP
          DISCONNECT: closed disconnected
          DISCONNECT with will: closed disconnected
          DISCONNECT keep: closed unexpected; > DISCONNECT ProtocolError
          DISCONNECT forget: closed disconnected
          AUTH: closed unexpected; > DISCONNECT ProtocolError
          (store keeps): -
          (store fails): -
          (accepted): -
          (refused): -
          (unavailable): -
          (committed): > PUBREC 7 Success
          (lost): closed lost
          (taken over): closed taken_over; > DISCONNECT TakenOver
          (time is up): closed keep_alive; > DISCONNECT KeepAliveTimeout
        received
          CONNECT: closed unexpected; > DISCONNECT ProtocolError
          PUBLISH 0: received Telemetry #1 once None
          PUBLISH 1: received Telemetry #1 once None
          PUBLISH 2: > PUBREC 7 Success
          PUBLISH 1 foreign: refused foreign_topic; > PUBACK 5 NotAuthorised
          PUBLISH 0 foreign: closed foreign_topic; > DISCONNECT NotAuthorised
          PUBLISH 1 no topic: refused topic; > PUBACK 5 TopicInvalid
          PUBREL: Released { number: 1, packet_id: 7 }
          PUBACK: -
          SUBSCRIBE: refused filter; keep 600 s [("d/washer/c/+", 1)]
          UNSUBSCRIBE: > UNSUBACK 4 [NoSubscriptionExisted]
          PINGREQ: > PINGRESP
          DISCONNECT: closed disconnected
          DISCONNECT with will: closed disconnected
          DISCONNECT keep: keep 9 s []; closed disconnected
          DISCONNECT forget: DropSession; closed disconnected
          AUTH: closed unexpected; > DISCONNECT ProtocolError
          (store keeps): -
          (store fails): -
          (accepted): -
          (refused): -
          (unavailable): -
          (committed): -
          (lost): closed lost
          (taken over): closed taken_over; > DISCONNECT TakenOver
          (time is up): closed keep_alive; > DISCONNECT KeepAliveTimeout
        over
          CONNECT: -
          PUBLISH 0: -
          PUBLISH 1: -
          PUBLISH 2: -
          PUBLISH 1 foreign: -
          PUBLISH 0 foreign: -
          PUBLISH 1 no topic: -
          PUBREL: -
          PUBACK: -
          SUBSCRIBE: -
          UNSUBSCRIBE: -
          PINGREQ: -
          DISCONNECT: -
          DISCONNECT with will: -
          DISCONNECT keep: -
          DISCONNECT forget: -
          AUTH: -
          (store keeps): -
          (store fails): -
          (accepted): -
          (refused): -
          (unavailable): -
          (committed): -
          (lost): -
          (taken over): -
    "#]],
    );
}
