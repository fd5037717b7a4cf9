//! Where a file has what a profile looks for: which of its columns are read.

use super::TableError;
use super::sheet::{Sheet, TimeColumns, is_time};
use csv::StringRecord;
use hub_core::profile::ApplianceProfile;
use std::borrow::Cow;

/// The layout of a file.
pub(super) struct Layout<'t> {
    sheet: Sheet<'t>,
    time: TimeColumns,
    /// By the profile's channels.
    channels: Vec<usize>,
}

impl<'t> Layout<'t> {
    /// By the text and the delimiter that give the most of what is looked for, and the most columns in all.
    pub(super) fn of(texts: &'t [Cow<'t, str>], profile: &ApplianceProfile) -> Result<Self, TableError> {
        let is_known = |name: &&str| is_time(name) || profile.position(name).is_some();
        let sheet = Sheet::best(texts, |names| (names.iter().filter(is_known).count(), names.len()))?;
        let time = sheet
            .time()?
            .ok_or_else(|| TableError::NoTime { found: sheet.found() })?;
        let mut channels = Vec::with_capacity(profile.channels.len());
        for channel in &profile.channels {
            let column = sheet.only(|name| name == channel.name)?;
            channels.push(column.ok_or_else(|| TableError::MissingColumn {
                column: channel.name.clone(),
                found: sheet.found(),
            })?);
        }
        Ok(Layout { sheet, time, channels })
    }

    pub(super) fn delimiter(&self) -> u8 {
        self.sheet.delimiter()
    }

    /// Records behind the heading with their lines, the file's first being 1; without those that hold nothing.
    pub(super) fn records(&self) -> impl Iterator<Item = Result<(usize, StringRecord), TableError>> + '_ {
        self.sheet.records()
    }

    /// The time as it is written.
    pub(super) fn time_of<'r>(&self, record: &'r StringRecord) -> Cow<'r, str> {
        self.time.written(record)
    }

    /// The name of the time's column, or both.
    pub(super) fn time_name(&self) -> String {
        self.sheet.time_name(self.time)
    }

    /// Fields of the profile's channels.
    pub(super) fn values_of<'r>(&'r self, record: &'r StringRecord) -> impl Iterator<Item = &'r str> {
        self.channels
            .iter()
            .map(|column| record.get(*column).unwrap_or_default())
    }
}
