//! A made-up pump: level, slow wave and noise for each channel, and a flow that can fall; and a simulated household.

use std::path::PathBuf;

use hub_predict::{Detector, Model, Pending, Row, ScoreError, Verdict, Window, quantise_row};
use jiff::{SignedDuration, Timestamp};
use tests_world::{FaultKind, FaultPlan, Unit, WashingMachine};

pub fn models() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../models")
}

/// Version 1 of the pump rig's family, which a network judges.
pub fn pump_rig() -> Model {
    Model::load(&models().join("evaluation/pump-rig-1")).unwrap()
}

/// Where the project has the folder of a family that a network judges.
pub fn of_network(family: &str) -> PathBuf {
    match family {
        "pump-rig" => models().join("evaluation/pump-rig-1"),
        family => models().join(family),
    }
}

/// One row through a detector by itself.
pub fn step(detector: &mut Detector, model: &Model, row: &Row) -> Result<Vec<Verdict>, ScoreError> {
    let pending = detector.prepare(model, row);
    let windows: Vec<&Window> = pending.iter().filter_map(Pending::window).collect();
    let mut reconstructions = model.reconstruct(&windows)?.into_iter();
    let judge = |p: Pending| {
        let made = p.window().and_then(|_| reconstructions.next());
        detector.conclude(model, p, made)
    };
    Ok(pending.into_iter().map(judge).collect())
}

/// A row a second, sometimes two seconds apart; from row `fault_at` on the flow falls by 6 % within 30 s.
pub fn pump_rows(model: &Model, count: usize, fault_at: usize) -> Vec<Row> {
    let mut at = Timestamp::from_second(1_700_000_000).unwrap();
    let mut noise = 12_345u64;
    let mut draw = move || {
        noise = noise
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (noise >> 40) as f64 / f64::from(1 << 24) - 0.5
    };
    let mut rows = Vec::new();
    for i in 0..count {
        at += SignedDuration::from_secs(if i % 20 == 19 { 2 } else { 1 });
        let lost = 0.06 * ((i.saturating_sub(fault_at)) as f64 / 30.0).min(1.0);
        let wave = (i as f64 / 40.0).sin();
        let values = [
            0.21 + 0.004 * draw(),
            0.27 + 0.004 * draw(),
            2.0 + 0.05 * wave + 0.5 * draw(),
            0.2 + 0.5 * draw(),
            90.0 - i as f64 * 0.001 + 0.2 * draw(),
            26.0 + i as f64 * 0.0003 + 0.02 * draw(),
            230.0 + 20.0 * draw(),
            (125.0 + draw()) * (1.0 - lost),
        ];
        rows.push(Row {
            at,
            values: quantise_row(model.profile(), &values.map(Some)),
        });
    }
    rows
}

/// So many days of a washing machine whose drain pump wears out in the last 25.
pub fn washing_rows(model: &Model, days: i64) -> Vec<Row> {
    let start = Timestamp::from_second(1_767_600_000).unwrap();
    let end = start + SignedDuration::from_hours(24 * days);
    let plan = FaultPlan {
        kind: FaultKind::DrainPumpWear,
        onset: end - SignedDuration::from_hours(24 * 25),
        days_to_failure: 25.0,
    };
    let mut machine = WashingMachine::new(Unit::draw(77, 28_800), start).with_fault(plan);
    let samples = machine.step_until(end).into_iter();
    let row = |sample: tests_world::Sample| {
        let values: Vec<_> = sample.values.iter().map(|(_, value)| Some(*value)).collect();
        Row {
            at: sample.at,
            values: quantise_row(model.profile(), &values),
        }
    };
    samples.map(row).collect()
}

/// The rows as a CSV file, with one column more than the profile has.
pub fn csv_text(model: &Model, rows: &[Row], delimiter: &str) -> String {
    let names: Vec<&str> = model.profile().channels.iter().map(|c| c.name.as_str()).collect();
    let mut text = format!("note{delimiter}datetime{delimiter}{}\n", names.join(delimiter));
    for row in rows {
        let values: Vec<String> = row
            .values
            .iter()
            .map(|v| v.map_or(String::new(), |v| v.to_string()))
            .collect();
        text += &format!(
            "x{delimiter}{}{delimiter}{}\n",
            row.at.strftime("%F %T"),
            values.join(delimiter)
        );
    }
    text
}
