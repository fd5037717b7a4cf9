//! Integrators and claimants.

use crate::fixture::*;
use bytes::Bytes;
use hub_broker::session::packet::{DeliveredProperties, RetainHandling};
use hub_broker::session::{Access, Delivery, Event, Incoming, Kind, Outbound, Outgoing, Reason, Session};

fn integrator(version: hub_broker::session::Version) -> Session {
    let filters = vec!["d/+/t".into(), "d/+/s".into()];
    let mut session = open(hello(version), Access::Integrator { filters });
    let _ = events(&mut session);
    session
}

fn codes(session: &mut Session) -> Vec<u8> {
    match &transmitted(session)[..] {
        [Outgoing::SubAck { codes, .. }] => codes.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_integrator_subscribes_within_what_was_granted() {
    let filters = ["d/+/t", "d/washer/t", "d/+/e", "d/#", "#", "$share/g/d/+/t", "d/+/#/t"];
    let mut session = integrator(V5);
    session.handle_packet(subscribe(1, &filters), start());
    assert_eq!(codes(&mut session), [1, 1, 0x87, 0x87, 0x87, 0x9E, 0x8F]);
    let subscribed: Vec<_> = events(&mut session)
        .into_iter()
        .filter_map(|event| match event {
            Event::Subscribed {
                filter, qos, retained, ..
            } => Some((filter, qos, retained)),
            _ => None,
        })
        .collect();
    assert_eq!(
        subscribed,
        [("d/+/t".to_owned(), 1, true), ("d/washer/t".to_owned(), 1, true)]
    );
    let mut session = integrator(V4);
    session.handle_packet(subscribe(1, &filters), start());
    assert_eq!(codes(&mut session), [1, 1, 0x80, 0x80, 0x80, 0x80, 0x80]);
}

/// MQTT 5 §3.8.3.1.
#[test]
fn retained_messages_are_sent_as_asked() {
    let mut session = integrator(V5);
    let mut ask = |handling| {
        let Incoming::Subscribe(mut packet) = subscribe(1, &["d/+/s"]) else {
            unreachable!()
        };
        packet.filters[0].retain_handling = handling;
        session.handle_packet(Incoming::Subscribe(packet), start());
        events(&mut session).into_iter().find_map(|event| match event {
            Event::Subscribed { retained, .. } => Some(retained),
            _ => None,
        })
    };
    assert_eq!(ask(RetainHandling::New), Some(true));
    assert_eq!(ask(RetainHandling::New), Some(false));
    assert_eq!(ask(RetainHandling::Always), Some(true));
    assert_eq!(ask(RetainHandling::Never), Some(false));
}

#[test]
fn an_integrator_has_a_bounded_number_of_subscriptions() {
    let mut session = integrator(V5);
    let filters: Vec<String> = (0..20).map(|n| format!("d/device-{n}/t")).collect();
    let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
    session.handle_packet(subscribe(1, &filters), start());
    let codes = codes(&mut session);
    assert_eq!(codes.iter().filter(|code| **code == 1).count(), 16);
    assert!(codes[16..].iter().all(|code| *code == 0x97));
    session.handle_packet(unsubscribe(2, &["d/device-0/t", "d/device-99/t"]), start());
    let reasons = vec![Reason::Success, Reason::NoSubscriptionExisted];
    assert_eq!(
        transmitted(&mut session),
        [Outgoing::UnsubAck { packet_id: 2, reasons }]
    );
    assert!(events(&mut session).contains(&Event::Unsubscribed {
        filter: "d/device-0/t".into()
    }));
}

#[test]
fn an_integrator_publishes_nothing() {
    for version in [V4, V5] {
        let mut session = integrator(version);
        session.handle_packet(publish("d/washer/t", 1, 1), start());
        match session.poll_event() {
            Some(Event::Refused(reason)) if version == V5 => assert_eq!(reason.label(), "read_only"),
            Some(Event::Closed(reason)) if version == V4 => assert_eq!(reason.label(), "read_only"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_integrator_is_sent_what_it_is_given() {
    let mut session = integrator(V5);
    let delivery = session.handle_message(Outbound::Publish {
        topic: "d/washer/s".into(),
        payload: json(),
        qos: 2,
        retain: true,
        expires_in_s: Some(5),
        properties: Bytes::from_static(b"\x01\x01"),
    });
    assert_eq!(delivery, Delivery::Taken);
    let [Outgoing::Publish(publish)] = &transmitted(&mut session)[..] else {
        panic!()
    };
    assert_eq!(
        (publish.qos, publish.retain, publish.properties.message_expiry_s),
        (1, true, Some(5))
    );
    assert_eq!(&publish.properties.passed_on[..], b"\x01\x01");
    let unasked = session.handle_message(Outbound::Provisioned { payload: json() });
    assert_eq!(unasked, Delivery::NotSubscribed);
}

#[test]
fn properties_are_for_version_5_only() {
    let mut session = integrator(V4);
    let delivery = session.handle_message(timed(Some(5)));
    assert_eq!(delivery, Delivery::Taken);
    let [Outgoing::Publish(publish)] = &transmitted(&mut session)[..] else {
        panic!()
    };
    assert_eq!(publish.properties, DeliveredProperties::default());
}

#[test]
fn what_runs_out_does_not_wait_where_there_is_no_clock() {
    for version in [V4, V5] {
        let mut session = integrator(version);
        for _ in 0..16 {
            assert_eq!(session.handle_message(timed(Some(5))), Delivery::Taken);
        }
        let sent = transmitted(&mut session);
        assert_eq!(session.handle_message(timed(Some(5))), Delivery::Full);
        // What has no end may wait here.
        assert_eq!(session.handle_message(timed(None)), Delivery::Taken);
        let Some(Outgoing::Publish(first)) = sent.first() else {
            panic!("{sent:?}")
        };
        session.handle_packet(Incoming::PubAck(first.packet_id), start());
        assert_eq!(transmitted(&mut session).len(), 1);
        let Some(Outgoing::Publish(second)) = sent.get(1) else {
            panic!("{sent:?}")
        };
        session.handle_packet(Incoming::PubAck(second.packet_id), start());
        assert_eq!(session.handle_message(timed(Some(4))), Delivery::Taken);
    }
}

fn timed(expires_in_s: Option<u32>) -> Outbound {
    Outbound::Publish {
        topic: "d/washer/s".into(),
        payload: json(),
        qos: 1,
        retain: false,
        expires_in_s,
        properties: Bytes::from_static(b"\x01\x01"),
    }
}

#[test]
fn a_claimant_has_one_nonce() {
    let mut session = open(hello(V5), Access::Claimant);
    let _ = events(&mut session);
    let filters = ["p/+/r", "p/n1/q", "#", "d/washer/c/+", "p/n1/r", "p/n2/r"];
    session.handle_packet(subscribe(1, &filters), start());
    assert_eq!(codes(&mut session), [0x87, 0x87, 0x87, 0x87, 1, 0x87]);
    let _ = events(&mut session);
    for topic in ["p/n2/q", "p/n1/r", "d/washer/t", "v1/devices/me/telemetry"] {
        session.handle_packet(publish(topic, 1, 9), start());
        assert!(matches!(&events(&mut session)[..], [Event::Refused(_)]), "{topic}");
    }
    let _ = transmitted(&mut session);
    session.handle_packet(publish("p/n1/q", 1, 3), start());
    let [Event::Received(received)] = &events(&mut session)[..] else {
        panic!()
    };
    assert_eq!(received.kind, Kind::Provision("n1".into()));
    session.handle_committed(received.number.unwrap());
    assert_eq!(
        session.handle_message(Outbound::Provisioned { payload: json() }),
        Delivery::Taken
    );
    let sent = transmitted(&mut session);
    assert!(
        matches!(sent.last(), Some(Outgoing::Publish(publish)) if publish.topic == "p/n1/r"),
        "{sent:?}"
    );
}

#[test]
fn whoever_asks_first_by_a_publish_is_answered_on_the_same_nonce() {
    let mut session = open(hello(V4), Access::Claimant);
    session.handle_packet(publish("p/n1/q", 1, 3), start());
    session.handle_packet(subscribe(1, &["p/n2/r"]), start());
    assert_eq!(codes(&mut session), [0x80]);
    assert_eq!(
        session.handle_message(Outbound::Provisioned { payload: json() }),
        Delivery::NotSubscribed
    );
}

#[test]
fn no_role_asks_for_what_it_is_not() {
    let message = || Outbound::Publish {
        topic: "d/washer/s".into(),
        payload: json(),
        qos: 0,
        retain: false,
        expires_in_s: None,
        properties: Bytes::new(),
    };
    let mut device = opened(V4);
    assert_eq!(device.handle_message(message()), Delivery::NotSubscribed);
    let mut claimant = open(hello(V4), Access::Claimant);
    assert_eq!(claimant.handle_message(message()), Delivery::NotSubscribed);
}
