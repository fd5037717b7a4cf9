//! Words of the report: texts in both languages, numbers, times, and names that come from a stranger's file.

use hub_core::language::Language;
use hub_words::{TextError, Texts, written};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use std::sync::LazyLock;

const ZH_CN: &str = include_str!("../../../i18n/zh-CN/try.ftl");
const EN: &str = include_str!("../../../i18n/en/try.ftl");

pub(super) static TEXTS: LazyLock<Texts> =
    LazyLock::new(|| Texts::load(&[ZH_CN], &[EN]).expect("the tests read both files, which are compiled in"));

/// Units of time, the largest first.
const SPANS: [(&str, f64); 3] = [("span-d", 86_400.0), ("span-h", 3_600.0), ("span-min", 60.0)];
/// Numbers nearer to zero lose all their digits in the usual form.
const SMALL: f64 = 0.01;

/// The words of one language.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words {
    pub(super) language: Language,
}

impl Words {
    /// The text of a key.
    pub(super) fn t(&self, key: &str) -> String {
        self.with(key, &[])
    }

    /// The text of a key with its values.
    pub(super) fn with(&self, key: &str, values: &[(&str, &str)]) -> String {
        match TEXTS.fill(self.language, key, values.iter().copied()) {
            Ok(text) => text,
            Err(TextError::Incomplete { said, .. }) => said,
            // The tests find each of these.
            Err(
                TextError::Missing { .. }
                | TextError::Broken { .. }
                | TextError::Twice { .. }
                | TextError::NotAValue { .. },
            ) => format!("\u{27e6}{key}\u{27e7}"),
        }
    }

    /// The text of a key with values that were made for it.
    pub(super) fn filled(&self, key: &str, values: &[(&str, String)]) -> String {
        let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.with(key, &values)
    }

    /// A variant of a closed list: the key is the list's name and the variant's word.
    pub(super) fn of<T: Serialize>(&self, list: &str, variant: &T) -> String {
        let word = match serde_json::to_value(variant) {
            Ok(serde_json::Value::String(word)) => word,
            _ => String::new(),
        };
        self.t(&format!("{list}-{}", word.replace('_', "-")))
    }

    /// A value with the unit of its heading.
    pub(super) fn value(&self, value: f64, unit: &str) -> String {
        match unit {
            "" => number(value),
            unit => self.with(
                "value-unit",
                &[("value", &number(value)), ("unit", written::unit_sign(&shown(unit)))],
            ),
        }
    }

    /// A span of seconds, in the largest unit that fits.
    pub(super) fn span(&self, seconds: f64) -> String {
        let fits = SPANS.iter().find(|(_, unit)| seconds >= *unit);
        let (key, unit) = fits.copied().unwrap_or(("span-s", 1.0));
        let n = format!("{:.1}", seconds / unit);
        self.with(key, &[("n", n.strip_suffix(".0").unwrap_or(&n))])
    }
}

/// A number with about three significant figures, near zero too.
pub(super) fn number(value: f64) -> String {
    match value != 0.0 && value.abs() < SMALL {
        true => format!("{value:.1e}").replace('-', "\u{2212}"),
        false => written::number(value),
    }
}

/// A number with its sign and so many digits behind the point.
pub(super) fn signed(value: f64, digits: usize) -> String {
    format!("{value:+.digits$}").replace('-', "\u{2212}")
}

/// A time, to the minute, in UTC.
pub(super) fn time(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M").to_string()
}

/// A day, in UTC.
pub(super) fn day(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d").to_string()
}

/// A name from the file, without characters that would turn or hide what stands beside them.
pub(super) fn shown(name: &str) -> String {
    let turns =
        |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    let plain = |c: char| if c.is_control() || turns(c) { '\u{fffd}' } else { c };
    name.chars().map(plain).collect()
}
