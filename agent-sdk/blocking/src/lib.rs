//! The device agent over a blocking transport: one connection from the moment the transport is open until it is over.
//!
//! The transport is anything that reads and writes with the traits of `embedded-io`: a modem's socket, a TLS session over
//! one, or a `TcpStream` through `embedded-io-adapters`. What differs between boards is how to wait for bytes without
//! waiting too long, and that is [`Device::wait_readable`].
//!
//! What is run is an [`Engine`]: an `Agent`, or a `Session` alone. Knows neither what is reported nor when to connect: the
//! caller opens the transport when the engine's `next_connect_at` says so, and calls its `handle_disconnected` where that
//! fails.
#![no_std]
#![forbid(unsafe_code)]

use agent_sdk_core::{Engine, Reason};
use core::ops::ControlFlow;
use embedded_io::{ErrorType, Read, Write};

/// The rest of the device, as a connection of its session or of its agent sees it.
pub trait Device<E: Engine, T: ErrorType> {
    /// Uptime in milliseconds; it never goes back.
    fn now_ms(&mut self) -> u64;

    /// Waits until `transport` can be read without waiting, its end included, or until `limit_ms` have passed, which is up
    /// to [`u64::MAX`]; whether it can be read. It may return early, with `false`: then [`Self::turn`] comes next.
    ///
    /// Over a `TcpStream` that is a read timeout of `limit_ms` and a look at the first byte; on a board without an
    /// operating system, a loop around `ReadReady::read_ready` that sleeps until the next interrupt.
    ///
    /// # Errors
    ///
    /// The transport failed: the connection is over.
    fn wait_readable(&mut self, transport: &mut T, limit_ms: u64) -> Result<bool, T::Error>;

    /// The device's own turn, again and again: publishes or reports what is due, answers commands, closes the engine.
    /// Gives when it wants its next turn, in milliseconds of uptime; [`u64::MAX`] if it has nothing planned.
    fn turn(&mut self, engine: &mut E, now_ms: u64) -> u64;

    /// Something happened. What is to be done about it with the engine, as the answer to a command, waits for the next
    /// [`Self::turn`], which follows.
    fn event(&mut self, event: E::Event<'_>, now_ms: u64);
}

/// Memory for the bytes on their way. A few hundred bytes each are enough, one is the least.
pub struct Buffers<'b> {
    /// What was read and the engine has not taken yet.
    pub receive: &'b mut [u8],
    /// What is being written.
    pub transmit: &'b mut [u8],
}

/// Runs one connection of a session or an agent over `transport`, which has just been opened, until it is over. `entropy`
/// is added to the session's seed; 0 where there is none.
///
/// A read waits no longer than the engine's next deadline. A write waits as long as the transport lets it, so the
/// transport needs a limit of its own: `TcpStream::set_write_timeout`, or the like.
///
/// Afterwards the engine is disconnected, the device has been told why by its event `Disconnected`, and the transport is to
/// be dropped. The reason is given; [`Reason::LinkLost`] if the other side closed the transport.
///
/// # Errors
///
/// The transport's own, if it failed; to the device that is [`Reason::LinkLost`] too.
pub fn run<E: Engine, T: Read + Write, D: Device<E, T>>(
    engine: &mut E,
    who: &E::Who<'_>,
    transport: &mut T,
    buffers: Buffers<'_>,
    device: &mut D,
    entropy: u32,
) -> Result<Reason, T::Error> {
    engine.handle_connected(device.now_ms(), entropy);
    let mut connection = Connection {
        engine,
        who,
        transport,
        buffers,
        device,
        start: 0,
        end: 0,
    };
    let outcome = connection.until_over();
    let now_ms = connection.device.now_ms();
    connection.engine.handle_disconnected(now_ms);
    // Tells of a link that was lost; what ended otherwise was told already.
    let _ = connection.tell_events();
    outcome
}

struct Connection<'c, 'w: 'c, E: Engine, T, D> {
    engine: &'c mut E,
    who: &'c E::Who<'w>,
    transport: &'c mut T,
    buffers: Buffers<'c>,
    device: &'c mut D,
    /// The part of the receive buffer that the engine has not taken.
    start: usize,
    end: usize,
}

impl<E: Engine, T: Read + Write, D: Device<E, T>> Connection<'_, '_, E, T, D> {
    fn until_over(&mut self) -> Result<Reason, T::Error> {
        loop {
            let now_ms = self.device.now_ms();
            let turn_at = self.device.turn(self.engine, now_ms);
            self.transmit()?;
            match self.tell_events() {
                ControlFlow::Break(reason) => return Ok(reason),
                // An event may be answered, by the engine or by the device.
                ControlFlow::Continue(true) => continue,
                ControlFlow::Continue(false) => {}
            }
            if self.start < self.end {
                self.hand_in();
                continue;
            }
            let deadline = self.engine.next_deadline().unwrap_or(u64::MAX).min(turn_at);
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

    /// Writes all that is due, however late it has become: `poll_transmit` ends a connection whose answers are overdue.
    fn transmit(&mut self) -> Result<(), T::Error> {
        let mut has_written = false;
        loop {
            let now_ms = self.device.now_ms();
            let count = self.engine.poll_transmit(self.who, self.buffers.transmit, now_ms);
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

    fn hand_in(&mut self) {
        let now_ms = self.device.now_ms();
        let bytes = self.buffers.receive.get(self.start..self.end).unwrap_or_default();
        let taken = self.engine.handle_bytes(bytes, now_ms);
        self.start = self.start.saturating_add(taken);
    }
}

/// Not that of `embedded-io`, which panics where a transport takes nothing. Such a one is asked again: its own limit ends it.
fn write_all<T: Write>(transport: &mut T, mut bytes: &[u8]) -> Result<(), T::Error> {
    while !bytes.is_empty() {
        let count = transport.write(bytes)?;
        bytes = bytes.get(count..).unwrap_or_default();
    }
    Ok(())
}
