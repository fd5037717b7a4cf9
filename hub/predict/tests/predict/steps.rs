//! Readings to the features of steps, without a model.

use hub_predict::{Row, StepFeatures, Steps, load_manifest, quantise_row};
use jiff::{SignedDuration, Timestamp};
use tests_world::{Unit, WashingMachine};

use crate::common::models;

/// Rows of a household's machine, at the stored resolution.
fn rows(days: i64) -> Vec<Row> {
    let (_, family) = load_manifest(&models().join("washing-machine")).unwrap();
    let start = Timestamp::from_second(1_767_571_200).unwrap();
    let mut machine = WashingMachine::new(Unit::draw(7, 0), start);
    let samples = machine.step_until(start + SignedDuration::from_hours(24 * days));
    let row = |sample: tests_world::Sample| {
        let mut values = vec![None; family.profile.channels.len()];
        for (id, value) in sample.values {
            values[usize::from(id) - 1] = Some(value);
        }
        Row {
            at: sample.at,
            values: quantise_row(&family.profile, &values),
        }
    };
    samples.into_iter().map(row).collect()
}

fn steps(rows: &[Row]) -> Vec<StepFeatures> {
    let (manifest, family) = load_manifest(&models().join("washing-machine")).unwrap();
    let mut steps = Steps::new(&manifest, &family.profile);
    rows.iter().flat_map(|row| steps.take(row, row.at)).collect()
}

#[test]
fn a_run_is_a_step_with_the_features_of_the_manifest() {
    let runs = steps(&rows(14));
    assert!(runs.len() > 10, "{}", runs.len());
    for run in &runs {
        // The drain pump, at the rated voltage.
        let pump = run.values[0].unwrap();
        assert!((0.2..0.6).contains(&pump), "{pump}");
        assert!(run.values[1].unwrap() < 0.0, "the level falls while draining");
    }
    assert!(runs.windows(2).all(|pair| pair[0].at < pair[1].at));
}

#[test]
fn a_row_twice_and_a_row_too_late_change_nothing() {
    let mut rows = rows(7);
    let expected = steps(&rows);
    let (first, middle) = (rows[0].clone(), rows.len() / 2);
    let twice = rows[middle].clone();
    rows.insert(middle, twice);
    rows.insert(middle, first);
    assert_eq!(steps(&rows), expected);
}

#[test]
fn a_sensor_that_is_stuck_says_nothing_of_the_machine() {
    let mut rows = rows(14);
    let (whole, pump, from) = (steps(&rows), 2, rows.len() / 2);
    let stuck_at = rows[from].at;
    for row in &mut rows[from..] {
        row.values[pump] = Some(0.35);
    }
    let stuck = steps(&rows);
    assert_eq!(stuck.len(), whole.len());
    // The run in which it gets stuck still has other values.
    let after = stuck.iter().zip(&whole).filter(|(run, _)| run.at > stuck_at).skip(1);
    let mut checked = 0;
    for (run, sound) in after {
        assert_eq!((run.values[0], &run.values[1..]), (None, &sound.values[1..]));
        checked += 1;
    }
    assert!(checked > 3);
}
