//! A conversation of an agent: readings in batches, a command, and a goodbye, with a hub that is played.

use crate::hub::Hub;
use agent_sdk_core::{
    Agent, AgentEvent, CommandId, Config, Device, Metric, MetricId, Outcome, Overflow, Reason, ResetReason, Settings,
};

/// Readings of the device, one a second, in batches of four.
pub const READINGS: i32 = 8;

/// When every connection is opened, and the first reading is made.
pub const START_MS: u64 = 1_000;

/// Who connects.
pub const WHO: Device<'static> = Device {
    client_id: "wm",
    credentials: None,
    topic_prefix: "d/wm/",
    model: "WM7",
    firmware: "1.4.2",
    reset: ResetReason::PowerOn,
};

/// What its agent runs by.
pub const CONFIG: Config<'static> = Config {
    boot_id: 7,
    seed: 1,
    session: Settings::DEFAULT,
    batch_samples: 4,
    batch_age_ms: 60_000,
    methods: &["status"],
    crash: None,
};

/// A link to a hub that is played, which gives a command once it knows the device; it may be cut after so many bytes.
pub struct Line {
    /// The other side.
    pub hub: Hub,
    down: Vec<u8>,
    has_asked: bool,
    left: usize,
}

impl Line {
    /// One that is cut once `left` bytes were written.
    pub fn new(left: usize) -> Self {
        Self {
            hub: Hub::default(),
            down: Vec::new(),
            has_asked: false,
            left,
        }
    }

    /// Whether a read has something to give, the end included.
    pub fn is_readable(&self) -> bool {
        self.left == 0 || !self.down.is_empty()
    }

    /// Reads what has come; 0 is the end.
    pub fn read(&mut self, room: &mut [u8]) -> usize {
        if self.left == 0 {
            return 0;
        }
        let count = self.down.len().min(room.len());
        room[..count].copy_from_slice(&self.down[..count]);
        self.down.drain(..count);
        count
    }

    /// Writes all of it to the hub; how many bytes that is.
    pub fn write(&mut self, bytes: &[u8]) -> usize {
        self.left = self.left.saturating_sub(bytes.len());
        let answer = self.hub.handle(bytes);
        self.down.extend(answer);
        if self.count("d/wm/s") > 0 && !self.has_asked {
            self.has_asked = true;
            let command = self.hub.publish("d/wm/c/1", br#"{"method":"status"}"#);
            self.down.extend(command);
        }
        bytes.len()
    }

    /// The connection is gone, and the next one is not cut.
    pub fn mend(&mut self) {
        self.hub.cut();
        self.down.clear();
        self.left = usize::MAX;
    }

    /// Messages that have arrived on a topic.
    pub fn count(&self, topic: &str) -> usize {
        self.hub
            .arrivals
            .iter()
            .filter(|arrival| arrival.topic == topic)
            .count()
    }

    /// Batches of four readings that have arrived.
    pub fn batches(&self) -> usize {
        self.hub
            .arrivals
            .iter()
            .filter(|arrival| arrival.payload.starts_with(&[0x88, 4]))
            .count()
    }
}

/// The device: it reports, answers its command, and closes the agent once the hub has everything.
pub struct Drum {
    metric: MetricId,
    /// Those that were made.
    pub readings: i32,
    next_ms: u64,
    command: Option<CommandId>,
    /// Why the last connection was over.
    pub over: Option<Reason>,
}

impl Drum {
    /// Declares its metric.
    pub fn new(agent: &mut Agent<'_>) -> Self {
        let metric = Metric {
            channel: 3,
            deadband: 5,
            interval_ms: 60_000,
            overflow: Overflow::DropOldest,
        };
        Self {
            metric: agent.metric(metric).expect("there is memory"),
            readings: 0,
            next_ms: START_MS,
            command: None,
            over: None,
        }
    }

    /// Its turn; when it wants the next one.
    pub fn turn(&mut self, agent: &mut Agent<'_>, now_ms: u64) -> u64 {
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

    /// Something happened.
    pub fn event(&mut self, event: AgentEvent<'_>) {
        if let AgentEvent::Command { id, .. } = event {
            self.command = Some(id);
        }
        if let AgentEvent::Disconnected(reason) = event {
            self.over = Some(reason);
        }
    }
}
