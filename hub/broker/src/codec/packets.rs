//! rumqttd's packets to the session's and back, as far as both versions have them in common.

use super::malformed;
use crate::session::packet::{Delivered, Filter, RetainHandling, Subscribe, Will};
use crate::session::{CloseReason, Connect, Incoming, Login, Message, Publish, Version};
use bytes::{BufMut, BytesMut};
use rumqttd::protocol::{self, Packet, RetainForwardRule};

pub(super) fn connect(
    version: Version,
    connect: protocol::Connect,
    will: Option<protocol::LastWill>,
    login: Option<protocol::Login>,
) -> Box<Connect> {
    Box::new(Connect {
        version,
        client_id: !connect.client_id.is_empty(),
        clean_start: connect.clean_session,
        keep_alive_s: connect.keep_alive,
        login: login.map(|login| Login {
            user_name: login.username,
            password: login.password,
        }),
        will: will.map(|will| Will {
            publish: Publish {
                qos: will.qos as u8,
                packet_id: 0,
                retain: will.retain,
                alias: None,
                message: Message::new(&will.topic, &will.message),
            },
            delay_s: 0,
        }),
        properties: Default::default(),
    })
}

pub(super) fn subscribe(subscribe: protocol::Subscribe) -> Result<Incoming, CloseReason> {
    let filters = subscribe.filters.into_iter().map(|filter| Filter {
        path: filter.path,
        qos: filter.qos as u8,
        retain_as_published: filter.preserve_retain,
        retain_handling: match filter.retain_forward_rule {
            RetainForwardRule::OnEverySubscribe => RetainHandling::Always,
            RetainForwardRule::OnNewSubscribe => RetainHandling::New,
            RetainForwardRule::Never => RetainHandling::Never,
        },
    });
    Ok(Incoming::Subscribe(Box::new(Subscribe {
        packet_id: subscribe.pkid,
        filters: filters.collect(),
        identifier: false,
    })))
}

/// Notes that a SUBSCRIBE carries a subscription identifier.
pub(super) fn with_identifier(packet: Incoming, identifier: bool) -> Incoming {
    match packet {
        Incoming::Subscribe(mut subscribe) => {
            subscribe.identifier = identifier;
            Incoming::Subscribe(subscribe)
        }
        other => other,
    }
}

pub(super) fn unsubscribe(unsubscribe: protocol::Unsubscribe) -> Result<Incoming, CloseReason> {
    if unsubscribe.filters.is_empty() {
        return Err(malformed("UNSUBSCRIBE without filter"));
    }
    Ok(Incoming::Unsubscribe {
        packet_id: unsubscribe.pkid,
        filters: unsubscribe.filters,
    })
}

/// rumqttd keeps QoS and packet identifier of a publish to itself; its flat form takes them: one byte of flags, the
/// identifier, the topic's length, topic, payload.
pub(super) fn publish(version: Version, delivered: Delivered) -> Packet {
    let mut flat = BytesMut::with_capacity(FLAT_HEAD + delivered.topic.len() + delivered.payload.len());
    let flags = u8::from(delivered.dup) << 3 | delivered.qos << 1 | u8::from(delivered.retain);
    flat.put_u8(0b0011_0000 | flags);
    flat.put_u16(delivered.packet_id);
    // At most 7 levels of 64 bytes, checked by whoever made it.
    flat.put_u16(u16::try_from(delivered.topic.len()).unwrap_or(u16::MAX));
    flat.put_slice(delivered.topic.as_bytes());
    flat.put_slice(&delivered.payload);
    let publish = protocol::Publish::deserialize(flat.freeze());
    let properties = (version == Version::V5).then(|| protocol::PublishProperties {
        message_expiry_interval: delivered.properties.message_expiry_s,
        response_topic: delivered.properties.response_topic,
        correlation_data: delivered.properties.correlation_data,
        ..Default::default()
    });
    Packet::Publish(publish, properties)
}

/// Bytes before the topic in rumqttd's flat form of a publish.
const FLAT_HEAD: usize = 5;

/// What a client never sends, or not in this way.
pub(super) fn name(packet: u8) -> &'static str {
    match packet {
        2 => "CONNACK",
        5 => "PUBREC",
        7 => "PUBCOMP",
        9 => "SUBACK",
        11 => "UNSUBACK",
        12 => "PINGREQ with content",
        13 => "PINGRESP",
        15 => "AUTH",
        _ => "unknown packet",
    }
}
