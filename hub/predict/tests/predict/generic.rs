//! The detector that needs no training. Each test is a defect that a detector without floors, or one that takes its first
//! steps for normal whatever they are, would have.

use hub_predict::generic::{Channel, ChannelBaseline, Settings, Step, Unit};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Steps of a calibration.
const N: usize = 40;

/// A fridge that is watched by what its sensors say while it runs.
struct Bench {
    channels: Vec<Channel>,
    settings: Settings,
    unit: Unit,
    rng: ChaCha8Rng,
    finding_open: bool,
}

/// Normal values of the four channels; the noise of each is a hundredth of it.
const NORMAL: [f64; 4] = [4.0, 1.2, 230.0, 80.0];

fn channels() -> Vec<Channel> {
    let channel = |(name, unit, decimals): (&str, &str, u8)| Channel {
        name: name.into(),
        unit: unit.into(),
        decimals,
    };
    let channels = [
        ("inside", "Cel", 2),
        ("current", "A", 3),
        ("mains", "V", 1),
        ("power", "W", 1),
    ];
    channels.map(channel).into()
}

impl Bench {
    fn new() -> Self {
        Self::of(channels(), Settings::default())
    }

    fn of(channels: Vec<Channel>, settings: Settings) -> Self {
        Self {
            unit: Unit::new(&channels, &settings),
            channels,
            settings,
            rng: ChaCha8Rng::seed_from_u64(3),
            finding_open: false,
        }
    }

    fn take(&mut self, values: &[Option<f64>], after_gap: bool) -> Step {
        let (channels, settings) = (&self.channels, &self.settings);
        self.unit.step(channels, settings, values, after_gap, self.finding_open)
    }

    /// A step of values that are normal but for these factors.
    fn step(&mut self, factors: [f64; 4]) -> Step {
        let values: Vec<Option<f64>> = NORMAL
            .iter()
            .zip(factors)
            .map(|(normal, factor)| Some(normal * (factor + 0.01 * self.rng.random_range(-1.0..1.0))))
            .collect();
        self.take(&values, false)
    }

    fn steps(&mut self, count: usize, factors: [f64; 4]) -> Vec<Step> {
        (0..count).map(|_| self.step(factors)).collect()
    }

    fn calibrated() -> Self {
        let mut bench = Self::new();
        bench.steps(N, [1.0; 4]);
        bench
    }

    fn baseline(&self, channel: usize) -> ChannelBaseline {
        let baseline = self.unit.baseline(&self.channels, &self.settings);
        *baseline.iter().find(|of| of.channel == channel).unwrap()
    }
}

fn alarms(steps: &[Step]) -> usize {
    steps
        .iter()
        .filter(|step| matches!(step, Step::Watching { alarm: true, .. }))
        .count()
}

fn rises(steps: &[Step]) -> usize {
    steps
        .iter()
        .filter(|step| matches!(step, Step::Watching { rose: true, .. }))
        .count()
}

fn score(step: &Step) -> f64 {
    match step {
        Step::Watching { score, .. } => *score,
        other => panic!("not watched: {other:?}"),
    }
}

#[test]
fn a_quiet_appliance_is_quiet() {
    let mut bench = Bench::calibrated();
    let steps = bench.steps(2_000, [1.0; 4]);
    assert_eq!(alarms(&steps), 0);
    assert!(steps.iter().map(score).fold(0.0, f64::max) < 0.5);
}

#[test]
fn a_start_among_the_first_steps_is_not_taken_for_normal() {
    let mut bench = Bench::new();
    bench.steps(12, [1.0, 0.05, 1.0, 0.05]);
    let steps = bench.steps(N, [1.0; 4]);
    let begins_again = |have: u32| Step::Calibrating {
        have,
        need: N as u32,
        restarted_by: Some(3),
    };
    assert_eq!(steps[N - 13], begins_again(28), "twelve steps are given up");
    assert_eq!(steps[N - 1], begins_again(40));
    assert!((bench.baseline(1).centre - 1.2).abs() < 0.01, "{:?}", bench.baseline(1));
    assert_eq!(alarms(&bench.steps(200, [1.0; 4])), 0);
}

#[test]
fn a_fault_that_begins_within_the_calibration_is_not_averaged_with_what_was_before() {
    let mut bench = Bench::new();
    bench.steps(25, [1.0; 4]);
    bench.steps(15 + 25, [1.0, 4.0, 1.0, 1.0]);
    let current = bench.baseline(1);
    assert!(
        (current.centre - 4.8).abs() < 0.05,
        "one state or the other, no mean of both: {current:?}"
    );
}

#[test]
fn what_goes_from_state_to_state_is_said_to_be_so_and_is_watched_once_it_settles() {
    let mut bench = Bench::new();
    let mut steps = Vec::new();
    for i in 0..5 * N {
        let power = if i % 10 < 5 { 1.0 } else { 0.1 };
        steps.push(bench.step([1.0, 1.0, 1.0, power]));
    }
    assert!(
        steps[..5 * N - 1]
            .iter()
            .all(|step| matches!(step, Step::Calibrating { .. }))
    );
    assert_eq!(steps.last(), Some(&Step::CannotCalibrate { channel: 3 }));
    bench.steps(2 * N, [1.0; 4]);
    assert!(matches!(bench.step([1.0; 4]), Step::Watching { .. }));
}

#[test]
fn the_normal_stands_still_while_a_finding_is_open() {
    let mut open = Bench::calibrated();
    let mut shut = Bench::calibrated();
    open.finding_open = true;
    let before = open.baseline(0).centre;
    // One kelvin is half a floor: nothing that alarms.
    assert_eq!(alarms(&open.steps(400, [1.25, 1.0, 1.0, 1.0])), 0);
    assert_eq!(alarms(&shut.steps(400, [1.25, 1.0, 1.0, 1.0])), 0);
    assert_eq!(open.baseline(0).centre, before);
    assert!(
        (shut.baseline(0).centre - before - 1.0).abs() < 0.1,
        "{:?}",
        shut.baseline(0)
    );
}

