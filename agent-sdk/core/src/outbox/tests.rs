use super::{LAST_ID, Outbox};
use crate::publish::{Overflow, Publish, Qos, Refused, Token};
use agent_sdk_wire::Lane;

use Lane::{Event, Telemetry};
use Overflow::{DropNewest, DropOldest};

/// Head, a topic of one letter and a payload of one letter.
const SMALL: usize = 12;

fn message(lane: Lane, payload: &str) -> Publish<'_> {
    Publish {
        lane,
        topic: "t",
        payload: payload.as_bytes(),
        qos: Qos::AtLeastOnce,
        retain: false,
        overflow: DropOldest,
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("tests send text")
}

/// Writes the next message; its identifier, the flags of its PUBLISH, and its payload.
fn send(outbox: &mut Outbox<'_>, window: u8) -> Option<(u16, u8, String)> {
    if !outbox.begin(window) {
        return None;
    }
    let (record, _, payload) = outbox.writing().expect("it was chosen");
    let sent = (record.id(), record.publish_flags(), text(payload));
    outbox.written();
    Some(sent)
}

/// The payloads of all that is sent.
fn send_all(outbox: &mut Outbox<'_>) -> String {
    std::iter::from_fn(|| send(outbox, 255))
        .map(|(_, _, payload)| payload)
        .collect()
}

#[test]
fn what_is_held_waits_and_what_was_sent_before_does_not() {
    let mut memory = [0; 64];
    let mut outbox = Outbox::new(&mut memory);
    outbox.push(&message(Telemetry, "a")).unwrap();
    assert_eq!(send_all(&mut outbox), "a");
    outbox.push(&message(Event, "B")).unwrap();
    outbox.hold(true);
    assert_eq!(send_all(&mut outbox), "");
    outbox.interrupted();
    outbox.resume(true);
    assert_eq!(send_all(&mut outbox), "a", "the hub may have it");
    outbox.hold(false);
    assert_eq!(send_all(&mut outbox), "B");
}

#[test]
fn events_go_first_and_each_lane_keeps_its_order() {
    let mut memory = [0; 256];
    let mut outbox = Outbox::new(&mut memory);
    for (lane, payload) in [(Telemetry, "a"), (Event, "B"), (Telemetry, "c"), (Event, "D")] {
        outbox.push(&message(lane, payload)).unwrap();
    }
    assert_eq!(send_all(&mut outbox), "BDac");
    assert!(!outbox.is_empty());
    for (id, token) in [(2, 3), (3, 0), (1, 1), (4, 2)] {
        assert_eq!(outbox.acknowledged(id), Some(Token(token)));
        assert_eq!(outbox.acknowledged(id), None, "twice");
    }
    assert!(outbox.is_empty());
    assert_eq!(outbox.free(), 256);
}

#[test]
fn the_window_bounds_what_is_in_flight() {
    let mut memory = [0; 256];
    let mut outbox = Outbox::new(&mut memory);
    for payload in ["a", "b", "c", "d"] {
        outbox.push(&message(Telemetry, payload)).unwrap();
    }
    assert_eq!(send(&mut outbox, 2), Some((1, 2, "a".into())));
    assert_eq!(send(&mut outbox, 2), Some((2, 2, "b".into())));
    assert_eq!(send(&mut outbox, 2), None);
    outbox.acknowledged(2).unwrap();
    assert_eq!(send(&mut outbox, 2), Some((3, 2, "c".into())));
    assert_eq!(send(&mut outbox, 2), None);
    outbox.acknowledged(1).unwrap();
    outbox.acknowledged(3).unwrap();
    // A window of 0 would never send anything.
    assert_eq!(send(&mut outbox, 0), Some((4, 2, "d".into())));
}

