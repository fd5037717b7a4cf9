//! A pump with the device agent: it measures, reports, obeys, crashes when it is told to, and says why afterwards.
//!
//! Uptime is the board's, plus the `past` that it lived through in no time before its network came. The methods of its
//! commands: `status` answers with the number of the next reading; `stop` says goodbye and ends the program with 0; `fault`
//! crashes the board once the hub has the answer.
#![no_std]
#![no_main]

use agent_sdk_core::{
    Agent, AgentEvent, AgentMem, Boots, CommandId, Config, Crash, Credentials, Device, EventState, Metric, MetricId,
    Origin, Outcome, Overflow, Reason, ResetReason, Settings, Token,
};
use cortex_m_rt::{entry, exception, ExceptionFrame};
use qemu_mps2::args::Args;
use qemu_mps2::first_boot::{enrol, Store, STARTS_MAX, VALUE_BYTES_MAX};
use qemu_mps2::net::{Link, Net, NetMemory};
use qemu_mps2::plan::Plan;
use qemu_mps2::pump::{CHANNEL_COUNT, STEP_MS};
use qemu_mps2::{clock, crash, ethernet, give_up, say, semihosting, stack, text};

/// Metrics, readings of an open batch, outbox, longest message: an hour without a network fits.
type Memory = AgentMem<8, 256, { 96 * 1024 }, 1_024>;

const METHODS: &[&str] = &["status", "stop", "fault"];
/// Numbers of [`METHODS`].
const STATUS: usize = 0;
const STOP: usize = 1;

const MODEL: &str = "PR1";
/// Bytes that are handed to the network at a time.
const OUT_BYTES: usize = 512;
/// The longest secret.
const SECRET_BYTES: usize = 96;
/// After a goodbye the network gets so long to deliver it.
const GOODBYE_MS: u64 = 2_000;

#[entry]
fn main() -> ! {
    static mut MEMORY: Memory = Memory::new();
    static mut NET: NetMemory = NetMemory::new();
    static mut LINE: [u8; 512] = [0; 512];
    static mut PREFIX: [u8; 80] = [0; 80];
    static mut DETAIL: [u8; 32] = [0; 32];
    static mut SECRET: [u8; SECRET_BYTES] = [0; SECRET_BYTES];

    stack::paint();
    let note = crash::take();
    let Some(plan) = Plan::read(Args(semihosting::command_line(LINE))) else {
        give_up("arguments are missing, or are no numbers")
    };
    if let Some(mut core) = cortex_m::Peripherals::take() {
        clock::start(&mut core.SYST);
    }
    let mut store = plan
        .flash
        .map(|path| Store::open(path).unwrap_or_else(|| give_up("the flash cannot be read")));
    let boots = store.as_mut().map(Store::count_start);
    let mut net = Net::new(ethernet(), NET, plan.port, plan.seed.wrapping_add(note.starts.into()));
    let secret = own_secret(&plan, store.as_mut(), &mut net, SECRET);
    let crashed = note.crashed_at.is_some();
    let detail = text::format(DETAIL, format_args!("pc={:#010x}", note.crashed_at.unwrap_or(0)));
    let config = Config {
        boot_id: plan.boot.wrapping_add(note.starts.into()),
        seed: plan.seed as u32,
        session: Settings {
            backoff_cap_ms: plan.backoff_cap_ms,
            ..Settings::DEFAULT
        },
        batch_samples: plan.batch,
        batch_age_ms: 60_000,
        methods: METHODS,
        crash: crashed.then_some(Crash {
            code: "hard_fault",
            detail,
        }),
    };
    let device = Device {
        client_id: plan.device,
        credentials: Some(Credentials {
            user_name: plan.user,
            password: Some(secret),
        }),
        topic_prefix: text::format(PREFIX, format_args!("d/{}/", plan.device)),
        model: MODEL,
        firmware: env!("CARGO_PKG_VERSION"),
        reset: if crashed {
            ResetReason::Fault
        } else {
            ResetReason::PowerOn
        },
    };
    let agent = Agent::new(MEMORY.lend(), &config, 0).expect("the longest message has 1,024 bytes");
    let mut board = Board::new(agent, device, net, plan, Kept { store, boots });
    board.live_the_past();
    loop {
        board.turn();
        // Until the next millisecond: nothing here is more urgent.
        cortex_m::asm::wfi();
    }
}

