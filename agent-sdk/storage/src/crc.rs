//! CRC-32 (ISO-HDLC, as in Ethernet), bit by bit: a table would cost more flash than its speed is worth here.

/// A checksum in the making.
pub(crate) struct Crc(u32);

impl Crc {
    pub(crate) fn new() -> Self {
        Self(u32::MAX)
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 ^= u32::from(*byte);
            for _ in 0..8 {
                let polynomial = 0xEDB8_8320 & (self.0 & 1).wrapping_neg();
                self.0 = (self.0 >> 1) ^ polynomial;
            }
        }
    }

    pub(crate) fn finish(self) -> u32 {
        !self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Crc;

    #[test]
    fn gives_the_published_check_value() {
        let mut crc = Crc::new();
        crc.update(b"1234");
        crc.update(b"56789");
        assert_eq!(crc.finish(), 0xCBF4_3926);
    }
}
