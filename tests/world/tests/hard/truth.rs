//! The truth beside the rows: units do not hang on one another, and one effect shifts no other.

use super::{calm, start};
use tests_world::hard::{Effect, Effects, FaultKind, Faults, Fleet, VisitResult};

fn fleet() -> Fleet {
    let mut fleet = Fleet::new(3, start(), 365);
    fleet.faults = Faults::PerYear(1.0);
    fleet
}

#[test]
fn a_unit_hangs_on_seed_and_number_only() {
    let fleet = Fleet { days: 20, ..fleet() };
    let among_others: Vec<_> = (0..5)
        .map(|number| fleet.washing_machine(number).collect::<Vec<_>>())
        .collect();
    let alone: Vec<_> = fleet.washing_machine(3).collect();
    assert!(alone.len() > 400 && among_others[3] == alone);
    assert_ne!(among_others[2], alone);
    let fridge: Vec<_> = fleet.fridge(3).collect();
    assert_eq!(fridge, fleet.fridge(3).collect::<Vec<_>>());
    assert_ne!(fridge, Fleet { seed: 4, ..fleet }.fridge(3).collect::<Vec<_>>());
}

/// Without an effect its episodes are gone, and all others are as they were.
#[test]
fn one_effect_less_leaves_the_others() {
    for effect in Effect::ALL {
        // A clock is reset by outages only, and a place ends with the next.
        let follows = (effect == Effect::Outage).then_some(Effect::ClockReset);
        let is_place = |one: Effect| one == Effect::Move || one == Effect::NewOwner;
        for number in 0..8 {
            let (with, without) = (
                fleet(),
                Fleet {
                    effects: Effects::ALL.without(effect),
                    ..fleet()
                },
            );
            let left = |fleet: &Fleet| {
                let (machine, fridge) = (fleet.washing_machine(number), fleet.fridge(number));
                assert_eq!(
                    machine.life().faults().len(),
                    fleet.washing_machine(number).life().faults().len()
                );
                let both = machine.life().episodes().iter().chain(fridge.life().episodes());
                let others = both.filter(|one| one.effect != effect && Some(one.effect) != follows);
                let mut others: Vec<_> = others.cloned().collect();
                others
                    .iter_mut()
                    .filter(|one| is_place(one.effect))
                    .for_each(|one| one.until_day = 0.0);
                others
            };
            assert_eq!(left(&with), left(&without), "{} at unit {number}", effect.name());
            let alone = without.washing_machine(number);
            assert!(alone.life().episodes().iter().all(|one| one.effect != effect));
            assert!(alone.runs().iter().all(|run| !run.effects.has(effect)));
        }
    }
}

/// Every effect happens to somebody: none is a name only.
#[test]
fn each_effect_happens() {
    let mut happened = Effects::NONE;
    for number in 0..300 {
        let (machine, fridge) = (fleet().washing_machine(number), fleet().fridge(number));
        for life in [machine.life(), fridge.life()] {
            happened = happened.or(life.effects_between(0.0, 365.0));
        }
        happened = machine.runs().iter().fold(happened, |all, run| all.or(run.effects));
    }
    // These shape habits and climate all the time, and have no days of their own.
    let constant = [
        Effect::Households,
        Effect::Season,
        Effect::FillWeeks,
        Effect::ColdWash,
        Effect::Openings,
        Effect::AdaptiveDefrost,
    ];
    let missing: Vec<_> = Effect::ALL
        .into_iter()
        .filter(|one| !happened.has(*one) && !constant.contains(one))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn faults_come_at_their_rate_and_a_fifth_is_not_repaired_at_once() {
    let (mut faults, mut wrong, mut electronics) = (0, 0, 0);
    for number in 0..3_000 {
        for fault in fleet().washing_machine(number).life().faults() {
            faults += 1;
            wrong += u32::from(!fault.is_repaired_at_once());
            electronics += u32::from(fault.kind == FaultKind::Electronics);
            assert_eq!(fault.visits.last().unwrap().result, VisitResult::RightPart);
            assert!(fault.failure_day < fault.repaired_day());
        }
    }
    assert!((2_800..3_200).contains(&faults), "{faults}");
    let share = |count: u32| f64::from(count) / f64::from(faults);
    assert!((0.16..0.24).contains(&share(wrong)), "{wrong} of {faults}");
    assert!((0.25..0.40).contains(&share(electronics)), "{electronics} of {faults}");
    assert!(calm(365).washing_machine(1).life().faults().is_empty());
}

#[test]
fn half_of_the_amplitude_is_half_of_it() {
    let half = Fleet {
        amplitude: 0.5,
        ..fleet()
    };
    for number in 0..50 {
        let (whole, half) = (fleet().fridge(number), half.fridge(number));
        for (whole, half) in whole.life().faults().iter().zip(half.life().faults()) {
            assert!((whole.amplitude - 2.0 * half.amplitude).abs() < 1e-9);
            assert_eq!((whole.kind, whole.failure_day), (half.kind, half.failure_day));
        }
    }
}
