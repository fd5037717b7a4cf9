//! Readings in, devices' credentials, presence and commands.

use crate::birth::StateContent;
use crate::error::Result;
use async_trait::async_trait;
use hub_core::id::{ApplianceId, DeviceId, TenantId, TraceId};
use hub_core::profile::ApplianceProfile;
use hub_core::telemetry::{Lane, TelemetryMessage};
use jiff::Timestamp;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// A device that has shown a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its appliance.
    pub appliance: ApplianceId,
    /// Its tenant: from the credential, never from a topic.
    pub tenant: TenantId,
    /// Its name within the tenant.
    pub device: DeviceId,
    /// Name of the profile it reports by.
    pub profile: String,
}

/// A device connected or left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresenceChange {
    /// Appliance that it came from.
    pub appliance: ApplianceId,
    /// It is connected now.
    pub online: bool,
    /// Why, as the hub says it.
    pub reason: String,
    /// Time.
    pub at: Timestamp,
}

/// Most changes of presence noted at one time.
pub const PRESENCE_BATCH_MAX: usize = 1_000;

/// One publish on its way into the store.
#[derive(Debug, Clone, PartialEq)]
pub enum Ingest {
    /// Readings.
    Telemetry(TelemetryMessage),
    /// Readings of a message of which a part could not be taken.
    Partly(Box<Partly>),
    /// A device without a clock tells its uptime at a moment of UTC: `offset_ms` is UTC less uptime.
    Clock {
        /// The appliance.
        appliance: ApplianceId,
        /// Of which start.
        boot: u64,
        /// UTC less uptime, in ms.
        offset_ms: i64,
    },
    /// A payload that could not be taken, kept for a person to read.
    Quarantine(Quarantined),
    /// What a device says of itself on `d/{id}/s`, or its will says for it.
    State {
        /// The appliance.
        appliance: ApplianceId,
        /// As published. Empty with `retain` forgets what was retained (MQTT 3.1.1 §3.3.1.3).
        payload: Vec<u8>,
        /// What it says. With `retain`, a birth message is kept until a newer one comes, or a state that is none of our
        /// agent's, which takes it away.
        content: StateContent,
        /// Kept for later subscribers; otherwise only passed on.
        retain: bool,
        /// When the hub received it.
        at: Timestamp,
    },
    /// Attributes that a device tells: each replaces the one of the same name.
    Attributes {
        /// The appliance.
        appliance: ApplianceId,
        /// By name.
        values: serde_json::Map<String, serde_json::Value>,
        /// When the hub received them.
        at: Timestamp,
    },
    /// A device's answer to a command. Unknown or answered requests change nothing and count as repeated.
    Reply {
        /// The appliance.
        appliance: ApplianceId,
        /// Request id.
        request: String,
        /// As published.
        payload: Vec<u8>,
        /// When the hub received it.
        at: Timestamp,
    },
    /// Publishes that the hub dropped on the way.
    Dropped {
        /// The appliance.
        appliance: ApplianceId,
        /// How many publishes.
        count: u32,
    },
    /// QoS 2: the content is stored with the packet identifier, unless that identifier is there already (MQTT 3.1.1
    /// §4.3.3, method B); then nothing is stored and it counts as repeated.
    Once {
        /// The appliance.
        appliance: ApplianceId,
        /// Of the PUBLISH.
        packet_id: u16,
        /// What it carries; never `Once` or `Release`.
        content: Box<Ingest>,
    },
    /// QoS 2: the device has released the packet identifier (PUBREL), which may now be used again.
    Release {
        /// The appliance.
        appliance: ApplianceId,
        /// Of the PUBREL.
        packet_id: u16,
    },
    /// A payload from quarantine that can be read now: its content is stored and it leaves quarantine, both in the same
    /// transaction. If it has left before, nothing is stored and it counts as repeated.
    Replayed {
        /// The appliance.
        appliance: ApplianceId,
        /// Number in quarantine.
        number: i64,
        /// What it carries; never `Once`, `Release`, `Quarantine` or `Replayed`.
        content: Box<Ingest>,
    },
}

