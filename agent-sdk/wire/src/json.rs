//! Telemetry as JSON, for makers who start with `mosquitto_pub`: `{"ts": ms, "values": {name: value}}`, a bare
//! `{name: value}`, or an array of these. Names the profile does not know are kept; the hub flags them, and with them
//! what is no number: text, null, objects and arrays.
//!
//! [`decode`] takes a message whole or not at all. Of one that it refuses, [`split`] gives the samples, which
//! [`sample`] reads one by one.

mod cbor;
mod error;
mod lenient;

pub use cbor::{from_cbor, to_cbor};
pub use error::JsonError;
pub use lenient::{number, split};

use crate::{MAX_CHANNELS, MAX_NUMBER, MAX_SAMPLES};
use serde_json::{Map, Value};

/// The longest JSON message in bytes.
pub const MAX_JSON_BYTES: usize = 32 * 1024;
/// The longest channel name in bytes.
pub const MAX_NAME_BYTES: usize = 64;

/// One sample as JSON gave it.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonSample {
    /// Milliseconds since 1970-01-01T00:00:00Z by the device's clock; `None` means the time of arrival.
    pub ts_ms: Option<i64>,
    /// Values by name, in order of name; true is 1 and false 0.
    pub values: Vec<(String, f64)>,
    /// What is neither a number nor true or false, in order of name. Bounded by the message.
    pub others: Vec<(String, Value)>,
}

/// Reads telemetry JSON in any of its three forms.
pub fn decode(bytes: &[u8]) -> Result<Vec<JsonSample>, JsonError> {
    if bytes.len() > MAX_JSON_BYTES {
        return Err(JsonError::TooLong);
    }
    let parsed = serde_json::from_slice(bytes).map_err(|source| JsonError::syntax(bytes, source))?;
    let samples = objects(parsed)?
        .into_iter()
        .enumerate()
        .map(|(index, object)| sample(index, object))
        .collect::<Result<Vec<_>, _>>()?;
    check_numbers(&samples)?;
    match samples.iter().position(JsonSample::is_empty) {
        Some(index) => Err(JsonError::Empty(index)),
        None => Ok(samples),
    }
}

/// What a message holds, one by one: 1 to [`MAX_SAMPLES`].
fn objects(parsed: Value) -> Result<Vec<Value>, JsonError> {
    let objects = match parsed {
        Value::Array(objects) => objects,
        object => vec![object],
    };
    if objects.is_empty() || objects.len() > MAX_SAMPLES {
        return Err(JsonError::Samples(objects.len()));
    }
    Ok(objects)
}

/// Refuses samples that have something to say and no number among it, be it written as text.
pub fn check_numbers(samples: &[JsonSample]) -> Result<(), JsonError> {
    let first_other = samples.iter().enumerate().find_map(|(index, sample)| {
        let (name, _) = sample.others.first()?;
        Some((index, name.clone()))
    });
    match first_other {
        Some((sample, name)) if !samples.iter().any(JsonSample::holds_number) => Err(JsonError::Value { sample, name }),
        _ => Ok(()),
    }
}

impl JsonSample {
    /// It says nothing at all.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty() && self.others.is_empty()
    }

    fn holds_number(&self) -> bool {
        let as_text = |value: &Value| value.as_str().is_some_and(|text| number(text).is_some());
        !self.values.is_empty() || self.others.iter().any(|(_, value)| as_text(value))
    }
}

/// Reads one sample, which stands at `index` of its message, counted from 0.
pub fn sample(index: usize, object: Value) -> Result<JsonSample, JsonError> {
    let Value::Object(mut object) = object else {
        return Err(JsonError::NotAnObject(index));
    };
    let nested = matches!(object.get("values"), Some(Value::Object(_)));
    let ts = object.remove("ts");
    let ts_ms = match &ts {
        None => None,
        Some(ts) if nested => Some(milliseconds(ts).ok_or_else(|| JsonError::ts(index, ts))?),
        Some(ts) => {
            let beside = object.keys().next();
            return Err(beside.map_or_else(|| JsonError::ts(index, ts), |name| JsonError::beside(index, name)));
        }
    };
    let named = match object.remove("values") {
        Some(Value::Object(named)) => match object.keys().next() {
            None => named,
            Some(name) => return Err(JsonError::beside(index, name)),
        },
        Some(other) => {
            object.insert("values".into(), other);
            object
        }
        None => object,
    };
    values(index, ts_ms, named)
}

fn milliseconds(ts: &Value) -> Option<i64> {
    ts.as_i64().filter(|ms| ms.unsigned_abs() <= MAX_NUMBER)
}

fn values(sample: usize, ts_ms: Option<i64>, named: Map<String, Value>) -> Result<JsonSample, JsonError> {
    if named.len() > MAX_CHANNELS {
        return Err(JsonError::Values {
            sample,
            count: named.len(),
        });
    }
    let mut values = Vec::with_capacity(named.len());
    let mut others = Vec::new();
    for (name, value) in named {
        if name.is_empty() || name.len() > MAX_NAME_BYTES {
            return Err(JsonError::Name(sample));
        }
        let number = match &value {
            Value::Bool(state) => Some(f64::from(u8::from(*state))),
            Value::Number(number) => number.as_f64(),
            _ => None,
        };
        match number {
            Some(number) => values.push((name, number)),
            None => others.push((name, value)),
        }
    }
    // The parser's map may keep another order, depending on what else is compiled in.
    values.sort_by(|a, b| a.0.cmp(&b.0));
    others.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(JsonSample { ts_ms, values, others })
}
