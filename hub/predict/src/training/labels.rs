//! Faults that a maker knows of: which device, since when, until when, and what it was.

use std::collections::BTreeMap;
use std::io::Read;

use jiff::Timestamp;

use super::TrainingError;
use crate::table::{Sheet, TableError, Times, decoded, shown};
use crate::trial::{plain, rank, read_bytes};

/// Rows of the file.
pub const FAULTS_MAX: usize = 200_000;

/// A fault of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Name of the device.
    pub device: String,
    /// First time at which it was there.
    pub since: Timestamp,
    /// When it was repaired, or the device failed; none where it lasted to the end of the recording.
    pub until: Option<Timestamp>,
    /// What it was, in the maker's words; empty where nobody says.
    pub class: String,
}

impl Fault {
    /// Whether it was there at this time.
    pub(super) fn covers(&self, at: Timestamp) -> bool {
        at >= self.since && self.until.is_none_or(|until| at <= until)
    }
}

/// Times of one column, read once all of them are known: only then can day and month be told apart.
#[derive(Default)]
struct Column {
    times: Times,
    /// Line and text of each.
    written: Vec<(usize, String)>,
}

impl Column {
    fn push(&mut self, line: usize, text: &str, name: &str) -> Result<(), TrainingError> {
        self.times
            .push(text)
            .map_err(|advice| TrainingError::Labels(wrong(line, name, text, advice)))?;
        self.written.push((line, text.to_owned()));
        Ok(())
    }

    fn settled(self, name: &str) -> Result<Vec<Timestamp>, TrainingError> {
        let written = self.written;
        self.times.settled().map_err(|(row, advice)| {
            let (line, text) = written.get(row).map_or((0, ""), |(line, text)| (*line, text.as_str()));
            TrainingError::Labels(wrong(line, name, text, advice))
        })
    }
}

fn wrong(line: usize, column: &str, text: &str, advice: &'static str) -> TableError {
    TableError::Time {
        line,
        column: column.to_owned(),
        text: shown(text),
        advice,
    }
}

/// Reads a file with the columns `device`, `since`, and, where they are known, `until` and `class`; by device, the oldest first.
///
/// # Errors
/// It is no CSV, lacks one of the first two columns, has too many rows, or a row that cannot be read or ends before it begins.
pub(super) fn read(mut reader: impl Read) -> Result<BTreeMap<String, Vec<Fault>>, TrainingError> {
    let bytes = read_bytes(&mut reader).map_err(TrainingError::LabelFile)?;
    let texts = decoded(&bytes).map_err(TrainingError::Labels)?;
    let sheet = Sheet::best(&texts, rank).map_err(TrainingError::Labels)?;
    let column = |name: &str| {
        sheet
            .only(|heading| plain(heading) == name)
            .map_err(TrainingError::Labels)
    };
    let needed = |name: &'static str| {
        column(name)?.ok_or_else(|| TrainingError::NoLabelColumn {
            name,
            found: sheet.found(),
        })
    };
    let (device, since) = (needed("device")?, needed("since")?);
    let (until, class) = (column("until")?, column("class")?);
    let (mut rows, mut begins, mut ends) = (Vec::new(), Column::default(), Column::default());
    for record in sheet.records() {
        let (line, record) = record.map_err(TrainingError::Labels)?;
        if rows.len() == FAULTS_MAX {
            return Err(TrainingError::TooManyFaults);
        }
        let field = |column: Option<usize>| column.and_then(|column| record.get(column)).unwrap_or_default();
        begins.push(line, field(Some(since)), "since")?;
        let ends_at = field(until);
        if !ends_at.is_empty() {
            ends.push(line, ends_at, "until")?;
        }
        rows.push((
            line,
            field(Some(device)).to_owned(),
            field(class).to_owned(),
            !ends_at.is_empty(),
        ));
    }
    let (begins, mut ends) = (begins.settled("since")?, ends.settled("until")?.into_iter());
    let mut faults: BTreeMap<String, Vec<Fault>> = BTreeMap::new();
    for ((line, device, class, has_end), since) in rows.into_iter().zip(begins) {
        let until = if has_end { ends.next() } else { None };
        if until.is_some_and(|until| until < since) {
            return Err(TrainingError::EndsBefore { line });
        }
        faults.entry(device.clone()).or_default().push(Fault {
            device,
            since,
            until,
            class,
        });
    }
    faults
        .values_mut()
        .for_each(|of_device| of_device.sort_by_key(|fault| fault.since));
    Ok(faults)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_by_device_and_what_is_wrong_is_named() {
        let read = |text: &str| read(text.as_bytes());
        let faults = read("Device;Since;Until;Class\nf-1;2026-03-01;2026-05-01;gas\nf-1;2026-01-01;;\n").unwrap();
        let of: Vec<(&str, bool)> = faults["f-1"]
            .iter()
            .map(|f| (f.class.as_str(), f.until.is_some()))
            .collect();
        assert_eq!(of, [("", false), ("gas", true)]);
        for (text, why) in [
            ("device,until\nf-1,2026-01-01\n", "column `since`"),
            (
                "device,since\nf-1,soon\n",
                "line 2, column `since`: `soon` is not a time",
            ),
            ("device,since,until\nf-1,2026-02-01,2026-01-01\n", "line 2"),
        ] {
            let refused = read(text).unwrap_err();
            let said = hub_core::error_chain::in_full(&refused);
            assert!(said.contains(why), "{said}");
        }
    }
}
