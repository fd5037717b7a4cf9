//! Which device is on which connection now: for take-over, commands and presence. Keyed by the appliance, which is one
//! number for (tenant, device); a client identifier plays no part.

use crate::presence::Presence;
use hub_core::id::ApplianceId;
use hub_store::telemetry::Command;
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// What other tasks tell a connection.
#[derive(Debug)]
pub(crate) enum Mail {
    /// The publish of this number is committed.
    Committed(u64),
    /// A publish could not be committed in time.
    Failed,
    /// Commands that wait for the device.
    Commands(Vec<Command>),
}

/// Room in a mailbox beyond what commits can fill.
pub(crate) const MAIL_SPARE: usize = 4;

/// Where a connection is reached. The commits under way always have room in the mailbox: there are at most
/// `in_flight_max`, and commands are put in only where more than that is free.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    /// Tells connections of one device apart.
    pub(crate) number: u64,
    /// Cancelled when the same device connects again.
    pub(crate) taken_over: CancellationToken,
    /// Holds `in_flight_max` + [`MAIL_SPARE`].
    pub(crate) mailbox: mpsc::Sender<Mail>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Registry {
    connected: Mutex<HashMap<ApplianceId, Address>>,
    presence: Arc<Presence>,
}

impl Registry {
    pub(crate) fn new(presence: Arc<Presence>) -> Self {
        Self {
            connected: Mutex::default(),
            presence,
        }
    }

    /// A device has connected; an earlier connection of it is told to end.
    pub(crate) fn enter(&self, appliance: ApplianceId, address: Address, at: Timestamp) {
        let mut connected = self.lock();
        // Noted under the lock: presence must see changes of one device in their order.
        self.presence.note(appliance, true, "connected", at);
        if let Some(earlier) = connected.insert(appliance, address) {
            earlier.taken_over.cancel();
        }
    }

    /// A connection has ended; says so to presence unless the device is on a newer one.
    pub(crate) fn leave(&self, appliance: ApplianceId, number: u64, reason: &str, at: Timestamp) {
        let mut connected = self.lock();
        if connected.get(&appliance).is_some_and(|entry| entry.number == number) {
            connected.remove(&appliance);
            self.presence.note(appliance, false, reason, at);
        }
    }

    /// The mailbox of a connected device.
    pub(crate) fn mailbox(&self, appliance: ApplianceId) -> Option<mpsc::Sender<Mail>> {
        self.lock().get(&appliance).map(|entry| entry.mailbox.clone())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ApplianceId, Address>> {
        self.connected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
