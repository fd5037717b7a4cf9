//! Keys of the far side, read from telephone events (RFC 4733 §2.5): each key once, however often its packets come.

use super::rtp::{Event, Header, key_of};

/// A key counts at its last packet; if that is lost, when the event is this old in samples (100 ms) and a new one begins.
#[derive(Debug, Default)]
pub struct DigitReader {
    /// The event under way or last seen.
    current: Option<Seen>,
    /// It was reported already.
    reported: bool,
    /// The far side moved since: the time stamps to come need not follow those before.
    moved: bool,
}

/// What all packets of one event share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    ssrc: u32,
    timestamp: u32,
    code: u8,
}

impl DigitReader {
    /// Takes one telephone-event packet and returns the keys that it completes, in order: at most an earlier one whose
    /// last packet was lost, and its own.
    pub fn handle(&mut self, header: Header, payload: &[u8]) -> [Option<char>; 2] {
        let Some(event) = Event::from_bytes(payload) else {
            return [None, None];
        };
        let seen = Seen {
            ssrc: header.ssrc,
            timestamp: header.timestamp,
            code: event.code,
        };
        let mut missed = None;
        if self.current != Some(seen) {
            if self.is_older(header) {
                return [None, None];
            }
            missed = self.take_unreported();
            self.current = Some(seen);
            self.reported = false;
            self.moved = false;
        }
        if event.end && !self.reported {
            self.reported = true;
            return [missed, key_of(event.code)];
        }
        [missed, None]
    }

    /// Audio again: an event that never showed its end is over.
    pub fn handle_audio(&mut self, header: Header) -> Option<char> {
        let current = self.current?;
        // 400 ms of audio after an event's start: its end packets are lost for good. Another source's audio says so at once.
        let early = header.timestamp.wrapping_sub(current.timestamp) < 3_200 || self.is_older(header);
        if current.ssrc == header.ssrc && early {
            return None;
        }
        self.take_unreported()
    }

    /// The far side's audio comes from elsewhere from now on: the end of an event under way may never come. The event itself
    /// is remembered, so that what still comes of it does not count again.
    pub fn move_on(&mut self) -> Option<char> {
        self.moved = true;
        self.take_unreported()
    }

    fn take_unreported(&mut self) -> Option<char> {
        let code = self.current?.code;
        if std::mem::replace(&mut self.reported, true) {
            None
        } else {
            key_of(code)
        }
    }

    /// A packet from before the current event, arriving late. Time stamps of two sources are not comparable: each starts
    /// at random (RFC 3550 §5.1).
    fn is_older(&self, header: Header) -> bool {
        self.current.is_some_and(|current| {
            let behind = current.timestamp.wrapping_sub(header.timestamp);
            !self.moved && current.ssrc == header.ssrc && behind.wrapping_sub(1) < 0x7fff_ffff
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(ssrc: u32, timestamp: u32) -> Header {
        Header {
            marker: false,
            payload_type: 101,
            sequence: 0,
            timestamp,
            ssrc,
        }
    }

    fn packet(reader: &mut DigitReader, timestamp: u32, key: char, end: bool) -> String {
        packet_of(reader, header(1, timestamp), key, end)
    }

    fn packet_of(reader: &mut DigitReader, header: Header, key: char, end: bool) -> String {
        let event = Event {
            code: super::super::rtp::code_of(key).unwrap(),
            end,
            duration: 160,
        };
        reader.handle(header, &event.to_bytes()).into_iter().flatten().collect()
    }

    #[test]
    fn a_key_sent_with_three_last_packets_counts_once() {
        let mut reader = DigitReader::default();
        let mut keys = String::new();
        for end in [false, false, true, true, true] {
            keys += &packet(&mut reader, 1_000, '1', end);
        }
        keys += &packet(&mut reader, 5_000, '1', true);
        assert_eq!(keys, "11");
    }

    #[test]
    fn a_key_without_last_packet_counts_when_the_next_begins_or_audio_returns() {
        let mut reader = DigitReader::default();
        assert_eq!(packet(&mut reader, 1_000, '9', false), "");
        assert_eq!(packet(&mut reader, 5_000, '0', true), "90");
        assert_eq!(packet(&mut reader, 9_000, '3', false), "");
        assert_eq!(reader.handle_audio(header(1, 9_100)), None);
        assert_eq!(reader.handle_audio(header(1, 12_200)), Some('3'));
        assert_eq!(reader.handle_audio(header(1, 12_360)), None);
        assert_eq!(
            packet(&mut reader, 9_000, '3', true),
            "",
            "its late last packet adds nothing"
        );
    }

    #[test]
    fn a_late_packet_of_an_earlier_event_adds_nothing() {
        let mut reader = DigitReader::default();
        assert_eq!(packet(&mut reader, 1_000, '1', true), "1");
        assert_eq!(packet(&mut reader, 5_000, '2', true), "2");
        assert_eq!(packet(&mut reader, 1_000, '1', true), "");
    }

    #[test]
    fn a_new_source_starts_its_own_time() {
        let mut reader = DigitReader::default();
        assert_eq!(packet(&mut reader, 4_000_000_000, '1', true), "1");
        assert_eq!(packet_of(&mut reader, header(2, 3_000_000_000), '9', true), "9");
        assert_eq!(packet_of(&mut reader, header(2, 3_000_008_000), '0', false), "");
        assert_eq!(
            reader.handle_audio(header(3, 50)),
            Some('0'),
            "its end cannot come any more"
        );
        assert_eq!(packet_of(&mut reader, header(3, 800), '5', true), "5");
    }

    #[test]
    fn a_key_under_way_counts_once_when_the_far_side_moves() {
        let mut reader = DigitReader::default();
        assert_eq!(packet(&mut reader, 4_000_000_000, '9', false), "");
        assert_eq!(reader.move_on(), Some('9'));
        assert_eq!(packet(&mut reader, 4_000_000_000, '9', true), "");
        assert_eq!(
            packet(&mut reader, 3_000_000_000, '9', true),
            "9",
            "even under the same SSRC"
        );
        assert_eq!(reader.move_on(), None);
    }
}
