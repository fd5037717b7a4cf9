//! Messages to the client (MQTT 5 §3.3): by which topic and QoS, with which properties.

use super::open::Open;
use super::outbound::{Addressed, Delivery, Outbound};
use super::packet::{Delivered, Version};
use super::role::{Granted, Role};
use super::{Event, Phase, Session};
use agent_sdk_wire::topic::{DeviceTopic, Subscription, ThingsBoard, Topic};
use bytes::Bytes;
use hub_core::id::DeviceId;

impl Session {
    /// A message for the client: sent at once, or as soon as the client has taken earlier ones.
    pub fn handle_message(&mut self, message: Outbound) -> Delivery {
        let Phase::Open(open) = &mut self.phase else {
            return Delivery::NotSubscribed;
        };
        let Some(addressed) = open.address(message) else {
            return Delivery::NotSubscribed;
        };
        if addressed.packet.bytes(open.version) > u64::from(open.packet_bytes_max) {
            return Delivery::TooLarge;
        }
        let window = open.window.get_or_insert_default();
        if addressed.timed && !window.sends_now(addressed.packet.qos, open.receive_maximum) {
            return Delivery::Full;
        }
        let delivery = window.push(addressed);
        self.send_next();
        delivery
    }

    /// The client's PUBACK.
    pub(super) fn taken(&mut self, packet_id: u16) {
        let Phase::Open(open) = &mut self.phase else { return };
        let request = open.window.as_mut().and_then(|window| window.acknowledged(packet_id));
        self.events.extend(request.map(Event::CommandTaken));
        self.send_next();
    }

    /// Sends what the window has room for; not before CONNACK.
    pub(super) fn send_next(&mut self) {
        let Phase::Open(open) = &mut self.phase else { return };
        let Some(window) = &mut open.window else { return };
        while let Some(packet) = window.next(open.receive_maximum) {
            self.transmit.push_back(packet);
        }
    }
}

impl Open {
    /// Topic, QoS and properties; `None` where the client has not subscribed to it.
    fn address(&self, message: Outbound) -> Option<Addressed> {
        match (&self.role, message) {
            (
                Role::Device { id, granted },
                Outbound::Command {
                    request,
                    payload,
                    packet_id,
                    sent_before,
                    expires_in_s,
                },
            ) => {
                let (topic, qos) = command_topic(id, *granted, &request)?;
                let mut addressed = Addressed::new(topic, payload, qos);
                addressed.packet.dup = sent_before && self.present && qos > 0;
                addressed.proposed = packet_id;
                if self.version == Version::V5 {
                    let (device, topic) = (id.as_str(), DeviceTopic::Reply(&request));
                    let properties = &mut addressed.packet.properties;
                    properties.message_expiry_s = expires_in_s;
                    properties.response_topic = Some(Topic::Device { device, topic }.to_string());
                    properties.correlation_data = Some(Bytes::copy_from_slice(request.as_bytes()));
                }
                addressed.request = Some(request);
                Some(addressed)
            }
            (Role::Device { granted, .. }, Outbound::Attributes { payload }) => {
                let qos = granted.get(Subscription::Attributes)?;
                Some(thingsboard(ThingsBoard::Attributes, payload, qos))
            }
            (Role::Device { granted, .. }, Outbound::AttributesAnswer { number, payload }) => {
                let qos = granted.get(Subscription::AttributesAnswers)?;
                Some(thingsboard(ThingsBoard::AttributesAnswer(&number), payload, qos))
            }
            (Role::Device { granted, .. }, Outbound::RpcAnswer { number, payload }) => {
                let qos = granted.get(Subscription::RpcAnswers)?;
                Some(thingsboard(ThingsBoard::RpcAnswer(&number), payload, qos))
            }
            (Role::Claimant { nonce, granted }, Outbound::Provisioned { payload }) => {
                let (nonce, qos) = (nonce.as_deref()?, (*granted)?);
                let topic = Topic::Provisioning { nonce, rest: "r" };
                Some(Addressed::new(topic.to_string(), payload, qos))
            }
            (
                Role::Integrator(_),
                Outbound::Publish {
                    topic,
                    payload,
                    qos,
                    retain,
                    expires_in_s,
                    properties,
                },
            ) => {
                let mut addressed = Addressed::new(topic, payload, qos.min(1));
                addressed.packet.retain = retain;
                addressed.timed = expires_in_s.is_some();
                if self.version == Version::V5 {
                    addressed.packet.properties.message_expiry_s = expires_in_s;
                    addressed.packet.properties.passed_on = properties;
                }
                Some(addressed)
            }
            _ => None,
        }
    }
}

/// Our own topic where the device listens to it, otherwise ThingsBoard's.
fn command_topic(device: &DeviceId, granted: Granted, request: &str) -> Option<(String, u8)> {
    let device = device.as_str();
    if let Some(qos) = granted.get(Subscription::Commands) {
        let topic = DeviceTopic::Command(request);
        return Some((Topic::Device { device, topic }.to_string(), qos));
    }
    let qos = granted.get(Subscription::RpcRequests)?;
    Some((Topic::ThingsBoard(ThingsBoard::RpcRequest(request)).to_string(), qos))
}

fn thingsboard(topic: ThingsBoard<'_>, payload: Bytes, qos: u8) -> Addressed {
    Addressed::new(Topic::ThingsBoard(topic).to_string(), payload, qos)
}

impl Delivered {
    /// Length of the whole packet.
    pub fn bytes(&self, version: Version) -> u64 {
        let body = self.body_bytes(version);
        (1 + varint_bytes(body) + body) as u64
    }

    /// Length after the fixed header.
    pub fn body_bytes(&self, version: Version) -> usize {
        let packet_id = if self.qos > 0 { 2 } else { 0 };
        let body = 2 + self.topic.len() + packet_id + self.payload.len();
        match version {
            Version::V4 => body,
            Version::V5 => {
                let properties = self.properties.bytes();
                body + varint_bytes(properties) + properties
            }
        }
    }
}

impl super::packet::DeliveredProperties {
    /// Length without the length itself.
    pub fn bytes(&self) -> usize {
        let expiry = self.message_expiry_s.map_or(0, |_| 5);
        let topic = self.response_topic.as_ref().map_or(0, |topic| 3 + topic.len());
        let data = self.correlation_data.as_ref().map_or(0, |data| 3 + data.len());
        expiry + topic + data + self.passed_on.len()
    }
}

/// Bytes of a variable byte integer (MQTT 5 §1.5.5).
fn varint_bytes(value: usize) -> usize {
    match value {
        0..=127 => 1,
        128..=16_383 => 2,
        16_384..=2_097_151 => 3,
        _ => 4,
    }
}
