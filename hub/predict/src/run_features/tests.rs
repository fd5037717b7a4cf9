use super::*;
use hub_core::profile::Channel;
use jiff::Timestamp;

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
            within: None,
            per: None,
        }),
        logarithm: false,
    }
}

fn read(features: &[RunFeature], of: &[[f64; 3]]) -> Vec<Option<f64>> {
    RunReader::new(features, &profile(), "phase").read(&rows(of))
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
    assert_eq!(RunReader::new(&features, &profile(), "phase").read(&late), [Some(44.0)]);
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
        ramp.within = Some(("speed".into(), 300.0, 450.0));
        full.within = Some(("speed".into(), 550.0, 2_000.0));
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
