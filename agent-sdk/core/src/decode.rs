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

/// Where the next byte belongs.
#[derive(Clone, Copy)]
enum Stage {
    First,
    Length { shift: u8 },
    Body,
}

/// A packet of the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// §3.2.
    Connack { session_present: bool, code: u8 },
    /// §3.3, its topic and payload still in the buffer.
    Publish(Message),
    /// §3.3, longer than the buffer. The identifier is 0 at QoS 0.
    TooLong { id: u16 },
    /// §3.4.
    Puback { id: u16 },
    /// §3.9.
    Suback { id: u16, filters: u8, refused: u8 },
    /// §3.13.
    Pingresp,
}

/// Where a message lies in the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) topic_len: u16,
    /// 0 at QoS 0.
    pub(crate) id: u16,
    /// Where the payload begins.
    payload_at: usize,
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
    pub(crate) fn push(&mut self, byte: u8) -> Result<Option<Incoming>, Malformed> {
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

    /// Topic and payload of a message, until the next byte is taken in.
    pub(crate) fn parts(&self, message: Message) -> (&[u8], &[u8]) {
        let end = usize::from(message.topic_len).wrapping_add(2);
        let topic = self.buffer.get(2..end).unwrap_or_default();
        let payload = self.buffer.get(message.payload_at..self.length).unwrap_or_default();
        (topic, payload)
    }

    fn keep(&mut self, byte: u8) {
        let at = self.got;
        if let Some(to) = self.buffer.get_mut(at) {
            *to = byte;
        }
        self.got = at.wrapping_add(1);
        // Of a message that is passed over the identifier is needed, to acknowledge it.
        let id_at = self.topic_end();
        if self.has_id() && (at == id_at || at == id_at.saturating_add(1)) {
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

    fn complete(&self) -> Result<Incoming, Malformed> {
        match self.first {
            CONNACK => {
                let [flags, code] = self.number(0).to_be_bytes();
                let session_present = flags == 1;
                // §3.2.2.2: a refusal keeps no session.
                if flags > 1 || session_present && code != 0 {
                    return Err(Malformed);
                }
                Ok(Incoming::Connack { session_present, code })
            }
            PUBACK => Ok(Incoming::Puback { id: self.number(0) }),
            SUBACK => self.suback(),
            PINGRESP => Ok(Incoming::Pingresp),
            _ => self.publish(),
        }
    }

    fn suback(&self) -> Result<Incoming, Malformed> {
        let codes = self.buffer.get(2..self.length).unwrap_or_default();
        let (mut filters, mut refused) = (0_u8, 0_u8);
        for code in codes {
            filters = filters.saturating_add(1);
            match *code {
                0..=2 => {}
                0x80 => refused = refused.saturating_add(1),
                // §3.9.3.
                _ => return Err(Malformed),
            }
        }
        Ok(Incoming::Suback {
            id: self.number(0),
            filters,
            refused,
        })
    }

    fn publish(&self) -> Result<Incoming, Malformed> {
        let topic_len = self.number(0);
        let id_bytes = if self.has_id() { 2 } else { 0 };
        let payload_at = self.topic_end().wrapping_add(id_bytes);
        // §2.3.1: an identifier is never 0.
        if payload_at > self.length || self.has_id() && self.id == 0 {
            return Err(Malformed);
        }
        if self.length > self.buffer.len() {
            return Ok(Incoming::TooLong { id: self.id });
        }
        let message = Message {
            topic_len,
            id: self.id,
            payload_at,
        };
        let (topic, _) = self.parts(message);
        if is_topic(topic) {
            Ok(Incoming::Publish(message))
        } else {
            Err(Malformed)
        }
    }

    /// Whether the packet is a PUBLISH at QoS 1.
    fn has_id(&self) -> bool {
        self.first & 0xF6 == PUBLISH | 2
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