impl Ingest {
    /// Whose it is.
    pub fn appliance(&self) -> ApplianceId {
        match self {
            Self::Telemetry(message) => message.appliance,
            Self::Partly(partly) => partly.taken.appliance,
            Self::Quarantine(payload) => payload.appliance,
            Self::Clock { appliance, .. }
            | Self::State { appliance, .. }
            | Self::Attributes { appliance, .. }
            | Self::Reply { appliance, .. }
            | Self::Dropped { appliance, .. }
            | Self::Once { appliance, .. }
            | Self::Release { appliance, .. }
            | Self::Replayed { appliance, .. } => *appliance,
        }
    }

    /// Readings that it is, without those that something else carries.
    pub fn readings(&self) -> Option<&TelemetryMessage> {
        match self {
            Self::Telemetry(message) => Some(message),
            Self::Partly(partly) => Some(&partly.taken),
            Self::Clock { .. }
            | Self::Quarantine(_)
            | Self::State { .. }
            | Self::Attributes { .. }
            | Self::Reply { .. }
            | Self::Dropped { .. }
            | Self::Once { .. }
            | Self::Release { .. }
            | Self::Replayed { .. } => None,
        }
    }
}

/// A message of which a part could not be taken: both are stored in one transaction. The answer counts readings. Where all
/// of them were stored before, what is put aside is a repeat too, if the same payload is among the newest
/// [`ASIDE_COMPARED_MAX`] of its appliance in quarantine and came within
/// [`REPEATS_WITHIN`](hub_core::telemetry::REPEATS_WITHIN).
#[derive(Debug, Clone, PartialEq)]
pub struct Partly {
    /// Readings that were taken.
    pub taken: TelemetryMessage,
    /// The rest, as a message of its own.
    pub aside: Quarantined,
}

/// Payloads of an appliance in quarantine that one which comes again is compared with.
pub const ASIDE_COMPARED_MAX: usize = 100;

/// A payload that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Quarantined {
    /// Who sent it.
    pub appliance: ApplianceId,
    /// On which topic.
    pub topic: String,
    /// What it was, cut to [`QUARANTINE_PAYLOAD_MAX`] bytes.
    #[serde(skip)]
    pub payload: Vec<u8>,
    /// Why it was not taken, for a person.
    pub reason: String,
    /// Time of arrival.
    pub received_at: Timestamp,
}

/// Longest payload kept in quarantine, in bytes: as long as an MQTT packet may be, so that no payload fills it unless that
/// bound is set higher. One that fills it may have been longer and is not read again.
pub const QUARANTINE_PAYLOAD_MAX: usize = 16 * 1024;
/// Payloads kept in quarantine for each tenant; the oldest give way, and are counted.
pub const QUARANTINE_ROWS_MAX: i64 = 20_000;

/// What became of one publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ingested {
    /// Samples (or quarantined payloads) stored now.
    pub stored: u32,
    /// Samples that were stored before.
    pub repeated: u32,
}

/// A command on its way to a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Given by the store, counting up over all devices and never used again; 0 until it is queued.
    pub number: i64,
    /// It went out to the device before, and may have arrived. False until it is queued.
    pub sent: bool,
    /// The device takes commands in CBOR, as its birth message says. False until it is queued.
    pub takes_cbor: bool,
    /// Request id: the last topic level.
    pub request: String,
    /// Payload, JSON.
    pub body: String,
    /// Not delivered after this.
    pub expires_at: Timestamp,
}

/// Most boots whose clocks are asked for at one time.
pub const CLOCKS_BATCH_MAX: usize = 256;
/// Most devices whose commands are asked for at one time.
pub const COMMANDS_BATCH_MAX: usize = 256;
/// Most commands that wait for one device; one more is refused.
pub const COMMANDS_WAITING_MAX: i64 = 32;

/// A stored row, as a detector reads it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRow {
    /// The appliance.
    pub appliance: ApplianceId,
    /// Its partition.
    pub partition: u8,
    /// Counts up within the partition in the order of commits.
    pub ingest_no: i64,
    /// Which sequence it came in. What has none (JSON) counts as readings.
    pub lane: Lane,
    /// Event time.
    pub at: Timestamp,
    /// When the hub received it.
    pub received_at: Timestamp,
    /// By which it was written.
    pub profile: Arc<ApplianceProfile>,
    /// Stored integers by the channel order of `profile`, up to the last that is there.
    pub values: Vec<Option<i32>>,
    /// From the reading to the call.
    pub trace: TraceId,
}

