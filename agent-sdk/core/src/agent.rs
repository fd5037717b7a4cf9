//! The agent that firmware embeds: metrics and events become messages of the contract, commands and settings of the hub
//! become events of the caller. Above [`Session`], which knows nothing of what messages mean.
//!
//! One file for each thing it does; here are its state and what the maker calls.

mod batch;
mod clock;
mod command;
mod config;
mod hear;
mod memory;
mod metric;
mod readings;
mod settings;
mod status;
mod transmit;

pub use command::{Args, COMMANDS_REMEMBERED, CommandId, CommandName};
pub use config::{Config, Crash, Device};
pub use hear::{AgentEvent, Notice};
pub use memory::{AgentMem, Memory};
pub use metric::{Metric, MetricId, MetricSlot};
pub use readings::Reading;

use crate::publish::{Overflow, Publish, Qos, Refused, Token};
use crate::session::Session;
use agent_sdk_wire::{EncodeError, Event, EventState, Lane, MAX_NUMBER, MAX_SAMPLES, Outcome, TimeBase, encode_event};
use clock::Clock;
use command::{Recent, write_reply};
use readings::Readings;
use status::Birth;

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
///
/// ```
/// use agent_sdk_core::{Agent, AgentMem, Config, EventState, Metric, Overflow, Settings};
///
/// // 8 metrics, 128 readings in an open batch, 2 KiB of outbox, messages of up to 512 bytes.
/// let mut memory = AgentMem::<8, 128, 2048, 512>::new();
/// let config = Config {
///     boot_id: 0x1234_5678, // at random
///     seed: 42,             // at random
///     session: Settings::DEFAULT,
///     batch_samples: 32,
///     batch_age_ms: 60_000,
///     methods: &["self_test"],
///     crash: None,
/// };
/// let mut agent = Agent::new(memory.lend(), &config, 0).expect("512 bytes hold an answer");
/// // Channel 3 of the profile has one decimal: half a degree, or once a minute.
/// let drum = agent
///     .metric(Metric {
///         channel: 3,
///         deadband: 5,
///         interval_ms: 60_000,
///         overflow: Overflow::DropOldest,
///     })
///     .expect("there is memory for eight");
/// assert!(agent.report(drum, 412, 1_000), "the first value is always a reading");
/// assert!(!agent.report(drum, 415, 2_000), "within the deadband");
/// agent
///     .event(EventState::Raised, "E21", "drain", 2_200)
///     .expect("there is room");
/// ```
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
    /// Nothing is reported.
    is_safe: bool,
    /// Short messages that are to go before the outbox: bits of [`transmit`].
    to_tell: u8,
    batch_age_ms: u32,
    settings_version: u32,
    clock: Clock,
    birth: Birth,
    recent: Recent,
}

impl<'m> Agent<'m> {
    /// An agent that connects at once. `None` if `receive` is shorter than [`crate::RECEIVE_BYTES_MIN`]. A crash report
    /// that is not taken counts as a dropped event.
    pub fn new(memory: Memory<'m>, config: &Config<'m>, now: u64) -> Option<Self> {
        let mut agent = Self::silent(memory, config)?;
        if let Some(crash) = &config.crash {
            agent.report_crash(crash, now);
        }
        Some(agent)
    }

    /// As [`Self::new`], but for the crash, which [`Self::report_crash`] then reports where the agent lies. For a caller in
    /// whose memory an agent is placed.
    pub fn silent(memory: Memory<'m>, config: &Config<'m>) -> Option<Self> {
        let session = Session::new(memory.outbox, memory.receive, config.session, config.seed)?;
        Some(Self {
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
            is_safe: false,
        })
    }

    /// Reports the crash that ended the last run, before all else.
    pub fn report_crash(&mut self, crash: &Crash<'_>, now: u64) {
        let Crash { code, detail } = crash;
        if let Err(Unsent::Form(_)) = self.event(EventState::Reported, code, detail, now) {
            self.birth.count(Lane::Event, 1);
        }
    }

    /// Declares a metric. `None` if its channel is 0 or was declared before, or no memory is left for it.
    pub fn metric(&mut self, metric: Metric) -> Option<MetricId> {
        let known = self.metrics.get(..self.declared).unwrap_or_default();
        let is_new = known.iter().all(|slot| slot.metric.channel != metric.channel);
        let id = u8::try_from(self.declared).ok()?;
        let slot = self.metrics.get_mut(self.declared)?;
        if metric.channel == 0 || !is_new {
            return None;
        }
        *slot = MetricSlot::new(metric);
        self.declared = self.declared.wrapping_add(1);
        Some(MetricId(id))
    }

    /// Hands in a value of a metric: the stored integer of the profile, as [`agent_sdk_wire::scaled`] makes it. It becomes
    /// a reading if its deadband or its interval says so; whether it did. Values of one moment have the same `now`.
    pub fn report(&mut self, metric: MetricId, value: i32, now: u64) -> bool {
        if self.is_safe {
            return false;
        }
        // What lies behind the declared ones is not looked at.
        let declared = self.metrics.get_mut(..self.declared).unwrap_or_default();
        let Some(slot) = declared.get_mut(usize::from(metric.0)) else {
            return false;
        };
        if !slot.is_due(value, now) {
            return false;
        }
        slot.note(value, now);
        let overflow = slot.metric.overflow;
        let MetricId(index) = metric;
        // A batch that has no place for it is closed.
        for _ in 0..2 {
            let pushed = self.readings.push(index, value, overflow, now, self.batch_samples);
            if pushed.is_ok() {
                return true;
            }
            self.flush();
        }
        // No batch holds it where there is no memory for any reading.
        self.birth.count(Lane::Telemetry, 1);
        false
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
        self.next_event = self.next_event.wrapping_add(1);
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
        self.reply_to(command.name(), outcome, detail)
    }

    /// As [`Self::reply`], to a command whose id lies elsewhere.
    ///
    /// # Errors
    ///
    /// As [`Self::reply`].
    pub fn reply_to(&mut self, command: CommandName<'_>, outcome: Outcome, detail: &[u8]) -> Result<Token, Unsent> {
        let payload = write_reply(command.form(), outcome, detail, &mut *self.scratch);
        let payload = payload.ok_or(Unsent::Form(EncodeError::Full))?;
        let topic = command.reply_topic();
        self.session.publish_on(topic, &urgent(payload)).map_err(Unsent::Outbox)
    }

    /// Until the next start nothing is reported: session, commands, settings and events go on, so that the device can be
    /// helped from afar. For a device that [`crate::Boots`] has found in a loop; the hub is told by a report with the code
    /// `safe-mode`.
    ///
    /// # Errors
    ///
    /// The mode is on all the same; the report is not on its way.
    pub fn enter_safe_mode(&mut self, now: u64) -> Result<Token, Unsent> {
        self.is_safe = true;
        self.event(EventState::Reported, "safe-mode", "", now)
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
        let declared = self.metrics.get_mut(..self.declared).unwrap_or_default();
        settings::apply(kept, declared, &mut self.batch_age_ms);
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

    pub(crate) fn session_mut(&mut self) -> &mut Session<'m> {
        &mut self.session
    }

    /// So many messages of a lane were given up outside of the outbox, as by a flash that is full: the hub is told.
    pub fn count_dropped(&mut self, lane: Lane, count: u32) {
        self.birth.count(lane, count);
    }
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
#[inline(never)]
fn uptime(now: u64) -> i64 {
    i64::try_from(now.min(MAX_NUMBER)).unwrap_or(0)
}
