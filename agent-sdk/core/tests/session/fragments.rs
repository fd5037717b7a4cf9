//! However the bytes of the hub are cut up, the session does the same.

use crate::rig::{PINGRESP, Rig, SUBACK, Seen, puback, publish, telemetry};
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
fn busy(receive_bytes: usize) -> Rig {
    let mut rig = Rig::online(256, receive_bytes);
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
    let mut rig = busy(receive_bytes);
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

proptest! {
    #[test]
    fn any_fragmentation_gives_equal_results(
        bytes in said(),
        cuts in vec(1..20_usize, 1..8),
        receive_bytes in 16..64_usize,
    ) {
        let whole = outcome(&bytes, &[usize::MAX], receive_bytes);
        for cuts in [&cuts[..], &[1]] {
            let pieces = outcome(&bytes, cuts, receive_bytes);
            prop_assert_eq!(&pieces.0, &whole.0);
            prop_assert_eq!(pieces.2, whole.2);
            if matches!(whole.0.last(), Some(Seen::Disconnected(_))) {
                // The whole came with its end, before the last answers could be written.
                prop_assert!(pieces.1.starts_with(&whole.1), "{:02X?} {:02X?}", pieces.1, whole.1);
            } else {
                prop_assert_eq!(&pieces.1, &whole.1);
            }
        }
    }
}
