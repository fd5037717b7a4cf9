//! CSV files of telemetry: columns by name, `;` or `,`, time with or without zone.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use hub_core::id::{ApplianceId, TraceId};
use hub_core::profile::ApplianceProfile;
use hub_core::telemetry::Lane;
use hub_store::telemetry::StoredRow;
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use crate::summary::Found;

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
    /// Lines of the rows in the file, the heading being 1.
    pub lines: Vec<usize>,
    /// Values that are out of their channel's range, and so missing, by channel.
    pub out_of_range: BTreeMap<String, Found>,
}

/// Why a file cannot be read as telemetry.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The file is not readable or not CSV.
    #[error("the file cannot be read as CSV")]
    Csv(#[from] csv::Error),
    /// Reading failed.
    #[error("the file cannot be read")]
    Read(#[from] std::io::Error),
    /// No time column.
    #[error("no time column: name one `datetime` or `timestamp`; found: {found}")]
    NoTime {
        /// The columns that are there.
        found: String,
    },
    /// A channel has no column.
    #[error("column `{column}` is missing; found: {found}")]
    MissingColumn {
        /// The channel.
        column: String,
        /// The columns that are there.
        found: String,
    },
    /// A time stamp that is not one.
    #[error("line {line}: `{text}` is not a time; write 2024-05-01 12:00:00 (taken as UTC) or 2024-05-01T12:00:00Z")]
    Time {
        /// Line in the file, the heading being 1.
        line: usize,
        /// What is there.
        text: String,
    },
    /// A value that is not a number.
    #[error("line {line}, column `{column}`: `{text}` is not a number")]
    Number {
        /// Line in the file, the heading being 1.
        line: usize,
        /// The channel.
        column: String,
        /// What is there.
        text: String,
    },
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

/// Reads telemetry of a profile from CSV. Further columns are ignored; an empty field is a missing value.
///
/// # Errors
/// No time column, a channel without a column, or a field that cannot be read: named with its line.
pub fn read_rows(mut reader: impl Read, profile: &ApplianceProfile) -> Result<Table, TableError> {
    let mut text = Vec::new();
    reader.read_to_end(&mut text)?;
    let mut csv = csv::ReaderBuilder::new()
        .delimiter(delimiter(&text))
        .trim(csv::Trim::All)
        .from_reader(text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text));
    let headings = csv.headers()?.clone();
    let found = || headings.iter().collect::<Vec<_>>().join(", ");
    let column = |name: &str| headings.iter().position(|h| h == name);
    let time = column("datetime")
        .or_else(|| column("timestamp"))
        .ok_or_else(|| TableError::NoTime { found: found() })?;
    let mut columns = Vec::with_capacity(profile.channels.len());
    for channel in &profile.channels {
        let missing = || TableError::MissingColumn {
            column: channel.name.clone(),
            found: found(),
        };
        columns.push((column(&channel.name).ok_or_else(missing)?, channel.name.as_str()));
    }
    let mut table = Table {
        rows: Vec::new(),
        written_times: Vec::new(),
        lines: Vec::new(),
        out_of_range: BTreeMap::new(),
    };
    for (index, record) in csv.records().enumerate() {
        let (record, line) = (record?, index + 2);
        let written = record.get(time).unwrap_or_default();
        let at = parse_time(written).ok_or_else(|| TableError::Time {
            line,
            text: written.to_owned(),
        })?;
        let values = columns
            .iter()
            .map(|(i, name)| parse_value(record.get(*i).unwrap_or_default(), line, name));
        let values = values.collect::<Result<Vec<_>, _>>()?;
        table.push(at, &values, written, line, profile);
    }
    Ok(table)
}

impl Table {
    fn push(&mut self, at: Timestamp, values: &[Option<f64>], written: &str, line: usize, profile: &ApplianceProfile) {
        let stored = quantise_row(profile, values);
        for ((channel, value), stored) in profile.channels.iter().zip(values).zip(&stored) {
            if value.is_some_and(f64::is_finite) && stored.is_none() {
                Found::note(&mut self.out_of_range, channel.name.clone(), line);
            }
        }
        self.rows.push(Row { at, values: stored });
        self.written_times.push(written.to_owned());
        self.lines.push(line);
    }
}

/// `;` if the heading has one, else `,`.
fn delimiter(text: &[u8]) -> u8 {
    let heading = text.split(|b| *b == b'\n').next().unwrap_or_default();
    if heading.contains(&b';') { b';' } else { b',' }
}

fn parse_time(text: &str) -> Option<Timestamp> {
    let zoned = text.parse::<Timestamp>().ok();
    zoned.or_else(|| {
        text.parse::<DateTime>()
            .ok()?
            .to_zoned(TimeZone::UTC)
            .ok()
            .map(|z| z.timestamp())
    })
}

fn parse_value(text: &str, line: usize, column: &str) -> Result<Option<f64>, TableError> {
    if text.is_empty() || text.eq_ignore_ascii_case("nan") || text.eq_ignore_ascii_case("null") {
        return Ok(None);
    }
    let wrong = |_| TableError::Number {
        line,
        column: column.to_owned(),
        text: text.to_owned(),
    };
    text.parse().map(Some).map_err(wrong)
}
