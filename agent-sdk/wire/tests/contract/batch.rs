//! Batches: columns are read as they were written, whatever is missing; what is damaged is refused or read, never a panic.

use agent_sdk_wire::{
    Batch, BatchEncoder, DecodeProblem, EncodeError, Field, Header, MAX_BATCH_VALUES, MAX_MESSAGE_BYTES, MAX_SAMPLES,
    Packet, TimeBase, batch_bytes_max, decode, decode_telemetry, scaled,
};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

pub const HEADER: Header = Header {
    time_base: TimeBase::Utc,
    boot_id: 1,
    seq: 1,
    t0_ms: 1,
};

pub type Read = (Vec<u32>, Vec<(u8, Vec<Option<i32>>)>);

fn batch(bytes: &[u8]) -> Batch<'_> {
    match decode(bytes).unwrap() {
        Packet::Batch(batch) => batch,
        other => panic!("{other:?} is no batch"),
    }
}

pub fn read(bytes: &[u8]) -> Read {
    let batch = batch(bytes);
    let columns = batch.columns().map(|(channel, column)| (channel, column.collect()));
    (batch.dt_ms().collect(), columns.collect())
}

/// The message of these times and columns, whole.
pub fn written(header: &Header, times: &[u32], columns: &[(u8, Vec<Option<i32>>)]) -> Vec<u8> {
    let mut buffer = vec![0; MAX_MESSAGE_BYTES];
    let mut encoder = BatchEncoder::new(&mut buffer, header, times.iter().copied()).unwrap();
    for (channel, values) in columns {
        encoder.column(*channel, values.iter().copied()).unwrap();
    }
    encoder.finish().unwrap().to_vec()
}

/// What a sensor gives: steady, a walk, noise, the whole range, and all with holes.
fn values(count: usize) -> impl Strategy<Value = Vec<Option<i32>>> {
    let steady = any::<i32>().prop_map(move |value| vec![value; count]);
    let walk = (any::<i16>(), 1..10_000_i32, vec(-3..=3_i32, count)).prop_map(|(first, step, moves)| {
        let mut now = i32::from(first);
        moves
            .into_iter()
            .map(|by| {
                now += by * step;
                now
            })
            .collect::<Vec<_>>()
    });
    let any_at_all = vec(any::<i32>(), count);
    let edges = vec(prop_oneof![Just(i32::MIN), Just(i32::MAX), Just(0)], count);
    let whole = prop_oneof![steady, walk, any_at_all, edges];
    (whole, any::<bool>(), vec(any::<bool>(), count)).prop_map(|(whole, has_holes, there)| {
        let value = |(value, there)| (there || !has_holes).then_some(value);
        whole.into_iter().zip(there).map(value).collect::<Vec<_>>()
    })
}

