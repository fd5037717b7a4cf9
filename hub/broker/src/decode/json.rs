//! Telemetry JSON: whole where all of it can be taken. Otherwise each sample by itself, and those that cannot be taken are
//! put aside with the reason, in the same commit as the others.

use super::{Content, Decoder, Row};
use agent_sdk_wire::json::{self, JsonSample};
use hub_core::telemetry::{Identity, Sample, TelemetryMessage, check_utc};
use hub_store::telemetry::{Ingest, Partly};
use jiff::Timestamp;
use serde_json::Value;

/// Reasons that are told of one message.
const REASONS_MAX: usize = 4;
/// Names under which devices send the time, where this contract has `ts`. A profile may have a channel of such a name.
const NAMES_OF_TIME: [&str; 6] = ["timestamp", "time", "t", "datetime", "date", "ts_ms"];

/// A sample with its time, and whether the device stated that.
type Placed = (Sample, bool);

impl Decoder<'_> {
    pub(super) fn json(&self) -> Result<Content, String> {
        match self.whole() {
            Ok(message) => Ok(Content::Ready(Ingest::Telemetry(message))),
            Err(_) => self.one_by_one(),
        }
    }

    fn whole(&self) -> Result<TelemetryMessage, String> {
        let decoded = json::decode(self.origin.message.payload()).map_err(|error| error.to_string())?;
        let placed = decoded
            .iter()
            .enumerate()
            .map(|(index, sample)| self.sample(index, sample));
        Ok(self.unnumbered(placed.collect::<Result<_, _>>()?))
    }

    fn one_by_one(&self) -> Result<Content, String> {
        let objects = json::split(self.origin.message.payload()).map_err(|error| error.to_string())?;
        let (mut decoded, mut placed, mut aside) = (Vec::new(), Vec::new(), Aside::default());
        for (index, object) in objects.into_iter().enumerate() {
            let read = json::sample(index, object.clone()).map_err(|error| error.to_string());
            match read.and_then(|sample| Ok((self.sample(index, &sample)?, sample))) {
                Ok((_, sample)) if sample.is_empty() => aside.put(object, json::JsonError::Empty(index).to_string()),
                Ok((of_sample, sample)) => {
                    placed.push(of_sample);
                    decoded.push(sample);
                }
                Err(reason) => aside.put(object, reason),
            }
        }
        json::check_numbers(&decoded).map_err(|error| error.to_string())?;
        if placed.is_empty() {
            return Err(aside.reasons());
        }
        let message = self.unnumbered(placed);
        if aside.objects.is_empty() {
            return Ok(Content::Ready(Ingest::Telemetry(message)));
        }
        let (reason, payload) = (aside.reason(message.samples.len()), aside.payload());
        let aside = self.origin.quarantined(payload.as_bytes(), reason);
        let taken = message;
        Ok(Content::Ready(Ingest::Partly(Box::new(Partly { taken, aside }))))
    }

    fn sample(&self, index: usize, sample: &JsonSample) -> Result<Placed, String> {
        let wrong = |what: &str| format!("sample {index}: {what}");
        let values = sample.values.iter().map(|(name, _)| name);
        let mut names = values.chain(sample.others.iter().map(|(name, _)| name));
        if names.any(|name| name.chars().any(char::is_control)) {
            return Err(wrong("a name holds control characters"));
        }
        if let Some(name) = self.other_time(sample) {
            return Err(wrong(&format!(
                "\"{name}\" seems to be its time, which is read from \"ts\", in milliseconds, beside \"values\""
            )));
        }
        let mut row = Row::new(self.profile);
        for (name, value) in &sample.values {
            row.set_named(name, *value);
        }
        for (name, value) in &sample.others {
            row.set_other(name, value);
        }
        let mut row = row.sample();
        row.at = match sample.ts_ms {
            Some(ms) => self.stated(ms).map_err(|reason| wrong(&reason))?,
            None => self.origin.received_at,
        };
        Ok((row, sample.ts_ms.is_some()))
    }

    /// The time that a device states, in milliseconds.
    fn stated(&self, ms: i64) -> Result<Timestamp, String> {
        self.utc(ms)
            .map_err(|reason| match unit_of(ms, self.origin.received_at) {
                Some(unit) => {
                    format!("{reason}; \"ts\" is {ms}, which seems to be {unit}, and is read as milliseconds")
                }
                None => reason,
            })
    }

    /// The name under which a sample without `ts` seems to state its time.
    fn other_time<'s>(&self, sample: &'s JsonSample) -> Option<&'s str> {
        if sample.ts_ms.is_some() {
            return None;
        }
        let numbers = sample.values.iter().filter(|(_, value)| is_like_time(*value));
        let texts = sample.others.iter().filter(|(_, value)| is_like_written_time(value));
        let names = numbers.map(|(name, _)| name).chain(texts.map(|(name, _)| name));
        let is_time = |name: &&String| NAMES_OF_TIME.iter().any(|known| known.eq_ignore_ascii_case(name));
        names
            .filter(is_time)
            .find(|name| self.profile.position(name).is_none())
            .map(String::as_str)
    }

    /// JSON may give its samples in any order.
    fn unnumbered(&self, mut placed: Vec<Placed>) -> TelemetryMessage {
        if !placed.is_sorted_by_key(|(sample, _)| sample.at) {
            placed.sort_by_key(|(sample, _)| sample.at);
        }
        let newest = placed.last().map(|(sample, _)| sample.at.as_millisecond());
        let (samples, stated): (Vec<_>, Vec<_>) = placed.into_iter().unzip();
        let has_clock = stated.contains(&true);
        let mut message = self.message(samples, Identity::Content(stated));
        let arrival = message.received_at.as_millisecond();
        message.skew_ms = newest.filter(|_| has_clock).map(|newest| arrival - newest);
        message
    }
}

