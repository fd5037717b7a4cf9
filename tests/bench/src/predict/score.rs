//! `forecall score` as a whole, beside the same road with one window a run of the network.

use super::{Plan, pump, timed};
use crate::bar::{Bars, median};
use anyhow::{Result, ensure};
use hub_core::id::ApplianceId;
use hub_predict::{Detector, Detectors, Manner, Model, ROWS_MAX, Row, read_rows, score_csv, stored};
use std::fmt::Write;
use std::sync::Arc;

/// Rows a second of `score`, of those that one window a run comes to.
const BAR: f64 = 5.0;
const UNIT: ApplianceId = ApplianceId(1);

/// What was scored, for the comparison: the scores' bits, in the order of the steps.
type Scores = Vec<u32>;

pub(super) fn measure(plan: Plan, model: &Arc<Model>, bars: &mut Bars) -> Result<()> {
    let file = file(model, &pump(model, plan.rows));
    let calibrate = model.manifest().baseline.calibration;
    let ways = [1, 8, hub_predict::WINDOWS_MAX];
    let mut seconds = ways.map(|_| Vec::new());
    let mut whole = Vec::new();
    let mut expected: Option<Scores> = None;
    for _ in 0..plan.rounds {
        for (windows, seconds) in ways.into_iter().zip(&mut seconds) {
            let (scores, took) = timed(|| road(&file, model, calibrate, windows))?;
            seconds.push(took);
            let expected = expected.get_or_insert_with(|| scores.clone());
            ensure!(scores == *expected, "{windows} windows a run give other scores");
        }
        let ((), took) = timed(|| command(&file, model, calibrate))?;
        whole.push(took);
    }
    let rate = |seconds: Vec<f64>| plan.rows as f64 / median(seconds);
    let whole = rate(whole);
    println!(
        "score, pump-rig, a window a row, {} rows: {whole:.0} rows a second",
        plan.rows
    );
    let mut alone = f64::NAN;
    for (windows, seconds) in ways.into_iter().zip(seconds) {
        let rate = rate(seconds);
        if windows == 1 {
            alone = rate;
        }
        println!("  without what it writes, windows a run: {windows}: {rate:.0} rows a second");
    }
    bars.at_least("score_vs_one_window_a_run", whole / alone, BAR);
    Ok(())
}

/// The file that is scored.
fn file(model: &Model, rows: &[Row]) -> String {
    let mut text = String::from("datetime");
    for channel in &model.profile().channels {
        let _ = write!(text, ";{}", channel.name);
    }
    for row in rows {
        let _ = write!(text, "\n{}", row.at.strftime("%F %T"));
        for value in &row.values {
            text.push(';');
            if let Some(value) = value {
                let _ = write!(text, "{value}");
            }
        }
    }
    text
}

/// Reads the file and gives its rows to the detector, so many windows a run of the network.
fn road(file: &str, model: &Arc<Model>, calibrate: u32, windows: usize) -> Result<Scores> {
    let table = read_rows(file.as_bytes(), model.profile())?;
    let mut detectors = Detectors::default();
    detectors.insert(UNIT, model.clone(), Detector::with_calibration(model, calibrate));
    let manner = Manner {
        again: false,
        windows,
        progress: &(),
    };
    let mut scores = Vec::new();
    for (rows, first) in table.rows.chunks(ROWS_MAX).zip((1..).step_by(ROWS_MAX)) {
        let batch = detectors.score(stored(UNIT, model.profile(), first, rows), &manner);
        ensure!(batch.failed.is_empty(), "the network fails: {:?}", batch.failed);
        scores.extend(batch.judged.iter().map(|step| step.verdict.score.to_bits()));
    }
    Ok(scores)
}

/// What `forecall score` does between its files.
fn command(file: &str, model: &Arc<Model>, calibrate: u32) -> Result<()> {
    let mut written = Vec::new();
    let summary = score_csv(file.as_bytes(), &mut written, model, calibrate)?;
    ensure!(summary.judged > 0, "nothing was judged");
    Ok(())
}
