//! Reason codes (MQTT 5 §2.4) as far as the hub sends them, and what 3.1.1 has in their place.

/// A reason code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// Success, or a normal end.
    Success = 0x00,
    /// UNSUBACK: there was nothing to drop.
    NoSubscriptionExisted = 0x11,
    /// None of the others fits.
    Unspecified = 0x80,
    /// Bytes that are no packet.
    MalformedPacket = 0x81,
    /// A packet that may not come now, or not so.
    ProtocolError = 0x82,
    /// Valid, and not taken here.
    ImplementationSpecific = 0x83,
    /// CONNACK: neither 3.1.1 nor 5.0.
    UnsupportedVersion = 0x84,
    /// CONNACK: the client identifier is not allowed.
    ClientId = 0x85,
    /// CONNACK: user name or password in neither form.
    BadLogin = 0x86,
    /// It may not do this.
    NotAuthorised = 0x87,
    /// CONNACK: the hub cannot ask its store, or is full.
    Unavailable = 0x88,
    /// DISCONNECT: the same later on.
    Busy = 0x89,
    /// The hub stops.
    ShuttingDown = 0x8B,
    /// CONNACK: enhanced authentication is not supported.
    BadAuthentication = 0x8C,
    /// No sign of life.
    KeepAliveTimeout = 0x8D,
    /// The same client connected again.
    TakenOver = 0x8E,
    /// A filter that is none, or is too deep.
    FilterInvalid = 0x8F,
    /// A topic that is none, or is not in the contract.
    TopicInvalid = 0x90,
    /// PUBCOMP: nothing was to be released.
    PacketIdNotFound = 0x92,
    /// More publishes at once than granted.
    ReceiveMaximum = 0x93,
    /// A topic alias beyond the maximum, or never told.
    TopicAliasInvalid = 0x94,
    /// Longer than granted.
    PacketTooLarge = 0x95,
    /// Faster than granted.
    RateTooHigh = 0x96,
    /// Over a limit of the device or its tenant.
    Quota = 0x97,
    /// An administrator took the access away.
    Administrative = 0x98,
    /// The payload is not what the topic promises.
    PayloadFormat = 0x99,
    /// `$share` is not supported.
    SharedUnsupported = 0x9E,
    /// Too many connections in a short time.
    ConnectionRate = 0x9F,
    /// Subscription identifiers are not supported.
    SubscriptionIdUnsupported = 0xA1,
}

impl Reason {
    /// As on the wire of MQTT 5.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// Whether something was refused.
    pub fn is_error(self) -> bool {
        self.code() >= 0x80
    }

    /// The CONNACK return code of MQTT 3.1.1 (§3.2.2.3).
    pub fn connack_v4(self) -> u8 {
        match self {
            Self::Success => 0x00,
            Self::UnsupportedVersion => 0x01,
            Self::ClientId => 0x02,
            Self::BadLogin => 0x04,
            Self::NotAuthorised | Self::Administrative | Self::TopicInvalid | Self::BadAuthentication => 0x05,
            _ => 0x03,
        }
    }
}
