//! Payloads: a sound message, and what no device with sound firmware sends, each kind as many times as wanted and never
//! twice the same way.

use agent_sdk_wire::{Header, MAX_MESSAGE_BYTES, TelemetryEncoder, TimeBase, Value};

/// A sound telemetry message with UTC times: `count` samples, a second apart.
pub fn message(boot_id: u64, seq: u64, t0_ms: i64, count: u32) -> Vec<u8> {
    let mut buffer = [0; MAX_MESSAGE_BYTES];
    let header = Header {
        time_base: TimeBase::Utc,
        boot_id,
        seq,
        t0_ms,
    };
    let mut encoder = TelemetryEncoder::new(&mut buffer, &header).expect("the buffer takes a header");
    for n in 0..count {
        encoder
            .push(n * 1_000, &[(1, Value::F64(2.0))])
            .expect("the buffer takes so many samples");
    }
    encoder.finish().expect("the buffer takes the end").to_vec()
}

/// The n-th payload that is not telemetry CBOR.
pub fn cbor(n: usize, now_ms: i64) -> Vec<u8> {
    let mut sound = message(n as u64, 0, now_ms, 1);
    let noise = n.to_be_bytes();
    match n % 5 {
        0 => [&[0xFF], &noise[..]].concat(),
        1 => {
            sound.truncate(n % sound.len());
            sound
        }
        2 => [&sound[..], &noise[..]].concat(),
        // A message of a kind that was never released.
        3 => [&[0x86, 0x18, 0x63], &sound[2..]].concat(),
        _ => vec![0x9F; 1 + n % 4_000],
    }
}

/// The n-th payload that is not telemetry JSON.
pub fn json(n: usize) -> Vec<u8> {
    match n % 7 {
        0 => format!("{{\"phase\": {n}").into_bytes(),
        1 => format!("{:>1$}", "[]", 2 + n % 100).into_bytes(),
        2 => format!("\"text {n}\"").into_bytes(),
        3 => format!("{{\"phase\": \"phase {n}\"}}").into_bytes(),
        4 => [&b"{\"\xC3\x28\": 1}"[..], &n.to_be_bytes()].concat(),
        5 => "[".repeat(1 + n % 4_000).into_bytes(),
        _ => format!("{{\"ts\": \"{n} o'clock\", \"values\": {{\"phase\": 1}}}}").into_bytes(),
    }
}
