//! A washing machine with the device agent, as agent-sdk/README.md shows it, between here and there; and what plays its board
//! and its hub.

use crate::rig::{DEVICE, batches, births};
use tests_agent::hub::{Arrival, Hub};

// from here
use agent_sdk_core::{Agent, AgentEvent, AgentMem, Config, Device, Metric, MetricId, Outcome, Overflow, Settings};

/// What the board supplies: a connection to the hub, over TCP or TLS.
pub trait Link {
    /// Opens it; whether it is open.
    fn open(&mut self) -> bool;
    /// Bytes that have come, 0 if there are none now; `None` if the link is lost.
    fn read(&mut self, bytes: &mut [u8]) -> Option<usize>;
    /// Writes all of them; false if the link is lost.
    fn write(&mut self, bytes: &[u8]) -> bool;
    fn close(&mut self);
}

/// 4 metrics, 64 readings in an open batch, 4 KiB of outbox, messages of up to 512 bytes: all the memory there is.
pub type Memory = AgentMem<4, 64, 4096, 512>;

pub struct Machine<'m> {
    agent: Agent<'m>,
    drum: MetricId,
    is_open: bool,
}

impl<'m> Machine<'m> {
    /// `boot_id` and `seed` are random. `None` if the memory is too small.
    pub fn new(memory: &'m mut Memory, boot_id: u64, seed: u32) -> Option<Self> {
        let config = Config {
            boot_id,
            seed,
            session: Settings::DEFAULT,
            batch_samples: 32,
            batch_age_ms: 60_000,
            methods: &["status"],
            crash: None,
        };
        let mut agent = Agent::new(memory.lend(), &config, 0)?;
        // Channel 3 of the profile has one decimal: half a degree, or once a minute.
        let drum = agent.metric(Metric {
            channel: 3,
            deadband: 5,
            interval_ms: 60_000,
            overflow: Overflow::DropOldest,
        })?;
        Some(Self {
            agent,
            drum,
            is_open: false,
        })
    }

    /// In the main loop: when there is a value, when bytes have come, and at `Agent::next_deadline`.
    pub fn turn(&mut self, device: &Device<'_>, link: &mut impl Link, drum_tenths: i32, now: u64) {
        self.agent.report(self.drum, drum_tenths, now);
        self.agent.handle_timeout(now);
        if self.agent.next_connect_at().is_some_and(|at| now >= at) {
            self.is_open = link.open();
            if self.is_open {
                self.agent.handle_connected(now, 0);
            } else {
                self.agent.handle_disconnected(now);
            }
        }
        if self.is_open && !self.exchange(device, link, now) {
            link.close();
            self.is_open = false;
            self.agent.handle_disconnected(now);
        }
    }

    /// Whether the connection lasts.
    fn exchange(&mut self, device: &Device<'_>, link: &mut impl Link, now: u64) -> bool {
        let (mut bytes, mut out) = ([0; 256], [0; 256]);
        let Some(count) = link.read(&mut bytes) else {
            return false;
        };
        let mut rest = bytes.get(..count).unwrap_or_default();
        loop {
            let taken = self.agent.handle_bytes(rest, now);
            rest = rest.get(taken..).unwrap_or_default();
            let mut is_over = false;
            while let Some(event) = self.agent.poll_event(now) {
                match event {
                    // Only what is on the list of methods comes here.
                    AgentEvent::Command { id, .. } => {
                        let _ = self.agent.reply(&id, Outcome::Done, &[]);
                    }
                    AgentEvent::Disconnected(_) => is_over = true,
                    AgentEvent::Connected { .. }
                    | AgentEvent::Subscribed { .. }
                    | AgentEvent::Delivered(_)
                    | AgentEvent::Time
                    | AgentEvent::Settings { .. }
                    | AgentEvent::Message { .. }
                    | AgentEvent::Dropped { .. } => {}
                }
            }
            loop {
                let written = self.agent.poll_transmit(device, &mut out, now);
                if written == 0 {
                    break;
                }
                if !link.write(out.get(..written).unwrap_or_default()) {
                    return false;
                }
            }
            if is_over || rest.is_empty() {
                return !is_over;
            }
        }
    }
}
// to there

/// A link to a hub that is played, and may be away.
struct Played {
    hub: Hub,
    down: Vec<u8>,
    is_up: bool,
}

impl Link for Played {
    fn open(&mut self) -> bool {
        self.is_up
    }

    fn read(&mut self, bytes: &mut [u8]) -> Option<usize> {
        let count = self.down.len().min(bytes.len());
        bytes[..count].copy_from_slice(&self.down[..count]);
        self.down.drain(..count);
        self.is_up.then_some(count)
    }

    fn write(&mut self, bytes: &[u8]) -> bool {
        let answer = self.hub.handle(bytes);
        self.down.extend(answer);
        self.is_up
    }

    fn close(&mut self) {
        self.hub.cut();
        self.down.clear();
    }
}

/// How many readings have arrived.
fn readings(arrivals: &[Arrival]) -> usize {
    batches(arrivals).iter().map(|batch| usize::from(batch.count())).sum()
}

#[test]
fn the_machine_reports_obeys_and_survives_a_hub_that_is_away() {
    let mut memory = Memory::new();
    let mut machine = Machine::new(&mut memory, 7, 1).expect("the memory is large enough");
    let mut link = Played {
        hub: Hub::default(),
        down: Vec::new(),
        is_up: true,
    };
    let mut second = 0_i32;
    let mut live = |link: &mut Played, seconds: i32| {
        for _ in 0..seconds {
            second += 1;
            // A degree a second: each value is a reading.
            machine.turn(&DEVICE, link, second * 10, u64::from(second.unsigned_abs()) * 1_000);
        }
    };
    live(&mut link, 70);
    assert_eq!(births(&link.hub.arrivals).len(), 1);
    assert!(readings(&link.hub.arrivals) >= 32);

    let question = link.hub.publish("d/wm/c/1", br#"{"method":"status"}"#);
    link.down.extend(question);
    live(&mut link, 2);
    let replies = link.hub.arrivals.iter().filter(|arrival| arrival.topic == "d/wm/r/1");
    assert_eq!(replies.count(), 1);

    link.is_up = false;
    live(&mut link, 60);
    link.is_up = true;
    // The back-off of a minute, and the age of a batch.
    live(&mut link, 300);
    let arrived = readings(&link.hub.arrivals);
    assert!(arrived >= 432 - 32, "only an open batch is missing: {arrived} of 432");
}

/// But for blanks and commas, which the formatter may move.
#[test]
fn the_readme_shows_it() {
    let bare = |text: &str| -> String { text.chars().filter(|c| !c.is_whitespace() && *c != ',').collect() };
    let (_, rest) = include_str!("machine.rs")
        .split_once("// from here\n")
        .expect("its beginning is marked");
    let (shown, _) = rest.split_once("// to there\n").expect("its end is marked");
    assert!(
        bare(include_str!("../../../README.md")).contains(&bare(shown)),
        "agent-sdk/README.md does not show this machine as it is"
    );
}
