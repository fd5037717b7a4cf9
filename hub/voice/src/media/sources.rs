//! Whose voice and keys count among those that send from the far side's port. Pure: headers and instants go in, keys come
//! out. One source runs at a time, told by its SSRC, its sequence numbers and its time stamps; a stranger in the far side's
//! name knows none of these. Keys are held back until their source has proven itself.

use super::digits::DigitReader;
use super::latch::Run;
use super::rtp::{Event, Header};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Another source is taken after so much silence of the running one.
const SILENCE: Duration = Duration::from_millis(200);
/// A source that sends keys only, or from a port that was not announced, is believed after so long without any other.
const ALONE: Duration = Duration::from_secs(1);
/// Sequence numbers that a packet may be ahead and behind (RFC 3550 appendix A.1).
const AHEAD_MAX: u16 = 3_000;
const BEHIND_MAX: u16 = 100;
/// Samples that a time stamp may be off, ahead of the time that has passed or behind what was seen: 10 s, more than the
/// longest event that one time stamp can hold (RFC 4733 §2.3.5).
const STAMP_SLACK: i64 = 80_000;
/// Samples a millisecond.
const SAMPLES_PER_MS: u128 = 8;
/// Keys that wait until their source is believed.
const HELD_MAX: usize = 32;

/// What a packet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Sound, comfort noise too.
    Audio,
    /// A piece of a key's event.
    Event(Event),
}

#[derive(Debug)]
struct Source {
    ssrc: u32,
    /// The furthest seen.
    sequence: u16,
    /// The furthest seen.
    timestamp: u32,
    since: Instant,
    heard: Instant,
    run: Option<Run>,
    audio: Option<Run>,
    /// No other source has sent while this one ran.
    alone: bool,
    proven: bool,
    reader: DigitReader,
    keys: Vec<char>,
    /// Packets of events that wait with these keys.
    events: u64,
}

impl Source {
    fn new(header: Header, now: Instant) -> Self {
        Self {
            ssrc: header.ssrc,
            sequence: header.sequence,
            timestamp: header.timestamp,
            since: now,
            heard: now,
            run: None,
            audio: None,
            alone: true,
            proven: false,
            reader: DigitReader::default(),
            keys: Vec::new(),
            events: 0,
        }
    }

    /// The packet is of this source: its SSRC, and numbers near those before. A time stamp may stand still in a pause or run
    /// on through it; senders do both.
    fn fits(&self, header: Header, now: Instant) -> bool {
        let ahead = header.sequence.wrapping_sub(self.sequence);
        let behind = self.sequence.wrapping_sub(header.sequence);
        let moved = i64::from(header.timestamp.wrapping_sub(self.timestamp) as i32);
        let passed = now.saturating_duration_since(self.heard).as_millis() * SAMPLES_PER_MS;
        let passed = i64::try_from(passed).unwrap_or(i64::MAX);
        self.ssrc == header.ssrc
            && (ahead < AHEAD_MAX || behind <= BEHIND_MAX)
            && (-STAMP_SLACK..=passed.saturating_add(STAMP_SLACK)).contains(&moved)
    }

    fn is_silent(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.heard) >= SILENCE
    }

    fn handle(&mut self, header: Header, part: Part, now: Instant) {
        self.heard = now;
        self.run = Some(Run::next(self.run, header, now));
        match part {
            Part::Audio => self.audio = Some(Run::next(self.audio, header, now)),
            Part::Event(event) => {
                self.events += 1;
                let keys = self.reader.handle(header, event, now);
                keys.into_iter().flatten().for_each(|key| self.hold(key));
            }
        }
        if header.sequence.wrapping_sub(self.sequence) < 0x8000 {
            self.sequence = header.sequence;
        }
        if header.timestamp.wrapping_sub(self.timestamp) < 0x8000_0000 {
            self.timestamp = header.timestamp;
        }
    }

    fn hold(&mut self, key: char) {
        if self.keys.len() < HELD_MAX {
            self.keys.push(key);
        }
    }

    fn has_spoken(&self) -> bool {
        self.audio.is_some_and(|run| run.is_long_enough())
    }

    fn is_older_than(&self, age: Duration, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= age
    }
}

