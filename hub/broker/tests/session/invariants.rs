//! Anything in any order: what holds always.

use crate::fixture::*;
use crate::fuzzing::fuzz;
use hub_broker::session::packet::{ConnectProperties, Filter, RetainHandling, Subscribe};
use hub_broker::session::{
    Access, CloseReason, Connect, Event, Incoming, Message, Outbound, Outgoing, Publish, Session, Verdict, Version,
};
use hub_store::session::KeptSession;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

/// Anything that can be done to a session.
#[derive(Debug, Clone)]
enum Step {
    Packet(Incoming),
    Committed(u64),
    Refused(u64),
    Verdict(Verdict),
    Kept(bool),
    Command(u16),
    Wait(u64),
    Close,
}

fn topic() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just("d/washer/t".to_owned()),
        1 => Just("d/washer/r/1".to_owned()),
        1 => Just("v1/devices/me/rpc/request/1".to_owned()),
        1 => Just("p/n/q".to_owned()),
        1 => Just("d/dryer/t".to_owned()),
        1 => "[a-z/+#$家]{0,12}",
    ]
}

fn packet() -> impl Strategy<Value = Incoming> {
    let filter = prop_oneof![
        Just("d/washer/c/+".to_owned()),
        Just("p/n/r".to_owned()),
        Just("d/+/t".to_owned()),
        "[a-z/+#]{0,12}"
    ];
    let with_options = (filter.clone(), 0u8..3).prop_map(|(path, qos)| Filter {
        path,
        qos,
        retain_as_published: false,
        retain_handling: RetainHandling::New,
    });
    prop_oneof![
        10 => (topic(), 0u8..3, 1u16..6, prop::option::weighted(0.1, 0u16..20), any::<bool>()).prop_map(
            |(topic, qos, packet_id, alias, retain)| Incoming::Publish(Publish {
                qos,
                packet_id: if qos == 0 { 0 } else { packet_id },
                retain,
                alias,
                message: Message::new(topic.as_bytes(), b"x"),
            })),
        4 => (1u16..6).prop_map(Incoming::PubRel),
        2 => (1u16..20).prop_map(Incoming::PubAck),
        2 => (1u16.., prop::collection::vec(with_options, 1..4), prop::bool::weighted(0.05)).prop_map(
            |(packet_id, filters, identifier)| Incoming::Subscribe(Box::new(Subscribe { packet_id, filters, identifier }))),
        1 => (1u16.., prop::collection::vec(filter, 1..3))
            .prop_map(|(packet_id, filters)| Incoming::Unsubscribe { packet_id, filters }),
        2 => Just(Incoming::PingReq),
        1 => (any::<u8>(), prop::option::of(0u32..5000))
            .prop_map(|(reason, session_expiry_s)| Incoming::Disconnect { reason, session_expiry_s }),
    ]
}

fn access() -> impl Strategy<Value = Access> {
    let kept = (any::<u32>(), prop::collection::vec(1u16..6, 0..4)).prop_map(|(expiry_s, mut unreleased)| {
        unreleased.sort_unstable();
        unreleased.dedup();
        KeptSession {
            expiry_s,
            subscriptions: vec![("d/washer/c/+".into(), 1), ("none/such".into(), 2)],
            unreleased,
        }
    });
    prop_oneof![
        6 => prop::option::of(kept).prop_map(device),
        1 => Just(Access::Integrator { filters: vec!["d/+/t".into()] }),
        1 => Just(Access::Claimant),
    ]
}

fn connect() -> impl Strategy<Value = Connect> {
    let version = prop_oneof![Just(V4), Just(V5)];
    let expiry = prop::option::of(any::<u32>());
    (
        version,
        any::<bool>(),
        any::<u16>(),
        expiry,
        1u16..5,
        1u32..2_000,
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |(version, clean_start, keep_alive_s, expiry, receive_maximum, bytes, problems, with_will)| {
                let v5 = ConnectProperties {
                    session_expiry_s: expiry,
                    receive_maximum,
                    packet_bytes_max: bytes + 127,
                    problem_information: problems,
                    authentication: false,
                };
                Connect {
                    clean_start,
                    keep_alive_s,
                    will: with_will.then(|| will("d/washer/s", 3)),
                    properties: if version == V5 {
                        v5
                    } else {
                        ConnectProperties::default()
                    },
                    ..hello(version)
                }
            },
        )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => packet().prop_map(Step::Packet),
        8 => (0u64..40).prop_map(Step::Committed),
        1 => (0u64..40).prop_map(Step::Refused),
        1 => access().prop_map(|access| Step::Verdict(Verdict::Accepted(access))),
        3 => prop::bool::weighted(0.95).prop_map(Step::Kept),
        2 => any::<u16>().prop_map(Step::Command),
        1 => (0u64..30).prop_map(Step::Wait),
        1 => prop::bool::weighted(0.1).prop_map(|close| if close { Step::Close } else { Step::Wait(0) }),
    ]
}

/// What the client and the store know.
#[derive(Default)]
struct Model {
    /// Numbers that the shell was given, with what is awaited: packet identifier and QoS.
    given: BTreeMap<u64, (u16, u8)>,
    settled: BTreeSet<u64>,
    /// QoS 1 publishes in the order of receipt.
    first_in: VecDeque<u16>,
    /// QoS 2 identifiers whose content is stored.
    stored: BTreeSet<u16>,
    releases: BTreeSet<u64>,
    ends: u32,
    unacknowledged: BTreeSet<u16>,
}

