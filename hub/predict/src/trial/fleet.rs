//! A fleet's export as its maker has it: a column for the device, one for the time, any channels. A row that cannot be read is
//! refused by itself, with its reason and the line of the first; the others are taken.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;

use serde::{Deserialize, Serialize};

use super::TrialError;
use super::columns::{Columns, DeviceBy, columns, rank};
use super::heading::{Heading, heading};
use crate::found::Found;
use crate::table::{Numbers, Sheet, TableError, Times, decoded, shown};

/// Bytes of a file.
pub const BYTES_MAX: u64 = 512 << 20;
/// Rows of a file.
pub const ROWS_MAX: usize = 2_000_000;
/// Values of a file, rows times channels: 256 MB of memory.
pub const VALUES_MAX: usize = 32_000_000;
/// Devices of a file.
pub const DEVICES_MAX: usize = 10_000;
/// Channels of a file.
pub const CHANNELS_MAX: usize = 64;

/// Values beyond are no measurement.
const VALUE_MAX: f64 = 1e12;
/// More digits behind the point than any resolution has.
const DECIMALS_MAX: u8 = 9;

/// Why a row is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refused {
    /// It has more or fewer fields than the heading.
    Fields,
    /// Its time cannot be read.
    Time,
    /// It names no device.
    NoDevice,
    /// It has no value in any channel.
    NoValue,
}

impl Refused {
    /// All of them.
    pub const ALL: [Refused; 4] = [Refused::Fields, Refused::Time, Refused::NoDevice, Refused::NoValue];
}

/// A column of numbers.
pub(crate) struct Column {
    pub(crate) heading: Heading,
    /// Digits behind the point, at most those of the file.
    pub(crate) decimals: u8,
    /// Fields that are neither a number nor empty, or beyond any measurement.
    pub(crate) unreadable: Option<Found>,
}

impl Column {
    fn note_unreadable(&mut self, line: usize) {
        let first = Found {
            count: 0,
            first_line: line,
        };
        self.unreadable.get_or_insert(first).count += 1;
    }
}

/// A device and its rows.
pub(crate) struct Device {
    pub(crate) name: String,
    /// Numbers of its rows; in the order of the file, until [`super::quality`] has looked at them, then in that of time.
    pub(crate) rows: Vec<u32>,
}

/// All of an export.
pub(crate) struct Fleet {
    pub(crate) columns: Vec<Column>,
    /// Columns of text, which nobody reads.
    pub(crate) texts: Vec<String>,
    pub(crate) devices: Vec<Device>,
    pub(crate) time_column: String,
    pub(crate) device_column: Option<String>,
    pub(crate) by: DeviceBy,
    pub(crate) refused: BTreeMap<Refused, Found>,
    /// Milliseconds since 1970.
    times: Vec<i64>,
    lines: Vec<u32>,
    /// By row, then by column; NaN where there is none.
    values: Vec<f64>,
}

impl Fleet {
    pub(crate) fn rows(&self) -> usize {
        self.times.len()
    }

    pub(crate) fn at(&self, row: u32) -> i64 {
        self.times[row as usize]
    }

    pub(crate) fn line(&self, row: u32) -> usize {
        self.lines[row as usize] as usize
    }

    /// Value of a column in a row.
    pub(crate) fn value(&self, row: u32, column: usize) -> Option<f64> {
        let value = self.values[row as usize * self.columns.len() + column];
        (!value.is_nan()).then_some(value)
    }
}

/// Reads an export; the device of a file that names none is `one`.
///
/// # Errors
/// It is no CSV, nothing in it says when or nothing is measured, its days and months cannot be told apart, or it is larger than
/// the bounds above.
pub(crate) fn read(mut reader: impl Read, one: &str) -> Result<Fleet, TrialError> {
    let bytes = read_bytes(&mut reader)?;
    let texts = decoded(&bytes)?;
    let sheet = Sheet::best(&texts, rank)?;
    let columns = columns(&sheet)?;
    if columns.numbers.is_empty() {
        return Err(TrialError::NoChannel { found: sheet.found() });
    }
    if columns.numbers.len() > CHANNELS_MAX {
        return Err(TrialError::TooManyChannels {
            found: columns.numbers.len(),
        });
    }
    let headings = headings(&sheet, &columns)?;
    Intake::new(&sheet, columns, headings, one).read()
}

