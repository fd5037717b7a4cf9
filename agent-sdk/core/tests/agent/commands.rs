//! What the device may be asked to do, when, and how often.

use crate::rig::{CONFIG, EACH, PLENTY, Rig, Told, births};
use agent_sdk_core::{CommandId, Outcome, Unsent};
use agent_sdk_wire::{Command, Reply, decode_reply, encode_command};
use proptest::collection::vec;
use proptest::prelude::*;

/// The hub's time when a rig has just connected.
const NOON: u64 = 1_800_000_000_000;

fn cbor(deadline_ms: Option<u64>, method: &str, args: &[u8]) -> Vec<u8> {
    let command = Command {
        deadline_ms,
        method: method.as_bytes(),
        args,
    };
    encode_command(&mut [0; 128], &command)
        .expect("a short command")
        .to_vec()
}

/// The one command that was told.
fn command(rig: &mut Rig) -> (CommandId, usize, Vec<u8>, Option<u64>) {
    match &rig.told()[..] {
        [
            Told::Command {
                id,
                method,
                args,
                deadline,
            },
        ] => (*id, *method, args.clone(), *deadline),
        other => panic!("one command: {other:?}"),
    }
}

/// Topic and payload of the one message that arrived.
fn reply(rig: &mut Rig) -> (String, Vec<u8>) {
    match &rig.arrivals()[..] {
        [arrival] => (arrival.topic.clone(), arrival.payload.clone()),
        other => panic!("one reply: {other:?}"),
    }
}

