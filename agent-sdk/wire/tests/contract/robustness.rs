//! Whatever arrives: round trips are exact, garbage is refused in words, nothing panics, sizes are bounded.

use agent_sdk_wire::{
    DecodeProblem, EncodeError, Field, Header, MAX_MESSAGE_BYTES, MAX_SAMPLES, Packet, TelemetryEncoder, TimeBase,
    Value, decode, decode_telemetry,
};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

const HEADER: Header = Header {
    time_base: TimeBase::Utc,
    boot_id: 1,
    seq: 1,
    t0_ms: 1,
};

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::Int),
        any::<f32>()
            .prop_filter("not a number is never equal", |v| !v.is_nan())
            .prop_map(Value::F32),
        any::<f64>()
            .prop_filter("not a number is never equal", |v| !v.is_nan())
            .prop_map(Value::F64),
        any::<bool>().prop_map(Value::Bool),
    ]
}

fn header() -> impl Strategy<Value = Header> {
    let number = 0..=(1_u64 << 53) - 65;
    (any::<bool>(), number.clone(), number, 0..(1_i64 << 53)).prop_map(|(utc, boot_id, seq, t0_ms)| Header {
        time_base: if utc { TimeBase::Utc } else { TimeBase::Uptime },
        boot_id,
        seq,
        t0_ms,
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        header in header(),
        samples in vec((0..90_000_u32, btree_map(1..=255_u8, value(), 0..20)), 1..=MAX_SAMPLES),
    ) {
        let mut buffer = vec![0; 2 * MAX_MESSAGE_BYTES];
        let mut encoder = TelemetryEncoder::new(&mut buffer, &header).unwrap();
        let mut expected = Vec::new();
        let mut dt_ms = 0;
        for (step, values) in samples {
            dt_ms += step;
            let values: Vec<_> = values.into_iter().collect();
            match encoder.push(dt_ms, &values) {
                Ok(()) => expected.push((dt_ms, values)),
                Err(EncodeError::Full) => break,
                Err(other) => return Err(TestCaseError::fail(other.to_string())),
            }
        }
        let bytes = encoder.finish().unwrap();
        prop_assert!(bytes.len() <= MAX_MESSAGE_BYTES);
        let Packet::Telemetry(read) = decode(bytes).unwrap() else { panic!("telemetry") };
        prop_assert_eq!(read.header, header);
        prop_assert_eq!(usize::from(read.count()), expected.len());
        let read: Vec<_> = read.samples().map(|(dt_ms, values)| (dt_ms, values.collect::<Vec<_>>())).collect();
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..400)) {
        if let Ok(Packet::Telemetry(read)) = decode(&bytes) {
            prop_assert_eq!(read.samples().count(), usize::from(read.count()));
        }
    }

    /// Almost right is where decoders break: one byte of a good message changed, or its tail cut.
    #[test]
    fn damaged_messages_never_panic(at in 0..300_usize, byte in any::<u8>(), cut in 0..300_usize) {
        let mut buffer = [0; 400];
        let mut encoder = TelemetryEncoder::new(&mut buffer, &HEADER).unwrap();
        while encoder.push(7, &[(1, Value::F64(0.1)), (30, Value::Int(-70_000)), (200, Value::Bool(true))]).is_ok() {}
        let good = encoder.finish().unwrap().to_vec();
        let cut = cut.min(good.len() - 1);
        prop_assert!(decode(&good[..cut]).is_err(), "a cut message was taken for whole");
        let mut damaged = good.clone();
        damaged[at] = byte;
        if let Ok(Packet::Telemetry(read)) = decode(&damaged) {
            prop_assert_eq!(read.samples().count(), usize::from(read.count()));
        }
    }

    #[test]
    fn the_shortest_form_is_the_same_stored_number(stored in -2_000_000_000..2_000_000_000_i32, decimals in 0..8_u8) {
        let scale = 10f64.powi(i32::from(decimals));
        let value = f64::from(stored) / scale;
        let sent = Value::at_resolution(value, decimals);
        prop_assert_eq!((sent.as_f64() * scale).round(), f64::from(stored));
    }
}

