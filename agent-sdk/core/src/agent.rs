//! The agent that firmware embeds: metrics and events become messages of the contract, commands and settings of the hub
//! become events of the caller. Above [`Session`], which knows nothing of what messages mean.
//!
//! One file for each thing it does; here are its state and what the maker calls.

mod batch;
mod clock;
mod command;
mod hear;
mod memory;
mod metric;
mod readings;
mod settings;
mod status;
mod transmit;

pub use command::{Args, COMMANDS_REMEMBERED, CommandId};
pub use hear::AgentEvent;
pub use memory::{AgentMem, Memory};
pub use metric::{Metric, MetricId, MetricSlot};
pub use readings::Reading;

use crate::identity::{Credentials, Settings};
use crate::publish::{Overflow, Publish, Qos, Refused, Token};
use crate::session::Session;
use agent_sdk_wire::topic::MAX_LEVEL_BYTES;
use agent_sdk_wire::{
    EncodeError, Event, EventState, Lane, MAX_NUMBER, MAX_SAMPLES, Outcome, ResetReason, TimeBase, encode_event,
};
use clock::Clock;
use command::Recent;
use readings::Readings;
use status::Birth;

/// Who the device is. Lent whenever the agent writes, so that a secret may change between two connections and live
/// wherever the caller keeps it. It stays the same while a connection lasts.
#[derive(Debug, Clone, Copy)]
pub struct Device<'a> {
    /// Names the session at the hub.
    pub client_id: &'a str,
    /// How the device proves who it is; `None` where the transport does.
    pub credentials: Option<Credentials<'a>>,
    /// `d/{id}/`, before its topics. It stays the same while messages wait.
    pub topic_prefix: &'a str,
    /// The maker's name of the model: 1 to 64 bytes; else there is no birth message.
    pub model: &'a str,
    /// Version of the firmware: 1 to 32 bytes; else there is no birth message.
    pub firmware: &'a str,
    /// Why the device started.
    pub reset: ResetReason,
}

/// What an agent runs by.
#[derive(Debug, Clone, Copy)]
pub struct Config<'m> {
    /// Drawn at each start, at random: records that repeat one of an earlier start with its numbers are taken for repeats
    /// and dropped. The lower 53 bits count.
    pub boot_id: u64,
    /// Entropy for the back-off; two devices must not share it.
    pub seed: u32,
    /// The numbers of the MQTT session.
    pub session: Settings,
    /// A batch is closed with so many samples; 1 to 64, and what is beyond counts as the nearest of these.
    pub batch_samples: u8,
    /// A batch is closed so many milliseconds after its first reading. The hub may push another number.
    pub batch_age_ms: u32,
    /// The methods that the device does. All others are refused, whatever the hub says.
    pub methods: &'m [&'m str],
    /// The report of the crash that ended the last run, if one did. It goes before all else.
    pub crash: Option<Crash<'m>>,
}

/// A crash report.
#[derive(Debug, Clone, Copy)]
pub struct Crash<'a> {
    /// The maker's code of it: 1 to 32 bytes.
    pub code: &'a str,
    /// Place, registers, last words of the log: up to 1,024 bytes, and as many as fit into the scratch buffer.
    pub detail: &'a str,
}

/// Why an event or a reply was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsent {
    /// A part of it is not within the bounds of the contract, or all of it longer than the scratch buffer.
    Form(EncodeError),
    /// The outbox did not take it.
    Outbox(Refused),
}

/// A device agent, without transport, clock or threads.
///
/// The maker declares metrics and calls [`Self::report`] and [`Self::event`], with or without a connection. Driven like a
/// [`Session`]: the transport is opened when [`Self::next_connect_at`] says so, then bytes go to [`Self::handle_bytes`],
/// [`Self::poll_event`] is called until there is none, then [`Self::poll_transmit`] until it gives nothing, and again at
/// [`Self::next_deadline`]. `now` is milliseconds of uptime and never goes back.
///
/// On each connection the birth message is sent, after what waits of crash report and events and before telemetry. On the
/// first one the hub is asked for the time, and for up to five seconds what waits is held until the pair of clocks is sent
/// that places it.
pub struct Agent<'m> {
    session: Session<'m>,
    metrics: &'m mut [MetricSlot],
    declared: usize,
    readings: Readings<'m>,
    scratch: &'m mut [u8],
    methods: &'m [&'m str],
    boot_id: u64,
    next_sample: u64,
    next_event: u64,
    batch_samples: u8,
    batch_age_ms: u32,
    settings_version: u32,
    clock: Clock,
    birth: Birth,
    recent: Recent,
    /// Short messages that are to go before the outbox: bits of [`transmit`].
    to_tell: u8,
}

impl<'m> Agent<'m> {
    /// An agent that connects at once. `None` if `receive` is shorter than [`crate::RECEIVE_BYTES_MIN`]. A crash report
    /// that is not taken counts as a dropped event.
    pub fn new(memory: Memory<'m>, config: &Config<'m>, now: u64) -> Option<Self> {
        let session = Session::new(memory.outbox, memory.receive, config.session, config.seed)?;
        for slot in memory.metrics.iter_mut() {
            *slot = MetricSlot::EMPTY;
        }
        let mut agent = Self {
            session,
            metrics: memory.metrics,
            declared: 0,
            readings: Readings::new(memory.readings),
            scratch: memory.scratch,
            methods: config.methods,
            boot_id: config.boot_id & MAX_NUMBER,
            next_sample: 0,
            next_event: 0,
            batch_samples: config.batch_samples.clamp(1, MAX_SAMPLES as u8),
            batch_age_ms: config.batch_age_ms,
            settings_version: 0,
            clock: Clock::new(),
            birth: Birth::new(),
            recent: Recent::new(),
            to_tell: 0,
        };
        if let Some(Crash { code, detail }) = config.crash
            && let Err(Unsent::Form(_)) = agent.event(EventState::Reported, code, detail, now)
        {
            agent.birth.count(Lane::Event, 1);
        }
        Some(agent)
    }

