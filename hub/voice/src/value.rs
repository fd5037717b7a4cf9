//! What a call speaks of: values that have a name, and a kind by which a language knows how to say them.

use jiff::Zoned;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;

/// The values of one call, by the names that its flow and its texts have for them.
pub type Values = BTreeMap<String, Value>;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A name in its own writing, e.g. a brand. What a language's voice cannot read of it is left out.
    Text(String),
    /// What a thing is called, or a sentence about it, in the call's language and fit to be read aloud. Where nobody has words
    /// for it, the value `fault` is said as the text `fault-other`, which needs no values.
    Term(Option<String>),
    /// Decides what is said, and is never said itself.
    YesNo(bool),
    /// A moment, in the listener's time zone.
    DateTime(Zoned),
    /// A stretch of time, in the listener's time zone.
    TimeWindow {
        /// Its beginning.
        start: Zoned,
        /// Its end.
        end: Zoned,
    },
    /// A sum of money.
    Money {
        /// ISO 4217 code.
        currency: String,
        /// In the currency's smallest unit: 12000 is 120 yuan.
        minor_units: u64,
    },
    /// A whole number.
    Number(u64),
    /// Letters and figures that are read out one by one; others are left out.
    Digits(String),
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// [`Value::Text`].
    Text,
    /// [`Value::Term`].
    Term,
    /// [`Value::YesNo`].
    YesNo,
    /// [`Value::DateTime`].
    DateTime,
    /// [`Value::TimeWindow`].
    TimeWindow,
    /// [`Value::Money`].
    Money,
    /// [`Value::Number`].
    Number,
    /// [`Value::Digits`].
    Digits,
}

impl Value {
    /// What it is.
    pub fn kind(&self) -> Kind {
        match self {
            Value::Text(_) => Kind::Text,
            Value::Term(_) => Kind::Term,
            Value::YesNo(_) => Kind::YesNo,
            Value::DateTime(_) => Kind::DateTime,
            Value::TimeWindow { .. } => Kind::TimeWindow,
            Value::Money { .. } => Kind::Money,
            Value::Number(_) => Kind::Number,
            Value::Digits(_) => Kind::Digits,
        }
    }
}

/// The word of a flow's file.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Text => "text",
            Kind::Term => "term",
            Kind::YesNo => "yes-no",
            Kind::DateTime => "date-time",
            Kind::TimeWindow => "time-window",
            Kind::Money => "money",
            Kind::Number => "number",
            Kind::Digits => "digits",
        })
    }
}
