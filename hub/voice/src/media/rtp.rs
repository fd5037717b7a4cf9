//! RTP packets (RFC 3550 §5.1) and named telephone events (RFC 4733 §2.3): the few fields a telephone call uses.

use std::time::Duration;

/// Samples in a packet: 20 ms at 8,000 samples a second.
pub const SAMPLES: usize = 160;
/// Time between two packets, and so the media tick.
pub const FRAME: Duration = Duration::from_millis(20);
/// The longest packet that is read, in bytes: an audio packet has 172.
pub const PACKET_MAX: usize = 1_500;
/// Length of the fixed header in bytes.
const HEADER: usize = 12;

/// The fields of an RTP header that are written and read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// First packet of a talk spurt, or of a telephone event.
    pub marker: bool,
    /// Payload type, 0 to 127.
    pub payload_type: u8,
    /// Sequence number; wraps.
    pub sequence: u16,
    /// Time stamp in samples; wraps.
    pub timestamp: u32,
    /// The sender's identity in this session.
    pub ssrc: u32,
}

/// Writes one packet into `out`, which is cleared first.
pub fn write(out: &mut Vec<u8>, header: Header, payload: &[u8]) {
    out.clear();
    out.push(0x80);
    out.push((u8::from(header.marker) << 7) | (header.payload_type & 0x7f));
    out.extend_from_slice(&header.sequence.to_be_bytes());
    out.extend_from_slice(&header.timestamp.to_be_bytes());
    out.extend_from_slice(&header.ssrc.to_be_bytes());
    out.extend_from_slice(payload);
}

/// Reads one packet. `None` for whatever is not RTP version 2 or is cut short.
pub fn read(packet: &[u8]) -> Option<(Header, &[u8])> {
    let (&first, &second) = (packet.first()?, packet.get(1)?);
    if first >> 6 != 2 {
        return None;
    }
    let word = |at: usize| Some(u32::from_be_bytes(packet.get(at..at + 4)?.try_into().ok()?));
    let header = Header {
        marker: second & 0x80 != 0,
        payload_type: second & 0x7f,
        sequence: u16::from_be_bytes(packet.get(2..4)?.try_into().ok()?),
        timestamp: word(4)?,
        ssrc: word(8)?,
    };
    let mut start = HEADER + 4 * usize::from(first & 0x0f);
    if first & 0x10 != 0 {
        let words = u16::from_be_bytes(packet.get(start + 2..start + 4)?.try_into().ok()?);
        start += 4 + 4 * usize::from(words);
    }
    let mut end = packet.len();
    if first & 0x20 != 0 {
        end = end.checked_sub(usize::from(*packet.last()?))?;
    }
    Some((header, packet.get(start..end)?))
}

/// RTCP on the port of RTP: its packet types are none of RTP's (RFC 5761 §4).
pub fn is_control(packet: &[u8]) -> bool {
    packet.get(1).is_some_and(|second| (192..=223).contains(second))
}

/// A telephone event's payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// Event code: 0 to 15 are the keys (RFC 4733 §3.2).
    pub code: u8,
    /// The event is over.
    pub end: bool,
    /// How long it has lasted, in samples.
    pub duration: u16,
}

impl Event {
    /// The payload as sent, at -10 dBm0.
    pub fn to_bytes(self) -> [u8; 4] {
        let [high, low] = self.duration.to_be_bytes();
        [self.code, (u8::from(self.end) << 7) | 10, high, low]
    }

    /// Reads a payload; `None` when it is cut short.
    pub fn from_bytes(payload: &[u8]) -> Option<Self> {
        let [code, flags, high, low] = *payload.first_chunk::<4>()?;
        Some(Self {
            code,
            end: flags & 0x80 != 0,
            duration: u16::from_be_bytes([high, low]),
        })
    }
}

/// The payload types that a session description gives a meaning (RFC 3551 §3), and telephone events always have one of.
const DYNAMIC: std::ops::RangeInclusive<u8> = 96..=127;

/// Reads an event that came under a number nobody announced, as some gateways send it: it has to be a key's, with the
/// reserved bit unset, some length (a no-op packet has none) and nothing behind it.
pub fn unannounced_event(payload_type: u8, payload: &[u8]) -> Option<Event> {
    let [_, flags, _, _] = *<&[u8; 4]>::try_from(payload).ok()?;
    let event = Event::from_bytes(payload)?;
    let is_key = key_of(event.code).is_some() && event.duration > 0;
    (DYNAMIC.contains(&payload_type) && is_key && flags & 0x40 == 0).then_some(event)
}

/// The keys in the order of their event codes.
const KEYS: &[u8; 16] = b"0123456789*#ABCD";

/// The key of an event code.
pub fn key_of(code: u8) -> Option<char> {
    KEYS.get(usize::from(code)).map(|key| char::from(*key))
}

/// The event code of a key.
pub fn code_of(key: char) -> Option<u8> {
    KEYS.iter()
        .position(|k| char::from(*k) == key)
        .and_then(|at| u8::try_from(at).ok())
}

