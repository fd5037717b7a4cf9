//! What comes from the hub: answered here, or told to the caller.

use super::command::{self, Args, CommandId, CommandName, Form, write_reply};
use super::{Agent, settings, urgent};
use crate::bytes::are_same;
use crate::hub;
use crate::json;
use crate::publish::Token;
use crate::session::{NEVER, Reason, Told};
use agent_sdk_wire::{Lane, Outcome};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentEvent<'a> {
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
        id: CommandId,
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

/// An [`AgentEvent`] that lends nothing. What it would lend the agent still has, until bytes come: [`Agent::message`],
/// [`Agent::command`] and [`Agent::settings`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// The hub has accepted the connection.
    Connected {
        /// Whether it still had the session.
        session_present: bool,
    },
    /// The hub has answered the subscriptions.
    Subscribed {
        /// How many it refused.
        refused: u8,
    },
    /// The hub has acknowledged a message.
    Delivered(Token),
    /// The hub has told the time.
    Time,
    /// A command that is to be done.
    Command {
        /// Its number in [`super::Config::methods`].
        method: usize,
        /// Not to be begun after this uptime in milliseconds; `u64::MAX` if it has no deadline, or the time is not known.
        deadline: u64,
    },
    /// Settings were applied.
    Settings {
        /// Their version.
        version: u32,
    },
    /// Another message of the hub.
    Message,
    /// Messages were dropped.
    Dropped {
        /// Their lane.
        lane: Lane,
        /// Since the last notice of this kind and lane, or the start.
        count: u32,
    },
    /// The connection is over.
    Disconnected(Reason),
}

impl Agent<'_> {
    /// What happened since the last call; `None` if nothing did. Until then nothing more is taken in. Arguments, settings
    /// and messages are lent from the receive buffer.
    pub fn poll_event(&mut self, now: u64) -> Option<AgentEvent<'_>> {
        Some(match self.poll_notice(now)? {
            Notice::Connected { session_present } => AgentEvent::Connected { session_present },
            Notice::Subscribed { refused } => AgentEvent::Subscribed { refused },
            Notice::Delivered(token) => AgentEvent::Delivered(token),
            Notice::Time => AgentEvent::Time,
            Notice::Command { method, deadline } => {
                let (id, args) = self.command()?;
                AgentEvent::Command {
                    id: id.keep(),
                    method,
                    args,
                    deadline: Some(deadline).filter(|deadline| *deadline < NEVER),
                }
            }
            Notice::Settings { version } => AgentEvent::Settings {
                version,
                bytes: self.settings(),
            },
            Notice::Message => {
                let (topic, payload) = self.message();
                AgentEvent::Message { topic, payload }
            }
            Notice::Dropped { lane, count } => AgentEvent::Dropped { lane, count },
            Notice::Disconnected(reason) => AgentEvent::Disconnected(reason),
        })
    }

    /// As [`Self::poll_event`], without what an event lends: for a caller that has a form of its own for it.
    #[inline(always)]
    pub fn poll_notice(&mut self, now: u64) -> Option<Notice> {
        loop {
            return Some(match self.session.poll_told()? {
                Told::Connected { session_present } => {
                    self.connected(now);
                    Notice::Connected { session_present }
                }
                Told::Subscribed { refused } => {
                    self.subscribed();
                    Notice::Subscribed { refused }
                }
                Told::Delivered(token) => {
                    self.birth.delivered(token);
                    Notice::Delivered(token)
                }
                Told::Dropped { lane, count } => {
                    self.birth.count(lane, count);
                    Notice::Dropped { lane, count }
                }
                Told::Disconnected(reason) => Notice::Disconnected(reason),
                Told::Message => match self.judge(now) {
                    Some(notice) => notice,
                    None => continue,
                },
            });
        }
    }

    /// Topic and payload of the message that was told last, until bytes come.
    pub fn message(&self) -> (&[u8], &[u8]) {
        self.session.parts()
    }

    /// The command that was told last, until bytes come: its name, and what it is given. `None` if the last message is none.
    pub fn command(&self) -> Option<(CommandName<'_>, Args<'_>)> {
        let (topic, payload) = self.message();
        Some((CommandName::of(topic, payload)?, args_in(payload)))
    }

    /// The settings that were told last, until bytes come; nothing if the last message has none.
    pub fn settings(&self) -> &[u8] {
        let (topic, payload) = self.message();
        settings_in(topic, payload).unwrap_or_default()
    }

    /// What a message comes to; `None` where there is nothing to tell.
    fn judge(&mut self, now: u64) -> Option<Notice> {
        let utc_ms = self.clock.utc_ms(now);
        let (inbox, outbox) = self.session.parts_and_outbox();
        let (topic, payload) = inbox;
        if self.clock.is_answer(topic) {
            let utc_ms = json::member(payload, b"time").and_then(json::number)?;
            if !self.clock.answered(utc_ms, now) {
                return None;
            }
            self.clock_is_known();
            return Some(Notice::Time);
        }
        if are_same(topic, hub::BARE_ATTRIBUTES.as_bytes()) || is_settings_answer(topic) {
            let settings = settings_in(topic, payload)?;
            let version = settings::version_of(settings)?;
            if version == self.settings_version {
                return None;
            }
            let declared = self.metrics.get_mut(..self.declared).unwrap_or_default();
            settings::apply(settings, declared, &mut self.batch_age_ms);
            self.settings_version = version;
            self.birth.changed_now();
            return Some(Notice::Settings { version });
        }
        let Some(id) = CommandName::of(topic, payload) else {
            return Some(Notice::Message);
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
        judged.ok()
    }
}

fn judge_command(methods: &[&str], payload: &[u8], utc_ms: u64, now: u64) -> Result<Notice, Outcome> {
    let command = command::read(command::form_of(payload), payload).ok_or(Outcome::Malformed)?;
    let known = methods
        .iter()
        .position(|name| are_same(name.as_bytes(), command.method));
    let method = known.ok_or(Outcome::NotAllowed)?;
    let deadline = match command.deadline_ms {
        Some(deadline) if utc_ms < NEVER => {
            let left_ms = deadline.checked_sub(utc_ms).ok_or(Outcome::Expired)?;
            now.saturating_add(left_ms)
        }
        Some(_) | None => NEVER,
    };
    Ok(Notice::Command { method, deadline })
}

fn is_settings_answer(topic: &[u8]) -> bool {
    hub::is_answer(topic, hub::ATTRIBUTE_ANSWERS, b'1')
}

/// The settings in a message of one of their topics.
fn settings_in<'p>(topic: &[u8], payload: &'p [u8]) -> Option<&'p [u8]> {
    let shared = if is_settings_answer(topic) {
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