/// The running source, at most one other beside it, and the keys that count.
#[derive(Debug, Default)]
pub struct Sources {
    running: Option<Source>,
    /// While the running source is not proven: the proven one before it, else one that also wants to run.
    other: Option<Source>,
    /// The port is not the announced one: nobody is believed before `ALONE`.
    doubted: bool,
    /// Somebody has spoken here: from then on nobody is believed who sends keys only.
    spoken: bool,
    /// Signalling has moved the far side: another source needs no silence of the one before.
    moved: bool,
    /// Packets of events whose source is not believed, or not yet.
    unbelieved: u64,
    ready: VecDeque<char>,
}

impl Sources {
    /// Nobody has sent yet. `doubted` when the port is not the announced one.
    pub fn new(doubted: bool) -> Self {
        Self {
            doubted,
            ..Self::default()
        }
    }

    /// Takes a packet from the far side's port; false when it is not the running source's and counts for nothing.
    pub fn handle(&mut self, header: Header, part: Part, now: Instant) -> bool {
        // Until its source is believed.
        self.unbelieved += u64::from(matches!(part, Part::Event(_)));
        if let Some(running) = self.running.as_mut().filter(|source| source.fits(header, now)) {
            running.handle(header, part, now);
            self.spoken |= running.has_spoken();
            self.moved = false;
            self.settle(now);
            return true;
        }
        let known = self.other.take_if(|other| other.fits(header, now));
        let mut source = known.unwrap_or_else(|| Source::new(header, now));
        source.handle(header, part, now);
        let free = self.moved || self.running.as_ref().is_none_or(|running| running.is_silent(now));
        let weak = self.running.as_ref().is_none_or(|running| !running.proven);
        let strong = source.proven || (source.has_spoken() && !self.doubted);
        if free || (weak && strong) {
            self.take_over(source);
            self.settle(now);
            return true;
        }
        if let Some(running) = &mut self.running {
            running.alone = false;
        }
        if weak && self.other.as_ref().is_none_or(|other| !other.proven) {
            self.other = Some(source);
        }
        false
    }

    /// Time has passed: to be called at each tick.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let Some(running) = &mut self.running
            && let Some(key) = running.reader.handle_timeout(now)
        {
            running.hold(key);
        }
        self.settle(now);
    }

    /// Signalling says that the far side sends from elsewhere: its source may be another one from now on.
    pub fn move_on(&mut self) {
        if let Some(running) = self.running.as_mut().filter(|running| running.proven) {
            self.ready.extend(running.reader.move_on());
        }
        self.other = None;
        (self.doubted, self.spoken, self.moved) = (false, false, true);
    }

    /// Packets of events that came and were not believed: of a source beside the running one, or of one that has not proven
    /// itself.
    pub fn unbelieved(&self) -> u64 {
        self.unbelieved
    }

    /// The next key that counts.
    pub fn poll_key(&mut self) -> Option<char> {
        self.ready.pop_front()
    }

    fn take_over(&mut self, source: Source) {
        self.moved = false;
        self.spoken |= source.has_spoken();
        let before = self.running.replace(source);
        if let Some(mut before) = before.filter(|before| before.proven) {
            self.ready.extend(before.reader.move_on());
            self.other = Some(before);
        }
    }

    /// Sees whether the running source is believed by now, and lets its keys count.
    fn settle(&mut self, now: Instant) {
        let Some(running) = &mut self.running else { return };
        if !running.proven {
            let lasting = running.is_older_than(ALONE, now);
            let by_voice = running.has_spoken() && (lasting || !self.doubted);
            let in_order = running.run.is_some_and(|run| run.is_long_enough());
            let by_keys = lasting && running.alone && in_order && !self.spoken;
            running.proven = by_voice || by_keys;
            if running.proven {
                self.other = None;
            }
        }
        if running.proven {
            self.ready.extend(running.keys.drain(..));
            self.unbelieved = self.unbelieved.saturating_sub(std::mem::take(&mut running.events));
        }
    }
}
