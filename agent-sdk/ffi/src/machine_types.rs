//! The constants and structures of a machine in the header.

use crate::types::FcAgentSettings;
use agent_sdk_core::{EventState, MetricSlot, Outcome, Reading, ResetReason};
use core::ffi::c_char;

/// A part of it is not within the bounds of the contract, or all of it longer than `packet_bytes`.
pub const FC_AGENT_FORM: i32 = 16;

/// Memory for a metric in bytes, on any processor.
pub const FC_AGENT_METRIC_BYTES: usize = 32;
/// Memory for a reading of the open batch in bytes, on any processor.
pub const FC_AGENT_READING_BYTES: usize = 12;
/// Memory for a method in bytes, on any processor.
pub const FC_AGENT_METHOD_BYTES: usize = 16;
/// The longest id of a command in bytes.
pub const FC_AGENT_ID_BYTES: usize = 64;

/// The hub has told the time, for the first time in this boot: `fc_agent_machine_utc` knows it from now on.
pub const FC_AGENT_TIME: u8 = 7;
/// A command that is allowed, in time, and new: `number` is its place in `methods`, `payload` what it is given. It is to be
/// answered by `fc_agent_machine_reply`, now or later.
pub const FC_AGENT_COMMAND: u8 = 8;
/// Settings of the hub were applied: `number` is their version, `payload` what is to be kept and given to
/// `fc_agent_machine_restore` after the next start.
pub const FC_AGENT_SETTINGS: u8 = 9;

/// The condition of an event has ended.
pub const FC_AGENT_CLEARED: u8 = 0;
/// The condition of an event has begun.
pub const FC_AGENT_RAISED: u8 = 1;
/// A report without duration.
pub const FC_AGENT_REPORTED: u8 = 2;

/// The command was done.
pub const FC_AGENT_DONE: u8 = 0;
/// The command was tried.
pub const FC_AGENT_FAILED: u8 = 1;
/// The command came too late, and was not begun.
pub const FC_AGENT_EXPIRED: u8 = 2;
/// This device does not do that, or not now.
pub const FC_AGENT_NOT_ALLOWED: u8 = 3;
/// The command could not be read.
pub const FC_AGENT_MALFORMED: u8 = 4;

/// Why the device started: the firmware cannot tell.
pub const FC_AGENT_RESET_UNKNOWN: u8 = 0;
/// Power came.
pub const FC_AGENT_RESET_POWER_ON: u8 = 1;
/// By the reset pin.
pub const FC_AGENT_RESET_PIN: u8 = 2;
/// The firmware wanted it.
pub const FC_AGENT_RESET_SOFTWARE: u8 = 3;
/// The firmware no longer served its watchdog.
pub const FC_AGENT_RESET_WATCHDOG: u8 = 4;
/// The supply fell too low.
pub const FC_AGENT_RESET_BROWN_OUT: u8 = 5;
/// A fault or a panic.
pub const FC_AGENT_RESET_FAULT: u8 = 6;
/// To start new firmware.
pub const FC_AGENT_RESET_UPDATE: u8 = 7;

const _: () = assert!(
    size_of::<MetricSlot>() <= FC_AGENT_METRIC_BYTES
        && size_of::<Reading>() <= FC_AGENT_READING_BYTES
        && size_of::<&str>() <= FC_AGENT_METHOD_BYTES,
    "a part of a machine has outgrown what the header promises"
);
const _: () = assert!(
    EventState::Cleared.code() == FC_AGENT_CLEARED
        && EventState::Raised.code() == FC_AGENT_RAISED
        && EventState::Reported.code() == FC_AGENT_REPORTED
        && Outcome::Done.code() == FC_AGENT_DONE
        && Outcome::Failed.code() == FC_AGENT_FAILED
        && Outcome::Expired.code() == FC_AGENT_EXPIRED
        && Outcome::NotAllowed.code() == FC_AGENT_NOT_ALLOWED
        && Outcome::Malformed.code() == FC_AGENT_MALFORMED,
    "the header's numbers are those of the wire"
);
const _: () = assert!(
    ResetReason::Unknown.code() == FC_AGENT_RESET_UNKNOWN
        && ResetReason::PowerOn.code() == FC_AGENT_RESET_POWER_ON
        && ResetReason::Pin.code() == FC_AGENT_RESET_PIN
        && ResetReason::Software.code() == FC_AGENT_RESET_SOFTWARE
        && ResetReason::Watchdog.code() == FC_AGENT_RESET_WATCHDOG
        && ResetReason::BrownOut.code() == FC_AGENT_RESET_BROWN_OUT
        && ResetReason::Fault.code() == FC_AGENT_RESET_FAULT
        && ResetReason::Update.code() == FC_AGENT_RESET_UPDATE,
    "the header's numbers are those of the wire"
);

