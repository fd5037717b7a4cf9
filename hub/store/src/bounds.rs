//! How much every store keeps and tells: bounds that are the same wherever it is kept.

use jiff::SignedDuration;

/// Attributes kept for each appliance; those that were told longest ago give way.
pub const ATTRIBUTES_MAX: usize = 256;
/// Attribute by which a device without our agent tells the version of its firmware.
pub const FIRMWARE_ATTRIBUTE: &str = "firmware";
/// Clock offsets kept for each appliance: those of its newest starts.
pub const OFFSETS_MAX: usize = 16;
/// Longest state of an appliance that is kept, in bytes.
pub const STATE_MAX: usize = 4096;
/// Commands kept for each appliance, the newest: beside those that wait, and those that have expired while nobody vouches for
/// the clock.
pub const COMMANDS_KEPT_MAX: usize = 256;
/// Longest reply to a command that is kept, in bytes.
pub const REPLY_MAX: usize = 4096;
/// Longest reason kept with a presence change, in characters.
pub const PRESENCE_REASON_MAX: usize = 200;
/// Longest reason kept of a payload in quarantine that was looked at again, in characters.
pub const QUARANTINE_REASON_MAX: usize = 1_000;
/// Most numbers that one jump of a sequence counts as missing: a device that makes its numbers up must not overflow the count.
pub const GAP_MAX: u64 = 1_000_000;
/// Most changes of access that are told at a time.
pub const CHANGES_MAX: usize = 1_000;
/// Longest name of an owner, in characters.
pub const OWNER_NAME_MAX: usize = 200;
/// Keys of repeated requests are kept for this long.
pub const KEYS_KEPT: SignedDuration = SignedDuration::from_hours(24);