/// Counts what arrived and what is missing (RFC 3550 appendix A.1 and A.3, without probation).
#[derive(Debug, Clone, Copy, Default)]
pub struct Reception {
    /// The source whose numbering is followed.
    source: Option<Source>,
    /// Packets that the sources before it sent, as far as their numbering shows.
    before: u64,
    received: u64,
}

#[derive(Debug, Clone, Copy)]
struct Source {
    ssrc: u32,
    first: u16,
    highest: u32,
}

impl Source {
    fn expected(self) -> u64 {
        u64::from(self.highest.wrapping_sub(u32::from(self.first))) + 1
    }
}

impl Reception {
    /// Notes one packet. Another SSRC is another source, whose numbering starts at random.
    pub fn note(&mut self, header: Header) {
        self.received += 1;
        if self.source.is_some_and(|source| source.ssrc != header.ssrc) {
            self.move_on();
        }
        let source = self.source.get_or_insert(Source {
            ssrc: header.ssrc,
            first: header.sequence,
            highest: u32::from(header.sequence),
        });
        let ahead = header.sequence.wrapping_sub((source.highest & 0xffff) as u16);
        // More than half the number space ahead is a late packet, not a leap.
        if ahead < 0x8000 {
            source.highest = source.highest.wrapping_add(u32::from(ahead));
        }
    }

    /// The next packet begins a new numbering; what was counted stays.
    pub fn move_on(&mut self) {
        self.before += self.source.take().map_or(0, Source::expected);
    }

    /// Packets that arrived.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Packets that were sent to us and did not arrive; duplicates count against it.
    pub fn lost(&self) -> u64 {
        let expected = self.before + self.source.map_or(0, Source::expected);
        expected.saturating_sub(self.received)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_packet_survives_writing_and_reading(marker: bool, payload_type in 0u8..128, sequence: u16, timestamp: u32,
            ssrc: u32, payload in prop::collection::vec(any::<u8>(), 0..200)) {
            let header = Header { marker, payload_type, sequence, timestamp, ssrc };
            let mut out = Vec::new();
            write(&mut out, header, &payload);
            prop_assert_eq!(read(&out), Some((header, payload.as_slice())));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Some((_, payload)) = read(&bytes) {
                prop_assert!(payload.len() <= bytes.len());
                let _ = Event::from_bytes(payload);
            }
        }
    }

    fn numbered(ssrc: u32, sequence: u16) -> Header {
        Header {
            marker: false,
            payload_type: 8,
            sequence,
            timestamp: 0,
            ssrc,
        }
    }

    #[test]
    fn loss_is_counted_across_the_wrap() {
        let mut reception = Reception::default();
        for sequence in [65_533u16, 65_534, 1, 0, 2] {
            reception.note(numbered(1, sequence));
        }
        assert_eq!((reception.received(), reception.lost()), (5, 1));
    }

    #[test]
    fn a_new_source_or_a_move_is_no_loss_and_forgets_none() {
        let mut reception = Reception::default();
        for (ssrc, sequence) in [(1, 10), (1, 12), (2, 20_000), (2, 20_001)] {
            reception.note(numbered(ssrc, sequence));
        }
        reception.move_on();
        for sequence in [500, 503] {
            reception.note(numbered(2, sequence));
        }
        assert_eq!((reception.received(), reception.lost()), (6, 3));
    }

    #[test]
    fn an_event_is_known_without_its_number_only_when_it_can_be_nothing_else() {
        let event = Event {
            code: 9,
            end: true,
            duration: 800,
        };
        let bytes = event.to_bytes();
        assert_eq!(unannounced_event(96, &bytes), Some(event));
        assert_eq!(unannounced_event(127, &bytes), Some(event));
        let others: [(u8, &[u8]); 7] = [
            (13, &bytes),
            (95, &bytes),
            (97, &[0, 0, 0, 0]),
            (96, &[9, 0x8a, 3]),
            (96, &[9, 0x8a, 3, 0x20, 0]),
            (96, &[9, 0xca, 3, 0x20]),
            (96, &[16, 0x8a, 3, 0x20]),
        ];
        for (payload_type, payload) in others {
            assert_eq!(
                unannounced_event(payload_type, payload),
                None,
                "{payload_type} {payload:?}"
            );
        }
    }

    #[test]
    fn control_packets_are_told_from_media() {
        for kind in 200..=204 {
            assert!(is_control(&[0x80, kind, 0, 1]));
        }
        let mut packet = Vec::new();
        for (marker, payload_type) in [(false, 0), (true, 8), (true, 13), (true, 96), (true, 127)] {
            let header = Header {
                marker,
                payload_type,
                ..numbered(1, 1)
            };
            write(&mut packet, header, &[]);
            assert!(!is_control(&packet), "{payload_type}");
        }
        assert!(!is_control(&[0x80]));
    }

    #[test]
    fn keys_and_codes_agree() {
        for code in 0..16 {
            assert_eq!(code_of(key_of(code).unwrap()), Some(code));
        }
        assert_eq!(key_of(16), None);
        assert_eq!(code_of('#'), Some(11));
    }
}