/// Who the device is, and how it is to work. What is pointed at stays as it is for as long as the machine is used, but for
/// `methods` itself, `settings` and the crash, which are copied. Texts are ASCII with a final zero.
///
/// The memory has `FC_AGENT_STATE_BYTES`, `FC_AGENT_METRIC_BYTES` for each metric, `FC_AGENT_METHOD_BYTES` for each method,
/// `FC_AGENT_READING_BYTES` for each reading, twice `packet_bytes`, and the outbox has the rest.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct FcAgentMachineConfig {
    /// `FC_AGENT_ABI_VERSION`.
    pub abi_version: u32,
    /// Entropy for the back-off; two devices must not share it.
    pub seed: u32,
    /// Drawn at each start, at random: records that repeat one of an earlier start are taken for repeats and dropped.
    pub boot_id: u64,
    /// Names the session at the hub.
    pub client_id: *const c_char,
    /// `tenant/device`, or an access token; NULL where the transport says who the device is, by a certificate.
    pub user_name: *const c_char,
    /// The device's secret; NULL with an access token.
    pub password: *const u8,
    /// Its bytes.
    pub password_len: usize,
    /// `d/wm-001/`, with the device's name.
    pub topic_prefix: *const c_char,
    /// The maker's name of the model: 1 to 64 bytes; else there is no birth message.
    pub model: *const c_char,
    /// Version of the firmware: 1 to 32 bytes; else there is no birth message.
    pub firmware: *const c_char,
    /// The maker's code of the crash that ended the last run: 1 to 32 bytes. NULL if none did.
    pub crash_code: *const c_char,
    /// Place, registers, last words of the log; NULL is empty.
    pub crash_detail: *const c_char,
    /// The methods that the device does. All others are refused, whatever the hub says.
    pub methods: *const *const c_char,
    /// Number of methods.
    pub method_count: usize,
    /// How many metrics will be declared, at most 255.
    pub metric_count: usize,
    /// How many readings the open batch can hold, of all metrics together.
    pub reading_count: usize,
    /// The longest message either way, at least 16; 256 for what the hub says by itself. A batch that needs more is sent in
    /// several, a longer message of the hub is passed over.
    pub packet_bytes: usize,
    /// NULL is the defaults.
    pub settings: *const FcAgentSettings,
    /// A batch is closed so many milliseconds after its first reading. The hub may push another number.
    pub batch_age_ms: u32,
    /// A batch is closed with so many samples, 1 to 64.
    pub batch_samples: u8,
    /// `FC_AGENT_RESET_POWER_ON` and so on.
    pub reset: u8,
}

/// What the device measures, as one channel of its appliance profile. Values are its stored integers: value × 10^decimals.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct FcAgentMetric {
    /// Channel id of the profile: 1 to 255.
    pub channel: u8,
    /// `FC_AGENT_DROP_OLDEST` or `FC_AGENT_DROP_NEWEST`: what gives way when the outbox is full.
    pub overflow: u8,
    /// A value that is no farther from the last reading is left out. The hub may push another.
    pub deadband: u32,
    /// So many milliseconds after the last reading a value is taken whatever the deadband says; 0 takes each. The hub may
    /// push another.
    pub interval_ms: u32,
}

/// Names a command until it is answered. It may be copied.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct FcAgentCommand {
    /// As the hub has it.
    pub id: [u8; FC_AGENT_ID_BYTES],
    /// Its bytes.
    pub id_len: u8,
    /// 1: arguments and detail are JSON. 0: CBOR.
    pub is_json: u8,
}

/// What happened. Fields of other kinds are 0 or NULL.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct FcAgentMachineEvent {
    /// `FC_AGENT_CONNECTED` and so on.
    pub kind: u8,
    /// 0 or 1.
    pub session_present: u8,
    /// `FC_AGENT_TELEMETRY` or `FC_AGENT_EVENT`.
    pub lane: u8,
    /// What the kind says.
    pub number: u32,
    /// A command is not to be begun after this uptime; `UINT64_MAX` if it has no deadline, or the time is not known.
    pub deadline_ms: u64,
    /// For the reply.
    pub command: FcAgentCommand,
    /// With the prefix, without a final zero; until bytes are handed in.
    pub topic: *const u8,
    /// Its bytes.
    pub topic_len: usize,
    /// Until bytes are handed in.
    pub payload: *const u8,
    /// Its bytes.
    pub payload_len: usize,
}
