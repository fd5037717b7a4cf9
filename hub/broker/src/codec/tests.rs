//! The codec against bytes of all kinds, and against the packets of a client library that is not ours.

use super::Codec;
use crate::session::packet::{Ack, Delivered, DeliveredProperties, Granted};
use crate::session::{CloseReason, Incoming, Outgoing, Reason, Version};
use bytes::{Bytes, BytesMut};
use fuzzing::fuzz;
use proptest::prelude::*;
use rumqttc::mqttbytes::v4;
use rumqttc::v5::mqttbytes::v5;

#[path = "../../tests/session/fuzzing.rs"]
mod fuzzing;

const BYTES_MAX: usize = 1024;

/// All packets that `bytes` give when they come in pieces of `piece` bytes, and how it ended.
fn packets(mut codec: Codec, bytes: &[u8], piece: usize, greeting: bool) -> (Vec<Incoming>, Option<CloseReason>) {
    let (mut buffer, mut packets) = (BytesMut::new(), Vec::new());
    for part in bytes.chunks(piece.max(1)) {
        buffer.extend_from_slice(part);
        loop {
            match codec.read(&mut buffer, BYTES_MAX, greeting && packets.is_empty()) {
                Ok(Some(packet)) => packets.push(packet),
                Ok(None) => break,
                Err(reason) => return (packets, Some(reason)),
            }
        }
    }
    (packets, None)
}

fn codec(version: Version) -> Codec {
    Codec { version }
}

fn version() -> impl Strategy<Value = Version> {
    prop_oneof![Just(Version::V4), Just(Version::V5)]
}

/// Bytes that look like packets: a plausible first byte, the right length, any body.
fn framed() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        any::<u8>(),
        prop::sample::select(vec![0x10, 0x30, 0x32, 0x34, 0x40, 0x62, 0x82, 0xA2, 0xE0])
    ];
    let packet = (first, prop::collection::vec(any::<u8>(), 0..100)).prop_map(|(first, body)| {
        let mut packet = vec![first, body.len() as u8];
        packet.extend(body);
        packet
    });
    prop::collection::vec(packet, 1..5).prop_map(|packets| packets.concat())
}

/// Right packets of a client with a few wrong bytes in them.
fn nearly_right() -> impl Strategy<Value = Vec<u8>> {
    let sample = prop::sample::select(samples());
    let mutation = (any::<prop::sample::Index>(), any::<u8>(), 0u8..3);
    (
        prop::collection::vec(sample, 1..4),
        prop::collection::vec(mutation, 0..4),
    )
        .prop_map(|(packets, mutations)| {
            let mut bytes = packets.concat();
            for (at, value, how) in mutations {
                let at = at.index(bytes.len());
                match how {
                    0 => bytes[at] = value,
                    1 => bytes.insert(at, value),
                    _ if bytes.len() > 1 => drop(bytes.remove(at)),
                    _ => {}
                }
            }
            bytes
        })
}

/// What a client of each version sends.
fn samples() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let mut four = |packet: v4::Packet| {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, BYTES_MAX).unwrap();
        all.push(bytes.to_vec());
    };
    let mut connect = v4::Connect::new("client");
    connect.set_login("acme/washer", "secret");
    connect.last_will = Some(v4::LastWill::new("d/washer/s", "gone", rumqttc::QoS::AtLeastOnce, true));
    four(v4::Packet::Connect(connect));
    let mut publish = v4::Publish::new("d/washer/t", rumqttc::QoS::ExactlyOnce, "payload");
    publish.pkid = 7;
    four(v4::Packet::Publish(publish));
    four(v4::Packet::PubRel(v4::PubRel::new(7)));
    four(v4::Packet::PubAck(v4::PubAck::new(7)));
    let mut subscribe = v4::Subscribe::new("d/washer/c/+", rumqttc::QoS::AtLeastOnce);
    subscribe.pkid = 8;
    four(v4::Packet::Subscribe(subscribe));
    let mut unsubscribe = v4::Unsubscribe::new("d/washer/c/+");
    unsubscribe.pkid = 9;
    four(v4::Packet::Unsubscribe(unsubscribe));
    four(v4::Packet::PingReq);
    four(v4::Packet::Disconnect);
    all.push(full_connect());
    // PUBLISH with expiry, alias and a user property; SUBSCRIBE with an identifier; DISCONNECT with expiry; and alone.
    all.push(b"\x34\x20\x00\x01t\x00\x05\x11\x02\x00\x00\x00\x3C\x23\x00\x01\x26\x00\x01k\x00\x01vpayload..".to_vec());
    all.push(b"\x82\x0C\x00\x01\x02\x0B\x05\x00\x04d/+/\x2D".to_vec());
    all.push(b"\xE0\x07\x00\x05\x11\x00\x00\x00\x3C".to_vec());
    all.push(b"\xE0\x01\x04".to_vec());
    all
}