/// Rows for the scorer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Unscored {
    /// By partition and commit order; of each partition the first that are not scored, without a hole.
    pub rows: Vec<StoredRow>,
    /// The limit has cut something off, or may have: look again at once. If false, nothing was left out that was committed
    /// before the look began.
    pub more: bool,
}

/// Telemetry, devices and commands.
#[async_trait]
pub trait TelemetryStore: Send + Sync {
    /// Stores a batch in one transaction. When it returns, all of it survives kill -9 of hub and database; repeats are
    /// recognised no matter who stored them. One answer for each item, in order. `Refused` if the database will never take
    /// one of them, `NotFound` if the appliance of one does not exist: then nothing of the batch is stored, and trying
    /// it again as it is is of no use.
    async fn ingest(&self, batch: &[Ingest]) -> Result<Vec<Ingested>>;

    /// UTC less uptime in ms of these boots, where the device has told it: one answer for each, in order. At most
    /// [`CLOCKS_BATCH_MAX`] are asked for.
    async fn clock_offsets(&self, boots: &[(ApplianceId, u64)]) -> Result<Vec<Option<i64>>>;

    /// Notes that devices connected or left: all of it or nothing, at most [`PRESENCE_BATCH_MAX`], each appliance once.
    async fn presence(&self, changes: &[PresenceChange]) -> Result<()>;

    /// Notes that every device that is marked as connected has left: no session outlives the program that held it.
    async fn all_offline(&self, reason: &str, at: Timestamp) -> Result<()>;

    /// Queues a command. The same `request` again changes nothing.
    async fn queue_command(&self, appliance: ApplianceId, command: &Command, now: Timestamp) -> Result<()>;

    /// Commands that wait for these devices and have not expired, oldest first of each device; at most
    /// [`COMMANDS_BATCH_MAX`] devices are asked for, each once.
    async fn commands_waiting(&self, appliances: &[ApplianceId], now: Timestamp)
    -> Result<Vec<(ApplianceId, Command)>>;

    /// Rows of every lane that have not been scored yet; at most `limit` are read. Each partition where rows wait has an
    /// equal share of that, and what one does not use goes to the others. With `families`, for a scorer that watches only
    /// appliances of these (its model's name, or else its profile's): what others have sent is read and passed over. Of that,
    /// only the last row read of a partition comes, without values, so that the scorer's offset can move on.
    async fn unscored(&self, limit: usize, families: Option<&[String]>) -> Result<Unscored>;

    /// Waits until ingest is not pressed, or `patience` has passed: readers of what was stored give way to devices that
    /// wait for their acknowledgement, but never for longer than that.
    async fn ingest_calm(&self, patience: Duration) {
        let _ = patience;
    }

    /// The scorer goes on, and what it has read last was received so long ago; zero where nothing more waits. Said after each
    /// of its looks at what is new, once all that it has scored of it is saved.
    fn scoring_is_behind(&self, by: Duration) {
        let _ = by;
    }

    /// Waits before the next batch of ingest as long as that gives way to a scorer that is far behind: for a moment, and not
    /// at all behind a small batch.
    async fn ingest_turn(&self) {}

    /// Adds rows that were committed since the last time to what is shown of their appliances (how many samples, the
    /// newest), with the counts beside them (gaps, repeats, drops, skew): about `limit` rows, each once whatever happens.
    /// Answers with how many it were; ask again until it is 0, which ends a round: what is stored while a round is under way
    /// waits for the next, so that rounds end under any load. A store that counts with the commit has nothing to do.
    async fn roll_up(&self, limit: usize) -> Result<usize> {
        let _ = limit;
        Ok(0)
    }

    /// Waits until rows may have come that are not scored yet, or `patience` has passed.
    async fn telemetry_arrived(&self, patience: Duration);

    /// Appliances for which a command may have been queued since the last look, or nothing when `patience` has passed.
    async fn command_queued(&self, patience: Duration) -> Vec<ApplianceId>;

    /// How many samples were ever stored, in all; also those that have been deleted for their age since.
    async fn samples_stored(&self) -> Result<i64>;
}
