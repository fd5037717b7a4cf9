//! The simulated washing machine: the same world for the same seed, readings a profile can hold, faults that show.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use tests_world::{FaultKind, FaultPlan, Phase, Sample, Unit, WashingMachine, profiles};

const CHINA_S: i64 = 8 * 3_600;

fn start() -> Timestamp {
    "2026-03-01T00:00:00Z".parse().unwrap()
}

fn after_hours(hours: i64) -> Timestamp {
    start() + SignedDuration::from_hours(hours)
}

fn worn(kind: FaultKind) -> FaultPlan {
    FaultPlan {
        kind,
        onset: start(),
        days_to_failure: 20.0,
    }
}

fn machine(seed: u64) -> WashingMachine {
    WashingMachine::new(Unit::draw(seed, CHINA_S), start())
}

fn value(sample: &Sample, name: &str) -> f64 {
    sample.values[profiles::washing_machine().position(name).unwrap()].1
}

/// Mean of a channel over a phase, and how many samples of that phase there are for each run.
fn mean(samples: &[Sample], phase: Phase, name: &str) -> f64 {
    let of_phase: Vec<_> = samples
        .iter()
        .filter(|s| s.values[0].1 == f64::from(phase as u8))
        .collect();
    of_phase.iter().map(|sample| value(sample, name)).sum::<f64>() / of_phase.len() as f64
}

/// Mean fall of the water level from one minute of the wash to the next.
fn fall(samples: &[Sample]) -> f64 {
    let wash = |sample: &Sample| sample.values[0].1 == f64::from(Phase::Wash as u8);
    let pairs = samples.windows(2).filter(|pair| wash(&pair[0]) && wash(&pair[1]));
    let falls: Vec<_> = pairs
        .map(|pair| (value(&pair[0], "water_level_mm") - value(&pair[1], "water_level_mm")).max(0.0))
        .collect();
    falls.iter().sum::<f64>() / falls.len() as f64
}

fn count(samples: &[Sample], phase: Phase) -> f64 {
    samples
        .iter()
        .filter(|s| s.values[0].1 == f64::from(phase as u8))
        .count() as f64
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// However the shell cuts time into steps, the machine lives the same life.
    #[test]
    fn steps_do_not_matter(seed in any::<u64>(), steps in proptest::collection::vec(1..20_000_i64, 1..60)) {
        let plan = FaultPlan { kind: FaultKind::DoorGasket, onset: after_hours(30), days_to_failure: 3.0 };
        let (mut stepped, mut at_once) = (machine(seed).with_fault(plan), machine(seed).with_fault(plan));
        let mut now = start();
        let mut samples = Vec::new();
        for step in steps {
            now += SignedDuration::from_secs(step);
            samples.extend(stepped.step_until(now));
        }
        prop_assert!(samples.iter().all(|sample| sample.at <= now));
        prop_assert_eq!(samples, at_once.step_until(now));
    }

    /// Every value can be stored, times rise, and every run leaves and reaches the idle phase.
    #[test]
    fn readings_fit_the_profile(seed in any::<u64>(), kind in 0..4_usize) {
        let profile = profiles::washing_machine();
        let samples = machine(seed).with_fault(worn(FaultKind::ALL[kind])).step_until(after_hours(24 * 20));
        prop_assert!(samples.windows(2).all(|pair| pair[0].at < pair[1].at));
        for sample in &samples {
            prop_assert_eq!(sample.values.len(), profile.channels.len());
            for (channel, (id, value)) in profile.channels.iter().zip(&sample.values) {
                prop_assert_eq!(channel.id, *id);
                prop_assert!(channel.quantise(*value).is_some(), "{} {value}", channel.name);
            }
        }
        let phases: Vec<_> = samples.iter().map(|sample| sample.values[0].1).collect();
        let starts = phases.windows(2).filter(|pair| pair[0] == 0.0 && pair[1] != 0.0);
        prop_assert!(starts.clone().all(|pair| pair[1] == f64::from(Phase::Fill as u8)), "a run begins by filling");
        let ends = phases.windows(2).filter(|pair| pair[0] != 0.0 && pair[1] == 0.0);
        prop_assert!(ends.clone().all(|pair| pair[0] == f64::from(Phase::Spin as u8)), "a run ends by spinning");
        // Two or three runs a day; the last may be under way.
        prop_assert!((38..=60).contains(&starts.count()));
        prop_assert!(ends.count() >= 38);
    }
}

