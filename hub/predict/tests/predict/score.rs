//! `score`: CSV in, CSV out.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use crate::common::{csv_text, models, pump_rig, pump_rows};
use hub_predict::{Model, ScoreCsvError, TableError, score_csv};

fn scored(model: &Arc<Model>, input: &str) -> String {
    let mut output = Vec::new();
    score_csv(input.as_bytes(), &mut output, model, 100).unwrap();
    String::from_utf8(output).unwrap()
}

#[test]
fn cutting_the_tail_changes_no_earlier_row() {
    let model = Arc::new(pump_rig());
    let rows = pump_rows(&model, 400, 250);
    let whole = scored(&model, &csv_text(&model, &rows, ","));
    assert_eq!(whole.lines().count(), 401);
    assert!(whole.lines().any(|l| l.contains(",1,Volume Flow RateRMS=")), "{whole}");
    for cut in [1, 50, 100, 101, 200, 255, 290, 399] {
        let part = scored(&model, &csv_text(&model, &rows[..cut], ","));
        assert!(whole.starts_with(&part), "cut after {cut} rows");
        assert_eq!(part.lines().count(), cut + 1);
    }
}

#[test]
fn delimiters_and_order_of_columns_make_no_difference() {
    let model = Arc::new(pump_rig());
    let rows = pump_rows(&model, 200, 150);
    let comma = csv_text(&model, &rows, ",");
    let turned: String = comma
        .lines()
        .map(|l| l.split(',').rev().collect::<Vec<_>>().join(",") + "\r\n")
        .collect();
    let expected = scored(&model, &comma);
    assert_eq!(scored(&model, &csv_text(&model, &rows, ";")), expected);
    assert_eq!(scored(&model, &turned), expected);
}

#[test]
fn calibration_rows_score_nothing() {
    let model = Arc::new(pump_rig());
    let output = scored(&model, &csv_text(&model, &pump_rows(&model, 130, 0), ","));
    for line in output.lines().skip(1).take(100) {
        assert!(line.ends_with(",0.000000,0,"), "{line}");
    }
}

fn refused(model: &Arc<Model>, input: &str) -> TableError {
    match score_csv(input.as_bytes(), Vec::new(), model, 100) {
        Err(ScoreCsvError::Input(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    let model = Arc::new(pump_rig());
    let good = csv_text(&model, &pump_rows(&model, 3, 0), ";");
    let missing = refused(&model, &good.replace("Thermocouple", "Something"));
    assert!(matches!(&missing, TableError::MissingColumn { column, .. } if column == "Thermocouple"));
    assert!(missing.to_string().contains("Something"), "{missing}");
    assert!(matches!(
        refused(&model, &good.replace("datetime", "when")),
        TableError::NoTime { .. }
    ));
    let time = refused(&model, &good.replacen("x;2023", "x;later 2023", 1));
    assert!(matches!(time, TableError::Time { line: 2, .. }), "{time}");
    let number = refused(&model, &good.replacen(";0.2", ";much", 1));
    assert!(
        matches!(&number, TableError::Number { line: 2, column, .. } if column == "Accelerometer1RMS"),
        "{number}"
    );
    assert!(number.source().is_none());
}

/// The recorded data are not part of this project; where they are absent the test says so and passes.
#[test]
fn a_recorded_fault_is_found_and_nothing_before_it() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/skab/valve1/12.csv");
    let Ok(recorded) = std::fs::read_to_string(&data) else {
        println!("skipped: no recorded data at {}", data.display());
        return;
    };
    let model = Arc::new(Model::load(&models().join("evaluation/pump-rig-loo/inlet_valve_closing")).unwrap());
    let output = scored(&model, &recorded);
    let labels: Vec<bool> = recorded
        .lines()
        .skip(1)
        .map(|l| l.rsplit(';').nth(1) == Some("1.0"))
        .collect();
    let alarms: Vec<bool> = output
        .lines()
        .skip(1)
        .map(|l| l.split(',').nth(2) == Some("1"))
        .collect();
    assert_eq!(labels.len(), alarms.len());
    let onset = labels.iter().position(|l| *l).unwrap();
    let end = labels.iter().rposition(|l| *l).unwrap();
    let alarm = alarms.iter().position(|a| *a).unwrap();
    assert!((onset..=end).contains(&alarm), "onset {onset}, alarm {alarm}");
}
