//! The hard fridge: temperatures held, energy by the room, defrosts, and faults where they belong.

use super::{calm, day, mean, one, start, with_fault};
use hub_core::profile::ApplianceProfile;
use std::sync::LazyLock;
use tests_world::hard::{Course, Effect, Effects, FaultKind, Faults, Fleet, Row};
use tests_world::profiles;

static PROFILE: LazyLock<ApplianceProfile> = LazyLock::new(profiles::fridge);

fn value(row: &Row, name: &str) -> f64 {
    row.sample.values[PROFILE.position(name).unwrap()].1
}

fn of(rows: &[Row], name: &str) -> f64 {
    mean(rows.iter().map(|row| value(row, name)))
}

/// Starts of a defrost: the evaporator passes 3 °C upwards.
fn defrosts(rows: &[Row]) -> Vec<f64> {
    let warm = |row: &Row| value(row, "evaporator_temperature_c") > 3.0;
    rows.windows(2)
        .filter(|pair| !warm(&pair[0]) && warm(&pair[1]))
        .map(|pair| day(&pair[1]))
        .collect()
}

#[test]
fn a_healthy_fridge_holds_its_temperature_with_power_to_spare() {
    for number in 0..12 {
        let rows: Vec<_> = calm(20).fridge(number).collect();
        assert_eq!(rows.len(), 20 * 288 - 1);
        let held = of(&rows, "compartment_temperature_c");
        assert!((4.0..6.5).contains(&held), "{held} at {number}");
        let duty = of(&rows, "compressor_duty");
        assert!((0.2..0.75).contains(&duty), "{duty} at {number}");
        let power = of(&rows, "power_w");
        assert!((25.0..75.0).contains(&power), "{power} at {number}");
        let evaporator = of(&rows, "evaporator_temperature_c");
        assert!((-25.0..-8.0).contains(&evaporator), "{evaporator} at {number}");
        assert_eq!(defrosts(&rows).len().clamp(17, 21), defrosts(&rows).len(), "one a day");
        let beside: Vec<_> = rows.iter().map(|row| value(row, "compartment_temperature_c")).collect();
        assert!(
            beside.iter().all(|degrees| (1.0..11.0).contains(degrees)),
            "at {number}"
        );
    }
}

#[test]
fn rows_fit_the_profile() {
    let fleet = Fleet {
        faults: Faults::PerYear(5.0),
        ..Fleet::new(2, start(), 60)
    };
    for number in 0..10 {
        let rows: Vec<_> = fleet.fridge(number).collect();
        assert!(rows.len() > 5_000);
        assert!(rows.windows(2).all(|pair| pair[0].received <= pair[1].received));
        for row in &rows {
            for (channel, (id, value)) in PROFILE.channels.iter().zip(&row.sample.values) {
                assert_eq!(channel.id, *id);
                assert!(channel.quantise(*value).is_some(), "{} {value}", channel.name);
            }
        }
    }
}

/// The room decides most: 2 to 5 % of the energy for each kelvin; doors that are opened often, up to a third.
#[test]
fn energy_follows_the_room_and_the_door() {
    let year = Fleet {
        effects: Effects::NONE.with(Effect::Season),
        ..calm(360)
    };
    for number in 0..2 {
        let rows: Vec<_> = year.fridge(number).collect();
        let span = |from: f64, until: f64| {
            let rows = rows
                .iter()
                .filter(|row| (from..until).contains(&day(row)))
                .cloned()
                .collect::<Vec<_>>();
            (of(&rows, "room_temperature_c"), of(&rows, "power_w"))
        };
        let ((cold_c, cold_w), (warm_c, warm_w)) = (span(0.0, 30.0), span(180.0, 210.0));
        let a_kelvin = (warm_w / cold_w).ln() / (warm_c - cold_c);
        assert!((0.02..0.05).contains(&a_kelvin), "{a_kelvin} at {number}");
        let opened = Fleet {
            effects: Effects::NONE.with(Effect::Openings),
            ..calm(30)
        };
        let powers = [opened, calm(30)].map(|fleet| of(&fleet.fridge(number).collect::<Vec<_>>(), "power_w"));
        // Thirty a day.
        assert!((1.03..1.18).contains(&(powers[0] / powers[1])), "{powers:?}");
    }
}

