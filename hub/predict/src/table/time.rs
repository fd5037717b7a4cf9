//! Times as devices, databases and spreadsheets write them. A time without a zone is UTC.

use jiff::civil::{Date, DateTime, Time};
use jiff::{Timestamp, tz::TimeZone};

const USUAL: &str =
    "write 2024-05-01 12:00:00 (taken as UTC), 2024-05-01T12:00:00+02:00, or Unix time in seconds or milliseconds";
const NO_DATE: &str = "it has no date: put it before the time, or into a column `date`";
const SHORT_YEAR: &str = "write the year with four digits, and first, as in 2024-05-01 12:00:00";
const DAY_NUMBER: &str =
    "it seems to be a spreadsheet's day number: give the column the format yyyy-mm-dd hh:mm:ss and save it again";
const SHORTENED: &str =
    "a spreadsheet has shortened it and its last digits are lost: give the column the format 0 and save it again";
const WHICH_UNIT: &str = "Unix time is read in seconds (10 digits) or milliseconds (13 digits)";
const DAY_OR_MONTH: &str = "it may be day/month or month/day, and no line of the file tells which: write the year first, as in \
                            2024-05-01 12:00:00";
const DAY_AND_MONTH: &str =
    "other lines have day and month in the other order: write the year first in all of them, as in 2024-05-01 12:00:00";

/// Times of a file, in the order of its rows.
#[derive(Default)]
pub(crate) struct Times(Vec<Written>);

/// A time as it is written.
enum Written {
    At(Timestamp),
    /// A day and a month of which nobody knows yet which is which.
    Either {
        first: i8,
        second: i8,
        year: i16,
        time: Time,
    },
}

impl Times {
    /// Takes in one more.
    ///
    /// # Errors
    ///
    /// It is no time: what to do.
    pub(crate) fn push(&mut self, text: &str) -> Result<(), &'static str> {
        self.0.push(read(text)?);
        Ok(())
    }

    /// Whether this can be read as a time, by itself.
    pub(crate) fn can_be(text: &str) -> bool {
        read(text).is_ok()
    }

    /// All of them, now that all have been read.
    ///
    /// # Errors
    ///
    /// Which one cannot be told, counted from 0, and what to do.
    pub(crate) fn settled(self) -> Result<Vec<Timestamp>, (usize, &'static str)> {
        let day_first = self.place(|first, _| first > 12);
        let month_first = self.place(|_, second| second > 12);
        let is_day_first = match (day_first, month_first) {
            (Some(day), Some(month)) => return Err((day.max(month), DAY_AND_MONTH)),
            // Where both are the same number, either order gives the same day.
            (None, None) => match self.place(|first, second| first != second) {
                Some(row) => return Err((row, DAY_OR_MONTH)),
                None => true,
            },
            (day, _) => day.is_some(),
        };
        let at = |(row, written): (usize, Written)| match written {
            Written::At(at) => Ok(at),
            Written::Either {
                first,
                second,
                year,
                time,
            } => {
                let (day, month) = if is_day_first { (first, second) } else { (second, first) };
                utc(year, month, day, time).ok_or((row, USUAL))
            }
        };
        self.0.into_iter().enumerate().map(at).collect()
    }

    /// The first row whose day and month, in the order of writing, are like this.
    fn place(&self, is_it: impl Fn(i8, i8) -> bool) -> Option<usize> {
        self.0.iter().position(|written| match written {
            Written::At(_) => false,
            Written::Either { first, second, .. } => is_it(*first, *second),
        })
    }
}

fn read(text: &str) -> Result<Written, &'static str> {
    let text = text.trim();
    if text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b','))
    {
        return digits(text).map(Written::At);
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(Written::At(at));
    }
    if let Some(at) = text.parse::<DateTime>().ok().and_then(as_utc) {
        return Ok(Written::At(at));
    }
    if text.parse::<f64>().is_ok() {
        return Err(if text.contains(['e', 'E']) { SHORTENED } else { USUAL });
    }
    parted(text)
}

/// Unix time, or a date and a time of day without anything between the digits.
fn digits(text: &str) -> Result<Timestamp, &'static str> {
    let (whole, fraction) = text.split_once(['.', ',']).unwrap_or((text, ""));
    let compact = |text: String| text.parse::<DateTime>().ok().and_then(as_utc).ok_or(USUAL);
    match whole.len() {
        9 | 10 => unix(whole, fraction, 1_000_000_000).ok_or(USUAL),
        13 => unix(whole, fraction, 1_000_000).ok_or(USUAL),
        8 if fraction.is_empty() => compact(format!("{whole}T000000")),
        12 if fraction.is_empty() => compact(format!("{}T{}00", &whole[..8], &whole[8..])),
        14 if fraction.is_empty() => compact(format!("{}T{}", &whole[..8], &whole[8..])),
        // Days of 2000 to 2100, counted from 1900.
        5 if ("36526".."73051").contains(&whole) => Err(DAY_NUMBER),
        16 | 19 => Err(WHICH_UNIT),
        _ if fraction.matches(['.', ',']).count() == 1 => dotted(text),
        _ => Err(USUAL),
    }
}

