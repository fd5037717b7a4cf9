//! Golden vectors: bytes that were once released must always be written and read the same.

use agent_sdk_wire::{
    BatchEncoder, Clock, Command, DeviceState, Event, EventState, GONE, Header, Outcome, Packet, Reply, ResetReason,
    Status, TelemetryEncoder, TimeBase, Value, decode, decode_command, decode_reply, decode_state, encode_clock,
    encode_command, encode_event, encode_reply, encode_status,
};
use std::collections::BTreeMap;

/// `name: hex` a line; `#` starts a comment.
fn golden() -> BTreeMap<String, Vec<u8>> {
    let lines = include_str!("golden.hex")
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let (name, digits) = line.split_once(": ").unwrap();
            (name.to_owned(), hex::decode(digits).unwrap())
        })
        .collect()
}

/// Ten channels of a typical appliance: seven measurements, two states, one counter.
fn ten_channels(step: u8) -> Vec<(u8, Value)> {
    let measured = |channel: u8| (channel, Value::F32(f32::from(channel) + f32::from(step) / 8.0));
    let mut values: Vec<_> = (1..=7).map(measured).collect();
    values.extend([
        (8, Value::Bool(true)),
        (9, Value::Bool(step.is_multiple_of(2))),
        (10, Value::Int(1200 + i64::from(step))),
    ]);
    values
}

fn telemetry(samples: u8) -> Vec<u8> {
    let header = Header {
        time_base: TimeBase::Utc,
        boot_id: 0x1234_5678,
        seq: 4_711,
        t0_ms: 1_767_225_600_000,
    };
    let mut buffer = [0; 512];
    let mut encoder = TelemetryEncoder::new(&mut buffer, &header).unwrap();
    for step in 0..samples {
        encoder.push(u32::from(step) * 1_000, &ten_channels(step)).unwrap();
    }
    encoder.finish().unwrap().to_vec()
}

fn odd_telemetry() -> Vec<u8> {
    let header = Header {
        time_base: TimeBase::Uptime,
        boot_id: 7,
        seq: 0,
        t0_ms: 42,
    };
    let mut buffer = [0; 128];
    let mut encoder = TelemetryEncoder::new(&mut buffer, &header).unwrap();
    encoder.push(0, &[]).unwrap();
    encoder.push(0, &[(255, Value::F64(22.2577))]).unwrap();
    encoder
        .push(u32::MAX, &[(1, Value::Int(-300)), (2, Value::Bool(false))])
        .unwrap();
    encoder.finish().unwrap().to_vec()
}

type Columns = Vec<(u8, Vec<Option<i32>>)>;

/// Every batch of the golden file: its header, times, and columns.
fn batches() -> [(&'static str, Header, Vec<u32>, Columns); 3] {
    let header = |time_base, boot_id, seq, t0_ms| Header {
        time_base,
        boot_id,
        seq,
        t0_ms,
    };
    let whole = |value: &dyn Fn(i32) -> i32| (0..8).map(|n| Some(value(n))).collect::<Vec<_>>();
    let regular = vec![
        (1, whole(&|n| 1_000 + 125 * n)),
        (2, whole(&|n| n * n * 100 - 7)),
        (8, whole(&|_| 1)),
        (9, whole(&|n| 1 - n % 2)),
        (10, whole(&|n| 1_200 + n)),
    ];
    let odd = vec![
        (3, vec![None, Some(i32::MIN), None, Some(i32::MAX)]),
        (4, vec![None, None, None, Some(-300)]),
        (200, vec![Some(i32::MAX), Some(i32::MIN), Some(i32::MAX), Some(0)]),
        (255, vec![Some(5), Some(6), Some(5), Some(1_000)]),
    ];
    [
        (
            "batch",
            header(TimeBase::Utc, 0x1234_5678, 4_711, 1_767_225_600_000),
            (0..8).map(|n| n * 1_000).collect(),
            regular,
        ),
        (
            "batch-odd",
            header(TimeBase::Uptime, 7, 0, 42),
            vec![0, 0, 5, u32::MAX],
            odd,
        ),
        (
            "batch-one",
            header(TimeBase::Utc, 1, 2, 3),
            vec![0],
            vec![(1, vec![Some(-5)])],
        ),
    ]
}

fn clock() -> Vec<u8> {
    let clock = Clock {
        boot_id: 7,
        uptime_ms: 90_000,
        utc_ms: 1_767_225_600_000,
    };
    encode_clock(&mut [0; 32], &clock).unwrap().to_vec()
}

const EVENT: Event<'_> = Event {
    time_base: TimeBase::Utc,
    boot_id: 0x1234_5678,
    seq: 3,
    at_ms: 1_767_225_600_000,
    state: EventState::Raised,
    code: "E21",
    detail: "drain time-out 排水超时",
};

fn event() -> Vec<u8> {
    encode_event(&mut [0; 96], &EVENT).unwrap().to_vec()
}

const STATUS: Status<'_> = Status {
    boot_id: 7,
    model: "WM7",
    firmware: "1.4.2",
    sdk: "0.1.0",
    reset: ResetReason::Watchdog,
    takes_cbor_commands: true,
    settings: 3,
    dropped_events: 0,
    dropped_telemetry: 300,
};

