//! One appliance's recorded rows on the road of the hub's, and `score`: CSV in, CSV out.

use std::io::{Read, Write};
use std::sync::Arc;

use hub_core::id::ApplianceId;
use hub_core::watching::{Unjudged, WatchState, Watching};
use jiff::SignedDuration;

use crate::batch::{Detectors, Judged, Manner, ROWS_MAX, RowRef, WINDOWS_MAX, is_reading};
use crate::detector::Detector;
use crate::model::Model;
use crate::network::ScoreError;
use crate::summary::Summary;
use crate::table::{Row, Table, TableError, read_rows, stored};
use crate::verdict::Verdict;

/// The one appliance that rows are of.
const UNIT: ApplianceId = ApplianceId(1);
/// Features named in a row of the output.
const TOP: usize = 3;

/// From a row to the next: more is a mistake in a date.
const LEAP: SignedDuration = SignedDuration::from_hours(24 * 300);

/// Two rows, one after the other, whose times do not follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Times {
    /// Line of the second, the heading being 1.
    pub line: usize,
    /// Its time, as it is written.
    pub time: String,
    /// Line of the first.
    pub line_before: usize,
    /// Its time, as it is written.
    pub time_before: String,
}

/// Why a file could not be scored.
#[derive(Debug, thiserror::Error)]
pub enum ScoreCsvError {
    /// The input is not telemetry of the model's profile.
    #[error("the input cannot be used")]
    Input(#[from] TableError),
    /// A time is earlier than that of the row before.
    #[error(
        "line {}: time {} is earlier than {} in line {}; sort the rows by time, the oldest first, or mend the wrong one",
        .0.line, .0.time, .0.time_before, .0.line_before
    )]
    Back(Times),
    /// A time is almost a year later than that of the row before, or more.
    #[error(
        "line {}: time {} is more than 300 days later than {} in line {}; mend the wrong one, or score the parts apart",
        .0.line, .0.time, .0.time_before, .0.line_before
    )]
    Leap(Times),
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

/// What came of a row.
pub(crate) struct OfRow {
    /// The model steps that it completed.
    pub(crate) steps: Vec<Judged>,
    /// Why it completed none of the model's rows, if it did not.
    pub(crate) unjudged: Option<Unjudged>,
}

/// The one appliance, and the newest of the rows that it was given.
struct Unit {
    model: Arc<Model>,
    detectors: Detectors,
    newest: Option<RowRef>,
}

/// How its rows are given.
const MANNER: Manner<'static> = Manner {
    again: false,
    windows: WINDOWS_MAX,
    progress: &(),
};

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
    let mut unit = Unit::new(model, calibrate);
    rows.chunks(ROWS_MAX).flat_map(move |rows| match unit.round(rows) {
        Ok(of_rows) => of_rows.into_iter().map(|of_row| Ok(of_row.steps)).collect(),
        Err(error) => vec![Err(error)],
    })
}

impl Unit {
    fn new(model: &Arc<Model>, calibrate: u32) -> Self {
        let mut detectors = Detectors::default();
        detectors.insert(UNIT, model.clone(), Detector::with_calibration(model, calibrate));
        Self {
            model: model.clone(),
            detectors,
            newest: None,
        }
    }

    /// What comes of each of these rows.
    fn round(&mut self, rows: &[Row]) -> Result<Vec<OfRow>, ScoreError> {
        let before = self.newest.map_or(0, |newest| newest.place.1);
        let rows = stored(UNIT, self.model.profile(), before + 1, rows);
        self.newest = rows.last().map(RowRef::of).or(self.newest);
        let numbers: Vec<(i64, bool)> = rows.iter().map(|row| (row.ingest_no, is_reading(row))).collect();
        let mut batch = self.detectors.score(rows, &MANNER);
        if let Some(failed) = batch.failed.pop() {
            return Err(failed.error);
        }
        let mut judged = batch.judged.into_iter().peekable();
        let mut unjudged = batch.unjudged.into_iter().peekable();
        let of_row = |(number, is_reading): (i64, bool)| OfRow {
            steps: std::iter::from_fn(|| judged.next_if(|step| step.row.place.1 == number)).collect(),
            unjudged: match is_reading {
                true => unjudged.next_if(|(row, _)| row.place.1 == number).map(|(_, why)| why),
                false => Some(Unjudged::NoValue),
            },
        };
        Ok(numbers.into_iter().map(of_row).collect())
    }

