//! What is under way in each direction, bounded: publishes that wait for their commit, commands that wait for the
//! device's PUBACK.

use super::packet::Outgoing;
use bytes::Bytes;
use std::collections::VecDeque;

/// Publishes that wait for their commit, in order of receipt.
#[derive(Debug, Default)]
pub(super) struct Inbound {
    waiting: VecDeque<Waiting>,
    next: u64,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    /// `None` for QoS 0.
    packet_id: Option<u16>,
    committed: bool,
}

impl Inbound {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Takes a publish in and gives it a number.
    pub(super) fn push(&mut self, packet_id: Option<u16>) -> u64 {
        let number = self.next;
        self.next += 1;
        self.waiting.push_back(Waiting {
            number,
            packet_id,
            committed: false,
        });
        number
    }

    /// Notes a commit; gives the acknowledgements that are due now. They go out in the order of receipt
    /// (MQTT 3.1.1 §4.6), so a later publish waits for an earlier one.
    pub(super) fn committed(&mut self, number: u64) -> Vec<Outgoing> {
        if let Some(entry) = self.waiting.iter_mut().find(|w| w.number == number) {
            entry.committed = true;
        }
        let mut due = Vec::new();
        while self.waiting.front().is_some_and(|w| w.committed) {
            let packet_id = self.waiting.pop_front().and_then(|w| w.packet_id);
            due.extend(packet_id.map(Outgoing::PubAck));
        }
        due
    }
}

/// Commands sent and not acknowledged by the device at one time.
const WINDOW: usize = 16;
/// Commands that wait for room in the window; they stay in the store too, so one more is simply not taken now.
const QUEUE_MAX: usize = 32;
/// Requests remembered as sent on this connection, so that they are not sent twice while they wait for the reply.
const REMEMBERED_MAX: usize = 256;

/// Commands on their way to the device.
#[derive(Debug, Default)]
pub(super) struct Outbound {
    queue: VecDeque<(String, Bytes)>,
    unacknowledged: VecDeque<u16>,
    remembered: VecDeque<String>,
    last_id: u16,
}

/// What became of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Sent, or waiting for room in the window.
    Taken,
    /// It was sent on this connection before.
    Repeated,
    /// The device has not subscribed to commands.
    NotSubscribed,
    /// Too many wait already; it stays in the store.
    Full,
}

impl Outbound {
    pub(super) fn push(&mut self, request: &str, topic: String, payload: Bytes) -> Delivery {
        if self.remembered.iter().any(|r| r == request) {
            return Delivery::Repeated;
        }
        if self.queue.len() >= QUEUE_MAX {
            return Delivery::Full;
        }
        if self.remembered.len() >= REMEMBERED_MAX {
            self.remembered.pop_front();
        }
        self.remembered.push_back(request.to_owned());
        self.queue.push_back((topic, payload));
        Delivery::Taken
    }

    /// Notes the device's PUBACK; one for something that is not under way is ignored.
    pub(super) fn acknowledged(&mut self, packet_id: u16) {
        self.unacknowledged.retain(|id| *id != packet_id);
    }

    /// The next command to send at `qos`, if the window has room.
    pub(super) fn next(&mut self, qos: u8) -> Option<Outgoing> {
        if qos > 0 && self.unacknowledged.len() >= WINDOW {
            return None;
        }
        let (topic, payload) = self.queue.pop_front()?;
        let packet_id = if qos > 0 { self.take_id() } else { 0 };
        Some(Outgoing::Publish {
            qos,
            packet_id,
            topic,
            payload,
        })
    }

    fn take_id(&mut self) -> u16 {
        // At most WINDOW of 65,535 are taken, so this ends.
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            if !self.unacknowledged.contains(&self.last_id) {
                self.unacknowledged.push_back(self.last_id);
                return self.last_id;
            }
        }
    }
}
