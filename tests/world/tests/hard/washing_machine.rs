//! The hard washing machine: habits as stated, rows that fit the profile, faults and effects where they belong.

use super::{calm, day, mean, one, start, with_fault};
use hub_core::profile::ApplianceProfile;
use std::sync::LazyLock;
use tests_world::Phase;
use tests_world::hard::{Course, Effect, Effects, FaultKind, Faults, Fleet, Row};
use tests_world::profiles;

static PROFILE: LazyLock<ApplianceProfile> = LazyLock::new(profiles::washing_machine);

fn value(row: &Row, name: &str) -> f64 {
    row.sample.values[PROFILE.position(name).unwrap()].1
}

fn is_in(row: &Row, phase: Phase) -> bool {
    row.sample.values[0].1 == f64::from(phase as u8)
}

/// Mean of a channel over a phase.
fn of_phase(rows: &[&Row], phase: Phase, name: &str) -> f64 {
    mean(rows.iter().filter(|row| is_in(row, phase)).map(|row| value(row, name)))
}

/// Mean fall of the level from one minute of the wash to the next.
fn fall(rows: &[&Row]) -> f64 {
    let pairs = rows
        .windows(2)
        .filter(|pair| is_in(pair[0], Phase::Wash) && is_in(pair[1], Phase::Wash));
    mean(pairs.map(|pair| (value(pair[0], "water_level_mm") - value(pair[1], "water_level_mm")).max(0.0)))
}

/// Minutes of a phase in each run.
fn minutes(rows: &[&Row], phase: Phase) -> f64 {
    let runs = rows
        .windows(2)
        .filter(|pair| is_in(pair[0], Phase::Idle) && !is_in(pair[1], Phase::Idle))
        .count();
    rows.iter().filter(|row| is_in(row, phase)).count() as f64 / runs as f64
}

#[test]
fn homes_wash_four_and_a_half_times_a_week() {
    let fleet = Fleet::new(1, start(), 364);
    let mut a_week: Vec<_> = (0..400)
        .map(|number| fleet.washing_machine(number).runs().len() as f64 / 52.0)
        .collect();
    a_week.sort_by(f64::total_cmp);
    // Holidays and second homes take some.
    assert!((3.8..4.8).contains(&a_week[200]), "median {}", a_week[200]);
    assert!(
        a_week[0] > 0.3 && a_week[399] < 16.0,
        "{} to {}",
        a_week[0],
        a_week[399]
    );
    let loads = (0..400).flat_map(|number| fleet.washing_machine(number).runs().to_vec());
    let load = mean(loads.map(|run| run.load));
    assert!((0.5..0.6).contains(&load), "{load}");
}

#[test]
fn rows_fit_the_profile_and_arrive_in_order() {
    let fleet = Fleet {
        faults: Faults::PerYear(5.0),
        ..Fleet::new(2, start(), 60)
    };
    for number in 0..20 {
        let rows: Vec<_> = fleet.washing_machine(number).collect();
        assert!(rows.windows(2).all(|pair| pair[0].received <= pair[1].received));
        for row in &rows {
            assert!(row.taken <= row.received);
            assert_eq!(row.sample.values.len(), PROFILE.channels.len());
            for (channel, (id, value)) in PROFILE.channels.iter().zip(&row.sample.values) {
                assert_eq!(channel.id, *id);
                let stored = channel.quantise(*value);
                assert!(stored.is_some(), "{} {value}", channel.name);
            }
        }
    }
}

#[test]
fn a_calm_record_is_whole() {
    let rows: Vec<_> = calm(30).washing_machine(1).collect();
    assert!(rows.windows(2).all(|pair| pair[0].taken < pair[1].taken));
    assert!(
        rows.iter()
            .all(|row| row.taken == row.received && row.sample.at == row.taken)
    );
    let ends = rows
        .windows(2)
        .filter(|pair| !is_in(&pair[0], Phase::Idle) && is_in(&pair[1], Phase::Idle));
    assert!(
        ends.into_iter().all(|pair| is_in(&pair[0], Phase::Spin)),
        "a run ends by spinning"
    );
    assert!(
        rows.iter().filter(|row| is_in(row, Phase::Idle)).count() > 500,
        "a row an hour"
    );
}

