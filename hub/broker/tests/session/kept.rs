//! Sessions that outlive their connection (MQTT 5 §4.1): what is asked of the store, and when the client is told.

use crate::fixture::*;
use hub_broker::session::{CloseReason, Event, Incoming, Outgoing, Reason, Session, Version};
use hub_store::session::KeptSession;

const COMMANDS: &str = "d/washer/c/+";

fn kept(expiry_s: u32) -> KeptSession {
    KeptSession {
        expiry_s,
        subscriptions: vec![(COMMANDS.into(), 1)],
        unreleased: vec![],
    }
}

fn present(session: &mut Session) -> bool {
    match transmitted(session)[..] {
        [
            Outgoing::ConnAck {
                present,
                reason: Reason::Success,
                ..
            },
        ] => present,
        ref other => panic!("{other:?}"),
    }
}

/// What the store is asked at CONNECT, and whether the client finds its session.
fn at_connect(version: Version, clean_start: bool, expiry_s: u32, was: Option<KeptSession>) -> (Vec<Event>, bool) {
    let mut connect = hello(version);
    connect.clean_start = clean_start;
    connect.properties.session_expiry_s = (version == V5).then_some(expiry_s);
    let mut session = greet(connect, device(was));
    let mut asked = settle_store(&mut session);
    asked.retain(|event| matches!(event, Event::DropSession | Event::KeepSession(_)));
    (asked, present(&mut session))
}

fn keep(expiry_s: u32) -> Event {
    Event::KeepSession(KeptSession {
        expiry_s,
        ..KeptSession::default()
    })
}

#[test]
fn what_the_store_is_asked_at_connect() {
    // A clean start, or a session that ends with its connection, costs no question.
    assert_eq!(at_connect(V4, true, 0, None), (vec![], false));
    assert_eq!(at_connect(V5, true, 0, None), (vec![], false));
    assert_eq!(at_connect(V5, false, 0, None), (vec![], false));
    // One that begins starts from nothing, whatever was left.
    assert_eq!(
        at_connect(V4, false, 0, None),
        (vec![Event::DropSession, keep(3600)], false)
    );
    assert_eq!(
        at_connect(V5, true, 60, None),
        (vec![Event::DropSession, keep(60)], false)
    );
    assert_eq!(
        at_connect(V5, true, 60, Some(kept(60))),
        (vec![Event::DropSession, keep(60)], false)
    );
    assert_eq!(
        at_connect(V4, true, 0, Some(kept(60))),
        (vec![Event::DropSession], false)
    );
    // One that goes on costs a question only where its time changes.
    assert_eq!(at_connect(V5, false, 60, Some(kept(60))), (vec![], true));
    assert_eq!(at_connect(V4, false, 0, Some(kept(3600))), (vec![], true));
    assert_eq!(
        at_connect(V5, false, 90, Some(kept(60))),
        (vec![Event::KeepSession(kept(90))], true)
    );
    assert_eq!(at_connect(V5, false, 0, Some(kept(60))), (vec![], true));
}

#[test]
fn the_client_is_told_only_when_the_store_has_it() {
    let mut session = greet(durable(V5), device(None));
    assert_eq!(events(&mut session).len(), 2);
    assert!(!session.wants_packet());
    session.handle_session_kept(true, start());
    assert_eq!(transmitted(&mut session), []);
    session.handle_session_kept(true, start());
    assert_eq!(events(&mut session), [Event::Opened { present: false }]);
    assert!(!present(&mut session));
}

#[test]
fn where_the_store_fails_nothing_is_promised() {
    for version in [V4, V5] {
        let mut opening = greet(durable(version), device(None));
        opening.handle_session_kept(false, start());
        assert_eq!(transmitted(&mut opening), [Outgoing::refusal(Reason::Unavailable)]);
        let mut late = greet(durable(version), device(None));
        late.handle_timeout(late.poll_timeout().unwrap());
        assert_eq!(closed(&mut late), Some(CloseReason::StoreDown));

        let mut open = opened_durable(version);
        open.handle_packet(subscribe(1, &[COMMANDS]), start());
        open.handle_session_kept(false, start());
        assert_eq!(closed(&mut open), Some(CloseReason::StoreDown));
        assert!(
            !transmitted(&mut open)
                .iter()
                .any(|packet| matches!(packet, Outgoing::SubAck { .. }))
        );
    }
}

