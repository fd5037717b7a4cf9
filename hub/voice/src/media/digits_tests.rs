use super::super::rtp::code_of;
use super::*;

/// The time stamp of a press's packet, by its place.
type Stamp = fn(u32) -> u32;
/// The same, by the number of the press too.
type PressStamp = fn(u32, u32) -> u32;

/// A reader and what a network does on the way to it: packets have a number each, and come 20 ms after one another.
struct Line {
    reader: DigitReader,
    now: Instant,
    sequence: u16,
    ssrc: u32,
    keys: String,
}

impl Line {
    fn new() -> Self {
        Self {
            reader: DigitReader::default(),
            now: Instant::now(),
            sequence: 65_530,
            ssrc: 1,
            keys: String::new(),
        }
    }

    /// The keys since the last time this was asked.
    fn keys(&mut self) -> String {
        std::mem::take(&mut self.keys)
    }

    fn wait(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
        self.keys.extend(self.reader.handle_timeout(self.now));
    }

    /// Packets that are lost, or that carry something else.
    fn skip(&mut self, packets: u16) {
        self.sequence = self.sequence.wrapping_add(packets);
        self.wait(20 * u64::from(packets));
    }

    fn send(&mut self, timestamp: u32, key: char, end: bool, duration: u16) {
        self.skip(1);
        self.receive(self.sequence, timestamp, key, end, duration);
    }

    fn receive(&mut self, sequence: u16, timestamp: u32, key: char, end: bool, duration: u16) {
        let header = Header {
            marker: false,
            payload_type: 101,
            sequence,
            timestamp,
            ssrc: self.ssrc,
        };
        let event = Event {
            code: code_of(key).unwrap(),
            end,
            duration,
        };
        let keys = self.reader.handle(header, event, self.now);
        self.keys.extend(keys.into_iter().flatten());
    }

    /// One press: five packets and three last ones, each stamped as `stamp` says of its place; those in `lost` are lost.
    fn press(&mut self, key: char, stamp: impl Fn(u32) -> u32, lost: &[u16]) {
        for n in 0..8u16 {
            if lost.contains(&n) {
                self.skip(1);
            } else {
                self.send(stamp(u32::from(n)), key, n >= 5, (n + 1).min(6) * 160);
            }
        }
    }
}

#[test]
fn one_press_is_one_key_whatever_its_stamps_and_losses() {
    let stamps: [(&str, Stamp); 4] = [
        ("as the standard says", |_| 4_294_967_000),
        ("running on with each packet", |n| n * 160),
        ("another one for each repeat of the end", |n| {
            if n > 5 { n * 160 } else { 0 }
        }),
        ("running backwards", |n| 1_000_000 - n * 160),
    ];
    let losses: [(&str, &[u16]); 8] = [
        ("none", &[]),
        ("its start", &[0, 1, 2, 3, 4]),
        ("its middle", &[2, 3]),
        ("all but the first of its last", &[0, 1, 2, 3, 4, 6, 7]),
        ("the first of its last", &[5]),
        ("all but the very last", &[0, 1, 2, 3, 4, 5, 6]),
        ("all of its last", &[5, 6, 7]),
        ("all but the first", &[1, 2, 3, 4, 5, 6, 7]),
    ];
    for (stamped, stamp) in stamps {
        for (lost, packets) in losses {
            let mut line = Line::new();
            line.press('9', stamp, packets);
            line.wait(1_000);
            assert_eq!(line.keys(), "9", "time stamps {stamped}, lost: {lost}");
        }
    }
}

#[test]
fn two_presses_are_two_keys_however_alike() {
    let stamps: [(&str, PressStamp); 3] = [
        ("as the standard says", |press, _| press * 2_080),
        ("running on with each packet", |press, n| press * 2_080 + n * 160),
        ("never changing", |_, _| 77),
    ];
    for (stamped, stamp) in stamps {
        for pause in [5, 50] {
            let mut line = Line::new();
            for press in 0..3 {
                line.press('1', |n| stamp(press, n), &[]);
                line.skip(pause);
            }
            assert_eq!(line.keys(), "111", "time stamps {stamped}, {pause} packets between");
        }
    }
}

