//! What the maker tells an agent about the device, and how it is to work.

use crate::identity::{Credentials, Settings};
use agent_sdk_wire::ResetReason;

/// Who the device is. Lent whenever the agent writes, so that a secret may change between two connections and live
/// wherever the caller keeps it. It stays the same while a connection lasts.
#[derive(Debug, Clone, Copy)]
pub struct Device<'a> {
    /// Names the session at the hub.
    pub client_id: &'a str,
    /// How the device proves who it is; `None` where the transport does.
    pub credentials: Option<Credentials<'a>>,
    /// `d/{id}/`, before its topics. It stays the same while messages wait.
    pub topic_prefix: &'a str,
    /// The maker's name of the model: 1 to 64 bytes; else there is no birth message.
    pub model: &'a str,
    /// Version of the firmware: 1 to 32 bytes; else there is no birth message.
    pub firmware: &'a str,
    /// Why the device started.
    pub reset: ResetReason,
}

/// What an agent runs by.
#[derive(Debug, Clone, Copy)]
pub struct Config<'m> {
    /// Drawn at each start, at random: records that repeat one of an earlier start with its numbers are taken for repeats
    /// and dropped. The lower 53 bits count.
    pub boot_id: u64,
    /// Entropy for the back-off; two devices must not share it.
    pub seed: u32,
    /// The numbers of the MQTT session.
    pub session: Settings,
    /// A batch is closed with so many samples; 1 to 64, and what is beyond counts as the nearest of these.
    pub batch_samples: u8,
    /// A batch is closed so many milliseconds after its first reading. The hub may push another number.
    pub batch_age_ms: u32,
    /// The methods that the device does. All others are refused, whatever the hub says.
    pub methods: &'m [&'m str],
    /// The report of the crash that ended the last run, if one did. It goes before all else.
    pub crash: Option<Crash<'m>>,
}

/// A crash report.
#[derive(Debug, Clone, Copy)]
pub struct Crash<'a> {
    /// The maker's code of it: 1 to 32 bytes.
    pub code: &'a str,
    /// Place, registers, last words of the log: up to 1,024 bytes, and as many as fit into the scratch buffer.
    pub detail: &'a str,
}
