//! CSV files of telemetry, as devices, scripts and spreadsheets write them: columns by name, whatever parts them, however
//! times and numbers are written. What cannot be read for certain is refused with its place and what to do.

mod error;
mod layout;
mod number;
mod sheet;
mod text;
mod time;

pub use error::TableError;
pub(crate) use error::{listed, shown};
pub(crate) use number::Numbers;
pub(crate) use sheet::{Sheet, TimeColumns, is_time};
pub(crate) use text::decoded;
pub(crate) use time::Times;

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use hub_core::id::{ApplianceId, TraceId};
use hub_core::profile::ApplianceProfile;
use hub_core::telemetry::Lane;
use hub_store::telemetry::StoredRow;
use jiff::Timestamp;
use layout::Layout;

use crate::found::Found;

/// One telemetry row as stored: values in profile order, `None` where the row has none.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Event time.
    pub at: Timestamp,
    /// As many as the profile has channels; already at the stored resolution.
    pub values: Vec<Option<f64>>,
}

/// A file of rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The rows, in file order.
    pub rows: Vec<Row>,
    /// Time stamps as written in the file, one a row.
    pub written_times: Vec<String>,
    /// Lines of the file in which the rows begin, the first being 1.
    pub lines: Vec<usize>,
    /// Values that are out of their channel's range, and so missing, by channel.
    pub out_of_range: BTreeMap<String, Found>,
}

/// What the store gives back for a row: every value rounded to its channel's resolution; a value that is not finite or
/// out of the channel's range is missing. Values beyond the profile's channels are dropped.
pub fn quantise_row(profile: &ApplianceProfile, values: &[Option<f64>]) -> Vec<Option<f64>> {
    let quantise = |(i, channel): (usize, &hub_core::profile::Channel)| {
        let value = values.get(i).copied().flatten()?;
        channel.quantise(value).map(|stored| channel.value(stored))
    };
    profile.channels.iter().enumerate().map(quantise).collect()
}

/// Rows as a hub would have stored them, had this appliance sent them: numbered from `first` on, each received when it was
/// measured.
pub fn stored(appliance: ApplianceId, profile: &ApplianceProfile, first: i64, rows: &[Row]) -> Vec<StoredRow> {
    let profile = Arc::new(profile.clone());
    let quantise = |(channel, value): (&hub_core::profile::Channel, &Option<f64>)| channel.quantise((*value)?);
    let store = |(ingest_no, row): (i64, &Row)| StoredRow {
        appliance,
        partition: 0,
        ingest_no,
        lane: Lane::Telemetry,
        at: row.at,
        received_at: row.at,
        values: profile.channels.iter().zip(&row.values).map(quantise).collect(),
        profile: profile.clone(),
        trace: TraceId::new(row.at, [0; 10]),
    };
    (first..).zip(rows).map(store).collect()
}

/// Reads telemetry of a profile from CSV. Further columns are ignored; an empty field, and a usual word for it, is a missing
/// value; a line without any content is passed over.
///
/// # Errors
/// No time column, a channel without a column, or a field that cannot be read: named with its line.
pub fn read_rows(mut reader: impl Read, profile: &ApplianceProfile) -> Result<Table, TableError> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes)?;
    let texts = decoded(&bytes)?;
    let layout = Layout::of(&texts, profile)?;
    let mut numbers = Numbers::new(layout.delimiter());
    let mut times = Times::default();
    let mut rows = Vec::new();
    let (mut lines, mut written_times) = (Vec::new(), Vec::new());
    let mut out_of_range = BTreeMap::new();
    for record in layout.records() {
        let (line, record) = record?;
        let written = layout.time_of(&record);
        let of_time = |advice| TableError::Time {
            line,
            column: layout.time_name(),
            text: shown(&written),
            advice,
        };
        times.push(&written).map_err(of_time)?;
        let mut values = Vec::with_capacity(profile.channels.len());
        for (text, channel) in layout.values_of(&record).zip(&profile.channels) {
            let of_number = |advice| TableError::Number {
                line,
                column: channel.name.clone(),
                text: shown(text),
                advice,
            };
            values.push(numbers.read(text).map_err(of_number)?);
        }
        let stored = quantise_row(profile, &values);
        for ((channel, value), stored) in profile.channels.iter().zip(&values).zip(&stored) {
            if value.is_some_and(f64::is_finite) && stored.is_none() {
                Found::note(&mut out_of_range, channel.name.clone(), line);
            }
        }
        rows.push(stored);
        written_times.push(written.into_owned());
        lines.push(line);
    }
    let unsettled = |row: usize, advice| TableError::Time {
        line: lines.get(row).copied().unwrap_or_default(),
        column: layout.time_name(),
        text: written_times.get(row).map(|text| shown(text)).unwrap_or_default(),
        advice,
    };
    let times = times.settled().map_err(|(row, advice)| unsettled(row, advice))?;
    let rows = times.into_iter().zip(rows).map(|(at, values)| Row { at, values });
    Ok(Table {
        rows: rows.collect(),
        written_times,
        lines,
        out_of_range,
    })
}
