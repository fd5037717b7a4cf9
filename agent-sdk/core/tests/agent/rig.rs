//! An agent and its hub, with what was told and what arrived.

use agent_sdk_core::{
    Agent, AgentEvent, Args, CommandId, Config, Device, Lane, Memory, Metric, MetricSlot, Overflow, Reading, Reason,
    ResetReason, Settings,
};
use agent_sdk_wire::{Batch, Clock, DeviceState, Packet, Status, decode, decode_state};
use tests_agent::hub::{Arrival, Hub};

pub const DEVICE: Device<'static> = Device {
    client_id: "wm",
    credentials: None,
    topic_prefix: "d/wm/",
    model: "WM7",
    firmware: "1.4.2",
    reset: ResetReason::Watchdog,
};

pub const CONFIG: Config<'static> = Config {
    boot_id: 7,
    seed: 1,
    session: Settings::DEFAULT,
    batch_samples: 4,
    batch_age_ms: 20_000,
    methods: &["spin", "self_test"],
    crash: None,
};

/// Bytes that are as many as a test may need.
pub const PLENTY: usize = 4_096;

/// Takes each value.
pub const EACH: Metric = Metric {
    channel: 1,
    deadband: 0,
    interval_ms: 0,
    overflow: Overflow::DropOldest,
};

/// An event that outlives the receive buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    Connected(bool),
    Subscribed(u8),
    Delivered,
    Time,
    Command {
        id: CommandId,
        method: usize,
        args: Vec<u8>,
        deadline: Option<u64>,
    },
    Settings(u32, String),
    Message(String, Vec<u8>),
    Dropped(Lane, u32),
    Disconnected(Reason),
}

impl Told {
    fn of(event: AgentEvent<'_>) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("it is text");
        match event {
            AgentEvent::Connected { session_present } => Self::Connected(session_present),
            AgentEvent::Subscribed { refused } => Self::Subscribed(refused),
            AgentEvent::Delivered(_) => Self::Delivered,
            AgentEvent::Time => Self::Time,
            AgentEvent::Command {
                id,
                method,
                args,
                deadline,
            } => {
                let (args, is_json) = match args {
                    Args::Cbor(args) => (args, false),
                    Args::Json(args) => (args, true),
                };
                assert_eq!(id.is_json(), is_json);
                Self::Command {
                    id,
                    method,
                    args: args.to_vec(),
                    deadline,
                }
            }
            AgentEvent::Settings { version, bytes } => Self::Settings(version, text(bytes)),
            AgentEvent::Message { topic, payload } => Self::Message(text(topic), payload.to_vec()),
            AgentEvent::Dropped { lane, count } => Self::Dropped(lane, count),
            AgentEvent::Disconnected(reason) => Self::Disconnected(reason),
        }
    }
}

/// In memory of its own.
pub type Rig = Lent<'static>;

pub struct Lent<'m> {
    pub agent: Agent<'m>,
    pub hub: Hub,
    pub now: u64,
    down: Vec<u8>,
    told: Vec<Told>,
}

impl Rig {
    /// Without a connection yet.
    pub fn new(config: &Config<'static>, outbox_bytes: usize, packet_bytes: usize) -> Self {
        let memory = Memory {
            metrics: vec![MetricSlot::EMPTY; 4].leak(),
            readings: vec![Reading::EMPTY; 64].leak(),
            outbox: vec![0; outbox_bytes].leak(),
            receive: vec![0; 512].leak(),
            scratch: vec![0; packet_bytes].leak(),
        };
        Self::over(memory, config)
    }

    /// Connected, with all that belongs to it said; what came of it is forgotten.
    pub fn online() -> Self {
        let mut rig = Self::new(&CONFIG, PLENTY, 512);
        rig.connect();
        rig.arrivals();
        rig.told();
        rig
    }
}

