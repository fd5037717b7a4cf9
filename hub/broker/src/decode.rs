//! Payloads to what the store takes: by the device's profile, quantised, in time; or to quarantine with the reason.
//! Pure: the clock offset of a boot, which only the store knows, is an argument of [`Work::place`].

mod batch;
mod json;

use crate::control::{reply_in_json, state_content};
use crate::session::{Kind, Message};
use agent_sdk_wire::{Event, EventState, MAX_NUMBER, Packet, TimeBase, decode};
use hub_core::id::{ApplianceId, TraceId};
use hub_core::profile::ApplianceProfile;
use hub_core::telemetry::{ClockError, Identity, Lane, Sample, TelemetryMessage, check_utc, place_uptime};
use hub_store::telemetry::{Ingest, QUARANTINE_PAYLOAD_MAX, Quarantined};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// One publish, decoded.
#[derive(Debug, Clone)]
pub struct Work {
    /// Where it came from, for quarantine.
    origin: Origin,
    content: Content,
}

/// What quarantine shows of a publish.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Who sent it.
    pub appliance: ApplianceId,
    /// Topic and payload as received.
    pub message: Message,
    /// Time of arrival.
    pub received_at: Timestamp,
}

#[derive(Debug, Clone)]
enum Content {
    /// Nothing more to find out.
    Ready(Ingest),
    /// Samples that carry uptime.
    Uptime {
        boot: u64,
        uptime_ms: Vec<i64>,
        message: TelemetryMessage,
    },
}

impl Work {
    /// Decodes a publish of a device that reports by `profile`. Never fails: what cannot be taken is quarantined.
    pub fn decode(
        kind: &Kind,
        retain: bool,
        origin: Origin,
        profile: Result<&ApplianceProfile, &str>,
        trace: TraceId,
    ) -> Self {
        let content = match kind {
            Kind::State => Ok(Content::Ready(origin.state(retain))),
            Kind::Reply(request) => Ok(Content::Ready(origin.reply(request))),
            Kind::Attributes => origin.attributes().map(Content::Ready),
            _ => match profile {
                Ok(profile) => {
                    let origin = &origin;
                    Decoder { origin, profile, trace }.content(kind)
                }
                Err(name) => Err(format!("profile {name} is not known to this hub")),
            },
        };
        let content = content.unwrap_or_else(|reason| Content::Ready(origin.quarantine(reason)));
        Self { origin, content }
    }

    /// The boot whose clock offset [`Work::place`] needs.
    pub fn boot(&self) -> Option<u64> {
        match &self.content {
            Content::Ready(_) => None,
            Content::Uptime { boot, .. } => Some(*boot),
        }
    }

    /// The pair that this message tells, as boot and offset.
    pub fn clock(&self) -> Option<(u64, i64)> {
        match &self.content {
            Content::Ready(Ingest::Clock { boot, offset_ms, .. }) => Some((*boot, *offset_ms)),
            Content::Ready(_) | Content::Uptime { .. } => None,
        }
    }

    /// What the store takes, with uptime placed in time by `offset_ms` (UTC less uptime), or by arrival without one;
    /// and where it came from.
    pub fn place(self, offset_ms: Option<i64>) -> (Ingest, Origin) {
        let ingest = match self.content {
            Content::Ready(ingest) => ingest,
            Content::Uptime {
                uptime_ms, mut message, ..
            } => match place_uptime(&uptime_ms, offset_ms, self.origin.received_at) {
                Ok(times) => {
                    for (sample, at) in message.samples.iter_mut().zip(times) {
                        sample.at = at;
                    }
                    Ingest::Telemetry(message)
                }
                Err(error) => self.origin.quarantine(error.to_string()),
            },
        };
        (ingest, self.origin)
    }

    /// Why it is in quarantine, if all or a part of it is.
    pub fn refusal(&self) -> Option<&str> {
        match &self.content {
            Content::Ready(Ingest::Quarantine(quarantined)) => Some(&quarantined.reason),
            Content::Ready(Ingest::Partly(partly)) => Some(&partly.aside.reason),
            Content::Ready(_) | Content::Uptime { .. } => None,
        }
    }

    /// Something of it can be taken.
    pub fn holds_something(&self) -> bool {
        !matches!(self.content, Content::Ready(Ingest::Quarantine(_)))
    }
}

impl Origin {
    /// On which topic.
    pub fn topic(&self) -> &str {
        self.message.topic()
    }

    /// This publish for quarantine.
    pub fn quarantine(&self, reason: String) -> Ingest {
        Ingest::Quarantine(self.quarantined(self.message.payload(), reason))
    }

