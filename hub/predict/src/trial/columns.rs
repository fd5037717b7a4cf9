//! Which column of an export says what, by the names of the columns, and where they tell nothing by what stands in them.

use std::collections::BTreeSet;

use csv::StringRecord;

use super::TrialError;
use super::heading::{heading, plain, senml};
use crate::table::{Numbers, Sheet, TableError, TimeColumns, Times, is_time, shown};

/// Records that are looked at: the first of the file, and of the others one in so many, as devices may follow each other.
const FIRST: usize = 1_000;
const ONE_IN: usize = 100;
const LOOKED_AT_MAX: usize = 20_000;

/// Names of a column with the device, as they are compared ([`plain`]); the best first.
const DEVICES: [&str; 32] = [
    "device",
    "deviceid",
    "devicename",
    "deviceno",
    "appliance",
    "applianceid",
    "machine",
    "machineid",
    "unit",
    "unitid",
    "unitno",
    "asset",
    "assetid",
    "equipment",
    "equipmentid",
    "thing",
    "thingid",
    "serial",
    "serialno",
    "serialnumber",
    "sn",
    "设备",
    "设备id",
    "设备编号",
    "设备号",
    "机器编号",
    "机号",
    "序列号",
    "gerät",
    "geräteid",
    "seriennummer",
    "id",
];
/// Words in the plain name of a column with texts that come again and are no device.
const NO_DEVICES: [&str; 10] = [
    "time", "date", "firmware", "version", "software", "时间", "日期", "固件", "版本", "datum",
];
/// Further names of a column with the time, as they are compared.
const TIMES: [&str; 22] = [
    "datetime",
    "timestamp",
    "datetimeutc",
    "timestamputc",
    "timeutc",
    "utc",
    "recordedat",
    "createdat",
    "measuredat",
    "eventtime",
    "servicedate",
    "servicedat",
    "serviced",
    "repairdate",
    "visit",
    "zeit",
    "zeitstempel",
    "datum",
    "时间",
    "时间戳",
    "采集时间",
    "日期",
];
/// Names of a column that says which channel a row is of, where each row has one value.
const CHANNELS: [&str; 9] = [
    "channel",
    "metric",
    "sensor",
    "parameter",
    "signal",
    "tag",
    "measurement",
    "variable",
    "通道",
];

/// How the device's column was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceBy {
    /// By its name.
    Name,
    /// It holds texts with digits that come again.
    Shape,
    /// There is none: the file is of one device.
    None,
}

/// The columns of an export.
pub(crate) struct Columns {
    pub(crate) time: TimeColumns,
    pub(crate) device: Option<usize>,
    pub(crate) by: DeviceBy,
    /// Those that hold numbers, or nothing in the records that were looked at.
    pub(crate) numbers: Vec<usize>,
    /// Those that hold text.
    pub(crate) texts: Vec<usize>,
}

/// What stands in a column, of the records that were looked at.
#[derive(Default)]
struct Shape {
    filled: usize,
    numbers: usize,
    times: usize,
    /// Dates, or times of day.
    moments: usize,
    digits_alone: usize,
    with_digit: usize,
    distinct: BTreeSet<String>,
}

/// Finds them.
///
/// # Errors
/// No column says when, or the rows have one value each.
pub(crate) fn columns(sheet: &Sheet<'_>) -> Result<Columns, TrialError> {
    let records = looked_at(sheet);
    let shapes: Vec<Shape> = (0..sheet.names().len())
        .map(|column| Shape::of(&records, column, sheet.delimiter()))
        .collect();
    let time = time(sheet, &records, &shapes)?;
    let (device, by) = device(sheet, time, &shapes);
    let others = |column: &usize| !time.holds(*column) && device != Some(*column) && !sheet.name(*column).is_empty();
    let (numbers, texts): (Vec<usize>, Vec<usize>) = (0..shapes.len())
        .filter(others)
        .partition(|column| shapes[*column].numbers * 2 >= shapes[*column].filled);
    let is_channel = |column: &&usize| CHANNELS.contains(&plain(sheet.name(**column)).as_str());
    if let (Some(column), [_]) = (texts.iter().find(is_channel), numbers.as_slice()) {
        let column = shown(sheet.name(*column));
        return Err(TrialError::OneValueARow { column });
    }
    Ok(Columns {
        time,
        device,
        by,
        numbers,
        texts,
    })
}

