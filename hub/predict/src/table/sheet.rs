//! A file as lines of fields: what parts its columns, its heading, and its records with their lines.

use super::{TableError, listed, shown};
use csv::{Reader, ReaderBuilder, StringRecord, Trim};
use std::borrow::Cow;

/// What may part columns; where two give as much, the one before.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];
/// Names of a column with date and time of day, the best first.
const WHOLE_TIMES: [&str; 5] = ["datetime", "timestamp", "date_time", "date time", "ts"];
const DATE: &str = "date";
const TIME_OF_DAY: &str = "time";

const TOO_MANY: &str =
    "a comma in a number or a text needs quotation marks around it, or semicolons between the columns";
const TOO_FEW: &str = "the line is cut off, or a quotation mark (\") in it is not closed: mend it or delete it";

/// Which column says when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeColumns {
    One(usize),
    /// The date and the time of day.
    Two(usize, usize),
}

impl TimeColumns {
    /// The time of a record as it is written.
    pub(crate) fn written(self, record: &StringRecord) -> Cow<'_, str> {
        let field = |column: usize| record.get(column).unwrap_or_default();
        match self {
            TimeColumns::One(column) => Cow::Borrowed(field(column)),
            TimeColumns::Two(date, time) => Cow::Owned(format!("{} {}", field(date), field(time)).trim().to_owned()),
        }
    }

    /// Whether this column is one of them.
    pub(crate) fn holds(self, column: usize) -> bool {
        match self {
            TimeColumns::One(time) => time == column,
            TimeColumns::Two(date, time) => date == column || time == column,
        }
    }
}

/// A file as one delimiter and one encoding give it.
pub(crate) struct Sheet<'t> {
    /// From the heading on.
    text: &'t str,
    /// Lines before the heading.
    lines_before: usize,
    delimiter: u8,
    names: StringRecord,
}

