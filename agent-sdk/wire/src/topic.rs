//! Topics: built and read here only.
//!
//! ASCII, at most [`MAX_LEVELS`] levels. `d/{device}/…` belongs to the device that authenticated as `{device}`;
//! `v1/devices/me/…` (ThingsBoard's device topics) to whichever device is connected; `p/{nonce}/…` to a device that holds
//! only a claim credential.

use core::fmt;

/// The most levels of a topic.
pub const MAX_LEVELS: usize = 7;
/// The longest level in bytes.
pub const MAX_LEVEL_BYTES: usize = 64;

/// What a topic is for, below `d/{device}/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeviceTopic<'a> {
    /// `t`: telemetry and clock messages as CBOR, from the device.
    Telemetry,
    /// `j`: telemetry as JSON, from the device.
    TelemetryJson,
    /// `e`: fault events and crash reports, from the device.
    Event,
    /// `s`: state and presence, retained, also as the will; from the device.
    State,
    /// `c/{req}`: a command, to the device.
    Command(&'a str),
    /// `r/{req}`: the reply to the command of that request id, from the device.
    Reply(&'a str),
    /// `f/…`: firmware transfer, both ways; the levels after `f/`.
    Firmware(&'a str),
}

/// What a topic of ThingsBoard's MQTT device API is for, below `v1/devices/me/`. Answers carry the number of their request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ThingsBoard<'a> {
    /// `telemetry`: flat JSON, from the device.
    Telemetry,
    /// `attributes`: told by the device; changed shared ones, to the device.
    Attributes,
    /// `attributes/request/{n}`: the device asks for attributes.
    AttributesRequest(&'a str),
    /// `attributes/response/{n}`: what it gets.
    AttributesAnswer(&'a str),
    /// `rpc/request/{n}`: a command to the device, or a question of the device, by who publishes it.
    RpcRequest(&'a str),
    /// `rpc/response/{n}`: the answer to either.
    RpcAnswer(&'a str),
    /// `claim`: the owner's code, from the device.
    Claim,
}

/// A topic of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic<'a> {
    /// `d/{device}/…`
    Device {
        /// The device's identity within its tenant.
        device: &'a str,
        /// What it is for.
        topic: DeviceTopic<'a>,
    },
    /// `v1/devices/me/…`
    ThingsBoard(ThingsBoard<'a>),
    /// `p/{nonce}/…`
    Provisioning {
        /// Chosen by the device for this attempt.
        nonce: &'a str,
        /// The levels after the nonce.
        rest: &'a str,
    },
}

/// Why a topic or a filter is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// Too many levels.
    #[error("topic has more than 7 levels")]
    TooDeep,
    /// A level is empty, too long, or holds other characters than letters, digits and `-_.:`.
    #[error("topic level {0} must be 1 to 64 ASCII letters, digits or -_.:")]
    Level(usize),
    /// Not one of the listed topics.
    #[error("topic is none of d/{{id}}/t, j, e, s, c/{{req}}, r/{{req}}, f/…, p/{{nonce}}/… or v1/devices/me/…")]
    Unknown,
    /// The topic of another device.
    #[error("topic belongs to another device")]
    Foreign,
    /// Only the hub publishes here.
    #[error("only the hub publishes on this topic")]
    Direction,
    /// Not one of the filters that a device may subscribe to.
    #[error(
        "a device may subscribe only to d/{{id}}/c/+ and d/{{id}}/f/+ of its own, and to its v1/devices/me/ filters"
    )]
    Filter,
}

/// Whether `level` can be a device id, a request id or any other level of a topic.
pub fn is_level(level: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
    (1..=MAX_LEVEL_BYTES).contains(&level.len()) && level.bytes().all(allowed)
}

impl<'a> Topic<'a> {
    /// Reads a topic name; wildcards are never part of one.
    pub fn parse(topic: &'a str) -> Result<Self, TopicError> {
        check_levels(topic)?;
        let (first, rest) = topic.split_once('/').ok_or(TopicError::Unknown)?;
        let (second, rest) = rest.split_once('/').ok_or(TopicError::Unknown)?;
        match first {
            "d" => Ok(Self::Device {
                device: second,
                topic: DeviceTopic::parse(rest)?,
            }),
            "p" => Ok(Self::Provisioning { nonce: second, rest }),
            "v1" if second == "devices" => {
                let rest = rest.strip_prefix("me/").ok_or(TopicError::Unknown)?;
                Ok(Self::ThingsBoard(ThingsBoard::parse(rest)?))
            }
            _ => Err(TopicError::Unknown),
        }
    }
}

impl<'a> DeviceTopic<'a> {
    fn parse(rest: &'a str) -> Result<Self, TopicError> {
        let (head, tail) = rest
            .split_once('/')
            .map_or((rest, None), |(head, tail)| (head, Some(tail)));
        match (head, tail) {
            ("t", None) => Ok(Self::Telemetry),
            ("j", None) => Ok(Self::TelemetryJson),
            ("e", None) => Ok(Self::Event),
            ("s", None) => Ok(Self::State),
            ("c", Some(request)) if !request.contains('/') => Ok(Self::Command(request)),
            ("r", Some(request)) if !request.contains('/') => Ok(Self::Reply(request)),
            ("f", Some(levels)) => Ok(Self::Firmware(levels)),
            _ => Err(TopicError::Unknown),
        }
    }
}

impl<'a> ThingsBoard<'a> {
    fn parse(rest: &'a str) -> Result<Self, TopicError> {
        let (head, tail) = rest
            .rsplit_once('/')
            .map_or((rest, None), |(head, tail)| (head, Some(tail)));
        match (head, tail) {
            ("telemetry", None) => Ok(Self::Telemetry),
            ("attributes", None) => Ok(Self::Attributes),
            ("claim", None) => Ok(Self::Claim),
            ("attributes/request", Some(number)) => Ok(Self::AttributesRequest(number)),
            ("attributes/response", Some(number)) => Ok(Self::AttributesAnswer(number)),
            ("rpc/request", Some(number)) => Ok(Self::RpcRequest(number)),
            ("rpc/response", Some(number)) => Ok(Self::RpcAnswer(number)),
            _ => Err(TopicError::Unknown),
        }
    }
}

impl fmt::Display for Topic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device { device, topic } => write!(f, "d/{device}/{topic}"),
            Self::ThingsBoard(topic) => write!(f, "{THINGSBOARD}{topic}"),
            Self::Provisioning { nonce, rest } => write!(f, "p/{nonce}/{rest}"),
        }
    }
}

