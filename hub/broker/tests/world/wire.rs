//! Bytes of the agent as packets of the session core, and back: MQTT 3.1.1 at QoS 1, and no more than the agent says and
//! hears. Sections are those of the standard.

use hub_broker::session::packet::{ConnectProperties, Filter, RetainHandling, Subscribe};
use hub_broker::session::{Connect, Incoming, Login, Message, Outgoing, Publish, Version};
use tests_mqtt::{acknowledge, again, frame, publish, read_publish};

/// In the connect flags (§3.1.2.3).
const CLEAN_SESSION: u8 = 0x02;
const USER_NAME_AND_PASSWORD: u8 = 0xC0;

/// A packet of the agent, from its first byte and its body.
pub fn incoming(kind: u8, body: &[u8]) -> Incoming {
    match kind {
        0x10 => connect(body),
        0x30..=0x3F => {
            let (topic, packet_id, payload) = read_publish(kind, body).unwrap();
            Incoming::Publish(Publish {
                qos: (kind >> 1) & 3,
                packet_id: packet_id.unwrap_or(0),
                retain: kind & 1 == 1,
                alias: None,
                message: Message::new(topic, payload),
            })
        }
        0x40 => Incoming::PubAck(number(body).0),
        0x82 => subscribe(body),
        0xC0 => Incoming::PingReq,
        0xE0 => Incoming::Disconnect {
            reason: 0,
            session_expiry_s: None,
        },
        other => panic!("the agent sent a packet of kind {other:#x}"),
    }
}

/// A packet to the agent.
pub fn outgoing(packet: &Outgoing) -> Vec<u8> {
    match packet {
        Outgoing::ConnAck { present, reason, .. } => {
            assert!(!reason.is_error(), "{reason:?}");
            vec![0x20, 2, u8::from(*present), 0]
        }
        Outgoing::Publish(command) => {
            assert!(command.packet_id > 0);
            let bytes = publish(&command.topic, command.packet_id, &command.payload);
            if command.dup { again(bytes) } else { bytes }
        }
        Outgoing::PubAck(ack) => {
            assert!(!ack.reason.is_error(), "{ack:?}");
            acknowledge(ack.packet_id).to_vec()
        }
        Outgoing::SubAck { packet_id, codes } => {
            assert_eq!(*codes, [1]);
            frame(0x90, &[&packet_id.to_be_bytes()[..], &codes[..]].concat())
        }
        Outgoing::PingResp => vec![0xD0, 0],
        other => panic!("{other:?} is not for a device at QoS 1"),
    }
}

/// §3.1, without a will.
fn connect(body: &[u8]) -> Incoming {
    let (protocol, rest) = field(body);
    let (&[level, flags, high, low], rest) = rest.split_first_chunk::<4>().unwrap();
    assert_eq!((protocol, level), (&b"MQTT"[..], 4));
    assert_eq!(flags & !CLEAN_SESSION, USER_NAME_AND_PASSWORD);
    let (client_id, rest) = field(rest);
    let (user_name, rest) = field(rest);
    let (password, rest) = field(rest);
    assert!(rest.is_empty());
    Incoming::Connect(Box::new(Connect {
        version: Version::V4,
        client_id: !client_id.is_empty(),
        clean_start: flags & CLEAN_SESSION != 0,
        keep_alive_s: u16::from_be_bytes([high, low]),
        login: Some(Login {
            user_name: text(user_name),
            password: text(password),
        }),
        will: None,
        properties: ConnectProperties::default(),
    }))
}

/// §3.8.
fn subscribe(body: &[u8]) -> Incoming {
    let (packet_id, mut rest) = number(body);
    let mut filters = Vec::new();
    while !rest.is_empty() {
        let (path, after) = field(rest);
        let (qos, after) = after.split_first().unwrap();
        filters.push(Filter {
            path: text(path),
            qos: *qos,
            retain_as_published: false,
            retain_handling: RetainHandling::Always,
        });
        rest = after;
    }
    Incoming::Subscribe(Box::new(Subscribe {
        packet_id,
        filters,
        identifier: false,
    }))
}

fn number(bytes: &[u8]) -> (u16, &[u8]) {
    let (number, rest) = bytes.split_first_chunk().unwrap();
    (u16::from_be_bytes(*number), rest)
}

/// What has its length before it (§1.5.3), and the rest.
fn field(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (length, rest) = number(bytes);
    rest.split_at(usize::from(length))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