/// CONNECT of MQTT 5 with everything in it.
fn full_connect() -> Vec<u8> {
    let connect = v5::Connect {
        keep_alive: 30,
        client_id: String::new(),
        clean_start: true,
        properties: Some(v5::ConnectProperties {
            session_expiry_interval: Some(60),
            receive_maximum: Some(10),
            max_packet_size: Some(1000),
            topic_alias_max: Some(5),
            request_response_info: Some(0),
            request_problem_info: Some(0),
            user_properties: vec![("k".into(), "v".into()), ("k".into(), "v".into())],
            authentication_method: None,
            authentication_data: None,
        }),
    };
    let will = v5::LastWill {
        topic: Bytes::from_static(b"d/washer/s"),
        message: Bytes::from_static(b"gone"),
        qos: rumqttc::v5::mqttbytes::QoS::AtLeastOnce,
        retain: true,
        properties: Some(v5::LastWillProperties {
            delay_interval: Some(9),
            payload_format_indicator: Some(1),
            message_expiry_interval: Some(5),
            content_type: Some("text".into()),
            response_topic: Some("r".into()),
            correlation_data: Some(Bytes::from_static(b"c")),
            user_properties: vec![("k".into(), "v".into())],
        }),
    };
    let login = v5::Login::new("acme/washer", "secret");
    let mut bytes = BytesMut::new();
    let packet = v5::Packet::Connect(connect, Some(will), Some(login));
    packet.write(&mut bytes, None).unwrap();
    bytes.to_vec()
}

/// No bytes make the codec panic, and how they are cut into pieces changes nothing.
#[test]
fn fuzz_pieces_change_nothing() {
    let bytes = prop_oneof![framed(), nearly_right(), prop::collection::vec(any::<u8>(), 0..300)];
    let case = (version(), bytes, 1usize..40, any::<bool>());
    fuzz(4_000, &case, |(version, bytes, piece, greeting)| {
        let whole = packets(codec(version), &bytes, bytes.len(), greeting);
        prop_assert_eq!(packets(codec(version), &bytes, piece, greeting), whole);
        Ok(())
    });
}

/// A CONNECT body of any bytes is a packet or a refusal.
#[test]
fn fuzz_connect_bodies() {
    let case = (prop::collection::vec(any::<u8>(), 1..120), 3u8..8);
    fuzz(2_000, &case, |(body, level)| {
        let mut bytes = vec![0x10, (body.len() + 7) as u8, 0, 4, b'M', b'Q', b'T', b'T', level];
        bytes.extend(&body);
        let (packets, refusal) = packets(Codec::default(), &bytes, bytes.len(), true);
        prop_assert!(packets.len() + usize::from(refusal.is_some()) == 1);
        Ok(())
    });
}

