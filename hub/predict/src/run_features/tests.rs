mod whole;

use super::*;
use hub_core::profile::Channel;
use jiff::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;

fn profile() -> ApplianceProfile {
    let channel = |(id, name): (u8, &str)| Channel {
        id,
        name: name.into(),
        unit: "/".into(),
        decimals: 1,
        min: 0.0,
        max: 2_000.0,
    };
    ApplianceProfile {
        name: "washer".into(),
        version: 1,
        channels: (1..).zip(["phase", "level", "speed"]).map(channel).collect(),
    }
}

/// A row a minute: phase, level, speed.
fn rows(of: &[[f64; 3]]) -> Vec<Row> {
    let row = |(minute, values): (i64, &[f64; 3])| Row {
        at: Timestamp::from_second(60 * minute).unwrap(),
        values: values.map(Some).into(),
    };
    (0..).zip(of).map(row).collect()
}

fn feature(channel: &str, take: Take, phases: &[i32]) -> RunFeature {
    RunFeature {
        name: channel.into(),
        source: Source::Rows(FromRows {
            channel: channel.into(),
            take,
            phases: phases.into(),
            within: Vec::new(),
            per: None,
        }),
        logarithm: false,
    }
}

fn read(features: &[RunFeature], of: &[[f64; 3]]) -> Vec<Option<f64>> {
    RunReader::new(features, &profile(), Some("phase")).read(&rows(of))
}

#[test]
fn only_whole_minutes_count() {
    let filling = [[0.0, 0.0, 0.0], [1.0, 40.0, 0.0], [1.0, 81.0, 0.0], [1.0, 100.0, 0.0]];
    assert_eq!(read(&[feature("level", Take::WholeRise, &[1])], &filling), [Some(40.5)]);
    let draining = [[2.0, 90.0, 0.0], [4.0, 45.0, 0.0], [4.0, 1.0, 0.0]];
    assert_eq!(
        read(&[feature("level", Take::FastestFall, &[4])], &draining),
        [Some(45.0)]
    );
    let mut late = rows(&draining);
    late[1].at += jiff::SignedDuration::from_hours(1);
    late[2].at += jiff::SignedDuration::from_hours(1);
    let features = [feature("level", Take::FastestFall, &[4])];
    assert_eq!(
        RunReader::new(&features, &profile(), Some("phase")).read(&late),
        [Some(44.0)]
    );
}

#[test]
fn a_loss_leaves_out_what_soaks_and_what_is_let_in() {
    let take = Take::Loss {
        settle_rows: 2,
        refill: 7.0,
    };
    let level = |minute: u32| match minute {
        0 => 100.0,
        1 => 90.0,
        minute if minute < 8 => 88.0 - f64::from(minute),
        minute => 118.0 - f64::from(minute),
    };
    let washing: Vec<[f64; 3]> = (0..15).map(|minute| [2.0, level(minute), 48.0]).collect();
    assert_eq!(read(&[feature("level", take, &[2])], &washing), [Some(11.0 / 21.0)]);
    assert_eq!(read(&[feature("level", take, &[2])], &washing[..5]), [None]);
}

#[test]
fn rows_count_within_a_range_of_another_channel_and_sums_are_made_of_figures() {
    let mut ramp = feature("level", Take::Mean, &[5]);
    let mut full = ramp.clone();
    if let (Source::Rows(ramp), Source::Rows(full)) = (&mut ramp.source, &mut full.source) {
        ramp.within = vec![("speed".into(), 300.0, 450.0)];
        full.within = vec![("speed".into(), 550.0, 2_000.0)];
    }
    ramp.logarithm = true;
    full.logarithm = true;
    let ratio = RunFeature {
        name: "ratio".into(),
        source: Source::Sum(vec![(1, 1.0), (0, -1.0)]),
        logarithm: false,
    };
    let values = read(
        &[ramp, full, ratio],
        &[[5.0, 2.0, 400.0], [5.0, 7.0, 500.0], [5.0, 8.0, 1_000.0]],
    );
    assert!((values[2].unwrap() - 4_f64.ln()).abs() < 1e-12);
}

