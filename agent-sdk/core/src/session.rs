//! The session of a client: bytes in, bytes out, what happened, and when to look again. Knows neither sockets nor what
//! the messages mean.

mod event;
mod receive;
mod short;
mod transmit;

use crate::backoff::Backoff;
use crate::decode::{Decoder, RECEIVE_BYTES_MIN};
use crate::identity::Settings;
use crate::outbox::Outbox;
use crate::publish::{Publish, Refused, Token};
pub(crate) use event::Told;
pub use event::{Event, Reason};
use short::Short;
use transmit::Outgoing;

/// An uptime that never comes. As a number instead of an `Option`, so that the earliest of several is their minimum.
pub(crate) const NEVER: u64 = u64::MAX;

/// Acknowledgements that may wait to be written; no packet is taken in while all places are taken.
const ACKS: usize = 4;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No transport.
    Idle,
    /// The CONNECT is to be written, by the deadline of its answer.
    Connecting,
    /// It is written.
    Waiting,
    /// The hub has accepted.
    Online,
    /// The session has ended the connection, the transport is to be closed.
    Over,
}

/// An MQTT 3.1.1 client over any stream of bytes.
///
/// The caller opens the transport when [`Self::next_connect_at`] says so and calls [`Self::handle_connected`], or
/// [`Self::handle_disconnected`] where that fails. Then, for as long as the transport lives:
///
/// 1. what it receives goes to [`Self::handle_bytes`], and what that leaves over goes there again after steps 2 and 3;
/// 2. [`Self::poll_event`] until there is none;
/// 3. [`Self::poll_transmit`] until it gives nothing, and all of it to the transport;
/// 4. wait for bytes, a new message, or [`Self::next_deadline`].
///
/// After [`Event::Disconnected`] the transport is closed and [`Self::handle_disconnected`] called. `now` is
/// milliseconds of uptime and never goes back.
pub struct Session<'m> {
    phase: Phase,
    to_subscribe: bool,
    to_close: bool,
    /// If the one event is a message, which has an identifier at QoS 1.
    to_acknowledge: bool,
    /// Filters of the SUBSCRIBE that has no answer yet.
    asked: u8,
    ended: Option<Reason>,
    /// The one event that the last packet brought.
    pending: Option<Told>,
    current: Option<Outgoing>,
    /// Identifiers to acknowledge, oldest first; 0 is none.
    acks: [u16; ACKS],
    /// How many bytes of the current packet were handed over.
    handed_over: usize,
    decoder: Decoder<'m>,
    outbox: Outbox<'m>,
    backoff: Backoff,
    settings: Settings,
    too_long: u32,
    /// While idle when to connect; while connecting when the hub must have accepted.
    deadline: u64,
    /// When the hub accepted the last connection.
    online_at: u64,
    sent_at: u64,
    received_at: u64,
    /// When the answer to a ping is overdue; [`NEVER`] if none is awaited.
    answer_by: u64,
    /// Until then nothing is sent from the outbox that was not sent before.
    held_until: u64,
    /// Goes before all that waits, once.
    short: Option<Short>,
}

impl<'m> Session<'m> {
    /// A session that connects at once. `outbox` holds messages on their way up, each with [`crate::RECORD_HEAD_BYTES`]
    /// more than its topic and payload. `receive` holds one packet at a time: what the hub sends beyond it is passed
    /// over. `seed` is entropy for the back-off; two devices must not share it.
    ///
    /// `None` if `receive` is shorter than [`RECEIVE_BYTES_MIN`].
    pub fn new(outbox: &'m mut [u8], receive: &'m mut [u8], settings: Settings, seed: u32) -> Option<Self> {
        if receive.len() < RECEIVE_BYTES_MIN {
            return None;
        }
        Some(Self {
            settings,
            outbox: Outbox::new(outbox),
            decoder: Decoder::new(receive),
            backoff: Backoff::new(seed),
            phase: Phase::Idle,
            deadline: 0,
            online_at: NEVER,
            sent_at: 0,
            received_at: 0,
            answer_by: NEVER,
            current: None,
            handed_over: 0,
            acks: [0; ACKS],
            to_subscribe: false,
            to_close: false,
            short: None,
            held_until: 0,
            asked: 0,
            pending: None,
            to_acknowledge: false,
            ended: None,
            too_long: 0,
        })
    }

    /// Takes a message in, whether there is a connection or not.
    ///
    /// # Errors
    ///
    /// What was refused is forgotten; if for want of room, it is counted as dropped.
    pub fn publish(&mut self, message: &Publish<'_>) -> Result<Token, Refused> {
        self.outbox.push(message)
    }

    /// As [`Self::publish`], on a topic that is given in two parts instead of the message's own.
    pub(crate) fn publish_on(&mut self, topic: [&[u8]; 2], message: &Publish<'_>) -> Result<Token, Refused> {
        self.outbox.push_on(topic, message)
    }

    /// As [`Self::publish`], with a payload in parts instead of the message's own.
    pub(crate) fn publish_parts(&mut self, payload: &[&[u8]], message: &Publish<'_>) -> Result<Token, Refused> {
        self.outbox
            .push_parts([&[], message.topic.as_bytes()], payload, message)
    }

    /// Whether no message waits, neither to be sent nor to be acknowledged.
    pub fn is_outbox_empty(&self) -> bool {
        self.outbox.is_empty()
    }

    /// Bytes of the outbox that are not taken.
    pub fn outbox_free_bytes(&self) -> usize {
        self.outbox.free()
    }

    /// Whether the hub has accepted the connection, which still lasts.
    pub fn is_online(&self) -> bool {
        self.phase == Phase::Online
    }

    /// For how many milliseconds the hub has had this connection; `None` without one.
    pub fn online_for_ms(&self, now: u64) -> Option<u64> {
        self.is_online().then(|| since(self.online_at, now))
    }