/// What is written for a client is what a client reads, and no packet makes the encoders panic.
#[test]
fn fuzz_answers_are_read_by_another_client() {
    let text = prop::option::of("[a-z ]{0,200}".prop_map(|text| Box::<str>::from(text.as_str())));
    let ack = (1u16.., reason(), text.clone())
        .prop_map(|(packet_id, reason, text)| Ack {
            packet_id,
            reason,
            text,
        })
        .boxed();
    let publish = (
        0u8..2,
        1u16..,
        any::<bool>(),
        "[a-z/]{1,40}",
        prop::collection::vec(any::<u8>(), 0..100),
        any::<Option<u32>>(),
    )
        .prop_map(|(qos, packet_id, retain, topic, payload, expiry)| {
            Outgoing::Publish(Box::new(Delivered {
                dup: qos > 0 && retain,
                qos,
                packet_id: if qos > 0 { packet_id } else { 0 },
                retain,
                properties: DeliveredProperties {
                    message_expiry_s: expiry,
                    response_topic: expiry.map(|_| topic.clone()),
                    correlation_data: expiry.map(|_| Bytes::from_static(b"c")),
                },
                topic,
                payload: payload.into(),
            }))
        });
    let answer = prop_oneof![
        ack.clone().prop_map(Outgoing::PubAck),
        ack.clone().prop_map(Outgoing::PubRec),
        ack.prop_map(Outgoing::PubComp),
        publish,
        (
            1u16..,
            prop::collection::vec(prop::sample::select(vec![0u8, 1, 0x80]), 1..300)
        )
            .prop_map(|(packet_id, codes)| Outgoing::SubAck { packet_id, codes }),
        (
            1u16..,
            prop::collection::vec(
                prop::sample::select(vec![Reason::Success, Reason::NoSubscriptionExisted]),
                1..300
            )
        )
            .prop_map(|(packet_id, reasons)| Outgoing::UnsubAck { packet_id, reasons }),
        (reason(), text).prop_map(|(reason, text)| Outgoing::Disconnect {
            reason,
            text: text.unwrap_or_default()
        }),
        (any::<bool>(), reason()).prop_map(|(present, reason)| Outgoing::ConnAck {
            present,
            reason,
            granted: None
        }),
        Just(Outgoing::PingResp),
    ];
    let case = (version(), answer);
    fuzz(4_000, &case, |(version, answer)| {
        if version == Version::V4 && matches!(answer, Outgoing::Disconnect { .. }) {
            return Ok(());
        }
        let mut bytes = BytesMut::new();
        codec(version).write(answer.clone(), &mut bytes).unwrap();
        if let Outgoing::Publish(publish) = &answer {
            prop_assert_eq!(publish.bytes(version), bytes.len() as u64);
        }
        let readable = matches!(&answer,
            Outgoing::PubAck(ack) | Outgoing::PubRec(ack) | Outgoing::PubComp(ack) if known(&answer, ack.reason))
            || !matches!(
                &answer,
                Outgoing::PubAck(_) | Outgoing::PubRec(_) | Outgoing::PubComp(_)
            );
        if !readable {
            return Ok(());
        }
        match version {
            Version::V4 => {
                if let Err(error) = v4::Packet::read(&mut bytes, 100_000) {
                    prop_assert!(false, "{error:?} for {answer:?}");
                }
            }
            Version::V5 if matches!(answer, Outgoing::Disconnect { reason, .. } if !is_disconnect(reason)) => {
                return Ok(());
            }
            Version::V5 => {
                if let Err(error) = v5::Packet::read(&mut bytes, None) {
                    prop_assert!(false, "{error:?} for {answer:?}");
                }
            }
        }
        prop_assert!(bytes.is_empty(), "{} bytes left of {answer:?}", bytes.len());
        Ok(())
    });
}

fn reason() -> impl Strategy<Value = Reason> {
    prop::sample::select(vec![
        Reason::Success,
        Reason::Unspecified,
        Reason::MalformedPacket,
        Reason::UnsupportedVersion,
        Reason::ClientId,
        Reason::BadLogin,
        Reason::NotAuthorised,
        Reason::Unavailable,
        Reason::Busy,
        Reason::BadAuthentication,
        Reason::TakenOver,
        Reason::TopicInvalid,
        Reason::PacketIdNotFound,
        Reason::PacketTooLarge,
        Reason::Quota,
        Reason::PayloadFormat,
        Reason::ConnectionRate,
    ])
}

/// Codes that the standard has on an acknowledgement; the other client refuses the rest.
fn known(answer: &Outgoing, reason: Reason) -> bool {
    match answer {
        Outgoing::PubComp(_) => matches!(reason, Reason::Success | Reason::PacketIdNotFound),
        _ => matches!(
            reason,
            Reason::Success
                | Reason::Unspecified
                | Reason::NotAuthorised
                | Reason::TopicInvalid
                | Reason::Quota
                | Reason::PayloadFormat
        ),
    }
}

fn is_disconnect(reason: Reason) -> bool {
    !matches!(
        reason,
        Reason::UnsupportedVersion
            | Reason::ClientId
            | Reason::BadLogin
            | Reason::Unavailable
            | Reason::BadAuthentication
            | Reason::PacketIdNotFound
    )
}

