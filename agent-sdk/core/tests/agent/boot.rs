//! From the start to the first records at the hub: what goes first, and what time it is.

use crate::rig::{CONFIG, DEVICE, EACH, PLENTY, Rig, Told, batches, births, clocks};
use agent_sdk_core::{Agent, AgentMem, Config, Crash, EventState, RECEIVE_BYTES_MIN, ResetReason};
use agent_sdk_wire::{DeviceState, Event, Packet, TimeBase, decode, decode_state};

const ASKS_TIME: &str = "v1/devices/me/rpc/request/1";
const ASKS_SETTINGS: &str = "v1/devices/me/attributes/request/1";

const CRASHED: Config<'static> = Config {
    crash: Some(Crash {
        code: "hardfault",
        detail: "pc 0x8001234",
    }),
    ..CONFIG
};

/// A device that has measured and had a fault before its first connection.
fn busy() -> Rig {
    let mut rig = Rig::new(&CRASHED, PLENTY, 512);
    let metric = rig.agent.metric(EACH).expect("there is memory");
    assert!(rig.agent.report(metric, 5, rig.now));
    rig.agent.flush();
    rig.now += 500;
    rig.agent
        .event(EventState::Raised, "E21", "drain", rig.now)
        .expect("there is room");
    rig
}

#[test]
fn the_time_then_the_crash_then_events_then_the_birth_then_telemetry() {
    let mut rig = busy();
    rig.now += 500;
    rig.connect();
    let arrivals = rig.arrivals();
    let topics: Vec<&str> = arrivals.iter().map(|arrival| &arrival.topic[..]).collect();
    assert_eq!(
        topics,
        [
            ASKS_TIME,
            ASKS_SETTINGS,
            "d/wm/t",
            "d/wm/e",
            "d/wm/e",
            "d/wm/s",
            "d/wm/t"
        ]
    );
    let clock = clocks(&arrivals)[0];
    assert_eq!(
        (clock.boot_id, clock.uptime_ms, clock.utc_ms),
        (7, 2_000, 1_800_000_000_000)
    );
    let event = |seq, at_ms, state, code, detail| Event {
        time_base: TimeBase::Uptime,
        boot_id: 7,
        seq,
        at_ms,
        state,
        code,
        detail,
    };
    let expected = [
        event(0, 1_000, EventState::Reported, "hardfault", "pc 0x8001234"),
        event(1, 1_500, EventState::Raised, "E21", "drain"),
    ];
    for (arrival, expected) in arrivals[3..5].iter().zip(expected) {
        let Ok(Packet::Event(event)) = decode(&arrival.payload) else {
            panic!("an event")
        };
        assert_eq!(event, expected);
    }
    assert_eq!(
        rig.told(),
        [Told::Connected(false), Told::Subscribed(0), Told::Time],
        "and nothing was dropped"
    );
    assert_eq!(rig.agent.utc_ms(2_250), Some(1_800_000_000_250));
}

#[test]
fn the_birth_message_says_who_came_and_the_will_that_it_went() {
    let mut rig = Rig::new(&CONFIG, PLENTY, 512);
    rig.connect();
    let arrivals = rig.arrivals();
    let [birth] = births(&arrivals)[..] else {
        panic!("one for a connection")
    };
    assert_eq!((birth.boot_id, birth.model, birth.firmware), (7, "WM7", "1.4.2"));
    assert_eq!(
        (birth.sdk, birth.reset),
        (env!("CARGO_PKG_VERSION"), ResetReason::Watchdog)
    );
    assert_eq!((birth.takes_cbor_commands, birth.settings), (true, 0));
    assert_eq!((birth.dropped_events, birth.dropped_telemetry), (0, 0));
    let connect = &rig.hub.connect;
    let (head, will) = connect.split_at(connect.len() - 2);
    assert!(head.ends_with(b"\x00\x06d/wm/s\x00\x02"), "{connect:02X?}");
    assert_eq!(decode_state(will), Ok(DeviceState::Gone));
    let filters = ["rpc/response/+", "attributes", "attributes/response/+"];
    let filters = filters.map(|filter| format!("v1/devices/me/{filter}"));
    assert_eq!(rig.hub.filters[0], "d/wm/c/+");
    assert_eq!(rig.hub.filters[1..], filters);

    // Again on each connection, while nothing new is on the way.
    rig.cut();
    rig.connect();
    assert_eq!(births(&rig.arrivals()).len(), 1);
}