#[test]
fn a_stuck_sensor_and_a_missing_channel_say_nothing() {
    let features = [
        feature("level", Take::Mean, &[5]),
        feature("speed", Take::Scatter, &[5]),
        feature("no such", Take::Mean, &[5]),
    ];
    let spinning: Vec<[f64; 3]> = (0..10)
        .map(|k| [5.0, 3.0, if k % 2 == 0 { 90.0 } else { 110.0 }])
        .collect();
    let values = read(&features, &spinning);
    assert_eq!(values[0], None);
    assert!((values[1].unwrap() - 0.1).abs() < 1e-12);
    assert_eq!(values[2], None);
    assert_eq!(read(&features, &[]), [None; 3]);
}

/// Every way to take a figure, of two channels, with and without a condition.
fn all_ways() -> Vec<RunFeature> {
    let loss = Take::Loss {
        settle_rows: 1,
        refill: 7.0,
    };
    let takes = [
        Take::Mean,
        Take::Highest,
        Take::Scatter,
        Take::WholeRise,
        Take::FastestFall,
        loss,
    ];
    let mut all = Vec::new();
    for take in takes {
        for phases in [&[][..], &[1], &[1, 2]] {
            let plain = feature("level", take, phases);
            let mut bound = feature("speed", take, phases);
            if let Source::Rows(rows) = &mut bound.source {
                rows.within = vec![("level".into(), 20.0, 90.0), ("speed".into(), 5.0, 110.0)];
                rows.per = Some(Per {
                    channel: "level".into(),
                    reference: 50.0,
                    power: 2,
                });
            }
            all.extend([plain, bound]);
        }
    }
    let sum = RunFeature {
        name: "sum".into(),
        source: Source::Sum(vec![(0, 1.0), (3, -0.5)]),
        logarithm: true,
    };
    all.push(sum);
    all
}

/// Seconds since the row before, then phase, level and speed, some of them missing.
type Drawn = (i64, Option<u8>, Option<u8>, Option<u8>);

fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
    let seconds = prop_oneof![6 => Just(60_i64), 1 => Just(20), 1 => Just(150), 1 => Just(400)];
    let value = || prop_oneof![8 => (0..120_u8).prop_map(Some), 1 => Just(None)];
    // Values that repeat themselves make stretches, and sensors that are stuck.
    let phase = prop_oneof![4 => Just(Some(1_u8)), 2 => Just(Some(2)), 1 => Just(Some(0)), 1 => Just(None)];
    vec((seconds, phase, value(), value()), 0..60)
}

fn rows_of(drawn: &[Drawn]) -> Vec<Row> {
    let mut second = 0;
    let row = |(apart, phase, level, speed): &Drawn| {
        second += apart;
        Row {
            at: Timestamp::from_second(second).unwrap(),
            values: [phase, level, speed].map(|one| one.map(f64::from)).into(),
        }
    };
    drawn.iter().map(row).collect()
}

/// To the last digits: a scatter is taken by another formula.
fn are_same(one: &[Option<f64>], other: &[Option<f64>]) -> bool {
    let same = |(a, b): (&Option<f64>, &Option<f64>)| match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(1.0),
        (a, b) => a == b,
    };
    one.len() == other.len() && one.iter().zip(other).all(same)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn taken_row_by_row_figures_are_those_of_all_rows_at_once(drawn in drawn(), cut in 0..60_usize) {
        let (features, rows) = (all_ways(), rows_of(&drawn));
        let reader = RunReader::new(&features, &profile(), Some("phase"));
        let expected = whole::read(&reader, &rows);
        let got = reader.read(&rows);
        prop_assert!(are_same(&got, &expected), "{got:?} and not {expected:?}");
        // A hub that is killed within the run goes on with what was saved.
        let mut so_far = reader.begin();
        let cut = cut.min(rows.len());
        rows[..cut].iter().for_each(|row| reader.take(&mut so_far, row));
        let saved = postcard::to_stdvec(&so_far).unwrap();
        let mut so_far: RunFigures = postcard::from_bytes(&saved).unwrap();
        rows[cut..].iter().for_each(|row| reader.take(&mut so_far, row));
        prop_assert_eq!(reader.figures(&so_far), got);
    }
}

