//! What an adapter for transports drives: a session alone, or an agent above one. Knows neither transports nor how one
//! waits for them.

use crate::agent::{Agent, AgentEvent, Device};
use crate::identity::Identity;
use crate::session::{Event, Reason, Session};

/// A [`Session`], or an [`Agent`], as a connection drives it. So one loop over a transport serves both; a program that has
/// only one of them calls it by name. `now` is milliseconds of uptime and never goes back.
pub trait Engine {
    /// Who connects. Lent whenever something is written.
    type Who<'w>;

    /// What happened.
    type Event<'e>;

    /// The session, to see how it stands.
    fn session(&self) -> &Session<'_>;

    /// The transport is connected; see [`Session::handle_connected`].
    fn handle_connected(&mut self, now: u64, entropy: u32);

    /// The transport is closed, or could not be opened; see [`Session::handle_disconnected`].
    fn handle_disconnected(&mut self, now: u64);

    /// Bytes came; see [`Session::handle_bytes`].
    #[must_use = "bytes that were not taken have to be handed in again"]
    fn handle_bytes(&mut self, bytes: &[u8], now: u64) -> usize;

    /// What happened since the last call; `None` if nothing did. Until then nothing more is taken in.
    fn poll_event(&mut self, now: u64) -> Option<Self::Event<'_>>;

    /// Why the connection is over, if that is what the event tells.
    fn ended(event: &Self::Event<'_>) -> Option<Reason>;

    /// Writes what is due into `out`, and gives how many bytes that is; 0 if nothing is due. Ends a connection whose
    /// answers are overdue.
    #[must_use = "what was written has to be handed to the transport"]
    fn poll_transmit(&mut self, who: &Self::Who<'_>, out: &mut [u8], now: u64) -> usize;

    /// When to come back even if nothing happens. `None` if there is no such time.
    fn next_deadline(&self) -> Option<u64>;
}

impl Engine for Session<'_> {
    type Who<'w> = Identity<'w>;
    type Event<'e> = Event<'e>;

    fn session(&self) -> &Session<'_> {
        self
    }

    fn handle_connected(&mut self, now: u64, entropy: u32) {
        Session::handle_connected(self, now, entropy);
    }

    fn handle_disconnected(&mut self, now: u64) {
        Session::handle_disconnected(self, now);
    }

    fn handle_bytes(&mut self, bytes: &[u8], now: u64) -> usize {
        Session::handle_bytes(self, bytes, now)
    }

    fn poll_event(&mut self, _now: u64) -> Option<Event<'_>> {
        Session::poll_event(self)
    }

    fn ended(event: &Event<'_>) -> Option<Reason> {
        let Event::Disconnected(reason) = event else {
            return None;
        };
        Some(*reason)
    }

    fn poll_transmit(&mut self, who: &Identity<'_>, out: &mut [u8], now: u64) -> usize {
        Session::poll_transmit(self, who, out, now)
    }

    fn next_deadline(&self) -> Option<u64> {
        Session::next_deadline(self)
    }
}

impl Engine for Agent<'_> {
    type Who<'w> = Device<'w>;
    type Event<'e> = AgentEvent<'e>;

    fn session(&self) -> &Session<'_> {
        Agent::session(self)
    }

    fn handle_connected(&mut self, now: u64, entropy: u32) {
        Agent::handle_connected(self, now, entropy);
    }

    fn handle_disconnected(&mut self, now: u64) {
        Agent::handle_disconnected(self, now);
    }

    fn handle_bytes(&mut self, bytes: &[u8], now: u64) -> usize {
        Agent::handle_bytes(self, bytes, now)
    }

    fn poll_event(&mut self, now: u64) -> Option<AgentEvent<'_>> {
        Agent::poll_event(self, now)
    }

    fn ended(event: &AgentEvent<'_>) -> Option<Reason> {
        let AgentEvent::Disconnected(reason) = event else {
            return None;
        };
        Some(*reason)
    }

    fn poll_transmit(&mut self, who: &Device<'_>, out: &mut [u8], now: u64) -> usize {
        Agent::poll_transmit(self, who, out, now)
    }

    fn next_deadline(&self) -> Option<u64> {
        Agent::next_deadline(self)
    }
}
