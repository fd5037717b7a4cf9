//! Random days with random power cuts against the record of what was promised.

use crate::world::{SECRET, SETTINGS, Shape, Step, World, cut};
use agent_sdk_storage::Overflow;
use proptest::collection::vec;
use proptest::prelude::*;

/// A step, and perhaps after how many bytes or erases from its beginning the power fails, then or in a later step.
type Moment = (Step, Option<(u64, u64)>);

fn bytes(len: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![1 => Just(0xFF_u8), 3 => any::<u8>()], len)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => bytes(9..120).prop_map(Step::Append),
        2 => (1..4_u32).prop_map(Step::Take),
        1 => bytes(32..33).prop_map(|secret| Step::Put(SECRET, secret)),
        1 => bytes(0..60).prop_map(|settings| Step::Put(SETTINGS, settings)),
    ]
}

fn moments() -> impl Strategy<Value = Vec<Moment>> {
    let cut = prop_oneof![7 => Just(None), 1 => (0..400_u64, any::<u64>()).prop_map(Some)];
    vec((step(), cut), 1..120)
}

fn overflow() -> impl Strategy<Value = Overflow> {
    prop_oneof![Just(Overflow::Refuse), Just(Overflow::DropOldest)]
}

fn live<const WRITE: usize>(overflow: Overflow, outbox_pages: u32, moments: &[Moment]) {
    let mut world = World::<WRITE, 256>::new(Shape {
        page_bytes: 512,
        outbox_pages,
        keys_pages: 2,
        overflow,
    });
    for (step, power_cut) in moments {
        if let Some((steps, how)) = power_cut {
            world.flash.cut_after(*steps, cut(*how));
        }
        if world.run(step).is_err() {
            world.restart_and_check();
        }
    }
    world.restart_and_check();
    world.carry_on(3).unwrap();
    world.restart_and_check();
}

proptest! {
    #[test]
    fn words_of_one_byte(overflow in overflow(), pages in 2..6_u32, moments in moments()) {
        live::<1>(overflow, pages, &moments);
    }

    #[test]
    fn words_of_four_bytes(overflow in overflow(), pages in 2..6_u32, moments in moments()) {
        live::<4>(overflow, pages, &moments);
    }

    #[test]
    fn words_of_eight_bytes(overflow in overflow(), pages in 2..6_u32, moments in moments()) {
        live::<8>(overflow, pages, &moments);
    }
}