#[test]
fn another_seed_is_another_machine() {
    assert_ne!(
        machine(1).step_until(after_hours(24)),
        machine(2).step_until(after_hours(24))
    );
}

/// Each fault shows where a technician would look, against the same unit without it, and nowhere else.
#[test]
fn each_fault_has_its_signature() {
    type Look = fn(&[Sample]) -> f64;
    let looks: [(&str, FaultKind, Look, std::ops::Range<f64>); 7] = [
        (
            "pump current",
            FaultKind::DrainPumpWear,
            |s| mean(s, Phase::Drain, "drain_pump_current_a"),
            1.15..1.9,
        ),
        (
            "drain minutes",
            FaultKind::DrainPumpWear,
            |s| count(s, Phase::Drain),
            1.15..2.5,
        ),
        (
            "spin vibration",
            FaultKind::DrumBearing,
            |s| mean(s, Phase::Spin, "vibration_m_s2"),
            1.4..3.5,
        ),
        (
            "spin current",
            FaultKind::DrumBearing,
            |s| mean(s, Phase::Spin, "motor_current_a"),
            1.05..1.4,
        ),
        (
            "heating minutes",
            FaultKind::HeaterScale,
            |s| count(s, Phase::Heat),
            1.1..2.0,
        ),
        (
            "heater power",
            FaultKind::HeaterScale,
            |s| mean(s, Phase::Heat, "heater_power_w"),
            0.5..0.92,
        ),
        ("fall of the wash level", FaultKind::DoorGasket, fall, 1.5..8.0),
    ];
    for seed in 0..5 {
        let life = |kind: Option<FaultKind>| {
            let machine = kind.map_or(machine(seed), |kind| machine(seed).with_fault(worn(kind)));
            // The second half of the wear.
            let samples = machine.clone().step_until(after_hours(24 * 20));
            samples
                .into_iter()
                .filter(|sample| sample.at > after_hours(24 * 10))
                .collect::<Vec<_>>()
        };
        let sound = life(None);
        for kind in FaultKind::ALL {
            let worn = life(Some(kind));
            for (what, of, look, expected) in &looks {
                let ratio = look(&worn) / look(&sound);
                let expected = if *of == kind { expected.clone() } else { 0.9..1.1 };
                assert!(
                    expected.contains(&ratio),
                    "{what} with {}: {ratio} of the sound unit's, seed {seed}",
                    kind.name()
                );
            }
        }
    }
}

#[test]
fn repair_takes_the_wear_away_and_what_comes_later_still_comes() {
    let later = FaultPlan {
        onset: after_hours(24 * 40),
        ..worn(FaultKind::DrumBearing)
    };
    let mut machine = machine(3).with_fault(worn(FaultKind::DrainPumpWear)).with_fault(later);
    let before = machine.step_until(after_hours(24 * 19));
    assert_eq!(
        machine.worst_fault(after_hours(24 * 20)).unwrap(),
        (FaultKind::DrainPumpWear, 1.0)
    );
    machine.repair(after_hours(24 * 19));
    assert_eq!(machine.worst_fault(after_hours(24 * 20)), None);
    let after = machine.step_until(after_hours(24 * 38));
    let current = |samples: &[Sample]| mean(samples, Phase::Drain, "drain_pump_current_a");
    assert!(current(&after) < 0.9 * current(&before));
    assert_eq!(
        machine.worst_fault(after_hours(24 * 60)).unwrap().0,
        FaultKind::DrumBearing
    );
}

#[test]
fn wear_grows_from_onset_to_failure() {
    let plan = FaultPlan {
        onset: after_hours(48),
        ..worn(FaultKind::HeaterScale)
    };
    let wear: Vec<_> = (0..24).map(|day| plan.wear(after_hours(24 * day))).collect();
    assert_eq!((wear[0], wear[2], wear[22], wear[23]), (0.0, 0.0, 1.0, 1.0));
    assert!(wear[2..=22].windows(2).all(|pair| pair[0] < pair[1]));
}
