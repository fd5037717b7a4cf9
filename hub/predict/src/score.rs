//! `score`: CSV in, CSV out, on the code path of the hub.

use std::io::{Read, Write};

use crate::detector::{Detector, step};
use crate::model::Model;
use crate::network::ScoreError;
use crate::table::{TableError, read_rows};
use crate::verdict::Verdict;

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

/// Scores a CSV of one appliance: `timestamp,score,alarm,top_channels`, one row for each input row, in order. A row
/// depends on no later one. A row that ends no model step repeats the verdict of the newest step; the first `calibrate`
/// rows (programme runs, where the model's step is a run) teach the baseline and score 0.
///
/// # Errors
/// Input that cannot be read (column, line and reason named), a failing network, an output that cannot be written.
pub fn score_csv(reader: impl Read, writer: impl Write, model: &Model, calibrate: u32) -> Result<(), ScoreCsvError> {
    let table = read_rows(reader, model.profile())?;
    let mut output = csv::Writer::from_writer(writer);
    output.write_record(["timestamp", "score", "alarm", "top_channels"])?;
    let mut detector = Detector::with_calibration(model, calibrate);
    let mut newest: Option<Verdict> = None;
    for (row, written) in table.rows.iter().zip(&table.written_times) {
        newest = step(&mut detector, model, row)?.pop().or(newest);
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
