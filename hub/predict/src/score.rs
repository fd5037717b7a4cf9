//! One appliance's recorded rows on the road of the hub's, and `score`: CSV in, CSV out.

use std::io::{Read, Write};
use std::sync::Arc;

use hub_core::id::ApplianceId;
use hub_store::telemetry::StoredRow;

use crate::batch::{Detectors, Judged, Manner, ROWS_MAX, WINDOWS_MAX};
use crate::detector::Detector;
use crate::model::Model;
use crate::network::ScoreError;
use crate::table::{Row, TableError, read_rows, stored};
use crate::verdict::Verdict;

/// The one appliance that rows are of.
const UNIT: ApplianceId = ApplianceId(1);
/// Features named in a row of the output.
const TOP: usize = 3;

/// Why a file could not be scored.
#[derive(Debug, thiserror::Error)]
pub enum ScoreCsvError {
    /// The input is not telemetry of the model's profile.
    #[error("the input cannot be used")]
    Input(#[from] TableError),
    /// The network failed.
    #[error("scoring failed")]
    Score(#[from] ScoreError),
    /// The output cannot be written.
    #[error("the output cannot be written")]
    Output(#[from] csv::Error),
    /// The output cannot be written.
    #[error("the output cannot be written")]
    Write(#[from] std::io::Error),
}

/// Scores rows of one appliance as a hub does that has stored them ([`stored`]), in rounds of at most [`ROWS_MAX`]: for each
/// row, in order, the model steps that it completed. The first `calibrate` rows (programme runs, where the model's step is a
/// run) teach the baseline.
///
/// # Errors
/// The network failed; rows behind it are scored without what it should have said.
pub fn score_rows(
    model: &Arc<Model>,
    calibrate: u32,
    rows: &[Row],
) -> impl Iterator<Item = Result<Vec<Judged>, ScoreError>> {
    let mut detectors = Detectors::default();
    detectors.insert(UNIT, model.clone(), Detector::with_calibration(model, calibrate));
    let rounds = (1..).step_by(ROWS_MAX).zip(rows.chunks(ROWS_MAX));
    rounds.flat_map(
        move |(first, rows)| match round(&mut detectors, stored(UNIT, model.profile(), first, rows)) {
            Ok(steps) => steps.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        },
    )
}

/// The steps that each of these rows completed.
fn round(detectors: &mut Detectors, rows: Vec<StoredRow>) -> Result<Vec<Vec<Judged>>, ScoreError> {
    let numbers: Vec<i64> = rows.iter().map(|row| row.ingest_no).collect();
    let manner = Manner {
        again: false,
        windows: WINDOWS_MAX,
        progress: &(),
    };
    let mut batch = detectors.score(rows, &manner);
    if let Some(failed) = batch.failed.pop() {
        return Err(failed.error);
    }
    let mut judged = batch.judged.into_iter().peekable();
    let of_row = |number: i64| -> Vec<Judged> {
        std::iter::from_fn(|| judged.next_if(|step| step.row.place.1 == number)).collect()
    };
    Ok(numbers.into_iter().map(of_row).collect())
}

/// Scores a CSV of one appliance: `timestamp,score,alarm,top_channels`, one row for each input row, in order. A row
/// depends on no later one. A row that ends no model step repeats the verdict of the newest step; the first `calibrate`
/// rows (programme runs, where the model's step is a run) teach the baseline and score 0. A row without a single value says
/// nothing, as in the hub.
///
/// # Errors
/// Input that cannot be read (column, line and reason named), a failing network, an output that cannot be written.
pub fn score_csv(
    reader: impl Read,
    writer: impl Write,
    model: &Arc<Model>,
    calibrate: u32,
) -> Result<(), ScoreCsvError> {
    let table = read_rows(reader, model.profile())?;
    let mut output = csv::Writer::from_writer(writer);
    output.write_record(["timestamp", "score", "alarm", "top_channels"])?;
    let mut newest: Option<Verdict> = None;
    for (steps, written) in score_rows(model, calibrate, &table.rows).zip(&table.written_times) {
        newest = steps?.pop().map(|step| step.verdict).or(newest);
        let (score, alarm, top) = newest
            .as_ref()
            .map_or((0.0, false, String::new()), |v| (v.score, v.alarm, top(v, model)));
        output.write_record([
            written.as_str(),
            &format!("{score:.6}"),
            if alarm { "1" } else { "0" },
            &top,
        ])?;
    }
    output.flush()?;
    Ok(())
}

/// `name=share` of the largest contributions, only where the score says anything.
fn top(verdict: &Verdict, model: &Model) -> String {
    if verdict.calibrating {
        return String::new();
    }
    let shares = verdict.top(model.manifest(), TOP);
    shares
        .iter()
        .map(|s| format!("{}={:.2}", s.name, s.share))
        .collect::<Vec<_>>()
        .join(" ")
}
