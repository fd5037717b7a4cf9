//! Messages for the client: by which topic, within which window, and which of them it has taken.

use super::packet::{Delivered, DeliveredProperties, Outgoing};
use bytes::Bytes;
use std::collections::VecDeque;

/// Something for the client. What it has not subscribed to is not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outbound {
    /// A command, on `d/{id}/c/{request}` or `v1/devices/me/rpc/request/{request}`, by what the device subscribed to.
    Command {
        /// Request id: one topic level.
        request: String,
        /// As queued.
        payload: Bytes,
        /// Derived from the command's row, so that it is the same after a restart of the hub; another one is taken where
        /// it is in use, or 0.
        packet_id: u16,
        /// Whether it was sent on an earlier connection; then it is marked as a repeat if the session is the same.
        sent_before: bool,
        /// What is left of its time, in seconds.
        expires_in_s: Option<u32>,
    },
    /// Shared attributes that changed, on `v1/devices/me/attributes`.
    Attributes {
        /// JSON.
        payload: Bytes,
    },
    /// Answer to a request for attributes.
    AttributesAnswer {
        /// Of the request.
        number: String,
        /// JSON.
        payload: Bytes,
    },
    /// Answer to the device's own question.
    RpcAnswer {
        /// Of the request.
        number: String,
        /// JSON.
        payload: Bytes,
    },
    /// Answer to a claimant, on `p/{nonce}/r`.
    Provisioned {
        /// JSON.
        payload: Bytes,
    },
    /// For an integrator.
    Publish {
        /// As published.
        topic: String,
        /// As published.
        payload: Bytes,
        /// Of the publish; lowered to what was granted by the code that matched the subscription.
        qos: u8,
        /// See [`super::Event::Subscribed`].
        retain: bool,
        /// What is left of its time, in seconds. With it, it is sent at once or not taken: what waits here does not grow older.
        expires_in_s: Option<u32>,
        /// Encoded, see [`super::packet::DeliveredProperties::passed_on`]; for MQTT 5 only.
        properties: Bytes,
    },
}

/// What became of a message for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Sent, or waiting for room in the window.
    Taken,
    /// It was sent on this connection before.
    Repeated,
    /// The client has not subscribed to it.
    NotSubscribed,
    /// Too many wait already; or its time runs, and it could not be sent at once.
    Full,
    /// The client takes no packet of this length (MQTT 5 §3.1.2.11.4).
    TooLarge,
}

/// A message whose topic is settled.
#[derive(Debug)]
pub(super) struct Addressed {
    /// Ready but for the packet identifier.
    pub(super) packet: Box<Delivered>,
    /// Request id of a command.
    pub(super) request: Option<String>,
    /// Packet identifier to use if it is free.
    pub(super) proposed: u16,
    /// Its time runs, and the caller, which has a clock, keeps it until it can be sent.
    pub(super) timed: bool,
}

impl Addressed {
    pub(super) fn new(topic: String, payload: Bytes, qos: u8) -> Self {
        let packet = Box::new(Delivered {
            dup: false,
            qos,
            packet_id: 0,
            retain: false,
            topic,
            payload,
            properties: DeliveredProperties::default(),
        });
        Self {
            packet,
            request: None,
            proposed: 0,
            timed: false,
        }
    }
}

/// Publishes sent and not acknowledged by the client at one time.
const WINDOW: usize = 16;
/// Messages that wait for room in the window; commands stay in the store too, so one more is simply not taken now.
const QUEUE_MAX: usize = 32;
/// Requests remembered as sent on this connection, so that they are not sent twice while they wait for the reply.
const REMEMBERED_MAX: usize = 256;

/// Messages on their way to the client.
#[derive(Debug, Default)]
pub(super) struct Window {
    queue: VecDeque<Addressed>,
    unacknowledged: VecDeque<(u16, Option<String>)>,
    remembered: VecDeque<String>,
    last_id: u16,
}

impl Window {
    pub(super) fn push(&mut self, message: Addressed) -> Delivery {
        let is_repeated = |request: &String| self.remembered.contains(request);
        if message.request.as_ref().is_some_and(is_repeated) {
            return Delivery::Repeated;
        }
        if self.queue.len() >= QUEUE_MAX {
            return Delivery::Full;
        }
        if let Some(request) = &message.request {
            if self.remembered.len() >= REMEMBERED_MAX {
                self.remembered.pop_front();
            }
            self.remembered.push_back(request.clone());
        }
        self.queue.push_back(message);
        Delivery::Taken
    }

    /// Whether one more message of this QoS would be sent at once.
    pub(super) fn sends_now(&self, qos: u8, receive_maximum: u16) -> bool {
        self.queue.is_empty() && (qos == 0 || self.unacknowledged.len() < window(receive_maximum))
    }

    /// Notes the client's PUBACK; gives the request where it was a command. One for something that is not under way is
    /// ignored.
    pub(super) fn acknowledged(&mut self, packet_id: u16) -> Option<String> {
        let at = self.unacknowledged.iter().position(|(id, _)| *id == packet_id)?;
        self.unacknowledged.remove(at).and_then(|(_, request)| request)
    }

    /// The next message to send, if the window of at most `receive_maximum` has room.
    pub(super) fn next(&mut self, receive_maximum: u16) -> Option<Outgoing> {
        let qos = self.queue.front()?.packet.qos;
        if qos > 0 && self.unacknowledged.len() >= window(receive_maximum) {
            return None;
        }
        let mut message = self.queue.pop_front()?;
        if qos > 0 {
            let packet_id = self.free_id(message.proposed);
            message.packet.packet_id = packet_id;
            self.unacknowledged.push_back((packet_id, message.request));
        }
        Some(Outgoing::Publish(message.packet))
    }

    fn free_id(&mut self, proposed: u16) -> u16 {
        let is_free = |id: u16| id > 0 && self.unacknowledged.iter().all(|(taken, _)| *taken != id);
        if is_free(proposed) {
            return proposed;
        }
        let mut id = self.last_id;
        // At most WINDOW of 65,535 are taken, so this ends.
        loop {
            id = id.checked_add(1).unwrap_or(1);
            if is_free(id) {
                break;
            }
        }
        self.last_id = id;
        id
    }
}

/// How many the client may have unacknowledged.
fn window(receive_maximum: u16) -> usize {
    WINDOW.min(usize::from(receive_maximum))
}