impl<'t> Sheet<'t> {
    /// By the text and the delimiter whose heading ranks highest.
    pub(crate) fn best<R: Ord>(
        texts: &'t [Cow<'t, str>],
        rank: impl Fn(&StringRecord) -> R,
    ) -> Result<Self, TableError> {
        let mut best: Option<(R, Self)> = None;
        for text in texts {
            for sheet in sheets(text)? {
                let rank = rank(&sheet.names);
                if best.as_ref().is_none_or(|(known, _)| rank > *known) {
                    best = Some((rank, sheet));
                }
            }
        }
        best.map(|(_, sheet)| sheet)
            .ok_or(TableError::NoTime { found: String::new() })
    }

    pub(crate) fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// Names of the columns.
    pub(crate) fn names(&self) -> &StringRecord {
        &self.names
    }

    /// Name of a column; empty where the heading has none.
    pub(crate) fn name(&self, column: usize) -> &str {
        self.names.get(column).unwrap_or_default()
    }

    /// Names of the columns, for a message.
    pub(crate) fn found(&self) -> String {
        listed(self.names.iter())
    }

    /// The name of the time's column, or both.
    pub(crate) fn time_name(&self, time: TimeColumns) -> String {
        match time {
            TimeColumns::One(column) => self.name(column).to_owned(),
            TimeColumns::Two(date, time) => format!("{}` and `{}", self.name(date), self.name(time)),
        }
    }

    /// The columns of the time by their names.
    pub(crate) fn time(&self) -> Result<Option<TimeColumns>, TableError> {
        let named = |known: &str| self.only(|name| name.eq_ignore_ascii_case(known));
        for known in WHOLE_TIMES {
            if let Some(column) = named(known)? {
                return Ok(Some(TimeColumns::One(column)));
            }
        }
        Ok(match (named(DATE)?, named(TIME_OF_DAY)?) {
            (Some(date), Some(time)) => Some(TimeColumns::Two(date, time)),
            (date, time) => date.or(time).map(TimeColumns::One),
        })
    }

    /// The one column whose name is like this.
    pub(crate) fn only(&self, is_it: impl Fn(&str) -> bool) -> Result<Option<usize>, TableError> {
        let mut columns = self.names.iter().enumerate().filter(|(_, name)| is_it(name));
        let first = columns.next();
        if let Some((_, name)) = columns.next() {
            let column = shown(name);
            return Err(TableError::Twice { column });
        }
        Ok(first.map(|(column, _)| column))
    }

    /// Records behind the heading with their lines, the file's first being 1; without those that hold nothing.
    pub(crate) fn records(&self) -> impl Iterator<Item = Result<(usize, StringRecord), TableError>> + '_ {
        let records = reader(self.text, self.delimiter).into_records();
        records
            .map(|record| self.checked(record?))
            .filter(|checked| !matches!(checked, Ok((_, record)) if record.iter().all(str::is_empty)))
    }

    fn checked(&self, record: StringRecord) -> Result<(usize, StringRecord), TableError> {
        let line = self.line_of(&record);
        let (found, expected) = (record.len(), self.names.len());
        let wrong = |advice| TableError::Fields {
            line,
            found,
            expected,
            advice,
        };
        if record.iter().all(str::is_empty) {
            return Ok((line, record));
        }
        if self.is_open(&record) {
            return Err(TableError::Quote { line });
        }
        if found < expected {
            return Err(wrong(TOO_FEW));
        }
        if record.iter().skip(expected).any(|field| !field.is_empty()) {
            return Err(wrong(TOO_MANY));
        }
        Ok((line, record))
    }

    /// A field has taken in whole lines of the file, by a quotation mark that does not end where it should.
    fn is_open(&self, record: &StringRecord) -> bool {
        let is_line = |text: &str| text.matches(char::from(self.delimiter)).count() + 1 >= self.names.len();
        record.iter().any(|field| field.split('\n').skip(1).any(is_line))
    }

    /// Blank lines before a record are read as a part of it.
    fn line_of(&self, record: &StringRecord) -> usize {
        let Some(position) = record.position() else { return 0 };
        let (line, byte) = (position.line(), position.byte());
        let from = usize::try_from(byte).unwrap_or(usize::MAX);
        let rest = self.text.as_bytes().get(from..).unwrap_or_default();
        let blank = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
        let blank_lines = blank.filter(|byte| **byte == b'\n').count();
        usize::try_from(line).unwrap_or(usize::MAX) + blank_lines + self.lines_before
    }
}

/// The file by each delimiter that it may have: one only, where the line before the heading says so as spreadsheets do.
fn sheets(text: &str) -> Result<Vec<Sheet<'_>>, TableError> {
    let said = text
        .split_once('\n')
        .and_then(|(line, rest)| Some((said_delimiter(line)?, rest)));
    let (delimiters, text, lines_before) = match said {
        Some((delimiter, rest)) => (vec![delimiter], rest, 1),
        None => (DELIMITERS.to_vec(), text, 0),
    };
    let sheet = |delimiter: u8| -> Result<Sheet<'_>, TableError> {
        Ok(Sheet {
            text,
            lines_before,
            delimiter,
            names: reader(text, delimiter).headers()?.clone(),
        })
    };
    delimiters.into_iter().map(sheet).collect()
}

/// Of a line such as `sep=;`.
fn said_delimiter(line: &str) -> Option<u8> {
    let line = line.trim_end_matches(['\r', '\n']).trim_matches('"');
    let said = line.strip_prefix("sep=").or_else(|| line.strip_prefix("SEP="))?;
    match said.as_bytes() {
        [delimiter] => Some(*delimiter),
        _ => None,
    }
}

fn reader(text: &str, delimiter: u8) -> Reader<&[u8]> {
    ReaderBuilder::new()
        .delimiter(delimiter)
        .trim(Trim::All)
        .flexible(true)
        .from_reader(text.as_bytes())
}

/// Whether a column of this name says when.
pub(crate) fn is_time(name: &str) -> bool {
    let mut known = WHOLE_TIMES.iter().chain([&DATE, &TIME_OF_DAY]);
    known.any(|known| known.eq_ignore_ascii_case(name))
}
