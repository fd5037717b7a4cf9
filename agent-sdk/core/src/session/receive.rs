//! Bytes and packets that come in.

use super::event::{Reason, Told};
use super::{NEVER, Phase, Session};
use crate::decode::{Malformed, Packet, REFUSED};
use crate::outbox::SUBSCRIBE_ID;

impl Session<'_> {
    /// Takes in what the transport received, and gives how many bytes of it. It stops behind a packet that brings an
    /// event, and while acknowledgements wait to be written: the rest is handed in again after [`Self::poll_event`] and
    /// [`Self::poll_transmit`]. Without a connection the bytes are nobody's, and all of them are taken.
    #[must_use = "bytes that were not taken have to be handed in again"]
    pub fn handle_bytes(&mut self, bytes: &[u8], now: u64) -> usize {
        let mut taken = 0_usize;
        for byte in bytes {
            if !self.is_up() {
                return bytes.len();
            }
            if self.is_stalled() {
                break;
            }
            taken = taken.wrapping_add(1);
            self.received_at = now;
            let outcome = match self.decoder.push(*byte) {
                Ok(Some(packet)) => self.handle_packet(packet),
                Ok(None) => Ok(()),
                Err(Malformed) => Err(Reason::Protocol),
            };
            if let Err(reason) = outcome {
                self.end(reason);
            }
        }
        taken
    }

    /// Whether something has to leave before the next packet can be taken in.
    fn is_stalled(&self) -> bool {
        let [.., last] = self.acks;
        self.pending.is_some() || self.ended.is_some() || last != 0
    }

    fn handle_packet(&mut self, packet: Packet) -> Result<(), Reason> {
        match (self.phase, packet) {
            (Phase::Waiting, Packet::Connack) => {
                let (session_present, code) = self.decoder.connack();
                if code != 0 {
                    return Err(Reason::Refused(code));
                }
                self.phase = Phase::Online;
                self.online_at = self.received_at;
                self.outbox.resume(session_present);
                self.pending = Some(Told::Connected { session_present });
            }
            (Phase::Online, Packet::Puback) => {
                // The hub serves: what comes next is a new failure, not one more.
                self.backoff.reset();
                let id = self.decoder.answered_id();
                self.pending = self.outbox.acknowledged(id).map(Told::Delivered);
            }
            (Phase::Online, Packet::Pingresp) => {
                self.backoff.reset();
                self.answer_by = NEVER;
            }
            (Phase::Online, Packet::Publish) => {
                self.to_acknowledge = true;
                self.pending = Some(Told::Message);
            }
            (Phase::Online, Packet::TooLong) => {
                self.too_long = self.too_long.saturating_add(1);
                self.acknowledge(self.decoder.message_id());
            }
            (Phase::Online, Packet::Suback) => {
                let codes = self.decoder.codes();
                // §3.8.4: the answer to the one that was asked, filter by filter.
                let is_answer = self.decoder.answered_id() == SUBSCRIBE_ID && codes.len() == usize::from(self.asked);
                if !is_answer || self.asked == 0 {
                    return Err(Reason::Protocol);
                }
                let refused = codes.iter().filter(|code| **code == REFUSED).count() as u8;
                self.asked = 0;
                self.pending = Some(Told::Subscribed { refused });
            }
            // §3.2: CONNACK comes first, once, and only as an answer.
            (Phase::Idle | Phase::Connecting | Phase::Waiting | Phase::Online | Phase::Over, _) => {
                return Err(Reason::Protocol);
            }
        }
        Ok(())
    }

    /// Queues an acknowledgement; that of 0 is none. There is a place: no packet is taken in while there is none.
    pub(super) fn acknowledge(&mut self, id: u16) {
        if let Some(place) = self.acks.iter_mut().find(|place| **place == 0) {
            *place = id;
        }
    }
}
