use super::{Decoder, Malformed, Packet, REFUSED};
use proptest::collection::vec;
use proptest::prelude::*;

/// A packet with what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Incoming {
    Connack { session_present: bool, code: u8 },
    Publish(Message),
    TooLong { id: u16 },
    Puback { id: u16 },
    Suback { id: u16, filters: u8, refused: u8 },
    Pingresp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Message {
    topic_len: u16,
    id: u16,
}

fn incoming(packet: Packet, decoder: &Decoder<'_>) -> Incoming {
    let id = decoder.answered_id();
    match packet {
        Packet::Connack => {
            let (session_present, code) = decoder.connack();
            Incoming::Connack { session_present, code }
        }
        Packet::Publish => Incoming::Publish(Message {
            topic_len: id,
            id: decoder.message_id(),
        }),
        Packet::TooLong => Incoming::TooLong {
            id: decoder.message_id(),
        },
        Packet::Puback => Incoming::Puback { id },
        Packet::Suback => Incoming::Suback {
            id,
            filters: decoder.codes().len() as u8,
            refused: decoder.codes().iter().filter(|code| **code == REFUSED).count() as u8,
        },
        Packet::Pingresp => Incoming::Pingresp,
    }
}

/// A packet, with topic and payload where it is a message.
type Read = (Incoming, Vec<u8>, Vec<u8>);

/// All packets up to the first that is refused, and whether one was.
fn read(bytes: &[u8], buffer_bytes: usize) -> (Vec<Read>, bool) {
    let mut buffer = vec![0xEE; buffer_bytes];
    let mut decoder = Decoder::new(&mut buffer);
    let mut packets = Vec::new();
    for byte in bytes {
        match decoder.push(*byte) {
            Ok(None) => {}
            Ok(Some(packet)) => {
                let (topic, payload) = match packet {
                    Packet::Publish => decoder.parts(),
                    _ => Default::default(),
                };
                packets.push((incoming(packet, &decoder), topic.to_vec(), payload.to_vec()));
            }
            Err(Malformed) => return (packets, true),
        }
    }
    (packets, false)
}

fn packets(bytes: &[u8]) -> Vec<Incoming> {
    let (packets, is_refused) = read(bytes, 64);
    assert!(!is_refused, "{bytes:02X?}");
    packets.into_iter().map(|(packet, _, _)| packet).collect()
}

#[test]
fn answers_are_read() {
    let connack = |session_present, code| Incoming::Connack { session_present, code };
    let cases: [(&[u8], Incoming); 9] = [
        (&[0x20, 2, 0, 0], connack(false, 0)),
        (&[0x20, 2, 1, 0], connack(true, 0)),
        (&[0x20, 2, 0, 5], connack(false, 5)),
        // A length may be written longer than it needs to be.
        (&[0x20, 0x82, 0, 0, 0], connack(false, 0)),
        (&[0x40, 2, 0x12, 0x34], Incoming::Puback { id: 0x1234 }),
        (&[0xD0, 0], Incoming::Pingresp),
        (
            &[0x90, 3, 0xFF, 0xFF, 1],
            Incoming::Suback {
                id: 0xFFFF,
                filters: 1,
                refused: 0,
            },
        ),
        (
            &[0x90, 5, 0, 1, 0x80, 0, 0x80],
            Incoming::Suback {
                id: 1,
                filters: 3,
                refused: 2,
            },
        ),
        (&[0x20, 2, 0, 1], connack(false, 1)),
    ];
    for (bytes, expected) in cases {
        assert_eq!(packets(bytes), [expected], "{bytes:02X?}");
    }
}

#[test]
fn messages_are_read() {
    let cases: [(&[u8], u16, &str, &[u8]); 6] = [
        (&[0x30, 4, 0, 1, b'a', 7], 0, "a", &[7]),
        (&[0x31, 3, 0, 1, b'a'], 0, "a", &[]),
        (&[0x32, 7, 0, 2, b'a', b'b', 0x12, 0x34, 9], 0x1234, "ab", &[9]),
        (&[0x33, 5, 0, 1, b'a', 0, 1], 1, "a", &[]),
        (&[0x3A, 5, 0, 1, b'a', 0, 1], 1, "a", &[]),
        (&[0x3B, 6, 0, 2, 0xC3, 0xA9, 1, 0], 0x100, "é", &[]),
    ];
    for (bytes, id, topic, payload) in cases {
        let (packets, is_refused) = read(bytes, 64);
        assert!(!is_refused, "{bytes:02X?}");
        let [(Incoming::Publish(message), read_topic, read_payload)] = &packets[..] else {
            panic!("{packets:?}");
        };
        assert_eq!(message.id, id, "{bytes:02X?}");
        assert_eq!(read_topic, topic.as_bytes(), "{bytes:02X?}");
        assert_eq!(read_payload, payload, "{bytes:02X?}");
    }
}

