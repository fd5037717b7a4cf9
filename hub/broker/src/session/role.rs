//! What each kind of client may publish and subscribe to.

use super::close::{CloseReason, ShownTopic};
use super::packet::Message;
use super::reason::Reason;
use agent_sdk_wire::topic::{
    DeviceTopic, Subscription, ThingsBoard, Topic, TopicError, covers, is_filter, may_publish, may_subscribe,
};
use hub_core::id::DeviceId;
use hub_store::session::SUBSCRIPTIONS_MAX;

/// What a publish is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Readings or a clock pair, CBOR.
    Telemetry,
    /// Readings, JSON.
    TelemetryJson,
    /// A fault or a report, CBOR.
    Event,
    /// The device's own state.
    State,
    /// Answer to the command of this request id.
    Reply(String),
    /// Attributes that the device tells, JSON.
    Attributes,
    /// The device asks for attributes; answered under this number.
    AttributesRequest(String),
    /// A question of the device to the hub; answered under this number.
    DeviceRpc(String),
    /// The owner's code.
    OwnerClaim,
    /// A claimant asks for a credential; the nonce of its topic.
    Provision(String),
}

impl Kind {
    /// Whether it goes into the store by ingest: only then the store can keep a packet identifier with it.
    pub fn is_ingested(&self) -> bool {
        match self {
            Self::Telemetry | Self::TelemetryJson | Self::Event | Self::State | Self::Reply(_) | Self::Attributes => {
                true
            }
            Self::AttributesRequest(_) | Self::DeviceRpc(_) | Self::OwnerClaim | Self::Provision(_) => false,
        }
    }
}

/// What a publish of `device` on `topic` is for, if it may publish there.
pub(crate) fn kind_of(device: &DeviceId, topic: &str) -> Result<Kind, CloseReason> {
    let refused = |error| CloseReason::Topic(ShownTopic::new(topic), error);
    device_kind(may_publish(device.as_str(), topic).map_err(refused)?)
        .map_err(|error| error.map_or(CloseReason::Firmware, refused))
}

/// Who is connected.
#[derive(Debug)]
pub(super) enum Role {
    Device {
        id: DeviceId,
        granted: Granted,
    },
    Integrator(Box<Integrator>),
    /// With the nonce that its first publish or subscription named.
    Claimant {
        nonce: Option<String>,
        /// QoS of `p/{nonce}/r`.
        granted: Option<u8>,
    },
}

/// Granted QoS of each filter that a device may subscribe to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Granted([Option<u8>; Subscription::ALL.len()]);

impl Granted {
    pub(super) fn get(self, subscription: Subscription) -> Option<u8> {
        self.0.get(subscription as usize).copied().flatten()
    }

    pub(super) fn set(&mut self, subscription: Subscription, qos: Option<u8>) {
        if let Some(place) = self.0.get_mut(subscription as usize) {
            *place = qos;
        }
    }

    /// Reads what was kept. A filter that is none any more is left out.
    pub(super) fn restore(device: &DeviceId, kept: &[(String, u8)]) -> Self {
        let mut granted = Self::default();
        for (filter, qos) in kept {
            if let Ok(subscription) = may_subscribe(device.as_str(), filter) {
                granted.set(subscription, Some((*qos).min(1)));
            }
        }
        granted
    }

    /// What is to be kept.
    pub(super) fn to_kept(self, device: &DeviceId) -> Vec<(String, u8)> {
        let kept = |subscription| self.get(subscription).map(|qos| (filter(device, subscription), qos));
        Subscription::ALL.into_iter().filter_map(kept).collect()
    }

    /// Whether commands reach the device.
    pub(super) fn hears_commands(self) -> bool {
        self.get(Subscription::Commands).is_some() || self.get(Subscription::RpcRequests).is_some()
    }
}

fn filter(device: &DeviceId, subscription: Subscription) -> String {
    match subscription {
        Subscription::Commands => format!("d/{device}/c/+"),
        Subscription::Firmware => format!("d/{device}/f/+"),
        Subscription::Attributes => "v1/devices/me/attributes".into(),
        Subscription::AttributesAnswers => "v1/devices/me/attributes/response/+".into(),
        Subscription::RpcRequests => "v1/devices/me/rpc/request/+".into(),
        Subscription::RpcAnswers => "v1/devices/me/rpc/response/+".into(),
    }
}

/// An integrator.
#[derive(Debug)]
pub(super) struct Integrator {
    /// As an administrator granted them.
    pub(super) filters: Vec<String>,
    /// As subscribed to, at most [`SUBSCRIPTIONS_MAX`].
    pub(super) subscribed: Vec<String>,
}

