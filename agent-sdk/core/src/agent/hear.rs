//! What comes from the hub: answered here, or told to the caller.

use super::command::{self, Args, CommandId, CommandName, Form, REPLIES, write_reply};
use super::{Agent, settings, urgent};
use crate::bytes::are_same;
use crate::json;
use crate::publish::Token;
use crate::session::{Reason, Told};
use agent_sdk_wire::{Lane, Outcome};

/// The hub's topics that tell of settings.
const SETTINGS_CHANGED: &[u8] = b"v1/devices/me/attributes";
const SETTINGS_ANSWER: &[u8] = b"v1/devices/me/attributes/response/1";

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentEvent<'a, Id = CommandId> {
    /// The hub has accepted the connection.
    Connected {
        /// Whether it still had the session.
        session_present: bool,
    },
    /// The hub has answered the subscriptions.
    Subscribed {
        /// How many it refused: without them no commands, settings or time of the hub.
        refused: u8,
    },
    /// The hub has acknowledged a message, which is forgotten now.
    Delivered(Token),
    /// The hub has told the time, for the first time in this boot: [`Agent::utc_ms`] knows it from now on.
    Time,
    /// A command that is allowed, in time, and new. It is to be answered by [`Agent::reply`], now or later.
    Command {
        /// Names it in the reply.
        id: Id,
        /// Its number in [`super::Config::methods`].
        method: usize,
        /// What it is given.
        args: Args<'a>,
        /// Not to be begun after this uptime in milliseconds; `None` where it has no deadline, or the time is not known:
        /// the hub sends none that is too late.
        deadline: Option<u64>,
    },
    /// Settings of the hub were applied, and will be acknowledged by their version. To be kept, and given to
    /// [`Agent::restore_settings`] after the next start.
    Settings {
        /// Their version.
        version: u32,
        /// What is to be kept, as it is.
        bytes: &'a [u8],
    },
    /// Another message of the hub.
    Message {
        /// With the prefix; a topic name in UTF-8.
        topic: &'a [u8],
        /// Anything.
        payload: &'a [u8],
    },
    /// Messages were dropped for want of room, and the hub will be told how many.
    Dropped {
        /// Their lane.
        lane: Lane,
        /// Since the last event of this kind and lane, or the start.
        count: u32,
    },
    /// The connection is over: the transport is to be closed, and [`Agent::handle_disconnected`] called.
    Disconnected(Reason),
}

/// What a message of the hub comes to.
enum Heard {
    /// Nothing to do.
    Nothing,
    /// It is the hub's time.
    Time(u64),
    /// Settings that are not in force yet.
    Settings { version: u32 },
    /// A command that is new.
    Command(Result<Allowed, Outcome>),
    /// It is the caller's.
    Other,
}

/// A command that is to be done.
struct Allowed {
    method: usize,
    deadline: Option<u64>,
}

