//! Which address a call's audio comes from and goes to. Pure: addresses, headers and instants go in. The announced address
//! and port always win; another address is never heard.

use super::rtp::Header;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Packets in order that somebody has to send before anything is believed of them.
const RUN_PACKETS: u32 = 5;
/// And the time from the first to the last of these.
const RUN_TIME: Duration = Duration::from_millis(100);
/// Sequence numbers that may be missing between two packets of a run.
const RUN_LEAP_MAX: u16 = 100;

/// Packets of one source in order.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    ssrc: u32,
    sequence: u16,
    packets: u32,
    first: Instant,
    last: Instant,
}

impl Run {
    /// The run after one more packet. Another SSRC, a repeated or late number, and a leap begin it again.
    pub fn next(before: Option<Self>, header: Header, now: Instant) -> Self {
        match before {
            Some(run)
                if run.ssrc == header.ssrc
                    && (1..=RUN_LEAP_MAX).contains(&header.sequence.wrapping_sub(run.sequence)) =>
            {
                Self {
                    sequence: header.sequence,
                    packets: run.packets.saturating_add(1),
                    last: now,
                    ..run
                }
            }
            _ => Self {
                ssrc: header.ssrc,
                sequence: header.sequence,
                packets: 1,
                first: now,
                last: now,
            },
        }
    }

    /// Five packets or more, over 100 ms or more.
    pub fn is_long_enough(&self) -> bool {
        self.packets >= RUN_PACKETS && self.last.saturating_duration_since(self.first) >= RUN_TIME
    }
}

/// What an address is to the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// A stranger's.
    No,
    /// The far side's.
    Yes,
    /// The far side's from this packet on; it was another one or none before.
    Moved,
}

/// The address that is heard, and sent to (symmetric RTP).
#[derive(Debug)]
pub struct Latch {
    announced: SocketAddr,
    /// The announced port has sent: it alone is heard from then on.
    has_sent: bool,
    /// The other port of the announced address that is heard until then (a far side behind a translator of ports).
    other: Option<SocketAddr>,
    candidate: Option<(SocketAddr, Run)>,
    /// Where the far side was before it moved by signalling. What still comes from there is late.
    left: Option<SocketAddr>,
}

impl Latch {
    /// Nothing has been heard yet of the far side that announced this address and port.
    pub fn new(announced: SocketAddr) -> Self {
        Self {
            announced,
            has_sent: false,
            other: None,
            candidate: None,
            left: None,
        }
    }

    /// The far side announces another address and port: nothing has been heard of it there yet, and nothing that comes from
    /// where it is left from now on is heard, unless it is announced again.
    #[must_use]
    pub fn moved(&self, announced: SocketAddr) -> Self {
        Self {
            left: Some(self.target()),
            ..Self::new(announced)
        }
    }

    /// Where the far side said that it is.
    pub fn announced(&self) -> SocketAddr {
        self.announced
    }

    /// Where our reports go: the port above the announced one (RFC 3550 §11). None where there is none to send to.
    pub fn control_target(&self) -> Option<SocketAddr> {
        let port = self.announced.port().checked_add(1)?;
        let ip = Some(self.announced.ip()).filter(|ip| !ip.is_unspecified())?;
        Some(SocketAddr::new(ip, port))
    }

    /// The address is the announced one, whatever the port.
    pub fn is_far_side(&self, from: SocketAddr) -> bool {
        from.ip().to_canonical() == self.announced.ip().to_canonical()
    }

    /// Where our packets go.
    pub fn target(&self) -> SocketAddr {
        self.other.unwrap_or(self.announced)
    }

    /// Another port than the announced one is heard.
    pub fn is_elsewhere(&self) -> bool {
        self.other.is_some()
    }