type Look = fn(&[&Row]) -> f64;
/// Ratio to the sound machine, by amplitude.
type Expected = fn(f64) -> f64;

/// Each fault shows where a technician would look, by what its table says, and nowhere else.
#[test]
fn each_fault_moves_what_its_table_says() {
    // For each look: the fault, and the ratio that is expected at this amplitude.
    let looks: [(&str, FaultKind, Look, Expected); 9] = [
        (
            "pump current",
            FaultKind::DrainPumpWear,
            |r| of_phase(r, Phase::Drain, "drain_pump_current_a"),
            |a| 1.0 + 0.45 * a,
        ),
        (
            "drain minutes",
            FaultKind::DrainPumpWear,
            |r| minutes(r, Phase::Drain),
            |a| 1.0 / (1.0 - 0.3 * a),
        ),
        (
            "spin vibration",
            FaultKind::DrumBearing,
            |r| of_phase(r, Phase::Spin, "vibration_m_s2"),
            |a| 1.0 + 1.22 * a,
        ),
        (
            "spin current",
            FaultKind::DrumBearing,
            |r| of_phase(r, Phase::Spin, "motor_current_a"),
            |a| 1.0 + 0.2 * a,
        ),
        (
            "heater power",
            FaultKind::HeaterScale,
            |r| of_phase(r, Phase::Heat, "heater_power_w"),
            |a| 1.0 - 0.25 * a,
        ),
        (
            "heating minutes",
            FaultKind::HeaterScale,
            |r| minutes(r, Phase::Heat),
            |a| 1.0 / (1.0 - 0.25 * a),
        ),
        (
            "fill minutes",
            FaultKind::InletValve,
            |r| minutes(r, Phase::Fill),
            |a| 1.0 / (1.0 - 0.45 * a),
        ),
        (
            "spin speed",
            FaultKind::DriveBelt,
            |r| of_phase(r, Phase::Spin, "drum_speed_rpm"),
            |a| 1.0 - 0.06 * a,
        ),
        (
            "wash current",
            FaultKind::DriveBelt,
            |r| of_phase(r, Phase::Wash, "motor_current_a"),
            |a| 1.0 + 0.08 * a,
        ),
    ];
    let kinds = [
        FaultKind::DrainPumpWear,
        FaultKind::DrumBearing,
        FaultKind::HeaterScale,
        FaultKind::InletValve,
        FaultKind::DriveBelt,
    ];
    for kind in kinds {
        let fleet = one(&calm(60), kind, 5.0);
        let of = |number| fleet.washing_machine(number).life().faults()[0].clone();
        let number = with_fault(of, |fault| {
            fault.course == Course::Step && (0.7..1.3).contains(&fault.amplitude)
        });
        let fault = of(number);
        let span = fault.onset_day + 0.5..fault.failure_day.min(60.0) - 0.5;
        let lived = |fleet: &Fleet| {
            fleet
                .washing_machine(number)
                .filter(|row| span.contains(&day(row)))
                .collect::<Vec<_>>()
        };
        let (worn, sound) = (lived(&fleet), lived(&calm(60)));
        let (worn, sound): (Vec<_>, Vec<_>) = (worn.iter().collect(), sound.iter().collect());
        for (what, cause, look, expected) in &looks {
            let ratio = look(&worn) / look(&sound);
            let expected = if *cause == kind { expected(fault.amplitude) } else { 1.0 };
            // Minutes are whole, and a bearing makes the belt's channels move a little too.
            assert!(
                (ratio / expected - 1.0).abs() < 0.13,
                "{what} with {}: {ratio}, expected {expected}",
                kind.name()
            );
        }
    }
}

