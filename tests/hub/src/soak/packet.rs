//! The few packets of a publisher, in both versions of MQTT.

use crate::mqtt::{frame, text};
use crate::site::SECRET;

/// Which MQTT a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 3.1.1.
    V4,
    /// 5.0.
    V5,
}

/// How long the hub may keep the session of a client that is away, in seconds (MQTT 5, §3.1.2.11.2).
const SESSION_EXPIRY_S: u32 = 3_600;
const KEEP_ALIVE_S: u16 = 60;

impl Version {
    /// A CONNECT that goes on with the session that it left.
    pub(super) fn connect(self, device: &str) -> Vec<u8> {
        let level = if self == Self::V4 { 4 } else { 5 };
        let mut body = [&text("MQTT")[..], &[level, 0b1100_0000]].concat();
        body.extend(KEEP_ALIVE_S.to_be_bytes());
        if self == Self::V5 {
            body.extend([5, 0x11]);
            body.extend(SESSION_EXPIRY_S.to_be_bytes());
        }
        let user_name = format!("acme/{device}");
        body.extend([device, &user_name, SECRET].map(text).concat());
        frame(0x10, &body)
    }

    /// A PUBLISH at QoS 1 or 2.
    pub(super) fn publish(self, topic: &str, id: u16, payload: &[u8], qos: u8, again: bool) -> Vec<u8> {
        let mut body = text(topic);
        body.extend(id.to_be_bytes());
        if self == Self::V5 {
            // No properties.
            body.push(0);
        }
        body.extend(payload);
        frame(0x30 | (u8::from(again) << 3) | (qos << 1), &body)
    }
}

/// A PUBREL; without a reason it is the same in both versions.
pub(super) fn release(id: u16) -> Vec<u8> {
    frame(0x62, &id.to_be_bytes())
}

/// What the hub says to a publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// CONNACK with its code.
    Connected(u8),
    /// PUBACK.
    Acknowledged(u16),
    /// PUBREC.
    Received(u16),
    /// PUBCOMP.
    Complete(u16),
    /// Anything else, and every refusal: first byte and reason.
    Other(u8, u8),
}

impl Answer {
    /// Of a packet's first byte and body. `None` if it is cut off.
    pub(super) fn read(kind: u8, body: &[u8]) -> Option<Self> {
        if kind == 0x20 {
            return Some(Self::Connected(*body.get(1)?));
        }
        // A reason may be left out where it is success (MQTT 5, §3.4.2.1).
        let reason = body.get(2).copied().unwrap_or(0);
        let id = || Some(u16::from_be_bytes(body.get(..2)?.try_into().ok()?));
        Some(match kind {
            0x40 if reason < 0x80 => Self::Acknowledged(id()?),
            0x50 if reason < 0x80 => Self::Received(id()?),
            // Unknown to the hub is as good: it was released before.
            0x70 if reason < 0x80 || reason == 0x92 => Self::Complete(id()?),
            // DISCONNECT begins with its reason.
            0xE0 => Self::Other(kind, body.first().copied().unwrap_or(0)),
            _ => Self::Other(kind, reason),
        })
    }
}
