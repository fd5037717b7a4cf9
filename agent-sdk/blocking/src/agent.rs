//! The same for the agent with metrics: what the device reports is handed in, and the agent decides what goes on the wire.

use crate::{Buffers, write_all};
use agent_sdk_core::{Agent, AgentEvent, Device, Reason};
use core::ops::ControlFlow;
use embedded_io::{ErrorType, Read, Write};

/// The rest of the device, as a connection of its agent sees it.
pub trait AgentDevice<T: ErrorType> {
    /// Uptime in milliseconds; it never goes back.
    fn now_ms(&mut self) -> u64;

    /// Waits until `transport` can be read without waiting, as [`crate::Device::wait_readable`].
    ///
    /// # Errors
    ///
    /// The transport failed: the connection is over.
    fn wait_readable(&mut self, transport: &mut T, limit_ms: u64) -> Result<bool, T::Error>;

    /// The device's own turn, again and again: reports values and events, answers commands, closes the agent. Gives when it
    /// wants its next turn, in milliseconds of uptime; [`u64::MAX`] if it has nothing planned.
    fn turn(&mut self, agent: &mut Agent<'_>, now_ms: u64) -> u64;

    /// Something happened. What is to be done about it with the agent, as the answer to a command, waits for the next
    /// [`Self::turn`], which follows.
    fn event(&mut self, event: AgentEvent<'_>, now_ms: u64);
}

/// Runs one connection of an agent, as [`crate::run`] runs one of a session: the transport has just been opened.
///
/// # Errors
///
/// The transport's own, if it failed; to the device that is [`Reason::LinkLost`] too.
pub fn run_agent<T: Read + Write, D: AgentDevice<T>>(
    agent: &mut Agent<'_>,
    who: &Device<'_>,
    transport: &mut T,
    buffers: Buffers<'_>,
    device: &mut D,
    entropy: u32,
) -> Result<Reason, T::Error> {
    agent.handle_connected(device.now_ms(), entropy);
    let mut connection = Connection {
        agent,
        who,
        transport,
        buffers,
        device,
        start: 0,
        end: 0,
    };
    let outcome = connection.until_over();
    let now_ms = connection.device.now_ms();
    connection.agent.handle_disconnected(now_ms);
    // Tells of a link that was lost; what ended otherwise was told already.
    let _ = connection.tell_events();
    outcome
}

struct Connection<'c, 'm, T, D> {
    agent: &'c mut Agent<'m>,
    who: &'c Device<'c>,
    transport: &'c mut T,
    buffers: Buffers<'c>,
    device: &'c mut D,
    /// The part of the receive buffer that the agent has not taken.
    start: usize,
    end: usize,
}

impl<T: Read + Write, D: AgentDevice<T>> Connection<'_, '_, T, D> {
    fn until_over(&mut self) -> Result<Reason, T::Error> {
        loop {
            let now_ms = self.device.now_ms();
            let turn_at = self.device.turn(self.agent, now_ms);
            self.transmit()?;
            match self.tell_events() {
                ControlFlow::Break(reason) => return Ok(reason),
                // An event may be answered, by the agent or by the device.
                ControlFlow::Continue(true) => continue,
                ControlFlow::Continue(false) => {}
            }
            if self.start < self.end {
                self.hand_in();
                continue;
            }
            let deadline = self.agent.next_deadline().unwrap_or(u64::MAX).min(turn_at);
            let limit_ms = deadline.saturating_sub(self.device.now_ms());
            if self.device.wait_readable(self.transport, limit_ms)? {
                let count = self.transport.read(self.buffers.receive)?;
                if count == 0 {
                    return Ok(Reason::LinkLost);
                }
                (self.start, self.end) = (0, count);
                self.hand_in();
            }
        }
    }

    fn transmit(&mut self) -> Result<(), T::Error> {
        let mut has_written = false;
        loop {
            let now_ms = self.device.now_ms();
            let count = self.agent.poll_transmit(self.who, self.buffers.transmit, now_ms);
            let bytes = self.buffers.transmit.get(..count).unwrap_or_default();
            if bytes.is_empty() {
                return if has_written { self.transport.flush() } else { Ok(()) };
            }
            write_all(self.transport, bytes)?;
            has_written = true;
        }
    }

    /// Tells the device all there is to tell; whether there was anything, or why the connection is over.
    fn tell_events(&mut self) -> ControlFlow<Reason, bool> {
        let mut has_told = false;
        loop {
            let now_ms = self.device.now_ms();
            let Some(event) = self.agent.poll_event(now_ms) else {
                return ControlFlow::Continue(has_told);
            };
            has_told = true;
            self.device.event(event, now_ms);
            if let AgentEvent::Disconnected(reason) = event {
                return ControlFlow::Break(reason);
            }
        }
    }

    fn hand_in(&mut self) {
        let now_ms = self.device.now_ms();
        let bytes = self.buffers.receive.get(self.start..self.end).unwrap_or_default();
        let taken = self.agent.handle_bytes(bytes, now_ms);
        self.start = self.start.saturating_add(taken);
    }
}
