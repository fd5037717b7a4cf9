//! A device: a simulated washing machine with an MQTT client that keeps what is not acknowledged. Our own agent where it
//! speaks what the habit asks for, else a client of the world's own.

use crate::agent::Agent;
use crate::foreign::Foreign;
use agent_sdk_wire::{Header, TelemetryEncoder, TimeBase, Value};
use hub_broker::session::{Incoming, Outgoing, Version};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use tests_world::{Unit, WashingMachine};

/// Publishes that are not acknowledged yet at one time.
pub const WINDOW: u8 = 4;

/// How a device uses MQTT.
#[derive(Debug, Clone, Copy)]
pub struct Habit {
    /// Whether it is our agent: 3.1.1, QoS 1, nothing forgotten.
    pub is_agent: bool,
    pub version: Version,
    pub qos: u8,
    /// Whether its session is kept.
    pub durable: bool,
    /// Whether it loses its session state now and then, and says so by a clean start.
    pub forgets: bool,
}

/// What a packet of the hub led to.
#[derive(Debug, Default)]
pub struct Outcome {
    pub send: Vec<Incoming>,
    /// Sequence numbers that the hub has acknowledged.
    pub acknowledged: Vec<u64>,
    /// Requests that came.
    pub commands: Vec<String>,
    /// Whether the hub still had the session.
    pub present: bool,
}

enum Client {
    Agent(Agent),
    Foreign(Foreign),
}

pub struct Device {
    pub habit: Habit,
    pub name: String,
    machine: WashingMachine,
    now: Timestamp,
    pub next_seq: u64,
    /// Requests that came.
    pub commands: BTreeSet<String>,
    pub present: u64,
    client: Client,
}

impl Device {
    pub fn new(seed: u64, name: String, habit: Habit) -> Self {
        let now = "2026-03-01T00:00:00Z".parse().unwrap();
        let client = if habit.is_agent {
            Client::Agent(Agent::new(name.clone(), habit.durable, seed as u32))
        } else {
            Client::Foreign(Foreign::new(name.clone(), habit))
        };
        Self {
            habit,
            name,
            machine: WashingMachine::new(Unit::draw(seed, 28_800), now),
            now,
            next_seq: 0,
            commands: BTreeSet::new(),
            present: 0,
            client,
        }
    }

    /// Lets half an hour of the machine's life pass; what it measured goes into the outbox. Gives what it sends at once.
    pub fn measure(&mut self) -> Vec<Incoming> {
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
            match &mut self.client {
                Client::Agent(agent) => agent.push(self.next_seq, payload),
                Client::Foreign(foreign) => foreign.push(self.next_seq, payload),
            }
            self.next_seq += 1;
        }
        match &mut self.client {
            Client::Agent(agent) => agent.run(),
            Client::Foreign(foreign) => foreign.fill(),
        }
    }

    /// It is so late now: what it sends by itself.
    pub fn pass(&mut self, ms: u64) -> Vec<Incoming> {
        match &mut self.client {
            Client::Agent(agent) => {
                agent.set_time(ms);
                agent.run()
            }
            Client::Foreign(_) => Vec::new(),
        }
    }

    pub fn is_empty(&self) -> bool {
        match &self.client {
            Client::Agent(agent) => agent.is_empty(),
            Client::Foreign(foreign) => foreign.is_empty(),
        }
    }

    /// Loses its MQTT state, not its outbox.
    pub fn forget(&mut self) {
        match &mut self.client {
            Client::Agent(_) => panic!("the agent forgets nothing"),
            Client::Foreign(foreign) => foreign.forget(),
        }
    }

    /// A new connection, and so the end of the one before: what it sends.
    pub fn connect(&mut self) -> Vec<Incoming> {
        match &mut self.client {
            Client::Agent(agent) => agent.connect(),
            Client::Foreign(foreign) => vec![foreign.connect()],
        }
    }

    /// A packet came; gives what to send, and the sequence numbers that it acknowledges.
    pub fn receive(&mut self, packet: Outgoing) -> (Vec<Incoming>, Vec<u64>) {
        let outcome = match &mut self.client {
            Client::Agent(agent) => agent.receive(&packet),
            Client::Foreign(foreign) => foreign.receive(packet),
        };
        self.commands.extend(outcome.commands);
        self.present += u64::from(outcome.present);
        (outcome.send, outcome.acknowledged)
    }
}