impl Agent<'_> {
    /// What happened since the last call; `None` if nothing did. Until then nothing more is taken in. Arguments, settings
    /// and messages are lent from the receive buffer.
    pub fn poll_event(&mut self, now: u64) -> Option<AgentEvent<'_>> {
        Some(match self.poll_lent(now)? {
            AgentEvent::Connected { session_present } => AgentEvent::Connected { session_present },
            AgentEvent::Subscribed { refused } => AgentEvent::Subscribed { refused },
            AgentEvent::Delivered(token) => AgentEvent::Delivered(token),
            AgentEvent::Time => AgentEvent::Time,
            AgentEvent::Command {
                id,
                method,
                args,
                deadline,
            } => AgentEvent::Command {
                id: id.keep(),
                method,
                args,
                deadline,
            },
            AgentEvent::Settings { version, bytes } => AgentEvent::Settings { version, bytes },
            AgentEvent::Message { topic, payload } => AgentEvent::Message { topic, payload },
            AgentEvent::Dropped { lane, count } => AgentEvent::Dropped { lane, count },
            AgentEvent::Disconnected(reason) => AgentEvent::Disconnected(reason),
        })
    }

    /// As [`Self::poll_event`], but for the id of a command, which is lent as well: for a caller that copies it into a form
    /// of its own.
    pub fn poll_lent(&mut self, now: u64) -> Option<AgentEvent<'_, CommandName<'_>>> {
        loop {
            match self.session.poll_told()? {
                Told::Connected { session_present } => {
                    self.connected(now);
                    return Some(AgentEvent::Connected { session_present });
                }
                Told::Subscribed { refused } => {
                    self.subscribed();
                    return Some(AgentEvent::Subscribed { refused });
                }
                Told::Delivered(token) => {
                    self.birth.delivered(token);
                    return Some(AgentEvent::Delivered(token));
                }
                Told::Dropped { lane, count } => {
                    self.birth.count(lane, count);
                    return Some(AgentEvent::Dropped { lane, count });
                }
                Told::Disconnected(reason) => return Some(AgentEvent::Disconnected(reason)),
                Told::Message => {}
            }
            let (topic, payload) = self.session.parts();
            match self.judge(topic, payload, now) {
                Heard::Nothing => {}
                Heard::Time(utc_ms) => {
                    if self.clock.answered(utc_ms, now) {
                        self.clock_is_known();
                        return Some(AgentEvent::Time);
                    }
                }
                Heard::Settings { version } => {
                    self.take_settings(version);
                    let (topic, payload) = self.session.parts();
                    let bytes = settings_in(topic, payload).unwrap_or_default();
                    return Some(AgentEvent::Settings { version, bytes });
                }
                // Without a reply the hub gives it again.
                Heard::Command(Err(outcome)) => {
                    if self.refuse(outcome) {
                        self.note_command();
                    }
                }
                Heard::Command(Ok(Allowed { method, deadline })) => {
                    self.note_command();
                    let (topic, payload) = self.session.parts();
                    let args = args_in(payload);
                    let id = CommandName::of(topic, payload)?;
                    return Some(AgentEvent::Command {
                        id,
                        method,
                        args,
                        deadline,
                    });
                }
                Heard::Other => {
                    let (topic, payload) = self.session.parts();
                    return Some(AgentEvent::Message { topic, payload });
                }
            }
        }
    }

    /// Answers the command that was told; whether that is on its way.
    fn refuse(&mut self, outcome: Outcome) -> bool {
        let (topic, payload) = self.session.parts();
        let Some(id) = CommandName::of(topic, payload) else {
            return false;
        };
        // The id ends the topic.
        let at = topic.len().saturating_sub(id.as_bytes().len());
        let Some(reply) = write_reply(id.form(), outcome, &[], &mut *self.scratch) else {
            return false;
        };
        self.session.publish_behind(REPLIES, at, &urgent(reply)).is_ok()
    }

    /// The command that was told is not to be done once more.
    fn note_command(&mut self) {
        let (topic, payload) = self.session.parts();
        if let Some(id) = CommandName::of(topic, payload) {
            self.recent.note(id.as_bytes());
        }
    }

    fn take_settings(&mut self, version: u32) {
        let (topic, payload) = self.session.parts();
        if let Some(said) = settings_in(topic, payload) {
            settings::apply(said, self.metrics, &mut self.batch_age_ms);
        }
        self.settings_version = version;
        self.birth.changed_now();
    }

    fn judge(&self, topic: &[u8], payload: &[u8], now: u64) -> Heard {
        if are_same(topic, self.clock.answer_topic()) {
            let utc_ms = json::member(payload, b"time").and_then(json::number);
            return utc_ms.map_or(Heard::Nothing, Heard::Time);
        }
        if are_same(topic, SETTINGS_CHANGED) || are_same(topic, SETTINGS_ANSWER) {
            let version = settings_in(topic, payload).and_then(settings::version_of);
            return match version {
                Some(version) if version != self.settings_version => Heard::Settings { version },
                Some(_) | None => Heard::Nothing,
            };
        }
        let Some(id) = CommandName::of(topic, payload) else {
            return Heard::Other;
        };
        // Its reply was sent, or will be: the outbox keeps it until the hub has it.
        if self.recent.knows(id.as_bytes()) {
            return Heard::Nothing;
        }
        Heard::Command(self.judge_command(payload, now))
    }

    fn judge_command(&self, payload: &[u8], now: u64) -> Result<Allowed, Outcome> {
        let command = command::read(command::form_of(payload), payload).ok_or(Outcome::Malformed)?;
        let known = self
            .methods
            .iter()
            .position(|name| are_same(name.as_bytes(), command.method));
        let method = known.ok_or(Outcome::NotAllowed)?;
        let deadline = match command.deadline_ms.zip(self.utc_ms(now)) {
            Some((deadline, utc)) => {
                let left_ms = deadline.checked_sub(utc).ok_or(Outcome::Expired)?;
                Some(now.saturating_add(left_ms))
            }
            None => None,
        };
        Ok(Allowed { method, deadline })
    }
}

/// The settings in a message of one of their topics.
fn settings_in<'p>(topic: &[u8], payload: &'p [u8]) -> Option<&'p [u8]> {
    let shared = if are_same(topic, SETTINGS_ANSWER) {
        json::member(payload, b"shared")?
    } else {
        payload
    };
    settings::among(shared)
}

/// The arguments of a command that was read before.
fn args_in(payload: &[u8]) -> Args<'_> {
    let form = command::form_of(payload);
    let args = command::read(form, payload).map_or(&[][..], |command| command.args);
    match form {
        Form::Cbor => Args::Cbor(args),
        Form::Json => Args::Json(args),
    }
}
