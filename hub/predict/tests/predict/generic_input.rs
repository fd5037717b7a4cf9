//! The detector that needs no training, on what it should not be given, and on what must make no difference.

use hub_predict::generic::{Channel, Condition, Settings, Step, Unit, fleet_floors};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const UNITS: [&str; 8] = ["Cel", "A", "V", "W", "m/s2", "bar", "l/min", "1/min"];

fn channels(count: usize) -> Vec<Channel> {
    let channel = |i: usize| Channel {
        name: format!("c{i}"),
        unit: UNITS[i % UNITS.len()].into(),
        decimals: 2,
    };
    (0..count).map(channel).collect()
}

/// A step: its values, whether a gap is before it, whether a finding is open.
type Given = (Vec<Option<f64>>, bool, bool);

/// A life with all that comes with one: noise, steps up and down, silent channels, gaps, values that are none.
fn life(seed: u64, count: usize, steps: usize) -> Vec<Given> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut level: Vec<f64> = (0..count).map(|i| 20.0 + 10.0 * i as f64).collect();
    let mut step = |_: usize| {
        if rng.random_bool(0.01) {
            level[rng.random_range(0..count)] *= rng.random_range(0.9..1.1);
        }
        let mut value = |level: &f64| match rng.random_range(0..200) {
            0 => None,
            1 => Some(f64::NAN),
            2 => Some(f64::INFINITY),
            3 => Some(-1e300),
            _ => Some(level * rng.random_range(0.99..1.01)),
        };
        let values: Vec<Option<f64>> = level.iter().map(&mut value).collect();
        (values, rng.random_bool(0.02), rng.random_bool(0.05))
    };
    (0..steps).map(&mut step).collect()
}

fn live(unit: &mut Unit, channels: &[Channel], settings: &Settings, life: &[Given]) -> Vec<Step> {
    let step = |(values, gap, open): &Given| unit.step(channels, settings, values, *gap, *open);
    life.iter().map(step).collect()
}

fn calibrated(channels: &[Channel]) -> Unit {
    let settings = Settings::default();
    let mut unit = Unit::new(channels, &settings);
    let values: Vec<Option<f64>> = (0..channels.len()).map(|i| Some(20.0 + i as f64)).collect();
    for _ in 0..40 {
        unit.step(channels, &settings, &values, false, false);
    }
    assert_eq!(unit.baseline(channels, &settings).len(), channels.len());
    unit
}

#[test]
fn what_is_no_number_is_missing_and_spoils_nothing() {
    let (channels, settings) = (channels(3), Settings::default());
    let mut unit = calibrated(&channels);
    let bad = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e13];
    for bad in bad.into_iter().cycle().take(50) {
        let step = unit.step(&channels, &settings, &[Some(20.0), Some(bad), Some(22.0)], false, false);
        let Step::Watching {
            score,
            slow_score,
            alarm,
            ..
        } = step
        else {
            panic!("{step:?}")
        };
        assert!(score < 1e-3 && slow_score < 1e-3 && !alarm, "{score} {slow_score}");
    }
    let step = unit.step(
        &channels,
        &settings,
        &[Some(20.0), Some(21.0), Some(22.0)],
        false,
        false,
    );
    let Step::Watching { score, top, .. } = step else {
        panic!()
    };
    assert!(
        score < 1e-3 && top.len() == 3,
        "it is back as if it had not been away: {score}"
    );
}

#[test]
fn a_calibration_of_nothing_but_bad_values_does_not_begin() {
    let (channels, settings) = (channels(2), Settings::default());
    let mut unit = Unit::new(&channels, &settings);
    for values in [[None, None], [Some(f64::NAN), Some(1e13)]].iter().cycle().take(500) {
        let step = unit.step(&channels, &settings, values, false, false);
        assert!(matches!(step, Step::Calibrating { have: 0, .. }), "{step:?}");
    }
    assert_eq!(unit, Unit::new(&channels, &settings));
    let nothing = &[];
    let mut unit = Unit::new(nothing, &settings);
    assert!(matches!(
        unit.step(nothing, &settings, &[], false, false),
        Step::Calibrating { .. }
    ));
}