/// How likely a heading is to be read as it was meant, for the choice between delimiters and between encodings: names that are
/// known, units that are known, and columns.
pub(crate) fn rank(names: &StringRecord) -> (usize, usize, usize) {
    let is_known = |name: &&str| {
        let plain = plain(name);
        is_time(name) || TIMES.contains(&plain.as_str()) || DEVICES.contains(&plain.as_str())
    };
    let units = names.iter().filter(|name| senml(&heading(name)).is_some());
    (names.iter().filter(is_known).count(), units.count(), names.len())
}

fn looked_at(sheet: &Sheet<'_>) -> Vec<StringRecord> {
    let records = sheet.records().enumerate();
    let some = records.filter(|(n, _)| *n < FIRST || n.is_multiple_of(ONE_IN));
    some.filter_map(|(_, record)| record.ok().map(|(_, record)| record))
        .take(LOOKED_AT_MAX)
        .collect()
}

impl Shape {
    fn of(records: &[StringRecord], column: usize, delimiter: u8) -> Self {
        let mut shape = Self::default();
        let mut numbers = Numbers::new(delimiter);
        for text in records.iter().filter_map(|record| record.get(column)) {
            if text.is_empty() {
                continue;
            }
            let number = numbers.read(text);
            // A usual word for a value that is missing is neither.
            if matches!(number, Ok(None)) {
                continue;
            }
            shape.filled += 1;
            shape.numbers += usize::from(number.is_ok());
            shape.times += usize::from(Times::can_be(text));
            let is_moment = Times::can_be(text) || Times::can_be(&format!("2000-01-01 {text}"));
            shape.moments += usize::from(is_moment);
            shape.digits_alone += usize::from(text.parse::<f64>().is_ok());
            shape.with_digit += usize::from(text.chars().any(|c| c.is_ascii_digit()));
            shape.distinct.insert(text.to_owned());
        }
        shape
    }

    fn is_time(&self) -> bool {
        self.filled > 0 && self.times * 2 > self.filled
    }

    /// Comes again: a number of the row is no device.
    fn repeats(&self) -> bool {
        self.distinct.len() * 2 <= self.filled
    }

    fn is_identifier(&self) -> bool {
        let is_moment = self.moments * 2 > self.filled;
        self.distinct.len() > 1 && self.numbers == 0 && !is_moment && self.with_digit == self.filled && self.repeats()
    }
}

/// By name, where what stands there are times; else the first column of times, those that are digits alone last.
fn time(sheet: &Sheet<'_>, records: &[StringRecord], shapes: &[Shape]) -> Result<TimeColumns, TrialError> {
    let named = sheet.time()?;
    let is_time = |time: &TimeColumns| {
        let read = records.iter().filter(|record| Times::can_be(&time.written(record)));
        records.is_empty() || read.count() * 2 > records.len()
    };
    if let Some(time) = named.filter(is_time) {
        return Ok(time);
    }
    let columns = || (0..shapes.len()).filter(|column| shapes[*column].is_time());
    let by_name = TIMES
        .iter()
        .find_map(|known| columns().find(|column| plain(sheet.name(*column)) == *known));
    let by_shape = || columns().min_by_key(|column| shapes[*column].digits_alone * 2 > shapes[*column].filled);
    if let Some(column) = by_name.or_else(by_shape) {
        return Ok(TimeColumns::One(column));
    }
    // Nothing is a time: what stands in the column of that name says why.
    let refused = |time: TimeColumns| {
        let (line, record) = sheet.records().find_map(Result::ok)?;
        let written = time.written(&record).into_owned();
        let advice = Times::default().push(&written).err()?;
        Some(TableError::Time {
            line,
            column: shown(&sheet.time_name(time)),
            text: shown(&written),
            advice,
        })
    };
    let no_time = || TableError::NoTime { found: sheet.found() };
    Err(named.and_then(refused).unwrap_or_else(no_time).into())
}

fn device(sheet: &Sheet<'_>, time: TimeColumns, shapes: &[Shape]) -> (Option<usize>, DeviceBy) {
    let columns = || (0..shapes.len()).filter(|column| !time.holds(*column));
    let by_name = DEVICES.iter().find_map(|known| {
        columns().find(|column| {
            let may_be = *known != "id" || shapes[*column].repeats();
            may_be && shapes[*column].filled > 0 && plain(sheet.name(*column)) == *known
        })
    });
    let says_else = |column: &usize| {
        let name = plain(sheet.name(*column));
        NO_DEVICES.iter().any(|word| name.contains(word))
    };
    let by_shape = columns().find(|column| shapes[*column].is_identifier() && !says_else(column));
    match (by_name, by_shape) {
        (Some(column), _) => (Some(column), DeviceBy::Name),
        (None, Some(column)) => (Some(column), DeviceBy::Shape),
        (None, None) => (None, DeviceBy::None),
    }
}
