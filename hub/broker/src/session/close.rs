//! Why a connection ended, or a publish was refused. MQTT 5 tells the client by a reason code and its text; 3.1.1 has
//! none for most of these: the reason is logged and counted.

use super::login::LoginError;
use super::reason::Reason;
use agent_sdk_wire::topic::TopicError;

/// Why a connection ended, or one of its publishes or filters was refused.
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
    /// Another version; 0 stands for another protocol name.
    #[error("protocol level {0} is neither MQTT 3.1.1 nor 5.0")]
    ProtocolLevel(u8),
    /// MQTT 3.1.1 §3.1.3.1.
    #[error("no client identifier, and the session is to be kept")]
    ClientId,
    /// MQTT 5 §4.12.
    #[error("enhanced authentication is not supported")]
    Authentication,
    /// User name in neither form.
    #[error("{0}")]
    BadLogin(LoginError),
    /// Wrong, unknown or revoked.
    #[error("credential is wrong, unknown or revoked")]
    Refused,
    /// The store did not answer the question who this is, or did not keep the session.
    #[error("the store cannot be asked who this is, or cannot keep the session")]
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
    /// The client takes no packet that says anything.
    #[error("client takes packets of {0} bytes at most: too short to be answered")]
    ClientTooSmall(u32),
    /// A topic that is not the device's to publish on.
    #[error("publish on {0} refused: {1}")]
    Topic(ShownTopic, TopicError),
    /// A topic that is not UTF-8.
    #[error("topic refused: not UTF-8")]
    TopicNotUtf8,
    /// Firmware transfer from the device.
    #[error("topic refused: firmware transfer is not taken")]
    Firmware,
    /// An integrator reads, it never publishes.
    #[error("publish on {0} refused: this account only reads")]
    ReadOnly(ShownTopic),
    /// A filter that is not the client's to subscribe to.
    #[error("subscription to {0} refused: {1}")]
    Filter(ShownTopic, &'static str),
    /// MQTT 5 §3.3.2.3.4.
    #[error("topic alias {0} is beyond the maximum or was never told")]
    TopicAlias(u16),
    /// MQTT 5 §3.8.2.1.2.
    #[error("subscription identifiers are not supported")]
    SubscriptionId,
    /// A packet at a time or from a side where it makes no sense.
    #[error("unexpected packet: {0}")]
    Unexpected(&'static str),
    /// Too many publishes waiting for their commit.
    #[error("too many unacknowledged publishes at once")]
    InFlight,
    /// The same after many of them were refused (MQTT 5 §3.3.4).
    #[error("receive maximum exceeded again and again")]
    ReceiveMaximum,
    /// Over a limit of the device or its tenant.
    #[error("over a limit: {0}")]
    Quota(&'static str),
    /// A payload that the hub does not take.
    #[error("payload refused: {0}")]
    Payload(Box<str>),
    /// The access was taken away, or changed.
    #[error("access was revoked or changed")]
    Revoked,
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
            Self::ProtocolLevel(_) => "protocol_level",
            Self::ClientId => "client_id",
            Self::Authentication => "authentication",
            Self::ClientTooSmall(_) => "client_too_small",
            Self::ReadOnly(_) => "read_only",
            Self::Filter(..) => "filter",
            Self::TopicAlias(_) => "topic_alias",
            Self::SubscriptionId => "subscription_id",
            Self::ReceiveMaximum => "receive_maximum",
            Self::Quota(_) => "quota",
            Self::Payload(_) => "payload",
            Self::Revoked => "revoked",
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
            Self::Unexpected(_) => "unexpected",
            Self::InFlight => "in_flight",
            Self::KeepAlive => "keep_alive",
            Self::TakenOver => "taken_over",
            Self::WriteStalled => "write_stalled",
            Self::Full => "full",
            Self::Stopping => "stopping",
        }
    }

    /// Whether the client broke a rule or showed a wrong credential, in contrast to leaving, vanishing or our own need.
    pub fn is_refusal(&self) -> bool {
        !matches!(
            self,
            Self::Disconnected | Self::Lost | Self::KeepAlive | Self::TakenOver | Self::Stopping
        )
    }

    /// What an MQTT 5 client is told: by DISCONNECT, or by the acknowledgement of a refused publish.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Disconnected | Self::Lost => Reason::Success,
            Self::SilentConnect | Self::NotConnect | Self::Unexpected(_) => Reason::ProtocolError,
            Self::ProtocolLevel(_) => Reason::UnsupportedVersion,
            Self::ClientId => Reason::ClientId,
            Self::Authentication => Reason::BadAuthentication,
            Self::BadLogin(LoginError::Certificate) => Reason::NotAuthorised,
            Self::BadLogin(_) => Reason::BadLogin,
            Self::Refused | Self::ReadOnly(_) | Self::Firmware | Self::Filter(..) => Reason::NotAuthorised,
            Self::Topic(_, error) | Self::Will(_, error) => match error {
                TopicError::Foreign | TopicError::Direction | TopicError::Filter => Reason::NotAuthorised,
                TopicError::TooDeep | TopicError::Level(_) | TopicError::Unknown => Reason::TopicInvalid,
            },
            Self::StoreDown | Self::CommitFailed | Self::Full => Reason::Busy,
            Self::Malformed(_) | Self::TopicNotUtf8 => Reason::MalformedPacket,
            Self::Oversize(_) | Self::ClientTooSmall(_) => Reason::PacketTooLarge,
            Self::TopicAlias(_) => Reason::TopicAliasInvalid,
            Self::SubscriptionId => Reason::SubscriptionIdUnsupported,
            Self::InFlight | Self::Quota(_) => Reason::Quota,
            Self::ReceiveMaximum => Reason::ReceiveMaximum,
            Self::Payload(_) => Reason::PayloadFormat,
            Self::Revoked => Reason::Administrative,
            Self::KeepAlive => Reason::KeepAliveTimeout,
            Self::TakenOver => Reason::TakenOver,
            Self::WriteStalled => Reason::Unspecified,
            Self::Stopping => Reason::ShuttingDown,
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