    /// Nothing comes behind the newest row: what was waited for does not come either.
    fn end(&mut self, of_newest: &mut OfRow) -> Result<(), ScoreError> {
        let ended = self.newest.and_then(|newest| self.detectors.end(newest, &MANNER));
        let Some(mut batch) = ended else {
            return Ok(());
        };
        if let Some(failed) = batch.failed.pop() {
            return Err(failed.error);
        }
        of_newest.steps.append(&mut batch.judged);
        of_newest.unjudged = of_newest.unjudged.filter(|why| *why != Unjudged::Joined);
        Ok(())
    }

    fn watching(&self) -> Watching {
        let nothing = || Watching::nothing(WatchState::NoReadings);
        self.detectors.watching(UNIT).unwrap_or_else(nothing)
    }
}

/// Scores a CSV of one appliance: `timestamp,score,alarm,top_channels`, one row for each input row, in order. A row
/// depends on no later one. A row that ends no model step repeats the verdict of the newest step; the first `calibrate`
/// rows (programme runs, where the model's step is a run) teach the baseline and score 0. A row without a single value says
/// nothing, as in the hub. A row that lacks a channel waits for the next, as there; the last one does not.
///
/// # Errors
/// Input that cannot be read (column, line and reason named), times that go back or leap, a failing network, an output that
/// cannot be written.
pub fn score_csv(
    reader: impl Read,
    writer: impl Write,
    model: &Arc<Model>,
    calibrate: u32,
) -> Result<Summary, ScoreCsvError> {
    let table = read_rows(reader, model.profile())?;
    check_times(&table)?;
    let mut output = csv::Writer::from_writer(writer);
    output.write_record(["timestamp", "score", "alarm", "top_channels"])?;
    let mut unit = Unit::new(model, calibrate);
    let mut summary = Summary::new(table.out_of_range);
    let mut newest: Option<Verdict> = None;
    let mut written = table.written_times.iter().zip(table.lines);
    let mut rounds = table.rows.chunks(ROWS_MAX).peekable();
    while let Some(rows) = rounds.next() {
        let mut of_rows = unit.round(rows)?;
        if let (None, Some(of_newest)) = (rounds.peek(), of_rows.last_mut()) {
            unit.end(of_newest)?;
        }
        for (mut of_row, (written, line)) in of_rows.into_iter().zip(&mut written) {
            summary.add(&of_row, written, line);
            newest = of_row.steps.pop().map(|step| step.verdict).or(newest);
            output.write_record(record(newest.as_ref(), written, model))?;
        }
    }
    output.flush()?;
    summary.watching = unit.watching();
    Ok(summary)
}

fn record(newest: Option<&Verdict>, written: &str, model: &Model) -> [String; 4] {
    let (score, alarm, top) = newest.map_or((0.0, false, String::new()), |v| (v.score, v.alarm, top(v, model)));
    let alarm = if alarm { "1" } else { "0" };
    [written.to_owned(), format!("{score:.6}"), alarm.to_owned(), top]
}

/// A file that is not in the order of time was written by something else than this appliance: nothing of it can be trusted.
fn check_times(table: &Table) -> Result<(), ScoreCsvError> {
    let order = |i: usize| Times {
        line: table.lines[i],
        time: table.written_times[i].clone(),
        line_before: table.lines[i - 1],
        time_before: table.written_times[i - 1].clone(),
    };
    for (i, pair) in table.rows.windows(2).enumerate() {
        if pair[1].at < pair[0].at {
            return Err(ScoreCsvError::Back(order(i + 1)));
        }
        if pair[1].at.duration_since(pair[0].at) > LEAP {
            return Err(ScoreCsvError::Leap(order(i + 1)));
        }
    }
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