#[test]
fn the_normal_stands_still_above_half_the_threshold() {
    let mut bench = Bench::calibrated();
    let before = bench.baseline(0).centre;
    // Three kelvins are 1.5 floors of one channel: no alarm, but nothing to get used to.
    let steps = bench.steps(1_000, [1.75, 1.0, 1.0, 1.0]);
    assert_eq!(alarms(&steps), 0);
    assert!(
        score(&steps[999]) > bench.settings.threshold / 2.0,
        "{}",
        score(&steps[999])
    );
    assert!(
        (bench.baseline(0).centre - before).abs() < 0.2,
        "{:?}",
        bench.baseline(0)
    );
}

#[test]
fn a_lasting_offset_of_one_channel_is_found_and_named_and_never_got_used_to() {
    let mut bench = Bench::calibrated();
    let steps = bench.steps(3_000, [1.0, 1.6, 1.0, 1.0]);
    assert_eq!(rises(&steps), 1);
    assert!(alarms(&steps) > 2_990, "found within ten steps, and stands");
    let Some(Step::Watching { top, slow, .. }) = steps.last() else {
        panic!()
    };
    assert_eq!(top[0].0, 1);
    assert!(top[0].1 > 3.0 && top.len() == 3, "{top:?}");
    assert!(!slow);
}

#[test]
fn a_fault_slower_than_the_following_is_found_by_the_slow_score() {
    let mut bench = Bench::calibrated();
    let mut steps = Vec::new();
    // Two floors in 120 steps would be seen; this is a third of one, and goes on.
    for i in 0..4_000 {
        steps.push(bench.step([1.0 + f64::from(i) * 0.0014, 1.0, 1.0, 1.0]));
    }
    assert_eq!(rises(&steps), 1);
    let found = steps
        .iter()
        .find(|step| matches!(step, Step::Watching { rose: true, .. }));
    let Some(Step::Watching {
        score,
        slow_score,
        slow,
        ..
    }) = found
    else {
        panic!()
    };
    assert!(*slow && *slow_score >= 1.33 && *score < 0.67, "{found:?}");
}

#[test]
fn one_step_that_is_far_off_raises_no_alarm() {
    let mut bench = Bench::calibrated();
    let mut steps = Vec::new();
    for _ in 0..20 {
        steps.push(bench.step([50.0, 0.001, 9.0, 1_000.0]));
        steps.extend(bench.steps(30, [1.0; 4]));
    }
    assert_eq!(alarms(&steps), 0);
    assert!((bench.baseline(0).centre - 4.0).abs() < 0.05, "{:?}", bench.baseline(0));
}

#[test]
fn an_alarm_ends_after_the_appliance_was_healthy_for_a_while() {
    let mut bench = Bench::calibrated();
    assert!(alarms(&bench.steps(20, [1.0, 2.0, 1.0, 1.0])) > 10);
    let after = bench.steps(60, [1.0; 4]);
    let ended = alarms(&after);
    assert!((12..40).contains(&ended), "{ended}");
    assert_eq!(alarms(&after[ended..]), 0);
}

#[test]
fn after_a_gap_the_average_starts_from_normal_and_what_was_held_is_forgotten() {
    let mut bench = Bench::calibrated();
    let off = NORMAL.map(|normal| Some(normal * 1.3));
    let steps: Vec<Step> = (0..60).map(|i| bench.take(&off, i % 3 == 0)).collect();
    assert_eq!(alarms(&steps), 0, "never four steps in a row");
}

#[test]
fn a_restart_forgets_what_was_normal() {
    let mut bench = Bench::calibrated();
    bench.steps(20, [1.0, 2.0, 1.0, 1.0]);
    let (channels, settings) = (bench.channels.clone(), bench.settings.clone());
    bench.unit.restart(&channels, &settings);
    assert_eq!(bench.unit, Unit::new(&channels, &settings));
    bench.steps(N, [1.0, 2.0, 1.0, 1.0]);
    assert_eq!(alarms(&bench.steps(200, [1.0, 2.0, 1.0, 1.0])), 0);
}

#[test]
fn a_floor_is_of_the_kind_of_quantity_of_the_resolution_and_of_the_fleet() {
    let floors = |settings: Settings| {
        let mut bench = Bench::of(channels(), settings);
        bench.steps(N, [1.0; 4]);
        [0, 1, 2, 3].map(|i| bench.baseline(i).floor)
    };
    let near = |is: [f64; 4], wanted: [f64; 4]| {
        let near = is
            .iter()
            .zip(wanted)
            .all(|(is, wanted)| (is / wanted - 1.0).abs() < 0.02);
        assert!(near, "{is:?} is not {wanted:?}");
    };
    near(floors(Settings::default()), [2.0, 0.12, 4.6, 4.0]);
    let fleet_floors = vec![Some(3.0), Some(0.3), None, Some(0.01)];
    near(
        floors(Settings {
            fleet_floors,
            ..Settings::default()
        }),
        // A fleet may show less than the table has, never less than three resolutions.
        [3.0, 0.36, 4.6, 0.8],
    );

    let mut coarse = channels();
    coarse[3].decimals = 0;
    coarse[3].unit = "x".into();
    let mut bench = Bench::of(coarse, Settings::default());
    for _ in 0..N {
        bench.take(&[None, None, None, Some(7.0)], false);
    }
    assert_eq!(bench.baseline(3).floor, 3.0);
}
