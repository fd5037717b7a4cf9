//! A machine and its hub, and the functions of the header with Rust's types around them.

use agent_sdk_ffi::*;
use std::ffi::{CStr, c_char, c_void};
use std::ptr::{null, null_mut};
use tests_agent::hub::{Arrival, Hub};

const METRICS: usize = 2;
const READINGS: usize = 8;
const PACKET_BYTES: usize = 256;

/// Pointers to it are as a C program has them; it lives as long as the program.
pub struct Methods(pub [*const c_char; 2]);

// SAFETY: it points at constants.
unsafe impl Sync for Methods {}

static METHODS: Methods = Methods([c"spin".as_ptr(), c"self_test".as_ptr()]);
pub static WRONG_METHODS: Methods = Methods([c"spin".as_ptr(), c"\xFF".as_ptr()]);

pub const DRUM: FcAgentMetric = FcAgentMetric {
    channel: 3,
    overflow: FC_AGENT_DROP_OLDEST,
    deadband: 5,
    interval_ms: 60_000,
};

pub fn config() -> FcAgentMachineConfig {
    let password = b"secret";
    FcAgentMachineConfig {
        abi_version: FC_AGENT_ABI_VERSION,
        seed: 1,
        boot_id: 7,
        client_id: c"wm".as_ptr(),
        user_name: c"t/wm".as_ptr(),
        password: password.as_ptr(),
        password_len: password.len(),
        topic_prefix: c"d/wm/".as_ptr(),
        model: c"WM7".as_ptr(),
        firmware: c"1.4.2".as_ptr(),
        crash_code: null(),
        crash_detail: null(),
        methods: METHODS.0.as_ptr(),
        method_count: METHODS.0.len(),
        metric_count: METRICS,
        reading_count: READINGS,
        packet_bytes: PACKET_BYTES,
        settings: null(),
        batch_age_ms: 20_000,
        batch_samples: 4,
        reset: FC_AGENT_RESET_WATCHDOG,
    }
}

/// Memory for a machine of that configuration. Tests do not give it back.
pub fn memory(outbox_bytes: usize) -> (*mut c_void, usize) {
    let parts = METRICS * FC_AGENT_METRIC_BYTES + READINGS * FC_AGENT_READING_BYTES + 2 * FC_AGENT_METHOD_BYTES;
    let len = fc_agent_machine_sizeof() + parts + 2 * PACKET_BYTES + outbox_bytes;
    let words: &'static mut [u64] = vec![u64::MAX; len.div_ceil(8)].leak();
    (words.as_mut_ptr().cast(), len)
}

pub fn init(memory: (*mut c_void, usize), config: &FcAgentMachineConfig) -> Result<*mut FcAgentMachine, i32> {
    let mut machine = null_mut();
    // SAFETY: the memory is as long as it says, and what the configuration points at lives on.
    match unsafe { fc_agent_machine_init(memory.0, memory.1, config, 1_000, &mut machine) } {
        FC_AGENT_OK => Ok(machine),
        why => Err(why),
    }
}

pub fn declare(machine: *mut FcAgentMachine, metric: &FcAgentMetric) -> Result<u8, i32> {
    let mut id = u8::MAX;
    // SAFETY: NULL or a machine, and a metric.
    match unsafe { fc_agent_machine_metric(machine, metric, &mut id) } {
        FC_AGENT_OK => Ok(id),
        why => Err(why),
    }
}

pub fn report(machine: *mut FcAgentMachine, metric: u8, value: i32, now_ms: u64) -> bool {
    // SAFETY: NULL or a machine.
    unsafe { fc_agent_machine_report(machine, metric, value, now_ms) }
}

pub fn event(machine: *mut FcAgentMachine, state: u8, code: &'static CStr, now_ms: u64) -> i32 {
    // SAFETY: NULL or a machine, and a constant.
    unsafe { fc_agent_machine_event(machine, state, code.as_ptr(), null(), now_ms) }
}

pub fn reply(machine: *mut FcAgentMachine, command: &FcAgentCommand, outcome: u8, detail: &[u8]) -> i32 {
    // SAFETY: NULL or a machine, a command, and bytes of that length.
    unsafe { fc_agent_machine_reply(machine, command, outcome, detail.as_ptr(), detail.len()) }
}

pub fn restore(machine: *mut FcAgentMachine, kept: &[u8]) -> bool {
    // SAFETY: NULL or a machine, and bytes of that length.
    unsafe { fc_agent_machine_restore(machine, kept.as_ptr(), kept.len()) }
}

pub fn utc(machine: *const FcAgentMachine, now_ms: u64) -> u64 {
    // SAFETY: NULL or a machine.
    unsafe { fc_agent_machine_utc(machine, now_ms) }
}

pub fn is_healthy(machine: *const FcAgentMachine, now_ms: u64) -> bool {
    // SAFETY: NULL or a machine.
    unsafe { fc_agent_machine_is_healthy(machine, now_ms) }
}