const COMMAND: Command<'_> = Command {
    deadline_ms: Some(1_767_225_600_000),
    method: b"self_test",
    args: &[0xA1, 1, 5],
};

const REPLY: Reply<'_> = Reply {
    outcome: Outcome::Done,
    detail: &[1],
};

/// What is neither readings nor faults.
fn control() -> [(&'static str, Vec<u8>); 4] {
    [
        ("status", encode_status(&mut [0; 64], &STATUS).unwrap().to_vec()),
        ("gone", GONE.to_vec()),
        ("command", encode_command(&mut [0; 64], &COMMAND).unwrap().to_vec()),
        ("reply", encode_reply(&mut [0; 16], &REPLY).unwrap().to_vec()),
    ]
}

#[test]
fn bytes_are_as_released() {
    let written = [
        ("telemetry-1", telemetry(1)),
        ("telemetry-6", telemetry(6)),
        ("telemetry-odd", odd_telemetry()),
    ];
    let written = written.into_iter().chain([("clock", clock()), ("event", event())]);
    let batches = batches().map(|(name, header, times, columns)| {
        let mut buffer = [0; 256];
        let mut encoder = BatchEncoder::new(&mut buffer, &header, times.iter().copied()).unwrap();
        for (channel, values) in &columns {
            encoder.column(*channel, values.iter().copied()).unwrap();
        }
        (name, encoder.finish().unwrap().to_vec())
    });
    let written = written.chain(batches).chain(control());
    let written: BTreeMap<_, _> = written
        .map(|(name, bytes)| (name.to_owned(), hex::encode(bytes)))
        .collect();
    let released: BTreeMap<_, _> = golden()
        .into_iter()
        .map(|(name, bytes)| (name, hex::encode(bytes)))
        .collect();
    assert_eq!(written, released);
}

#[test]
fn released_bytes_are_read() {
    let golden = golden();
    for (name, samples) in [("telemetry-1", 1), ("telemetry-6", 6)] {
        let Packet::Telemetry(read) = decode(&golden[name]).unwrap() else {
            panic!("{name} is telemetry")
        };
        assert_eq!(read.header.boot_id, 0x1234_5678);
        assert_eq!(read.header.seq, 4_711);
        assert_eq!(read.header.t0_ms, 1_767_225_600_000);
        let expected: Vec<_> = (0..samples)
            .map(|step| (u32::from(step) * 1_000, ten_channels(step)))
            .collect();
        let read: Vec<_> = read
            .samples()
            .map(|(dt_ms, values)| (dt_ms, values.collect::<Vec<_>>()))
            .collect();
        assert_eq!(read, expected);
    }
    let odd = agent_sdk_wire::decode_telemetry(&golden["telemetry-odd"]).unwrap();
    assert_eq!(odd.time_base, TimeBase::Uptime);
    let times: Vec<_> = odd
        .numbered()
        .map(|(seq, ms, sample)| (seq, ms, sample.values.clone()))
        .collect();
    let last = 42 + i64::from(u32::MAX);
    assert_eq!(
        times,
        [
            (0, 42, vec![]),
            (1, 42, vec![(255, 22.2577)]),
            (2, last, vec![(1, -300.0), (2, 0.0)])
        ]
    );
    let Packet::Clock(read) = decode(&golden["clock"]).unwrap() else {
        panic!("a clock")
    };
    assert_eq!(
        read,
        Clock {
            boot_id: 7,
            uptime_ms: 90_000,
            utc_ms: 1_767_225_600_000
        }
    );
    let Packet::Event(read) = decode(&golden["event"]).unwrap() else {
        panic!("an event")
    };
    assert_eq!(read, EVENT);
}

#[test]
fn released_control_messages_are_read() {
    let golden = golden();
    assert_eq!(decode_state(&golden["status"]), Ok(DeviceState::Here(STATUS)));
    assert_eq!(decode_state(&golden["gone"]), Ok(DeviceState::Gone));
    assert_eq!(decode_command(&golden["command"]), Ok(COMMAND));
    assert_eq!(decode_reply(&golden["reply"]), Ok(REPLY));
}

#[test]
fn released_batches_are_read() {
    let golden = golden();
    for (name, header, times, columns) in batches() {
        let Packet::Batch(read) = decode(&golden[name]).unwrap() else {
            panic!("{name} is a batch")
        };
        assert_eq!(read.header, header);
        assert_eq!(read.dt_ms().collect::<Vec<_>>(), times);
        let read: Columns = read
            .columns()
            .map(|(channel, column)| (channel, column.collect()))
            .collect();
        assert_eq!(read, columns, "{name}");
    }
}

#[test]
fn sizes_stay_near_those_promised() {
    // Flat JSON needs 147 and 889 bytes for such readings.
    assert!((60..=80).contains(&telemetry(1).len()), "{}", telemetry(1).len());
    assert!((300..=350).contains(&telemetry(6).len()), "{}", telemetry(6).len());
}
