//! MQTT packets as the session core sees them: only what the core decides on, independent of the codec. What only
//! MQTT 5.0 has is at its default where 3.1.1 was spoken.

use super::login::Login;
use super::reason::Reason;
use bytes::{Bytes, BytesMut};

/// Which MQTT the client speaks, by the protocol level of its CONNECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 3.1.1, level 4.
    V4,
    /// 5.0, level 5.
    V5,
}

/// A packet from the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// MQTT 5 §3.1.
    Connect(Box<Connect>),
    /// MQTT 5 §3.3.
    Publish(Publish),
    /// The client has taken our publish with this packet identifier, or refused it.
    PubAck(u16),
    /// Second step of a QoS 2 publish of the client (MQTT 5 §3.6).
    PubRel(u16),
    /// MQTT 5 §3.8.
    Subscribe(Box<Subscribe>),
    /// MQTT 5 §3.10.
    Unsubscribe {
        /// Packet identifier, never 0.
        packet_id: u16,
        /// Filters to drop, at least one.
        filters: Vec<String>,
    },
    /// Sign of life.
    PingReq,
    /// The client leaves in order.
    Disconnect {
        /// As sent; 0x00 in 3.1.1.
        reason: u8,
        /// MQTT 5 §3.14.2.2.2: a changed session expiry.
        session_expiry_s: Option<u32>,
    },
    /// A packet that only a server sends, or a step of an exchange that was never begun.
    Unexpected(&'static str),
}

/// What the core needs of a CONNECT. The client identifier itself is left out on purpose: nothing is keyed by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect {
    /// Decides about all answers.
    pub version: Version,
    /// Whether a client identifier is given.
    pub client_id: bool,
    /// Clean start, or clean session in 3.1.1.
    pub clean_start: bool,
    /// In seconds; 0 means that the client promises no sign of life.
    pub keep_alive_s: u16,
    /// User name and password, if any.
    pub login: Option<Login>,
    /// Published for the client if it vanishes.
    pub will: Option<Will>,
    /// MQTT 5 only.
    pub properties: ConnectProperties,
}

/// Of a CONNECT (MQTT 5 §3.1.2.11), with the defaults of that section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectProperties {
    /// Session expiry interval. `None` where absent, which means 0; in 3.1.1 the session expires with us as configured.
    pub session_expiry_s: Option<u32>,
    /// Publishes of QoS 1 and 2 that the client takes at one time, never 0.
    pub receive_maximum: u16,
    /// The longest packet that the client takes, never 0.
    pub packet_bytes_max: u32,
    /// Whether reason strings may be sent on acknowledgements.
    pub problem_information: bool,
    /// Enhanced authentication is asked for.
    pub authentication: bool,
}

impl Default for ConnectProperties {
    fn default() -> Self {
        Self {
            session_expiry_s: None,
            receive_maximum: u16::MAX,
            packet_bytes_max: u32::MAX,
            problem_information: true,
            authentication: false,
        }
    }
}

/// A will (MQTT 5 §3.1.2.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Will {
    /// Its packet identifier is 0.
    pub publish: Publish,
    /// Not published before this has passed after the connection's end.
    pub delay_s: u32,
}

/// A PUBLISH from the client, or its will.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// 0, 1 or 2.
    pub qos: u8,
    /// Packet identifier; 0 where QoS is 0.
    pub packet_id: u16,
    /// Whether it is to be retained.
    pub retain: bool,
    /// MQTT 5 §3.3.2.3.4, never 0.
    pub alias: Option<u16>,
    /// Topic, not checked yet and empty where the alias stands for it, and payload.
    pub message: Message,
}

/// Topic, properties and payload of a publish, together in one piece of memory of their own: never a view of a read buffer.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    bytes: Bytes,
    properties_bytes: u32,
    topic_bytes: u16,
}

