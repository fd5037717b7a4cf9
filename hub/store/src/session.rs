//! What of a device's MQTT session outlives its connection and the hub's own end.

use crate::error::Result;
use async_trait::async_trait;
use hub_core::id::{ApplianceId, TenantId};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use std::time::Duration;

/// A session that is kept while its device is away.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeptSession {
    /// Kept for so long after the device left.
    pub expiry_s: u32,
    /// Granted filters with their QoS, at most [`SUBSCRIPTIONS_MAX`].
    pub subscriptions: Vec<(String, u8)>,
    /// Packet identifiers of QoS 2 publishes that are stored and that the device has not released yet.
    pub unreleased: Vec<u16>,
}

/// Whether a session that is kept for so long is over. `left_at` is none while the device is connected. The greatest expiry never
/// comes (MQTT 5 §3.1.2.11.2).
pub fn is_expired(expiry_s: u32, left_at: Option<Timestamp>, now: Timestamp) -> bool {
    let kept_for = SignedDuration::from_secs(i64::from(expiry_s));
    expiry_s < u32::MAX && left_at.is_some_and(|at| now.duration_since(at) >= kept_for)
}

/// What becomes of a device's session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionChange {
    /// One begins: whatever was left of an earlier one is forgotten with its packet identifiers, and this is kept.
    Begin(KeptSession),
    /// One begins or goes on: this is kept from now on. Its packet identifiers stay as they are.
    Keep(KeptSession),
    /// It is forgotten with its packet identifiers.
    Forget,
}

impl SessionChange {
    /// What is kept from now on.
    pub fn kept(&self) -> Option<&KeptSession> {
        match self {
            Self::Begin(session) | Self::Keep(session) => Some(session),
            Self::Forget => None,
        }
    }

    /// Whether packet identifiers that are held are forgotten.
    pub fn forgets(&self) -> bool {
        match self {
            Self::Begin(_) | Self::Forget => true,
            Self::Keep(_) => false,
        }
    }
}

/// Most sessions changed at one time.
pub const SESSION_BATCH_MAX: usize = 256;
/// Most filters of one session: more than the contract lists.
pub const SUBSCRIPTIONS_MAX: usize = 16;

/// What a device said last of itself, or its will said for it: kept for clients that subscribe later (MQTT 5 §3.3.1.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetainedState {
    /// Device that published it.
    pub device: String,
    /// As published on `d/{id}/s`.
    pub payload: Vec<u8>,
    /// Time.
    pub at: Timestamp,
}

/// Sessions, retained state and attributes.
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// Keeps and forgets sessions: all of it or nothing, at most [`SESSION_BATCH_MAX`], each appliance once. Packet identifiers
    /// are kept by ingest itself. Expiry counts from the moment at which the device leaves, or the hub starts again, and never
    /// from before `now`. `Refused` where one of them has too many filters or no appliance, `Deposed` without the lease. After
    /// `Unavailable` it may be done or not; nothing of it is done later than what is asked for next.
    async fn change_sessions(&self, changes: &[(ApplianceId, SessionChange)], now: Timestamp) -> Result<()>;

    /// Notes that these commands went out to the device (`acknowledged` false), or that it has taken them (true).
    async fn commands_passed(
        &self,
        appliance: ApplianceId,
        requests: &[String],
        acknowledged: bool,
        now: Timestamp,
    ) -> Result<()>;

    /// Retained states of a tenant's devices by name, after `after`, at most `limit`.
    async fn retained_states(&self, tenant: &TenantId, after: Option<&str>, limit: usize)
    -> Result<Vec<RetainedState>>;

    /// Attributes of a device: those it told (`client`) and those told to it (`shared`), each by name. An empty list of
    /// names asks for none, `None` for all.
    async fn attributes(
        &self,
        appliance: ApplianceId,
        client: Option<&[String]>,
        shared: Option<&[String]>,
    ) -> Result<Attributes>;

    /// Appliances that may have been told attributes since the last look, or nothing when `patience` has passed.
    async fn attributes_shared(&self, patience: Duration) -> Vec<ApplianceId>;
}

/// See [`SessionStore::attributes`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Attributes {
    /// Told by the device.
    pub client: Map<String, Value>,
    /// Told to the device.
    pub shared: Map<String, Value>,
}
