//! MQTT 3.1.1 packets of the load client, byte by byte.

use anyhow::{Result, ensure};
use tests_hub::mqtt::{LogIn, frame, publish, text};

/// PUBACK of a packet id (§3.4).
pub const PUBACK: u8 = 0x40;

/// A CONNECT with user name and password (§3.1).
pub fn connect(who: &LogIn<'_>, clean_session: bool) -> Vec<u8> {
    let flags = 0b1100_0000 | (u8::from(clean_session) << 1);
    let head = [&text("MQTT")[..], &[4, flags], &who.keep_alive_s.to_be_bytes()].concat();
    let strings = [who.client_id, who.user_name, who.secret].map(text).concat();
    frame(0x10, &[head, strings].concat())
}

/// A SUBSCRIBE to one filter at QoS 1, with packet id 1 (§3.8).
pub fn subscribe(filter: &str) -> Vec<u8> {
    frame(0x82, &[&1u16.to_be_bytes()[..], &text(filter), &[1]].concat())
}

/// PUBLISH packets at QoS 1 of equal length, in one piece of memory, with packet ids 1, 2, 3 …
#[derive(Debug, Clone)]
pub struct Train {
    bytes: Vec<u8>,
    length: usize,
}

impl Train {
    /// Packs payloads.
    ///
    /// # Errors
    /// There are none, more than packet ids, or of different lengths.
    pub fn pack<'a>(topic: &str, payloads: impl Iterator<Item = &'a [u8]>) -> Result<Self> {
        let mut train = Self {
            bytes: Vec::new(),
            length: 0,
        };
        for (index, payload) in payloads.enumerate() {
            let packet = publish(topic, u16::try_from(index + 1)?, payload);
            ensure!(
                train.length == 0 || train.length == packet.len(),
                "payloads of different lengths"
            );
            train.length = packet.len();
            train.bytes.extend(packet);
        }
        ensure!(train.length > 0, "no payload");
        Ok(train)
    }

    /// How many packets.
    pub fn count(&self) -> usize {
        self.bytes.len() / self.length
    }

    /// Some of them.
    pub fn packets(&self, from: usize, to: usize) -> &[u8] {
        &self.bytes[from * self.length..to * self.length]
    }
}

/// The first packet in `bytes`: its first byte, where its body starts, where it ends. `None` if it is not all there.
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

#[cfg(test)]
mod tests {
    use super::{Train, first};
    use tests_hub::mqtt::publish;

    #[test]
    fn a_train_is_its_packets_in_a_row() {
        let payloads = [[1u8; 200], [2; 200], [3; 200]];
        let train = Train::pack("d/a/t", payloads.iter().map(|p| &p[..])).unwrap();
        assert_eq!(train.count(), 3);
        assert_eq!(train.packets(1, 2), publish("d/a/t", 2, &[2; 200]));
        let (kind, body, end) = first(train.packets(0, 3)).unwrap();
        assert_eq!((kind, body, end), (0x32, 3, train.packets(0, 1).len()));
        assert_eq!(first(&train.packets(0, 1)[..end - 1]), None);
        assert!(Train::pack("d/a/t", [&[1u8][..], &[1, 2]].into_iter()).is_err());
    }
}