#[test]
fn a_publish_is_read_in_one_piece_of_memory() {
    for (version, bytes) in [
        (Version::V4, &b"\x3D\x0C\x00\x05d/a/t\x00\x07xyz"[..]),
        (Version::V5, b"\x3D\x0D\x00\x05d/a/t\x00\x07\x00xyz"),
    ] {
        let (read, refusal) = packets(codec(version), bytes, bytes.len(), false);
        assert_eq!(refusal, None);
        let [Incoming::Publish(publish)] = read.as_slice() else {
            panic!("{read:?}")
        };
        assert_eq!((publish.qos, publish.packet_id, publish.retain), (2, 7, true));
        assert_eq!(
            (publish.message.topic(), publish.message.payload()),
            ("d/a/t", &b"xyz"[..])
        );
    }
}

#[test]
fn a_full_connect_of_version_5_is_read() {
    let (read, refusal) = packets(Codec::default(), &full_connect(), 7, true);
    assert_eq!(refusal, None);
    let [Incoming::Connect(connect)] = read.as_slice() else {
        panic!("{read:?}")
    };
    assert_eq!(
        (connect.version, connect.client_id, connect.keep_alive_s),
        (Version::V5, false, 30)
    );
    let properties = connect.properties;
    assert_eq!(properties.session_expiry_s, Some(60));
    assert_eq!((properties.receive_maximum, properties.packet_bytes_max), (10, 1000));
    assert!(!properties.problem_information && !properties.authentication);
    let will = connect.will.as_ref().unwrap();
    assert_eq!((will.delay_s, will.publish.qos, will.publish.retain), (9, 1, true));
}

#[test]
fn a_granted_session_is_read_by_another_client() {
    let granted = Granted {
        session_expiry_s: Some(60),
        receive_maximum: 128,
        packet_bytes_max: 16_384,
        topic_alias_max: 16,
        server_keep_alive_s: Some(900),
        assigned_client_id: Some("client-1".into()),
    };
    let mut bytes = BytesMut::new();
    let answer = Outgoing::ConnAck {
        present: true,
        reason: Reason::Success,
        granted: Some(Box::new(granted)),
    };
    codec(Version::V5).write(answer, &mut bytes).unwrap();
    let v5::Packet::ConnAck(connack) = v5::Packet::read(&mut bytes, None).unwrap() else {
        panic!()
    };
    assert!(connack.session_present);
    let properties = connack.properties.unwrap();
    assert_eq!(properties.max_qos, None, "which means 2");
    assert_eq!(properties.receive_max, Some(128));
    assert_eq!(properties.assigned_client_identifier.as_deref(), Some("client-1"));
    assert_eq!(properties.shared_subscription_available, Some(0));
}

#[test]
fn the_first_byte_tells_garbage() {
    for garbage in [&b"GET / HTTP/1.1\r\n"[..], &[0x16, 0x03, 0x01], &[0x00], &[0xFF]] {
        let (_, refusal) = packets(Codec::default(), garbage, garbage.len(), true);
        assert_eq!(refusal, Some(CloseReason::NotConnect));
    }
}

#[test]
fn other_versions_are_told_so_in_their_own_form() {
    let connect = |level| [&[0x10, 7, 0, 4][..], b"MQTT", &[level]].concat();
    let older = b"\x10\x09\x00\x06MQIsdp\x03".to_vec();
    for (bytes, level, answer) in [
        (connect(3), 3, &[0x20, 2, 0, 1][..]),
        (older, 0, &[0x20, 2, 0, 1]),
        (connect(6), 6, &[0x20, 3, 0, 0x84, 0]),
    ] {
        let (mut codec, mut buffer) = (Codec::default(), BytesMut::from(bytes.as_slice()));
        assert_eq!(
            codec.read(&mut buffer, BYTES_MAX, true),
            Err(CloseReason::ProtocolLevel(level))
        );
        let mut answered = BytesMut::new();
        codec
            .write(Outgoing::refusal(Reason::UnsupportedVersion), &mut answered)
            .unwrap();
        assert_eq!(answered, answer);
    }
}