#[test]
fn constants_are_watched_by_their_resolution_and_zero_is_a_constant() {
    let (channels, settings) = (channels(8), Settings::default());
    let mut unit = Unit::new(&channels, &settings);
    let mut last = None;
    for _ in 0..200 {
        last = Some(unit.step(&channels, &settings, &[Some(0.0); 8], false, false));
    }
    let Some(Step::Watching { score, .. }) = last else {
        panic!("{last:?}")
    };
    assert_eq!(score, 0.0);
    // Three hundredths are what rounding may do to a value with two decimals.
    let mut values = [Some(0.0); 8];
    values[6] = Some(0.02);
    for _ in 0..100 {
        last = Some(unit.step(&channels, &settings, &values, false, false));
    }
    let Some(Step::Watching { alarm, top, .. }) = last else {
        panic!()
    };
    assert!(!alarm && top[0].0 == 6 && top[0].1 < 1.0, "{top:?}");
}

#[test]
fn a_channel_that_was_never_there_is_not_watched_and_nothing_waits_for_it() {
    let (channels, settings) = (channels(3), Settings::default());
    let mut unit = Unit::new(&channels, &settings);
    for _ in 0..40 {
        unit.step(&channels, &settings, &[Some(20.0), None, Some(22.0)], false, false);
    }
    let watched: Vec<usize> = unit.baseline(&channels, &settings).iter().map(|b| b.channel).collect();
    assert_eq!(watched, [0, 2]);
    let step = unit.step(
        &channels,
        &settings,
        &[Some(20.0), Some(9_000.0), Some(22.0)],
        false,
        false,
    );
    assert!(matches!(step, Step::Watching { score: 0.0, .. }), "{step:?}");
}

#[test]
fn silence_of_the_channel_that_alarms_ends_no_alarm() {
    let (channels, settings) = (channels(3), Settings::default());
    let mut unit = calibrated(&channels);
    let mut step = |value| {
        unit.step(
            &channels,
            &settings,
            &[Some(value), Some(21.0), Some(22.0)],
            false,
            false,
        )
    };
    for _ in 0..20 {
        step(40.0);
    }
    for value in [f64::NAN; 100] {
        let step = step(value);
        assert!(
            matches!(
                step,
                Step::Watching {
                    alarm: true,
                    rose: false,
                    ..
                }
            ),
            "{step:?}"
        );
    }
    let back: Vec<Step> = (0..20).map(|_| step(20.0)).collect();
    assert!(
        matches!(back[19], Step::Watching { alarm: false, .. }),
        "{:?}",
        back[19]
    );
}

#[test]
fn a_unit_that_is_given_other_channels_begins_again() {
    let (three, settings) = (channels(3), Settings::default());
    let mut unit = calibrated(&channels(2));
    let step = unit.step(&three, &settings, &[Some(20.0); 3], false, false);
    assert!(matches!(step, Step::Calibrating { have: 1, .. }), "{step:?}");
}

#[test]
fn no_figure_is_ever_anything_but_a_number() {
    for seed in 0..20 {
        let (channels, settings) = (channels(6), Settings::default());
        let mut unit = Unit::new(&channels, &settings);
        for step in live(&mut unit, &channels, &settings, &life(seed, 6, 2_000)) {
            if let Step::Watching {
                score, slow_score, top, ..
            } = step
            {
                assert!(score.is_finite() && slow_score.is_finite());
                assert!(top.iter().all(|(_, z)| z.abs() <= 10.0));
            }
        }
        for of in unit.baseline(&channels, &settings) {
            assert!(
                [of.centre, of.first_centre, of.floor, of.noise]
                    .iter()
                    .all(|f| f.is_finite()),
                "{of:?}"
            );
        }
    }
}

