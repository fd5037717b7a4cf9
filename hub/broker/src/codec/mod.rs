//! Between bytes and the session's packets, MQTT 3.1.1 and 5.0: rumqttd's codecs, with the checks that they leave out
//! and around the packets on which they panic or err. Only this folder knows rumqttd's types.
//!
//! What comes 50,000 times a second — PUBLISH in, acknowledgements out — is read and written here by hand, with topic,
//! properties and payload copied out of the read buffer in one piece; so is PUBLISH out, whose properties are passed on as
//! they came. Everything is checked before rumqttd sees it, because its
//! decoder of 5.0 lets properties run over their length, takes them twice, and knows no DISCONNECT that is a reason code
//! alone; its encoders panic on some codes, which are never given to them.

mod fast;
mod packets;
mod properties;
mod scan;
mod v4;
mod v5;

use crate::session::{CloseReason, Incoming, Outgoing, Version};
use bytes::{Buf, BytesMut};
use rumqttd::protocol::v4::check;
use rumqttd::protocol::{Error, Packet, Protocol};
use scan::Scan;

/// The codec of one connection; the client's CONNECT chooses the version.
#[derive(Debug, Clone, Copy)]
pub struct Codec {
    version: Version,
}

impl Default for Codec {
    /// Until a CONNECT has come, answers are those of 3.1.1.
    fn default() -> Self {
        Self { version: Version::V4 }
    }
}

impl Codec {
    /// Takes the next packet out of `buffer`, or `None` while it is not complete. One that is longer than `bytes_max`
    /// after its fixed header is refused before it has come. `greeting` says that only a CONNECT is acceptable, so that
    /// garbage is known by its first byte.
    pub fn read(
        &mut self,
        buffer: &mut BytesMut,
        bytes_max: usize,
        greeting: bool,
    ) -> Result<Option<Incoming>, CloseReason> {
        let Some(first) = buffer.first().copied() else {
            return Ok(None);
        };
        if greeting && first != CONNECT {
            return Err(CloseReason::NotConnect);
        }
        check_flags(first)?;
        let header = match check(buffer.iter(), bytes_max) {
            Ok(header) => header,
            Err(Error::InsufficientBytes(_)) => return Ok(None),
            Err(error) => return Err(refusal(error)),
        };
        let frame = header.frame_length();
        let body = buffer.get(header.fixed_header_len..frame).unwrap_or_default();
        let packet = match first >> 4 {
            1 => {
                let version = version(body);
                // A client that speaks a later version is answered in the latest. A bridge of mosquitto that is told in 3.1.1 that
                // its level is not spoken comes again without its bit, and by no other answer.
                if !matches!(
                    version,
                    Ok(Version::V4) | Err(CloseReason::ProtocolLevel(0..=5 | BRIDGE..=BRIDGE_V4))
                ) {
                    self.version = Version::V5;
                }
                self.version = version?;
                let will = match self.version {
                    Version::V4 => v4::check_connect(body).map(|()| Vec::new())?,
                    Version::V5 => v5::check_connect(body)?,
                };
                // The decoder knows no level with the bit.
                if let Some(level) = buffer.get_mut(header.fixed_header_len + LEVEL_AT) {
                    *level &= !BRIDGE;
                }
                let packet = self.decode(buffer, bytes_max)?;
                return Ok(Some(packets::with_will_properties(packet, &will)));
            }
            8 | 10 => {
                let identifier = self.check_filters(first >> 4, body)?;
                let packet = self.decode(buffer, bytes_max)?;
                return Ok(Some(packets::with_identifier(packet, identifier)));
            }
            3 => fast::publish(self.version, first, body)?,
            4 => Incoming::PubAck(fast::acknowledged(self.version, body)?),
            6 => Incoming::PubRel(fast::acknowledged(self.version, body)?),
            12 if body.is_empty() => Incoming::PingReq,
            14 => fast::disconnect(self.version, body)?,
            other => Incoming::Unexpected(packets::name(other)),
        };
        buffer.advance(frame);
        Ok(Some(packet))
    }

    /// Appends a packet to `buffer`. The session gives none that the version does not have.
    pub fn write(&self, packet: Outgoing, buffer: &mut BytesMut) -> Result<(), CloseReason> {
        match packet {
            Outgoing::PubAck(ack) => fast::write_ack(self.version, 0x40, &ack, buffer),
            Outgoing::PubRec(ack) => fast::write_ack(self.version, 0x50, &ack, buffer),
            Outgoing::PubComp(ack) => fast::write_ack(self.version, 0x70, &ack, buffer),
            Outgoing::PingResp => buffer.extend_from_slice(&[0xD0, 0]),
            Outgoing::SubAck { packet_id, codes } => {
                fast::write_codes(self.version, 0x90, packet_id, codes.into_iter(), buffer);
            }
            Outgoing::UnsubAck { packet_id, reasons } => {
                // 3.1.1 has no codes here.
                let reasons = if self.version == Version::V5 {
                    reasons
                } else {
                    Vec::new()
                };
                fast::write_codes(
                    self.version,
                    0xB0,
                    packet_id,
                    reasons.into_iter().map(|r| r.code()),
                    buffer,
                );
            }
            Outgoing::Disconnect { reason, text } => fast::write_disconnect(reason, &text, buffer),
            Outgoing::ConnAck {
                present,
                reason,
                granted,
            } => match self.version {
                Version::V4 => buffer.extend_from_slice(&[0x20, 2, u8::from(present), reason.connack_v4()]),
                Version::V5 => {
                    let packet = v5::connack(present, reason, granted);
                    v5::V5.write(packet, buffer).map_err(refusal)?;
                }
            },
            Outgoing::Publish(delivered) => fast::write_publish(self.version, &delivered, buffer),
        }
        Ok(())
    }

