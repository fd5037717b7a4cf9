//! The agent with metrics as a C program uses it, against a hub that is played.

mod rig;
mod spill;

use agent_sdk_ffi::*;
use rig::{
    Board, DRUM, Told, WRONG_METHODS, config, declare, event, init, is_healthy, memory, next_connect_at, next_deadline,
    next_event, reply, report, restore, utc,
};
use std::ptr::{null, null_mut};
use tests_agent::hub::Arrival;

/// `[4, uptime, 7, 0, 1000, 2, times, {3: column}]`: 412 at 1,000 and 420 at 3,000.
const BATCH: &[u8] = &[
    0x88, 4, 0, 7, 0, 0x19, 0x03, 0xE8, 2, 0x43, 0x3F, 0xA0, 0x1F, 0xB8, 1, 3, 0x45, 2, 0xB8, 0x06, 8, 0x40,
];

#[test]
fn values_become_a_batch() {
    let mut board = Board::online();
    let drum = declare(board.machine, &DRUM).expect("there is memory");
    assert_eq!(drum, 0);
    let reported = [(1_000, 412), (2_000, 415), (3_000, 420)].map(|(now_ms, value)| {
        board.now_ms = now_ms;
        report(board.machine, drum, value, now_ms)
    });
    assert_eq!(reported, [true, false, true], "415 is within the deadband");
    assert_eq!(next_deadline(board.machine), 21_000, "the age of a batch");
    assert!(board.arrivals().is_empty());
    board.flush();
    let arrivals = board.arrivals();
    assert_eq!(arrivals.len(), 1);
    assert_eq!((&arrivals[0].topic[..], arrivals[0].qos), ("d/wm/t", 1));
    assert_eq!(arrivals[0].payload, BATCH);
}

#[test]
fn the_crash_goes_first_then_events_then_the_birth_message() {
    let crashed = FcAgentMachineConfig {
        crash_code: c"hardfault".as_ptr(),
        crash_detail: c"pc 0x8001234".as_ptr(),
        ..config()
    };
    let mut board = Board::new(&crashed, 1_024);
    assert_eq!(next_connect_at(board.machine), 0);
    assert_eq!(event(board.machine, FC_AGENT_RAISED, c"E21", 1_000), FC_AGENT_OK);
    board.connect();
    assert_eq!(next_connect_at(board.machine), u64::MAX);
    let arrivals = board.arrivals();
    let own: Vec<&Arrival> = arrivals
        .iter()
        .filter(|arrival| arrival.topic.starts_with("d/wm/"))
        .collect();
    let topics: Vec<&str> = own.iter().map(|arrival| &arrival.topic[..]).collect();
    assert_eq!(topics, ["d/wm/t", "d/wm/e", "d/wm/e", "d/wm/s"]);
    let has = |arrival: &Arrival, text: &[u8]| arrival.payload.windows(text.len()).any(|part| part == text);
    assert!(has(own[1], b"hardfault") && has(own[1], b"pc 0x8001234"));
    assert!(has(own[2], b"E21"));
    assert!(has(own[3], b"WM7") && has(own[3], b"1.4.2") && own[3].is_retained);
    assert_eq!(board.hub.filters[0], "d/wm/c/+");
    assert_eq!(board.hub.filters.len(), 4);
    assert!(board.hub.connect.ends_with(b"\x00\x04t/wm\x00\x06secret"));
    assert_eq!(
        board.kinds(),
        [(FC_AGENT_CONNECTED, 0), (FC_AGENT_SUBSCRIBED, 0), (FC_AGENT_TIME, 0)]
    );
    assert_eq!(utc(board.machine, 1_500), 1_800_000_000_500);
}

