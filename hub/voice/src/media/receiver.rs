//! What is heard of a call's far side: whose packets are taken, what was pressed, what is missing. Pure: packets, their
//! senders and instants go in, sound and keys come out; the socket is the stream's.

use super::g711::Codec;
use super::latch::{Heard, Latch};
use super::rtp::{self, Header, Reception};
use super::sdp::{EVENT_TYPE, Negotiated};
use super::sources::{Part, Sources};
use super::watchdog::Watchdog;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Payload types of comfort noise: the standard's (RFC 3389 §4) and that of older gateways.
const COMFORT_NOISE: [u8; 2] = [13, 19];
/// A second of audio. Less of it from elsewhere is what is left of early media, or anybody's packet.
const STRAYS_MIN: u32 = 50;

/// The receiving half of a call's audio.
#[derive(Debug)]
pub struct Receiver {
    /// Packets that bear it are our own come back.
    own_ssrc: u32,
    event_type: Option<u8>,
    /// None before the call is connected: then nobody is heard.
    latch: Option<Latch>,
    sources: Sources,
    reception: Reception,
    watchdog: Watchdog,
    returned: u64,
    dropped: u64,
    /// Packets of events that strangers sent, and sources that are forgotten.
    unbelieved: u64,
}

impl Receiver {
    /// Hears nobody yet. Our own packets bear `own_ssrc`; after `silence_max` without a packet the far side counts as dead.
    pub fn new(own_ssrc: u32, silence_max: Option<Duration>) -> Self {
        Self {
            own_ssrc,
            event_type: None,
            latch: None,
            sources: Sources::default(),
            reception: Reception::default(),
            watchdog: Watchdog::new(silence_max),
            returned: 0,
            dropped: 0,
            unbelieved: 0,
        }
    }

    /// The far side is heard as agreed from now on. At a new address it may be another source.
    pub fn connect(&mut self, negotiated: &Negotiated, now: Instant) {
        self.event_type = negotiated.event_type;
        // On hold nothing need come either: music is the far side's choice.
        self.watchdog.connect(negotiated.hold || negotiated.mute, now);
        let announced = negotiated.remote;
        // Address 0.0.0.0 says hold (RFC 3264 §8.4) and names no place to move to.
        let stays = |latch: &Latch| latch.announced() == announced || announced.ip().is_unspecified();
        if self.latch.as_ref().is_some_and(stays) {
            return;
        }
        self.latch = Some(match &self.latch {
            Some(left) => left.moved(announced),
            None => Latch::new(announced),
        });
        self.reception.move_on();
        self.sources.move_on();
    }

    /// Takes one packet. Sound of the far side is handed back.
    pub fn handle<'p>(&mut self, packet: &'p [u8], from: SocketAddr, now: Instant) -> Option<(Codec, &'p [u8])> {
        let Some((header, payload)) = self.hear(packet, from, now) else {
            self.dropped += 1;
            return None;
        };
        self.watchdog
            .handle_media(COMFORT_NOISE.contains(&header.payload_type), now);
        Some((Codec::from_payload_type(header.payload_type)?, payload))
    }

    /// Takes one packet of the port of reports: of the far side's they are a sign of life, no more.
    pub fn handle_control(&mut self, packet: &[u8], from: SocketAddr, now: Instant) {
        let is_far_side = self.latch.as_ref().is_some_and(|latch| latch.is_far_side(from));
        if is_far_side && rtp::is_control(packet) {
            self.watchdog.handle_life(now);
        }
    }

    /// Signalling brought a sign of life.
    pub fn handle_life(&mut self, now: Instant) {
        self.watchdog.handle_life(now);
    }

    /// A clip was sent to its end.
    pub fn handle_said(&mut self) {
        self.watchdog.handle_said();
    }

    /// Audio has come since the last agreement, but only from addresses that were not announced.
    pub fn is_elsewhere(&self) -> bool {
        self.watchdog.is_elsewhere()
    }

    /// A second of audio or more has come in the whole call while the far side was to send, and not one packet of it from where
    /// the far side said that it is.
    pub fn is_all_elsewhere(&self) -> bool {
        self.received() == 0 && self.watchdog.strays() >= STRAYS_MIN
    }

    /// Time has passed: to be called at each tick. True once, when the far side has been silent for too long.
    pub fn handle_timeout(&mut self, now: Instant) -> bool {
        self.sources.handle_timeout(now);
        self.watchdog.handle_timeout(now)
    }

    /// A packet was thrown away unread.
    pub fn handle_unread(&mut self) {
        self.dropped += 1;
    }

    /// The next key of the far side.
    pub fn poll_key(&mut self) -> Option<char> {
        self.sources.poll_key()
    }

    /// Where our packets go; none before the call is connected.
    pub fn target(&self) -> Option<SocketAddr> {
        self.latch.as_ref().map(Latch::target)
    }

    /// Where our reports go.
    pub fn control_target(&self) -> Option<SocketAddr> {
        self.latch.as_ref().and_then(Latch::control_target)
    }

    /// Packets taken.
    pub fn received(&self) -> u64 {
        self.reception.received() + self.returned
    }

    /// Packets that the far side's numbering shows to be missing.
    pub fn lost(&self) -> u64 {
        self.reception.lost()
    }

    /// Packets not taken.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Packets of keys that were not believed.
    pub fn events_unbelieved(&self) -> u64 {
        self.unbelieved + self.sources.unbelieved()
    }

    /// The packet if it is the far side's.
    fn hear<'p>(&mut self, packet: &'p [u8], from: SocketAddr, now: Instant) -> Option<(Header, &'p [u8])> {
        if rtp::is_control(packet) {
            return None;
        }
        let (header, payload) = rtp::read(packet)?;
        let part = self.part(header, payload)?;
        // A far side that sends back what it hears has not spoken itself, nor pressed a key (RFC 3550 §8.2).
        let returned = header.ssrc == self.own_ssrc;
        let latch = self.latch.as_mut()?;
        match latch.handle(from, header, part == Part::Audio && !returned, now) {
            Heard::No => {
                match part {
                    Part::Audio | Part::Event(_) if returned => {}
                    Part::Audio => self.watchdog.handle_stray(),
                    Part::Event(_) => self.unbelieved += 1,
                }
                return None;
            }
            Heard::Yes => {}
            // Nothing is kept of what was heard before at a port that was not announced.
            Heard::Moved => {
                self.unbelieved += self.sources.unbelieved();
                self.sources = Sources::new(latch.is_elsewhere());
            }
        }
        if returned {
            self.returned += 1;
        } else if self.sources.handle(header, part, now) {
            self.reception.note(header);
        } else {
            return None;
        }
        Some((header, payload))
    }

    /// None for an event that is cut short.
    fn part(&self, header: Header, payload: &[u8]) -> Option<Part> {
        // Most send events under the number we offered; some under the one they answered with, some under another.
        if [Some(EVENT_TYPE), self.event_type].contains(&Some(header.payload_type)) {
            return rtp::Event::from_bytes(payload).map(Part::Event);
        }
        let event = rtp::unannounced_event(header.payload_type, payload);
        Some(event.map_or(Part::Audio, Part::Event))
    }
}

#[cfg(test)]
#[path = "receiver_tests.rs"]
mod tests;
