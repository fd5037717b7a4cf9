//! A device: a simulated washing machine with an MQTT client that keeps what is not acknowledged.

use agent_sdk_wire::{Header, TelemetryEncoder, TimeBase, Value};
use hub_broker::session::packet::{ConnectProperties, Filter, RetainHandling, Subscribe};
use hub_broker::session::{Connect, Incoming, Login, Message, Outgoing, Publish, Version};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeSet, VecDeque};
use tests_world::{Unit, WashingMachine};

/// Publishes that are not acknowledged yet at one time.
const WINDOW: usize = 4;

/// How a device uses MQTT.
#[derive(Debug, Clone, Copy)]
pub struct Habit {
    pub version: Version,
    pub qos: u8,
    /// Whether its session is kept.
    pub durable: bool,
    /// Whether it loses its session state now and then, and says so by a clean start.
    pub forgets: bool,
}

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

pub struct Device {
    pub habit: Habit,
    pub name: String,
    machine: WashingMachine,
    now: Timestamp,
    pub next_seq: u64,
    outbox: VecDeque<Entry>,
    /// Whether the hub has confirmed the subscription of this session.
    subscribed: bool,
    /// Requests that came.
    pub commands: BTreeSet<String>,
    connected: bool,
    forgotten: bool,
    pub present: u64,
}

impl Device {
    pub fn new(seed: u64, name: String, habit: Habit) -> Self {
        let now = "2026-03-01T00:00:00Z".parse().unwrap();
        Self {
            habit,
            name,
            machine: WashingMachine::new(Unit::draw(seed, 28_800), now),
            now,
            next_seq: 0,
            outbox: VecDeque::new(),
            subscribed: false,
            commands: BTreeSet::new(),
            connected: false,
            forgotten: false,
            present: 0,
        }
    }

    /// Lets half an hour of the machine's life pass; what it measured goes into the outbox.
    pub fn measure(&mut self) {
        self.now += SignedDuration::from_mins(30);
        for sample in self.machine.step_until(self.now).into_iter().take(3) {
            let header = Header {
                time_base: TimeBase::Utc,
                boot_id: 1,
                seq: self.next_seq,
                t0_ms: sample.at.as_millisecond(),
            };
            let values: Vec<_> = sample
                .values
                .iter()
                .map(|(id, value)| (*id, Value::F32(*value as f32)))
                .collect();
            let mut buffer = [0; 512];
            let mut encoder = TelemetryEncoder::new(&mut buffer, &header).unwrap();
            encoder.push(0, &values).unwrap();
            let payload = encoder.finish().unwrap().to_vec();
            self.outbox.push_back(Entry {
                seq: self.next_seq,
                payload,
                stage: Stage::Waiting,
            });
            self.next_seq += 1;
        }
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

    /// A packet came; gives what to send, and the sequence number that it acknowledges.
    pub fn receive(&mut self, packet: Outgoing) -> (Vec<Incoming>, Option<u64>) {
        let mut send = Vec::new();
        let mut acknowledged = None;
        match packet {
            Outgoing::ConnAck { present, reason, .. } => {
                if reason.is_error() {
                    return (send, None);
                }
                self.connected = true;
                // Until then it asks for a clean start again and again.
                self.forgotten = false;
                self.resume(present, &mut send);
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
                send.push(Incoming::PubRel(ack.packet_id));
            }
            Outgoing::PubComp(ack) => drop(self.finish(Stage::Released(ack.packet_id))),
            Outgoing::Publish(publish) => {
                assert!(publish.packet_id > 0);
                self.commands
                    .insert(publish.topic.rsplit('/').next().unwrap().to_owned());
                send.push(Incoming::PubAck(publish.packet_id));
            }
            Outgoing::SubAck { codes, .. } => {
                assert_eq!(codes, [1]);
                self.subscribed = true;
            }
            _ => {}
        }
        if self.connected {
            self.fill(&mut send);
        }
        (send, acknowledged)
    }

    /// MQTT 5 §4.4: what was under way is sent again with its identifiers, where the session is the same.
    fn resume(&mut self, present: bool, send: &mut Vec<Incoming>) {
        self.present += u64::from(present);
        let mut old = std::mem::take(&mut self.outbox);
        if !present {
            // What got its PUBREC is the hub's; the rest begins anew.
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
    pub fn fill(&mut self, send: &mut Vec<Incoming>) {
        if !self.connected {
            return;
        }
        for at in 0..self.outbox.len().min(WINDOW) {
            if self.outbox[at].stage == Stage::Waiting {
                let packet_id = self.free_id();
                self.outbox[at].stage = Stage::Sent(packet_id);
                send.push(self.publish(&self.outbox[at], packet_id));
            }
        }
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
