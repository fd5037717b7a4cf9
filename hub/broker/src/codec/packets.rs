//! rumqttd's packets to the session's and back, as far as both versions have them in common.

use super::malformed;
use crate::session::packet::{Filter, RetainHandling, Subscribe, Will};
use crate::session::{CloseReason, Connect, Incoming, Login, Message, Publish, Version};
use rumqttd::protocol::{self, RetainForwardRule};

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

/// Gives the will of a CONNECT its properties, as [`Message::with_properties`] takes them.
pub(super) fn with_will_properties(packet: Incoming, properties: &[u8]) -> Incoming {
    match packet {
        Incoming::Connect(mut connect) if !properties.is_empty() => {
            if let Some(will) = &mut connect.will {
                let message = &will.publish.message;
                will.publish.message = Message::with_properties(message.topic_bytes(), properties, message.payload());
            }
            Incoming::Connect(connect)
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
