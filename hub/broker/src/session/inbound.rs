//! Publishes of the client that are under way, and the order of their acknowledgements.
//!
//! All acknowledgements leave in the order in which their packets came (MQTT 5 §4.6 asks for it within each QoS), so one
//! queue holds them. QoS 2 is method B of MQTT 3.1.1 §4.3.3: the content is passed on when the PUBLISH comes, and the
//! packet identifier is remembered until PUBREL.

use super::packet::{Ack, Outgoing};
use super::reason::Reason;
use std::collections::VecDeque;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Inbound {
    /// In order of receipt.
    queue: VecDeque<Step>,
    /// Number of the first in `queue`.
    first: u64,
    /// Steps that wait for the store.
    waiting: usize,
    /// Packet identifiers of QoS 2 that the client has not released.
    unreleased: Vec<Unreleased>,
    /// How many of them came on this connection and are stored, so that they are in `queue` no more.
    held: usize,
    /// Set when more came than may be under way: the number behind the last that is acknowledged yet.
    overrun: Option<u64>,
}

#[derive(Debug)]
struct Step {
    answer: Answer,
    packet_id: u16,
    settled: bool,
    reason: Reason,
    text: Option<Box<str>>,
}

/// Most packet identifiers that are taken over from a kept session; with more of them a new one begins.
pub(super) const UNRELEASED_MAX: usize = 1024;

/// How a packet is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// QoS 0: not at all.
    Nothing,
    /// QoS 1.
    PubAck,
    /// QoS 2.
    PubRec,
    /// PUBREL.
    PubComp,
}

