//! Time, links and trouble.

use crate::device::{Device, Habit};
use crate::hub::{Effect, Hub, Row, Waiter};
use hub_broker::session::{CloseReason, Incoming, Outgoing, Version};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// Steps of a millisecond with trouble, and after it the most that may pass until everything has arrived.
const TROUBLE: u64 = 4_000;
const CALM: u64 = 60_000;

const HABITS: [Habit; 7] = [
    Habit {
        is_agent: true,
        version: Version::V4,
        qos: 1,
        durable: false,
        forgets: false,
    },
    Habit {
        is_agent: false,
        version: Version::V5,
        qos: 1,
        durable: true,
        forgets: false,
    },
    Habit {
        is_agent: false,
        version: Version::V4,
        qos: 2,
        durable: true,
        forgets: false,
    },
    Habit {
        is_agent: false,
        version: Version::V5,
        qos: 2,
        durable: true,
        forgets: false,
    },
    Habit {
        is_agent: false,
        version: Version::V5,
        qos: 2,
        durable: true,
        forgets: true,
    },
    Habit {
        is_agent: false,
        version: Version::V4,
        qos: 2,
        durable: false,
        forgets: false,
    },
    Habit {
        is_agent: true,
        version: Version::V4,
        qos: 1,
        durable: true,
        forgets: false,
    },
];

/// What happened, so that a test can say that something did.
#[derive(Debug, Default)]
pub struct Seen {
    pub cuts: u64,
    pub crashes: u64,
    pub takeovers: u64,
    pub present: u64,
    pub restarts: u64,
    pub messages: u64,
    pub commands: u64,
}

impl Seen {
    pub fn add(&mut self, other: &Self) {
        self.cuts += other.cuts;
        self.crashes += other.crashes;
        self.takeovers += other.takeovers;
        self.present += other.present;
        self.restarts += other.restarts;
        self.messages += other.messages;
        self.commands += other.commands;
    }
}

/// A connection's two directions: in order, each packet with the time at which it arrives.
#[derive(Default)]
struct Link {
    device: usize,
    up: VecDeque<(u64, Incoming)>,
    down: VecDeque<(u64, Outgoing)>,
    /// The device has left; the hub learns of it at this time.
    cut: Option<u64>,
}

