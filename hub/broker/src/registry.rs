//! Who is on which connection now: for take-over, commands, presence, revocation and the hub's end. A client identifier
//! plays no part: devices are known by their appliance, which is one number for (tenant, device).

use crate::mailbox::{Cut, Mailbox};
use crate::presence::Presence;
use hub_core::id::{ApplianceId, TenantId};
use hub_store::access::AccessChange;
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What take-over and quotas go by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Identity {
    /// An appliance's device: one connection at a time.
    Device(ApplianceId),
    /// An integrator of a tenant, by name: its programs may be connected side by side.
    Integrator(TenantId, String),
    /// A claim credential of a tenant, by name: many devices may use it at a time.
    Claimant(TenantId, String),
}

impl Identity {
    /// Whether a new connection ends the one before.
    pub(crate) fn is_one(&self) -> bool {
        matches!(self, Self::Device(_))
    }

    fn device(&self) -> Option<ApplianceId> {
        match self {
            Self::Device(appliance) => Some(*appliance),
            Self::Integrator(..) | Self::Claimant(..) => None,
        }
    }
}

#[derive(Debug)]
struct Entry {
    mailbox: Arc<Mailbox>,
    /// Once it is let in: who, and the tenant whose authority signed its certificate, if it came by one.
    known: Option<(Identity, Option<TenantId>)>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Every connection by its number.
    open: HashMap<u64, Entry>,
    /// The newest connection of each that may have only one.
    newest: HashMap<Identity, u64>,
    /// Counts changes of access.
    changes: u64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Registry {
    inner: Mutex<Inner>,
    presence: Arc<Presence>,
}

impl Registry {
    pub(crate) fn new(presence: Arc<Presence>) -> Self {
        Self {
            inner: Mutex::default(),
            presence,
        }
    }

    /// A connection was accepted.
    pub(crate) fn open(&self, number: u64, mailbox: Arc<Mailbox>) {
        let known = None;
        self.lock().open.insert(number, Entry { mailbox, known });
    }

    /// How many changes of access there were: to be asked before the store is, and given to [`Registry::enter`].
    pub(crate) fn changes(&self) -> u64 {
        self.lock().changes
    }

    /// A client is let in; an earlier connection of it is told to end. False where access has changed since `changes`:
    /// then what the store said may be out of date.
    pub(crate) fn enter(
        &self,
        number: u64,
        identity: &Identity,
        certified: Option<TenantId>,
        changes: u64,
        at: Timestamp,
    ) -> bool {
        let mut inner = self.lock();
        if inner.changes != changes {
            return false;
        }
        let Some(entry) = inner.open.get_mut(&number) else {
            return false;
        };
        entry.known = Some((identity.clone(), certified));
        if let Some(appliance) = identity.device() {
            // Noted under the lock: presence must see changes of one device in their order.
            self.presence.note(appliance, true, "connected", at);
        }
        if identity.is_one()
            && let Some(earlier) = inner.newest.insert(identity.clone(), number)
            && let Some(earlier) = inner.open.get(&earlier)
        {
            earlier.mailbox.cut(Cut::TakenOver);
        }
        true
    }

    /// A connection has ended. Says so to presence, and gives true, unless the same client is on a newer one.
    pub(crate) fn leave(&self, number: u64, reason: &str, at: Timestamp) -> bool {
        let mut inner = self.lock();
        let entry = inner.open.remove(&number);
        let Some((identity, _)) = entry.and_then(|entry| entry.known) else {
            return false;
        };
        if identity.is_one() {
            if inner.newest.get(&identity) != Some(&number) {
                return false;
            }
            inner.newest.remove(&identity);
        }
        if let Some(appliance) = identity.device() {
            self.presence.note(appliance, false, reason, at);
        }
        true
    }

    /// A connection has ended without being let in.
    pub(crate) fn forget(&self, number: u64) {
        self.lock().open.remove(&number);
    }

    /// The mailbox of a connected device.
    pub(crate) fn mailbox(&self, appliance: ApplianceId) -> Option<Arc<Mailbox>> {
        let inner = self.lock();
        let number = inner.newest.get(&Identity::Device(appliance))?;
        inner.open.get(number).map(|entry| Arc::clone(&entry.mailbox))
    }

    /// Cuts whoever is connected with an access that has changed.
    pub(crate) fn changed(&self, change: &AccessChange) {
        let mut inner = self.lock();
        inner.changes += 1;
        let concerned = |(identity, certified): &(Identity, Option<TenantId>)| match change {
            AccessChange::Device(appliance) => *identity == Identity::Device(*appliance),
            AccessChange::Integrator { tenant, name } => {
                matches!(identity, Identity::Integrator(t, n) if t == tenant && n == name)
            }
            AccessChange::Claimant { tenant, name } => {
                matches!(identity, Identity::Claimant(t, n) if t == tenant && n == name)
            }
            AccessChange::Authorities(tenant) => certified.as_ref() == Some(tenant),
        };
        for entry in inner.open.values() {
            if entry.known.as_ref().is_some_and(concerned) {
                entry.mailbox.cut(Cut::Revoked);
            }
        }
    }

    /// The hub stops: every connection is told.
    pub(crate) fn stop(&self) {
        for entry in self.lock().open.values() {
            entry.mailbox.post(|letters| letters.stopping = true);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
