//! Telemetry as JSON, for makers who start with `mosquitto_pub`: `{"ts": ms, "values": {name: value}}`, a bare
//! `{name: value}`, or an array of these. Names the profile does not know are kept; the hub flags them, and with them
//! what is no number: text, null, objects and arrays.

mod cbor;

pub use cbor::{from_cbor, to_cbor};

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

/// Why a JSON message is refused.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// Longer than [`MAX_JSON_BYTES`].
    #[error("longer than {MAX_JSON_BYTES} bytes")]
    TooLong,
    /// Not JSON; the source says where.
    #[error("not JSON: line {line}, column {column}")]
    Syntax {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
        /// What the parser says.
        #[source]
        source: serde_json::Error,
    },
    /// Neither an object nor an array of objects.
    #[error("sample {0} is not an object")]
    NotAnObject(usize),
    /// No sample, or more than [`MAX_SAMPLES`].
    #[error("{0} samples: 1 to {MAX_SAMPLES} are allowed")]
    Samples(usize),
    /// More than [`MAX_CHANNELS`] values.
    #[error("sample {sample} has {count} values: at most {MAX_CHANNELS} are allowed")]
    Values {
        /// Counted from 0.
        sample: usize,
        /// How many there are.
        count: usize,
    },
    /// `ts` without `values`, or not a whole number of milliseconds.
    #[error("sample {0}: \"ts\" must be whole milliseconds, with \"values\" beside it and nothing else")]
    Ts(usize),
    /// A name is empty or longer than [`MAX_NAME_BYTES`].
    #[error("sample {0}: a name is empty or longer than {MAX_NAME_BYTES} bytes")]
    Name(usize),
    /// The message holds no number and no boolean at all; the place is that of its first value.
    #[error("sample {sample}: value of \"{name}\" is neither a number nor true or false")]
    Value {
        /// Counted from 0.
        sample: usize,
        /// The name it stands under.
        name: String,
    },
}

/// Reads telemetry JSON in any of its three forms.
pub fn decode(bytes: &[u8]) -> Result<Vec<JsonSample>, JsonError> {
    if bytes.len() > MAX_JSON_BYTES {
        return Err(JsonError::TooLong);
    }
    let parsed = serde_json::from_slice(bytes).map_err(|source| JsonError::Syntax {
        line: source.line(),
        column: source.column(),
        source,
    })?;
    let objects = match parsed {
        Value::Array(objects) => objects,
        object => vec![object],
    };
    if objects.is_empty() || objects.len() > MAX_SAMPLES {
        return Err(JsonError::Samples(objects.len()));
    }
    let samples = objects
        .into_iter()
        .enumerate()
        .map(|(index, object)| sample(index, object))
        .collect::<Result<Vec<_>, _>>()?;
    let first_other = samples.iter().enumerate().find_map(|(index, sample)| {
        let (name, _) = sample.others.first()?;
        Some((index, name.clone()))
    });
    match first_other {
        Some((sample, name)) if samples.iter().all(|sample| sample.values.is_empty()) => {
            Err(JsonError::Value { sample, name })
        }
        _ => Ok(samples),
    }
}

fn sample(index: usize, object: Value) -> Result<JsonSample, JsonError> {
    let Value::Object(mut object) = object else {
        return Err(JsonError::NotAnObject(index));
    };
    let nested = matches!(object.get("values"), Some(Value::Object(_)));
    let ts = object.remove("ts");
    let ts_ms = match &ts {
        None => None,
        Some(ts) if nested => Some(milliseconds(ts).ok_or(JsonError::Ts(index))?),
        Some(_) => return Err(JsonError::Ts(index)),
    };
    let named = match object.remove("values") {
        Some(Value::Object(named)) if object.is_empty() => named,
        Some(Value::Object(_)) => return Err(JsonError::Ts(index)),
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
