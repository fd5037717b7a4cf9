//! The birth message: who the device is and how it fares, on each connection and when something in it has changed. Drops
//! are told in it, as counts since the start that no lost message can falsify.

use super::{Agent, Device, urgent};
use crate::RECORD_HEAD_BYTES;
use crate::publish::{Publish, Token};
use crate::session::{NEVER, later};
use agent_sdk_wire::{Lane, Status, encode_status};

/// Drops while connected are told this often at most.
const DROPS_TOLD_EVERY_MS: u32 = 60_000;

const TOPIC: &str = "s";

pub(super) struct Birth {
    is_due: bool,
    /// Not before this uptime.
    not_before: u64,
    /// The one that the hub has not acknowledged yet. It will come to that: it never gives way.
    pending: Option<Token>,
    dropped_events: u32,
    dropped_telemetry: u32,
}

impl Birth {
    pub(super) const fn new() -> Self {
        Self {
            is_due: false,
            not_before: 0,
            pending: None,
            dropped_events: 0,
            dropped_telemetry: 0,
        }
    }

    /// A connection is up. If the last message is still on its way, it comes with this connection.
    pub(super) fn connected(&mut self) {
        if self.pending.is_none() {
            self.changed_now();
        }
    }

    /// Something has changed that the hub waits for.
    pub(super) fn changed_now(&mut self) {
        self.is_due = true;
        self.not_before = 0;
    }

    /// So many messages of a lane were given up.
    #[inline(never)]
    pub(super) fn count(&mut self, lane: Lane, count: u32) {
        let total = match lane {
            Lane::Event => &mut self.dropped_events,
            Lane::Telemetry => &mut self.dropped_telemetry,
        };
        *total = total.saturating_add(count);
        self.is_due = true;
    }

    /// The hub has a message.
    pub(super) fn delivered(&mut self, token: Token) {
        if self.pending == Some(token) {
            self.pending = None;
        }
    }

    /// When the next one is due, while it has to wait; else [`NEVER`].
    pub(super) fn due(&self) -> u64 {
        if self.is_due && self.pending.is_none() && self.not_before > 0 {
            self.not_before
        } else {
            NEVER
        }
    }

    fn is_to_go(&mut self, now: u64) -> bool {
        if now >= self.not_before {
            self.not_before = 0;
        }
        self.is_due && self.pending.is_none() && self.not_before == 0
    }
}

impl Agent<'_> {
    /// Puts a birth message into the outbox if one is due and there is room: no reading gives way to it.
    #[inline(never)]
    pub(super) fn send_birth(&mut self, device: &Device<'_>, now: u64) {
        if !self.session.is_online() || !self.birth.is_to_go(now) {
            return;
        }
        let status = Status {
            boot_id: self.boot_id,
            model: device.model,
            firmware: device.firmware,
            sdk: env!("CARGO_PKG_VERSION"),
            reset: device.reset,
            takes_cbor_commands: true,
            settings: u64::from(self.settings_version),
            dropped_events: u64::from(self.birth.dropped_events),
            dropped_telemetry: u64::from(self.birth.dropped_telemetry),
        };
        let Ok(payload) = encode_status(&mut *self.scratch, &status) else {
            // It will not be better the next time.
            self.birth.is_due = false;
            return;
        };
        let need = payload.len().wrapping_add(RECORD_HEAD_BYTES + TOPIC.len());
        if self.session.outbox_free_bytes() < need {
            return;
        }
        let message = Publish {
            topic: TOPIC,
            retain: true,
            ..urgent(payload)
        };
        if let Ok(token) = self.session.publish(&message) {
            self.birth.pending = Some(token);
            self.birth.is_due = false;
            self.birth.not_before = later(now, DROPS_TOLD_EVERY_MS);
        }
    }
}