    /// Hands a checked packet to rumqttd.
    fn decode(&self, buffer: &mut BytesMut, bytes_max: usize) -> Result<Incoming, CloseReason> {
        let packet = match self.version {
            Version::V4 => v4::V4.read_mut(buffer, bytes_max),
            Version::V5 => v5::V5.read_mut(buffer, bytes_max),
        };
        match packet.map_err(refusal)? {
            Packet::Connect(connect, properties, will, will_properties, login) => {
                let connect = packets::connect(self.version, connect, will, login);
                Ok(v5::with_properties(connect, properties, will_properties))
            }
            Packet::Subscribe(subscribe, _) => packets::subscribe(subscribe),
            Packet::Unsubscribe(unsubscribe, _) => packets::unsubscribe(unsubscribe),
            _ => Err(CloseReason::Unexpected("packet")),
        }
    }

    /// Checks a SUBSCRIBE or UNSUBSCRIBE; whether it carries a subscription identifier.
    fn check_filters(self, packet: u8, body: &[u8]) -> Result<bool, CloseReason> {
        let mut scan = Scan::new(body);
        scan.packet_id()?;
        let mut identifier = false;
        if self.version == Version::V5 {
            let place = if packet == 8 {
                properties::SUBSCRIBE
            } else {
                properties::PLAIN
            };
            identifier = properties::read(&mut scan, place)?.subscription_id;
        }
        // 3.1.1 has no options but QoS (§3.8.3).
        let options_max = if self.version == Version::V5 {
            0b0011_1111
        } else {
            0b0000_0011
        };
        loop {
            scan.text()?;
            if packet == 8 && scan.byte()? > options_max {
                return Err(malformed("reserved subscription option"));
            }
            if scan.is_empty() {
                return Ok(identifier);
            }
        }
    }
}

/// First byte of a CONNECT.
const CONNECT: u8 = 0x10;
/// Where the protocol level stands in the body of a CONNECT.
const LEVEL_AT: usize = 6;
/// The bit of the protocol level by which mosquitto's bridges say what they are (`try_private`).
const BRIDGE: u8 = 0x80;
/// Level of 3.1.1 with it.
const BRIDGE_V4: u8 = BRIDGE | 4;
/// Level of 5.0 with it.
const BRIDGE_V5: u8 = BRIDGE | 5;

/// Reserved flags of the fixed header (MQTT 5 §2.1.3).
fn check_flags(first: u8) -> Result<(), CloseReason> {
    let flags = first & 0x0F;
    let right = match first >> 4 {
        // PUBLISH: QoS 3 does not exist, and QoS 0 is never a repeat.
        3 => flags & 0b0110 != 0b0110 && flags & 0b1110 != 0b1000,
        // PUBREL, SUBSCRIBE, UNSUBSCRIBE.
        6 | 8 | 10 => flags == 0b0010,
        0 => false,
        _ => flags == 0,
    };
    if right {
        Ok(())
    } else {
        Err(CloseReason::Malformed(format!("first byte {first:#04x}")))
    }
}

/// The version of a CONNECT by its protocol name and level (MQTT 5 §3.1.2.1). What a bridge asks for by its bit are options
/// of a subscription in 5.0, so there it means nothing more; to grant it in 3.1.1 would promise them unasked.
fn version(body: &[u8]) -> Result<Version, CloseReason> {
    match body {
        [0, 4, b'M', b'Q', b'T', b'T', 4, ..] => Ok(Version::V4),
        [0, 4, b'M', b'Q', b'T', b'T', 5 | BRIDGE_V5, ..] => Ok(Version::V5),
        [0, 4, b'M', b'Q', b'T', b'T'] | [] => Err(malformed("CONNECT without protocol level")),
        [0, 4, b'M', b'Q', b'T', b'T', level, ..] => Err(CloseReason::ProtocolLevel(*level)),
        // Other names are older protocols, or none.
        _ => Err(CloseReason::ProtocolLevel(0)),
    }
}

fn refusal(error: Error) -> CloseReason {
    match error {
        Error::PayloadSizeLimitExceeded(bytes) => CloseReason::Oversize(bytes),
        other => CloseReason::Malformed(other.to_string()),
    }
}

fn malformed(what: &'static str) -> CloseReason {
    CloseReason::Malformed(what.to_owned())
}

#[cfg(test)]
mod tests;