/// Why a filter is refused: code for MQTT 5, and for a person.
pub(super) type FilterRefusal = (Reason, &'static str);

/// What [`Role::subscribe`] found.
pub(super) enum Subscribed {
    /// Of a device: whether anything has changed.
    Device {
        changed: bool,
    },
    /// Of an integrator: whether it is new.
    Integrator {
        new: bool,
    },
    Claimant,
}

impl Role {
    /// What a publish is for, if this client may publish it.
    pub(super) fn publish(&mut self, message: &Message) -> Result<Kind, CloseReason> {
        let topic = std::str::from_utf8(message.topic_bytes()).map_err(|_| CloseReason::TopicNotUtf8)?;
        let refused = |error| CloseReason::Topic(ShownTopic::new(topic), error);
        match self {
            Self::Device { id, .. } => kind_of(id, topic),
            Self::Integrator(_) => Err(CloseReason::ReadOnly(ShownTopic::new(topic))),
            Self::Claimant { nonce, .. } => match Topic::parse(topic).map_err(refused)? {
                Topic::Provisioning {
                    nonce: named,
                    rest: "q",
                } if is_nonce(nonce, named) => Ok(Kind::Provision(named.to_owned())),
                _ => Err(refused(TopicError::Foreign)),
            },
        }
    }

    /// Subscribes to a filter at `qos`, if this client may.
    pub(super) fn subscribe(&mut self, filter: &str, qos: u8) -> Result<Subscribed, FilterRefusal> {
        if filter.starts_with("$share/") {
            return Err((Reason::SharedUnsupported, "shared subscriptions are not supported"));
        }
        if !is_filter(filter) {
            return Err((
                Reason::FilterInvalid,
                "at most 7 levels of ASCII letters, digits and -_.:, with + and #",
            ));
        }
        match self {
            Self::Device { id, granted } => {
                let subscription = may_subscribe(id.as_str(), filter)
                    .map_err(|_| (Reason::NotAuthorised, "not one of the device's own filters"))?;
                let changed = granted.get(subscription) != Some(qos);
                granted.set(subscription, Some(qos));
                Ok(Subscribed::Device { changed })
            }
            Self::Integrator(integrator) => integrator.subscribe(filter),
            Self::Claimant { nonce, granted } => match Topic::parse(filter) {
                Ok(Topic::Provisioning {
                    nonce: named,
                    rest: "r",
                }) if is_nonce(nonce, named) => {
                    *granted = Some(qos);
                    Ok(Subscribed::Claimant)
                }
                _ => Err((Reason::NotAuthorised, "only p/{nonce}/r of one nonce")),
            },
        }
    }

    /// Drops a filter; whether it was there.
    pub(super) fn unsubscribe(&mut self, filter: &str) -> bool {
        match self {
            Self::Device { id, granted } => {
                let Ok(subscription) = may_subscribe(id.as_str(), filter) else {
                    return false;
                };
                let was = granted.get(subscription).is_some();
                granted.set(subscription, None);
                was
            }
            Self::Integrator(integrator) => {
                let before = integrator.subscribed.len();
                integrator.subscribed.retain(|subscribed| subscribed != filter);
                integrator.subscribed.len() < before
            }
            Self::Claimant { nonce, granted } => {
                let named = match Topic::parse(filter) {
                    Ok(Topic::Provisioning { nonce, rest: "r" }) => Some(nonce),
                    _ => None,
                };
                granted.is_some() && named.is_some() && named == nonce.as_deref() && granted.take().is_some()
            }
        }
    }
}

impl Integrator {
    fn subscribe(&mut self, filter: &str) -> Result<Subscribed, FilterRefusal> {
        if !self.filters.iter().any(|granted| covers(granted, filter)) {
            return Err((Reason::NotAuthorised, "not within the granted filters"));
        }
        if self.subscribed.iter().any(|subscribed| subscribed == filter) {
            return Ok(Subscribed::Integrator { new: false });
        }
        if self.subscribed.len() >= SUBSCRIPTIONS_MAX {
            return Err((Reason::Quota, "too many subscriptions"));
        }
        self.subscribed.push(filter.to_owned());
        Ok(Subscribed::Integrator { new: true })
    }
}

/// Whether `named` is the claimant's nonce; the first one it names is.
fn is_nonce(nonce: &mut Option<String>, named: &str) -> bool {
    nonce.get_or_insert_with(|| named.to_owned()) == named
}

/// `Err(None)` is firmware.
fn device_kind(topic: Topic<'_>) -> Result<Kind, Option<TopicError>> {
    Ok(match topic {
        Topic::Device { topic, .. } => match topic {
            DeviceTopic::Telemetry => Kind::Telemetry,
            DeviceTopic::TelemetryJson => Kind::TelemetryJson,
            DeviceTopic::Event => Kind::Event,
            DeviceTopic::State => Kind::State,
            DeviceTopic::Reply(request) => Kind::Reply(request.to_owned()),
            DeviceTopic::Firmware(_) => return Err(None),
            DeviceTopic::Command(_) => return Err(Some(TopicError::Direction)),
        },
        Topic::ThingsBoard(topic) => match topic {
            ThingsBoard::Telemetry => Kind::TelemetryJson,
            ThingsBoard::Attributes => Kind::Attributes,
            ThingsBoard::AttributesRequest(number) => Kind::AttributesRequest(number.to_owned()),
            ThingsBoard::RpcRequest(number) => Kind::DeviceRpc(number.to_owned()),
            ThingsBoard::RpcAnswer(request) => Kind::Reply(request.to_owned()),
            ThingsBoard::Claim => Kind::OwnerClaim,
            ThingsBoard::AttributesAnswer(_) => return Err(Some(TopicError::Direction)),
        },
        Topic::Provisioning { .. } => return Err(Some(TopicError::Foreign)),
    })
}
