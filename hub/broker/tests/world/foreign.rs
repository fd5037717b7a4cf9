//! A client of the world's own, for what our agent does not speak: MQTT 5, QoS 2, and a state that is lost.

use crate::device::{Habit, Outcome, WINDOW};
use hub_broker::session::packet::{ConnectProperties, Filter, RetainHandling, Subscribe};
use hub_broker::session::{Connect, Incoming, Login, Message, Outgoing, Publish, Version};
use std::collections::VecDeque;

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    /// PUBLISH was sent.
    Sent(u16),
    /// PUBREC came, PUBREL was sent.
    Released(u16),
}

#[derive(Debug)]
struct Entry {
    seq: u64,
    payload: Vec<u8>,
    stage: Stage,
}

pub struct Foreign {
    habit: Habit,
    name: String,
    outbox: VecDeque<Entry>,
    /// Whether the hub has confirmed the subscription of this session.
    subscribed: bool,
    connected: bool,
    forgotten: bool,
}

impl Foreign {
    pub fn new(name: String, habit: Habit) -> Self {
        Self {
            habit,
            name,
            outbox: VecDeque::new(),
            subscribed: false,
            connected: false,
            forgotten: false,
        }
    }

    /// Puts a message into the outbox.
    pub fn push(&mut self, seq: u64, payload: Vec<u8>) {
        self.outbox.push_back(Entry {
            seq,
            payload,
            stage: Stage::Waiting,
        });
    }

    pub fn is_empty(&self) -> bool {
        self.outbox.is_empty()
    }

    /// Loses its MQTT state, not its outbox.
    pub fn forget(&mut self) {
        self.forgotten = true;
        for entry in &mut self.outbox {
            entry.stage = Stage::Waiting;
        }
        self.subscribed = false;
    }

    pub fn connect(&mut self) -> Incoming {
        self.connected = false;
        let Habit { version, durable, .. } = self.habit;
        let clean_start = !durable || self.forgotten;
        let login = Login {
            user_name: format!("acme/{}", self.name),
            password: "secret".into(),
        };
        Incoming::Connect(Box::new(Connect {
            version,
            client_id: true,
            clean_start,
            keep_alive_s: 60,
            login: Some(login),
            will: None,
            properties: ConnectProperties {
                session_expiry_s: (version == Version::V5 && durable).then_some(3_600),
                receive_maximum: 3,
                ..Default::default()
            },
        }))
    }

    pub fn receive(&mut self, packet: Outgoing) -> Outcome {
        let mut outcome = Outcome::default();
        let mut acknowledged = None;
        match packet {
            Outgoing::ConnAck { present, reason, .. } => {
                if reason.is_error() {
                    return outcome;
                }
                self.connected = true;
                // Until then it asks for a clean start again and again.
                self.forgotten = false;
                outcome.present = present;
                self.resume(present, &mut outcome.send);
            }
            Outgoing::PubAck(ack) => {
                assert!(!ack.reason.is_error(), "{ack:?}");
                acknowledged = self.finish(Stage::Sent(ack.packet_id));
                assert!(acknowledged.is_some(), "PUBACK of nothing");
            }
            Outgoing::PubRec(ack) => {
                assert!(!ack.reason.is_error(), "{ack:?}");
                if let Some(entry) = self.outbox.iter_mut().find(|e| e.stage == Stage::Sent(ack.packet_id)) {
                    entry.stage = Stage::Released(ack.packet_id);
                    acknowledged = Some(entry.seq);
                }
                outcome.send.push(Incoming::PubRel(ack.packet_id));
            }
            Outgoing::PubComp(ack) => drop(self.finish(Stage::Released(ack.packet_id))),
            Outgoing::Publish(publish) => {
                assert!(publish.packet_id > 0);
                outcome
                    .commands
                    .push(publish.topic.rsplit('/').next().unwrap().to_owned());
                outcome.send.push(Incoming::PubAck(publish.packet_id));
            }
            Outgoing::SubAck { codes, .. } => {
                assert_eq!(codes, [1]);
                self.subscribed = true;
            }
            _ => {}
        }
        outcome.acknowledged.extend(acknowledged);
        let more = self.fill();
        outcome.send.extend(more);
        outcome
    }

    /// MQTT 5 §4.4: what was under way is sent again with its identifiers, where the session is the same.
    fn resume(&mut self, present: bool, send: &mut Vec<Incoming>) {
        let mut old = std::mem::take(&mut self.outbox);
        if !present {
            // What got its PUBREC is the hub's; the rest starts over.
            old.retain(|entry| !matches!(entry.stage, Stage::Released(_)));
            old.iter_mut().for_each(|entry| entry.stage = Stage::Waiting);
            self.subscribed = false;
        }
        if !self.subscribed {
            send.push(self.subscribe());
        }
        for entry in &old {
            match entry.stage {
                Stage::Sent(packet_id) => send.push(self.publish(entry, packet_id)),
                Stage::Released(packet_id) => send.push(Incoming::PubRel(packet_id)),
                Stage::Waiting => {}
            }
        }
        self.outbox = old;
    }

    fn subscribe(&self) -> Incoming {
        let filter = Filter {
            path: format!("d/{}/c/+", self.name),
            qos: 1,
            retain_as_published: false,
            retain_handling: RetainHandling::Always,
        };
        Incoming::Subscribe(Box::new(Subscribe {
            packet_id: 60_000,
            filters: vec![filter],
            identifier: false,
        }))
    }

    fn publish(&self, entry: &Entry, packet_id: u16) -> Incoming {
        Incoming::Publish(Publish {
            qos: self.habit.qos,
            packet_id,
            retain: false,
            alias: None,
            message: Message::new(format!("d/{}/t", self.name).as_bytes(), &entry.payload),
        })
    }

    /// Sends what waits, as far as the window reaches. Identifiers are used again soon, on purpose.
    pub fn fill(&mut self) -> Vec<Incoming> {
        let mut send = Vec::new();
        if !self.connected {
            return send;
        }
        for at in 0..self.outbox.len().min(usize::from(WINDOW)) {
            if self.outbox[at].stage == Stage::Waiting {
                let packet_id = self.free_id();
                self.outbox[at].stage = Stage::Sent(packet_id);
                send.push(self.publish(&self.outbox[at], packet_id));
            }
        }
        send
    }

    fn free_id(&self) -> u16 {
        let used = |id: u16| {
            self.outbox
                .iter()
                .any(|e| e.stage == Stage::Sent(id) || e.stage == Stage::Released(id))
        };
        (1..).find(|id| !used(*id)).unwrap()
    }

    fn finish(&mut self, stage: Stage) -> Option<u64> {
        let at = self.outbox.iter().position(|entry| entry.stage == stage)?;
        self.outbox.remove(at).map(|entry| entry.seq)
    }
}
