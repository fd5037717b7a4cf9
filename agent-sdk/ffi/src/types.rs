//! The constants and structures of the header.

use core::ffi::{c_char, c_void};

/// Goes into `FcAgentConfig.abi_version`, so that a header and a library which do not belong together are found out.
pub const FC_AGENT_ABI_VERSION: u32 = 1;

/// An agent's state takes no more than this in bytes, on any processor; `fc_agent_sizeof` says how much exactly.
pub const FC_AGENT_STATE_BYTES: usize = 1024;

/// Done.
pub const FC_AGENT_OK: i32 = 0;
/// `abi_version` is not the one of this library.
pub const FC_AGENT_ABI: i32 = 1;
/// A pointer is NULL where there must be something.
pub const FC_AGENT_NULL: i32 = 2;
/// The memory is too small, or does not begin where a `uint64_t` may.
pub const FC_AGENT_MEMORY: i32 = 3;
/// A text is longer than 1,023 bytes or not ASCII, or there are more than 8 subscriptions.
pub const FC_AGENT_TEXT: i32 = 4;
/// A number is none of those that its field may have.
pub const FC_AGENT_NUMBER: i32 = 5;
/// The topic is empty or has a wildcard.
pub const FC_AGENT_TOPIC: i32 = 6;
/// The message is longer than the outbox, or its topic longer than 255 bytes. Counted as dropped.
pub const FC_AGENT_TOO_LONG: i32 = 7;
/// The outbox is full of what may not give way. Counted as dropped.
pub const FC_AGENT_FULL: i32 = 8;

/// The agent is in safe mode and takes no telemetry.
pub const FC_AGENT_SAFE_MODE: i32 = 9;
/// `user_name` is not `tenant/device`.
pub const FC_AGENT_USER_NAME: i32 = 10;
/// What was kept is no record of an enrolment, or of a later version.
pub const FC_AGENT_RECORD: i32 = 11;
/// Nothing is kept under this key.
pub const FC_AGENT_NOTHING: i32 = 12;
/// The flash driver failed: the old value is there, or the new one.
pub const FC_AGENT_FLASH: i32 = 13;
/// The area does not fit: pages have 256 to 65,536 bytes, in multiples of 256, and begin at such a multiple; there are two of
/// them or more.
pub const FC_AGENT_AREA: i32 = 14;
/// The flash was written by another version, or for another purpose.
pub const FC_AGENT_FORMAT: i32 = 15;

/// Readings: they go up after events.
pub const FC_AGENT_TELEMETRY: u8 = 0;
/// Faults, replies, what must not wait.
pub const FC_AGENT_EVENT: u8 = 1;

/// When the outbox is full, the oldest message of its lane with this policy gives way.
pub const FC_AGENT_DROP_OLDEST: u8 = 0;
/// When the outbox is full, the new message is refused.
pub const FC_AGENT_DROP_NEWEST: u8 = 1;

/// The hub has accepted the connection; `session_present` says whether it still had the session.
pub const FC_AGENT_CONNECTED: u8 = 1;
/// The hub has answered the subscriptions; `number` is how many it refused.
pub const FC_AGENT_SUBSCRIBED: u8 = 2;
/// The hub has acknowledged a message at QoS 1; `number` is its token.
pub const FC_AGENT_DELIVERED: u8 = 3;
/// A message came down: `topic` and `payload`.
pub const FC_AGENT_MESSAGE: u8 = 4;
/// Messages were dropped for want of room: `number` of them, of `lane`.
pub const FC_AGENT_DROPPED: u8 = 5;
/// The connection is over: close the transport and call `fc_agent_disconnected`. `number` says why.
pub const FC_AGENT_DISCONNECTED: u8 = 6;

/// The transport was closed.
pub const FC_AGENT_LINK_LOST: u32 = 1;
/// The hub did not take the connection in time.
pub const FC_AGENT_NO_CONNACK: u32 = 2;
/// The hub did not answer a ping in time.
pub const FC_AGENT_NO_ANSWER: u32 = 3;
/// What came was not MQTT 3.1.1.
pub const FC_AGENT_PROTOCOL: u32 = 4;
/// `fc_agent_close`.
pub const FC_AGENT_CLOSED: u32 = 5;
/// The hub refused the connection; its return code is added, of which 4 and 5 are about the credentials.
pub const FC_AGENT_REFUSED: u32 = 256;

/// Memory for an enrolment in bytes, on any processor; `fc_agent_enrolment_sizeof` says how much exactly.
pub const FC_AGENT_ENROLMENT_BYTES: usize = 1280;
/// The longest record of an enrolment in bytes.
pub const FC_AGENT_RECORD_BYTES: usize = 130;
/// Random bytes of a secret.
pub const FC_AGENT_RANDOM_BYTES: usize = 32;

/// Memory for a store in bytes, on any processor; `fc_agent_flash_sizeof` says how much exactly.
pub const FC_AGENT_STORE_BYTES: usize = 256;
/// Memory for a spill in bytes, on any processor; `fc_agent_flash_spill_sizeof` says how much exactly.
pub const FC_AGENT_SPILL_BYTES: usize = 320;
/// The longest value in flash in bytes.
pub const FC_AGENT_VALUE_BYTES: usize = 256;
/// Key of the enrolment's record. Those from 8 to 31 are the program's own.
pub const FC_AGENT_KEY_SECRET: u8 = 0;
/// Key of the count of starts.
pub const FC_AGENT_KEY_BOOTS: u8 = 1;

