//! The packets of a client, written and read. Sections are those of MQTT 3.1.1 where nothing else is said.

/// Properties of a CONNECT: the broker keeps the session for an hour (MQTT 5, §3.1.2.11.2).
pub const AN_HOUR: &[u8] = &[0x11, 0, 0, 0x0E, 0x10];

/// Which MQTT a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 3.1.1.
    V4,
    /// 5.0.
    V5,
}

/// A CONNECT with user name and password (§3.1).
#[derive(Debug, Clone, Copy)]
pub struct Connect<'a> {
    /// Which MQTT the client speaks.
    pub version: Version,
    /// `tenant/device`, or a token.
    pub user_name: &'a str,
    /// The password.
    pub secret: &'a str,
    /// Names the session at other brokers; the hub goes by the user name.
    pub client_id: &'a str,
    /// Seconds; a broker waits one and a half times as long.
    pub keep_alive_s: u16,
    /// The broker forgets what it has kept of a session.
    pub clean: bool,
    /// Encoded; MQTT 3.1.1 has none and leaves them out.
    pub properties: &'a [u8],
    /// Topic and payload of a will at QoS 1, retained, without properties.
    pub will: Option<(&'a str, &'a [u8])>,
}

impl<'a> Connect<'a> {
    /// MQTT 3.1.1 with a clean session, a minute of keepalive and no will; the client identifier is the user name.
    pub fn new(user_name: &'a str, secret: &'a str) -> Self {
        Self {
            version: Version::V4,
            user_name,
            secret,
            client_id: user_name,
            keep_alive_s: 60,
            clean: true,
            properties: &[],
            will: None,
        }
    }

    /// The packet.
    pub fn bytes(&self) -> Vec<u8> {
        let level = match self.version {
            Version::V4 => 4,
            Version::V5 => 5,
        };
        let will = if self.will.is_some() { 0b0010_1100 } else { 0 };
        let flags = 0b1100_0000 | will | u8::from(self.clean) << 1;
        let mut body = [&text("MQTT")[..], &[level, flags], &self.keep_alive_s.to_be_bytes()].concat();
        self.version.put_properties(&mut body, self.properties);
        body.extend(text(self.client_id));
        if let Some((topic, payload)) = self.will {
            self.version.put_properties(&mut body, &[]);
            body.extend(text(topic));
            body.extend(binary(payload));
        }
        body.extend([self.user_name, self.secret].map(text).concat());
        frame(0x10, &body)
    }
}

impl Version {
    /// A PUBLISH at QoS 0, 1 or 2, without properties (§3.3). QoS 0 has no packet identifier.
    pub fn publish(self, qos: u8, topic: &str, packet_id: u16, payload: &[u8]) -> Vec<u8> {
        let mut body = text(topic);
        if qos > 0 {
            body.extend(packet_id.to_be_bytes());
        }
        self.put_properties(&mut body, &[]);
        body.extend(payload);
        frame(0x30 | qos << 1, &body)
    }

    /// A SUBSCRIBE to filters at QoS 1 (§3.8).
    pub fn subscribe(self, packet_id: u16, filters: &[&str]) -> Vec<u8> {
        let mut body = packet_id.to_be_bytes().to_vec();
        self.put_properties(&mut body, &[]);
        for filter in filters {
            body.extend(text(filter));
            body.push(1);
        }
        frame(0x82, &body)
    }

    fn put_properties(self, body: &mut Vec<u8>, properties: &[u8]) {
        if self == Self::V5 {
            put_length(body, properties.len());
            body.extend(properties);
        }
    }
}

/// A PUBLISH of MQTT 3.1.1 at QoS 1.
pub fn publish(topic: &str, packet_id: u16, payload: &[u8]) -> Vec<u8> {
    Version::V4.publish(1, topic, packet_id, payload)
}

/// A SUBSCRIBE of MQTT 3.1.1 to filters at QoS 1.
pub fn subscribe(packet_id: u16, filters: &[&str]) -> Vec<u8> {
    Version::V4.subscribe(packet_id, filters)
}

/// The same PUBLISH, marked as sent before (§3.3.1.1).
pub fn again(mut publish: Vec<u8>) -> Vec<u8> {
    publish[0] |= 0b1000;
    publish
}

/// A PUBACK (§3.4); without a reason it is the same in both versions.
#[inline]
pub fn acknowledge(packet_id: u16) -> [u8; 4] {
    let [high, low] = packet_id.to_be_bytes();
    [0x40, 2, high, low]
}