/// A message expiry interval as it is encoded: its identifier (MQTT 5 §3.3.2.3.3), and four bytes.
const EXPIRY: u8 = 2;
const EXPIRY_BYTES: usize = 5;

impl Message {
    /// Copies both; without properties. A topic beyond 65,535 bytes, which no packet can hold, is cut.
    pub fn new(topic: &[u8], payload: &[u8]) -> Self {
        Self::with_properties(topic, &[], payload)
    }

    /// Copies all three. `properties` are those that go on with the message (MQTT 5 §3.3.2.3), checked and encoded as in
    /// a packet without their length: the message expiry interval first, if there is one, the others in the order in which
    /// they came. More than 4 GiB of them, which no packet can hold, are left out.
    pub fn with_properties(topic: &[u8], properties: &[u8], payload: &[u8]) -> Self {
        let topic_bytes = u16::try_from(topic.len()).unwrap_or(u16::MAX);
        let topic = topic.get(..usize::from(topic_bytes)).unwrap_or_default();
        let properties_bytes = u32::try_from(properties.len()).unwrap_or(0);
        let properties = properties.get(..properties_bytes as usize).unwrap_or_default();
        let mut bytes = BytesMut::with_capacity(topic.len() + properties.len() + payload.len());
        bytes.extend_from_slice(topic);
        bytes.extend_from_slice(properties);
        bytes.extend_from_slice(payload);
        Self {
            bytes: bytes.freeze(),
            properties_bytes,
            topic_bytes,
        }
    }

    /// The same on another topic.
    pub fn on(&self, topic: &[u8]) -> Self {
        let properties = self.bytes.get(usize::from(self.topic_bytes)..self.payload_at());
        Self::with_properties(topic, properties.unwrap_or_default(), self.payload())
    }

    /// The topic as it came.
    pub fn topic_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.topic_bytes)).unwrap_or_default()
    }

    /// The topic, or nothing where it is not UTF-8: what passed the session's rules always is.
    pub fn topic(&self) -> &str {
        std::str::from_utf8(self.topic_bytes()).unwrap_or_default()
    }

    /// The payload in place.
    pub fn payload(&self) -> &[u8] {
        self.bytes.get(self.payload_at()..).unwrap_or_default()
    }

    /// The payload as a shared handle on the same memory.
    pub fn to_payload(&self) -> Bytes {
        self.bytes.slice(self.payload_at()..)
    }

    /// The message expiry interval, in seconds from its receipt.
    pub fn expiry_s(&self) -> Option<u32> {
        let properties = self.bytes.get(usize::from(self.topic_bytes)..self.payload_at())?;
        match properties.split_first_chunk::<EXPIRY_BYTES>()?.0 {
            [EXPIRY, seconds @ ..] => Some(u32::from_be_bytes(*seconds)),
            _ => None,
        }
    }

    /// The properties without the expiry, encoded, as a shared handle on the same memory.
    pub fn to_properties(&self) -> Bytes {
        let expiry = if self.expiry_s().is_some() { EXPIRY_BYTES } else { 0 };
        self.bytes
            .slice(usize::from(self.topic_bytes) + expiry..self.payload_at())
    }

    fn payload_at(&self) -> usize {
        usize::from(self.topic_bytes) + self.properties_bytes as usize
    }

    /// How much it holds.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there is neither topic nor properties nor payload.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let topic = String::from_utf8_lossy(self.topic_bytes());
        write!(f, "{topic:?} with {} bytes", self.payload().len())
    }
}

/// A SUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribe {
    /// Packet identifier, never 0.
    pub packet_id: u16,
    /// At least one.
    pub filters: Vec<Filter>,
    /// Whether it carries a subscription identifier (MQTT 5 §3.8.2.1.2).
    pub identifier: bool,
}