pub fn next_connect_at(machine: *const FcAgentMachine) -> u64 {
    // SAFETY: NULL or a machine.
    unsafe { fc_agent_machine_next_connect_at(machine) }
}

pub fn next_deadline(machine: *const FcAgentMachine) -> u64 {
    // SAFETY: NULL or a machine.
    unsafe { fc_agent_machine_next_deadline(machine) }
}

/// What is lent until bytes are handed in.
fn copy(at: *const u8, len: usize) -> Vec<u8> {
    if at.is_null() {
        return Vec::new();
    }
    // SAFETY: it was lent just now, with this length.
    let bytes = unsafe { std::slice::from_raw_parts(at, len) };
    bytes.to_vec()
}

/// An event with its payload.
pub struct Told {
    pub event: FcAgentMachineEvent,
    pub topic: Vec<u8>,
    pub payload: Vec<u8>,
}

/// A machine and its hub.
pub struct Board {
    pub machine: *mut FcAgentMachine,
    pub hub: Hub,
    pub now_ms: u64,
    down: Vec<u8>,
    told: Vec<Told>,
}

impl Board {
    pub fn new(config: &FcAgentMachineConfig, outbox_bytes: usize) -> Self {
        Self {
            machine: init(memory(outbox_bytes), config).expect("the configuration is right"),
            hub: Hub::default(),
            now_ms: 1_000,
            down: Vec::new(),
            told: Vec::new(),
        }
    }

    /// Connected, with all that belongs to it said; what came of it is forgotten.
    pub fn online() -> Self {
        let mut board = Self::new(&config(), 1_024);
        board.connect();
        board.arrivals();
        board.told();
        board
    }

    pub fn connect(&mut self) {
        // SAFETY: a machine.
        unsafe { fc_agent_machine_connected(self.machine, self.now_ms, 0) };
        self.pump();
    }

    pub fn flush(&mut self) {
        // SAFETY: a machine.
        unsafe { fc_agent_machine_flush(self.machine) };
    }

    pub fn say(&mut self, topic: &str, payload: &[u8]) {
        let bytes = self.hub.publish(topic, payload);
        self.down.extend(bytes);
        self.pump();
    }

    fn pump(&mut self) {
        loop {
            while let Some(told) = next_event(self.machine, self.now_ms) {
                self.told.push(told);
            }
            let mut out = [0xEE; 100];
            // SAFETY: a machine, and room of that length.
            let count =
                unsafe { fc_agent_machine_poll_transmit(self.machine, out.as_mut_ptr(), out.len(), self.now_ms) };
            if count > 0 {
                let answer = self.hub.handle(&out[..count]);
                self.down.extend(answer);
                continue;
            }
            if self.down.is_empty() {
                return;
            }
            let (at, len) = (self.down.as_ptr(), self.down.len());
            // SAFETY: a machine, and bytes of that length.
            let taken = unsafe { fc_agent_machine_bytes(self.machine, at, len, self.now_ms) };
            assert!(taken > 0, "the session stands still");
            self.down.drain(..taken);
        }
    }

    pub fn arrivals(&mut self) -> Vec<Arrival> {
        self.pump();
        std::mem::take(&mut self.hub.arrivals)
    }

    /// What was told since the last call, but for deliveries.
    pub fn told(&mut self) -> Vec<Told> {
        self.pump();
        let mut told = std::mem::take(&mut self.told);
        told.retain(|told| told.event.kind != FC_AGENT_DELIVERED);
        told
    }

    /// Tokens of what the hub has acknowledged since the last call.
    pub fn deliveries(&mut self) -> Vec<u32> {
        self.pump();
        let is_delivery = |told: &Told| told.event.kind == FC_AGENT_DELIVERED;
        let told = std::mem::take(&mut self.told);
        let (delivered, rest): (Vec<Told>, Vec<Told>) = told.into_iter().partition(is_delivery);
        self.told = rest;
        delivered.iter().map(|told| told.event.number).collect()
    }

    /// Its kinds and numbers.
    pub fn kinds(&mut self) -> Vec<(u8, u32)> {
        let told = self.told();
        told.iter().map(|told| (told.event.kind, told.event.number)).collect()
    }
}

pub fn next_event(machine: *mut FcAgentMachine, now_ms: u64) -> Option<Told> {
    let mut event = std::mem::MaybeUninit::uninit();
    // SAFETY: NULL or a machine, and room for an event.
    if !unsafe { fc_agent_machine_poll_event(machine, event.as_mut_ptr(), now_ms) } {
        return None;
    }
    // SAFETY: it was written.
    let event: FcAgentMachineEvent = unsafe { event.assume_init() };
    Some(Told {
        topic: copy(event.topic, event.topic_len),
        payload: copy(event.payload, event.payload_len),
        event,
    })
}
