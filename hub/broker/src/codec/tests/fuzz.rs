//! Bytes of all kinds in, and every answer out.

use super::{BYTES_MAX, codec, full_connect, packets};
use crate::codec::Codec;
use crate::session::packet::{Ack, Delivered, DeliveredProperties};
use crate::session::{Outgoing, Reason, Version};
use bytes::{Bytes, BytesMut};
use fuzzing::fuzz;
use proptest::prelude::*;
use rumqttc::mqttbytes::v4;
use rumqttc::v5::mqttbytes::v5;

#[path = "../../../tests/session/fuzzing.rs"]
mod fuzzing;

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
                    passed_on: Bytes::from_static(if retain { b"\x01\x01\x26\0\x01k\0\x01v" } else { b"" }),
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
