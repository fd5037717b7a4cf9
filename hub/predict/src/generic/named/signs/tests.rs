use super::super::metric::Metric;
use super::super::signature::{Metrics, Signature};
use super::*;

fn channels() -> Vec<Channel> {
    let channel = |name: &str| Channel {
        name: name.into(),
        unit: "/".into(),
        decimals: 4,
    };
    ["pump", "drain", "shake"].map(channel).into()
}

/// Scatter of a channel in a run, without a generator: -1 to 1, and no channel says anything of another (SplitMix64, Steele and
/// others 2014).
fn scatter(run: u32, channel: u32) -> f64 {
    let mut bits = (u64::from(run) << 8 | u64::from(channel)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    f64::from((bits >> 32) as u32) / f64::from(u32::MAX) * 2.0 - 1.0
}

fn run(run: u32, moved: [f64; 3]) -> Vec<Option<f64>> {
    let scatter = [0.02, 0.05, 0.2]
        .into_iter()
        .zip(0..)
        .map(|(by, i)| by * scatter(run, i));
    scatter.zip(moved).map(|(own, moved)| Some(own + moved)).collect()
}

fn unlevelled() -> NamedFaults {
    let signature = |class: &str, moves: &[(usize, f64)]| Signature {
        class: class.into(),
        moves: moves.into(),
        speed: Speed::Quick,
        borne_out_by: None,
        ticket_level: 6.0,
        call_level: 9.0,
    };
    let nothing = Metric::learn(3, &[]);
    NamedFaults {
        signatures: vec![
            signature("drain_pump", &[(0, 0.4), (1, -0.3)]),
            signature("bearing", &[(2, 0.8)]),
        ],
        conditions: Vec::new(),
        metrics: Metrics {
            newest: nothing.clone(),
            quick: nothing.clone(),
            slow: nothing,
        },
        threshold: 1.0,
    }
}

fn faults() -> NamedFaults {
    let (channels, blind) = (channels(), unlevelled());
    let device = |device: u32| {
        let mut signs = Signs::new(3);
        let mut deviations = Vec::new();
        for k in 0..80 {
            let said = signs.step(&channels, &blind, &run(k + 97 * device, [0.0; 3]), 0.0, false);
            if said.is_some() {
                let apart = signs.deviations(Speed::Quick).into_iter();
                deviations.push(apart.map(|v| v.map(|v| v as f32)).collect());
            }
        }
        deviations
    };
    let fleet: Vec<_> = (0..40).map(device).collect();
    let metric = Metric::learn(3, &fleet);
    NamedFaults {
        metrics: Metrics {
            newest: metric.clone(),
            quick: metric.clone(),
            slow: metric,
        },
        ..blind
    }
}

/// What is said of runs that are moved so far, after 60 that are not.
fn said(moved: impl Fn(u32) -> [f64; 3]) -> Vec<Sign> {
    let (channels, faults) = (channels(), faults());
    let mut signs = Signs::new(3);
    let mut step = |k: u32| {
        let moved = if k < 60 { [0.0; 3] } else { moved(k - 60) };
        signs.step(&channels, &faults, &run(k, moved), 0.0, false)
    };
    (0..120).filter_map(&mut step).collect()
}

#[test]
fn a_fault_that_grows_is_found_and_named() {
    let said = said(|k| [0.01 * f64::from(k), -0.007 * f64::from(k), 0.0]);
    let rose = said.iter().position(|one| one.rose).expect("an alarm");
    assert!(rose > 40 && said[rose].strongest == Some(0));
    let called = said.iter().find(|one| one.alarm && one.call >= 1.0).expect("a call");
    assert_eq!(called.called, Some(0));
    assert!(said.last().unwrap().alarm);
}

#[test]
fn what_moves_another_way_is_none_of_the_faults() {
    let filter = said(|_| [-0.3, -0.3, 0.0]);
    let loudest = filter.iter().max_by(|a, b| a.score.total_cmp(&b.score)).unwrap();
    assert!(filter.iter().all(|one| !one.alarm), "{loudest:?}");
    let quiet = said(|_| [0.0; 3]);
    assert!(quiet.iter().all(|one| one.score < 1.0));
}

#[test]
fn one_run_alone_raises_nothing() {
    let said = said(|k| if k == 20 { [2.0, -2.0, 2.0] } else { [0.0; 3] });
    assert!(said.iter().all(|one| !one.alarm));
}

#[test]
fn new_firmware_moves_levels_and_a_fault_goes_on() {
    let (channels, faults) = (channels(), faults());
    let mut signs = Signs::new(3);
    for k in 0..60 {
        signs.step(&channels, &faults, &run(k, [0.0; 3]), 0.0, false);
    }
    signs.told(Told::Changed);
    for k in 60..100 {
        let said = signs.step(&channels, &faults, &run(k, [0.3, -0.3, 0.5]), 0.0, false);
        assert!(!said.expect("watched").alarm);
    }
    let last = (100..140).filter_map(|k| signs.step(&channels, &faults, &run(k, [0.6, -0.6, 0.5]), 0.0, false));
    assert!(last.last().unwrap().alarm);
    signs.told(Told::Repaired);
    assert_eq!(signs.step(&channels, &faults, &run(0, [0.0; 3]), 0.0, false), None);
}

#[test]
fn what_no_fault_explains_opens_a_ticket_without_a_name() {
    let (channels, faults) = (channels(), faults());
    let mut signs = Signs::new(3);
    let mut step = |k: u32, unnamed: f64| signs.step(&channels, &faults, &run(k, [0.0; 3]), unnamed, false);
    (0..40).for_each(|k| drop(step(k, 0.0)));
    let said = step(40, 1.2).expect("watched");
    assert!(said.rose && said.call < 1.0);
}

#[test]
fn a_state_takes_less_than_a_kilobyte() {
    let channels: Vec<Channel> = channels().into_iter().cycle().take(15).collect();
    let faults = faults();
    let mut signs = Signs::new(15);
    for k in 0..60 {
        let values: Vec<_> = run(k, [0.0; 3]).into_iter().cycle().take(15).collect();
        signs.step(&channels, &faults, &values, 0.0, false);
    }
    assert!(postcard::to_stdvec(&signs).unwrap().len() < 1_000);
}
