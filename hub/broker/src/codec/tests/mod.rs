//! The codec against bytes of all kinds, and against the packets of a client library that is not ours.

use super::Codec;
use crate::session::packet::{Delivered, DeliveredProperties, Granted};
use crate::session::{CloseReason, Incoming, Outgoing, Reason, Version};
use bytes::{Bytes, BytesMut};
use rumqttc::v5::mqttbytes::v5;

mod fuzz;

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
    let message = &will.publish.message;
    assert_eq!((message.topic(), message.payload()), ("d/washer/s", &b"gone"[..]));
    assert_eq!(message.expiry_s(), Some(5));
    let properties = message.to_properties();
    for property in [
        &b"\x01\x01"[..],
        b"\x03\0\x04text",
        b"\x08\0\x01r",
        b"\x09\0\x01c",
        b"\x26\0\x01k\0\x01v",
    ] {
        let found = properties.windows(property.len()).filter(|part| *part == property);
        assert_eq!(found.count(), 1, "{property:?} in {properties:?}");
    }
    assert_eq!(
        properties.len(),
        2 + 7 + 4 + 4 + 7,
        "and nothing else, not the delay either"
    );
}

#[test]
fn a_bridge_of_version_5_is_a_client_of_version_5() {
    let mut bytes = full_connect();
    assert_eq!(bytes.get(8), Some(&5), "the level");
    let (plain, _) = packets(Codec::default(), &bytes, bytes.len(), true);
    bytes[8] = 0x85;
    assert_eq!(packets(Codec::default(), &bytes, 7, true), (plain, None));
}

/// MQTT 5 §3.3.2.3: unaltered, user properties in their order; the alias is the connection's own, and the expiry runs.
#[test]
fn what_goes_on_with_a_publish_is_kept_as_it_came() {
    let first = b"\x26\0\x01k\0\x012\x01\x01";
    let others = b"\x03\0\x01t\x08\0\x01r\x09\0\x01c\x26\0\x01k\0\x011";
    let (expiry, alias) = (b"\x02\0\0\0\x3C", b"\x23\0\x01");
    let properties = [&first[..], alias, expiry, others].concat();
    let body = [&b"\0\x05d/a/t"[..], &[properties.len() as u8], &properties[..], b"xyz"].concat();
    let bytes = [&[0x30, body.len() as u8][..], &body[..]].concat();
    let (read, refusal) = packets(codec(Version::V5), &bytes, bytes.len(), false);
    assert_eq!(refusal, None);
    let [Incoming::Publish(publish)] = read.as_slice() else {
        panic!("{read:?}")
    };
    assert_eq!((publish.alias, publish.message.expiry_s()), (Some(1), Some(60)));
    let passed_on = [&first[..], others].concat();
    assert_eq!(publish.message.to_properties(), passed_on);
    assert_eq!(
        (publish.message.topic(), publish.message.payload()),
        ("d/a/t", &b"xyz"[..])
    );
    let elsewhere = publish.message.on(b"d/b/t");
    assert_eq!(elsewhere.to_properties(), passed_on);
    assert_eq!(
        (elsewhere.topic(), elsewhere.expiry_s(), elsewhere.payload()),
        ("d/b/t", Some(60), &b"xyz"[..])
    );
    // To another client: what is left of the time, then the same.
    let delivered = Delivered {
        dup: false,
        qos: 1,
        packet_id: 7,
        retain: false,
        topic: "d/a/t".into(),
        payload: publish.message.to_payload(),
        properties: DeliveredProperties {
            message_expiry_s: Some(59),
            passed_on: publish.message.to_properties(),
            ..DeliveredProperties::default()
        },
    };
    for (version, properties) in [
        (Version::V4, Vec::new()),
        (
            Version::V5,
            [&[passed_on.len() as u8 + 5][..], b"\x02\0\0\0\x3B", &passed_on[..]].concat(),
        ),
    ] {
        let mut written = BytesMut::new();
        let packet = Outgoing::Publish(Box::new(delivered.clone()));
        codec(version).write(packet, &mut written).unwrap();
        let body = [&b"\0\x05d/a/t\0\x07"[..], &properties[..], b"xyz"].concat();
        assert_eq!(written, [&[0x32, body.len() as u8][..], &body[..]].concat());
    }
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
        // mosquitto's bridges: on this answer they come again without the bit.
        (connect(0x83), 0x83, &[0x20, 2, 0, 1]),
        (connect(0x84), 0x84, &[0x20, 2, 0, 1]),
        (b"\x10\x09\x00\x06MQIsdp\x83".to_vec(), 0, &[0x20, 2, 0, 1]),
        (connect(6), 6, &[0x20, 3, 0, 0x84, 0]),
        (connect(0x86), 0x86, &[0x20, 3, 0, 0x84, 0]),
        (connect(0xFF), 0xFF, &[0x20, 3, 0, 0x84, 0]),
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
