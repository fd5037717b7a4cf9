//! What a session tells its caller.

use super::Session;
use crate::outbox::Outbox;
use crate::publish::Token;
use agent_sdk_wire::Lane;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// The hub has accepted the connection (§3.2).
    Connected {
        /// Whether it still had the session. If not, it may not know of what was sent before, and gets it again.
        session_present: bool,
    },
    /// The hub has answered the subscriptions (§3.9).
    Subscribed {
        /// How many filters it refused.
        refused: u8,
    },
    /// The hub has acknowledged a message at QoS 1, which is forgotten now.
    Delivered(Token),
    /// A message came down. At QoS 1 it may come again after a new connection, and is acknowledged by this event.
    Message {
        /// With the prefix; a topic name in UTF-8.
        topic: &'a [u8],
        /// Anything.
        payload: &'a [u8],
    },
    /// Messages were dropped for want of room.
    Dropped {
        /// Their lane.
        lane: Lane,
        /// Since the last event of this kind and lane, or the start.
        count: u32,
    },
    /// The connection is over: the transport is to be closed, and [`Session::handle_disconnected`] called.
    Disconnected(Reason),
}

/// Why a connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The transport was closed.
    LinkLost,
    /// The hub did not take the CONNECT in time.
    NoConnack,
    /// The hub did not answer a ping, or a question of [`crate::Enrolment`], in time.
    NoAnswer,
    /// The hub refused, with the return code of §3.2.2.3; 4 and 5 are about the credentials.
    Refused(u8),
    /// What came was not MQTT 3.1.1, or not what a hub may send then (§4.8).
    Protocol,
    /// [`Session::close`].
    Closed,
}

/// An [`Event`] whose message is still in the receive buffer, where [`Session::parts`] finds it until bytes come.
#[derive(Clone, Copy)]
pub(crate) enum Told {
    Connected { session_present: bool },
    Subscribed { refused: u8 },
    Delivered(Token),
    Message,
    Dropped { lane: Lane, count: u32 },
    Disconnected(Reason),
}

impl<'m> Session<'m> {
    /// What the last packet brought, then the end of the connection, then drops; `None` if nothing is left to tell. Until
    /// then no further packet is taken in. A message is lent from the receive buffer.
    pub fn poll_event(&mut self) -> Option<Event<'_>> {
        Some(match self.poll_told()? {
            Told::Connected { session_present } => Event::Connected { session_present },
            Told::Subscribed { refused } => Event::Subscribed { refused },
            Told::Delivered(token) => Event::Delivered(token),
            Told::Message => {
                let (topic, payload) = self.parts();
                Event::Message { topic, payload }
            }
            Told::Dropped { lane, count } => Event::Dropped { lane, count },
            Told::Disconnected(reason) => Event::Disconnected(reason),
        })
    }

    /// As [`Self::poll_event`], without lending anything.
    pub(crate) fn poll_told(&mut self) -> Option<Told> {
        if let Some(told) = self.pending.take() {
            if core::mem::take(&mut self.to_acknowledge) {
                self.acknowledge(self.decoder.message_id());
            }
            return Some(told);
        }
        if let Some(reason) = self.ended.take() {
            return Some(Told::Disconnected(reason));
        }
        let (lane, count) = self.outbox.take_dropped()?;
        Some(Told::Dropped { lane, count })
    }

    /// Topic and payload of a message that was told.
    pub(crate) fn parts(&self) -> (&[u8], &[u8]) {
        self.decoder.parts()
    }

    /// The same, and what takes an answer in.
    pub(crate) fn parts_and_outbox(&mut self) -> ((&[u8], &[u8]), &mut Outbox<'m>) {
        (self.decoder.parts(), &mut self.outbox)
    }
}
