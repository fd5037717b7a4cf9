//! The hub's shell around the session core: connections, one queue into the store, take-over.

use crate::store::{Item, Store};
use hub_broker::session::{
    Access, CloseReason, Event, Incoming, Outbound, Outgoing, Received, Session, SessionLimits, Verdict,
};
use hub_core::id::DeviceId;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

pub const LIMITS: SessionLimits = SessionLimits {
    connect_patience: Duration::from_secs(10),
    login_patience: Duration::from_secs(10),
    keep_alive_cap: Duration::from_mins(15),
    in_flight_max: 8,
    connect_bytes_max: 8 * 1024,
    packet_bytes_max: 16 * 1024,
    session_expiry_max_s: 3600,
};

/// Whom the store answers.
#[derive(Debug, Clone, Copy)]
pub enum Waiter {
    Publish(u64),
    Session,
}

pub struct Connection {
    pub device: usize,
    pub session: Session,
}

/// A command: durable, until the device has taken it.
#[derive(Debug)]
pub struct Row {
    pub request: String,
    pub packet_id: u16,
    pub sent: bool,
    pub taken: bool,
}

/// What dies with the hub, except for `store` and `commands`.
#[derive(Default)]
pub struct Hub {
    pub store: Store,
    pub commands: BTreeMap<usize, Vec<Row>>,
    pub connections: BTreeMap<u64, Connection>,
    /// Connection of each device that counts.
    registered: BTreeMap<usize, u64>,
    /// In the order of receipt.
    pub queue: VecDeque<(u64, usize, Waiter, Item)>,
    pub takeovers: u64,
}

/// What a step of the hub leads to outside of it.
#[derive(Debug)]
pub enum Effect {
    Send(u64, Outgoing),
    Authenticate(u64),
    Closed(u64, CloseReason),
}

impl Hub {
    pub fn accept(&mut self, connection: u64, device: usize, now: Instant) {
        let session = Session::new(LIMITS, None, connection, now);
        self.connections.insert(connection, Connection { device, session });
    }

    pub fn packet(&mut self, connection: u64, packet: Incoming, now: Instant) {
        if let Some(found) = self.connections.get_mut(&connection) {
            found.session.handle_packet(packet, now);
        }
    }

    /// Whether the next packet may come; otherwise it waits in the network.
    pub fn reads(&self, connection: u64) -> bool {
        self.connections
            .get(&connection)
            .is_none_or(|found| found.session.wants_packet())
    }

    /// Tells a connection who it is. What is kept is read only when every earlier connection of the device has ended, with
    /// all that it had under way: false where that is still to be waited for.
    pub fn verdict(&mut self, connection: u64, name: &str, now: Instant) -> bool {
        let Some(device) = self.connections.get(&connection).map(|found| found.device) else {
            return true;
        };
        let mut cut = 0;
        for (number, found) in &mut self.connections {
            if *number < connection && found.device == device {
                found.session.handle_close(CloseReason::TakenOver);
                cut += 1;
            }
        }
        self.takeovers += cut;
        let under_way = |(number, of, ..): &(u64, usize, Waiter, Item)| *of == device && *number < connection;
        if cut > 0 || self.queue.iter().any(under_way) {
            return false;
        }
        let kept = self.store.session(device);
        if let Some(found) = self.connections.get_mut(&connection) {
            let id = DeviceId::new(name).unwrap();
            found
                .session
                .handle_verdict(Verdict::Accepted(Access::Device { id, kept }), now);
        }
        true
    }

    /// Commits the first `count` of the queue; gives who is to be answered, which a crash may prevent.
    pub fn commit(&mut self, count: usize) -> Vec<(u64, Waiter)> {
        let mut answers = Vec::new();
        for (connection, device, waiter, item) in self.queue.drain(..count.min(self.queue.len())) {
            self.store.commit(device, item);
            answers.push((connection, waiter));
        }
        answers
    }

    pub fn answer(&mut self, answers: Vec<(u64, Waiter)>, now: Instant) {
        for (connection, waiter) in answers {
            let Some(found) = self.connections.get_mut(&connection) else {
                continue;
            };
            match waiter {
                Waiter::Publish(number) => found.session.handle_committed(number),
                Waiter::Session => found.session.handle_session_kept(true, now),
            }
        }
    }

    pub fn close(&mut self, connection: u64, reason: CloseReason) {
        if let Some(found) = self.connections.get_mut(&connection) {
            found.session.handle_close(reason);
        }
    }

    pub fn timeouts(&mut self, now: Instant) {
        for found in self.connections.values_mut() {
            found.session.handle_timeout(now);
        }
    }

    /// Brings the waiting commands of a device.
    pub fn bring(&mut self, device: usize) {
        let Some(connection) = self.registered.get(&device) else {
            return;
        };
        let Some(found) = self.connections.get_mut(connection) else {
            return;
        };
        for row in self
            .commands
            .entry(device)
            .or_default()
            .iter_mut()
            .filter(|row| !row.taken)
        {
            let message = Outbound::Command {
                request: row.request.clone(),
                payload: bytes::Bytes::from_static(b"{}"),
                packet_id: row.packet_id,
                sent_before: row.sent,
                expires_in_s: None,
            };
            if found.session.handle_message(message) == hub_broker::session::Delivery::Taken {
                row.sent = true;
            }
        }
    }

    /// Does what all sessions ask for.
    pub fn pump(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        let numbers: Vec<u64> = self.connections.keys().copied().collect();
        for number in numbers {
            while let Some(event) = self.connections.get_mut(&number).and_then(|c| c.session.poll_event()) {
                self.event(number, event, &mut effects);
            }
            let Some(found) = self.connections.get_mut(&number) else {
                continue;
            };
            while let Some(packet) = found.session.poll_transmit() {
                effects.push(Effect::Send(number, packet));
            }
            if found.session.is_closed() {
                self.connections.remove(&number);
            }
        }
        effects
    }

    fn event(&mut self, number: u64, event: Event, effects: &mut Vec<Effect>) {
        let Some(found) = self.connections.get(&number) else {
            return;
        };
        let (device, is_closed) = (found.device, found.session.is_closed());
        let mut put = |waiter, item| self.queue.push_back((number, device, waiter, item));
        match event {
            Event::Authenticate(_) => effects.push(Effect::Authenticate(number)),
            Event::Received(Received {
                number,
                exactly_once: once,
                message,
                ..
            }) => {
                put(Waiter::Publish(number.unwrap()), Item::Publish { once, message });
            }
            Event::Released { number, packet_id } => put(Waiter::Publish(number), Item::Release { packet_id }),
            // At the end only where no newer connection has the session.
            Event::DropSession | Event::KeepSession(_)
                if is_closed && self.registered.get(&device) != Some(&number) => {}
            Event::DropSession => put(Waiter::Session, Item::DropSession),
            Event::KeepSession(session) => put(Waiter::Session, Item::KeepSession(session)),
            Event::Opened { .. } => drop(self.registered.insert(device, number)),
            Event::CommandsWanted => self.bring(device),
            Event::CommandTaken(request) => {
                let rows = self.commands.entry(device).or_default();
                rows.iter_mut()
                    .filter(|row| row.request == request)
                    .for_each(|row| row.taken = true);
            }
            Event::Closed(reason) => effects.push(Effect::Closed(number, reason)),
            other => panic!("{other:?} in a world where all is in order"),
        }
    }

    /// Kill -9.
    pub fn crash(&mut self) {
        self.connections.clear();
        self.registered.clear();
        self.queue.clear();
    }
}