    fn quarantined(&self, payload: &[u8], reason: String) -> Quarantined {
        let kept = payload.len().min(QUARANTINE_PAYLOAD_MAX);
        Quarantined {
            appliance: self.appliance,
            topic: self.topic().to_owned(),
            payload: payload.get(..kept).unwrap_or_default().to_vec(),
            reason,
            received_at: self.received_at,
        }
    }

    fn state(&self, retain: bool) -> Ingest {
        let payload = self.message.payload();
        Ingest::State {
            appliance: self.appliance,
            payload: payload.to_vec(),
            content: state_content(payload),
            retain,
            at: self.received_at,
        }
    }

    fn reply(&self, request: &str) -> Ingest {
        let payload = self.message.payload();
        Ingest::Reply {
            appliance: self.appliance,
            request: request.to_owned(),
            payload: reply_in_json(payload).unwrap_or_else(|| payload.to_vec()),
            at: self.received_at,
        }
    }

    /// A flat JSON object with at most [`ATTRIBUTES_MAX`] names.
    fn attributes(&self) -> Result<Ingest, String> {
        let values: Map<String, Value> = serde_json::from_slice(self.message.payload())
            .map_err(|error| format!("attributes are no JSON object: {error}"))?;
        if values.len() > ATTRIBUTES_MAX {
            return Err(format!("{} attributes at once are too many", values.len()));
        }
        if values
            .keys()
            .any(|name| name.len() > ATTRIBUTE_NAME_MAX || name.chars().any(char::is_control))
        {
            return Err("an attribute's name is too long or holds control characters".into());
        }
        if values.values().any(holds_nul) {
            return Err("an attribute's value holds a NUL".into());
        }
        Ok(Ingest::Attributes {
            appliance: self.appliance,
            values,
            at: self.received_at,
        })
    }
}

/// Databases take no NUL in text.
fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(holds_nul),
        Value::Object(values) => values
            .iter()
            .any(|(name, value)| name.contains('\0') || holds_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Attributes told at one time.
const ATTRIBUTES_MAX: usize = 64;
/// Longest name of an attribute, in bytes.
const ATTRIBUTE_NAME_MAX: usize = 128;

struct Decoder<'a> {
    origin: &'a Origin,
    profile: &'a ApplianceProfile,
    trace: TraceId,
}

impl Decoder<'_> {
    fn content(&self, kind: &Kind) -> Result<Content, String> {
        match kind {
            Kind::Telemetry | Kind::Event => self.cbor(kind),
            Kind::TelemetryJson => self.json(),
            _ => Err("this topic carries no readings".into()),
        }
    }

    fn cbor(&self, kind: &Kind) -> Result<Content, String> {
        let packet = decode(self.origin.message.payload()).map_err(|error| error.to_string())?;
        match (kind, packet) {
            (Kind::Event, Packet::Event(event)) => self.event(&event),
            (Kind::Telemetry, Packet::Telemetry(telemetry)) => {
                let message = telemetry.to_message();
                let mut samples = Vec::with_capacity(message.samples.len());
                let mut times = Vec::with_capacity(message.samples.len());
                for (_, at_ms, sample) in message.numbered() {
                    let mut row = Row::new(self.profile);
                    for (channel, value) in &sample.values {
                        row.set_channel(*channel, *value);
                    }
                    samples.push(row.sample());
                    times.push(at_ms);
                }
                let identity = Identity::Sequence {
                    boot: message.boot_id,
                    lane: Lane::Telemetry,
                    first: message.seq,
                };
                self.timed(message.time_base, message.boot_id, times, samples, identity)
            }
            (Kind::Telemetry, Packet::Batch(batch)) => self.batch(&batch),
            (Kind::Telemetry, Packet::Clock(clock)) => {
                let utc = self.utc(clock.utc_ms)?;
                Ok(Content::Ready(Ingest::Clock {
                    appliance: self.origin.appliance,
                    boot: clock.boot_id,
                    // Both are below 2^53.
                    offset_ms: utc.as_millisecond() - clock.uptime_ms.min(MAX_NUMBER) as i64,
                }))
            }
            _ => Err("a message of this kind does not belong on this topic".into()),
        }
    }

    fn event(&self, event: &Event<'_>) -> Result<Content, String> {
        let state = match event.state {
            EventState::Cleared => "cleared",
            EventState::Raised => "raised",
            EventState::Reported => "reported",
        };
        let mut sample = Row::new(self.profile).sample();
        let (code, detail) = (readable(event.code), readable(event.detail));
        sample.extra = Some(json!({"event": {"code": code, "state": state, "detail": detail}}));
        let identity = Identity::Sequence {
            boot: event.boot_id,
            lane: Lane::Events,
            first: event.seq,
        };
        self.timed(
            event.time_base,
            event.boot_id,
            vec![event.at_ms],
            vec![sample],
            identity,
        )
    }

    fn timed(
        &self,
        base: TimeBase,
        boot: u64,
        times_ms: Vec<i64>,
        samples: Vec<Sample>,
        identity: Identity,
    ) -> Result<Content, String> {
        let mut message = self.message(samples, identity);
        match base {
            TimeBase::Utc => {
                self.set_utc(&mut message, &times_ms)?;
                Ok(Content::Ready(Ingest::Telemetry(message)))
            }
            TimeBase::Uptime => Ok(Content::Uptime {
                boot,
                uptime_ms: times_ms,
                message,
            }),
        }
    }

    fn message(&self, samples: Vec<Sample>, identity: Identity) -> TelemetryMessage {
        TelemetryMessage {
            appliance: self.origin.appliance,
            identity,
            samples,
            received_at: self.origin.received_at,
            skew_ms: None,
            trace: self.trace,
        }
    }

    /// Sets the times that a device with a clock states. The skew is measured on the newest sample: it holds the time
    /// the message waited too, so it is a bound, not an exact figure.
    fn set_utc(&self, message: &mut TelemetryMessage, times_ms: &[i64]) -> Result<(), String> {
        for (sample, ms) in message.samples.iter_mut().zip(times_ms) {
            sample.at = self.utc(*ms)?;
        }
        let newest = times_ms.iter().max();
        message.skew_ms = newest.map(|ms| self.origin.received_at.as_millisecond() - ms);
        Ok(())
    }

    fn utc(&self, ms: i64) -> Result<Timestamp, String> {
        let at = Timestamp::from_millisecond(ms).map_err(|_| format!("time {ms} ms is outside the calendar"))?;
        check_utc(at, self.origin.received_at).map_err(|error: ClockError| error.to_string())
    }
}

