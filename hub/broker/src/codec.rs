//! Between bytes and the session's packets: rumqttd's MQTT 3.1.1 codec, with the checks that it leaves out, and
//! with topic and payload copied out of the read buffer. Nothing else here knows rumqttd's types.

use crate::session::{CloseReason, Connect, ConnectCode, Incoming, Login, Outgoing, Publish};
use bytes::{BufMut, Bytes, BytesMut};
use rumqttd::protocol::v4::{V4, check};
use rumqttd::protocol::{self, ConnectReturnCode, Error, Packet, Protocol, QoS, SubscribeReasonCode};

/// Takes the next packet out of `buffer`, or `None` while it is not complete. `greeting` says that only a CONNECT is
/// acceptable, so that garbage is known by its first byte.
pub fn read(buffer: &mut BytesMut, bytes_max: usize, greeting: bool) -> Result<Option<Incoming>, CloseReason> {
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
    if first == CONNECT {
        let body = buffer.get(header.fixed_header_len..header.frame_length());
        check_connect(body.unwrap_or_default())?;
    }
    match V4.read_mut(buffer, bytes_max) {
        Ok(packet) => Ok(Some(incoming(packet)?)),
        Err(error) => Err(refusal(error)),
    }
}

/// Appends a packet to `buffer`.
pub fn write(packet: Outgoing, buffer: &mut BytesMut) -> Result<(), CloseReason> {
    V4.write(outgoing(packet), buffer).map(drop).map_err(refusal)
}

/// First byte of a CONNECT.
const CONNECT: u8 = 0x10;

/// Reserved flags of the fixed header (MQTT 3.1.1 table 2.2), which the codec does not look at.
fn check_flags(first: u8) -> Result<(), CloseReason> {
    let flags = first & 0x0F;
    let right = match first >> 4 {
        // PUBLISH: QoS 3 does not exist, and QoS 0 is never a repeat.
        3 => flags & 0b0110 != 0b0110 && flags & 0b1110 != 0b1000,
        // PUBREL, SUBSCRIBE, UNSUBSCRIBE.
        6 | 8 | 10 => flags == 0b0010,
        0 | 15 => false,
        _ => flags == 0,
    };
    if right {
        Ok(())
    } else {
        Err(CloseReason::Malformed(format!("first byte {first:#04x}")))
    }
}

/// Reserved bit and password without user name (MQTT 3.1.1 §3.1.2.3, §3.1.2.9), which the codec does not look at.
/// Other protocol names than "MQTT" are left to the codec.
fn check_connect(body: &[u8]) -> Result<(), CloseReason> {
    let Some(([0, 4, b'M', b'Q', b'T', b'T', 4, flags], _)) = body.split_first_chunk() else {
        return Ok(());
    };
    if flags & 0b0000_0001 != 0 {
        return Err(CloseReason::Malformed("reserved CONNECT flag is set".into()));
    }
    if flags & 0b1100_0000 == 0b0100_0000 {
        return Err(CloseReason::Malformed("password without user name".into()));
    }
    Ok(())
}

fn refusal(error: Error) -> CloseReason {
    match error {
        Error::PayloadSizeLimitExceeded(bytes) => CloseReason::Oversize(bytes),
        Error::InvalidProtocol | Error::InvalidProtocolLevel(_) => CloseReason::ProtocolLevel,
        other => CloseReason::Malformed(other.to_string()),
    }
}

fn incoming(packet: Packet) -> Result<Incoming, CloseReason> {
    Ok(match packet {
        Packet::Connect(connect, _, will, _, login) => Incoming::Connect(Connect {
            keep_alive_s: connect.keep_alive,
            login: login.map(|login| Login {
                user_name: login.username,
                password: login.password,
            }),
            will: will.map(|will| Publish {
                qos: will.qos as u8,
                packet_id: 0,
                topic: Bytes::copy_from_slice(&will.topic),
                payload: Bytes::copy_from_slice(&will.message),
            }),
        }),
        Packet::Publish(publish, _) => Incoming::Publish(copied(&publish)?),
        Packet::PubAck(ack, _) => Incoming::PubAck(ack.pkid),
        Packet::Subscribe(subscribe, _) => Incoming::Subscribe {
            packet_id: subscribe.pkid,
            filters: subscribe.filters.into_iter().map(|f| (f.path, f.qos as u8)).collect(),
        },
        Packet::Unsubscribe(unsubscribe, _) => Incoming::Unsubscribe {
            packet_id: unsubscribe.pkid,
            filters: unsubscribe.filters,
        },
        Packet::PingReq(_) => Incoming::PingReq,
        Packet::Disconnect(..) => Incoming::Disconnect,
        Packet::ConnAck(..) => Incoming::Unexpected("CONNACK"),
        Packet::PingResp(_) => Incoming::Unexpected("PINGRESP"),
        Packet::SubAck(..) => Incoming::Unexpected("SUBACK"),
        Packet::UnsubAck(..) => Incoming::Unexpected("UNSUBACK"),
        Packet::PubRec(..) => Incoming::Unexpected("PUBREC"),
        Packet::PubRel(..) => Incoming::Unexpected("PUBREL"),
        Packet::PubComp(..) => Incoming::Unexpected("PUBCOMP"),
    })
}

