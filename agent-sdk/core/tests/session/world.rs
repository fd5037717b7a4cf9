//! Session and outbox against a hub that acknowledges late and in any order, forgets, and loses connections at any
//! byte.

use crate::broker::{Broker, number};
use crate::rig::{IDENTITY, SETTINGS, memory, telemetry};
use agent_sdk_core::{Event, Lane, Overflow, Publish, Qos, RECORD_HEAD_BYTES, Reason, Refused, Session, Settings};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const LANES: [Lane; 2] = [Lane::Event, Lane::Telemetry];

#[derive(Debug, Clone)]
enum Step {
    Publish {
        is_event: bool,
        is_once: bool,
        is_kept: bool,
        filler: usize,
    },
    /// The session writes, into so much room.
    Write(usize),
    /// So many bytes arrive at the hub, or at the device.
    Up(usize),
    Down(usize),
    Acknowledge(usize),
    Command {
        is_kept: bool,
        filler: usize,
    },
    Wait(u64),
    Cut,
    Forget,
}

fn step(with_once: bool) -> impl Strategy<Value = Step> {
    let publish = (any::<bool>(), any::<bool>(), any::<bool>(), 0..60_usize);
    prop_oneof![
        8 => publish.prop_map(move |(is_event, is_once, is_kept, filler)| Step::Publish {
            is_event,
            is_once: is_once && with_once,
            is_kept,
            filler,
        }),
        8 => (1..150_usize).prop_map(Step::Write),
        8 => (1..300_usize).prop_map(Step::Up),
        8 => (1..40_usize).prop_map(Step::Down),
        6 => (0..4_usize).prop_map(Step::Acknowledge),
        2 => (any::<bool>(), 0..60_usize).prop_map(|(is_kept, filler)| Step::Command { is_kept, filler }),
        4 => (0..2_000_u64).prop_map(Step::Wait),
        1 => (0..40_000_u64).prop_map(Step::Wait),
        2 => Just(Step::Cut),
        1 => Just(Step::Forget),
    ]
}

struct Accepted {
    number: u32,
    lane: Lane,
    is_once: bool,
}

/// How often, by lane.
#[derive(Default)]
struct Count {
    tried: usize,
    refused: usize,
    dropped: usize,
}

struct World {
    session: Session<'static>,
    broker: Broker,
    now: u64,
    is_linked: bool,
    up: Vec<u8>,
    down: Vec<u8>,
    numbers: u32,
    /// By token.
    accepted: BTreeMap<u32, Accepted>,
    delivered: BTreeSet<u32>,
    commanded: BTreeSet<u32>,
    events: Count,
    telemetry: Count,
    /// Numbers of commands that do not fit into the receive buffer.
    too_long: BTreeSet<u32>,
    receive_bytes: usize,
}

impl World {
    fn new(outbox_bytes: usize, receive_bytes: usize, window: u8) -> Self {
        let settings = Settings {
            window,
            backoff_base_ms: 100,
            backoff_cap_ms: 2_000,
            ..SETTINGS
        };
        let session = Session::new(memory(outbox_bytes), memory(receive_bytes), settings, 1);
        Self {
            session: session.expect("the receive buffer is large enough"),
            broker: Broker::new(window),
            now: 0,
            is_linked: false,
            up: Vec::new(),
            down: Vec::new(),
            numbers: 0,
            accepted: BTreeMap::new(),
            delivered: BTreeSet::new(),
            commanded: BTreeSet::new(),
            events: Count::default(),
            telemetry: Count::default(),
            too_long: BTreeSet::new(),
            receive_bytes,
        }
    }