#[test]
fn a_state_that_was_written_and_read_goes_on_as_if_there_had_been_no_break() {
    for seed in 0..30 {
        let (channels, settings) = (channels(5), Settings::default());
        let life = life(seed, 5, 600);
        let mut whole = Unit::new(&channels, &settings);
        let expected = live(&mut whole, &channels, &settings, &life);
        let cut = ChaCha8Rng::seed_from_u64(seed).random_range(0..600);
        let mut unit = Unit::new(&channels, &settings);
        let mut steps = live(&mut unit, &channels, &settings, &life[..cut]);
        let written = postcard::to_stdvec(&unit).unwrap();
        let mut unit: Unit = postcard::from_bytes(&written).unwrap();
        steps.extend(live(&mut unit, &channels, &settings, &life[cut..]));
        assert_eq!(steps, expected, "seed {seed}, cut at {cut}");
        assert_eq!(unit, whole);
    }
}

#[test]
fn the_order_of_channels_makes_no_difference_but_to_their_places() {
    for seed in 0..30 {
        let (channels, settings) = (channels(6), Settings::default());
        let mut order: Vec<usize> = (0..6).collect();
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        let moved: Vec<Channel> = order.iter().map(|i| channels[*i].clone()).collect();
        let life = life(seed, 6, 1_000);
        let moved_life: Vec<Given> = life
            .iter()
            .map(|(values, gap, open)| (order.iter().map(|i| values[*i]).collect(), *gap, *open))
            .collect();
        let steps = live(&mut Unit::new(&channels, &settings), &channels, &settings, &life);
        let others = live(&mut Unit::new(&moved, &settings), &moved, &settings, &moved_life);
        assert!(steps.iter().any(|step| matches!(step, Step::Watching { .. })));
        for (step, mut other) in steps.into_iter().zip(others) {
            match &mut other {
                Step::Calibrating { restarted_by, .. } => *restarted_by = restarted_by.map(|i| order[i]),
                Step::CannotCalibrate { channel } => *channel = order[*channel],
                Step::Watching { top, .. } => top.iter_mut().for_each(|(i, _)| *i = order[*i]),
            }
            assert_eq!(step, other, "seed {seed}");
        }
    }
}

#[test]
fn floors_are_learned_from_how_far_healthy_devices_wander() {
    let (channels, settings) = (channels(2), Settings::default());
    let wander = |amplitude: f64| {
        let mut unit = Unit::new(&channels, &settings);
        for i in 0..2_040u32 {
            let wave = if i < 40 { 0.0 } else { (f64::from(i) / 100.0).sin() };
            let values = [
                Some(20.0 + amplitude * wave),
                Some(2.0 * (1.0 + 0.01 * amplitude * wave)),
            ];
            unit.step(&channels, &settings, &values, false, true);
            unit.step(&channels, &settings, &values, false, false);
        }
        unit.wander(&channels)
    };
    let wanders: Vec<_> = (0..40).map(|i| wander(f64::from(i) / 10.0)).collect();
    let floors = fleet_floors(2, &wanders, 30);
    // Of a sine of amplitude 3, which the average of five steps follows.
    assert!((floors[0].unwrap() - 3.0 / 2f64.sqrt()).abs() < 0.1, "{floors:?}");
    assert!(
        (floors[1].unwrap() - 0.03 / 2f64.sqrt()).abs() < 0.002,
        "a share of the normal: {floors:?}"
    );
}

#[test]
fn what_a_condition_explains_is_no_deviation() {
    let channels = channels(2);
    // A compressor that draws two percent more for each kelvin of the room.
    let conditions = vec![Condition {
        channel: 1,
        by: 0,
        reference: 20.0,
        linear: 0.02,
        square: 0.0,
    }];
    let settings = Settings {
        conditions,
        ..Settings::default()
    };
    let mut unit = Unit::new(&channels, &settings);
    let mut step = |room: f64, share: f64| {
        let current = 2.0 * (0.02 * (room - 20.0)).exp() * share;
        unit.step(&channels, &settings, &[Some(room), Some(current)], false, false)
    };
    for i in 0..400u32 {
        let room = 25.0 + 15.0 * (f64::from(i) / 20.0).sin();
        if let Step::Watching { score, top, .. } = step(room, 1.0) {
            assert!(score < 1e-3 && top.len() == 1, "the room is not watched: {top:?}");
        }
    }
    let found = (0..20).map(|_| step(33.0, 1.4)).last();
    assert!(matches!(found, Some(Step::Watching { alarm: true, .. })), "{found:?}");
}
