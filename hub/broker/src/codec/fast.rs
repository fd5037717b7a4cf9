//! Packets that come and go often, or that rumqttd gets wrong: read and written by hand.

use super::properties;
use super::scan::Scan;
use crate::session::packet::{Ack, Delivered};
use crate::session::{CloseReason, Incoming, Message, Publish, Reason, Version};
use bytes::{BufMut, BytesMut};

/// PUBLISH (MQTT 5 §3.3), copied out of the read buffer.
pub(super) fn publish(version: Version, first: u8, body: &[u8]) -> Result<Incoming, CloseReason> {
    let mut scan = Scan::new(body);
    let topic = scan.binary()?;
    let qos = (first >> 1) & 0b11;
    let packet_id = if qos > 0 { scan.packet_id()? } else { 0 };
    let mut found = properties::Found::default();
    if version == Version::V5 {
        found = properties::read(&mut scan, properties::PUBLISH)?;
        if topic.is_empty() && found.alias.is_none() {
            return Err(CloseReason::Unexpected("PUBLISH without topic and topic alias"));
        }
    }
    Ok(Incoming::Publish(Publish {
        qos,
        packet_id,
        retain: first & 1 != 0,
        alias: found.alias,
        message: Message::with_properties(topic, &found.passed_on, scan.rest()),
    }))
}

/// PUBACK or PUBREL: the packet identifier. Whatever the reason code is, the exchange goes on in the same way.
pub(super) fn acknowledged(version: Version, body: &[u8]) -> Result<u16, CloseReason> {
    let mut scan = Scan::new(body);
    let packet_id = scan.packet_id()?;
    if version == Version::V5 && !scan.is_empty() {
        scan.byte()?;
        // Without properties, their length may be left out too (MQTT 5 §3.4.2.2.1).
        if !scan.is_empty() {
            properties::read(&mut scan, properties::ACKNOWLEDGE)?;
        }
    }
    end(scan).map(|()| packet_id)
}

/// DISCONNECT (MQTT 5 §3.14).
pub(super) fn disconnect(version: Version, body: &[u8]) -> Result<Incoming, CloseReason> {
    let mut scan = Scan::new(body);
    let (mut reason, mut session_expiry_s) = (0, None);
    if version == Version::V5 && !scan.is_empty() {
        reason = scan.byte()?;
        if !scan.is_empty() {
            session_expiry_s = properties::read(&mut scan, properties::DISCONNECT)?.session_expiry_s;
        }
    }
    end(scan)?;
    Ok(Incoming::Disconnect {
        reason,
        session_expiry_s,
    })
}

fn end(scan: Scan<'_>) -> Result<(), CloseReason> {
    if scan.is_empty() {
        Ok(())
    } else {
        Err(super::malformed("packet is longer than its parts"))
    }
}

/// PUBLISH to the client (MQTT 5 §3.3).
pub(super) fn write_publish(version: Version, publish: &Delivered, buffer: &mut BytesMut) {
    let flags = u8::from(publish.dup) << 3 | publish.qos << 1 | u8::from(publish.retain);
    buffer.put_u8(0x30 | flags);
    write_varint(publish.body_bytes(version), buffer);
    // At most 7 levels of 64 bytes, checked by the code that made it.
    put_binary(publish.topic.as_bytes(), buffer);
    if publish.qos > 0 {
        buffer.put_u16(publish.packet_id);
    }
    if version == Version::V5 {
        let own = &publish.properties;
        write_varint(own.bytes(), buffer);
        if let Some(expiry_s) = own.message_expiry_s {
            buffer.put_u8(properties::MESSAGE_EXPIRY);
            buffer.put_u32(expiry_s);
        }
        if let Some(topic) = &own.response_topic {
            buffer.put_u8(properties::RESPONSE_TOPIC);
            put_binary(topic.as_bytes(), buffer);
        }
        if let Some(data) = &own.correlation_data {
            buffer.put_u8(properties::CORRELATION_DATA);
            put_binary(data, buffer);
        }
        buffer.put_slice(&own.passed_on);
    }
    buffer.put_slice(&publish.payload);
}

/// Binary data or text with its length, of which nothing the hub makes has 64 KiB.
fn put_binary(bytes: &[u8], buffer: &mut BytesMut) {
    buffer.put_u16(u16::try_from(bytes.len()).unwrap_or(u16::MAX));
    buffer.put_slice(bytes);
}

/// PUBACK, PUBREC or PUBCOMP by its first byte.
pub(super) fn write_ack(version: Version, first: u8, ack: &Ack, buffer: &mut BytesMut) {
    let [high, low] = ack.packet_id.to_be_bytes();
    if version == Version::V4 || (ack.reason == Reason::Success && ack.text.is_none()) {
        return buffer.extend_from_slice(&[first, 2, high, low]);
    }
    let text = ack.text.as_deref().unwrap_or_default();
    let properties = reason_string(text);
    buffer.put_u8(first);
    write_varint(3 + varint_and(properties), buffer);
    buffer.extend_from_slice(&[high, low, ack.reason.code()]);
    write_reason_string(text, buffer);
}

/// SUBACK or UNSUBACK by its first byte.
pub(super) fn write_codes(
    version: Version,
    first: u8,
    packet_id: u16,
    codes: impl ExactSizeIterator<Item = u8>,
    buffer: &mut BytesMut,
) {
    let properties = usize::from(version == Version::V5);
    buffer.put_u8(first);
    write_varint(2 + properties + codes.len(), buffer);
    buffer.put_u16(packet_id);
    buffer.put_bytes(0, properties);
    buffer.extend(codes);
}

/// DISCONNECT of MQTT 5.
pub(super) fn write_disconnect(reason: Reason, text: &str, buffer: &mut BytesMut) {
    buffer.put_u8(0xE0);
    write_varint(1 + varint_and(reason_string(text)), buffer);
    buffer.put_u8(reason.code());
    write_reason_string(text, buffer);
}

/// Bytes of the property, without the length of all properties.
fn reason_string(text: &str) -> usize {
    if text.is_empty() { 0 } else { 3 + text.len() }
}

/// Properties that are a reason string, or none. The session makes no longer text than one kilobyte.
fn write_reason_string(text: &str, buffer: &mut BytesMut) {
    write_varint(reason_string(text), buffer);
    if !text.is_empty() {
        buffer.put_u8(31);
        buffer.put_u16(u16::try_from(text.len()).unwrap_or(u16::MAX));
        buffer.extend_from_slice(text.as_bytes());
    }
}

fn varint_and(length: usize) -> usize {
    length + if length < 128 { 1 } else { 2 }
}

/// A variable byte integer (MQTT 5 §1.5.5).
fn write_varint(mut value: usize, buffer: &mut BytesMut) {
    loop {
        let low = (value & 0x7F) as u8;
        value >>= 7;
        buffer.put_u8(if value > 0 { low | 0x80 } else { low });
        if value == 0 {
            return;
        }
    }
}