impl fmt::Display for DeviceTopic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Telemetry => f.write_str("t"),
            Self::TelemetryJson => f.write_str("j"),
            Self::Event => f.write_str("e"),
            Self::State => f.write_str("s"),
            Self::Command(request) => write!(f, "c/{request}"),
            Self::Reply(request) => write!(f, "r/{request}"),
            Self::Firmware(levels) => write!(f, "f/{levels}"),
        }
    }
}

impl fmt::Display for ThingsBoard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Telemetry => f.write_str("telemetry"),
            Self::Attributes => f.write_str("attributes"),
            Self::AttributesRequest(number) => write!(f, "attributes/request/{number}"),
            Self::AttributesAnswer(number) => write!(f, "attributes/response/{number}"),
            Self::RpcRequest(number) => write!(f, "rpc/request/{number}"),
            Self::RpcAnswer(number) => write!(f, "rpc/response/{number}"),
            Self::Claim => f.write_str("claim"),
        }
    }
}

const THINGSBOARD: &str = "v1/devices/me/";

/// Whether the device that authenticated as `device` may publish to `topic`, and what the topic then is.
pub fn may_publish<'a>(device: &str, topic: &'a str) -> Result<Topic<'a>, TopicError> {
    let topic = Topic::parse(topic)?;
    match topic {
        Topic::Device { device: owner, .. } if owner != device => Err(TopicError::Foreign),
        Topic::Device {
            topic: DeviceTopic::Command(_),
            ..
        }
        | Topic::ThingsBoard(ThingsBoard::AttributesAnswer(_)) => Err(TopicError::Direction),
        Topic::Device { .. } | Topic::ThingsBoard(_) => Ok(topic),
        // Its credential is a device's, not a claim.
        Topic::Provisioning { .. } => Err(TopicError::Foreign),
    }
}

/// What a device may subscribe to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subscription {
    /// `d/{id}/c/+`
    Commands,
    /// `d/{id}/f/+`
    Firmware,
    /// `v1/devices/me/attributes`: shared attributes as they change.
    Attributes,
    /// `v1/devices/me/attributes/response/+`
    AttributesAnswers,
    /// `v1/devices/me/rpc/request/+`: commands.
    RpcRequests,
    /// `v1/devices/me/rpc/response/+`: answers to the device's own questions.
    RpcAnswers,
}

impl Subscription {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Commands,
        Self::Firmware,
        Self::Attributes,
        Self::AttributesAnswers,
        Self::RpcRequests,
        Self::RpcAnswers,
    ];
}

/// Whether the device that authenticated as `device` may subscribe to `filter`, and what it then receives.
pub fn may_subscribe(device: &str, filter: &str) -> Result<Subscription, TopicError> {
    let own = filter.strip_prefix("d/").and_then(|rest| rest.strip_prefix(device));
    match (own, filter.strip_prefix(THINGSBOARD)) {
        (Some("/c/+"), _) => Ok(Subscription::Commands),
        (Some("/f/+"), _) => Ok(Subscription::Firmware),
        (_, Some("attributes")) => Ok(Subscription::Attributes),
        (_, Some("attributes/response/+")) => Ok(Subscription::AttributesAnswers),
        (_, Some("rpc/request/+")) => Ok(Subscription::RpcRequests),
        (_, Some("rpc/response/+")) => Ok(Subscription::RpcAnswers),
        _ => Err(TopicError::Filter),
    }
}

/// Whether `filter` is a topic filter of at most [`MAX_LEVELS`] levels, each a level of a topic, `+`, or a final `#`
/// (MQTT 5 §4.7.1).
pub fn is_filter(filter: &str) -> bool {
    let count = filter.split('/').count();
    let is_right = |(index, level): (usize, &str)| match level {
        "+" => true,
        "#" => index + 1 == count,
        level => is_level(level),
    };
    count <= MAX_LEVELS && filter.split('/').enumerate().all(is_right)
}

/// Whether every topic that matches `filter` also matches `granted`: it is the same filter or a narrower one.
///
/// `a/#` also matches `a` itself (MQTT 5 §4.7.1.2).
pub fn covers(granted: &str, filter: &str) -> bool {
    if !is_filter(granted) || !is_filter(filter) {
        return false;
    }
    let (mut granted, mut filter) = (granted.split('/'), filter.split('/'));
    loop {
        match (granted.next(), filter.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(level)) if level != "#" => {}
            (Some(one), Some(other)) if one == other => {}
            _ => return false,
        }
    }
}

fn check_levels(topic: &str) -> Result<(), TopicError> {
    for (index, level) in topic.split('/').enumerate() {
        if index >= MAX_LEVELS {
            return Err(TopicError::TooDeep);
        }
        if !is_level(level) {
            return Err(TopicError::Level(index + 1));
        }
    }
    Ok(())
}
