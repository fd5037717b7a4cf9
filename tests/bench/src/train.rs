//! What a publisher sends, made before anything is measured.

use anyhow::{Result, ensure};
use tests_mqtt::publish;

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

#[cfg(test)]
mod tests {
    use super::Train;
    use tests_mqtt::{first, publish};

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
