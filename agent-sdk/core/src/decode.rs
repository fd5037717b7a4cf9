//! Packets of the hub, byte by byte, so that any fragmentation gives the same packets. What is longer than the receive
//! buffer is passed over as it comes. Knows nothing of a session: whether a packet was due is decided there.

use crate::topic::is_topic;

#[cfg(test)]
mod tests;

/// The shortest receive buffer in bytes: every packet but PUBLISH fits into it.
pub const RECEIVE_BYTES_MIN: usize = 16;

const CONNACK: u8 = 0x20;
const PUBLISH: u8 = 0x30;
const PUBACK: u8 = 0x40;
const SUBACK: u8 = 0x90;
const PINGRESP: u8 = 0xD0;

/// The return code of a filter that the hub refuses (§3.9.3).
pub(crate) const REFUSED: u8 = 0x80;

/// Where the next byte belongs.
#[derive(Clone, Copy)]
enum Stage {
    First,
    Length { shift: u8 },
    Body,
}

/// A packet of the hub. What it says is asked of the decoder, which has it until the next byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packet {
    /// §3.2: [`Decoder::connack`].
    Connack,
    /// §3.3: [`Decoder::message_id`] and [`Decoder::parts`].
    Publish,
    /// §3.3, longer than the buffer: [`Decoder::message_id`].
    TooLong,
    /// §3.4: [`Decoder::answered_id`].
    Puback,
    /// §3.9: [`Decoder::answered_id`] and [`Decoder::codes`].
    Suback,
    /// §3.13.
    Pingresp,
}

/// What came is not MQTT 3.1.1, or not what a hub may send: the connection has to end (§4.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// The packet that is coming in; its body is kept as far as the buffer reaches.
pub(crate) struct Decoder<'m> {
    buffer: &'m mut [u8],
    stage: Stage,
    first: u8,
    length: usize,
    got: usize,
    id: u16,
}

impl<'m> Decoder<'m> {
    pub(crate) fn new(buffer: &'m mut [u8]) -> Self {
        Self {
            buffer,
            stage: Stage::First,
            first: 0,
            length: 0,
            got: 0,
            id: 0,
        }
    }

    /// A new connection begins with a new packet. A message that was taken in before stays readable until bytes come.
    pub(crate) fn reset(&mut self) {
        self.stage = Stage::First;
    }

    /// Takes one byte, and gives the packet that it completes.
    pub(crate) fn push(&mut self, byte: u8) -> Result<Option<Packet>, Malformed> {
        match self.stage {
            Stage::First => {
                check_first(byte)?;
                self.first = byte;
                (self.length, self.got, self.id) = (0, 0, 0);
                self.stage = Stage::Length { shift: 0 };
                return Ok(None);
            }
            Stage::Length { shift } => {
                self.length |= usize::from(byte & 0x7F).wrapping_shl(u32::from(shift));
                if byte & 0x80 != 0 {
                    // A fifth byte is none of MQTT's (§2.2.3).
                    if shift >= 21 {
                        return Err(Malformed);
                    }
                    self.stage = Stage::Length {
                        shift: shift.wrapping_add(7),
                    };
                    return Ok(None);
                }
                self.check_length()?;
                self.stage = Stage::Body;
            }
            Stage::Body => self.keep(byte),
        }
        if self.got < self.length {
            return Ok(None);
        }
        self.stage = Stage::First;
        self.complete().map(Some)
    }

    /// Whether the hub has kept the session, and its return code.
    pub(crate) fn connack(&self) -> (bool, u8) {
        let [flags, code] = self.number(0).to_be_bytes();
        (flags == 1, code)
    }

    /// The identifier of what is answered.
    pub(crate) fn answered_id(&self) -> u16 {
        self.number(0)
    }

    /// Return codes, one for each filter.
    pub(crate) fn codes(&self) -> &[u8] {
        self.buffer.get(2..self.length).unwrap_or_default()
    }

    /// The identifier of a message; 0 at QoS 0.
    pub(crate) fn message_id(&self) -> u16 {
        self.id
    }

    /// Topic and payload of a message, until the next byte is taken in.
    pub(crate) fn parts(&self) -> (&[u8], &[u8]) {
        let topic = self.buffer.get(2..self.topic_end()).unwrap_or_default();
        let payload = self.buffer.get(self.payload_at()..self.length).unwrap_or_default();
        (topic, payload)
    }

    fn keep(&mut self, byte: u8) {
        let at = self.got;
        if let Some(to) = self.buffer.get_mut(at) {
            *to = byte;
        }
        self.got = at.wrapping_add(1);
        // Of a message that is passed over the identifier is needed, to acknowledge it.
        let behind_topic = at.checked_sub(self.topic_end());
        if self.has_id() && behind_topic.is_some_and(|bytes| bytes < 2) {
            self.id = self.id.wrapping_shl(8) | u16::from(byte);
        }
    }

    /// Refuses what can never become a packet, before its body comes.
    fn check_length(&self) -> Result<(), Malformed> {
        let fits = match self.first {
            CONNACK | PUBACK => self.length == 2,
            SUBACK => self.length >= 3 && self.length <= self.buffer.len(),
            PINGRESP => self.length == 0,
            // A topic of at least one letter, and an identifier.
            _ => self.length >= if self.has_id() { 5 } else { 3 },
        };
        if fits { Ok(()) } else { Err(Malformed) }
    }

    fn complete(&self) -> Result<Packet, Malformed> {
        let (packet, is_right) = match self.first {
            // §3.2.2.2: a refusal keeps no session.
            CONNACK => (Packet::Connack, self.number(0) <= 0xFF || self.number(0) == 0x100),
            PUBACK => (Packet::Puback, true),
            // §3.9.3.
            SUBACK => (
                Packet::Suback,
                self.codes().iter().all(|code| matches!(*code, 0..=2 | REFUSED)),
            ),
            PINGRESP => (Packet::Pingresp, true),
            _ => {
                // §2.3.1: an identifier is never 0.
                let is_named = !self.has_id() || self.id != 0;
                let is_whole = is_named && self.payload_at() <= self.length;
                if self.length > self.buffer.len() {
                    (Packet::TooLong, is_whole)
                } else {
                    (Packet::Publish, is_whole && is_topic(self.parts().0))
                }
            }
        };
        if is_right { Ok(packet) } else { Err(Malformed) }
    }

    /// Whether the packet is a PUBLISH at QoS 1.
    fn has_id(&self) -> bool {
        self.first & 0xF6 == PUBLISH | 2
    }

    fn payload_at(&self) -> usize {
        let id_bytes = if self.has_id() { 2 } else { 0 };
        self.topic_end().wrapping_add(id_bytes)
    }

    /// Where the topic of a PUBLISH ends. Before its length is there, somewhere behind it.
    fn topic_end(&self) -> usize {
        if self.got < 2 {
            return usize::MAX;
        }
        usize::from(self.number(0)).wrapping_add(2)
    }

    fn number(&self, at: usize) -> u16 {
        let pair = self.buffer.get(at..at.wrapping_add(2));
        match pair {
            Some(&[high, low]) => u16::from_be_bytes([high, low]),
            Some(_) | None => 0,
        }
    }
}

/// Whether a hub may begin a packet so: §2.2.1, §2.2.2, §3.3.1. QoS 2 is never asked for, and may not come (§3.8.4).
fn check_first(first: u8) -> Result<(), Malformed> {
    match first {
        CONNACK | PUBACK | SUBACK | PINGRESP => Ok(()),
        // Not again at QoS 0.
        0x30..=0x33 | 0x3A | 0x3B => Ok(()),
        _ => Err(Malformed),
    }
}