#[test]
fn a_gasket_leaks_and_a_damper_swings() {
    let fleet = one(&calm(60), FaultKind::DoorGasket, 5.0);
    let of = |number| fleet.washing_machine(number).life().faults()[0].clone();
    let number = with_fault(of, |fault| {
        fault.course == Course::Step && fault.failure_day > 40.0 && fault.amplitude > 0.8
    });
    let leak = 1.5 * of(number).amplitude;
    let lived = |fleet: &Fleet| {
        fleet
            .washing_machine(number)
            .filter(|row| (6.0..40.0).contains(&day(row)))
            .collect::<Vec<_>>()
    };
    let (worn, sound) = (lived(&fleet), lived(&calm(60)));
    let more = fall(&worn.iter().collect::<Vec<_>>()) - fall(&sound.iter().collect::<Vec<_>>());
    // Topping up hides some of it, and falls within the noise of the level are cut at 0.
    assert!((0.4 * leak..1.1 * leak).contains(&more), "{more} of {leak}");

    let fleet = one(&calm(60), FaultKind::Damper, 5.0);
    let of = |number| fleet.washing_machine(number).life().faults()[0].clone();
    let number = with_fault(of, |fault| fault.course == Course::Step && fault.amplitude > 0.8);
    let at_speed = |fleet: &Fleet, range: std::ops::Range<f64>| {
        let rows = fleet
            .washing_machine(number)
            .filter(|row| day(row) > 6.0 && is_in(row, Phase::Spin));
        let rows: Vec<_> = rows
            .filter(|row| range.contains(&value(row, "drum_speed_rpm")))
            .collect();
        mean(rows.iter().map(|row| value(row, "vibration_m_s2")))
    };
    let ratio = |range: std::ops::Range<f64>| at_speed(&fleet, range.clone()) / at_speed(&calm(60), range);
    let amplitude = of(number).amplitude;
    assert!((ratio(350.0..450.0) / (1.0 + 1.8 * amplitude) - 1.0).abs() < 0.1);
    assert!((ratio(900.0..1_500.0) / (1.0 + 0.05 * amplitude) - 1.0).abs() < 0.03);
}

/// An effect alone moves what it says, against the same unit without it.
#[test]
fn effects_can_be_switched_one_at_a_time() {
    let lived = |number, effects, days| {
        let fleet = Fleet { effects, ..calm(days) };
        fleet.washing_machine(number).collect::<Vec<_>>()
    };
    let ratio = |number, effect, days, look: Look| {
        let (with, without) = (
            lived(number, Effects::NONE.with(effect), days),
            lived(number, Effects::NONE, days),
        );
        look(&with.iter().collect::<Vec<_>>()) / look(&without.iter().collect::<Vec<_>>())
    };
    let number_of = |effect: Effect| {
        let fleet = Fleet {
            effects: Effects::NONE.with(effect),
            ..calm(60)
        };
        (0..100)
            .find(|number| {
                fleet
                    .washing_machine(*number)
                    .life()
                    .episodes()
                    .iter()
                    .any(|one| one.effect == effect)
            })
            .unwrap()
    };
    let shaken = ratio(number_of(Effect::WoodenFloor), Effect::WoodenFloor, 60, |r| {
        of_phase(r, Phase::Spin, "vibration_m_s2")
    });
    assert!((1.4..2.0).contains(&shaken), "{shaken}");
    let lint = ratio(1, Effect::LintFilter, 60, |r| minutes(r, Phase::Drain));
    assert!((1.0..1.5).contains(&lint), "{lint}");
    let (foamy, clear) = (
        lived(3, Effects::NONE.with(Effect::Foam), 180),
        lived(3, Effects::NONE, 180),
    );
    let drained = |rows: &[Row]| minutes(&rows.iter().collect::<Vec<_>>(), Phase::Drain);
    assert!(drained(&foamy) > 1.02 * drained(&clear));
    // Nothing else moves.
    let spun = |rows: &[Row]| of_phase(&rows.iter().collect::<Vec<_>>(), Phase::Spin, "motor_current_a");
    assert!((spun(&foamy) / spun(&clear) - 1.0).abs() < 0.01);
}

#[test]
fn a_failed_machine_stands_still_until_somebody_comes() {
    let fleet = one(&calm(120), FaultKind::DriveBelt, 10.0);
    let machine = fleet.washing_machine(2);
    let fault = machine.life().faults()[0].clone();
    let (failure, visit) = (fault.failure_day, fault.visits[0].day);
    let rows: Vec<_> = machine.collect();
    // A run that was on is finished.
    assert!(rows.iter().all(|row| !(failure + 0.2..visit).contains(&day(row))));
    assert!(rows.iter().any(|row| day(row) > visit + 1.0));
}