#[test]
fn a_run_ends_where_its_resampler_says_so_and_keeps_the_row_before_the_next() {
    let features = [feature("level", Take::WholeRise, &[1])];
    let reader = RunReader::new(&features, &profile(), Some("phase"));
    let mut so_far = reader.begin();
    let mut follow = |row: &Row, ended: Option<i64>, is_under_way: bool| {
        let ended = ended.map(|minute| Timestamp::from_second(60 * minute).unwrap());
        reader.follow(&mut so_far, row, ended, is_under_way)
    };
    let rows = rows(&[
        [0.0, 5.0, 0.0],
        [1.0, 45.0, 0.0],
        [1.0, 85.0, 0.0],
        [1.0, 90.0, 0.0],
        [0.0, 90.0, 0.0],
        [1.0, 10.0, 0.0],
        [1.0, 30.0, 0.0],
    ]);
    assert_eq!(follow(&rows[0], None, false), None);
    for row in &rows[1..4] {
        assert_eq!(follow(row, None, true), None);
    }
    assert_eq!(follow(&rows[4], Some(4), false), Some(vec![Some(40.0)]));
    assert_eq!(follow(&rows[4], None, false), None, "a row that comes once more");
    assert_eq!(follow(&rows[5], None, true), None);
    // Silence: the row that comes behind it is of the next run.
    let mut late = rows[6].clone();
    late.at += jiff::SignedDuration::from_hours(5);
    assert_eq!(follow(&late, Some(5), true), Some(vec![Some(-80.0)]));
}

#[test]
fn a_period_of_the_clock_ends_before_its_next_row_and_all_of_its_rows_count() {
    let mut highest = feature("level", Take::Highest, &[]);
    if let Source::Rows(rows) = &mut highest.source {
        rows.within = vec![("speed".into(), 0.0, 0.0), ("level".into(), 10.0, 1_000.0)];
    }
    let features = [feature("level", Take::Mean, &[]), highest];
    let reader = RunReader::new(&features, &profile(), None);
    let mut so_far = reader.begin();
    let mut follow = |row: &Row, ended: Option<i64>| {
        let ended = ended.map(|minute| Timestamp::from_second(60 * minute - 1).unwrap());
        reader.follow(&mut so_far, row, ended, true)
    };
    let rows = rows(&[
        [0.0, 2.0, 0.0],
        [7.0, 250.0, 0.0],
        [0.0, 90.0, 1.0],
        [0.0, 3.0, 0.0],
        [0.0, 5.0, 0.0],
    ]);
    assert_eq!(
        follow(&rows[0], Some(0)),
        Some(vec![None, None]),
        "nothing was before it"
    );
    assert_eq!(follow(&rows[1], None), None);
    assert_eq!(follow(&rows[2], None), None);
    // Of the period before: mean of three rows, and the one that counts for the highest.
    assert_eq!(follow(&rows[3], Some(3)), Some(vec![Some(114.0), Some(250.0)]));
    assert_eq!(follow(&rows[4], None), None);
    assert_eq!(reader.figures(&so_far), [Some(4.0), None]);
    // A door that nobody opens all day, and a sensor that is stuck.
    let day = |level: f64| reader.read(&self::rows(&[[0.0, level, 0.0]; 5]));
    assert_eq!((day(0.0)[0], day(7.0)[0]), (Some(0.0), None));
}

#[test]
fn a_run_under_way_takes_no_rows_into_its_state() {
    let features = all_ways();
    let reader = RunReader::new(&features, &profile(), Some("phase"));
    let of = |count: u32| {
        let long: Vec<[f64; 3]> = (0..count)
            .map(|k| [1.0, f64::from(k % 70), f64::from(k % 90)])
            .collect();
        let mut so_far = reader.begin();
        rows(&long).iter().for_each(|row| reader.take(&mut so_far, row));
        postcard::to_stdvec(&so_far).unwrap().len()
    };
    assert!(of(2_000) < of(60) + 60);
    assert!(of(2_000) < 90 * features.len(), "{} bytes", of(2_000));
}