#[test]
fn a_subscription_is_stored_before_it_is_granted() {
    let mut session = opened_durable(V4);
    session.handle_packet(subscribe(1, &[COMMANDS]), start());
    let expected = KeptSession {
        expiry_s: 3600,
        ..kept(0)
    };
    assert_eq!(events(&mut session), [Event::KeepSession(expected)]);
    assert!(!session.wants_packet());
    assert_eq!(transmitted(&mut session), []);
    session.handle_session_kept(true, start());
    assert_eq!(
        transmitted(&mut session),
        [Outgoing::SubAck {
            packet_id: 1,
            codes: vec![1]
        }]
    );
    assert_eq!(events(&mut session), [Event::CommandsWanted]);

    session.handle_packet(subscribe(2, &[COMMANDS]), start());
    assert_eq!(events(&mut session), [], "the same again costs no question");
    session.handle_packet(unsubscribe(3, &[COMMANDS]), start());
    assert!(matches!(&events(&mut session)[..], [Event::KeepSession(kept)] if kept.subscriptions.is_empty()));
    session.handle_session_kept(true, start());
    let unsuback = Outgoing::UnsubAck {
        packet_id: 3,
        reasons: vec![Reason::Success],
    };
    assert_eq!(transmitted(&mut session).last(), Some(&unsuback));
}

#[test]
fn subscriptions_come_back_with_the_session() {
    let mut session = greet(durable(V5), device(Some(kept(600))));
    assert_eq!(
        events(&mut session),
        [Event::Opened { present: true }, Event::CommandsWanted]
    );
    assert!(present(&mut session));
}

/// MQTT 5 §3.14.2.2.2.
#[test]
fn disconnect_may_change_the_time() {
    let leave = |version_5_expiry: Option<u32>, to: Option<u32>| {
        let mut connect = hello(V5);
        connect.properties.session_expiry_s = version_5_expiry;
        let mut session = open(connect, device(None));
        let packet = Incoming::Disconnect {
            reason: 0,
            session_expiry_s: to,
        };
        session.handle_packet(packet, start());
        events(&mut session)
    };
    let left = || Event::Closed(CloseReason::Disconnected);
    assert_eq!(leave(Some(60), None), [left()]);
    assert_eq!(leave(Some(60), Some(60)), [left()]);
    assert_eq!(leave(Some(60), Some(90)), [keep(90), left()]);
    assert_eq!(leave(Some(60), Some(u32::MAX)), [keep(3600), left()]);
    assert_eq!(leave(Some(60), Some(0)), [Event::DropSession, left()]);
    assert_eq!(leave(None, Some(0)), [left()]);
    let refused = leave(None, Some(60));
    assert!(matches!(&refused[..], [Event::Closed(reason)] if reason.reason() == Reason::ProtocolError));
}

#[test]
fn a_session_that_is_to_end_ends_with_its_connection_unless_a_newer_one_has_it() {
    let resumed = || {
        let mut connect = durable(V5);
        connect.properties.session_expiry_s = None;
        let mut session = open(connect, device(Some(kept(60))));
        events(&mut session);
        session
    };
    let mut lost = resumed();
    lost.handle_close(CloseReason::Lost);
    assert_eq!(
        events(&mut lost),
        [Event::DropSession, Event::Closed(CloseReason::Lost)]
    );
    let mut taken_over = resumed();
    taken_over.handle_close(CloseReason::TakenOver);
    assert_eq!(events(&mut taken_over), [Event::Closed(CloseReason::TakenOver)]);
    let [Outgoing::Disconnect { reason, .. }] = &transmitted(&mut taken_over)[..] else {
        panic!()
    };
    assert_eq!(*reason, Reason::TakenOver);
}
