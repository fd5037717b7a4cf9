//! MQTT packets as the session core sees them: only what the core decides on, independent of codec and version.

use super::login::Login;
use bytes::Bytes;

/// A packet from the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// MQTT 3.1.1 §3.1.
    Connect(Connect),
    /// MQTT 3.1.1 §3.3.
    Publish(Publish),
    /// The device has taken our publish with this packet identifier.
    PubAck(u16),
    /// MQTT 3.1.1 §3.8.
    Subscribe {
        /// Packet identifier.
        packet_id: u16,
        /// Filters with the QoS asked for.
        filters: Vec<(String, u8)>,
    },
    /// MQTT 3.1.1 §3.10.
    Unsubscribe {
        /// Packet identifier.
        packet_id: u16,
        /// Filters to drop.
        filters: Vec<String>,
    },
    /// Sign of life.
    PingReq,
    /// The device leaves in order: its will is dropped.
    Disconnect,
    /// A packet that only a server sends, or a step of a QoS 2 exchange that was never begun.
    Unexpected(&'static str),
}

/// What the core needs of a CONNECT. The client identifier is left out on purpose: nothing is keyed by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect {
    /// In seconds; 0 means that the device promises no sign of life.
    pub keep_alive_s: u16,
    /// User name and password, if any.
    pub login: Option<Login>,
    /// Published for the device if it vanishes.
    pub will: Option<Publish>,
}

/// A PUBLISH from the device, or its will. Topic and payload are copies of their own, not views of a read buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// 0, 1 or 2.
    pub qos: u8,
    /// Packet identifier; 0 where QoS is 0.
    pub packet_id: u16,
    /// Not checked yet.
    pub topic: Bytes,
    /// Not looked into here.
    pub payload: Bytes,
}

/// A packet to the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outgoing {
    /// Answer to CONNECT; a session is never present, because subscriptions are not kept across connections.
    ConnAck(ConnectCode),
    /// A command.
    Publish {
        /// 0 or 1.
        qos: u8,
        /// Packet identifier; 0 where QoS is 0.
        packet_id: u16,
        /// Below `d/{id}/`.
        topic: String,
        /// As queued.
        payload: Bytes,
    },
    /// What the publish with this identifier carried is committed.
    PubAck(u16),
    /// One code for each filter: the granted QoS, or [`SUBSCRIBE_REFUSED`].
    SubAck {
        /// Of the SUBSCRIBE.
        packet_id: u16,
        /// In the order of the filters.
        codes: Vec<u8>,
    },
    /// Of the UNSUBSCRIBE.
    UnsubAck(u16),
    /// Answer to a ping.
    PingResp,
}

/// SUBACK code of a filter that is not granted (MQTT 3.1.1 §3.9.3).
pub const SUBSCRIBE_REFUSED: u8 = 0x80;

/// CONNACK return codes (MQTT 3.1.1 §3.2.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectCode {
    /// 0x00
    Accepted,
    /// 0x01: another version than 3.1.1.
    ProtocolLevel,
    /// 0x03: the hub cannot ask its store, or is full.
    Unavailable,
    /// 0x04: no user name, or not in one of the two forms.
    BadLogin,
    /// 0x05: unknown, revoked or wrong; or a will that the device may not publish.
    NotAuthorised,
}