#[test]
fn a_hub_that_does_not_tell_the_time_holds_nothing_up_for_long() {
    let mut rig = busy();
    rig.hub.time_ms = None;
    rig.connect();
    assert_eq!(rig.topics(), [ASKS_TIME, ASKS_SETTINGS]);
    assert_eq!(rig.agent.next_deadline(), Some(rig.now + 5_000));
    rig.wait(4_999);
    assert!(rig.topics().is_empty());
    rig.wait(1);
    assert_eq!(rig.topics(), ["d/wm/e", "d/wm/e", "d/wm/s", "d/wm/t"]);
    assert_eq!(rig.agent.utc_ms(rig.now), None);
    // An answer that comes then is still taken, and the pair goes up.
    rig.say("v1/devices/me/rpc/response/1", b"{\"time\":1800000000000}");
    assert_eq!(clocks(&rig.arrivals()).len(), 1);
    assert_eq!(
        rig.agent.utc_ms(rig.now),
        Some(1_800_000_002_500),
        "half of the time that the answer took"
    );
}

#[test]
fn a_time_that_is_known_is_told_first_on_each_connection_and_not_asked_again() {
    let mut rig = busy();
    rig.connect();
    let first = clocks(&rig.arrivals())[0];
    rig.cut();
    rig.now += 3_600_000;
    rig.hub.time_ms = Some(5);
    rig.agent
        .event(EventState::Cleared, "E21", "", rig.now)
        .expect("there is room");
    rig.connect();
    let arrivals = rig.arrivals();
    assert_eq!(arrivals[0].topic, "d/wm/t");
    assert_eq!(clocks(&arrivals), [first], "the same pair throughout a boot");
    assert_eq!(arrivals[1].topic, "d/wm/e");
    assert!(arrivals.iter().all(|arrival| !arrival.topic.contains("rpc")));
}

#[test]
fn the_answer_to_a_question_of_an_earlier_connection_is_not_taken() {
    let mut rig = busy();
    rig.hub.time_ms = None;
    rig.connect();
    rig.cut();
    rig.now += 60_000;
    rig.connect();
    assert!(rig.topics().contains(&"v1/devices/me/rpc/request/2".to_owned()));
    rig.say("v1/devices/me/rpc/response/1", b"{\"time\":1800000000000}");
    assert_eq!(rig.agent.utc_ms(rig.now), None);
    rig.say("v1/devices/me/rpc/response/2", b"{\"time\":1800000060000}");
    assert_eq!(rig.agent.utc_ms(rig.now), Some(1_800_000_060_000));
}

#[test]
fn a_device_with_a_clock_asks_nobody() {
    let mut rig = busy();
    assert!(rig.agent.set_utc(1_700_000_000_000, rig.now));
    assert!(!rig.agent.set_utc(1, rig.now), "once in a boot");
    rig.connect();
    let arrivals = rig.arrivals();
    assert_eq!(clocks(&arrivals)[0].utc_ms, 1_700_000_000_000);
    assert_eq!(arrivals[0].topic, "d/wm/t");
    assert!(arrivals.iter().all(|arrival| arrival.topic != ASKS_TIME));
    assert_eq!(batches(&arrivals).len(), 1);
}

#[test]
fn memory_of_a_type_is_lent_and_a_receive_buffer_has_to_hold_an_answer() {
    let mut memory = AgentMem::<2, 8, 256, 128>::new();
    let mut agent = Agent::new(memory.lend(), &CONFIG, 0).expect("it is large enough");
    assert_eq!(agent.next_connect_at(), Some(0), "at once");
    assert!(agent.metric(EACH).is_some());
    assert_eq!(agent.poll_transmit(&DEVICE, &mut [0; 64], 0), 0);
    let mut short = AgentMem::<1, 1, 64, { RECEIVE_BYTES_MIN - 1 }>::new();
    assert!(Agent::new(short.lend(), &CONFIG, 0).is_none());
}

#[test]
fn in_safe_mode_nothing_is_reported_and_the_rest_goes_on() {
    let mut rig = Rig::new(&CRASHED, PLENTY, 512);
    let metric = rig.agent.metric(EACH).expect("there is memory");
    rig.agent.enter_safe_mode(rig.now).expect("there is room");
    assert!(!rig.agent.report(metric, 5, rig.now));
    assert_eq!(rig.agent.session().online_for_ms(rig.now), None);
    rig.connect();
    let arrivals = rig.arrivals();
    let code = |payload: &[u8]| match decode(payload) {
        Ok(Packet::Event(event)) => Some(event.code.to_owned()),
        Ok(_) | Err(_) => None,
    };
    let codes: Vec<String> = arrivals.iter().filter_map(|arrival| code(&arrival.payload)).collect();
    assert_eq!(codes, ["hardfault", "safe-mode"]);
    assert_eq!(births(&arrivals).len(), 1);
    rig.told();
    rig.say("d/wm/c/1", br#"{"method":"spin","params":{}}"#);
    assert!(matches!(rig.told()[..], [Told::Command { method: 0, .. }]));
    rig.wait(9_000);
    assert!(!rig.agent.report(metric, 6, rig.now));
    rig.agent.flush();
    assert!(batches(&rig.arrivals()).is_empty());
    assert_eq!(rig.agent.session().online_for_ms(rig.now), Some(9_000));
    rig.cut();
    assert_eq!(rig.agent.session().online_for_ms(rig.now), None);
}
