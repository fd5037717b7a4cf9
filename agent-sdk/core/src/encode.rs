//! The bodies of a client's packets. What comes before them is their first byte and their length.

use crate::identity::Identity;
use crate::writer::Writer;

#[cfg(test)]
mod tests;

pub(crate) const CONNECT: u8 = 0x10;
pub(crate) const PUBLISH: u8 = 0x30;
pub(crate) const PUBACK: u8 = 0x40;
pub(crate) const SUBSCRIBE: u8 = 0x82;
pub(crate) const PINGREQ: u8 = 0xC0;
pub(crate) const DISCONNECT: u8 = 0xE0;

/// In the connect flags (§3.1.2.3).
const CLEAN_SESSION: u8 = 0x02;
const WILL: u8 = 0x04;
const WILL_QOS_1: u8 = 0x08;
const WILL_RETAIN: u8 = 0x20;
const PASSWORD: u8 = 0x40;
const USER_NAME: u8 = 0x80;

/// MQTT 3.1.1 (§3.1.2.2).
const PROTOCOL_LEVEL: u8 = 4;

/// §3.1. The hub is to keep the session, but without a client identifier it could not find it again (§3.1.3.1).
pub(crate) fn connect(writer: &mut Writer<'_>, identity: &Identity<'_>, keep_alive_s: u16) {
    let mut flags = 0;
    if identity.client_id.is_empty() {
        flags |= CLEAN_SESSION;
    }
    if identity.will.is_some() {
        flags |= WILL | WILL_QOS_1 | WILL_RETAIN;
    }
    if let Some(credentials) = &identity.credentials {
        flags |= USER_NAME;
        if credentials.password.is_some() {
            flags |= PASSWORD;
        }
    }
    writer.whole(b"MQTT");
    writer.bytes(&[PROTOCOL_LEVEL, flags]);
    writer.number(keep_alive_s);
    writer.whole(identity.client_id.as_bytes());
    if let Some(will) = &identity.will {
        writer.field(identity.topic_prefix.as_bytes(), will.topic.as_bytes());
        writer.whole(will.payload);
    }
    if let Some(credentials) = &identity.credentials {
        writer.whole(credentials.user_name.as_bytes());
        if let Some(password) = credentials.password {
            writer.whole(password);
        }
    }
}

/// §3.3; an identifier of 0 is none.
pub(crate) fn publish(writer: &mut Writer<'_>, prefix: &str, topic: &[u8], id: u16, payload: &[u8]) {
    writer.field(prefix.as_bytes(), topic);
    if id != 0 {
        writer.number(id);
    }
    writer.bytes(payload);
}

/// §3.3, at QoS 0, on a topic that may be the hub's own.
pub(crate) fn short(writer: &mut Writer<'_>, prefix: &str, topic: &str, payload: &[u8]) {
    name(writer, prefix, topic);
    writer.bytes(payload);
}

/// §3.8: every filter at QoS 1.
pub(crate) fn subscribe(writer: &mut Writer<'_>, identity: &Identity<'_>, id: u16) {
    writer.number(id);
    for filter in identity.filters() {
        name(writer, identity.topic_prefix, filter);
        writer.bytes(&[1]);
    }
}

/// With the prefix before it. What begins with `/` stands alone, and without that.
fn name(writer: &mut Writer<'_>, prefix: &str, name: &str) {
    match name.as_bytes().split_first() {
        Some((b'/', rest)) => writer.whole(rest),
        Some(_) | None => writer.field(prefix.as_bytes(), name.as_bytes()),
    }
}