#[test]
fn at_most_once_is_forgotten_as_it_is_written() {
    let mut memory = [0; SMALL];
    let mut outbox = Outbox::new(&mut memory);
    let once = Publish {
        qos: Qos::AtMostOnce,
        retain: true,
        ..message(Telemetry, "a")
    };
    outbox.push(&once).unwrap();
    assert!(outbox.begin(1));
    outbox.interrupted();
    outbox.resume(true);
    assert_eq!(
        send(&mut outbox, 1),
        Some((0, 1, "a".into())),
        "it was not written whole"
    );
    assert!(outbox.is_empty());
    assert_eq!(send(&mut outbox, 1), None);
}

#[test]
fn a_message_that_may_overtake_nothing_waits_for_the_window() {
    let mut memory = [0; 256];
    let mut outbox = Outbox::new(&mut memory);
    outbox.push(&message(Telemetry, "a")).unwrap();
    outbox.push(&message(Telemetry, "b")).unwrap();
    let once = Publish {
        qos: Qos::AtMostOnce,
        ..message(Telemetry, "c")
    };
    outbox.push(&once).unwrap();
    assert_eq!(send(&mut outbox, 1), Some((1, 2, "a".into())));
    assert_eq!(send(&mut outbox, 1), None);
    outbox.acknowledged(1).unwrap();
    assert_eq!(send(&mut outbox, 1), Some((2, 2, "b".into())));
    assert_eq!(send(&mut outbox, 1), Some((0, 0, "c".into())));
}

#[test]
fn a_resumed_session_gets_it_again_in_the_order_it_was_sent() {
    let mut memory = [0; 256];
    let mut outbox = Outbox::new(&mut memory);
    outbox.push(&message(Telemetry, "a")).unwrap();
    assert_eq!(send(&mut outbox, 8), Some((1, 2, "a".into())));
    outbox.push(&message(Telemetry, "b")).unwrap();
    outbox.push(&message(Event, "C")).unwrap();
    assert_eq!(send(&mut outbox, 8), Some((2, 2, "C".into())));
    outbox.push(&message(Event, "D")).unwrap();
    // Only begun: the hub may have it all the same.
    assert!(outbox.begin(8));
    outbox.interrupted();

    outbox.resume(true);
    assert_eq!(outbox.acknowledged(1), None, "not sent on this connection");
    assert_eq!(send(&mut outbox, 8), Some((1, 0x0A, "a".into())));
    outbox.push(&message(Event, "E")).unwrap();
    assert_eq!(send(&mut outbox, 8), Some((2, 0x0A, "C".into())));
    assert_eq!(send(&mut outbox, 8), Some((3, 0x0A, "D".into())));
    assert_eq!(send(&mut outbox, 8), Some((4, 2, "E".into())), "new ones follow");
    assert_eq!(send(&mut outbox, 8), Some((5, 2, "b".into())));

    outbox.resume(true);
    assert_eq!(send_all(&mut outbox), "aCDEb");
}

#[test]
fn a_lost_session_gets_it_as_new_by_lanes() {
    let mut memory = [0; 256];
    let mut outbox = Outbox::new(&mut memory);
    for (lane, payload) in [(Telemetry, "a"), (Telemetry, "b"), (Event, "C")] {
        outbox.push(&message(lane, payload)).unwrap();
        if payload == "a" {
            send(&mut outbox, 8);
        }
    }
    outbox.resume(true);
    send(&mut outbox, 8);
    outbox.resume(false);
    assert_eq!(send(&mut outbox, 8), Some((2, 2, "C".into())));
    assert_eq!(send(&mut outbox, 8), Some((3, 2, "a".into())));
    assert_eq!(send(&mut outbox, 8), Some((4, 2, "b".into())));
    assert_eq!(outbox.acknowledged(1), None, "that session is gone");
}