pub struct World {
    rng: StdRng,
    base: Instant,
    ms: u64,
    hub: Hub,
    /// When the hub is up again.
    down_until: Option<u64>,
    /// When the store commits again.
    stalled_until: u64,
    devices: Vec<Device>,
    links: BTreeMap<u64, Link>,
    /// Link of each device, or when it tries again.
    at: Vec<Result<u64, u64>>,
    logins: Vec<(u64, u64)>,
    answers: VecDeque<(u64, Vec<(u64, Waiter)>)>,
    connections: u64,
    seen: Seen,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let device = |(n, habit): (usize, &Habit)| Device::new(seed * 10 + n as u64, format!("washer-{n}"), *habit);
        Self {
            rng: StdRng::seed_from_u64(seed),
            base: Instant::now(),
            ms: 0,
            hub: Hub::default(),
            down_until: None,
            stalled_until: 0,
            devices: HABITS.iter().enumerate().map(device).collect(),
            links: BTreeMap::new(),
            at: vec![Err(0); HABITS.len()],
            logins: Vec::new(),
            answers: VecDeque::new(),
            connections: 0,
            seen: Seen::default(),
        }
    }

    fn now(&self) -> Instant {
        self.base + Duration::from_millis(self.ms)
    }

    pub fn run(mut self) -> Seen {
        while self.ms < TROUBLE {
            self.trouble();
            self.step();
        }
        while !self.is_done() {
            assert!(self.ms < TROUBLE + CALM, "not everything arrives");
            self.step();
        }
        self.check();
        self.seen
    }

    fn is_done(&self) -> bool {
        let taken = self.hub.commands.values().flatten().all(|row| row.taken);
        taken && self.devices.iter().all(Device::is_empty)
    }

    fn check(&mut self) {
        for (number, device) in self.devices.iter().enumerate() {
            let kept = &self.hub.store.devices[&number];
            for seq in 0..device.next_seq {
                let times = kept.stored.get(&seq).copied().unwrap_or(0);
                let Habit {
                    qos, durable, forgets, ..
                } = device.habit;
                let once = qos == 2 && durable && !forgets;
                assert!(
                    times == 1 || (times > 1 && !once),
                    "{:?}: message {seq} is stored {times} times",
                    device.habit
                );
            }
            self.seen.messages += device.next_seq;
            self.seen.commands += device.commands.len() as u64;
            self.seen.present += device.present;
        }
        self.seen.takeovers += self.hub.takeovers;
    }

    /// What goes wrong, and what there is to do.
    fn trouble(&mut self) {
        let device = self.rng.random_range(0..self.devices.len());
        if self.rng.random_bool(0.02) {
            let send = self.devices[device].measure();
            if let Ok(link) = self.at[device] {
                self.send_up(link, send);
            }
        }
        if self.rng.random_bool(0.004) {
            let rows = self.hub.commands.entry(device).or_default();
            let number = rows.len();
            rows.push(Row {
                request: format!("c{number}"),
                packet_id: 1 + number as u16 % 5,
                sent: false,
                taken: false,
            });
            self.hub.bring(device);
        }
        if self.rng.random_bool(0.006) {
            self.cut(device);
            if self.devices[device].habit.forgets && self.rng.random_bool(0.5) {
                self.devices[device].forget();
                self.seen.restarts += 1;
            }
        }
        if self.rng.random_bool(0.003) {
            self.stalled_until = self.ms + self.rng.random_range(10..200);
        }
        if self.rng.random_bool(0.000_7) {
            self.crash();
        }
    }

    /// The device loses its connection; what is on its way down is lost, what is on its way up may arrive or not.
    fn cut(&mut self, device: usize) {
        let Ok(number) = self.at[device] else { return };
        self.at[device] = Err(self.ms + self.rng.random_range(1..80));
        self.seen.cuts += 1;
        let keep = self.rng.random_bool(0.5);
        let notice = self.ms + self.rng.random_range(0..200);
        if let Some(link) = self.links.get_mut(&number) {
            link.down.clear();
            link.cut = Some(notice);
            if !keep {
                link.up.clear();
            }
        }
    }

    fn crash(&mut self) {
        if self.down_until.is_some() {
            return;
        }
        self.seen.crashes += 1;
        self.hub.crash();
        self.links.clear();
        self.logins.clear();
        self.answers.clear();
        for at in &mut self.at {
            *at = Err(self.ms + self.rng.random_range(1..100));
        }
        self.down_until = Some(self.ms + self.rng.random_range(1..60));
    }

    fn step(&mut self) {
        self.ms += 1;
        self.pass();
        if self.down_until.is_some_and(|until| self.ms < until) {
            return;
        }
        self.down_until = None;
        self.connect();
        self.arrive_up();
        self.store();
        self.hub.timeouts(self.now());
        self.pump();
        self.arrive_down();
    }

    /// Time passes for the devices, whether there is a hub or not.
    fn pass(&mut self) {
        for device in 0..self.devices.len() {
            let send = self.devices[device].pass(self.ms);
            if let Ok(link) = self.at[device] {
                self.send_up(link, send);
            }
        }
    }

    fn connect(&mut self) {
        for device in 0..self.devices.len() {
            if self.at[device].is_err_and(|at| at <= self.ms) {
                self.connections += 1;
                let number = self.connections;
                self.at[device] = Ok(number);
                self.links.insert(
                    number,
                    Link {
                        device,
                        ..Link::default()
                    },
                );
                self.hub.accept(number, device, self.now());
                let hello = self.devices[device].connect();
                self.send_up(number, hello);
            }
        }
    }

    fn send_up(&mut self, number: u64, packets: Vec<Incoming>) {
        let Some(link) = self.links.get_mut(&number) else {
            return;
        };
        for packet in packets {
            // No packet overtakes another.
            let after = link.up.back().map_or(self.ms, |(at, _)| *at);
            let at = after.max(self.ms + self.rng.random_range(0..15));
            link.up.push_back((at, packet));
        }
    }

    fn arrive_up(&mut self) {
        let numbers: Vec<u64> = self.links.keys().copied().collect();
        for number in numbers {
            let Some(link) = self.links.get_mut(&number) else {
                continue;
            };
            while link.up.front().is_some_and(|(at, _)| *at <= self.ms) && self.hub.reads(number) {
                let Some((_, packet)) = link.up.pop_front() else { break };
                self.hub
                    .packet(number, packet, self.base + Duration::from_millis(self.ms));
            }
            if link.cut.is_some_and(|at| at <= self.ms) {
                self.links.remove(&number);
                self.hub.close(number, CloseReason::Lost);
            }
        }
    }

    /// Log-ins, commits and answers, each in its own time: a crash may come between any two.
    fn store(&mut self) {
        let now = self.now();
        let due: Vec<u64> = self
            .logins
            .iter()
            .filter(|(at, _)| *at <= self.ms)
            .map(|(_, number)| *number)
            .collect();
        self.logins.retain(|(at, _)| *at > self.ms);
        for number in due {
            let device = self.hub.connections.get(&number).map(|connection| connection.device);
            if let Some(device) = device {
                let name = self.devices[device].name.clone();
                if !self.hub.verdict(number, &name, now) {
                    self.logins.push((self.ms + 1, number));
                }
            }
        }
        while self.answers.front().is_some_and(|(at, _)| *at <= self.ms) {
            let Some((_, answers)) = self.answers.pop_front() else {
                break;
            };
            self.hub.answer(answers, now);
        }
        if self.ms >= self.stalled_until && self.rng.random_bool(0.2) {
            let count = self.rng.random_range(1..8);
            let answers = self.hub.commit(count);
            let after = self.answers.back().map_or(self.ms, |(at, _)| *at);
            self.answers
                .push_back((after.max(self.ms + self.rng.random_range(0..4)), answers));
        }
    }

    fn pump(&mut self) {
        for effect in self.hub.pump() {
            match effect {
                Effect::Authenticate(number) => self.logins.push((self.ms + self.rng.random_range(0..10), number)),
                Effect::Send(number, packet) => {
                    let Some(link) = self.links.get_mut(&number) else {
                        continue;
                    };
                    if link.cut.is_none() {
                        let after = link.down.back().map_or(self.ms, |(at, _)| *at);
                        let at = after.max(self.ms + self.rng.random_range(0..15));
                        link.down.push_back((at, packet));
                    }
                }
                Effect::Closed(number, reason) => {
                    let expected = matches!(reason, CloseReason::Lost | CloseReason::TakenOver);
                    assert!(expected, "{reason} at {} ms", self.ms);
                    if let Some(link) = self.links.remove(&number)
                        && self.at[link.device] == Ok(number)
                    {
                        self.at[link.device] = Err(self.ms + 5);
                    }
                }
            }
        }
    }

    fn arrive_down(&mut self) {
        let numbers: Vec<u64> = self.links.keys().copied().collect();
        for number in numbers {
            let mut send = Vec::new();
            let Some(link) = self.links.get_mut(&number) else {
                continue;
            };
            let device = link.device;
            while link.down.front().is_some_and(|(at, _)| *at <= self.ms) {
                let Some((_, packet)) = link.down.pop_front() else {
                    break;
                };
                let (answers, acknowledged) = self.devices[device].receive(packet);
                send.extend(answers);
                for seq in acknowledged {
                    let is_stored = self.hub.store.is_stored(device, seq);
                    assert!(
                        is_stored,
                        "{:?}: message {seq} was acknowledged and is lost",
                        self.devices[device].habit
                    );
                }
            }
            self.send_up(number, send);
        }
        for (device, rows) in &self.hub.commands {
            for row in rows.iter().filter(|row| row.taken) {
                assert!(
                    self.devices[*device].commands.contains(&row.request),
                    "{row:?} was never there"
                );
            }
        }
    }
}
