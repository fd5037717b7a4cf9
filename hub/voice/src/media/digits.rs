//! Keys of the far side, read from telephone events (RFC 4733 §2.5): each key once, however often its packets come.

use super::rtp::{Event, Header, key_of};

/// A key counts at its last packet; if that is lost, when the event is this old in samples (100 ms) and a new one begins.
#[derive(Debug, Default)]
pub struct DigitReader {
    /// The event under way or last seen: time stamp and code.
    current: Option<(u32, u8)>,
    /// It was reported already.
    reported: bool,
}

impl DigitReader {
    /// Takes one telephone-event packet and returns the keys that it completes, in order: at most an earlier one whose
    /// last packet was lost, and its own.
    pub fn handle(&mut self, header: Header, payload: &[u8]) -> [Option<char>; 2] {
        let Some(event) = Event::from_bytes(payload) else {
            return [None, None];
        };
        let identity = (header.timestamp, event.code);
        let mut missed = None;
        if self.current != Some(identity) {
            if is_older(header.timestamp, self.current) {
                return [None, None];
            }
            missed = self.take_unreported();
            self.current = Some(identity);
            self.reported = false;
        }
        if event.end && !self.reported {
            self.reported = true;
            return [missed, key_of(event.code)];
        }
        [missed, None]
    }

    /// Audio again: an event that never showed its end is over.
    pub fn handle_audio(&mut self, timestamp: u32) -> Option<char> {
        let (start, _) = self.current?;
        // 400 ms of audio after an event's start: its end packets are lost for good.
        if timestamp.wrapping_sub(start) < 3_200 || is_older(timestamp, self.current) {
            return None;
        }
        self.take_unreported()
    }

    fn take_unreported(&mut self) -> Option<char> {
        let (_, code) = self.current?;
        if std::mem::replace(&mut self.reported, true) {
            None
        } else {
            key_of(code)
        }
    }
}

/// A packet of an event before the current one, arriving late.
fn is_older(timestamp: u32, current: Option<(u32, u8)>) -> bool {
    current.is_some_and(|(start, _)| start.wrapping_sub(timestamp).wrapping_sub(1) < 0x7fff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(reader: &mut DigitReader, timestamp: u32, key: char, end: bool) -> String {
        let header = Header {
            marker: false,
            payload_type: 101,
            sequence: 0,
            timestamp,
            ssrc: 1,
        };
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
        assert_eq!(reader.handle_audio(9_100), None);
        assert_eq!(reader.handle_audio(12_200), Some('3'));
        assert_eq!(reader.handle_audio(12_360), None);
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
}