#[test]
fn identifiers_are_not_used_twice_at_a_time_and_age_across_their_end() {
    let mut memory = [0; 256];
    let mut outbox = Outbox::new(&mut memory);
    outbox.last_id = LAST_ID - 2;
    for payload in ["a", "b", "c", "d"] {
        outbox.push(&message(Telemetry, payload)).unwrap();
    }
    let ids: Vec<u16> = std::iter::from_fn(|| send(&mut outbox, 8))
        .map(|(id, _, _)| id)
        .collect();
    assert_eq!(ids, [LAST_ID - 1, LAST_ID, 1, 2]);
    outbox.resume(true);
    assert_eq!(send_all(&mut outbox), "abcd");
    // All the way round: those that wait are stepped over.
    outbox.last_id = LAST_ID - 2;
    outbox.push(&message(Telemetry, "e")).unwrap();
    assert_eq!(send(&mut outbox, 8), Some((3, 2, "e".into())));
}

#[test]
fn overflow_follows_lane_and_policy() {
    // Three fit. What waits, with small letters for telemetry and `!` before what may not go; the new one; what is
    // sent.
    let cases = [
        ("a b c", "d", "bcd", Some((Telemetry, 1))),
        ("a b c", "!d", "abc", Some((Telemetry, 1))),
        ("!a b c", "d", "acd", Some((Telemetry, 1))),
        ("!a !b !c", "d", "abc", Some((Telemetry, 1))),
        ("a b c", "D", "Dbc", Some((Telemetry, 1))),
        ("!a !b !c", "!D", "Dbc", Some((Telemetry, 1))),
        ("A b C", "D", "ACD", Some((Telemetry, 1))),
        ("A B C", "D", "BCD", Some((Event, 1))),
        ("A B C", "!D", "ABC", Some((Event, 1))),
        ("A B C", "d", "ABC", Some((Telemetry, 1))),
        ("A b", "c", "Abc", None),
    ];
    for (waiting, new, expected, dropped) in cases {
        let mut memory = [0; 3 * SMALL];
        let mut outbox = Outbox::new(&mut memory);
        for word in waiting.split(' ').chain([new]) {
            let payload = word.trim_start_matches('!');
            let lane = if payload == payload.to_uppercase() {
                Event
            } else {
                Telemetry
            };
            let overflow = if word.starts_with('!') { DropNewest } else { DropOldest };
            let _ = outbox.push(&Publish {
                overflow,
                ..message(lane, payload)
            });
        }
        assert_eq!(outbox.take_dropped(), dropped, "{waiting} {new}");
        assert_eq!(outbox.take_dropped(), None, "{waiting} {new}");
        assert_eq!(send_all(&mut outbox), expected, "{waiting} {new}");
    }
}

#[test]
fn nothing_that_was_sent_once_gives_way_and_nothing_goes_in_vain() {
    let mut memory = [0; 3 * SMALL];
    let mut outbox = Outbox::new(&mut memory);
    for payload in ["a", "b", "c"] {
        outbox.push(&message(Telemetry, payload)).unwrap();
    }
    send(&mut outbox, 8);
    outbox.resume(false);
    // Room for the others is not enough for this one, so they stay.
    assert_eq!(outbox.push(&message(Event, &"X".repeat(25))), Err(Refused::Full));
    assert_eq!(outbox.take_dropped(), Some((Event, 1)));
    assert_eq!(outbox.push(&message(Event, &"X".repeat(13))), Ok(Token(3)));
    assert_eq!(outbox.take_dropped(), Some((Telemetry, 2)));
    assert_eq!(send_all(&mut outbox), format!("{}a", "X".repeat(13)));
}

