//! The MQTT 3.1.1 session of one device, without sockets, tasks, codec or store: packets and answers go in by
//! `handle_*`, packets and events come out by `poll_*`, time is an argument.
//!
//! It decides who may speak when, what a device may publish and subscribe to, how much may be under way, and in which
//! order acknowledgements leave. It never acknowledges a publish by itself: [`Session::handle_committed`] does.

pub mod close;
mod flight;
pub mod login;
pub mod packet;

pub use close::CloseReason;
pub use flight::Delivery;
pub use login::{Credential, Login, LoginError};
pub use packet::{Connect, ConnectCode, Incoming, Outgoing, Publish, SUBSCRIBE_REFUSED};

use agent_sdk_wire::topic::{DeviceTopic, Subscription, Topic, TopicError, may_publish, may_subscribe};
use bytes::Bytes;
use close::ShownTopic;
use flight::{Inbound, Outbound};
use hub_core::id::DeviceId;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Bounds of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLimits {
    /// From the connection's start to a complete CONNECT.
    pub connect_patience: Duration,
    /// From CONNECT to the answer of the store.
    pub login_patience: Duration,
    /// Longest silence of a device that promises no keepalive.
    pub keep_alive_cap: Duration,
    /// Publishes of this connection that may wait for their commit.
    pub in_flight_max: usize,
}

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
}

/// A publish that passed the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// To be given to [`Session::handle_committed`]; `None` for a will, for which nobody waits.
    pub number: Option<u64>,
    /// By its topic.
    pub kind: Kind,
    /// As published: ASCII, at most 7 levels.
    pub topic: String,
    /// Not looked into.
    pub payload: Bytes,
}

/// What the shell has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Ask the store and answer by [`Session::handle_verdict`].
    Authenticate(Credential),
    /// Commit this and answer by [`Session::handle_committed`] or, where that failed, [`Session::handle_close`].
    Received(Received),
    /// A QoS 0 publish was dropped because too much waits; QoS 0 asks for no more than that.
    Dropped,
    /// The device listens for commands now: bring those that wait.
    CommandsWanted,
    /// It is over; what is left to transmit is still to be sent.
    Closed(CloseReason),
}

/// The store's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is this device.
    Accepted(DeviceId),
    /// Wrong, unknown or revoked.
    Refused,
    /// No answer.
    Unavailable,
}

#[derive(Debug)]
enum Phase {
    /// Nothing has come yet.
    Greeting { until: Instant },
    /// The store is asked.
    Login { until: Instant, connect: Connect },
    /// The device is known.
    Open(Open),
    /// Over.
    Closed,
}

#[derive(Debug)]
struct Open {
    device: DeviceId,
    will: Option<Publish>,
    patience: Duration,
    last_heard: Instant,
    /// Granted QoS of `d/{id}/c/+`.
    commands: Option<u8>,
}

/// One session; see the module.
#[derive(Debug)]
pub struct Session {
    limits: SessionLimits,
    phase: Phase,
    inbound: Inbound,
    outbound: Outbound,
    transmit: VecDeque<Outgoing>,
    events: VecDeque<Event>,
}

