//! The device agent over an asynchronous transport: one connection from the moment the transport is open until it is over.
//!
//! The transport is anything that reads and writes with the traits of `embedded-io-async`: embassy's sockets as they are,
//! tokio's through `embedded-io-adapters`. Time is a trait of two functions, so that no runtime is a dependency.
//!
//! What is run is an [`Engine`]: an `Agent`, or a `Session` alone. Knows neither what is reported nor when to connect: the
//! caller opens the transport when the engine's `next_connect_at` says so, and calls its `handle_disconnected` where that
//! fails.
#![no_std]
#![forbid(unsafe_code)]

use agent_sdk_core::{Engine, Reason};
use core::future::poll_fn;
use core::ops::ControlFlow;
use core::pin::pin;
use core::task::Poll;
use embedded_io_async::{Read, Write};

/// Time, as the program's runtime keeps it.
pub trait Clock {
    /// Uptime in milliseconds; it never goes back.
    fn now_ms(&self) -> u64;

    /// Waits until the uptime is `at_ms`, which is up to [`u64::MAX`]. It may be dropped before.
    fn sleep_until(&self, at_ms: u64) -> impl Future<Output = ()>;
}

/// The rest of the device, as a connection of its session or of its agent sees it.
pub trait Device<E: Engine> {
    /// The device's own turn, again and again: publishes or reports what is due, answers commands, closes the engine.
    /// Gives when it wants its next turn, in milliseconds of uptime; [`u64::MAX`] if it has nothing planned.
    fn turn(&mut self, engine: &mut E, now_ms: u64) -> u64;

    /// Something happened. What is to be done about it with the engine, as the answer to a command, waits for the next
    /// [`Self::turn`], which follows.
    fn event(&mut self, event: E::Event<'_>, now_ms: u64);

    /// Waits until the device wants a turn before its time, because a sensor or another task has something for it. Often
    /// dropped before and called again, which must lose nothing.
    fn wake(&mut self) -> impl Future<Output = ()> {
        core::future::pending()
    }
}

/// Memory for the bytes on their way. A few hundred bytes each are enough, one is the least.
pub struct Buffers<'b> {
    /// What was read and the engine has not taken yet.
    pub receive: &'b mut [u8],
    /// What is being written.
    pub transmit: &'b mut [u8],
}

/// The longest that the transport may take for a piece of what is written, in milliseconds; before the hub has accepted, no
/// longer than the session's own deadline. A transport that takes longer is a lost link.
pub const WRITE_LIMIT_MS: u64 = 20_000;

/// Runs one connection of a session or an agent over `transport`, which has just been opened, until it is over. `entropy`
/// is added to the session's seed; 0 where there is none.
///
/// Reads are dropped when the time for something else has come, so a read that is dropped must have taken no bytes: embassy's
/// and tokio's sockets keep to that. If this future is dropped, call the engine's `handle_disconnected`.
///
/// Nothing is read while something is written: a hub that reads nothing until all that it writes has been read waits with the
/// agent, until the write's deadline ends the connection.
///
/// Afterwards the engine is disconnected, the device has been told why by its event `Disconnected`, and the transport is to
/// be dropped. The reason is given; [`Reason::LinkLost`] if the other side closed the transport, or it took too long to write.
///
/// # Errors
///
/// The transport's own, if it failed; to the device that is [`Reason::LinkLost`] too.
pub async fn run<E: Engine, T: Read + Write>(
    engine: &mut E,
    who: &E::Who<'_>,
    transport: &mut T,
    buffers: Buffers<'_>,
    clock: &impl Clock,
    device: &mut impl Device<E>,
    entropy: u32,
) -> Result<Reason, T::Error> {
    engine.handle_connected(clock.now_ms(), entropy);
    let mut connection = Connection {
        engine,
        who,
        transport,
        buffers,
        clock,
        device,
        start: 0,
        end: 0,
    };
    let outcome = connection.until_over().await;
    connection.engine.handle_disconnected(clock.now_ms());
    // Tells of a link that was lost; what ended otherwise was told already.
    let _ = connection.tell_events();
    outcome
}

struct Connection<'c, 'w: 'c, E: Engine, T, C, D> {
    engine: &'c mut E,
    who: &'c E::Who<'w>,
    transport: &'c mut T,
    buffers: Buffers<'c>,
    clock: &'c C,
    device: &'c mut D,
    /// The part of the receive buffer that the engine has not taken.
    start: usize,
    end: usize,
}

impl<E: Engine, T: Read + Write, C: Clock, D: Device<E>> Connection<'_, '_, E, T, C, D> {
    async fn until_over(&mut self) -> Result<Reason, T::Error> {
        loop {
            let turn_at = self.device.turn(self.engine, self.clock.now_ms());
            if !self.transmit().await? {
                return Ok(Reason::LinkLost);
            }
            match self.tell_events() {
                ControlFlow::Break(reason) => return Ok(reason),
                // An event may be answered, by the engine or by the device.
                ControlFlow::Continue(true) => continue,
                ControlFlow::Continue(false) => {}
            }
            if self.start >= self.end {
                let deadline = self.engine.next_deadline().unwrap_or(u64::MAX).min(turn_at);
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
            let taken = self.engine.handle_bytes(bytes, self.clock.now_ms());
            self.start = self.start.saturating_add(taken);
        }
    }

    /// Writes all that is due; whether the transport took it in time. However late it has become: `poll_transmit` ends a
    /// connection whose answers are overdue.
    async fn transmit(&mut self) -> Result<bool, T::Error> {
        let mut has_written = false;
        loop {
            let now_ms = self.clock.now_ms();
            let count = self.engine.poll_transmit(self.who, self.buffers.transmit, now_ms);
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
        let session = self.engine.session();
        match session.next_deadline() {
            Some(deadline) if !session.is_online() => deadline.min(limit_at),
            Some(_) | None => limit_at,
        }
    }

    /// Tells the device all there is to tell; whether there was anything, or why the connection is over.
    fn tell_events(&mut self) -> ControlFlow<Reason, bool> {
        let mut has_told = false;
        loop {
            let now_ms = self.clock.now_ms();
            let Some(event) = self.engine.poll_event(now_ms) else {
                return ControlFlow::Continue(has_told);
            };
            has_told = true;
            let ended = E::ended(&event);
            self.device.event(event, now_ms);
            if let Some(reason) = ended {
                return ControlFlow::Break(reason);
            }
        }
    }
}

/// What `work` gives, or `None` once `limit` is over; the other one is dropped. `work` is asked first.
async fn before<V>(work: impl Future<Output = V>, limit: impl Future) -> Option<V> {
    let mut work = pin!(work);
    let mut limit = pin!(limit);
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => limit.as_mut().poll(context).map(|_| None),
    })
    .await
}
