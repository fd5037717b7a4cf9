//! Where a file has what: what parts its columns, which of them are read, and its lines as fields.

use super::TableError;
use csv::{Reader, ReaderBuilder, StringRecord, Trim};
use hub_core::profile::ApplianceProfile;
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
enum TimeColumns {
    One(usize),
    /// The date and the time of day.
    Two(usize, usize),
}

/// The layout of a file.
pub(super) struct Layout<'t> {
    /// From the heading on.
    text: &'t str,
    /// Lines before the heading.
    lines_before: usize,
    delimiter: u8,
    headings: StringRecord,
    time: TimeColumns,
    /// By the profile's channels.
    channels: Vec<usize>,
}

/// A heading as one delimiter and one encoding give it.
struct Heading<'t> {
    text: &'t str,
    lines_before: usize,
    delimiter: u8,
    names: StringRecord,
}

impl<'t> Layout<'t> {
    /// By the text and the delimiter that give the most of what is looked for.
    pub(super) fn of(texts: &'t [Cow<'t, str>], profile: &ApplianceProfile) -> Result<Self, TableError> {
        let mut best: Option<((usize, usize), Heading<'t>)> = None;
        for text in texts {
            for heading in headings(text)? {
                let rank = heading.rank(profile);
                if best.as_ref().is_none_or(|(known, _)| rank > *known) {
                    best = Some((rank, heading));
                }
            }
        }
        let Some((_, heading)) = best else {
            return Err(TableError::NoTime { found: String::new() });
        };
        heading.laid_out(profile)
    }

    pub(super) fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// Records behind the heading with their lines, the file's first being 1; without those that hold nothing.
    pub(super) fn records(&self) -> impl Iterator<Item = Result<(usize, StringRecord), TableError>> + '_ {
        let records = reader(self.text, self.delimiter).into_records();
        records
            .map(|record| self.checked(record?))
            .filter(|checked| !matches!(checked, Ok((_, record)) if record.iter().all(str::is_empty)))
    }

    fn checked(&self, record: StringRecord) -> Result<(usize, StringRecord), TableError> {
        let line = self.line_of(&record);
        let (found, expected) = (record.len(), self.headings.len());
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
        let is_line = |text: &str| text.matches(char::from(self.delimiter)).count() + 1 >= self.headings.len();
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

    /// The time as it is written.
    pub(super) fn time_of<'r>(&self, record: &'r StringRecord) -> Cow<'r, str> {
        let field = |column: usize| record.get(column).unwrap_or_default();
        match self.time {
            TimeColumns::One(column) => Cow::Borrowed(field(column)),
            TimeColumns::Two(date, time) => Cow::Owned(format!("{} {}", field(date), field(time)).trim().to_owned()),
        }
    }

    /// The name of the time's column, or both.
    pub(super) fn time_name(&self) -> String {
        let name = |column: usize| self.headings.get(column).unwrap_or_default();
        match self.time {
            TimeColumns::One(column) => name(column).to_owned(),
            TimeColumns::Two(date, time) => format!("{}` and `{}", name(date), name(time)),
        }
    }

    /// Fields of the profile's channels.
    pub(super) fn values_of<'r>(&'r self, record: &'r StringRecord) -> impl Iterator<Item = &'r str> {
        self.channels
            .iter()
            .map(|column| record.get(*column).unwrap_or_default())
    }
}

impl<'t> Heading<'t> {
    /// How many of the columns that are looked for it has, and how many in all.
    fn rank(&self, profile: &ApplianceProfile) -> (usize, usize) {
        let is_known = |name: &&str| is_time(name) || profile.position(name).is_some();
        (self.names.iter().filter(is_known).count(), self.names.len())
    }

    fn laid_out(self, profile: &ApplianceProfile) -> Result<Layout<'t>, TableError> {
        let found = || self.names.iter().collect::<Vec<_>>().join(", ");
        let time = self.time()?.ok_or_else(|| TableError::NoTime { found: found() })?;
        let mut channels = Vec::with_capacity(profile.channels.len());
        for channel in &profile.channels {
            let column = self.only(|name| name == channel.name)?;
            channels.push(column.ok_or_else(|| TableError::MissingColumn {
                column: channel.name.clone(),
                found: found(),
            })?);
        }
        Ok(Layout {
            text: self.text,
            lines_before: self.lines_before,
            delimiter: self.delimiter,
            time,
            channels,
            headings: self.names,
        })
    }

    fn time(&self) -> Result<Option<TimeColumns>, TableError> {
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
    fn only(&self, is_it: impl Fn(&str) -> bool) -> Result<Option<usize>, TableError> {
        let mut columns = self.names.iter().enumerate().filter(|(_, name)| is_it(name));
        let first = columns.next();
        if let Some((_, name)) = columns.next() {
            let column = name.to_owned();
            return Err(TableError::Twice { column });
        }
        Ok(first.map(|(column, _)| column))
    }
}

/// The heading by each delimiter that it may have: one only, where the line before it says so as spreadsheets do.
fn headings(text: &str) -> Result<Vec<Heading<'_>>, TableError> {
    let said = text
        .split_once('\n')
        .and_then(|(line, rest)| Some((said_delimiter(line)?, rest)));
    let (delimiters, text, lines_before) = match said {
        Some((delimiter, rest)) => (vec![delimiter], rest, 1),
        None => (DELIMITERS.to_vec(), text, 0),
    };
    let heading = |delimiter: u8| -> Result<Heading<'_>, TableError> {
        Ok(Heading {
            text,
            lines_before,
            delimiter,
            names: reader(text, delimiter).headers()?.clone(),
        })
    };
    delimiters.into_iter().map(heading).collect()
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

fn is_time(name: &str) -> bool {
    let mut known = WHOLE_TIMES.iter().chain([&DATE, &TIME_OF_DAY]);
    known.any(|known| known.eq_ignore_ascii_case(name))
}