#[test]
fn a_defrost_comes_every_8_to_96_hours() {
    let fleet = Fleet {
        effects: Effects::NONE
            .with(Effect::AdaptiveDefrost)
            .with(Effect::Openings)
            .with(Effect::Households),
        ..calm(40)
    };
    let mut all = Vec::new();
    for number in 0..12 {
        let starts = defrosts(&fleet.fridge(number).collect::<Vec<_>>());
        all.extend(starts.windows(2).map(|pair| 24.0 * (pair[1] - pair[0])));
    }
    assert!(all.iter().all(|hours| (7.5..98.0).contains(hours)));
    let (least, most) = (
        all.iter().copied().fold(f64::MAX, f64::min),
        all.iter().copied().fold(0.0, f64::max),
    );
    assert!(most > 1.4 * least, "{least} to {most}");
}

/// Each fault against the same fridge without it: what it moves, by about how much, and what it leaves.
#[test]
fn each_fault_moves_what_its_table_says() {
    type Expected = fn(f64) -> std::ops::Range<f64>;
    let looks: [(FaultKind, &str, Expected); 9] = [
        (FaultKind::GasLoss, "compressor_duty", |a| 1.0 + 0.25 * a..1.0 + 1.0 * a),
        (FaultKind::DoorSeal, "compressor_duty", |a| {
            1.0 + 0.08 * a..1.0 + 0.45 * a
        }),
        (FaultKind::CompressorWear, "power_w", |a| 1.0 + 0.09 * a..1.0 + 0.25 * a),
        (FaultKind::CompressorWear, "compressor_duty", |a| 1.0..1.0 + 0.12 * a),
        (FaultKind::CondenserFan, "condenser_temperature_c", |a| {
            1.0 + 0.08 * a..1.0 + 0.8 * a
        }),
        (FaultKind::EvaporatorFan, "evaporator_temperature_c", |a| {
            1.0 + 0.05 * a..1.0 + 1.0 * a
        }),
        (FaultKind::StartRelay, "power_w", |_| 0.9..1.05),
        (FaultKind::StartRelay, "compartment_temperature_c", |_| 0.95..1.1),
        (FaultKind::DefrostHeater, "evaporator_temperature_c", |_| 1.05..4.0),
    ];
    for (kind, channel, expected) in looks {
        // Without openings a fridge hardly frosts.
        let calm = Fleet {
            effects: Effects::NONE.with(Effect::Openings),
            ..calm(60)
        };
        let fleet = one(&calm, kind, 5.0);
        let fault_of = |number| fleet.fridge(number).life().faults()[0].clone();
        let number = with_fault(fault_of, |fault| {
            fault.course == Course::Step && (0.7..1.3).contains(&fault.amplitude) && fault.failure_day > 13.0
        });
        let fault = fault_of(number);
        let span = fault.onset_day + 2.0..fault.failure_day.min(60.0);
        let lived = |fleet: &Fleet| {
            fleet
                .fridge(number)
                .filter(|row| span.contains(&day(row)))
                .collect::<Vec<_>>()
        };
        let ratio = of(&lived(&fleet), channel) / of(&lived(&calm), channel);
        let expected = expected(fault.amplitude);
        assert!(
            expected.contains(&ratio),
            "{} with {}: {ratio}, expected {expected:?}",
            channel,
            kind.name()
        );
    }
}

#[test]
fn a_worn_relay_starts_harder_and_not_always() {
    let fleet = one(&calm(60), FaultKind::StartRelay, 5.0);
    let of = |number| fleet.fridge(number).life().faults()[0].clone();
    let number = with_fault(of, |fault| fault.course == Course::Step && fault.failure_day > 20.0);
    let starts = |fleet: &Fleet| {
        let rows = fleet
            .fridge(number)
            .filter(|row| (5.5..20.0).contains(&day(row)))
            .collect::<Vec<_>>();
        rows.iter()
            .map(|row| value(row, "start_current_a"))
            .filter(|peak| *peak > 0.0)
            .collect::<Vec<_>>()
    };
    let (worn, sound) = (starts(&fleet), starts(&calm(60)));
    let ratio = mean(worn.iter().copied()) / mean(sound.iter().copied());
    let expected = 1.0 + 0.5 * of(number).amplitude;
    assert!((ratio / expected - 1.0).abs() < 0.05, "{ratio} of {expected}");
    assert!(worn.len() > sound.len(), "{} and {}", worn.len(), sound.len());
}