/// A PUBREL (§3.6); without a reason it is the same in both versions.
pub fn release(packet_id: u16) -> [u8; 4] {
    let [high, low] = packet_id.to_be_bytes();
    [0x62, 2, high, low]
}

/// Topic, packet identifier (none at QoS 0) and payload of a PUBLISH of MQTT 3.1.1, from its first byte and body (§3.3).
/// `None` if it is another packet, or cut off. Copies nothing and is compiled into its caller, since a benchmark reads
/// every message with it.
#[inline]
pub fn read_publish(kind: u8, body: &[u8]) -> Option<(&[u8], Option<u16>, &[u8])> {
    if kind >> 4 != 3 {
        return None;
    }
    let (length, rest) = body.split_first_chunk()?;
    let (topic, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    if kind & 0b110 == 0 {
        return Some((topic, None, rest));
    }
    let (id, payload) = rest.split_first_chunk()?;
    Some((topic, Some(u16::from_be_bytes(*id)), payload))
}

/// The first packet in `bytes`: its first byte, where its body starts, where it ends. `None` if it is not all there.
/// Compiled into its caller, since a benchmark reads every acknowledgement with it.
#[inline]
pub fn first(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let kind = *bytes.first()?;
    let (mut length, mut shift) = (0usize, 0);
    for (index, byte) in bytes.iter().enumerate().skip(1).take(4) {
        length |= usize::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            let end = index + 1 + length;
            return (bytes.len() >= end).then_some((kind, index + 1, end));
        }
        shift += 7;
    }
    None
}

/// A packet: first byte, length, body (§2.2).
pub fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(5 + body.len());
    bytes.push(kind);
    put_length(&mut bytes, body.len());
    bytes.extend(body);
    bytes
}

/// A string with its length (§1.5.3), shorter than 64 KiB.
pub fn text(text: &str) -> Vec<u8> {
    binary(text.as_bytes())
}

fn binary(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("a field of a packet is shorter than 64 KiB");
    [&length.to_be_bytes()[..], bytes].concat()
}

/// Seven bits at a time (§2.2.3).
fn put_length(bytes: &mut Vec<u8>, mut length: usize) {
    while length > 0x7F {
        bytes.push(0x80 | (length & 0x7F) as u8);
        length >>= 7;
    }
    bytes.push(length as u8);
}

#[cfg(test)]
mod tests {
    use super::{AN_HOUR, Connect, Version, again, first, frame, publish, read_publish, subscribe};

    #[test]
    fn a_connect_is_as_the_standard_has_it() {
        let old = Connect {
            client_id: "c",
            will: Some(("w", b"x")),
            ..Connect::new("u", "s")
        };
        let body = b"\0\x04MQTT\x04\xEE\0\x3C\0\x01c\0\x01w\0\x01x\0\x01u\0\x01s";
        assert_eq!(old.bytes(), frame(0x10, body));
        let new = Connect {
            version: Version::V5,
            clean: false,
            properties: AN_HOUR,
            ..old
        };
        let body = b"\0\x04MQTT\x05\xEC\0\x3C\x05\x11\0\0\x0E\x10\0\x01c\0\0\x01w\0\x01x\0\x01u\0\x01s";
        assert_eq!(new.bytes(), frame(0x10, body));
    }

    #[test]
    fn a_publish_is_read_as_it_was_written() {
        for payload in [&b"one"[..], &[7; 127], &[7; 70_000]] {
            let packet = again(publish("d/a/t", 513, payload));
            let (kind, body, end) = first(&[&packet[..], &[0x40]].concat()).unwrap();
            assert_eq!((kind, end, first(&packet[..end - 1])), (0x3A, packet.len(), None));
            let read = read_publish(kind, &packet[body..end]);
            assert_eq!(read, Some((&b"d/a/t"[..], Some(513), payload)));
        }
        assert_eq!(Version::V4.publish(0, "a", 7, b"x"), b"\x30\x04\0\x01ax");
        assert_eq!(Version::V5.publish(2, "a", 7, b"x"), b"\x34\x07\0\x01a\0\x07\0x");
        assert_eq!(subscribe(7, &["a", "b"]), b"\x82\x0A\0\x07\0\x01a\x01\0\x01b\x01");
        assert_eq!(Version::V5.subscribe(7, &["a"]), b"\x82\x07\0\x07\0\0\x01a\x01");
    }
}
