//! A connection of an agent: readings in batches, a command, and a goodbye, in time that passes only while there is nothing to
//! do.

#[path = "../../core/tests/agent/hub.rs"]
mod hub;

use agent_sdk_blocking::{Buffers, run};
use agent_sdk_core::{
    Agent, AgentEvent, AgentMem, CommandId, Config, Device, Metric, MetricId, Outcome, Overflow, Reason, ResetReason,
    Settings,
};
use embedded_io::{ErrorKind, ErrorType, Read, Write};
use hub::Hub;

/// Readings of the device, one a second, in batches of four.
const READINGS: i32 = 8;

const WHO: Device<'static> = Device {
    client_id: "wm",
    credentials: None,
    topic_prefix: "d/wm/",
    model: "WM7",
    firmware: "1.4.2",
    reset: ResetReason::PowerOn,
};

const CONFIG: Config<'static> = Config {
    boot_id: 7,
    seed: 1,
    session: Settings::DEFAULT,
    batch_samples: 4,
    batch_age_ms: 60_000,
    methods: &["status"],
    crash: None,
};

/// A link to a hub that is played, which gives a command once it knows the device; it may be cut after so many bytes.
struct Played {
    hub: Hub,
    down: Vec<u8>,
    has_asked: bool,
    left: usize,
}

impl Played {
    fn new(left: usize) -> Self {
        Self {
            hub: Hub::new(),
            down: Vec::new(),
            has_asked: false,
            left,
        }
    }

    fn count(&self, topic: &str) -> usize {
        self.hub
            .arrivals
            .iter()
            .filter(|arrival| arrival.topic == topic)
            .count()
    }
}

impl ErrorType for Played {
    type Error = ErrorKind;
}

impl Read for Played {
    fn read(&mut self, room: &mut [u8]) -> Result<usize, ErrorKind> {
        if self.left == 0 {
            return Ok(0);
        }
        assert!(!self.down.is_empty(), "read without waiting");
        let count = self.down.len().min(room.len());
        room[..count].copy_from_slice(&self.down[..count]);
        self.down.drain(..count);
        Ok(count)
    }
}

impl Write for Played {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        self.left = self.left.saturating_sub(bytes.len());
        let answer = self.hub.handle(bytes);
        self.down.extend(answer);
        if self.count("d/wm/s") > 0 && !self.has_asked {
            self.has_asked = true;
            let command = self.hub.publish("d/wm/c/1", br#"{"method":"status"}"#);
            self.down.extend(command);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

/// Its time passes only while it waits.
struct Drum {
    now_ms: u64,
    metric: MetricId,
    readings: i32,
    next_ms: u64,
    command: Option<CommandId>,
    over: Option<Reason>,
}

impl agent_sdk_blocking::Device<Agent<'_>, Played> for Drum {
    fn now_ms(&mut self) -> u64 {
        self.now_ms
    }

    fn wait_readable(&mut self, link: &mut Played, limit_ms: u64) -> Result<bool, ErrorKind> {
        if link.left == 0 || !link.down.is_empty() {
            return Ok(true);
        }
        assert!(limit_ms < 3_600_000, "nothing bounds the wait");
        self.now_ms += limit_ms;
        Ok(false)
    }

    fn turn(&mut self, agent: &mut Agent<'_>, now_ms: u64) -> u64 {
        if let Some(id) = self.command.take() {
            agent.reply(&id, Outcome::Done, b"42").expect("there is room");
        }
        if self.readings == READINGS && agent.session().is_outbox_empty() {
            agent.close();
        }
        if self.readings < READINGS && now_ms >= self.next_ms {
            assert!(agent.report(self.metric, 10 * self.readings, now_ms));
            self.readings += 1;
            self.next_ms = now_ms + 1_000;
        }
        if self.readings < READINGS {
            self.next_ms
        } else {
            u64::MAX
        }
    }

    fn event(&mut self, event: AgentEvent<'_>, _: u64) {
        if let AgentEvent::Command { id, .. } = event {
            self.command = Some(id);
        }
        if let AgentEvent::Disconnected(reason) = event {
            self.over = Some(reason);
        }
    }
}

fn play(link: &mut Played, agent: &mut Agent<'_>, drum: &mut Drum) -> Result<Reason, ErrorKind> {
    let buffers = Buffers {
        receive: &mut [0; 32],
        transmit: &mut [0; 32],
    };
    let outcome = run(agent, &WHO, link, buffers, drum, 0);
    assert!(agent.next_connect_at().is_some(), "the session is disconnected");
    outcome
}

fn drum(agent: &mut Agent<'_>) -> Drum {
    let metric = Metric {
        channel: 3,
        deadband: 5,
        interval_ms: 60_000,
        overflow: Overflow::DropOldest,
    };
    Drum {
        now_ms: 1_000,
        metric: agent.metric(metric).expect("there is memory"),
        readings: 0,
        next_ms: 1_000,
        command: None,
        over: None,
    }
}

#[test]
fn readings_a_command_and_a_goodbye() {
    let mut memory = AgentMem::<1, 8, 1_024, 256>::new();
    let mut agent = Agent::new(memory.lend(), &CONFIG, 0).expect("it is large enough");
    let mut drum = drum(&mut agent);
    let mut link = Played::new(usize::MAX);
    let outcome = play(&mut link, &mut agent, &mut drum);
    assert_eq!(outcome, Ok(Reason::Closed));
    assert_eq!(drum.over, Some(Reason::Closed));
    assert_eq!(drum.now_ms, 8_000, "with the last reading");
    assert_eq!((link.count("d/wm/s"), link.count("d/wm/r/1")), (1, 1));
    // The pair of clocks, and two batches.
    assert_eq!(link.count("d/wm/t"), 3);
    let batches = link
        .hub
        .arrivals
        .iter()
        .filter(|arrival| arrival.payload.starts_with(&[0x88, 4]));
    assert_eq!(batches.count(), 2);
    assert!(!link.hub.connect.is_empty());
}

#[test]
fn what_waits_when_the_link_is_lost_goes_up_on_the_next_one() {
    let mut memory = AgentMem::<1, 8, 1_024, 256>::new();
    let mut agent = Agent::new(memory.lend(), &CONFIG, 0).expect("it is large enough");
    let mut drum = drum(&mut agent);
    // The CONNECT has 28 bytes: the subscription is cut.
    let mut link = Played::new(40);
    let outcome = play(&mut link, &mut agent, &mut drum);
    assert_eq!(outcome, Ok(Reason::LinkLost));
    assert_eq!(drum.over, Some(Reason::LinkLost));
    link.hub.cut();
    link.down.clear();
    link.left = usize::MAX;
    let outcome = play(&mut link, &mut agent, &mut drum);
    assert_eq!(outcome, Ok(Reason::Closed));
    assert_eq!((drum.readings, link.count("d/wm/r/1")), (READINGS, 1));
    assert!(agent.session().is_outbox_empty());
}
