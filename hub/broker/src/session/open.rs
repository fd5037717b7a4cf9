//! What is known of a client while it is connected, and the questions about its session that the store has to answer
//! before the client is answered.

use super::alias::Aliases;
use super::close::CloseReason;
use super::outbound::Window;
use super::packet::{Outgoing, Version, Will};
use super::reason::Reason;
use super::role::Role;
use super::{Event, Phase, Session};
use hub_store::session::KeptSession;
use std::time::{Duration, Instant};

/// A connected client.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) version: Version,
    pub(super) role: Role,
    pub(super) will: Option<Box<Will>>,
    pub(super) patience: Duration,
    pub(super) last_heard: Instant,
    /// Whether reason strings may be sent on acknowledgements.
    pub(super) problem_information: bool,
    /// Of the client.
    pub(super) receive_maximum: u16,
    /// Of the client.
    pub(super) packet_bytes_max: u32,
    /// For how long the session is kept after the connection; 0 for not at all.
    pub(super) expiry_s: u32,
    /// Whether it was there before this connection.
    pub(super) present: bool,
    pub(super) aliases: Option<Box<Aliases>>,
    pub(super) window: Option<Box<Window>>,
    pub(super) pending: Option<Box<Pending>>,
}

/// An acknowledgement or DISCONNECT in MQTT 5 without its reason string, at most, in bytes.
const ACK_BYTES: usize = 16;
/// The longest reason string.
const TEXT_BYTES_MAX: usize = 1024;

/// The store is asked to keep or to forget the session.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) until: Instant,
    /// Answers that are still awaited.
    pub(super) answers: u8,
    pub(super) then: Then,
}

/// What the client is told when the store has done it.
#[derive(Debug)]
pub(super) enum Then {
    /// CONNACK.
    Open(Outgoing),
    /// SUBACK or UNSUBACK; and whether the device made a new subscription.
    Answer(Outgoing, bool),
}

impl Open {
    /// Whether the store knows the session's packet identifiers.
    pub(super) fn is_durable(&self) -> bool {
        self.expiry_s > 0 || self.present
    }

    /// What is to be kept of the session. Its packet identifiers are kept by ingest.
    pub(super) fn to_kept(&self) -> Option<KeptSession> {
        let Role::Device { id, granted } = &self.role else {
            return None;
        };
        Some(KeptSession {
            expiry_s: self.expiry_s,
            subscriptions: granted.to_kept(id),
            unreleased: Vec::new(),
        })
    }

    /// Whether a packet with this reason string is one that the client takes.
    pub(super) fn fits(&self, text: &str) -> bool {
        let bytes_max = usize::try_from(self.packet_bytes_max).unwrap_or(usize::MAX);
        text.len() <= TEXT_BYTES_MAX && text.len() + ACK_BYTES <= bytes_max
    }

    pub(super) fn hears_commands(&self) -> bool {
        matches!(&self.role, Role::Device { granted, .. } if granted.hears_commands())
    }
}

impl Session {
    /// The store has kept or forgotten the session as asked, or could not (`kept` false).
    pub fn handle_session_kept(&mut self, kept: bool, now: Instant) {
        let Phase::Open(open) = &mut self.phase else { return };
        let Some(pending) = &mut open.pending else { return };
        if !kept {
            return self.session_not_kept();
        }
        pending.answers = pending.answers.saturating_sub(1);
        if pending.answers > 0 {
            return;
        }
        open.last_heard = now;
        if let Some(pending) = open.pending.take() {
            self.carry_on(pending.then);
        }
    }

    /// Asks the store for `changes`, and then tells the client; at once where there are none.
    pub(super) fn ask_then(&mut self, changes: Vec<Event>, then: Then, now: Instant) {
        let Phase::Open(open) = &mut self.phase else { return };
        if changes.is_empty() {
            return self.carry_on(then);
        }
        open.pending = Some(Box::new(Pending {
            until: now + self.limits.login_patience,
            // At most two.
            answers: u8::try_from(changes.len()).unwrap_or(u8::MAX),
            then,
        }));
        self.events.extend(changes);
    }

    fn carry_on(&mut self, then: Then) {
        let Phase::Open(open) = &self.phase else { return };
        let hears = open.hears_commands();
        let commands = match then {
            Then::Open(connack) => {
                let present = open.present;
                self.events.push_back(Event::Opened { present });
                self.transmit.push_back(connack);
                hears
            }
            Then::Answer(packet, subscribed) => {
                self.transmit.push_back(packet);
                hears && subscribed
            }
        };
        if commands {
            self.events.push_back(Event::CommandsWanted);
        }
    }

    /// What was promised would not be true after a crash: the client is not told that it is.
    pub(super) fn session_not_kept(&mut self) {
        let Phase::Open(open) = &self.phase else { return };
        let opening = open.pending.as_ref().is_some_and(|p| matches!(p.then, Then::Open(_)));
        if opening {
            self.refuse(Reason::Unavailable, CloseReason::StoreDown);
        } else {
            self.handle_close(CloseReason::StoreDown);
        }
    }
}