/// Each breaks one rule of the standard, with the label of the refusal.
#[test]
fn refusals_say_what_is_wrong() {
    let both = [
        (&b"\x30\xFF\xFF\x7F"[..], "oversize"),
        (b"\x30\xFF\xFF\xFF\xFF\x7F", "malformed"),
        (b"\x80\x00", "malformed"),
        (b"\x36\x00", "malformed"),
        (b"\x38\x00", "malformed"),
        (b"\x32\x05\x00\x01a\x00\x00", "malformed"),
        (b"\x30\x02\x00\x05", "malformed"),
        (b"\x40\x02\x00\x00", "malformed"),
        (b"\x40\x01\x00", "malformed"),
        (b"\x62\x02\x00\x00", "malformed"),
        (b"\x82\x02\x00\x01", "malformed"),
        (b"\xA2\x02\x00\x01", "malformed"),
        (b"\xA2\x00", "malformed"),
    ];
    let four = [
        (&b"\x82\x06\x00\x01\x00\x01a\x03"[..], "malformed"),
        (b"\x82\x06\x00\x01\x00\x01a\x04", "malformed"),
        (b"\x82\x06\x00\x00\x00\x01a\x00", "malformed"),
        (b"\x40\x03\x00\x01\x00", "malformed"),
        (b"\xE0\x01\x00", "malformed"),
        (b"\x10\x0C\x00\x04MQTT\x04\x03\x00\x0A\x00\x00", "malformed"),
        (b"\x10\x0C\x00\x04MQTT\x04\x42\x00\x0A\x00\x00", "malformed"),
        (b"\x10\x0C\x00\x04MQTT\x04\x0A\x00\x0A\x00\x00", "malformed"),
        (b"\x10\x0D\x00\x04MQTT\x04\x02\x00\x0A\x00\x00x", "malformed"),
        (b"\x10\x0D\x00\x04MQTT\x04\x02\x00\x0A\x00\x01\x00", "malformed"),
    ];
    let five = [
        // Neither topic nor alias; alias twice; a property of another packet; one beyond its block; a bad boolean.
        (&b"\x30\x03\x00\x00\x00"[..], "unexpected"),
        (b"\x30\x0A\x00\x01a\x06\x23\x00\x01\x23\x00\x01", "unexpected"),
        (b"\x30\x07\x00\x01a\x03\x22\x00\x01", "malformed"),
        (b"\x30\x07\x00\x01a\x01\x23\x00\x01", "malformed"),
        (b"\x30\x06\x00\x01a\x02\x01\x02", "unexpected"),
        (b"\x82\x07\x00\x01\x00\x00\x01a\x40", "malformed"),
        (b"\x82\x07\x00\x01\x00\x00\x01a\x30", "malformed"),
        (b"\x82\x08\x00\x01\x02\x0B\x00\x00\x01a", "unexpected"),
        (
            b"\x10\x10\x00\x04MQTT\x05\x02\x00\x0A\x03\x21\x00\x00\x00\x00",
            "unexpected",
        ),
        (
            b"\x10\x12\x00\x04MQTT\x05\x02\x00\x0A\x05\x27\x00\x00\x00\x00\x00\x00",
            "unexpected",
        ),
        (
            b"\x10\x10\x00\x04MQTT\x05\x02\x00\x0A\x03\x16\x00\x00\x00\x00",
            "unexpected",
        ),
    ];
    let refused = |version, bytes: &[u8]| packets(codec(version), bytes, bytes.len(), false).1.map(|r| r.label());
    for (bytes, label) in both.iter().chain(&four) {
        assert_eq!(refused(Version::V4, bytes), Some(*label), "{bytes:02x?}");
    }
    for (bytes, label) in both.iter().chain(&five) {
        assert_eq!(refused(Version::V5, bytes), Some(*label), "{bytes:02x?}");
    }
}

#[test]
fn what_rumqttd_panics_on_is_only_unexpected() {
    for version in [Version::V4, Version::V5] {
        for first in [0x20u8, 0x50, 0x70, 0x90, 0xB0, 0xD0, 0xF0] {
            for body in [&b""[..], b"\x00\x01", b"\x00\x01\x00\x00"] {
                let bytes = [&[first, body.len() as u8], body].concat();
                let (read, refusal) = packets(codec(version), &bytes, bytes.len(), false);
                assert!(
                    matches!(read.as_slice(), [Incoming::Unexpected(_)]),
                    "{bytes:02x?} {refusal:?}"
                );
            }
        }
    }
}
