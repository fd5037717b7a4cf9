//! What comes from the hub: answered here, or told to the caller.

use super::command::{self, Args, CommandId, CommandName, Form, write_reply};
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

/// What is to be told. What an event lends is found in the receive buffer again.
enum Heard {
    /// As the session has told it.
    Told(Told),
    /// The hub has told its time.
    Time,
    /// Settings were applied.
    Settings { version: u32 },
    /// A command is to be done.
    Command(Allowed),
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
    #[inline(never)]
    pub fn poll_lent(&mut self, now: u64) -> Option<AgentEvent<'_, CommandName<'_>>> {
        let heard = loop {
            let told = self.session.poll_told()?;
            if let Some(heard) = self.next_heard(told, now) {
                break heard;
            }
        };
        let (topic, payload) = self.session.parts();
        Some(match heard {
            Heard::Told(Told::Connected { session_present }) => AgentEvent::Connected { session_present },
            Heard::Told(Told::Subscribed { refused }) => AgentEvent::Subscribed { refused },
            Heard::Told(Told::Delivered(token)) => AgentEvent::Delivered(token),
            Heard::Told(Told::Message) => AgentEvent::Message { topic, payload },
            Heard::Told(Told::Dropped { lane, count }) => AgentEvent::Dropped { lane, count },
            Heard::Told(Told::Disconnected(reason)) => AgentEvent::Disconnected(reason),
            Heard::Time => AgentEvent::Time,
            Heard::Settings { version } => AgentEvent::Settings {
                version,
                bytes: settings_in(topic, payload).unwrap_or_default(),
            },
            Heard::Command(Allowed { method, deadline }) => AgentEvent::Command {
                id: CommandName::of(topic, payload)?,
                method,
                args: args_in(payload),
                deadline,
            },
        })
    }

    /// What the session has told, if it is to be told on.
    fn next_heard(&mut self, told: Told, now: u64) -> Option<Heard> {
        match told {
            Told::Connected { .. } => self.connected(now),
            Told::Subscribed { .. } => self.subscribed(),
            Told::Delivered(token) => self.birth.delivered(token),
            Told::Dropped { lane, count } => self.birth.count(lane, count),
            Told::Disconnected(_) => {}
            Told::Message => return self.judge(now),
        }
        Some(Heard::Told(told))
    }

    /// What a message comes to; `None` where there is nothing to tell.
    fn judge(&mut self, now: u64) -> Option<Heard> {
        let utc_ms = self.utc_ms(now);
        let (inbox, outbox) = self.session.parts_and_outbox();
        let (topic, payload) = inbox;
        if are_same(topic, self.clock.answer_topic()) {
            let utc_ms = json::member(payload, b"time").and_then(json::number)?;
            if !self.clock.answered(utc_ms, now) {
                return None;
            }
            self.clock_is_known();
            return Some(Heard::Time);
        }
        if are_same(topic, SETTINGS_CHANGED) || are_same(topic, SETTINGS_ANSWER) {
            let settings = settings_in(topic, payload)?;
            let version = settings::version_of(settings)?;
            if version == self.settings_version {
                return None;
            }
            let declared = self.metrics.get_mut(..self.declared).unwrap_or_default();
            settings::apply(settings, declared, &mut self.batch_age_ms);
            self.settings_version = version;
            self.birth.changed_now();
            return Some(Heard::Settings { version });
        }
        let Some(id) = CommandName::of(topic, payload) else {
            return Some(Heard::Told(Told::Message));
        };
        // Its reply was sent, or will be: the outbox keeps it until the hub has it.
        if self.recent.knows(id.as_bytes()) {
            return None;
        }
        let judged = judge_command(self.methods, payload, utc_ms, now);
        if let Err(outcome) = judged {
            let reply = write_reply(id.form(), outcome, &[], &mut *self.scratch)?;
            // Without a reply the hub gives it again.
            outbox.push_on(id.reply_topic(), &urgent(reply)).ok()?;
        }
        self.recent.note(id.as_bytes());
        judged.ok().map(Heard::Command)
    }
}

fn judge_command(methods: &[&str], payload: &[u8], utc_ms: Option<u64>, now: u64) -> Result<Allowed, Outcome> {
    let command = command::read(command::form_of(payload), payload).ok_or(Outcome::Malformed)?;
    let known = methods
        .iter()
        .position(|name| are_same(name.as_bytes(), command.method));
    let method = known.ok_or(Outcome::NotAllowed)?;
    let deadline = match command.deadline_ms.zip(utc_ms) {
        Some((deadline, utc_ms)) => {
            let left_ms = deadline.checked_sub(utc_ms).ok_or(Outcome::Expired)?;
            Some(now.saturating_add(left_ms))
        }
        None => None,
    };
    Ok(Allowed { method, deadline })
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