#[test]
fn a_network_that_stalls_makes_no_second_key() {
    let stamps: [Stamp; 2] = [|_| 0, |n| n * 160];
    for stalled in 1..8u16 {
        for stamp in stamps {
            let mut line = Line::new();
            for n in 0..8u16 {
                if n == stalled {
                    line.wait(350);
                }
                line.send(stamp(u32::from(n)), '2', n >= 5, (n + 1).min(6) * 160);
            }
            line.wait(1_000);
            assert_eq!(line.keys(), "2", "stalled before packet {stalled}");
        }
    }
}

#[test]
fn a_key_sent_with_three_last_packets_counts_once() {
    let mut line = Line::new();
    for (end, duration) in [(false, 160), (false, 320), (true, 480), (true, 480), (true, 480)] {
        line.send(1_000, '1', end, duration);
    }
    assert_eq!(line.keys(), "1");
    line.skip(5);
    line.send(5_000, '1', true, 480);
    assert_eq!(
        line.keys(),
        "1",
        "only the last packet of the second press came through"
    );
}

#[test]
fn a_key_without_last_packet_counts_when_the_next_begins_or_nothing_follows() {
    let mut line = Line::new();
    line.send(1_000, '9', false, 160);
    assert_eq!(line.keys(), "");
    line.skip(5);
    line.send(5_000, '0', true, 160);
    assert_eq!(line.keys(), "90");
    line.send(9_000, '3', false, 160);
    line.wait(399);
    assert_eq!(line.keys(), "");
    line.wait(1);
    assert_eq!(line.keys(), "3");
    line.wait(1_000);
    line.send(9_000, '3', true, 160);
    assert_eq!(line.keys(), "", "its late last packet adds nothing");
}

#[test]
fn a_late_or_repeated_packet_of_an_earlier_event_adds_nothing() {
    let mut line = Line::new();
    line.send(1_000, '1', true, 160);
    let first = line.sequence;
    line.skip(5);
    line.send(5_000, '2', true, 160);
    assert_eq!(line.keys(), "12");
    line.wait(200);
    line.receive(first, 1_000, '1', true, 160);
    line.receive(line.sequence, 5_000, '2', true, 160);
    assert_eq!(line.keys(), "");
}

#[test]
fn a_long_press_beside_audio_counts_once() {
    let mut line = Line::new();
    for n in 1..=40 {
        line.send(1_000, '*', n > 37, n * 320);
        line.skip(1);
    }
    assert_eq!(line.keys(), "*");
}

#[test]
fn a_press_that_pauses_on_its_way_counts_once() {
    let mut line = Line::new();
    line.send(1_000, '5', false, 160);
    line.skip(50);
    assert_eq!(line.keys(), "5", "its end is taken as lost");
    for (end, duration) in [(false, 8_320), (true, 8_480), (true, 8_480)] {
        line.send(1_000, '5', end, duration);
    }
    assert_eq!(line.keys(), "");
}

#[test]
fn a_new_source_starts_its_own_time() {
    let mut line = Line::new();
    line.send(4_000_000_000, '1', true, 160);
    (line.ssrc, line.sequence) = (2, 7);
    line.send(3_000_000_000, '9', true, 160);
    assert_eq!(line.keys(), "19");
    line.skip(5);
    line.send(3_000_008_000, '0', false, 160);
    (line.ssrc, line.sequence) = (3, 40_000);
    line.send(800, '5', true, 160);
    assert_eq!(line.keys(), "05", "its end cannot come any more");
}

#[test]
fn a_key_under_way_counts_once_when_the_far_side_moves() {
    let mut line = Line::new();
    line.send(4_000_000_000, '9', false, 160);
    assert_eq!(line.reader.move_on(), Some('9'));
    line.send(4_000_000_000, '9', true, 320);
    assert_eq!(line.keys(), "");
    line.skip(5);
    line.send(3_000_000_000, '9', true, 160);
    assert_eq!(line.keys(), "9", "even under the same SSRC");
    assert_eq!(line.reader.move_on(), None);
}