#[test]
fn what_a_hub_may_not_send_is_refused() {
    let cases: [(&[u8], &str); 30] = [
        (&[0x00], "§2.2.1: reserved"),
        (&[0x10], "a client's CONNECT"),
        (&[0x82], "a client's SUBSCRIBE"),
        (&[0xC0], "a client's PINGREQ"),
        (&[0xE0], "a client's DISCONNECT"),
        (&[0xF0], "§2.2.1: reserved"),
        (&[0x50], "PUBREC, which QoS 1 never needs"),
        (&[0x62], "PUBREL, which QoS 1 never needs"),
        (&[0x70], "PUBCOMP, which QoS 1 never needs"),
        (&[0xB0], "UNSUBACK without UNSUBSCRIBE"),
        (&[0x21], "§2.2.2: flags of CONNACK"),
        (&[0x42], "§2.2.2: flags of PUBACK"),
        (&[0x92], "§2.2.2: flags of SUBACK"),
        (&[0xD1], "§2.2.2: flags of PINGRESP"),
        (&[0x34], "QoS 2, which was not asked for"),
        (&[0x36], "§3.3.1.2: QoS 3"),
        (&[0x38], "§3.3.1.1: again at QoS 0"),
        (&[0x30, 0x80, 0x80, 0x80, 0x80], "§2.2.3: a length of five bytes"),
        (&[0x20, 1], "a short CONNACK"),
        (&[0x20, 3], "a long CONNACK"),
        (&[0x20, 2, 2, 0], "§3.2.2.1: reserved flags"),
        (&[0x20, 2, 1, 5], "§3.2.2.2: refused, but with a session"),
        (&[0x40, 3], "a long PUBACK"),
        (&[0xD0, 1], "a PINGRESP with a body"),
        (&[0x90, 2], "§3.9.3: a SUBACK without codes"),
        (&[0x90, 3, 0, 1, 3], "§3.9.3: a reserved code"),
        (&[0x32, 4], "no room for the identifier"),
        (&[0x32, 5, 0, 1, b'a', 0, 0], "§2.3.1: identifier 0"),
        (&[0x30, 3, 0, 2, b'a'], "a topic beyond the packet"),
        (&[0x30, 3, 0, 0, b'a'], "§4.7.3: no topic"),
    ];
    for (bytes, why) in cases {
        assert_eq!(read(bytes, 64), (Vec::new(), true), "{why}: {bytes:02X?}");
        // Before its last byte there was nothing to refuse.
        assert_eq!(read(&bytes[..bytes.len() - 1], 64), (Vec::new(), false), "{why}");
    }
    for topic in [&b"a\0"[..], b"a/+", b"#", b"\xFF", b"\xED\xA0\x80", b"\xC3"] {
        let length = topic.len() as u8;
        let bytes = [&[0x30, length + 2, 0, length][..], topic].concat();
        assert_eq!(read(&bytes, 64), (Vec::new(), true), "§1.5.3, §4.7.1: {topic:02X?}");
    }
}

#[test]
fn what_is_longer_than_the_buffer_is_passed_over_and_named() {
    // The buffer ends before, within and behind the topic; the identifier is read in any case.
    for topic_len in [1_u8, 10, 13, 14, 15, 16, 40] {
        for payload_len in 0..40_u8 {
            let length = 4 + topic_len + payload_len;
            let mut bytes = vec![0x32, length, 0, topic_len];
            bytes.extend(vec![b't'; topic_len.into()]);
            bytes.extend([0xAB, 0xCD]);
            bytes.extend(vec![0x55; payload_len.into()]);
            bytes.extend([0xD0, 0]);
            let (packets, is_refused) = read(&bytes, 16);
            assert!(!is_refused);
            let id = 0xABCD;
            match packets[0].0 {
                Incoming::Publish(message) => assert!(length <= 16 && message.id == id),
                packet => assert!(length > 16 && packet == Incoming::TooLong { id }),
            }
            assert_eq!(packets[1].0, Incoming::Pingresp, "{topic_len} {payload_len}");
        }
    }
}

#[test]
fn lengths_of_up_to_four_bytes_are_read() {
    for length in [127_usize, 128, 16_383, 16_384, 2_097_151, 2_097_152, 2_100_000] {
        let mut bytes = vec![0x30];
        let mut rest = length;
        while rest > 127 {
            bytes.push((rest % 128) as u8 | 128);
            rest /= 128;
        }
        bytes.push(rest as u8);
        bytes.extend([0, 1, b'a']);
        bytes.resize(bytes.len() + length - 3, 0);
        assert_eq!(read(&bytes[..bytes.len() - 1], 64), (Vec::new(), false), "{length}");
        assert_eq!(packets(&bytes), [Incoming::TooLong { id: 0 }], "{length}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_within_the_buffer_or_refused(
        bytes in vec(prop_oneof![any::<u8>(), 0..5_u8, Just(0x32), Just(0x30)], 0..200),
        buffer_bytes in 16..40_usize,
    ) {
        let (packets, _) = read(&bytes, buffer_bytes);
        for (packet, topic, payload) in packets {
            prop_assert!(topic.len() + payload.len() + 2 <= buffer_bytes);
            if let Incoming::Publish(message) = packet {
                prop_assert_eq!(topic.len(), usize::from(message.topic_len));
                prop_assert!(!topic.is_empty());
            }
        }
    }
}