impl<'m> Lent<'m> {
    /// In memory that the test has back afterwards: for tests of a million cases.
    pub fn over(memory: Memory<'m>, config: &Config<'m>) -> Self {
        let now = 1_000;
        Self {
            agent: Agent::new(memory, config, now).expect("the receive buffer is large enough"),
            hub: Hub::default(),
            now,
            down: Vec::new(),
            told: Vec::new(),
        }
    }

    pub fn connect(&mut self) {
        self.agent.handle_connected(self.now, 0);
        self.pump();
    }

    /// The transport is closed by the other side.
    pub fn cut(&mut self) {
        self.hub.cut();
        self.down.clear();
        self.agent.handle_disconnected(self.now);
        self.pump();
    }

    pub fn wait(&mut self, ms: u64) {
        self.now += ms;
        self.agent.handle_timeout(self.now);
        self.pump();
    }

    /// The hub says something.
    pub fn say(&mut self, topic: &str, payload: &[u8]) {
        let bytes = self.hub.publish(topic, payload);
        self.down.extend(bytes);
        self.pump();
    }

    /// All that agent and hub have to say to each other now.
    pub fn pump(&mut self) {
        loop {
            while let Some(event) = self.agent.poll_event(self.now) {
                self.told.push(Told::of(event));
            }
            let mut out = [0; 300];
            let written = self.agent.poll_transmit(&DEVICE, &mut out, self.now);
            if written > 0 {
                let answer = self.hub.handle(&out[..written]);
                self.down.extend(answer);
                continue;
            }
            if self.down.is_empty() {
                return;
            }
            let taken = self.agent.handle_bytes(&self.down, self.now);
            assert!(taken > 0, "the session stands still");
            self.down.drain(..taken);
        }
    }

    /// What arrived since the last call.
    pub fn arrivals(&mut self) -> Vec<Arrival> {
        self.pump();
        std::mem::take(&mut self.hub.arrivals)
    }

    /// Its topics.
    pub fn topics(&mut self) -> Vec<String> {
        self.arrivals().into_iter().map(|arrival| arrival.topic).collect()
    }

    /// What was told since the last call, but for deliveries.
    pub fn told(&mut self) -> Vec<Told> {
        self.pump();
        let mut told = std::mem::take(&mut self.told);
        told.retain(|told| *told != Told::Delivered);
        told
    }
}

/// The batches among arrivals.
pub fn batches(arrivals: &[Arrival]) -> Vec<Batch<'_>> {
    arrivals
        .iter()
        .filter_map(|arrival| to_batch(&arrival.payload))
        .collect()
}

fn to_batch(payload: &[u8]) -> Option<Batch<'_>> {
    match decode(payload) {
        Ok(Packet::Batch(batch)) => Some(batch),
        Ok(_) | Err(_) => None,
    }
}

/// The pairs of clocks among arrivals.
pub fn clocks(arrivals: &[Arrival]) -> Vec<Clock> {
    let packets = arrivals.iter().filter_map(|arrival| decode(&arrival.payload).ok());
    packets
        .filter_map(|packet| match packet {
            Packet::Clock(clock) => Some(clock),
            Packet::Telemetry(_) | Packet::Batch(_) | Packet::Event(_) => None,
        })
        .collect()
}

/// The birth messages among arrivals.
pub fn births(arrivals: &[Arrival]) -> Vec<Status<'_>> {
    let states = arrivals.iter().filter(|arrival| arrival.topic == "d/wm/s");
    states
        .map(|arrival| {
            assert!(arrival.is_retained && arrival.qos == 1);
            match decode_state(&arrival.payload) {
                Ok(DeviceState::Here(status)) => status,
                other => panic!("no birth message: {other:?}"),
            }
        })
        .collect()
}

/// What a batch says of one channel.
pub fn column(batch: &Batch<'_>, channel: u8) -> Vec<Option<i32>> {
    let mut columns = batch.columns();
    let found = columns.find(|(id, _)| *id == channel);
    found.map(|(_, column)| column.collect()).unwrap_or_default()
}