/// rumqttd keeps QoS and packet identifier of a publish to itself; its flat form shows them: one byte of flags, the
/// identifier, the topic's length, topic, payload. Making it also is the copy out of the read buffer.
fn copied(publish: &protocol::Publish) -> Result<Publish, CloseReason> {
    let mut flat = publish.serialize();
    let Some(([flags, id_high, id_low, topic_high, topic_low], _)) = flat.split_first_chunk() else {
        return Err(CloseReason::Malformed("publish without topic".into()));
    };
    let qos = (flags >> 1) & 0b11;
    let packet_id = u16::from_be_bytes([*id_high, *id_low]);
    let topic_bytes = usize::from(u16::from_be_bytes([*topic_high, *topic_low]));
    if flat.len() < FLAT_HEAD + topic_bytes {
        return Err(CloseReason::Malformed("publish shorter than its topic".into()));
    }
    let mut rest = flat.split_off(FLAT_HEAD);
    let topic = rest.split_to(topic_bytes);
    Ok(Publish {
        qos,
        packet_id,
        topic,
        payload: rest,
    })
}

/// Bytes before the topic in rumqttd's flat form of a publish.
const FLAT_HEAD: usize = 5;

fn outgoing(packet: Outgoing) -> Packet {
    match packet {
        Outgoing::ConnAck(code) => {
            let ack = protocol::ConnAck {
                session_present: false,
                code: connect_code(code),
            };
            Packet::ConnAck(ack, None)
        }
        Outgoing::Publish {
            qos,
            packet_id,
            topic,
            payload,
        } => Packet::Publish(flat_publish(qos, packet_id, &topic, &payload), None),
        Outgoing::PubAck(pkid) => {
            let reason = protocol::PubAckReason::Success;
            Packet::PubAck(protocol::PubAck { pkid, reason }, None)
        }
        Outgoing::SubAck { packet_id, codes } => {
            let return_codes = codes.into_iter().map(subscribe_code).collect();
            let pkid = packet_id;
            Packet::SubAck(protocol::SubAck { pkid, return_codes }, None)
        }
        Outgoing::UnsubAck(pkid) => {
            let reasons = Vec::new();
            Packet::UnsubAck(protocol::UnsubAck { pkid, reasons }, None)
        }
        Outgoing::PingResp => Packet::PingResp(protocol::PingResp),
    }
}

fn flat_publish(qos: u8, packet_id: u16, topic: &str, payload: &[u8]) -> protocol::Publish {
    let mut flat = BytesMut::with_capacity(FLAT_HEAD + topic.len() + payload.len());
    flat.put_u8(0b0011_0000 | (qos << 1));
    flat.put_u16(packet_id);
    // At most 7 levels of 64 bytes, checked by whoever queues a command.
    flat.put_u16(u16::try_from(topic.len()).unwrap_or(u16::MAX));
    flat.put_slice(topic.as_bytes());
    flat.put_slice(payload);
    protocol::Publish::deserialize(flat.freeze())
}

fn connect_code(code: ConnectCode) -> ConnectReturnCode {
    match code {
        ConnectCode::Accepted => ConnectReturnCode::Success,
        ConnectCode::ProtocolLevel => ConnectReturnCode::RefusedProtocolVersion,
        ConnectCode::Unavailable => ConnectReturnCode::ServiceUnavailable,
        ConnectCode::BadLogin => ConnectReturnCode::BadUserNamePassword,
        ConnectCode::NotAuthorised => ConnectReturnCode::NotAuthorized,
    }
}