/// The numbers that a session runs by. `fc_agent_default_settings` fills them in.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct FcAgentSettings {
    /// From the transport being connected until the hub must have accepted.
    pub connack_limit_ms: u32,
    /// From a ping until its answer.
    pub answer_limit_ms: u32,
    /// The longest delay after the first connection that failed; it doubles with each further one.
    pub backoff_base_ms: u32,
    /// The longest delay before a connection.
    pub backoff_cap_ms: u32,
    /// The session pings after three quarters of this without traffic; 0 switches that off.
    pub keep_alive_s: u16,
    /// Messages at QoS 1 that may wait for their acknowledgement at one time.
    pub window: u8,
}

/// Who the device is. What is pointed at stays as it is for as long as the agent is used, but for `subscriptions` itself
/// and `settings`, which are copied. Texts are ASCII with a final zero.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct FcAgentConfig {
    /// `FC_AGENT_ABI_VERSION`.
    pub abi_version: u32,
    /// Entropy for the back-off; two devices must not share it.
    pub seed: u32,
    /// Names the session at the hub. NULL or empty: the hub keeps none between two connections.
    pub client_id: *const c_char,
    /// `tenant/device`, or an access token; NULL where the transport says who the device is, by a certificate.
    pub user_name: *const c_char,
    /// The device's secret; NULL with an access token.
    pub password: *const u8,
    /// Its bytes.
    pub password_len: usize,
    /// Comes before all topics, as `d/wm-001/`; NULL is empty.
    pub topic_prefix: *const c_char,
    /// Where the hub publishes `will_payload`, retained, when the connection ends without `fc_agent_close`; NULL is no will.
    pub will_topic: *const c_char,
    /// What it publishes.
    pub will_payload: *const u8,
    /// Its bytes.
    pub will_payload_len: usize,
    /// Topic filters without the prefix, at most 8.
    pub subscriptions: *const *const c_char,
    /// Number of subscriptions.
    pub subscription_count: usize,
    /// How much of the memory holds an incoming packet, at least 16; longer messages are passed over. The outbox has the rest.
    pub receive_bytes: usize,
    /// NULL is the defaults.
    pub settings: *const FcAgentSettings,
}

/// A message on its way up. It is copied.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct FcAgentPublish {
    /// Without the prefix, with a final zero.
    pub topic: *const c_char,
    /// May be NULL if it is empty.
    pub payload: *const u8,
    /// Its bytes.
    pub payload_len: usize,
    /// `FC_AGENT_TELEMETRY` or `FC_AGENT_EVENT`.
    pub lane: u8,
    /// 0: forgotten once it is sent. 1: kept until the hub has acknowledged it.
    pub qos: u8,
    /// `FC_AGENT_DROP_OLDEST` or `FC_AGENT_DROP_NEWEST`.
    pub overflow: u8,
    /// 1: the hub keeps it as the topic's last value. Else 0.
    pub retain: u8,
}

/// What happened. Fields of other kinds are 0 or NULL.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct FcAgentEvent {
    /// `FC_AGENT_CONNECTED` and so on.
    pub kind: u8,
    /// 0 or 1.
    pub session_present: u8,
    /// `FC_AGENT_TELEMETRY` or `FC_AGENT_EVENT`.
    pub lane: u8,
    /// What the kind says.
    pub number: u32,
    /// With the prefix, without a final zero; until bytes are handed in.
    pub topic: *const u8,
    /// Its bytes.
    pub topic_len: usize,
    /// Until bytes are handed in.
    pub payload: *const u8,
    /// Its bytes.
    pub payload_len: usize,
}

/// What the maker has put into the device, and what it has kept. All of it stays as it is for as long as the enrolment is
/// used, but for `kept` and `settings`, which are copied.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct FcAgentFactory {
    /// `FC_AGENT_ABI_VERSION`.
    pub abi_version: u32,
    /// Entropy for the back-off; two devices must not share it.
    pub seed: u32,
    /// `tenant/device`.
    pub user_name: *const c_char,
    /// Of the claim credential; NULL for a device of a group.
    pub claim_token: *const c_char,
    /// HMAC-SHA256(group key, device) in lower-case hexadecimal; NULL with a claim credential.
    pub group_secret: *const u8,
    /// Its bytes.
    pub group_secret_len: usize,
    /// The record that was kept last; NULL if there is none.
    pub kept: *const u8,
    /// Its bytes.
    pub kept_len: usize,
    /// NULL is the defaults.
    pub settings: *const FcAgentSettings,
}

/// A part of the flash, and how it is reached. The functions give 0 when they have done it, and are given addresses within
/// the area: programming comes in multiples of 32 bytes at such multiples, erasing in whole pages, reading anyhow.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct FcAgentFlash {
    /// Handed to the functions.
    pub context: *mut c_void,
    /// Reads `len` bytes at `at`.
    pub read: Option<unsafe extern "C" fn(context: *mut c_void, at: u32, to: *mut u8, len: usize) -> i32>,
    /// Programs `len` bytes at `at`, none of which was programmed since it was erased.
    pub program: Option<unsafe extern "C" fn(context: *mut c_void, at: u32, from: *const u8, len: usize) -> i32>,
    /// Erases `len` bytes at `at`: afterwards they are 0xFF.
    pub erase: Option<unsafe extern "C" fn(context: *mut c_void, at: u32, len: usize) -> i32>,
    /// Where the first page begins.
    pub start: u32,
    /// Bytes of a page: one or more erase units.
    pub page_bytes: u32,
    /// Number of pages.
    pub pages: u32,
}