#[test]
fn what_can_never_be_sent_is_refused() {
    let mut memory = [0; 400];
    let mut outbox = Outbox::new(&mut memory);
    let long = "x".repeat(256);
    for topic in ["", "a/+", "#", "a\0"] {
        let refused = outbox.push(&Publish {
            topic,
            ..message(Telemetry, "a")
        });
        assert_eq!(refused, Err(Refused::Topic), "{topic:?}");
    }
    assert_eq!(outbox.take_dropped(), None, "no reading was lost for want of room");
    let topic = &long[..255];
    outbox
        .push(&Publish {
            topic,
            ..message(Telemetry, "")
        })
        .unwrap();
    for (topic, payload) in [(&*long, "a"), ("t", &*"x".repeat(390)), ("t", &*"x".repeat(65_535))] {
        let refused = outbox.push(&Publish {
            topic,
            ..message(Event, payload)
        });
        assert_eq!(refused, Err(Refused::TooLong), "{} {}", topic.len(), payload.len());
    }
    assert_eq!(outbox.take_dropped(), Some((Event, 3)));
    assert_eq!(
        outbox.push(&message(Event, &"x".repeat(389))),
        Ok(Token(1)),
        "just fits"
    );
    assert_eq!(Outbox::new(&mut []).push(&message(Event, "")), Err(Refused::TooLong));
}

#[test]
fn a_message_that_is_being_written_may_be_moved() {
    let mut memory = [0; 4 * SMALL];
    let mut outbox = Outbox::new(&mut memory);
    for payload in ["a", "b", "c", "d"] {
        outbox.push(&message(Telemetry, payload)).unwrap();
    }
    send(&mut outbox, 8);
    send(&mut outbox, 8);
    assert!(outbox.begin(8));
    // The space between the first and the third is won back for the event.
    outbox.acknowledged(2).unwrap();
    outbox.push(&message(Event, "E")).unwrap();
    let (record, topic, payload) = outbox.writing().unwrap();
    assert_eq!((record.id(), topic, payload), (3, &b"t"[..], &b"c"[..]));
    outbox.written();
    assert_eq!(outbox.acknowledged(3), Some(Token(2)));
    assert_eq!(send_all(&mut outbox), "Ed");
    assert_eq!(outbox.take_dropped(), None);
}

#[test]
fn what_waits_elsewhere_comes_back_as_it_was_and_stays() {
    let mut memory = [0; 3 * SMALL];
    let mut outbox = Outbox::new(&mut memory);
    outbox.push(&message(Telemetry, "a")).unwrap();
    assert_eq!(send_all(&mut outbox), "a");
    let retained = Publish {
        retain: true,
        ..message(Telemetry, "b")
    };
    outbox.push(&retained).unwrap();
    outbox.push(&message(Event, "E")).unwrap();
    let mut kept = [0; 4];
    assert_eq!(outbox.copy_waiting(&mut kept[..3]), None, "it does not fit");
    assert_eq!(outbox.copy_waiting(&mut kept), Some(4));
    assert_eq!(kept, [1, 1, b't', b'b']);
    outbox.discard_waiting();
    assert_eq!(outbox.take_dropped(), None, "it is not dropped");
    assert_eq!(outbox.copy_waiting(&mut kept), None, "events stay, and what was sent");
    outbox.discard_waiting();
    for wrong in [&kept[..1], &[1, 9, b't']] {
        assert_eq!(outbox.put_back(wrong), Err(Refused::Topic), "{wrong:?}");
    }
    assert_eq!(outbox.put_back(&kept), Ok(Token(3)));
    assert_eq!(outbox.copy_waiting(&mut [0; 4]), None, "not once more");
    assert_eq!(outbox.put_back(&kept), Err(Refused::Full));
    assert_eq!(outbox.take_dropped(), None);
    assert_eq!(
        outbox.push(&message(Telemetry, "c")),
        Err(Refused::Full),
        "nothing gives way"
    );
    assert_eq!(outbox.take_dropped(), Some((Telemetry, 1)));
    let (_, flags, payload) = send(&mut outbox, 255).unwrap();
    assert_eq!((flags & 1, &payload[..]), (0, "E"));
    let (_, flags, payload) = send(&mut outbox, 255).unwrap();
    assert_eq!((flags & 1, &payload[..]), (1, "b"), "retained as before");
}
