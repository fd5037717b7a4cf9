//! What a device says of itself, and what it is asked to do. Small messages, each on a topic of its own.

/// What `d/{id}/s` holds of a device that runs the agent: published at QoS 1 and retained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceState<'b> {
    /// It is, or was, connected.
    Here(Status<'b>),
    /// Its last will: the connection ended without a goodbye.
    Gone,
}

/// The birth message: who the device is, and how it fares. Comes on each connection, and again when a number in it has
/// changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status<'b> {
    /// The boot that this is about.
    pub boot_id: u64,
    /// The maker's name of the model: 1 to [`crate::MAX_MODEL_BYTES`] bytes.
    pub model: &'b str,
    /// Version of the firmware: 1 to [`crate::MAX_VERSION_BYTES`] bytes.
    pub firmware: &'b str,
    /// Version of the agent: 1 to [`crate::MAX_VERSION_BYTES`] bytes.
    pub sdk: &'b str,
    /// Why the device started.
    pub reset: ResetReason,
    /// Whether commands may come as [`Command`]; JSON is always understood.
    pub takes_cbor_commands: bool,
    /// Version of the hub's settings that are in force; 0 is none.
    pub settings: u64,
    /// Messages of the event lane that were given up for want of room since the device started.
    pub dropped_events: u64,
    /// The same of the telemetry lane.
    pub dropped_telemetry: u64,
}

/// Why a device started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResetReason {
    /// The firmware cannot tell.
    Unknown,
    /// Power came.
    PowerOn,
    /// By the reset pin, and so by hand or by a debugger.
    Pin,
    /// The firmware wanted it.
    Software,
    /// The firmware no longer served its watchdog.
    Watchdog,
    /// The supply fell too low.
    BrownOut,
    /// A fault or a panic.
    Fault,
    /// To start new firmware.
    Update,
}

impl ResetReason {
    /// The number on the wire.
    pub const fn code(self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::PowerOn => 1,
            Self::Pin => 2,
            Self::Software => 3,
            Self::Watchdog => 4,
            Self::BrownOut => 5,
            Self::Fault => 6,
            Self::Update => 7,
        }
    }

    /// The reason of a number on the wire.
    pub const fn from_code(code: u64) -> Option<Self> {
        Some(match code {
            0 => Self::Unknown,
            1 => Self::PowerOn,
            2 => Self::Pin,
            3 => Self::Software,
            4 => Self::Watchdog,
            5 => Self::BrownOut,
            6 => Self::Fault,
            7 => Self::Update,
            _ => return None,
        })
    }
}

/// What a device is asked to do; the last level of the topic is its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Command<'b> {
    /// Not to be begun after this, in milliseconds since 1970-01-01T00:00:00Z; `None` is never too late.
    pub deadline_ms: Option<u64>,
    /// What to do: text of 1 to [`crate::MAX_METHOD_BYTES`] bytes. As bytes, because a device only compares it.
    pub method: &'b [u8],
    /// How, as the method defines it, which is usually CBOR: up to [`crate::MAX_ARGS_BYTES`] bytes.
    pub args: &'b [u8],
}

/// What became of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was tried.
    Failed,
    /// It came too late, and was not begun.
    Expired,
    /// This device does not do that.
    NotAllowed,
    /// It could not be read.
    Malformed,
}

impl Outcome {
    /// The number on the wire.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Expired => 2,
            Self::NotAllowed => 3,
            Self::Malformed => 4,
        }
    }

    /// The outcome of a number on the wire.
    pub const fn from_code(code: u64) -> Option<Self> {
        Some(match code {
            0 => Self::Done,
            1 => Self::Failed,
            2 => Self::Expired,
            3 => Self::NotAllowed,
            4 => Self::Malformed,
            _ => return None,
        })
    }
}

/// The answer to a [`Command`]; the last level of the topic is the command's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply<'b> {
    /// What became of it.
    pub outcome: Outcome,
    /// What the method gives back: up to [`crate::MAX_REPLY_BYTES`] bytes.
    pub detail: &'b [u8],
}