/// `01.05.2024` without a time of day.
fn dotted(text: &str) -> Result<Timestamp, &'static str> {
    match parted(text)? {
        Written::At(at) => Ok(at),
        Written::Either { .. } => Err(USUAL),
    }
}

fn unix(whole: &str, fraction: &str, unit_ns: i128) -> Option<Timestamp> {
    let part = if fraction.is_empty() {
        0.0
    } else {
        format!("0.{fraction}").parse::<f64>().ok()? * unit_ns as f64
    };
    Timestamp::from_nanosecond(whole.parse::<i128>().ok()? * unit_ns + part.round() as i128).ok()
}

/// A date, a time of day, and what stands behind it, with spaces between them.
fn parted(text: &str) -> Result<Written, &'static str> {
    let (date, rest) = text.split_once([' ', 'T']).unwrap_or((text, ""));
    if date.contains(':') {
        return Err(NO_DATE);
    }
    let time = if rest.is_empty() {
        Some(Time::midnight())
    } else {
        time_of_day(rest.trim())
    };
    let time = time.ok_or(USUAL)?;
    let mark = date.chars().find(|c| !c.is_ascii_digit()).ok_or(USUAL)?;
    if !matches!(mark, '-' | '/' | '.') {
        return Err(USUAL);
    }
    let parts: Vec<&str> = date.split(mark).collect();
    let [first, second, third] = parts[..] else {
        return Err(USUAL);
    };
    if !parts.iter().all(|part| is_number(part, 4)) {
        return Err(USUAL);
    }
    let small = |part: &str| part.parse::<i8>().ok().ok_or(USUAL);
    let year = |part: &str| part.parse::<i16>().ok().ok_or(USUAL);
    let at = |year, month, day| utc(year, month, day, time).map(Written::At).ok_or(USUAL);
    match (first.len(), third.len(), mark) {
        (4, 1 | 2, _) => at(year(first)?, small(second)?, small(third)?),
        // Who writes points writes the day first.
        (1 | 2, 4, '.') => at(year(third)?, small(second)?, small(first)?),
        (1 | 2, 4, _) => {
            let (first, second, year) = (small(first)?, small(second)?, year(third)?);
            let is_day = utc(year, second, first, time).or_else(|| utc(year, first, second, time));
            is_day
                .map(|_| Written::Either {
                    first,
                    second,
                    year,
                    time,
                })
                .ok_or(USUAL)
        }
        (1 | 2, 1 | 2, _) => Err(SHORT_YEAR),
        _ => Err(USUAL),
    }
}

/// `9:05`, `09:05:07.25`, `9:05:07 PM`, `09:05:07 UTC`.
fn time_of_day(text: &str) -> Option<Time> {
    let end = text
        .find(|c: char| c.is_whitespace() || c.is_alphabetic())
        .unwrap_or(text.len());
    let (clock, zone) = text.split_at(end);
    let half = match zone.trim().replace('.', "").to_ascii_lowercase().as_str() {
        "" | "utc" | "z" | "gmt" => None,
        "am" => Some(0),
        "pm" => Some(12),
        _ => return None,
    };
    let mut parts = clock.split(':');
    let (hour, minute) = (small_number(parts.next()?)?, small_number(parts.next()?)?);
    let (second, fraction) = match parts.next() {
        Some(second) => second.split_once(['.', ',']).unwrap_or((second, "")),
        None => ("0", ""),
    };
    if parts.next().is_some() || fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let hour = match half {
        Some(half) if (1..=12).contains(&hour) => hour % 12 + half,
        Some(_) => return None,
        None => hour,
    };
    let nanoseconds = format!("{fraction:0<9}").parse().ok()?;
    Time::new(hour, minute, small_number(second)?, nanoseconds).ok()
}

fn small_number(text: &str) -> Option<i8> {
    is_number(text, 2).then(|| text.parse().ok()).flatten()
}

fn is_number(text: &str, digits_max: usize) -> bool {
    (1..=digits_max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn utc(year: i16, month: i8, day: i8, time: Time) -> Option<Timestamp> {
    as_utc(Date::new(year, month, day).ok()?.to_datetime(time))
}

fn as_utc(at: DateTime) -> Option<Timestamp> {
    at.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}