#[test]
fn a_command_in_json_is_answered_in_json() {
    let mut rig = Rig::online();
    rig.say("d/wm/c/a-1", br#"{"method":"self_test","params":{"long":true}}"#);
    let (id, method, args, deadline) = command(&mut rig);
    assert_eq!((method, deadline), (1, None));
    assert_eq!((&args[..], id.as_bytes()), (&br#"{"long":true}"#[..], &b"a-1"[..]));
    assert!(rig.topics().is_empty(), "it may take its time");
    rig.agent.reply(&id, Outcome::Done, b"42").expect("there is room");
    let expected = ("d/wm/r/a-1".to_owned(), br#"{"status":"done","result":42}"#.to_vec());
    assert_eq!(reply(&mut rig), expected);
}

#[test]
fn a_command_in_cbor_is_answered_in_cbor() {
    let mut rig = Rig::online();
    rig.say("d/wm/c/7", &cbor(Some(NOON + 1_500), "spin", &[0x19, 4, 0xB0]));
    let (id, method, args, deadline) = command(&mut rig);
    assert_eq!((method, &args[..]), (0, &[0x19, 4, 0xB0][..]));
    assert_eq!(deadline, Some(rig.now + 1_500), "in uptime");
    rig.agent.reply(&id, Outcome::Failed, &[1]).expect("there is room");
    let (topic, payload) = reply(&mut rig);
    assert_eq!(topic, "d/wm/r/7");
    let expected = Reply {
        outcome: Outcome::Failed,
        detail: &[1],
    };
    assert_eq!(decode_reply(&payload), Ok(expected));
}

#[test]
fn what_may_not_be_done_is_refused_with_a_reply() {
    let json = |text: &str| text.as_bytes().to_vec();
    let cases = [
        (cbor(None, "open_door", &[]), Outcome::NotAllowed),
        (cbor(None, "spi", &[]), Outcome::NotAllowed),
        (cbor(Some(NOON - 1), "spin", &[]), Outcome::Expired),
        (vec![0x84, 7, 0], Outcome::Malformed),
        (json(r#"{"method":"open_door"}"#), Outcome::NotAllowed),
        (
            json(r#"{"method":"spin","deadline_ms":1799999999999}"#),
            Outcome::Expired,
        ),
        (json("[]"), Outcome::Malformed),
        (json(""), Outcome::Malformed),
    ];
    for (payload, outcome) in cases {
        let mut rig = Rig::online();
        rig.say("d/wm/c/x", &payload);
        assert!(rig.told().is_empty(), "{payload:02X?}");
        let (topic, answer) = reply(&mut rig);
        assert_eq!(topic, "d/wm/r/x");
        if payload.first().is_some_and(|first| *first >= 0x80) {
            let expected = Reply { outcome, detail: &[] };
            assert_eq!(decode_reply(&answer), Ok(expected), "{payload:02X?}");
        } else {
            let reason = match outcome {
                Outcome::NotAllowed => "not allowed",
                Outcome::Expired => "expired",
                Outcome::Malformed | Outcome::Done | Outcome::Failed => "malformed",
            };
            let expected = format!(r#"{{"status":"refused","reason":"{reason}"}}"#);
            assert_eq!(answer, expected.as_bytes(), "{payload:02X?}");
        }
        rig.say("d/wm/c/x", &payload);
        assert!(rig.topics().is_empty(), "refused once");
    }
}

#[test]
fn a_command_at_its_deadline_is_in_time_and_one_after_it_is_not() {
    let mut rig = Rig::online();
    rig.now += 2_000;
    rig.say("d/wm/c/1", &cbor(Some(NOON + 2_000), "spin", &[]));
    assert_eq!(command(&mut rig).3, Some(rig.now));
    rig.say("d/wm/c/2", &cbor(Some(NOON + 1_999), "spin", &[]));
    assert!(rig.told().is_empty());
}

#[test]
fn without_a_clock_the_hub_judges_the_deadline() {
    let mut rig = Rig::new(&CONFIG, PLENTY, 512);
    rig.hub.time_ms = None;
    rig.connect();
    rig.told();
    rig.say("d/wm/c/1", &cbor(Some(1), "spin", &[]));
    assert_eq!(command(&mut rig).3, None);
}

#[test]
fn a_command_that_comes_again_is_done_once() {
    let mut rig = Rig::online();
    let payload = cbor(None, "spin", &[]);
    rig.say("d/wm/c/1", &payload);
    let (id, ..) = command(&mut rig);
    rig.say("d/wm/c/1", &payload);
    assert!(rig.told().is_empty(), "before its reply");
    rig.agent.reply(&id, Outcome::Done, &[]).expect("there is room");
    rig.topics();
    rig.cut();
    rig.connect();
    rig.told();
    rig.arrivals();
    rig.say("d/wm/c/1", &payload);
    assert!(rig.told().is_empty(), "after its reply, and on another connection");
    assert!(rig.topics().is_empty());
    // Eight others, and it is forgotten.
    for n in 2..10 {
        rig.say(&format!("d/wm/c/{n}"), &payload);
    }
    assert_eq!(rig.told().len(), 8);
    rig.say("d/wm/c/3", &payload);
    assert!(rig.told().is_empty());
    rig.say("d/wm/c/1", &payload);
    assert_eq!(rig.told().len(), 1);
}

#[test]
fn a_reply_goes_before_telemetry_and_may_be_given_again() {
    let mut rig = Rig::online();
    rig.say("d/wm/c/1", &cbor(None, "spin", &[]));
    let (id, ..) = command(&mut rig);
    let long = [0; 600];
    let refused = rig.agent.reply(&id, Outcome::Done, &long);
    assert!(matches!(refused, Err(Unsent::Form(_))), "{refused:?}");
    let metric = rig.agent.metric(EACH).expect("there is memory");
    rig.agent.report(metric, 1, rig.now);
    rig.agent.flush();
    rig.agent.reply(&id, Outcome::Done, &[]).expect("there is room");
    assert_eq!(rig.topics(), ["d/wm/r/1", "d/wm/t"]);
}

#[test]
fn other_messages_are_the_callers() {
    let mut rig = Rig::online();
    rig.say("d/wm/f/1", b"chunk");
    let expected = Told::Message("d/wm/f/1".into(), b"chunk".to_vec());
    assert_eq!(rig.told(), [expected]);
    assert!(births(&rig.arrivals()).is_empty());
}

/// Payloads that are near to what the hub sends.
fn said() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        r#"{"method":"spin""#,
        r#","params":{"a":"#,
        r#","deadline_ms":"#,
        r#"{"reporting":{"version":"#,
        r#","metrics":{"1":{"deadband":"#,
        r#"{"time":"#,
        r#"{"shared":"#,
        "9",
        "\"",
        "}",
        "}}",
        "\u{84}",
        ",",
    ];
    let word = (0..words.len()).prop_map(move |at| words[at].as_bytes().to_vec());
    let piece = prop_oneof![6 => word, 1 => vec(any::<u8>(), 0..6)];
    let head = prop_oneof![3 => Just(Vec::new()), 1 => Just(vec![0x84, 7, 0, 0x64])];
    (head, vec(piece, 0..8)).prop_map(|(head, pieces)| [head, pieces.concat()].concat())
}

proptest! {
    /// Whatever comes is answered, told or passed over, and the agent goes on.
    #[test]
    fn nothing_that_the_hub_says_stops_the_agent(payloads in vec((0..5_usize, said()), 0..12)) {
        let mut rig = Rig::online();
        let metric = rig.agent.metric(EACH).expect("there is memory");
        let topics = [
            "d/wm/c/1",
            "d/wm/c/2",
            "v1/devices/me/attributes",
            "v1/devices/me/attributes/response/1",
            "v1/devices/me/rpc/response/1",
        ];
        for (topic, payload) in payloads {
            rig.say(topics[topic], &payload);
            let told = rig.told();
            prop_assert!(!told.iter().any(|told| matches!(told, Told::Disconnected(_))), "{told:?}");
        }
        rig.topics();
        rig.now += 1;
        rig.agent.report(metric, 1, rig.now);
        rig.agent.flush();
        prop_assert_eq!(rig.topics(), ["d/wm/t"]);
    }
}
