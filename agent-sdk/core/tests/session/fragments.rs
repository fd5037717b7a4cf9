//! However the bytes of the hub are cut up, the session does the same.

use crate::fuzz::fuzz;
use crate::rig::{CONNACK_NEW, Lent, PINGRESP, SETTINGS, SUBACK, Seen, puback, publish, telemetry};
use agent_sdk_core::{Lane, Publish};
use proptest::collection::vec;
use proptest::prelude::*;

/// What a hub says, mostly as it should.
fn said() -> impl Strategy<Value = Vec<u8>> {
    let payload = || vec(any::<u8>(), 0..40);
    let piece = prop_oneof![
        6 => (0..8_u16).prop_map(puback),
        4 => (1..100_u16, payload()).prop_map(|(id, payload)| publish(0x32, "c/1", id, &payload)),
        4 => payload().prop_map(|payload| publish(0x30, "c/2", 0, &payload)),
        2 => Just(PINGRESP.to_vec()),
        1 => Just(SUBACK.to_vec()),
        1 => vec(any::<u8>(), 0..6),
    ];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// A session with six messages waiting and three in flight.
fn busy<'m>(outbox: &'m mut [u8], receive: &'m mut [u8]) -> Lent<'m> {
    let mut rig = Lent::over(outbox, receive, SETTINGS);
    rig.connect(CONNACK_NEW);
    for payload in [b"a", b"b", b"c", b"d", b"e", b"f"] {
        let lane = if *payload == *b"e" {
            Lane::Event
        } else {
            Lane::Telemetry
        };
        let message = Publish {
            lane,
            ..telemetry(payload)
        };
        rig.session.publish(&message).expect("there is room");
    }
    rig.sent();
    rig
}

/// What a session told and sent when it got these bytes in such pieces.
fn outcome(bytes: &[u8], cuts: &[usize], receive_bytes: usize) -> (Vec<Seen>, Vec<u8>, u32) {
    let (mut outbox, mut receive) = ([0; 256], vec![0; receive_bytes]);
    let mut rig = busy(&mut outbox, &mut receive);
    let mut rest = bytes;
    for cut in cuts.iter().cycle() {
        let (piece, behind) = rest.split_at((*cut).min(rest.len()));
        rig.receive(piece);
        rest = behind;
        if rest.is_empty() {
            break;
        }
    }
    (rig.seen(), rig.sent(), rig.session.too_long_count())
}

/// What a hub says, how it is cut up, and how much of it is taken in at a time.
fn cases() -> impl Strategy<Value = (Vec<u8>, Vec<usize>, usize)> {
    (said(), vec(1..20_usize, 1..8), 16..64_usize)
}

fn is_equal_in_pieces(bytes: &[u8], cuts: &[usize], receive_bytes: usize) -> Result<(), TestCaseError> {
    let whole = outcome(bytes, &[usize::MAX], receive_bytes);
    for cuts in [cuts, &[1]] {
        let pieces = outcome(bytes, cuts, receive_bytes);
        prop_assert_eq!(&pieces.0, &whole.0);
        prop_assert_eq!(pieces.2, whole.2);
        if matches!(whole.0.last(), Some(Seen::Disconnected(_))) {
            // The end may come in one piece with what would have been answered, and then that is not answered any more.
            let is_equal_so_far = pieces.1.starts_with(&whole.1) || whole.1.starts_with(&pieces.1);
            prop_assert!(is_equal_so_far, "{:02X?} {:02X?}", pieces.1, whole.1);
        } else {
            prop_assert_eq!(&pieces.1, &whole.1);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_fragmentation_gives_equal_results((bytes, cuts, receive_bytes) in cases()) {
        is_equal_in_pieces(&bytes, &cuts, receive_bytes)?;
    }
}

#[test]
fn fuzz_any_fragmentation_gives_equal_results() {
    fuzz(500, &cases(), |(bytes, cuts, receive_bytes)| {
        is_equal_in_pieces(&bytes, &cuts, receive_bytes)
    });
}

/// Bytes of all kinds, and not what a hub says.
#[test]
fn fuzz_any_bytes_in_any_pieces() {
    let first = prop_oneof![
        any::<u8>(),
        prop::sample::select(vec![0x20, 0x30, 0x32, 0x40, 0x90, 0xD0])
    ];
    let framed = (first, vec(any::<u8>(), 0..100)).prop_map(|(first, body)| {
        let head = [first, u8::try_from(body.len()).unwrap_or(0)];
        [&head[..], &body].concat()
    });
    let bytes = prop_oneof![
        vec(any::<u8>(), 0..200),
        vec(framed, 1..4).prop_map(|packets| packets.concat())
    ];
    let case = (bytes, vec(1..20_usize, 1..8), 16..64_usize);
    fuzz(500, &case, |(bytes, cuts, receive_bytes)| {
        is_equal_in_pieces(&bytes, &cuts, receive_bytes)
    });
}