/// Each refusal names the part and what is wrong with it.
#[test]
fn refusals_say_what_and_where() {
    let refused = |bytes: &[u8]| decode(bytes).map(|_| ()).unwrap_err();
    assert_eq!(
        refused(b"").to_string(),
        "message at byte 0: missing, cut off, or of another type than expected"
    );
    assert_eq!(refused(b"{\"ts\":1}").part, "message");
    assert_eq!(
        refused(&[0x81, 0x09]).to_string(),
        "kind at byte 1: is outside its range"
    );
    assert_eq!(refused(&[0x81, 0x01]).problem, DecodeProblem::Count);
    assert_eq!(refused(&vec![0; MAX_MESSAGE_BYTES + 1]).problem, DecodeProblem::TooLong);

    let head = [0x86, 0x01, 0x01, 0x01, 0x01, 0x01];
    let with = |rest: &[u8]| refused(&[&head, rest].concat());
    assert_eq!(with(&[0x80]).part, "samples");
    assert_eq!(with(&[0x98, 65]).problem, DecodeProblem::Range);
    assert_eq!(with(&[0x81, 0x82, 0x00, 0xa1, 0x00, 0x01]).part, "channel id");
    let falling = with(&[0x81, 0x82, 0x00, 0xa2, 0x02, 0x01, 0x02, 0x01]);
    assert_eq!((falling.part, falling.problem), ("channel id", DecodeProblem::Order));
    assert_eq!(with(&[0x82, 0x82, 0x05, 0xa0, 0x82, 0x04, 0xa0]).part, "dt_ms");
    assert_eq!(
        with(&[0x81, 0x82, 0x00, 0xa1, 0x01, 0x61, 0x41]).to_string(),
        "value at byte 11: missing, cut off, or of another type than expected"
    );
    assert_eq!(with(&[0x81, 0x82, 0x00, 0xa0, 0x00]).problem, DecodeProblem::Trailing);
    // Uptime before the start.
    assert_eq!(refused(&[0x86, 0x01, 0x00, 0x01, 0x01, 0x20, 0x80]).part, "t0_ms");
    // A map of 4 billion entries costs nothing.
    assert_eq!(with(&[0x81, 0x82, 0x00, 0xba, 0xff, 0xff, 0xff, 0xff]).part, "values");
}

#[test]
fn a_refused_sample_leaves_the_message_whole() {
    let mut buffer = [0; 40];
    let mut encoder = TelemetryEncoder::new(&mut buffer, &HEADER).unwrap();
    encoder.push(5, &[(1, Value::F32(1.5))]).unwrap();
    assert_eq!(encoder.push(4, &[]), Err(EncodeError::Order(Field::DtMs)));
    assert_eq!(
        encoder.push(6, &[(2, Value::Int(0)), (2, Value::Int(0))]),
        Err(EncodeError::Order(Field::ChannelId))
    );
    assert_eq!(
        encoder.push(6, &[(0, Value::Int(0))]),
        Err(EncodeError::Order(Field::ChannelId))
    );
    assert_eq!(
        encoder.push(6, &[(1, Value::F64(0.1)), (2, Value::F64(0.1)), (3, Value::F64(0.1))]),
        Err(EncodeError::Full)
    );
    let read = decode_telemetry(encoder.finish().unwrap()).unwrap();
    assert_eq!(read.samples.len(), 1);
    assert_eq!(read.samples[0].values, [(1, 1.5)]);
}

#[test]
fn a_message_without_samples_is_not_sent() {
    let mut buffer = [0; 40];
    let encoder = TelemetryEncoder::new(&mut buffer, &HEADER).unwrap();
    assert_eq!(encoder.finish(), Err(EncodeError::Range(Field::Samples)));
    let future = Header {
        boot_id: 1 << 53,
        ..HEADER
    };
    assert_eq!(
        TelemetryEncoder::new(&mut [0; 40], &future).map(|_| ()),
        Err(EncodeError::Range(Field::BootId))
    );
}