/// One filter of a SUBSCRIBE with its options (MQTT 5 §3.8.3.1). No-local is read and of no effect: who may subscribe to
/// what others publish here publishes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Not checked yet.
    pub path: String,
    /// 0, 1 or 2.
    pub qos: u8,
    /// Whether publishes keep their retain flag on the way to the client.
    pub retain_as_published: bool,
    /// Whether retained messages are sent at once.
    pub retain_handling: RetainHandling,
}

/// When retained messages are sent (MQTT 5 §3.8.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetainHandling {
    /// 0, and always in 3.1.1.
    Always,
    /// 1: only where the subscription did not exist.
    New,
    /// 2
    Never,
}

/// A packet to the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outgoing {
    /// Answer to CONNECT.
    ConnAck {
        /// Whether the client finds its session again.
        present: bool,
        /// Success, or why not.
        reason: Reason,
        /// What MQTT 5 says in addition; only with success.
        granted: Option<Box<Granted>>,
    },
    /// A message for the client.
    Publish(Box<Delivered>),
    /// What the publish with this identifier carried is committed, or refused.
    PubAck(Ack),
    /// The same at QoS 2.
    PubRec(Ack),
    /// The packet identifier is free again.
    PubComp(Ack),
    /// One code for each filter.
    SubAck {
        /// Of the SUBSCRIBE.
        packet_id: u16,
        /// In the order of the filters: the granted QoS, or a reason of 0x80 and above.
        codes: Vec<u8>,
    },
    /// One reason for each filter; 3.1.1 has none on the wire.
    UnsubAck {
        /// Of the UNSUBSCRIBE.
        packet_id: u16,
        /// In the order of the filters.
        reasons: Vec<Reason>,
    },
    /// Answer to a ping.
    PingResp,
    /// MQTT 5 only: why the connection ends.
    Disconnect {
        /// The code.
        reason: Reason,
        /// For a person.
        text: Box<str>,
    },
}

impl Outgoing {
    /// A CONNACK that refuses.
    pub fn refusal(reason: Reason) -> Self {
        Self::ConnAck {
            present: false,
            reason,
            granted: None,
        }
    }
}

/// An acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    /// Of the publish.
    pub packet_id: u16,
    /// On the wire in MQTT 5 only.
    pub reason: Reason,
    /// For a person; on the wire in MQTT 5 only.
    pub text: Option<Box<str>>,
}

/// A PUBLISH to the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// May have been sent before.
    pub dup: bool,
    /// 0 or 1.
    pub qos: u8,
    /// Packet identifier; 0 where QoS is 0.
    pub packet_id: u16,
    /// As MQTT 5 §3.3.1.3 wants it.
    pub retain: bool,
    /// Checked by the code that made it.
    pub topic: String,
    /// Not looked into.
    pub payload: Bytes,
    /// MQTT 5 only.
    pub properties: DeliveredProperties,
}

/// Of a PUBLISH to an MQTT 5 client.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeliveredProperties {
    /// What is left of the message's time, in seconds.
    pub message_expiry_s: Option<u32>,
    /// Where an answer is awaited.
    pub response_topic: Option<String>,
    /// What the answer is about.
    pub correlation_data: Option<Bytes>,
    /// Those that the publisher gave and that go on unaltered, encoded and in their order (MQTT 5 §3.3.2.3); none of the
    /// above is among them where it is set.
    pub passed_on: Bytes,
}

/// What the hub grants an MQTT 5 client in CONNACK. What is the same for all — QoS 2, retained messages, wildcards; no
/// subscription identifiers, no shared subscriptions — is the codec's to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// Where it differs from what was asked for.
    pub session_expiry_s: Option<u32>,
    /// Publishes of QoS 1 and 2 that the hub takes at one time.
    pub receive_maximum: u16,
    /// The longest packet that the hub takes.
    pub packet_bytes_max: u32,
    /// Topic aliases that the hub remembers.
    pub topic_alias_max: u16,
    /// Where it differs from what was promised.
    pub server_keep_alive_s: Option<u16>,
    /// Where the client gave none.
    pub assigned_client_id: Option<String>,
}
