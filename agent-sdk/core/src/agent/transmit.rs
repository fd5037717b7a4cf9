//! What drives the session, and what the agent has to say before all else.

use super::clock::HOLD_MS;
use super::{Agent, Device};
use crate::hub;
use crate::identity::{Identity, Will};
use crate::session::{NEVER, later};
use agent_sdk_wire::{Clock as ClockMessage, GONE, encode_clock};

/// What is subscribed to: commands, and the hub's own topics for its time and for settings.
const FILTERS: &[&str] = &["c/+", hub::ANSWERS, hub::ATTRIBUTES, hub::ATTRIBUTE_ANSWERS];

/// Short messages that are to be told, as bits; the lowest goes first. The pair of clocks.
const TELL_CLOCK: u8 = 1;
/// What time it is.
const ASK_TIME: u8 = 2;
/// The settings that hold.
const ASK_SETTINGS: u8 = 4;

impl Agent<'_> {
    /// The transport is connected; see [`crate::Session::handle_connected`].
    pub fn handle_connected(&mut self, now: u64, entropy: u32) {
        self.session.handle_connected(now, entropy);
    }

    /// The transport is closed, or could not be opened; see [`crate::Session::handle_disconnected`].
    pub fn handle_disconnected(&mut self, now: u64) {
        self.session.handle_disconnected(now);
    }

    /// Bytes came; see [`crate::Session::handle_bytes`].
    #[must_use = "bytes that were not taken have to be handed in again"]
    pub fn handle_bytes(&mut self, bytes: &[u8], now: u64) -> usize {
        self.session.handle_bytes(bytes, now)
    }

    /// Time has passed: closes a batch that is due, and ends a connection whose answers are overdue.
    pub fn handle_timeout(&mut self, now: u64) {
        self.close_due_batch(now);
        self.session.handle_timeout(now);
    }

    /// Says goodbye; see [`crate::Session::close`]. The open batch goes into the outbox and waits there.
    pub fn close(&mut self) {
        self.close_batch();
        self.session.close();
    }

    /// When to open the transport; `None` while there is one.
    pub fn next_connect_at(&self) -> Option<u64> {
        self.session.next_connect_at()
    }

    /// When to come back even if nothing happens, to [`Self::handle_timeout`] and [`Self::poll_transmit`], or to connect.
    pub fn next_deadline(&self) -> Option<u64> {
        Some(self.due()).filter(|due| *due < NEVER)
    }

    fn due(&self) -> u64 {
        let due = self.session.due().min(self.batch_due());
        if self.session.is_online() {
            due.min(self.birth.due())
        } else {
            due
        }
    }

    /// Writes what is due into `out`, and gives how many bytes that is; 0 if nothing is due. To be called after
    /// [`Self::poll_event`], and until it gives 0; all of it has to be handed to the transport, in this order.
    #[must_use = "what was written has to be handed to the transport"]
    pub fn poll_transmit(&mut self, device: &Device<'_>, out: &mut [u8], now: u64) -> usize {
        let identity = Identity {
            client_id: device.client_id,
            credentials: device.credentials,
            will: Some(Will {
                topic: "s",
                payload: GONE,
            }),
            topic_prefix: device.topic_prefix,
            subscriptions: FILTERS,
        };
        self.close_due_batch(now);
        let mut used = 0_usize;
        loop {
            self.send_birth(device, now);
            self.tell_next(now);
            let room = out.get_mut(used..).unwrap_or_default();
            let written = self.session.poll_transmit(&identity, room, now);
            if written == 0 {
                return used;
            }
            used = used.wrapping_add(written);
        }
    }

    /// A connection is up: what is known is told at once, and what is not known holds the records back.
    pub(super) fn connected(&mut self, now: u64) {
        self.birth.connected();
        self.clock.connected();
        if self.clock.is_known {
            self.to_tell = TELL_CLOCK;
        } else {
            self.to_tell = 0;
            self.session.hold_until(later(now, HOLD_MS));
        }
    }

    /// The hub would now hear answers to questions.
    pub(super) fn subscribed(&mut self) {
        self.to_tell |= ASK_SETTINGS;
        if !self.clock.is_known {
            self.to_tell |= ASK_TIME;
        }
    }

    /// The pair goes out before the records that it places.
    pub(super) fn clock_is_known(&mut self) {
        self.to_tell |= TELL_CLOCK;
        self.to_tell &= !ASK_TIME;
        self.session.hold_until(0);
    }

    #[inline(never)]
    fn tell_next(&mut self, now: u64) {
        if self.to_tell == 0 || !self.session.is_online() || self.session.is_telling() {
            return;
        }
        if self.to_tell & TELL_CLOCK != 0 {
            self.to_tell &= !TELL_CLOCK;
            self.tell_clock();
        } else if self.to_tell & ASK_TIME != 0 {
            self.to_tell &= !ASK_TIME;
            self.clock.asked(now);
            let question = br#"{"method":"getCurrentTime"}"#;
            self.session.tell(self.clock.question_topic(), question);
        } else {
            self.to_tell &= !ASK_SETTINGS;
            let question = br#"{"sharedKeys":"reporting"}"#;
            self.session.tell(hub::ATTRIBUTE_QUESTION, question);
        }
    }

    fn tell_clock(&mut self) {
        let clock = ClockMessage {
            boot_id: self.boot_id,
            uptime_ms: self.clock.uptime_ms,
            utc_ms: i64::try_from(self.clock.utc_ms).unwrap_or(i64::MAX),
        };
        // Both clocks and the boot are within the contract's bounds, and the message has at most 29 bytes.
        self.session
            .tell_written("t", |bytes| encode_clock(bytes, &clock).ok().map(<[u8]>::len));
    }
}
