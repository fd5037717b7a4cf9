//! The same for the agent with metrics: what the device reports is handed in, and the agent decides what goes on the wire.

use crate::{Buffers, Clock, WRITE_LIMIT_MS, before};
use agent_sdk_core::{Agent, AgentEvent, Device, Reason};
use core::ops::ControlFlow;
use embedded_io_async::{Read, Write};

/// The rest of the device, as a connection of its agent sees it.
pub trait AgentDevice {
    /// The device's own turn, again and again: reports values and events, answers commands, closes the agent. Gives when it
    /// wants its next turn, in milliseconds of uptime; [`u64::MAX`] if it has nothing planned.
    fn turn(&mut self, agent: &mut Agent<'_>, now_ms: u64) -> u64;

    /// Something happened. What is to be done about it with the agent, as the answer to a command, waits for the next
    /// [`Self::turn`], which follows.
    fn event(&mut self, event: AgentEvent<'_>, now_ms: u64);

    /// Waits until the device wants a turn before its time, because a sensor or another task has something for it. Often
    /// dropped before and called again, which must lose nothing.
    fn wake(&mut self) -> impl Future<Output = ()> {
        core::future::pending()
    }
}

/// Runs one connection of an agent, as [`crate::run`] runs one of a session: the transport has just been opened.
///
/// # Errors
///
/// The transport's own, if it failed; to the device that is [`Reason::LinkLost`] too.
pub async fn run_agent<T: Read + Write>(
    agent: &mut Agent<'_>,
    who: &Device<'_>,
    transport: &mut T,
    buffers: Buffers<'_>,
    clock: &impl Clock,
    device: &mut impl AgentDevice,
    entropy: u32,
) -> Result<Reason, T::Error> {
    agent.handle_connected(clock.now_ms(), entropy);
    let mut connection = Connection {
        agent,
        who,
        transport,
        buffers,
        clock,
        device,
        start: 0,
        end: 0,
    };
    let outcome = connection.until_over().await;
    connection.agent.handle_disconnected(clock.now_ms());
    // Tells of a link that was lost; what ended otherwise was told already.
    let _ = connection.tell_events();
    outcome
}

struct Connection<'c, 'm, T, C, D> {
    agent: &'c mut Agent<'m>,
    who: &'c Device<'c>,
    transport: &'c mut T,
    buffers: Buffers<'c>,
    clock: &'c C,
    device: &'c mut D,
    /// The part of the receive buffer that the agent has not taken.
    start: usize,
    end: usize,
}

impl<T: Read + Write, C: Clock, D: AgentDevice> Connection<'_, '_, T, C, D> {
    async fn until_over(&mut self) -> Result<Reason, T::Error> {
        loop {
            let turn_at = self.device.turn(self.agent, self.clock.now_ms());
            if !self.transmit().await? {
                return Ok(Reason::LinkLost);
            }
            match self.tell_events() {
                ControlFlow::Break(reason) => return Ok(reason),
                // An event may be answered, by the agent or by the device.
                ControlFlow::Continue(true) => continue,
                ControlFlow::Continue(false) => {}
            }
            if self.start >= self.end {
                let deadline = self.agent.next_deadline().unwrap_or(u64::MAX).min(turn_at);
                let wait = before(self.device.wake(), self.clock.sleep_until(deadline));
                let Some(read) = before(self.transport.read(self.buffers.receive), wait).await else {
                    continue;
                };
                (self.start, self.end) = (0, read?);
                if self.end == 0 {
                    return Ok(Reason::LinkLost);
                }
            }
            let bytes = self.buffers.receive.get(self.start..self.end).unwrap_or_default();
            let taken = self.agent.handle_bytes(bytes, self.clock.now_ms());
            self.start = self.start.saturating_add(taken);
        }
    }

    /// Writes all that is due; whether the transport took it in time.
    async fn transmit(&mut self) -> Result<bool, T::Error> {
        let mut has_written = false;
        loop {
            let now_ms = self.clock.now_ms();
            let count = self.agent.poll_transmit(self.who, self.buffers.transmit, now_ms);
            let mut bytes = self.buffers.transmit.get(..count).unwrap_or_default();
            if bytes.is_empty() {
                break;
            }
            while !bytes.is_empty() {
                let limit = self.clock.sleep_until(self.write_limit());
                let Some(written) = before(self.transport.write(bytes), limit).await else {
                    return Ok(false);
                };
                bytes = bytes.get(written?..).unwrap_or_default();
            }
            has_written = true;
        }
        if !has_written {
            return Ok(true);
        }
        let limit = self.clock.sleep_until(self.write_limit());
        let flushed = before(self.transport.flush(), limit).await.transpose()?;
        Ok(flushed.is_some())
    }

    fn write_limit(&self) -> u64 {
        let limit_at = self.clock.now_ms().saturating_add(WRITE_LIMIT_MS);
        match self.agent.session().next_deadline() {
            Some(deadline) if !self.agent.session().is_online() => deadline.min(limit_at),
            Some(_) | None => limit_at,
        }
    }

    /// Tells the device all there is to tell; whether there was anything, or why the connection is over.
    fn tell_events(&mut self) -> ControlFlow<Reason, bool> {
        let mut has_told = false;
        loop {
            let now_ms = self.clock.now_ms();
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
}