#[test]
fn commands_come_by_their_number_and_are_answered() {
    let mut board = Board::online();
    board.say("d/wm/c/a-1", br#"{"method":"self_test","params":{"long":true}}"#);
    let told = board.told();
    let [Told { event, topic, payload }] = &told[..] else {
        panic!("one command")
    };
    assert_eq!((event.kind, event.number), (FC_AGENT_COMMAND, 1));
    assert_eq!((event.deadline_ms, event.command.is_json), (u64::MAX, 1));
    assert_eq!(&event.command.id[..usize::from(event.command.id_len)], b"a-1");
    assert_eq!((&topic[..], &payload[..]), (&b""[..], &br#"{"long":true}"#[..]));
    let command = event.command;
    assert_eq!(reply(board.machine, &command, 9, b""), FC_AGENT_NUMBER);
    let nameless = FcAgentCommand { id_len: 0, ..command };
    assert_eq!(reply(board.machine, &nameless, FC_AGENT_DONE, b""), FC_AGENT_NUMBER);
    assert_eq!(
        reply(board.machine, &command, FC_AGENT_DONE, &[b'1'; 300]),
        FC_AGENT_FORM
    );
    assert_eq!(reply(board.machine, &command, FC_AGENT_DONE, b"42"), FC_AGENT_OK);
    let arrivals = board.arrivals();
    assert_eq!(arrivals.len(), 1);
    assert_eq!(arrivals[0].topic, "d/wm/r/a-1");
    assert_eq!(arrivals[0].payload, br#"{"status":"done","result":42}"#);

    board.say("d/wm/c/b", br#"{"method":"open_door"}"#);
    assert!(board.kinds().is_empty(), "it is not on the list");
    assert_eq!(board.arrivals()[0].topic, "d/wm/r/b");

    board.say("d/wm/f/1", b"chunk");
    let told = board.told();
    assert_eq!(told[0].event.kind, FC_AGENT_MESSAGE);
    assert_eq!(
        (&told[0].topic[..], &told[0].payload[..]),
        (&b"d/wm/f/1"[..], &b"chunk"[..])
    );
}

#[test]
fn settings_are_handed_over_and_there_again_after_a_start() {
    const SETTINGS: &str = r#"{"version":7,"metrics":{"3":{"deadband":100}}}"#;
    let mut board = Board::new(&config(), 1_024);
    let drum = declare(board.machine, &DRUM).expect("there is memory");
    board.hub.shared = Some(format!(r#"{{"reporting":{SETTINGS}}}"#));
    board.connect();
    let told = board.told();
    let last = told.last().expect("there are events");
    assert_eq!((last.event.kind, last.event.number), (FC_AGENT_SETTINGS, 7));
    assert_eq!(last.payload, SETTINGS.as_bytes());
    assert!(report(board.machine, drum, 0, 2_000));
    assert!(!report(board.machine, drum, 100, 2_000));

    let after = Board::new(&config(), 1_024);
    let drum = declare(after.machine, &DRUM).expect("there is memory");
    assert!(!restore(after.machine, b"\xFF"));
    assert!(restore(after.machine, &last.payload));
    assert!(report(after.machine, drum, 0, 2_000));
    assert!(!report(after.machine, drum, 100, 2_000));
    assert!(report(after.machine, drum, 101, 2_000));
}

#[test]
fn drops_are_told_here_and_to_the_hub() {
    let mut board = Board::new(&config(), 200);
    let drum = declare(board.machine, &FcAgentMetric { interval_ms: 0, ..DRUM }).expect("there is memory");
    // A batch of one sample takes 27 bytes: seven of them fit.
    for value in 0..12 {
        board.now_ms += 1_000;
        assert!(report(board.machine, drum, value, board.now_ms));
        board.flush();
    }
    let told = board.told();
    let [Told { event, .. }] = &told[..] else {
        panic!("drops of one lane")
    };
    assert_eq!(
        (event.kind, event.lane, event.number),
        (FC_AGENT_DROPPED, FC_AGENT_TELEMETRY, 5)
    );
    board.connect();
    let arrivals = board.arrivals();
    let of = |topic: &str| {
        arrivals
            .iter()
            .filter(|arrival| arrival.topic == topic)
            .collect::<Vec<_>>()
    };
    // The pair of clocks, and the batches.
    assert_eq!(of("d/wm/t").len(), 1 + 7);
    let births = of("d/wm/s");
    assert_eq!(births.len(), 1);
    assert!(births[0].payload.ends_with(&[0, 5]), "no events, five batches");
}

#[test]
fn in_safe_mode_nothing_is_reported_and_the_hub_is_told() {
    let mut board = Board::online();
    let drum = declare(board.machine, &DRUM).expect("there is memory");
    // SAFETY: a machine.
    assert_eq!(unsafe { fc_agent_machine_safe_mode(board.machine, 1_000) }, FC_AGENT_OK);
    assert!(!report(board.machine, drum, 5, 1_000));
    let arrivals = board.arrivals();
    assert_eq!(arrivals.len(), 1);
    assert_eq!(arrivals[0].topic, "d/wm/e");
    assert!(arrivals[0].payload.windows(9).any(|part| part == b"safe-mode"));
    board.say("d/wm/c/1", br#"{"method":"spin"}"#);
    assert_eq!(board.kinds(), [(FC_AGENT_COMMAND, 0)]);
    assert!(!is_healthy(board.machine, 60_999));
    assert!(is_healthy(board.machine, 61_000));
}

#[test]
fn a_device_with_a_clock_asks_nobody_and_a_goodbye_is_one() {
    let mut board = Board::new(&config(), 1_024);
    assert_eq!(utc(board.machine, 1_000), u64::MAX);
    // SAFETY: a machine.
    assert!(unsafe { fc_agent_machine_set_utc(board.machine, 5_000, 1_000) });
    // SAFETY: a machine.
    let again = unsafe { fc_agent_machine_set_utc(board.machine, 6_000, 1_000) };
    assert!(!again, "once in a boot");
    assert_eq!(utc(board.machine, 1_250), 5_250);
    board.connect();
    assert!(board.arrivals().iter().all(|arrival| !arrival.topic.contains("rpc")));
    board.told();
    // SAFETY: a machine.
    unsafe { fc_agent_machine_close(board.machine) };
    assert_eq!(board.kinds(), [(FC_AGENT_DISCONNECTED, FC_AGENT_CLOSED)]);
    board.hub.cut();
    // SAFETY: a machine.
    unsafe { fc_agent_machine_disconnected(board.machine, 2_000) };
    let at = next_connect_at(board.machine);
    assert!((2_000..=3_000).contains(&at), "{at}");
    assert_eq!(next_deadline(board.machine), at);
}

#[test]
fn a_configuration_that_is_wrong_is_refused() {
    let right = config();
    let cases = [
        (
            FcAgentMachineConfig {
                abi_version: 2,
                ..right
            },
            FC_AGENT_ABI,
        ),
        (
            FcAgentMachineConfig {
                password: null(),
                ..right
            },
            FC_AGENT_NULL,
        ),
        (
            FcAgentMachineConfig {
                methods: null(),
                ..right
            },
            FC_AGENT_NULL,
        ),
        (
            FcAgentMachineConfig {
                methods: WRONG_METHODS.0.as_ptr(),
                ..right
            },
            FC_AGENT_TEXT,
        ),
        (
            FcAgentMachineConfig {
                model: c"\x80".as_ptr(),
                ..right
            },
            FC_AGENT_TEXT,
        ),
        (FcAgentMachineConfig { reset: 8, ..right }, FC_AGENT_NUMBER),
        (
            FcAgentMachineConfig {
                packet_bytes: 15,
                ..right
            },
            FC_AGENT_MEMORY,
        ),
        (
            FcAgentMachineConfig {
                metric_count: usize::MAX,
                ..right
            },
            FC_AGENT_MEMORY,
        ),
        (
            FcAgentMachineConfig {
                reading_count: 1_000,
                ..right
            },
            FC_AGENT_MEMORY,
        ),
    ];
    for (index, (config, expected)) in cases.into_iter().enumerate() {
        assert_eq!(init(memory(64), &config), Err(expected), "case {index}");
    }
    assert_eq!(init((null_mut(), 4_096), &right), Err(FC_AGENT_NULL));
    let (at, len) = memory(64);
    assert_eq!(init((at, 16), &right), Err(FC_AGENT_MEMORY));
    assert_eq!(init((at.wrapping_byte_add(4), len - 4), &right), Err(FC_AGENT_MEMORY));
    // SAFETY: NULL is allowed.
    let nowhere = unsafe { fc_agent_machine_init(at, len, &right, 0, null_mut()) };
    assert_eq!(nowhere, FC_AGENT_NULL);
}

#[test]
fn metrics_and_events_that_are_wrong_are_refused() {
    let board = Board::new(&config(), 64);
    let on = |channel| FcAgentMetric { channel, ..DRUM };
    assert_eq!(
        declare(board.machine, &FcAgentMetric { overflow: 2, ..DRUM }),
        Err(FC_AGENT_NUMBER)
    );
    assert_eq!(declare(board.machine, &on(0)), Err(FC_AGENT_NUMBER), "no channel");
    assert_eq!(
        (declare(board.machine, &on(3)), declare(board.machine, &on(4))),
        (Ok(0), Ok(1))
    );
    assert_eq!(
        declare(board.machine, &on(5)),
        Err(FC_AGENT_NUMBER),
        "there is memory for two"
    );
    assert!(!report(board.machine, 2, 1, 1_000), "nobody has declared it");
    assert_eq!(event(board.machine, 3, c"E1", 1_000), FC_AGENT_NUMBER);
    assert_eq!(event(board.machine, FC_AGENT_RAISED, c"", 1_000), FC_AGENT_FORM);
    assert_eq!(event(board.machine, FC_AGENT_RAISED, c"\xFF", 1_000), FC_AGENT_TEXT);
    assert_eq!(event(board.machine, FC_AGENT_RAISED, c"E1", 1_000), FC_AGENT_OK);
    assert_eq!(event(board.machine, FC_AGENT_CLEARED, c"E1", 1_000), FC_AGENT_OK);
    assert_eq!(event(board.machine, FC_AGENT_RAISED, c"E2", 1_000), FC_AGENT_FULL);
}

#[test]
fn a_machine_of_null_does_nothing() {
    let nobody = null_mut();
    let command = FcAgentCommand {
        id: [b'1'; FC_AGENT_ID_BYTES],
        id_len: 1,
        is_json: 1,
    };
    assert_eq!(declare(nobody, &DRUM), Err(FC_AGENT_NULL));
    assert!(!report(nobody, 0, 1, 0) && !restore(nobody, b"{}") && !is_healthy(nobody, 0));
    assert_eq!(event(nobody, FC_AGENT_RAISED, c"E1", 0), FC_AGENT_NULL);
    assert_eq!(reply(nobody, &command, FC_AGENT_DONE, b""), FC_AGENT_NULL);
    assert!(next_event(nobody, 0).is_none());
    let times = [utc(nobody, 0), next_deadline(nobody), next_connect_at(nobody)];
    assert_eq!(times, [u64::MAX; 3]);
    // SAFETY: NULL is allowed.
    assert_eq!(unsafe { fc_agent_machine_safe_mode(nobody, 0) }, FC_AGENT_NULL);
    // SAFETY: NULL is allowed.
    assert_eq!(unsafe { fc_agent_machine_bytes(nobody, null(), 0, 0) }, 0);
}