/// The device's secret: what it was given, or what comes of its first boot.
fn own_secret(
    plan: &Plan<'static>,
    store: Option<&mut Store>,
    net: &mut Net,
    room: &'static mut [u8],
) -> &'static [u8] {
    let origin = match (plan.secret, plan.claim, plan.group) {
        (Some(secret), _, _) => return secret.as_bytes(),
        (None, Some(token), _) => Origin::Claim { token },
        (None, None, Some(secret)) => Origin::Group {
            secret: secret.as_bytes(),
        },
        (None, None, None) => give_up("there is no secret, and no way to one"),
    };
    let Some(store) = store else {
        give_up("there is no flash to keep a secret in")
    };
    let secret = enrol(store, net, plan, origin, room);
    secret.unwrap_or_else(|| give_up("what is kept is no secret"))
}

#[exception]
fn SysTick() {
    clock::tick();
}

#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    crash::restart(frame.pc())
}

/// What the device does once the hub has an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Stop,
    Fault,
}

/// What outlives the power, where there is flash.
struct Kept {
    store: Option<Store>,
    boots: Option<Boots>,
}

struct Board {
    agent: Agent<'static>,
    device: Device<'static>,
    net: Net,
    plan: Plan<'static>,
    kept: Kept,
    metrics: [Option<MetricId>; CHANNEL_COUNT as usize],
    /// Number of the next reading.
    next: u64,
    /// How the connection was when it was looked at last.
    link: Link,
    ending: Option<(Token, End)>,
}

impl Board {
    fn new(mut agent: Agent<'static>, device: Device<'static>, net: Net, plan: Plan<'static>, mut kept: Kept) -> Self {
        let mut metrics = [None; CHANNEL_COUNT as usize];
        for (metric, channel) in metrics.iter_mut().zip(1..) {
            // Each value: the hub's model wants one a second.
            *metric = agent.metric(Metric {
                channel,
                deadband: 0,
                interval_ms: 0,
                overflow: Overflow::DropOldest,
            });
        }
        if let Some(store) = &mut kept.store {
            let mut room = [0; VALUE_BYTES_MAX];
            if let Some(settings) = store.settings(&mut room) {
                agent.restore_settings(settings);
            }
        }
        if kept.boots.is_some_and(|boots| boots.is_loop(STARTS_MAX)) && agent.enter_safe_mode(0).is_err() {
            say!("nobody was told of the safe mode");
        }
        Self {
            agent,
            device,
            net,
            plan,
            kept,
            metrics,
            next: 0,
            link: Link::Down,
            ending: None,
        }
    }

    /// Takes the readings of the time before the network came.
    fn live_the_past(&mut self) {
        while self.next < self.plan.past.min(self.plan.count) {
            let now = self.next * STEP_MS;
            self.measure(now);
            self.agent.handle_timeout(now);
        }
    }

    /// Uptime.
    fn now(&self) -> u64 {
        self.plan.past * STEP_MS + clock::ms()
    }

    fn turn(&mut self) {
        let now = self.now();
        while self.next < self.plan.count {
            let due = self.plan.past * STEP_MS + self.next.saturating_sub(self.plan.past) * self.plan.period_ms;
            if now < due {
                break;
            }
            self.measure(due);
        }
        self.agent.handle_timeout(now);
        self.net.poll(clock::ms());
        self.follow_link(now);
        if let (Some(store), Some(boots)) = (&mut self.kept.store, &mut self.kept.boots) {
            boots.handle_online(self.agent.session().online_for_ms(now));
            store.keep_count(boots);
        }
    }

    /// Takes the next reading, which was due at `now`. Nothing waits behind the last one.
    fn measure(&mut self, now: u64) {
        let values = self.plan.pump.read(self.next);
        for (metric, value) in self.metrics.into_iter().zip(values) {
            if let Some(metric) = metric {
                self.agent.report(metric, value, now);
            }
        }
        if self.plan.event_at == Some(self.next) && self.agent.event(EventState::Raised, "E18", "flow", now).is_err() {
            say!("the event was not taken");
        }
        self.next += 1;
        if self.next == self.plan.count {
            self.agent.flush();
        }
    }