impl Session {
    /// A session whose connection was accepted at `now`.
    pub fn new(limits: SessionLimits, now: Instant) -> Self {
        Self {
            limits,
            phase: Phase::Greeting {
                until: now + limits.connect_patience,
            },
            inbound: Inbound::default(),
            outbound: Outbound::default(),
            transmit: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Whether the next packet may be handed in. Not while the store is asked: the device may send on before its
    /// CONNACK, and that waits in the network.
    pub fn wants_packet(&self) -> bool {
        matches!(self.phase, Phase::Greeting { .. } | Phase::Open(_))
    }

    /// Whether only a CONNECT is acceptable.
    pub fn awaits_connect(&self) -> bool {
        matches!(self.phase, Phase::Greeting { .. })
    }

    /// Whether it is over.
    pub fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// Publishes that wait for their commit.
    pub fn in_flight(&self) -> usize {
        self.inbound.len()
    }

    /// A packet came.
    pub fn handle_packet(&mut self, packet: Incoming, now: Instant) {
        match &mut self.phase {
            Phase::Greeting { .. } => self.greeting(packet, now),
            Phase::Open(open) => {
                open.last_heard = now;
                self.open_packet(packet);
            }
            Phase::Login { .. } => self.handle_close(CloseReason::Unexpected("packet before CONNACK")),
            Phase::Closed => {}
        }
    }

    /// The store answered.
    pub fn handle_verdict(&mut self, verdict: Verdict, now: Instant) {
        let phase = std::mem::replace(&mut self.phase, Phase::Closed);
        let Phase::Login { connect, .. } = phase else {
            self.phase = phase;
            return;
        };
        match verdict {
            Verdict::Accepted(device) => self.accept(device, connect, now),
            Verdict::Refused => self.refuse(ConnectCode::NotAuthorised, CloseReason::Refused),
            Verdict::Unavailable => self.refuse(ConnectCode::Unavailable, CloseReason::StoreDown),
        }
    }

    /// The publish of this number is committed.
    pub fn handle_committed(&mut self, number: u64) {
        let due = self.inbound.committed(number);
        if !self.is_closed() {
            self.transmit.extend(due);
        }
    }

    /// A command for the device: sent at once, or as soon as the device has taken earlier ones.
    pub fn handle_command(&mut self, request: &str, payload: Bytes) -> Delivery {
        let Phase::Open(open) = &self.phase else {
            return Delivery::NotSubscribed;
        };
        let Some(qos) = open.commands else {
            return Delivery::NotSubscribed;
        };
        let device = open.device.as_str();
        let topic = DeviceTopic::Command(request);
        let topic = Topic::Device { device, topic }.to_string();
        let delivery = self.outbound.push(request, topic, payload);
        self.transmit.extend(self.outbound.next(qos));
        delivery
    }

    /// Ends the session for a reason found outside: the network, the codec, a take-over, the hub's own end.
    pub fn handle_close(&mut self, reason: CloseReason) {
        let phase = std::mem::replace(&mut self.phase, Phase::Closed);
        match phase {
            Phase::Closed => return,
            Phase::Greeting { .. } if reason == CloseReason::ProtocolLevel => {
                self.transmit.push_back(Outgoing::ConnAck(ConnectCode::ProtocolLevel));
            }
            Phase::Greeting { .. } | Phase::Login { .. } => {}
            Phase::Open(open) => {
                // A will is dropped only by a DISCONNECT in order (MQTT 3.1.1 §3.1.2.5).
                let will = open.will.filter(|_| reason != CloseReason::Disconnected);
                let device = open.device;
                let received = will.and_then(|will| check_publish(&device, will, None).ok());
                self.events.extend(received.map(Event::Received));
            }
        }
        self.events.push_back(Event::Closed(reason));
    }

    /// The next packet to send.
    pub fn poll_transmit(&mut self) -> Option<Outgoing> {
        self.transmit.pop_front()
    }

    /// The next thing to do.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`Session::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Greeting { until } | Phase::Login { until, .. } => Some(*until),
            Phase::Open(open) => Some(open.last_heard + open.patience),
            Phase::Closed => None,
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_none_or(|due| now < due) {
            return;
        }
        match &self.phase {
            Phase::Greeting { .. } => self.handle_close(CloseReason::SilentConnect),
            Phase::Login { .. } => self.refuse(ConnectCode::Unavailable, CloseReason::StoreDown),
            Phase::Open(_) => self.handle_close(CloseReason::KeepAlive),
            Phase::Closed => {}
        }
    }

    fn greeting(&mut self, packet: Incoming, now: Instant) {
        let Incoming::Connect(mut connect) = packet else {
            return self.handle_close(CloseReason::NotConnect);
        };
        match Credential::read(connect.login.take()) {
            Ok(credential) => {
                self.phase = Phase::Login {
                    until: now + self.limits.login_patience,
                    connect,
                };
                self.events.push_back(Event::Authenticate(credential));
            }
            Err(error) => self.refuse(ConnectCode::BadLogin, CloseReason::BadLogin(error)),
        }
    }

    fn accept(&mut self, device: DeviceId, connect: Connect, now: Instant) {
        if let Some(will) = &connect.will
            && let Err(reason) = check_publish(&device, will.clone(), None)
        {
            let reason = match reason {
                CloseReason::Topic(topic, error) => CloseReason::Will(topic, error),
                other => other,
            };
            return self.refuse(ConnectCode::NotAuthorised, reason);
        }
        // One and a half times the keepalive (MQTT 3.1.1 §3.1.2.10); no keepalive is capped, not refused.
        let patience = match connect.keep_alive_s {
            0 => self.limits.keep_alive_cap,
            seconds => Duration::from_millis(u64::from(seconds) * 1_500),
        };
        self.phase = Phase::Open(Open {
            device,
            will: connect.will,
            patience,
            last_heard: now,
            commands: None,
        });
        self.transmit.push_back(Outgoing::ConnAck(ConnectCode::Accepted));
    }

    fn refuse(&mut self, code: ConnectCode, reason: CloseReason) {
        self.transmit.push_back(Outgoing::ConnAck(code));
        self.phase = Phase::Closed;
        self.events.push_back(Event::Closed(reason));
    }

    fn open_packet(&mut self, packet: Incoming) {
        match packet {
            Incoming::Publish(publish) => self.publish(publish),
            Incoming::PubAck(packet_id) => self.acknowledged(packet_id),
            Incoming::Subscribe { packet_id, filters } => self.subscribe(packet_id, &filters),
            Incoming::Unsubscribe { packet_id, filters } => self.unsubscribe(packet_id, &filters),
            Incoming::PingReq => self.transmit.push_back(Outgoing::PingResp),
            Incoming::Disconnect => self.handle_close(CloseReason::Disconnected),
            Incoming::Connect(_) => self.handle_close(CloseReason::Unexpected("second CONNECT")),
            Incoming::Unexpected(name) => self.handle_close(CloseReason::Unexpected(name)),
        }
    }

    fn publish(&mut self, publish: Publish) {
        let Phase::Open(open) = &self.phase else { return };
        let packet_id = (publish.qos > 0).then_some(publish.packet_id);
        let mut received = match check_publish(&open.device, publish, packet_id) {
            Ok(received) => received,
            Err(reason) => return self.handle_close(reason),
        };
        if self.inbound.len() >= self.limits.in_flight_max {
            match packet_id {
                None => self.events.push_back(Event::Dropped),
                Some(_) => self.handle_close(CloseReason::InFlight),
            }
            return;
        }
        received.number = Some(self.inbound.push(packet_id));
        self.events.push_back(Event::Received(received));
    }

    fn acknowledged(&mut self, packet_id: u16) {
        self.outbound.acknowledged(packet_id);
        if let Phase::Open(open) = &self.phase
            && let Some(qos) = open.commands
        {
            self.transmit.extend(self.outbound.next(qos));
        }
    }

    fn subscribe(&mut self, packet_id: u16, filters: &[(String, u8)]) {
        let Phase::Open(open) = &mut self.phase else { return };
        if packet_id == 0 {
            return self.handle_close(CloseReason::Unexpected("SUBSCRIBE without packet identifier"));
        }
        let mut codes = Vec::with_capacity(filters.len());
        for (filter, qos) in filters {
            let granted = (*qos).min(1);
            codes.push(match may_subscribe(open.device.as_str(), filter) {
                Ok(Subscription::Commands) => {
                    open.commands = Some(granted);
                    granted
                }
                // Granted by contract; firmware transfer itself does not exist yet, so nothing comes.
                Ok(Subscription::Firmware) => granted,
                Err(_) => SUBSCRIBE_REFUSED,
            });
        }
        let wanted = open.commands.is_some();
        self.transmit.push_back(Outgoing::SubAck { packet_id, codes });
        if wanted {
            self.events.push_back(Event::CommandsWanted);
        }
    }

    /// Always answered, also for filters that were never granted (MQTT 3.1.1 §3.10.4).
    fn unsubscribe(&mut self, packet_id: u16, filters: &[String]) {
        let Phase::Open(open) = &mut self.phase else { return };
        if packet_id == 0 || filters.is_empty() {
            return self.handle_close(CloseReason::Unexpected("UNSUBSCRIBE without identifier or filter"));
        }
        let device = open.device.as_str();
        let commands = |filter: &String| may_subscribe(device, filter) == Ok(Subscription::Commands);
        if filters.iter().any(commands) {
            open.commands = None;
        }
        self.transmit.push_back(Outgoing::UnsubAck(packet_id));
    }
}

/// What a publish of `device` is for, if the device may publish it.
fn check_publish(device: &DeviceId, publish: Publish, packet_id: Option<u16>) -> Result<Received, CloseReason> {
    // Without an identifier it is QoS 0 or a will, whose QoS says only how it would be passed on.
    if publish.qos > 1 && packet_id.is_some() {
        return Err(CloseReason::QosTwo);
    }
    let topic = std::str::from_utf8(&publish.topic).map_err(|_| CloseReason::TopicNotUtf8)?;
    let refused = |error| CloseReason::Topic(ShownTopic::new(topic), error);
    let kind = match may_publish(device.as_str(), topic).map_err(refused)? {
        DeviceTopic::Telemetry => Kind::Telemetry,
        DeviceTopic::TelemetryJson => Kind::TelemetryJson,
        DeviceTopic::Event => Kind::Event,
        DeviceTopic::State => Kind::State,
        DeviceTopic::Reply(request) => Kind::Reply(request.to_owned()),
        DeviceTopic::Firmware(_) => return Err(CloseReason::Firmware),
        DeviceTopic::Command(_) => return Err(refused(TopicError::Direction)),
    };
    Ok(Received {
        number: None,
        kind,
        topic: topic.to_owned(),
        payload: publish.payload,
    })
}
