//! What we report of a call's audio: a sender report, or an empty receiver report while nothing is sent, with our name
//! (RFC 3550 §6.4 to §6.5), every five seconds. Pure: time is an argument.

use std::time::{Duration, Instant};

/// Between two reports.
const INTERVAL: Duration = Duration::from_secs(5);
/// Packet types (RFC 3550 §12.1).
const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const DESCRIPTION: u8 = 202;
/// The item of a description that names its sender (RFC 3550 §6.5.1).
const CNAME: u8 = 1;
/// Random bytes of that name (RFC 7022 §4.2).
pub const NAME: usize = 12;

/// What was sent up to now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sent {
    /// Packets of media; wraps.
    pub packets: u32,
    /// Bytes of their payload; wraps.
    pub octets: u32,
    /// The media's time stamp now.
    pub timestamp: u32,
}

/// The reports of one call.
#[derive(Debug)]
pub struct Reports {
    ssrc: u32,
    name: String,
    /// When the call was connected, and when the next report is due.
    times: Option<(Instant, Instant)>,
    /// Packets sent up to the last report.
    told: u32,
}

impl Reports {
    /// Nothing is due yet. `name` is random.
    pub fn new(ssrc: u32, name: [u8; NAME]) -> Self {
        Self {
            ssrc,
            name: hex::encode(name),
            times: None,
            told: 0,
        }
    }

    /// The call is connected; the first report is due five seconds after the first time.
    pub fn connect(&mut self, now: Instant) {
        self.times.get_or_insert((now, now + INTERVAL));
    }

    /// Writes the report that is due into `out`, which is cleared first; false when none is.
    pub fn poll(&mut self, sent: Sent, out: &mut Vec<u8>, now: Instant) -> bool {
        let Some((start, due)) = &mut self.times else {
            return false;
        };
        if now < *due {
            return false;
        }
        *due = now + INTERVAL;
        let age = now.saturating_duration_since(*start);
        out.clear();
        // A side that sends nothing has no moment of its media to tell.
        if sent.packets == self.told {
            header(out, 0, RECEIVER_REPORT, 1, self.ssrc);
        } else {
            header(out, 0, SENDER_REPORT, 6, self.ssrc);
            // Time since the call was connected stands for the time of day (RFC 3550 §6.4.1): seconds, then their 2^32nds.
            let fraction = (u64::from(age.subsec_nanos()) << 32) / 1_000_000_000;
            for word in [
                age.as_secs() as u32,
                fraction as u32,
                sent.timestamp,
                sent.packets,
                sent.octets,
            ] {
                out.extend_from_slice(&word.to_be_bytes());
            }
        }
        self.told = sent.packets;
        self.describe(out);
        true
    }

    fn describe(&self, out: &mut Vec<u8>) {
        // The name has 24 characters; with two bytes before it and two zeros behind it that is seven words.
        let words = 1 + (2 + 2 * NAME).div_ceil(4);
        header(out, 1, DESCRIPTION, words as u16, self.ssrc);
        out.push(CNAME);
        out.push((2 * NAME) as u8);
        out.extend_from_slice(self.name.as_bytes());
        out.extend_from_slice(&[0; 2]);
    }
}

/// A header with the number of its blocks, its length in words without the first, and whose it is.
fn header(out: &mut Vec<u8>, blocks: u8, kind: u8, words: u16, ssrc: u32) {
    out.push(0x80 | blocks);
    out.push(kind);
    out.extend_from_slice(&words.to_be_bytes());
    out.extend_from_slice(&ssrc.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(packets: u32) -> Sent {
        Sent {
            packets,
            octets: packets * 160,
            timestamp: 0x0102_0304,
        }
    }

    /// The packets of a compound one: type, blocks, body.
    fn split(mut bytes: &[u8]) -> Vec<(u8, u8, Vec<u8>)> {
        let mut packets = Vec::new();
        while let [first, kind, high, low, ..] = *bytes {
            assert_eq!(first & 0xe0, 0x80, "version 2, no padding");
            let (packet, rest) = bytes.split_at(4 + 4 * usize::from(u16::from_be_bytes([high, low])));
            packets.push((kind, first & 0x1f, packet[4..].to_vec()));
            bytes = rest;
        }
        assert!(bytes.is_empty(), "whole packets");
        packets
    }

    #[test]
    fn a_report_says_who_sent_how_much_until_when() {
        let (start, mut out) = (Instant::now(), Vec::new());
        let mut reports = Reports::new(0xaabb_ccdd, [0x5a; NAME]);
        reports.connect(start);
        assert!(reports.poll(sent(375), &mut out, start + Duration::from_millis(7_500)));
        let packets = split(&out);
        let [(SENDER_REPORT, 0, report), (DESCRIPTION, 1, description)] = packets.as_slice() else {
            panic!("{packets:?}");
        };
        let words: Vec<u32> = report
            .chunks(4)
            .map(|word| u32::from_be_bytes(word.try_into().unwrap()))
            .collect();
        assert_eq!(words, [0xaabb_ccdd, 7, 0x8000_0000, 0x0102_0304, 375, 60_000]);
        assert_eq!(description[..4], [0xaa, 0xbb, 0xcc, 0xdd]);
        assert_eq!(description[4..6], [1, 24]);
        assert_eq!(&description[6..30], "5a".repeat(12).as_bytes());
        assert_eq!(description[30..], [0, 0]);
    }

    #[test]
    fn a_report_is_due_every_five_seconds_and_only_senders_report_sending() {
        let (start, mut out) = (Instant::now(), Vec::new());
        let mut reports = Reports::new(1, [0; NAME]);
        assert!(
            !reports.poll(sent(0), &mut out, start + INTERVAL * 2),
            "before the answer"
        );
        reports.connect(start);
        let mut told = Vec::new();
        // Packets are sent for six seconds, then for four none, then some again.
        for ms in (0..21_000u64).step_by(20) {
            if ms == 2_000 {
                reports.connect(start + Duration::from_millis(ms));
            }
            let packets = match ms {
                0..6_000 => ms / 20,
                6_000..16_000 => 300,
                _ => ms / 20 - 500,
            };
            if reports.poll(sent(packets as u32), &mut out, start + Duration::from_millis(ms)) {
                told.push((ms, split(&out)[0].0));
            }
        }
        assert_eq!(
            told,
            [
                (5_000, SENDER_REPORT),
                (10_000, SENDER_REPORT),
                (15_000, RECEIVER_REPORT),
                (20_000, SENDER_REPORT)
            ]
        );
    }
}