    /// Opens the connection when it is time to, and works on it while it is there.
    fn follow_link(&mut self, now: u64) {
        let link = self.net.link();
        let before = core::mem::replace(&mut self.link, link);
        match (before, link) {
            (Link::Down, Link::Down) => {
                if self.agent.next_connect_at().is_some_and(|at| now >= at) {
                    if self.net.connect() {
                        self.link = Link::Opening;
                    } else {
                        self.agent.handle_disconnected(now);
                    }
                }
            }
            (Link::Opening | Link::Up, Link::Down) => self.lose_link(now),
            (_, Link::Opening) => {}
            (Link::Down | Link::Opening, Link::Up) => {
                self.agent.handle_connected(now, self.plan.seed as u32);
                self.work(now);
            }
            (Link::Up, Link::Up) => self.work(now),
        }
    }

    fn lose_link(&mut self, now: u64) {
        self.net.abort();
        self.link = Link::Down;
        self.agent.handle_disconnected(now);
        // Tells why, unless that was told.
        self.tell_events(now);
    }

    /// Hands bytes over until neither side has more.
    fn work(&mut self, now: u64) {
        let mut has_more = true;
        while has_more {
            let agent = &mut self.agent;
            let taken = self.net.receive(|bytes| agent.handle_bytes(bytes, now));
            if let Some(reason) = self.tell_events(now) {
                self.end_connection(reason, now);
                return;
            }
            let mut out = [0; OUT_BYTES];
            let room = self.net.send_room().min(OUT_BYTES);
            let written = self.agent.poll_transmit(&self.device, &mut out[..room], now);
            let sent = self.net.send(&out[..written]);
            has_more = taken > 0 || sent > 0;
        }
        if let Some(reason) = self.tell_events(now) {
            self.end_connection(reason, now);
        }
    }

    /// Does what events ask for; why the connection is over, if it is.
    fn tell_events(&mut self, now: u64) -> Option<Reason> {
        while let Some(event) = self.agent.poll_event(now) {
            match event {
                AgentEvent::Connected { session_present } => say!("connected, session present: {session_present}"),
                AgentEvent::Delivered(token) => self.delivered(token),
                AgentEvent::Command { id, method, .. } => self.obey(id, method),
                AgentEvent::Settings { version, bytes } => {
                    let is_kept = self.kept.store.as_mut().is_some_and(|store| store.keep_settings(bytes));
                    say!("settings {version}, kept: {is_kept}");
                }
                AgentEvent::Dropped { lane, count } => say!("dropped: {count} of {lane:?}"),
                AgentEvent::Disconnected(reason) => return Some(reason),
                AgentEvent::Subscribed { refused: 0 } | AgentEvent::Time => {}
                other => say!("{other:?}"),
            }
        }
        None
    }

    fn end_connection(&mut self, reason: Reason, now: u64) {
        say!("disconnected: {reason:?}");
        if reason == Reason::Closed {
            self.leave();
        }
        self.net.abort();
        self.link = Link::Down;
        self.agent.handle_disconnected(now);
    }

    fn obey(&mut self, id: CommandId, method: usize) {
        let mut detail = [0; 20];
        let len = if id.is_json() {
            text::format(&mut detail, format_args!("{}", self.next)).len()
        } else {
            // An unsigned integer of 64 bits.
            detail[0] = 0x1B;
            detail[1..9].copy_from_slice(&self.next.to_be_bytes());
            9
        };
        match self.agent.reply(&id, Outcome::Done, &detail[..len]) {
            Ok(_) if method == STATUS => {}
            Ok(token) => self.ending = Some((token, if method == STOP { End::Stop } else { End::Fault })),
            Err(why) => say!("the answer was not taken: {why:?}"),
        }
    }

    fn delivered(&mut self, token: Token) {
        match self.ending {
            Some((last, End::Stop)) if last == token => self.agent.close(),
            Some((last, End::Fault)) if last == token => cortex_m::asm::udf(),
            Some(_) | None => {}
        }
    }

    /// Ends the program once the goodbye has arrived.
    fn leave(&mut self) -> ! {
        self.net.close();
        let until = clock::ms() + GOODBYE_MS;
        while clock::ms() < until && !self.net.is_all_sent() {
            self.net.poll(clock::ms());
            cortex_m::asm::wfi();
        }
        self.net.poll(clock::ms());
        say!("stack {} bytes", stack::depth_bytes());
        say!("stopped after {} readings", self.next);
        semihosting::exit(0)
    }
}
