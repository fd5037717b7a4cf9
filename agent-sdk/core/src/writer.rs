//! Writing a packet piece by piece: any part of it into any room. A packet is written from its beginning each time and
//! only the wanted part is kept, so that no memory has to hold a whole one.

/// The longest string or binary field in bytes, half of what the standard allows: two halves make one field. What is
/// longer is cut.
const PART_BYTES_MAX: usize = 0x7FFF;

/// Puts bytes into `out`, but for the first `skip`, and as far as it reaches.
pub(crate) struct Writer<'a> {
    out: &'a mut [u8],
    skip: usize,
    at: usize,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(out: &'a mut [u8], skip: usize) -> Self {
        Self { out, skip, at: 0 }
    }

    /// Keeps nothing and counts only.
    pub(crate) fn counting() -> Self {
        Self::new(&mut [], 0)
    }

    /// How many bytes there have been, kept or not.
    pub(crate) fn len(&self) -> usize {
        self.at
    }

    /// How many bytes were kept, and whether that was the last of them.
    pub(crate) fn finish(self) -> (usize, bool) {
        let wanted = self.at.saturating_sub(self.skip);
        let room = self.out.len();
        (wanted.min(room), wanted <= room)
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        let first = self.skip.saturating_sub(self.at);
        let place = self.at.saturating_sub(self.skip);
        if let (Some(bytes), Some(room)) = (bytes.get(first..), self.out.get_mut(place..)) {
            for (to, from) in room.iter_mut().zip(bytes) {
                *to = *from;
            }
        }
        self.at = self.at.wrapping_add(bytes.len());
    }

    /// An integer of two bytes (§1.5.2).
    pub(crate) fn number(&mut self, number: u16) {
        self.bytes(&number.to_be_bytes());
    }

    /// The remaining length of a packet (§2.2.3).
    pub(crate) fn remaining_length(&mut self, mut length: usize) {
        loop {
            let low = (length & 0x7F) as u8;
            length >>= 7;
            let more = if length == 0 { 0 } else { 0x80 };
            self.bytes(&[low | more]);
            if length == 0 {
                return;
            }
        }
    }

    /// A string or a piece of binary data with its length before it (§1.5.3).
    pub(crate) fn whole(&mut self, bytes: &[u8]) {
        self.field(bytes, &[]);
    }

    /// Two parts as one string or one piece of binary data with its length before it (§1.5.3).
    pub(crate) fn field(&mut self, first: &[u8], second: &[u8]) {
        let first = first.get(..PART_BYTES_MAX).unwrap_or(first);
        let second = second.get(..PART_BYTES_MAX).unwrap_or(second);
        self.number(first.len().wrapping_add(second.len()) as u16);
        self.bytes(first);
        self.bytes(second);
    }
}

#[cfg(test)]
mod tests {
    use super::Writer;

    fn sample(writer: &mut Writer<'_>) {
        writer.remaining_length(321);
        writer.field(b"ab", b"c");
        writer.number(0x1234);
    }

    const SAMPLE: [u8; 9] = [0xC1, 2, 0, 3, b'a', b'b', b'c', 0x12, 0x34];

    #[test]
    fn every_part_of_a_packet_fits_into_every_room() {
        for skip in 0..=SAMPLE.len() {
            for room in 0..=SAMPLE.len() + 1 {
                let mut out = vec![0xEE; room];
                let mut writer = Writer::new(&mut out, skip);
                sample(&mut writer);
                let (kept, complete) = writer.finish();
                let rest = &SAMPLE[skip..];
                assert_eq!(kept, rest.len().min(room), "{skip} {room}");
                assert_eq!(complete, rest.len() <= room, "{skip} {room}");
                assert_eq!(out[..kept], rest[..kept], "{skip} {room}");
                assert!(out[kept..].iter().all(|byte| *byte == 0xEE), "{skip} {room}");
            }
        }
    }

    #[test]
    fn counting_keeps_nothing() {
        let mut writer = Writer::counting();
        sample(&mut writer);
        assert_eq!(writer.len(), SAMPLE.len());
        assert_eq!(writer.finish(), (0, false));
    }

    /// The table of §2.2.3.
    #[test]
    fn remaining_lengths_are_those_of_the_standard() {
        let cases: [(usize, &[u8]); 8] = [
            (0, &[0]),
            (127, &[0x7F]),
            (128, &[0x80, 1]),
            (16_383, &[0xFF, 0x7F]),
            (16_384, &[0x80, 0x80, 1]),
            (2_097_151, &[0xFF, 0xFF, 0x7F]),
            (2_097_152, &[0x80, 0x80, 0x80, 1]),
            (268_435_455, &[0xFF, 0xFF, 0xFF, 0x7F]),
        ];
        for (length, expected) in cases {
            let mut out = [0; 5];
            let mut writer = Writer::new(&mut out, 0);
            writer.remaining_length(length);
            let (kept, _) = writer.finish();
            assert_eq!(&out[..kept], expected, "{length}");
        }
    }

    #[test]
    fn what_is_too_long_for_a_field_is_cut_where_its_length_says() {
        let long: Vec<u8> = vec![b'x'; 70_000];
        let mut out = vec![0; 140_000];
        let mut writer = Writer::new(&mut out, 0);
        writer.field(&long, &long);
        let (kept, _) = writer.finish();
        assert_eq!(kept, 2 + usize::from(u16::from_be_bytes([out[0], out[1]])));
    }
}