/// Text of a device without control characters: a NUL is refused by databases, the others forge lines in logs.
fn readable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() && c != '\n' { '\u{FFFD}' } else { c })
        .collect()
}

/// One wide row under construction.
struct Row<'a> {
    profile: &'a ApplianceProfile,
    values: Vec<Option<i32>>,
    unknown: Map<String, Value>,
    out_of_range: Map<String, Value>,
}

impl<'a> Row<'a> {
    fn new(profile: &'a ApplianceProfile) -> Self {
        Self {
            profile,
            values: vec![None; profile.channels.len()],
            unknown: Map::new(),
            out_of_range: Map::new(),
        }
    }

    fn set_channel(&mut self, id: u8, value: f64) {
        match usize::from(id).checked_sub(1) {
            Some(position) if position < self.values.len() => self.set(position, value),
            _ => {
                self.unknown.insert(id.to_string(), as_json(value));
            }
        }
    }

    fn set_named(&mut self, name: &str, value: f64) {
        match self.profile.position(name) {
            Some(position) => self.set(position, value),
            None => {
                self.unknown.insert(name.to_owned(), as_json(value));
            }
        }
    }

    /// What is no number, unless it is a number of a known channel that was written as text.
    fn set_other(&mut self, name: &str, value: &Value) {
        let number = value.as_str().and_then(agent_sdk_wire::json::number);
        match self.profile.position(name).zip(number) {
            Some((position, number)) => self.set(position, number),
            None => {
                self.unknown.insert(name.to_owned(), value.clone());
            }
        }
    }

    fn set(&mut self, position: usize, value: f64) {
        let Some(channel) = self.profile.channels.get(position) else {
            return;
        };
        let stored = channel.quantise(value);
        if stored.is_none() {
            self.out_of_range.insert(channel.name.clone(), as_json(value));
        }
        if let Some(slot) = self.values.get_mut(position) {
            *slot = stored;
        }
    }

    /// The time is set later.
    fn sample(self) -> Sample {
        let mut extra = Map::new();
        for (flag, values) in [("unknown", self.unknown), ("out_of_range", self.out_of_range)] {
            if !values.is_empty() {
                extra.insert(flag.to_owned(), Value::Object(values));
            }
        }
        Sample {
            at: Timestamp::UNIX_EPOCH,
            values: self.values,
            extra: (!extra.is_empty()).then_some(Value::Object(extra)),
        }
    }
}

/// A number, or the text "NaN", "inf" or "-inf", which JSON has no numbers for.
fn as_json(value: f64) -> Value {
    serde_json::Number::from_f64(value).map_or_else(|| Value::String(value.to_string()), Value::Number)
}