fn subscribe_code(code: u8) -> SubscribeReasonCode {
    match code {
        0 => SubscribeReasonCode::Success(QoS::AtMostOnce),
        1 => SubscribeReasonCode::Success(QoS::AtLeastOnce),
        _ => SubscribeReasonCode::Failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BYTES_MAX: usize = 1024;

    /// All packets that `bytes` give when they come in pieces of `piece` bytes, and how it ended.
    fn packets(bytes: &[u8], piece: usize, greeting: bool) -> (Vec<Incoming>, Option<CloseReason>) {
        let (mut buffer, mut packets) = (BytesMut::new(), Vec::new());
        for part in bytes.chunks(piece.max(1)) {
            buffer.extend_from_slice(part);
            loop {
                match read(&mut buffer, BYTES_MAX, greeting && packets.is_empty()) {
                    Ok(Some(packet)) => packets.push(packet),
                    Ok(None) => break,
                    Err(reason) => return (packets, Some(reason)),
                }
            }
        }
        (packets, None)
    }

    /// Bytes that look like packets: a plausible first byte, the right length, any body.
    fn framed() -> impl Strategy<Value = Vec<u8>> {
        let packet = (any::<u8>(), prop::collection::vec(any::<u8>(), 0..100)).prop_map(|(first, body)| {
            let mut packet = vec![first, body.len() as u8];
            packet.extend(body);
            packet
        });
        prop::collection::vec(packet, 1..5).prop_map(|packets| packets.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// No bytes make the codec panic, and how they are cut into pieces changes nothing.
        #[test]
        fn pieces_change_nothing(
            bytes in prop_oneof![framed(), prop::collection::vec(any::<u8>(), 0..300)],
            piece in 1usize..40,
            greeting: bool,
        ) {
            prop_assert_eq!(packets(&bytes, piece, greeting), packets(&bytes, bytes.len(), greeting));
        }

        /// A CONNECT body of any bytes is a packet or a refusal.
        #[test]
        fn connect_bodies(body in prop::collection::vec(any::<u8>(), 1..120), level in 3u8..6) {
            let mut bytes = vec![CONNECT, (body.len() + 7) as u8, 0, 4, b'M', b'Q', b'T', b'T', level];
            bytes.extend(&body);
            let (packets, refusal) = packets(&bytes, bytes.len(), true);
            prop_assert!(packets.len() + usize::from(refusal.is_some()) == 1);
        }

        /// A publish comes out as it went in, in memory of its own.
        #[test]
        fn publishes(payload in prop::collection::vec(any::<u8>(), 0..100), qos in 0u8..2, packet_id in 1u16..) {
            let packet_id = if qos == 0 { 0 } else { packet_id };
            let (topic, payload) = ("d/a/t".to_owned(), Bytes::from(payload));
            let mut bytes = BytesMut::new();
            let sent = Outgoing::Publish { qos, packet_id, topic: topic.clone(), payload: payload.clone() };
            write(sent, &mut bytes).unwrap();
            let topic = Bytes::from(topic);
            let expected = Incoming::Publish(Publish { qos, packet_id, topic, payload });
            prop_assert_eq!(read(&mut bytes, BYTES_MAX, false), Ok(Some(expected)));
        }
    }

    #[test]
    fn the_first_byte_tells_garbage() {
        for garbage in [&b"GET / HTTP/1.1\r\n"[..], &[0x16, 0x03, 0x01], &[0x00], &[0xFF]] {
            let (_, refusal) = packets(garbage, garbage.len(), true);
            assert_eq!(refusal, Some(CloseReason::NotConnect));
        }
    }

    #[test]
    fn refusals_say_what_is_wrong() {
        let refusal = |bytes: &[u8]| packets(bytes, bytes.len(), false).1;
        assert_eq!(
            refusal(&[0x30, 0xFF, 0xFF, 0x7F]),
            Some(CloseReason::Oversize(2_097_151))
        );
        assert_eq!(
            refusal(&[0x10, 7, 0, 4, b'M', b'Q', b'T', b'T', 5]),
            Some(CloseReason::ProtocolLevel)
        );
        assert_eq!(
            refusal(&[0x10, 9, 0, 6, b'M', b'Q', b'I', b's', b'd', b'p', 3]),
            Some(CloseReason::ProtocolLevel)
        );
        // SUBSCRIBE without its reserved flag; QoS 3; a repeat at QoS 0; a packet identifier of zero.
        for bytes in [&[0x80, 0][..], &[0x36, 0], &[0x38, 0], &[0x32, 5, 0, 1, b'a', 0, 0]] {
            assert!(matches!(refusal(bytes), Some(CloseReason::Malformed(_))), "{bytes:?}");
        }
    }
}