    fn count(&mut self, lane: Lane) -> &mut Count {
        match lane {
            Lane::Event => &mut self.events,
            Lane::Telemetry => &mut self.telemetry,
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Publish {
                is_event,
                is_once,
                is_kept,
                filler,
            } => self.publish(is_event, is_once, is_kept, filler),
            Step::Write(room) => self.write(room),
            Step::Up(bytes) => {
                let bytes: Vec<u8> = self.up.drain(..bytes.min(self.up.len())).collect();
                let answer = self.broker.handle(&bytes);
                self.down.extend(answer);
            }
            Step::Down(bytes) => {
                let bytes: Vec<u8> = self.down.drain(..bytes.min(self.down.len())).collect();
                self.receive(&bytes);
            }
            Step::Acknowledge(which) => {
                let bytes = self.broker.acknowledge(which);
                self.down.extend(bytes);
            }
            Step::Command { is_kept, filler } => {
                self.numbers += 1;
                // Topic and identifier, the number, and the rest.
                let id_bytes = if is_kept { 2 } else { 0 };
                let length = 2 + 8 + id_bytes + 4 + filler;
                if length > self.receive_bytes {
                    self.too_long.insert(self.numbers);
                }
                let bytes = self.broker.command(self.numbers, is_kept, filler);
                self.down.extend(bytes);
            }
            Step::Wait(ms) => {
                self.now += ms;
                self.session.handle_timeout(self.now);
            }
            Step::Cut => self.cut(),
            Step::Forget => {
                self.cut();
                self.broker.forget();
            }
        }
        self.look();
        if self.session.next_connect_at().is_some_and(|at| self.now >= at) {
            self.session.handle_connected(self.now, self.numbers);
            self.is_linked = true;
        }
    }

    fn publish(&mut self, is_event: bool, is_once: bool, is_kept: bool, filler: usize) {
        self.numbers += 1;
        let number = self.numbers;
        let mut payload = number.to_be_bytes().to_vec();
        payload.resize(4 + filler, 0xAA);
        let lane = if is_event { Lane::Event } else { Lane::Telemetry };
        let message = Publish {
            lane,
            topic: if is_event { "e" } else { "t" },
            qos: if is_once { Qos::AtMostOnce } else { Qos::AtLeastOnce },
            overflow: if is_kept {
                Overflow::DropNewest
            } else {
                Overflow::DropOldest
            },
            ..telemetry(&payload)
        };
        let fits = payload.len() + 1 + RECORD_HEAD_BYTES <= self.session.outbox_free_bytes();
        let before = self.dropped();
        self.count(lane).tried += 1;
        match self.session.publish(&message) {
            Ok(token) => {
                let accepted = Accepted { number, lane, is_once };
                assert!(self.accepted.insert(token.0, accepted).is_none(), "{token:?} twice");
            }
            Err(Refused::Full | Refused::TooLong) => self.count(lane).refused += 1,
            Err(Refused::Topic) => panic!("the topic is one"),
        }
        self.look();
        let lost = self.dropped() - before;
        assert!(!fits || lost == 0, "there was room, and {lost} were dropped");
    }

    fn dropped(&self) -> usize {
        self.events.dropped + self.telemetry.dropped
    }

    fn write(&mut self, room: usize) {
        let mut out = vec![0; room];
        let written = self.session.poll_transmit(&IDENTITY, &mut out, self.now);
        assert!(self.is_linked || written == 0, "written without a link");
        self.up.extend(&out[..written]);
    }

