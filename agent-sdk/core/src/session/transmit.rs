//! Packets that go out, one after the other, in pieces as large as the transport takes.

use super::event::Reason;
use super::{NEVER, Phase, Session, later};
use crate::encode::{self, CONNECT, DISCONNECT, PINGREQ, PUBACK, PUBLISH, SUBSCRIBE};
use crate::identity::Identity;
use crate::outbox::SUBSCRIBE_ID;
use crate::writer::Writer;

/// The packet that is being written.
#[derive(Clone, Copy)]
pub(super) enum Outgoing {
    Connect,
    Subscribe,
    Puback(u16),
    /// [`super::short`].
    Short,
    Ping,
    /// What the outbox has chosen.
    Publish,
    Disconnect,
}

impl Session<'_> {
    /// Writes what is due into `out`, and gives how many bytes that is; 0 if nothing is due. A packet that does not fit
    /// goes on in the next call, so any room will do. All of it has to be handed to the transport, in this order.
    #[must_use = "what was written has to be handed to the transport"]
    pub fn poll_transmit(&mut self, identity: &Identity<'_>, out: &mut [u8], now: u64) -> usize {
        self.handle_timeout(now);
        let mut used = 0_usize;
        loop {
            let room = out.get_mut(used..).unwrap_or_default();
            if room.is_empty() {
                return used;
            }
            let Some(packet) = self.current.or_else(|| self.next_outgoing(identity, now)) else {
                return used;
            };
            let (written, is_complete) = self.write(packet, identity, room);
            used = used.wrapping_add(written);
            if !is_complete {
                self.current = Some(packet);
                self.handed_over = self.handed_over.wrapping_add(written);
                return used;
            }
            self.current = None;
            self.handed_over = 0;
            self.sent_at = now;
            self.complete(packet, identity);
        }
    }

    fn next_outgoing(&mut self, identity: &Identity<'_>, now: u64) -> Option<Outgoing> {
        match self.phase {
            Phase::Connecting => return Some(Outgoing::Connect),
            Phase::Online => {}
            Phase::Idle | Phase::Waiting | Phase::Over => return None,
        }
        if self.to_close {
            return Some(Outgoing::Disconnect);
        }
        let [id, second, third, fourth] = self.acks;
        if id != 0 {
            self.acks = [second, third, fourth, 0];
            return Some(Outgoing::Puback(id));
        }
        if self.to_subscribe {
            self.to_subscribe = false;
            if !identity.filters().is_empty() {
                return Some(Outgoing::Subscribe);
            }
        }
        if self.answer_by == NEVER && now >= self.ping_due() {
            self.answer_by = later(now, self.settings.answer_limit_ms);
            return Some(Outgoing::Ping);
        }
        if self.is_telling() {
            return Some(Outgoing::Short);
        }
        if now >= self.held_until {
            self.held_until = 0;
        }
        self.outbox.hold(self.held_until > 0);
        self.outbox.begin(self.settings.window).then_some(Outgoing::Publish)
    }

    /// Writes the part of a packet that follows what was handed over; how many bytes, and whether those were the last.
    fn write(&self, packet: Outgoing, identity: &Identity<'_>, room: &mut [u8]) -> (usize, bool) {
        let mut counter = Writer::counting();
        let first = self.body(packet, identity, &mut counter);
        let mut writer = Writer::new(room, self.handed_over);
        writer.bytes(&[first]);
        writer.remaining_length(counter.len());
        self.body(packet, identity, &mut writer);
        writer.finish()
    }

    /// Writes all but the fixed header, and gives its first byte (§2.2).
    fn body(&self, packet: Outgoing, identity: &Identity<'_>, writer: &mut Writer<'_>) -> u8 {
        match packet {
            Outgoing::Connect => {
                encode::connect(writer, identity, self.settings.keep_alive_s);
                CONNECT
            }
            Outgoing::Subscribe => {
                encode::subscribe(writer, identity, SUBSCRIBE_ID);
                SUBSCRIBE
            }
            Outgoing::Puback(id) => {
                writer.number(id);
                PUBACK
            }
            Outgoing::Short => match &self.short {
                Some(short) => {
                    encode::short(writer, identity.topic_prefix, short.topic, short.payload());
                    PUBLISH
                }
                // It stays until it is written.
                None => PINGREQ,
            },
            Outgoing::Ping => PINGREQ,
            Outgoing::Publish => match self.outbox.writing() {
                Some((record, topic, payload)) => {
                    encode::publish(writer, identity.topic_prefix, topic, record.id(), payload);
                    PUBLISH | record.publish_flags()
                }
                // The outbox keeps what it has chosen; a ping would do no harm.
                None => PINGREQ,
            },
            Outgoing::Disconnect => DISCONNECT,
        }
    }

    #[inline(never)]
    fn complete(&mut self, packet: Outgoing, identity: &Identity<'_>) {
        match packet {
            Outgoing::Connect => self.phase = Phase::Waiting,
            Outgoing::Subscribe => self.asked = identity.filters().len() as u8,
            Outgoing::Short => self.short = None,
            Outgoing::Publish => self.outbox.written(),
            Outgoing::Disconnect => self.end(Reason::Closed),
            Outgoing::Puback(_) | Outgoing::Ping => {}
        }
    }
}