pub fn content() -> impl Strategy<Value = Read> {
    (1..=MAX_SAMPLES, any::<bool>()).prop_flat_map(|(count, is_regular)| {
        let gap = if is_regular { 1_000..1_001_u32 } else { 0..60_000_000 };
        let times = vec(gap, count - 1).prop_map(|gaps| {
            let mut now = 0;
            let rest = gaps.into_iter().map(|gap| {
                now += gap;
                now
            });
            [0].into_iter().chain(rest).collect::<Vec<u32>>()
        });
        let columns =
            btree_map(1..=255_u8, values(count), 0..12).prop_map(|columns| columns.into_iter().collect::<Vec<_>>());
        (times, columns)
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read((times, columns) in content(), utc in any::<bool>(), seq in 0..=(1_u64 << 53) - 65) {
        let header = Header { time_base: if utc { TimeBase::Utc } else { TimeBase::Uptime }, seq, ..HEADER };
        let bytes = written(&header, &times, &columns);
        prop_assert!(bytes.len() <= batch_bytes_max(times.len(), columns.len()));
        prop_assert_eq!(batch(&bytes).header, header);
        prop_assert_eq!(usize::from(batch(&bytes).count()), times.len());
        let columns: Vec<_> = columns.into_iter().filter(|(_, values)| values.iter().any(Option::is_some)).collect();
        prop_assert_eq!(read(&bytes), (times, columns));
    }

    /// No beginning of a message is one, and one that does not fit leaves what was there.
    #[test]
    fn cut_messages_are_refused((times, columns) in content(), cut in any::<prop::sample::Index>()) {
        let bytes = written(&HEADER, &times, &columns);
        prop_assert!(decode(&bytes[..cut.index(bytes.len())]).is_err());
        let mut buffer = vec![0; cut.index(bytes.len())];
        let Ok(mut encoder) = BatchEncoder::new(&mut buffer, &HEADER, times.iter().copied()) else { return Ok(()) };
        let mut taken = Vec::new();
        for (channel, values) in columns {
            match encoder.column(channel, values.iter().copied()) {
                Ok(()) if values.iter().any(Option::is_some) => taken.push((channel, values)),
                Ok(()) => {}
                Err(error) => prop_assert_eq!(error, EncodeError::Full),
            }
        }
        prop_assert_eq!(read(encoder.finish().unwrap()), (times, taken));
    }

    /// The device rounds as the hub does.
    #[test]
    fn scaled_is_what_the_hub_stores(value in -200_000.0..200_000.0_f64, decimals in 0..5_u8) {
        let stored = (value * 10f64.powi(i32::from(decimals))).round();
        let expected = (stored.abs() < f64::from(i32::MAX)).then_some(stored as i32);
        if expected.is_some() {
            prop_assert_eq!(scaled(value, decimals), expected);
        }
    }
}

#[test]
fn halves_go_away_from_zero_and_what_is_no_reading_is_left_out() {
    assert_eq!(
        [0.5, -0.5, 2.5, -2.5, 0.49].map(|v| scaled(v, 0)),
        [1, -1, 3, -3, 0].map(Some)
    );
    assert_eq!(scaled(0.499_999_999_999_999_94, 0), Some(0));
    assert_eq!(scaled(f64::from(i32::MAX), 0), Some(i32::MAX));
    assert_eq!(scaled(f64::from(i32::MIN), 0), Some(i32::MIN));
    for none in [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        2_147_483_648.0,
        -2_147_483_649.0,
    ] {
        assert_eq!(scaled(none, 0), None, "{none}");
    }
    assert_eq!(scaled(1.0, 255), None);
}

#[test]
fn the_encoder_refuses_what_the_contract_does() {
    let mut buffer = [0; 256];
    let begun = |times: &[u32]| BatchEncoder::new(&mut [0; 256], &HEADER, times.iter().copied()).map(|_| ());
    assert_eq!(begun(&[]), Err(EncodeError::Range(Field::Samples)));
    assert_eq!(begun(&[0; MAX_SAMPLES + 1]), Err(EncodeError::Range(Field::Samples)));
    let endless = BatchEncoder::new(&mut [0; 256], &HEADER, std::iter::repeat(0)).map(|_| ());
    assert_eq!(endless, Err(EncodeError::Range(Field::Samples)));
    assert_eq!(begun(&[1, 2]), Err(EncodeError::Range(Field::DtMs)));
    assert_eq!(begun(&[0, 2, 1]), Err(EncodeError::Order(Field::DtMs)));
    let mut encoder = BatchEncoder::new(&mut buffer, &HEADER, [0, 5].into_iter()).unwrap();
    assert_eq!(
        encoder.column(0, [Some(1); 2].into_iter()),
        Err(EncodeError::Order(Field::ChannelId))
    );
    assert_eq!(
        encoder.column(1, [Some(1); 3].into_iter()),
        Err(EncodeError::Range(Field::Values))
    );
    assert_eq!(
        encoder.column(3, std::iter::repeat(Some(1))),
        Err(EncodeError::Range(Field::Values))
    );
    assert_eq!(encoder.column(2, [Some(1); 2].into_iter()), Ok(()));
    assert_eq!(
        encoder.column(2, [Some(1); 2].into_iter()),
        Err(EncodeError::Order(Field::ChannelId))
    );
    assert_eq!(
        read(encoder.finish().unwrap()),
        (vec![0, 5], vec![(2, vec![Some(1); 2])])
    );
}

/// A batch expands to no more than a telemetry message could hold.
#[test]
fn values_are_bounded_at_both_ends() {
    let mut buffer = vec![0; MAX_MESSAGE_BYTES];
    let mut encoder = BatchEncoder::new(&mut buffer, &HEADER, [0; MAX_SAMPLES].into_iter()).unwrap();
    let fits = MAX_BATCH_VALUES / MAX_SAMPLES;
    for channel in 1..=255_u8 {
        let taken = encoder.column(channel, [Some(7); MAX_SAMPLES].into_iter());
        assert_eq!(taken.is_ok(), usize::from(channel) <= fits, "{channel}");
    }
    let mut bytes = encoder.finish().unwrap().to_vec();
    assert_eq!(read(&bytes).1.len(), fits);
    let at = bytes.windows(2).position(|pair| pair == [0xB8, fits as u8]).unwrap();
    bytes[at + 1] += 1;
    let refused = decode(&bytes).map(|_| ()).unwrap_err();
    assert_eq!((refused.part, refused.problem), ("columns", DecodeProblem::Range));
}

#[test]
fn refusals_say_what_and_where() {
    let refused = |rest: &[u8]| {
        let head = [0x88, 4, 1, 1, 1, 1];
        let error = decode(&[&head, rest].concat()).map(|_| ()).unwrap_err();
        (error.part, error.problem)
    };
    // Two samples a second apart: 0x3F, then 1000 zig-zag; and one column.
    let times = [2, 0x43, 0x3F, 0xD0, 0x0F];
    let column = |run: &[u8]| refused(&[&times[..], &[0xA1, 1, 0x40 + run.len() as u8], run].concat());
    assert_eq!(refused(&[0]), ("samples", DecodeProblem::Range));
    assert_eq!(refused(&[0x18, 65]), ("samples", DecodeProblem::Range));
    assert_eq!(refused(&[2, 0x40]), ("times", DecodeProblem::Malformed));
    assert_eq!(refused(&[1, 0x41, 0x3F]), ("times", DecodeProblem::Trailing));
    assert_eq!(refused(&[2, 0x42, 0x3F, 0x01]), ("times", DecodeProblem::Order));
    assert_eq!(
        refused(&[3, 0x46, 0x3F, 0xFE, 0xFF, 0xFF, 0xFF, 0x1F]),
        ("times", DecodeProblem::Range)
    );
    assert_eq!(
        refused(&[&times[..], &[0xA1, 0]].concat()),
        ("channel id", DecodeProblem::Range)
    );
    assert_eq!(column(&[]), ("column", DecodeProblem::Malformed));
    assert_eq!(column(&[33, 2, 1, 0]), ("column", DecodeProblem::Range));
    assert_eq!(column(&[0x3F, 2, 0]), ("column", DecodeProblem::Trailing));
    assert_eq!(
        column(&[0, 2, 0, 0]),
        ("column", DecodeProblem::Range),
        "a step of zero"
    );
    assert_eq!(column(&[0, 2, 1]), ("column", DecodeProblem::Malformed));
    assert_eq!(column(&[0, 2, 1, 0b0100_0000]), ("column", DecodeProblem::Trailing));
    assert_eq!(column(&[0, 2, 1, 0, 0]), ("column", DecodeProblem::Trailing));
    assert_eq!(
        column(&[0x3F, 0x80, 0x80, 0x80, 0x80, 0x80]),
        ("column", DecodeProblem::Range)
    );
    assert_eq!(
        column(&[0x3F, 0x80, 0x80, 0x80, 0x80, 0x10]),
        ("column", DecodeProblem::Range),
        "33 bits"
    );
    for bitmap in [0b00, 0b11, 0b100, 0b101] {
        assert_eq!(
            column(&[0x7F, bitmap, 2]),
            ("column", DecodeProblem::Count),
            "{bitmap:b}"
        );
    }
    // The length of a string of 4 billion bytes costs nothing.
    assert_eq!(
        refused(&[2, 0x5A, 0xFF, 0xFF, 0xFF, 0xFF]),
        ("times", DecodeProblem::Malformed)
    );
    let whole = written(&HEADER, &[0, 1_000], &[(1, vec![Some(1), None])]);
    assert_eq!(
        decode_telemetry(&whole).unwrap_err().part,
        "kind",
        "without a profile it is no telemetry"
    );
}

/// Whatever `decode` lets through can be walked to its end.
pub fn can_be_walked(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(Packet::Batch(batch)) = decode(bytes) {
        let samples = usize::from(batch.count());
        prop_assert_eq!(batch.dt_ms().count(), samples);
        prop_assert!(batch.dt_ms().is_sorted());
        prop_assert!(batch.columns().all(|(_, column)| column.count() == samples));
        prop_assert!(batch.columns().count() * samples <= MAX_BATCH_VALUES);
    }
    Ok(())
}

/// Bytes that begin like a batch, and batches with some bytes changed.
pub fn almost_a_batch() -> impl Strategy<Value = Vec<u8>> {
    let arbitrary = vec(any::<u8>(), 0..200).prop_map(|rest| [&[0x88, 4, 1, 1, 1, 1][..], &rest].concat());
    let damage = vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    let damaged = (content(), damage).prop_map(|((times, columns), damage)| {
        let mut bytes = written(&HEADER, &times, &columns);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    });
    prop_oneof![arbitrary, damaged]
}