    /// A packet came from there. Another port of the announced address is heard only before the announced port has sent, and
    /// after a run of packets that are `audio`: nobody opens a port by keys.
    pub fn handle(&mut self, from: SocketAddr, header: Header, audio: bool, now: Instant) -> Heard {
        if !self.is_far_side(from) {
            return Heard::No;
        }
        if from.port() == self.announced.port() {
            self.has_sent = true;
            self.candidate = None;
            return if self.other.take().is_some() {
                Heard::Moved
            } else {
                Heard::Yes
            };
        }
        let is_left = self.left.is_some_and(|left| is_same(left, from));
        if self.has_sent || is_left || (!audio && self.other.is_none()) {
            return Heard::No;
        }
        if let Some(other) = self.other {
            return if other == from { Heard::Yes } else { Heard::No };
        }
        let before = self.candidate.filter(|(at, _)| *at == from).map(|(_, run)| run);
        let run = Run::next(before, header, now);
        self.candidate = Some((from, run));
        if !run.is_long_enough() {
            return Heard::No;
        }
        self.other = Some(from);
        Heard::Moved
    }
}

/// The same address in whichever spelling, and the same port.
fn is_same(one: SocketAddr, other: SocketAddr) -> bool {
    (one.ip().to_canonical(), one.port()) == (other.ip().to_canonical(), other.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> SocketAddr {
        address.parse().unwrap()
    }

    fn header(ssrc: u32, sequence: u16) -> Header {
        Header {
            marker: false,
            payload_type: 8,
            sequence,
            timestamp: 0,
            ssrc,
        }
    }

    const ANNOUNCED: &str = "192.0.2.1:4000";
    const OTHER: &str = "192.0.2.1:5000";

    /// One packet of audio: from where, after so many milliseconds, SSRC, sequence.
    type Packet = (&'static str, u64, u32, u16);

    /// Where packets go after a script; the last column says what its last packet was.
    fn play(latch: &mut Latch, script: &[Packet]) -> Heard {
        let start = Instant::now();
        let mut last = Heard::No;
        for (from, ms, ssrc, sequence) in script {
            let now = start + Duration::from_millis(*ms);
            last = latch.handle(at(from), header(*ssrc, *sequence), true, now);
        }
        last
    }

    #[test]
    fn who_is_heard_and_sent_to() {
        let table: [(&str, &[Packet], Heard, &str); 10] = [
            ("nobody has sent", &[], Heard::No, ANNOUNCED),
            ("the announced port", &[(ANNOUNCED, 0, 1, 1)], Heard::Yes, ANNOUNCED),
            (
                "another address, however long",
                &[
                    ("192.0.2.2:4000", 0, 1, 1),
                    ("192.0.2.2:4000", 20, 1, 2),
                    ("192.0.2.2:4000", 40, 1, 3),
                    ("192.0.2.2:4000", 60, 1, 4),
                    ("192.0.2.2:4000", 80, 1, 5),
                    ("192.0.2.2:4000", 100, 1, 6),
                    ("192.0.2.2:4000", 120, 1, 7),
                ],
                Heard::No,
                ANNOUNCED,
            ),
            (
                "four packets of another port",
                &[
                    (OTHER, 0, 1, 1),
                    (OTHER, 40, 1, 2),
                    (OTHER, 80, 1, 3),
                    (OTHER, 120, 1, 4),
                ],
                Heard::No,
                ANNOUNCED,
            ),
            (
                "five, but within 80 ms",
                &[
                    (OTHER, 0, 1, 1),
                    (OTHER, 20, 1, 2),
                    (OTHER, 40, 1, 3),
                    (OTHER, 60, 1, 4),
                    (OTHER, 80, 1, 5),
                ],
                Heard::No,
                ANNOUNCED,
            ),
            (
                "five over 100 ms, one lost between",
                &[
                    (OTHER, 0, 1, 65_534),
                    (OTHER, 20, 1, 65_535),
                    (OTHER, 60, 1, 1),
                    (OTHER, 80, 1, 2),
                    (OTHER, 100, 1, 3),
                ],
                Heard::Moved,
                OTHER,
            ),
            (
                "not in order",
                &[
                    (OTHER, 0, 1, 1),
                    (OTHER, 20, 1, 2),
                    (OTHER, 40, 1, 3),
                    (OTHER, 60, 1, 3),
                    (OTHER, 80, 1, 4),
                    (OTHER, 120, 1, 5),
                ],
                Heard::No,
                ANNOUNCED,
            ),
            (
                "two SSRCs in turn",
                &[
                    (OTHER, 0, 1, 1),
                    (OTHER, 40, 2, 2),
                    (OTHER, 80, 1, 3),
                    (OTHER, 120, 2, 4),
                    (OTHER, 160, 1, 5),
                    (OTHER, 200, 2, 6),
                ],
                Heard::No,
                ANNOUNCED,
            ),
            (
                "the announced port was first",
                &[
                    (ANNOUNCED, 0, 9, 1),
                    (OTHER, 20, 1, 1),
                    (OTHER, 60, 1, 2),
                    (OTHER, 100, 1, 3),
                    (OTHER, 140, 1, 4),
                    (OTHER, 180, 1, 5),
                    (OTHER, 220, 1, 6),
                ],
                Heard::No,
                ANNOUNCED,
            ),
            (
                "the announced port comes last and wins",
                &[
                    (OTHER, 0, 1, 1),
                    (OTHER, 40, 1, 2),
                    (OTHER, 60, 1, 3),
                    (OTHER, 80, 1, 4),
                    (OTHER, 100, 1, 5),
                    (OTHER, 120, 1, 6),
                    (ANNOUNCED, 130, 9, 1),
                ],
                Heard::Moved,
                ANNOUNCED,
            ),
        ];
        for (case, script, last, target) in table {
            let mut latch = Latch::new(at(ANNOUNCED));
            assert_eq!(play(&mut latch, script), last, "{case}");
            assert_eq!(latch.target(), at(target), "{case}");
        }
    }

    #[test]
    fn a_third_port_is_not_heard_and_the_announced_one_ends_it_for_good() {
        let mut latch = Latch::new(at(ANNOUNCED));
        let run: Vec<Packet> = (0..7).map(|n| (OTHER, 20 * u64::from(n), 1, n)).collect();
        assert_eq!(play(&mut latch, &run), Heard::Yes);
        assert!(latch.is_elsewhere());
        let third: Vec<Packet> = (0..9).map(|n| ("192.0.2.1:6000", 20 * u64::from(n), 2, n)).collect();
        assert_eq!(play(&mut latch, &third), Heard::No);
        assert_eq!(latch.target(), at(OTHER));
        assert_eq!(play(&mut latch, &[(ANNOUNCED, 0, 9, 1)]), Heard::Moved);
        assert_eq!(play(&mut latch, &run), Heard::No);
        assert_eq!(latch.target(), at(ANNOUNCED));
    }

    #[test]
    fn the_port_that_was_left_is_heard_only_where_it_is_announced_again() {
        let run = |from| -> Vec<Packet> { (0..9).map(|n| (from, 20 * u64::from(n), 1, n)).collect() };
        let mut left = Latch::new(at(ANNOUNCED));
        play(&mut left, &[(ANNOUNCED, 0, 1, 1)]);
        let mut latch = left.moved(at(OTHER));
        assert_eq!(play(&mut latch, &run(ANNOUNCED)), Heard::No);
        assert_eq!(play(&mut latch, &run("[::ffff:192.0.2.1]:4000")), Heard::No);
        assert_eq!(latch.target(), at(OTHER));
        // A third port may be the far side's, behind a translator of ports.
        assert_eq!(play(&mut latch, &run("192.0.2.1:6000")), Heard::Yes);
        // That one is left then, not the port that was announced.
        let mut again = latch.moved(at(ANNOUNCED));
        assert_eq!(play(&mut again, &run("192.0.2.1:6000")), Heard::No);
        assert_eq!(play(&mut again, &run(ANNOUNCED)), Heard::Yes);
        assert_eq!(again.target(), at(ANNOUNCED));
    }

    #[test]
    fn keys_alone_open_no_port() {
        let mut latch = Latch::new(at(ANNOUNCED));
        let start = Instant::now();
        for n in 0..20u16 {
            let now = start + Duration::from_millis(20 * u64::from(n));
            assert_eq!(latch.handle(at(OTHER), header(1, n), false, now), Heard::No);
        }
        assert_eq!(latch.target(), at(ANNOUNCED));
    }

    #[test]
    fn an_address_is_known_in_both_of_its_spellings() {
        let mut latch = Latch::new(at(ANNOUNCED));
        let mapped = at("[::ffff:192.0.2.1]:4000");
        assert_eq!(latch.handle(mapped, header(1, 1), true, Instant::now()), Heard::Yes);
    }
}