pub(crate) fn read_bytes(reader: &mut impl Read) -> Result<Vec<u8>, TrialError> {
    let mut bytes = Vec::new();
    reader
        .take(BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(TableError::from)?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(TrialError::TooLarge);
    }
    Ok(bytes)
}

/// The headings of the channels. Those whose names are the same without their brackets keep them: two channels of one name could not
/// be told apart in the report.
fn headings(sheet: &Sheet<'_>, columns: &Columns) -> Result<Vec<Heading>, TrialError> {
    let texts: Vec<&str> = columns.numbers.iter().map(|column| sheet.name(*column)).collect();
    let mut sorted = texts.clone();
    sorted.sort_unstable();
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        let column = shown(pair[0]);
        return Err(TableError::Twice { column }.into());
    }
    let short: Vec<Heading> = texts.iter().map(|text| heading(text)).collect();
    let is_taken = |place: usize| {
        let name = &short[place].name;
        let others = || (0..texts.len()).filter(|other| *other != place);
        others().any(|other| short[other].name == *name || texts[other] == name)
    };
    let heading = |place: usize| match is_taken(place) {
        true => short[place].whole(texts[place]),
        false => short[place].clone(),
    };
    Ok((0..texts.len()).map(heading).collect())
}

/// Reading under way.
struct Intake<'s> {
    sheet: &'s Sheet<'s>,
    columns: Columns,
    one: &'s str,
    /// How each column writes its numbers.
    numbers: Vec<Numbers>,
    devices: HashMap<String, u32>,
    of_rows: Vec<u32>,
    written: Times,
    fleet: Fleet,
}

impl<'s> Intake<'s> {
    fn new(sheet: &'s Sheet<'s>, columns: Columns, headings: Vec<Heading>, one: &'s str) -> Self {
        let column = |heading| Column {
            heading,
            decimals: 0,
            unreadable: None,
        };
        let name = |column: &usize| sheet.name(*column).to_owned();
        let fleet = Fleet {
            columns: headings.into_iter().map(column).collect(),
            texts: columns.texts.iter().map(name).collect(),
            devices: Vec::new(),
            // Both names, where there are two.
            time_column: sheet.time_name(columns.time).replace("` and `", " + "),
            device_column: columns.device.as_ref().map(name),
            by: columns.by,
            refused: BTreeMap::new(),
            times: Vec::new(),
            lines: Vec::new(),
            values: Vec::new(),
        };
        Self {
            sheet,
            one,
            numbers: columns
                .numbers
                .iter()
                .map(|_| Numbers::new(sheet.delimiter()))
                .collect(),
            columns,
            devices: HashMap::new(),
            of_rows: Vec::new(),
            written: Times::default(),
            fleet,
        }
    }

    fn read(mut self) -> Result<Fleet, TrialError> {
        let sheet = self.sheet;
        for record in sheet.records() {
            let (line, refused) = match record {
                Ok((line, record)) => (line, self.take(line, &record)?),
                Err(TableError::Fields { line, .. }) => (line, Some(Refused::Fields)),
                Err(other) => return Err(other.into()),
            };
            if let Some(why) = refused {
                Found::note(&mut self.fleet.refused, why, line);
            }
        }
        self.settled()
    }