    pub(crate) fn outbox(&self) -> &Outbox<'m> {
        &self.outbox
    }

    pub(crate) fn outbox_mut(&mut self) -> &mut Outbox<'m> {
        &mut self.outbox
    }

    /// Forgets all messages, also those in flight. Between two connections only.
    pub(crate) fn forget_messages(&mut self) {
        self.outbox.clear();
    }

    /// Ends the connection over an answer that has not come, without a goodbye.
    pub(crate) fn give_up(&mut self) {
        if self.is_up() {
            self.end(Reason::NoAnswer);
        }
    }

    /// The hub serves: what comes next is a new failure, not one more.
    pub(crate) fn served(&mut self) {
        self.backoff.reset();
    }

    /// Messages of the hub that were passed over since the start, because they did not fit into the receive buffer.
    pub fn too_long_count(&self) -> u32 {
        self.too_long
    }

    /// The transport is connected. `entropy` is added to the seed; 0 where there is none. That the connection before was
    /// accepted or has ended is not told any more: it would be taken for this one.
    pub fn handle_connected(&mut self, now: u64, entropy: u32) {
        self.backoff.mix(entropy);
        self.forget_connection();
        self.ended = None;
        if let Some(Told::Connected { .. } | Told::Subscribed { .. }) = self.pending {
            self.pending = None;
        }
        self.decoder.reset();
        self.phase = Phase::Connecting;
        self.deadline = later(now, self.settings.connack_limit_ms);
        (self.sent_at, self.received_at) = (now, now);
        self.to_subscribe = true;
    }

    /// The transport is closed, by either side, or could not be opened. Once for each attempt to connect: it starts
    /// the back-off.
    pub fn handle_disconnected(&mut self, now: u64) {
        if self.is_up() {
            self.end(Reason::LinkLost);
        }
        let Settings {
            backoff_base_ms,
            backoff_cap_ms,
            ..
        } = self.settings;
        let delay_ms = self.backoff.next_delay_ms(backoff_base_ms, backoff_cap_ms);
        self.deadline = later(now, delay_ms);
        self.phase = Phase::Idle;
    }

    /// Time has passed: ends a connection whose answers are overdue.
    pub fn handle_timeout(&mut self, now: u64) {
        match self.phase {
            Phase::Connecting | Phase::Waiting if now >= self.deadline => self.end(Reason::NoConnack),
            Phase::Online if now >= self.answer_by => self.end(Reason::NoAnswer),
            Phase::Idle | Phase::Connecting | Phase::Waiting | Phase::Online | Phase::Over => {}
        }
    }

    /// Says goodbye: the next [`Self::poll_transmit`] writes a DISCONNECT (§3.14), so that the hub publishes no will,
    /// and the connection is over. What waits in the outbox stays there.
    pub fn close(&mut self) {
        match self.phase {
            Phase::Online => self.to_close = true,
            Phase::Connecting | Phase::Waiting => self.end(Reason::Closed),
            Phase::Idle | Phase::Over => {}
        }
    }

    /// When to open the transport; `None` while there is one. 0, and so at once, at the start.
    pub fn next_connect_at(&self) -> Option<u64> {
        (self.phase == Phase::Idle).then_some(self.deadline)
    }

    /// When to come back even if nothing happens: to connect, to [`Self::handle_timeout`], or to
    /// [`Self::poll_transmit`] a ping. `None` if there is no such time.
    pub fn next_deadline(&self) -> Option<u64> {
        Some(self.due()).filter(|due| *due < NEVER)
    }

    /// As [`Self::next_deadline`]; [`NEVER`] if there is no such time.
    pub(crate) fn due(&self) -> u64 {
        match self.phase {
            Phase::Idle | Phase::Connecting | Phase::Waiting => self.deadline,
            Phase::Online => {
                let due = if self.answer_by < NEVER {
                    self.answer_by
                } else {
                    self.ping_due()
                };
                if self.held_until > 0 {
                    due.min(self.held_until)
                } else {
                    due
                }
            }
            Phase::Over => NEVER,
        }
    }

    /// Whether there is a transport that the session has not given up.
    fn is_up(&self) -> bool {
        match self.phase {
            Phase::Connecting | Phase::Waiting | Phase::Online => true,
            Phase::Idle | Phase::Over => false,
        }
    }

    fn ping_due(&self) -> u64 {
        // Three quarters of seconds in milliseconds.
        let silence_ms = u32::from(self.settings.keep_alive_s).wrapping_mul(750);
        if silence_ms == 0 {
            return NEVER;
        }
        later(self.sent_at.min(self.received_at), silence_ms)
    }

    /// The connection is over, and the caller will be told why.
    fn end(&mut self, reason: Reason) {
        self.phase = Phase::Over;
        self.ended = Some(reason);
        self.forget_connection();
    }

    fn forget_connection(&mut self) {
        self.outbox.interrupted();
        self.current = None;
        self.handed_over = 0;
        self.answer_by = NEVER;
        self.acks = [0; ACKS];
        self.to_subscribe = false;
        self.to_close = false;
        self.short = None;
        self.held_until = 0;
        self.asked = 0;
        // The next connection knows nothing of this one's identifiers.
        self.to_acknowledge = false;
    }
}

/// Milliseconds from one time to a later one; 0 if it is earlier. As `later` once for all: such a sum takes 20 bytes of flash.
#[inline(never)]
pub(crate) fn since(then: u64, now: u64) -> u64 {
    now.saturating_sub(then)
}

/// So many milliseconds after an uptime.
#[inline(never)]
pub(crate) fn later(uptime: u64, ms: u32) -> u64 {
    uptime.saturating_add(u64::from(ms))
}
