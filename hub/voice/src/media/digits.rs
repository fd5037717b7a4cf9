//! Keys of the far side, read from telephone events (RFC 4733 §2.5): one press is one key, however often its packets come,
//! whichever of them are lost, and whatever its time stamps do. Pure: packets of one source and instants go in.

use super::rtp::{Event, Header, key_of};
use std::time::{Duration, Instant};

/// Between two presses of a key nothing of it is sent for so long; between two packets of one press less time passes.
const PAUSE: Duration = Duration::from_millis(100);
/// Packets of an unfinished press may be apart for so long, though its time stamps change.
const GAP: Duration = Duration::from_millis(200);
/// When nothing has come of an unfinished press for so long, its last packets are lost.
const LOST: Duration = Duration::from_millis(400);
/// Sequence numbers from one repeat of a last packet to the next, at most.
const REPEATS: u16 = 4;
/// Sequence numbers from a packet to the next of the same press when none is lost, with one of audio between at most. A new
/// press is farther ahead, whatever is lost of it.
const NEXT: u16 = 2;

/// A key counts at the last packet of its press; if that is lost, when another press begins or nothing has come for 400 ms.
#[derive(Debug, Default)]
pub struct DigitReader {
    /// The press under way or last seen.
    current: Option<Press>,
}

/// One press as far as its packets have come.
#[derive(Debug, Clone, Copy)]
struct Press {
    ssrc: u32,
    code: u8,
    timestamp: u32,
    sequence: u16,
    duration: u16,
    heard: Instant,
    /// Its last packet was seen.
    ended: bool,
    /// Its key was told.
    told: bool,
}

impl Press {
    fn new(header: Header, event: Event, now: Instant) -> Self {
        Self {
            ssrc: header.ssrc,
            code: event.code,
            timestamp: header.timestamp,
            sequence: header.sequence,
            duration: event.duration,
            heard: now,
            ended: false,
            told: false,
        }
    }

    /// Sent before what was seen of this press, or the same packet once more.
    fn is_late(&self, header: Header) -> bool {
        let ahead = header.sequence.wrapping_sub(self.sequence);
        self.ssrc == header.ssrc && !(1..0x8000).contains(&ahead)
    }

    /// The packet is of this press. A time stamp that stays says so (RFC 4733 §2.5.1.2), unless it is one that never changes;
    /// one that runs on with each packet is told by what else does not change.
    fn goes_on(&self, header: Header, event: Event, now: Instant) -> bool {
        if (self.ssrc, self.code) != (header.ssrc, event.code) {
            return false;
        }
        let stays = self.timestamp == header.timestamp;
        let pause = now.saturating_duration_since(self.heard);
        let longer = event.duration >= self.duration;
        let step = header.sequence.wrapping_sub(self.sequence);
        // However late it comes, between two packets in a row nothing has ended and begun.
        let next = step <= NEXT;
        let near = next || (step <= REPEATS && pause < PAUSE);
        match (self.ended, event.end) {
            // The last packet is repeated; a sender whose time stamps run on gives each repeat its own.
            (true, true) => stays || near,
            // Nothing else follows it.
            (true, false) => stays && longer && pause < PAUSE,
            (false, true) if near => true,
            (false, _) if stays => longer || pause < LOST,
            (false, _) => longer && (next || pause < GAP),
        }
    }

    fn tell(&mut self) -> Option<char> {
        if std::mem::replace(&mut self.told, true) {
            None
        } else {
            key_of(self.code)
        }
    }
}

impl DigitReader {
    /// Takes one packet of an event and returns the keys that it completes, in order: at most an earlier one whose last
    /// packet was lost, and its own.
    pub fn handle(&mut self, header: Header, event: Event, now: Instant) -> [Option<char>; 2] {
        let mut missed = None;
        let mut press = match self.current {
            Some(press) if press.is_late(header) => return [None, None],
            Some(press) if press.goes_on(header, event, now) => press,
            _ => {
                missed = self.move_on();
                Press::new(header, event, now)
            }
        };
        press.timestamp = header.timestamp;
        press.sequence = header.sequence;
        press.duration = event.duration;
        press.heard = now;
        press.ended |= event.end;
        let own = if event.end { press.tell() } else { None };
        self.current = Some(press);
        [missed, own]
    }

    /// Time has passed: a press of which nothing comes any more has ended.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<char> {
        let press = self.current.as_mut()?;
        if now.saturating_duration_since(press.heard) < LOST {
            return None;
        }
        press.tell()
    }

    /// The end of a press under way will not come any more. The press itself is remembered, so that what still comes of it
    /// does not count again.
    pub fn move_on(&mut self) -> Option<char> {
        self.current.as_mut()?.tell()
    }
}

#[cfg(test)]
#[path = "digits_tests.rs"]
mod tests;