    fn receive(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = self.session.handle_bytes(rest, self.now);
            rest = &rest[taken..];
            if !self.look() && taken == 0 {
                self.write(64);
                self.look();
            }
        }
    }

    /// Whether something has happened.
    fn look(&mut self) -> bool {
        let mut has_happened = false;
        let mut is_over = false;
        while let Some(event) = self.session.poll_event() {
            has_happened = true;
            match event {
                Event::Connected { .. } => {}
                Event::Subscribed { refused } => assert_eq!(refused, 0),
                Event::Delivered(token) => {
                    let accepted = self.accepted.get(&token.0).expect("it was accepted");
                    assert!(!accepted.is_once);
                    assert!(self.delivered.insert(token.0), "{token:?} delivered twice");
                    let has_come = self.broker.log.iter().any(|arrival| arrival.number == accepted.number);
                    assert!(has_come, "{token:?} is delivered, but the hub does not have it");
                }
                Event::Message { topic, payload } => {
                    assert_eq!(topic, b"d/wm/c/1");
                    self.commanded.insert(number(payload));
                }
                Event::Dropped { lane, count } => {
                    // The field, since the event borrows the session.
                    match lane {
                        Lane::Event => self.events.dropped += count as usize,
                        Lane::Telemetry => self.telemetry.dropped += count as usize,
                    }
                }
                Event::Disconnected(Reason::LinkLost) => {}
                Event::Disconnected(reason) => {
                    assert!(matches!(reason, Reason::NoConnack | Reason::NoAnswer), "{reason:?}");
                    is_over = true;
                }
            }
        }
        if is_over {
            self.cut();
            self.look();
        }
        has_happened
    }

    fn cut(&mut self) {
        if !self.is_linked {
            return;
        }
        self.broker.cut();
        self.up.clear();
        self.down.clear();
        self.is_linked = false;
        self.session.handle_disconnected(self.now);
    }

    /// A hub that answers at once and a link that holds, until nothing is left to do.
    fn settle(&mut self) {
        for _ in 0..5_000 {
            for step in [
                Step::Write(256),
                Step::Up(usize::MAX),
                Step::Acknowledge(0),
                Step::Down(usize::MAX),
                Step::Wait(100),
            ] {
                self.step(&step);
            }
            let is_quiet = self.up.is_empty() && self.down.is_empty();
            if is_quiet && self.session.is_outbox_empty() && self.broker.is_done() && self.session.is_online() {
                return;
            }
        }
        panic!("the outbox does not empty");
    }

    fn check(&self) {
        for lane in LANES {
            let is_event = lane == Lane::Event;
            let count = if is_event { &self.events } else { &self.telemetry };
            let arrivals = || {
                self.broker
                    .log
                    .iter()
                    .filter(move |arrival| arrival.is_event == is_event)
            };
            let arrived: BTreeSet<u32> = arrivals().map(|arrival| arrival.number).collect();

            // Nothing is lost but what was dropped, which was counted, and what was to be sent at most once.
            let accepted = || self.accepted.iter().filter(move |(_, accepted)| accepted.lane == lane);
            let lost_once = accepted()
                .filter(|(_, accepted)| accepted.is_once && !arrived.contains(&accepted.number))
                .count();
            let missing = count.tried.checked_sub(arrived.len() + count.dropped);
            let missing = missing.expect("what was dropped did not arrive");
            assert!(missing <= lost_once, "{missing} of {lane:?} are missing");
            let kept = accepted().filter(|(_, accepted)| !accepted.is_once);
            let mut displaced = 0;
            for (_, accepted) in kept.filter(|(token, _)| !self.delivered.contains(*token)) {
                assert!(!arrived.contains(&accepted.number), "arrived, but was not acknowledged");
                displaced += 1;
            }
            assert!(
                displaced + count.refused <= count.dropped,
                "{lane:?}: not all drops were counted"
            );

            // In order: the first time, and each time on a connection.
            let mut seen = BTreeSet::new();
            let first: Vec<u32> = arrivals()
                .map(|arrival| arrival.number)
                .filter(|number| seen.insert(*number))
                .collect();
            assert!(first.is_sorted(), "{lane:?}: {first:?}");
            let places: Vec<(u32, u32)> = arrivals().map(|arrival| (arrival.connection, arrival.number)).collect();
            assert!(places.is_sorted_by(|a, b| a < b), "{lane:?}: {places:?}");
        }
        for command in &self.broker.taken {
            let is_known = self.commanded.contains(command) || self.too_long.contains(command);
            assert!(is_known, "command {command} was acknowledged unseen");
        }
        assert!(self.commanded.is_disjoint(&self.too_long));
    }
}

proptest! {
    #[test]
    fn nothing_is_lost_unless_counted_and_order_is_kept(
        steps in any::<bool>().prop_flat_map(|with_once| vec(step(with_once), 0..150)),
        outbox_bytes in prop_oneof![20..200_usize, 200..4_000_usize],
        receive_bytes in 16..80_usize,
        window in 1..6_u8,
    ) {
        let mut world = World::new(outbox_bytes, receive_bytes, window);
        for step in &steps {
            world.step(step);
        }
        world.settle();
        world.check();
    }
}