/// Samples of a message that cannot be taken.
#[derive(Default)]
struct Aside {
    objects: Vec<Value>,
    reasons: Vec<String>,
}

impl Aside {
    fn put(&mut self, object: Value, reason: String) {
        self.objects.push(object);
        self.reasons.push(reason);
    }

    /// Beside so many that were taken.
    fn reason(&self, taken: usize) -> String {
        let (aside, all) = (self.objects.len(), self.objects.len() + taken);
        format!("{aside} of {all} samples, the others are stored: {}", self.reasons())
    }

    fn reasons(&self) -> String {
        let mut text = self
            .reasons
            .iter()
            .take(REASONS_MAX)
            .cloned()
            .collect::<Vec<_>>()
            .join("; ");
        let more = self.reasons.len().saturating_sub(REASONS_MAX);
        if more > 0 {
            text += &format!("; and {more} more");
        }
        text
    }

    /// A message of its own, which can be read again.
    fn payload(self) -> String {
        match <[Value; 1]>::try_from(self.objects) {
            Ok([only]) => only.to_string(),
            Err(objects) => Value::Array(objects).to_string(),
        }
    }
}

/// The unit of a time that is none in milliseconds.
fn unit_of(number: i64, received_at: Timestamp) -> Option<&'static str> {
    let fits = |ms: i64| Timestamp::from_millisecond(ms).is_ok_and(|at| check_utc(at, received_at).is_ok());
    if fits(number.saturating_mul(1_000)) {
        return Some("seconds");
    }
    fits(number / 1_000).then_some("microseconds")
}

/// Seconds or milliseconds of the years 2001 to 2286.
fn is_like_time(number: f64) -> bool {
    (1e9..1e10).contains(&number) || (1e12..1e13).contains(&number)
}

/// The same as text, or text that begins with a date.
fn is_like_written_time(value: &Value) -> bool {
    let Some(text) = value.as_str() else { return false };
    let is_dated = |text: &[u8]| {
        let (year, rest) = text.split_at_checked(4).unwrap_or_default();
        year.len() == 4 && year.iter().all(u8::is_ascii_digit) && matches!(rest.first(), Some(b'-' | b'/' | b'.'))
    };
    json::number(text).is_some_and(is_like_time) || is_dated(text.as_bytes())
}

#[cfg(test)]
mod tests;
