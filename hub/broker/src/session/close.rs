//! Why a connection ended. MQTT 3.1.1 has no code for most of these: the reason is logged and counted.

use super::login::LoginError;
use agent_sdk_wire::topic::TopicError;

/// Why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    /// The device said so.
    #[error("disconnected in order")]
    Disconnected,
    /// The network's end was reached without a DISCONNECT.
    #[error("connection lost")]
    Lost,
    /// Nothing complete came in time.
    #[error("no complete CONNECT within the allowed time")]
    SilentConnect,
    /// Something else came first.
    #[error("first packet is not CONNECT")]
    NotConnect,
    /// Another version.
    #[error("protocol is not MQTT 3.1.1")]
    ProtocolLevel,
    /// User name in neither form.
    #[error("{0}")]
    BadLogin(LoginError),
    /// Wrong, unknown or revoked.
    #[error("credential is wrong, unknown or revoked")]
    Refused,
    /// The store did not answer the question who this is.
    #[error("the store cannot be asked who this is")]
    StoreDown,
    /// The store did not commit in time; the device keeps its readings and comes again.
    #[error("readings could not be committed in time")]
    CommitFailed,
    /// The will's topic is not one of the device's own.
    #[error("will on {0} refused: {1}")]
    Will(ShownTopic, TopicError),
    /// Bytes that are no packet.
    #[error("malformed packet: {0}")]
    Malformed(String),
    /// Longer than the bound.
    #[error("packet of {0} bytes is longer than allowed")]
    Oversize(usize),
    /// A topic that is not the device's to publish on.
    #[error("publish on {0} refused: {1}")]
    Topic(ShownTopic, TopicError),
    /// A topic that is not UTF-8.
    #[error("topic refused: not UTF-8")]
    TopicNotUtf8,
    /// Firmware transfer from the device.
    #[error("topic refused: firmware transfer is not taken")]
    Firmware,
    /// Only QoS 0 and 1 are taken.
    #[error("QoS 2 is not taken: use QoS 1, repeats are recognised")]
    QosTwo,
    /// A packet at a time or from a side where it makes no sense.
    #[error("unexpected packet: {0}")]
    Unexpected(&'static str),
    /// Too many publishes waiting for their commit.
    #[error("too many unacknowledged publishes at once")]
    InFlight,
    /// No sign of life for one and a half times the keepalive.
    #[error("no sign of life within the keepalive")]
    KeepAlive,
    /// It came again.
    #[error("the same device connected again")]
    TakenOver,
    /// It does not read what it is sent.
    #[error("device does not read what it is sent")]
    WriteStalled,
    /// The hub is full.
    #[error("too many connections")]
    Full,
    /// The hub stops.
    #[error("hub is stopping")]
    Stopping,
}

impl CloseReason {
    /// A short fixed name, for counters.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Disconnected => "disconnected",
            Self::Lost => "lost",
            Self::SilentConnect => "silent_connect",
            Self::NotConnect => "not_connect",
            Self::ProtocolLevel => "protocol_level",
            Self::BadLogin(_) => "bad_login",
            Self::Refused => "refused",
            Self::StoreDown => "store_down",
            Self::CommitFailed => "commit_failed",
            Self::Will(..) => "will",
            Self::Malformed(_) => "malformed",
            Self::Oversize(_) => "oversize",
            Self::Topic(_, TopicError::Foreign) => "foreign_topic",
            Self::Topic(..) | Self::TopicNotUtf8 => "topic",
            Self::Firmware => "firmware",
            Self::QosTwo => "qos_two",
            Self::Unexpected(_) => "unexpected",
            Self::InFlight => "in_flight",
            Self::KeepAlive => "keep_alive",
            Self::TakenOver => "taken_over",
            Self::WriteStalled => "write_stalled",
            Self::Full => "full",
            Self::Stopping => "stopping",
        }
    }

    /// Whether the device broke a rule or showed a wrong credential, in contrast to leaving, vanishing or our own need.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Disconnected | Self::Lost | Self::KeepAlive | Self::TakenOver | Self::Stopping => false,
            Self::SilentConnect
            | Self::NotConnect
            | Self::ProtocolLevel
            | Self::BadLogin(_)
            | Self::Refused
            | Self::StoreDown
            | Self::CommitFailed
            | Self::Will(..)
            | Self::Malformed(_)
            | Self::Oversize(_)
            | Self::Topic(..)
            | Self::TopicNotUtf8
            | Self::Firmware
            | Self::QosTwo
            | Self::Unexpected(_)
            | Self::InFlight
            | Self::WriteStalled
            | Self::Full => true,
        }
    }
}

/// A topic as a device named it, safe to print: escaped, and cut to [`ShownTopic::CHARS_MAX`] characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownTopic(String);

impl ShownTopic {
    /// Characters shown before escaping.
    pub const CHARS_MAX: usize = 80;

    /// Takes any text.
    pub fn new(topic: &str) -> Self {
        Self(topic.chars().take(Self::CHARS_MAX).collect())
    }
}

impl std::fmt::Display for ShownTopic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.0)
    }
}