impl Answer {
    pub(super) fn to_publish(qos: u8) -> Self {
        match qos {
            0 => Self::Nothing,
            1 => Self::PubAck,
            _ => Self::PubRec,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Unreleased {
    packet_id: u16,
    /// The store knows it too.
    durable: bool,
    /// PUBREC has gone out, or is next.
    stored: bool,
    /// Left by an earlier connection. It does not count against the receive maximum: a client that has lost its own state
    /// never releases it.
    old: bool,
}

/// State of a packet identifier of QoS 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PacketIdState {
    /// Nothing: a new one.
    New,
    /// Its PUBLISH is on its way into the store.
    UnderWay,
    /// Stored, not released; and whether the store knows the identifier.
    Stored {
        /// See there.
        durable: bool,
    },
}

impl Inbound {
    /// Takes over the packet identifiers of a kept session.
    pub(super) fn restore(&mut self, unreleased: &[u16]) {
        let stored = |packet_id: &u16| Unreleased {
            packet_id: *packet_id,
            durable: true,
            stored: true,
            old: true,
        };
        self.unreleased = unreleased.iter().map(stored).collect();
    }

    /// Steps that wait for the store.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Publishes that count against the receive maximum: up to PUBACK, or PUBCOMP (MQTT 5 §4.9).
    pub(super) fn in_flight(&self) -> usize {
        self.waiting + self.held
    }

    /// From now on no publish is taken in; what was is still acknowledged.
    pub(super) fn overrun(&mut self) {
        let next = self.first + self.queue.len() as u64;
        self.overrun.get_or_insert(next);
    }

    /// Whether more came than may be under way.
    pub(super) fn is_overrun(&self) -> bool {
        self.overrun.is_some()
    }

    /// Whether everything that came before the overrun is acknowledged.
    pub(super) fn is_through(&self) -> bool {
        self.overrun.is_some_and(|overrun| self.first >= overrun)
    }

    /// Entries in memory, with the refused ones that wait for their turn.
    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn packet_id_state(&self, packet_id: u16) -> PacketIdState {
        match self.unreleased.iter().find(|u| u.packet_id == packet_id) {
            None => PacketIdState::New,
            Some(entry) if entry.stored => PacketIdState::Stored { durable: entry.durable },
            Some(_) => PacketIdState::UnderWay,
        }
    }

    /// Takes a publish in; gives the number by which it is settled.
    pub(super) fn push(&mut self, answer: Answer, packet_id: u16, durable: bool) -> u64 {
        if answer == Answer::PubRec {
            self.unreleased.push(Unreleased {
                packet_id,
                durable,
                stored: false,
                old: false,
            });
        }
        self.waiting += 1;
        self.step(answer, packet_id, false, Reason::Success, None)
    }

    /// Takes a PUBREL in that the store must know of.
    pub(super) fn push_release(&mut self, packet_id: u16, reason: Reason) -> u64 {
        self.forget(packet_id);
        self.waiting += 1;
        self.step(Answer::PubComp, packet_id, false, reason, None)
    }

    /// Takes in what is settled already and only waits for its turn.
    pub(super) fn push_settled(&mut self, answer: Answer, packet_id: u16, reason: Reason, text: Option<Box<str>>) {
        if answer == Answer::PubComp {
            self.forget(packet_id);
        }
        self.step(answer, packet_id, true, reason, text);
    }

    fn step(&mut self, answer: Answer, packet_id: u16, settled: bool, reason: Reason, text: Option<Box<str>>) -> u64 {
        let number = self.first + self.queue.len() as u64;
        self.queue.push_back(Step {
            answer,
            packet_id,
            settled,
            reason,
            text,
        });
        number
    }

    /// How the step of this number will be acknowledged, if it waits for the store.
    pub(super) fn awaited(&self, number: u64) -> Option<Answer> {
        let step = self.index(number).and_then(|index| self.queue.get(index));
        step.filter(|step| !step.settled).map(|step| step.answer)
    }

    /// Settles a step. An unknown number, or one that is settled, changes nothing.
    pub(super) fn settle(&mut self, number: u64, outcome: Option<(Reason, Option<Box<str>>)>) {
        let index = self.index(number);
        let Some(step) = index.and_then(|index| self.queue.get_mut(index)) else {
            return;
        };
        if step.settled {
            return;
        }
        step.settled = true;
        self.waiting -= 1;
        if let Some((reason, text)) = outcome {
            step.reason = reason;
            step.text = text;
        }
    }

    fn index(&self, number: u64) -> Option<usize> {
        number
            .checked_sub(self.first)
            .and_then(|index| usize::try_from(index).ok())
    }

    /// Moves the acknowledgements that are due to `out`.
    pub(super) fn take_due(&mut self, out: &mut VecDeque<Outgoing>) {
        while self.queue.front().is_some_and(|step| step.settled) {
            let Some(step) = self.queue.pop_front() else { return };
            self.first += 1;
            let ack = Ack {
                packet_id: step.packet_id,
                reason: step.reason,
                text: step.text,
            };
            match step.answer {
                Answer::Nothing => {}
                Answer::PubAck => out.push_back(Outgoing::PubAck(ack)),
                Answer::PubRec => {
                    self.received(step.packet_id, step.reason);
                    out.push_back(Outgoing::PubRec(ack));
                }
                Answer::PubComp => out.push_back(Outgoing::PubComp(ack)),
            }
        }
        if self.queue.is_empty() && self.queue.capacity() > CAPACITY_KEPT {
            self.queue = VecDeque::new();
        }
    }

    /// PUBREC is due. With an error the identifier is free at once (MQTT 5 §4.3.3).
    fn received(&mut self, packet_id: u16, reason: Reason) {
        if reason.is_error() {
            return self.forget(packet_id);
        }
        if let Some(entry) = self
            .unreleased
            .iter_mut()
            .find(|u| u.packet_id == packet_id && !u.stored)
        {
            entry.stored = true;
            self.held += 1;
        }
    }

    fn forget(&mut self, packet_id: u16) {
        if let Some(at) = self.unreleased.iter().position(|u| u.packet_id == packet_id) {
            let gone = self.unreleased.swap_remove(at);
            self.held -= usize::from(gone.stored && !gone.old);
        }
    }
}

/// Room that an idle session keeps.
const CAPACITY_KEPT: usize = 4;