    /// Declares a metric. `None` if its channel is 0 or was declared before, or no memory is left for it.
    pub fn metric(&mut self, metric: Metric) -> Option<MetricId> {
        let is_new = declared(self.metrics, self.declared).all(|(_, known)| known.channel != metric.channel);
        let id = u8::try_from(self.declared).ok()?;
        let slot = self.metrics.get_mut(self.declared)?;
        if metric.channel == 0 || !is_new {
            return None;
        }
        *slot = MetricSlot::new(metric);
        self.declared = self.declared.saturating_add(1);
        Some(MetricId(id))
    }

    /// Hands in a value of a metric: the stored integer of the profile, as [`agent_sdk_wire::scaled`] makes it. It becomes
    /// a reading if its deadband or its interval says so; whether it did. Values of one moment have the same `now`.
    pub fn report(&mut self, metric: MetricId, value: i32, now: u64) -> bool {
        let Some(slot) = self.metrics.get_mut(usize::from(metric.0)) else {
            return false;
        };
        if slot.metric.channel == 0 || !slot.is_due(value, now) {
            return false;
        }
        slot.note(value, now);
        let overflow = slot.metric.overflow;
        let MetricId(index) = metric;
        if self.readings.push(index, value, overflow, now, self.batch_samples).is_err() {
            self.flush();
            // No batch holds it where there is no memory for any reading.
            if self.readings.push(index, value, overflow, now, self.batch_samples).is_err() {
                self.birth.count(Lane::Telemetry, 1);
                return false;
            }
        }
        true
    }

    /// Takes an event in: a fault, its end, or a report. It overtakes telemetry, and never gives way once it is taken.
    /// `code` has 1 to 32 bytes, `detail` up to 1,024.
    ///
    /// # Errors
    ///
    /// It is forgotten. What the outbox refused is counted as dropped.
    pub fn event(&mut self, state: EventState, code: &str, detail: &str, now: u64) -> Result<Token, Unsent> {
        let event = Event {
            time_base: TimeBase::Uptime,
            boot_id: self.boot_id,
            seq: self.next_event,
            at_ms: uptime(now),
            state,
            code,
            detail,
        };
        let payload = encode_event(&mut *self.scratch, &event).map_err(Unsent::Form)?;
        // Also where it is refused: the hub then sees that one is missing.
        self.next_event = self.next_event.saturating_add(1);
        let message = Publish {
            topic: "e",
            ..urgent(payload)
        };
        self.session.publish(&message).map_err(Unsent::Outbox)
    }

    /// Answers a command. `detail` is what the method gives back: in CBOR if the command was, or a value in JSON if
    /// [`CommandId::is_json`] says so; it may be empty. [`Outcome::Done`] and [`Outcome::Failed`] carry it in both forms.
    ///
    /// # Errors
    ///
    /// The reply is not on its way; the caller may give it again, later or without detail.
    pub fn reply(&mut self, command: &CommandId, outcome: Outcome, detail: &[u8]) -> Result<Token, Unsent> {
        let payload = command.reply(outcome, detail, &mut *self.scratch);
        let payload = payload.ok_or(Unsent::Form(EncodeError::Full))?;
        let mut topic = [0; MAX_LEVEL_BYTES + 2];
        let len = command.reply_topic(&mut topic);
        let topic = topic.get(..len).unwrap_or_default();
        self.session.publish_on(topic, &urgent(payload)).map_err(Unsent::Outbox)
    }

    /// Closes the open batch, as before a reboot: its readings go into the outbox.
    pub fn flush(&mut self) {
        self.close_batch();
    }

    /// Applies settings that were kept from an earlier [`AgentEvent::Settings`]; whether they are any. To be called once
    /// all metrics are declared.
    pub fn restore_settings(&mut self, kept: &[u8]) -> bool {
        let Some(version) = settings::version_of(kept) else {
            return false;
        };
        settings::apply(kept, self.metrics, &mut self.batch_age_ms);
        self.settings_version = version;
        self.birth.changed_now();
        true
    }

    /// Version of the hub's settings that are in force; 0 is none.
    pub fn settings_version(&self) -> u32 {
        self.settings_version
    }

    /// The session, to see how it stands: [`Session::is_online`], [`Session::is_outbox_empty`] and others.
    pub fn session(&self) -> &Session<'m> {
        &self.session
    }
}

/// The metrics that were declared, with their numbers.
fn declared(metrics: &[MetricSlot], count: usize) -> impl Iterator<Item = (u8, Metric)> {
    let metrics = metrics.iter().take(count).map(|slot| slot.metric);
    (0..=u8::MAX).zip(metrics)
}

/// A message that goes before telemetry, and stays until the hub has it.
fn urgent(payload: &[u8]) -> Publish<'_> {
    Publish {
        lane: Lane::Event,
        topic: "",
        payload,
        qos: Qos::AtLeastOnce,
        retain: false,
        overflow: Overflow::DropNewest,
    }
}

/// Uptime as the contract carries it.
fn uptime(now: u64) -> i64 {
    i64::try_from(now.min(MAX_NUMBER)).unwrap_or(0)
}