impl Model {
    fn event(&mut self, event: Event, last: &Option<Incoming>) -> Result<(), TestCaseError> {
        match event {
            Event::Received(received) => {
                let number = received.number.unwrap();
                let Some(Incoming::Publish(publish)) = last else {
                    return Err(TestCaseError::fail("received without a publish"));
                };
                prop_assert!(self.given.insert(number, (publish.packet_id, publish.qos)).is_none());
                prop_assert!(
                    received
                        .exactly_once
                        .is_none_or(|id| id == publish.packet_id && publish.qos == 2)
                );
            }
            Event::Released { number, .. } => prop_assert!(self.releases.insert(number)),
            Event::Closed(_) => self.ends += 1,
            _ => {}
        }
        Ok(())
    }

    fn packet(&mut self, packet: Outgoing, version: Version, connect: &Connect) -> Result<(), TestCaseError> {
        match packet {
            Outgoing::PubAck(ack) => {
                prop_assert_eq!(self.first_in.pop_front(), Some(ack.packet_id), "PUBACK out of order");
                if !ack.reason.is_error() {
                    let is_it = |(number, awaited): (&u64, &(u16, u8))| {
                        (self.settled.contains(number) && *awaited == (ack.packet_id, 1)).then_some(*number)
                    };
                    let number = self.given.iter().find_map(is_it);
                    prop_assert!(number.is_some(), "PUBACK {} before its commit", ack.packet_id);
                    self.given.remove(&number.unwrap());
                }
            }
            Outgoing::PubRec(ack) if !ack.reason.is_error() => {
                let committed = self
                    .given
                    .iter()
                    .any(|(number, awaited)| self.settled.contains(number) && *awaited == (ack.packet_id, 2));
                prop_assert!(
                    committed || self.stored.contains(&ack.packet_id),
                    "PUBREC before its commit"
                );
                self.stored.insert(ack.packet_id);
            }
            Outgoing::Publish(publish) => {
                prop_assert!(publish.bytes(version) <= u64::from(connect.properties.packet_bytes_max));
                if publish.qos > 0 {
                    prop_assert!(self.unacknowledged.insert(publish.packet_id), "identifier in use");
                    prop_assert!(self.unacknowledged.len() <= usize::from(connect.properties.receive_maximum));
                }
                prop_assert!(version == V5 || publish.properties == Default::default());
            }
            Outgoing::Disconnect { .. } => prop_assert_eq!(version, V5),
            _ => {}
        }
        Ok(())
    }
}

fn run(connect: Connect, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut now = Instant::now();
    let mut session = Session::new(LIMITS, None, 1, now);
    let version = connect.version;
    let mut model = Model::default();
    session.handle_packet(Incoming::Connect(Box::new(connect.clone())), now);
    for step in steps {
        let was_closed = session.is_closed();
        let mut last = None;
        match step {
            Step::Packet(packet) if session.wants_packet() || was_closed => {
                last = Some(packet.clone());
                if let Incoming::PubAck(id) = packet {
                    model.unacknowledged.remove(&id);
                }
                if let (Incoming::Publish(publish), false) = (&packet, was_closed)
                    && publish.qos == 1
                {
                    model.first_in.push_back(publish.packet_id);
                }
                session.handle_packet(packet, now);
            }
            Step::Packet(_) => {}
            Step::Committed(number) => {
                model
                    .settled
                    .extend(model.given.contains_key(&number).then_some(number));
                session.handle_committed(number);
            }
            Step::Refused(number) if model.settled.contains(&number) => {}
            Step::Refused(number) => session.handle_refused(number, CloseReason::Quota("x")),
            Step::Verdict(verdict) => {
                if let Verdict::Accepted(Access::Device { kept: Some(kept), .. }) = &verdict
                    && !connect.clean_start
                {
                    model.stored.extend(&kept.unreleased);
                }
                session.handle_verdict(verdict, now);
            }
            Step::Kept(kept) => session.handle_session_kept(kept, now),
            Step::Command(packet_id) => {
                session.handle_message(Outbound::Command {
                    request: (packet_id % 64).to_string(),
                    payload: json(),
                    packet_id: packet_id % 8,
                    sent_before: true,
                    expires_in_s: None,
                });
            }
            Step::Wait(seconds) => {
                now += Duration::from_secs(seconds);
                session.handle_timeout(now);
                prop_assert!(
                    session.poll_timeout().is_none_or(|due| due > now),
                    "time does not move on"
                );
            }
            Step::Close => session.handle_close(CloseReason::Lost),
        }
        while let Some(event) = session.poll_event() {
            prop_assert!(!was_closed, "event after the end: {event:?}");
            model.event(event, &last)?;
        }
        while let Some(packet) = session.poll_transmit() {
            prop_assert!(!was_closed, "packet after the end: {packet:?}");
            model.packet(packet, version, &connect)?;
        }
        prop_assert!(session.in_flight() <= LIMITS.in_flight_max);
        prop_assert_eq!(model.ends, u32::from(session.is_closed()));
    }
    Ok(())
}

/// Whatever happens in whatever order: no panic, bounded, one end and silence after it, time moves on, and an
/// acknowledgement only for a commit and in order.
#[test]
fn fuzz_invariants() {
    let case = (connect(), access(), prop::collection::vec(step(), 0..120));
    fuzz(1_500, &case, |(connect, access, mut steps)| {
        // Most cases begin with an open session.
        steps.insert(0, Step::Verdict(Verdict::Accepted(access)));
        steps.splice(1..1, [Step::Kept(true), Step::Kept(true)]);
        run(connect, steps)
    });
}
