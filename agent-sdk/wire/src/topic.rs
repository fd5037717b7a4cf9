//! Topics: built and read here only.
//!
//! ASCII, at most [`MAX_LEVELS`] levels. `d/{device}/…` belongs to the device that authenticated as `{device}`;
//! `p/{nonce}/…` to a device that holds only a claim credential.

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
    #[error("topic is none of d/{{id}}/t, j, e, s, c/{{req}}, r/{{req}}, f/… or p/{{nonce}}/…")]
    Unknown,
    /// The topic of another device.
    #[error("topic belongs to another device")]
    Foreign,
    /// Only the hub publishes here.
    #[error("only the hub publishes on this topic")]
    Direction,
    /// Devices may subscribe only to `d/{id}/c/+` and `d/{id}/f/+`.
    #[error("a device may subscribe only to d/{{id}}/c/+ and d/{{id}}/f/+ of its own")]
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

impl fmt::Display for Topic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device { device, topic } => write!(f, "d/{device}/{topic}"),
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

/// Whether the device that authenticated as `device` may publish to `topic`, and what the topic then is.
pub fn may_publish<'a>(device: &str, topic: &'a str) -> Result<DeviceTopic<'a>, TopicError> {
    match Topic::parse(topic)? {
        Topic::Device { device: owner, .. } if owner != device => Err(TopicError::Foreign),
        Topic::Device {
            topic: DeviceTopic::Command(_),
            ..
        } => Err(TopicError::Direction),
        Topic::Device { topic, .. } => Ok(topic),
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
}

/// Whether the device that authenticated as `device` may subscribe to `filter`, and what it then receives.
pub fn may_subscribe(device: &str, filter: &str) -> Result<Subscription, TopicError> {
    let rest = filter.strip_prefix("d/").and_then(|rest| rest.strip_prefix(device));
    match rest {
        Some("/c/+") => Ok(Subscription::Commands),
        Some("/f/+") => Ok(Subscription::Firmware),
        _ => Err(TopicError::Filter),
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
