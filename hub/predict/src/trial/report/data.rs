//! The part of the report that says what the export is like.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::trial::columns::DeviceBy;
use crate::trial::fleet::Refused;
use crate::trial::kind::Kind;

/// What the export is like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Rows that were read.
    pub rows_read: usize,
    /// Rows that were left out.
    pub refused: Vec<Refusal>,
    /// Time of the earliest row.
    pub from: Option<Timestamp>,
    /// Time of the latest row.
    pub to: Option<Timestamp>,
    /// Name of the column of the time, or both names.
    pub time_column: String,
    /// Name of the column of the device; none where the file is of one device.
    pub device_column: Option<String>,
    /// How that column was found.
    pub device_found_by: DeviceBy,
    /// Columns of text, which are not read.
    pub text_columns: Vec<String>,
    /// The channels, in the order of the file.
    pub channels: Vec<ChannelQuality>,
    /// The devices, by name.
    pub devices: Vec<DeviceQuality>,
}

/// Rows that were left out for one reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// The reason.
    pub reason: Refused,
    /// How many.
    pub count: usize,
    /// Line of the first, the file's first being 1.
    pub first_line: usize,
}

/// A channel over all devices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChannelQuality {
    /// Its name, without the unit.
    pub name: String,
    /// Unit as the heading gives it; empty without one.
    pub unit: String,
    /// SenML unit whose floor holds; none where the general one does.
    pub floor_unit: Option<String>,
    /// Digits behind the point.
    pub decimals: u8,
    /// Values that it has.
    pub values: usize,
    /// Rows without a value of it, unreadable ones included.
    pub missing: usize,
    /// Fields that are neither empty nor a number.
    pub unreadable: usize,
    /// Line of the first of those.
    pub first_unreadable_line: Option<usize>,
    /// Lowest value.
    pub lowest: Option<f64>,
    /// Highest value.
    pub highest: Option<f64>,
    /// Devices in which it has one and the same value all along.
    pub stuck_devices: usize,
    /// What it seems to be.
    pub kind: Kind,
}

/// How the rows of a device follow each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeviceQuality {
    /// The device.
    pub name: String,
    /// Its rows, without those that came twice.
    pub rows: usize,
    /// Time of its earliest row.
    pub from: Option<Timestamp>,
    /// Time of its latest row.
    pub to: Option<Timestamp>,
    /// Usual seconds from a row to the next (median).
    pub interval_s: Option<f64>,
    /// Rows that are the same as another, value by value.
    pub duplicates: usize,
    /// Rows of a time that another row has, with other values.
    pub same_time: usize,
    /// Rows whose time is before that of the row above.
    pub back: usize,
    /// Line of the first of those.
    pub first_back_line: Option<usize>,
    /// Rows more than 300 days away from the row above.
    pub leaps: usize,
    /// Line of the first of those.
    pub first_leap_line: Option<usize>,
    /// Gaps of more than ten usual intervals.
    pub gaps: usize,
    /// The longest of them.
    pub longest_gap_s: Option<f64>,
}

impl DeviceQuality {
    pub(crate) fn of(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            rows: 0,
            from: None,
            to: None,
            interval_s: None,
            duplicates: 0,
            same_time: 0,
            back: 0,
            first_back_line: None,
            leaps: 0,
            first_leap_line: None,
            gaps: 0,
            longest_gap_s: None,
        }
    }
}