    /// Takes a row, or says why not.
    fn take(&mut self, line: usize, record: &csv::StringRecord) -> Result<Option<Refused>, TrialError> {
        let name = match self.columns.device {
            Some(column) => record.get(column).unwrap_or_default(),
            None => self.one,
        };
        if name.is_empty() {
            return Ok(Some(Refused::NoDevice));
        }
        let start = self.fleet.values.len();
        self.take_values(line, record);
        let taken = &self.fleet.values[start..];
        let refused = if taken.iter().all(|value| value.is_nan()) {
            Some(Refused::NoValue)
        } else if self.written.push(&self.columns.time.written(record)).is_err() {
            Some(Refused::Time)
        } else {
            None
        };
        if refused.is_some() {
            self.fleet.values.truncate(start);
            return Ok(refused);
        }
        if self.of_rows.len() == ROWS_MAX || self.fleet.values.len() > VALUES_MAX {
            return Err(TrialError::TooManyRows);
        }
        let device = self.device(name)?;
        self.of_rows.push(device);
        self.fleet.lines.push(u32::try_from(line).unwrap_or(u32::MAX));
        Ok(None)
    }

    fn take_values(&mut self, line: usize, record: &csv::StringRecord) {
        let columns = self.fleet.columns.iter_mut().zip(&self.columns.numbers);
        for ((column, place), numbers) in columns.zip(&mut self.numbers) {
            let text = record.get(*place).unwrap_or_default();
            let value = numbers.read(text);
            let is_beyond = matches!(value, Ok(Some(value)) if value.abs() > VALUE_MAX);
            match value {
                Ok(Some(_)) if is_beyond => column.note_unreadable(line),
                Ok(Some(_)) => column.decimals = column.decimals.max(decimals(text)),
                Ok(None) => {}
                Err(_) => column.note_unreadable(line),
            }
            let value = value.ok().flatten().filter(|_| !is_beyond);
            self.fleet.values.push(value.unwrap_or(f64::NAN));
        }
    }

    fn device(&mut self, name: &str) -> Result<u32, TrialError> {
        if let Some(known) = self.devices.get(name) {
            return Ok(*known);
        }
        if self.fleet.devices.len() == DEVICES_MAX {
            return Err(TrialError::TooManyDevices);
        }
        // At most DEVICES_MAX.
        let number = self.fleet.devices.len() as u32;
        self.devices.insert(name.to_owned(), number);
        self.fleet.devices.push(Device {
            name: name.to_owned(),
            rows: Vec::new(),
        });
        Ok(number)
    }

    /// With the times, now that all of them are read.
    fn settled(mut self) -> Result<Fleet, TrialError> {
        let of_time = |row: usize, advice, fleet: &Fleet, sheet: &Sheet<'_>| {
            let line = fleet.lines.get(row).map_or(0, |line| *line as usize);
            let record = sheet.records().filter_map(Result::ok).find(|(found, _)| *found == line);
            let text = record.map(|(_, record)| shown(&self.columns.time.written(&record)));
            TableError::Time {
                line,
                column: shown(&sheet.time_name(self.columns.time)),
                text: text.unwrap_or_default(),
                advice,
            }
        };
        let times = self
            .written
            .settled()
            .map_err(|(row, advice)| of_time(row, advice, &self.fleet, self.sheet))?;
        self.fleet.times = times.iter().map(|at| at.as_millisecond()).collect();
        for (row, device) in (0u32..).zip(&self.of_rows) {
            self.fleet.devices[*device as usize].rows.push(row);
        }
        self.fleet.devices.sort_by(|one, other| one.name.cmp(&other.name));
        match self.fleet.times.is_empty() {
            true => Err(TrialError::NoRow(self.fleet.refused)),
            false => Ok(self.fleet),
        }
    }
}

/// Digits behind the point or comma of a number.
fn decimals(text: &str) -> u8 {
    if text.contains(['e', 'E']) {
        return DECIMALS_MAX;
    }
    let digits = text.rsplit_once(['.', ',']).map_or(0, |(_, digits)| digits.len());
    u8::try_from(digits).unwrap_or(DECIMALS_MAX).min(DECIMALS_MAX)
}
