//! Who is on which connection now: for take-over, commands, presence, revocation and the hub's end. A client identifier
//! plays no part: devices are known by their appliance, which is one number for (tenant, device).

use crate::mailbox::{Cut, Mailbox};
use crate::presence::Presence;
use hub_core::id::{ApplianceId, TenantId};
use hub_store::access::{AccessChange, Credential};
use jiff::Timestamp;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

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

/// By what a client was let in.
#[derive(Debug, Clone)]
pub(crate) struct Proof {
    pub(crate) credential: Credential,
    pub(crate) identity: Identity,
    /// Of an integrator.
    pub(crate) filters: Vec<String>,
}

#[derive(Debug)]
struct Entry {
    mailbox: Arc<Mailbox>,
    /// Once its credential is known to be right: who.
    identity: Option<Identity>,
    /// The tenant whose authority signed its certificate, if it showed one.
    certified: Option<TenantId>,
    /// Once it was let in.
    proof: Option<Box<Proof>>,
    /// It was let in, and has not left.
    entered: bool,
    /// It is to tell of the client's absence: it was let in, or took over from one that was.
    present: bool,
    /// Told, by being dropped, when the connection has ended.
    followers: Vec<oneshot::Sender<()>>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Every connection by its number, until all that it had to do is done.
    open: HashMap<u64, Entry>,
    /// Connections of each that may have only one, the newest last.
    holders: HashMap<Identity, Vec<u64>>,
    /// Counts changes of access.
    changes: u64,
    /// The newest of them, at most [`RECENT_MAX`].
    recent: VecDeque<AccessChange>,
}

impl Inner {
    fn is_newest(&self, number: u64, identity: &Identity) -> bool {
        let holders = self.holders.get(identity);
        !identity.is_one() || holders.and_then(|holders| holders.last()) == Some(&number)
    }

    /// Whether what the store said when there were `since` changes may be out of date for this client.
    fn is_stale(&self, since: u64, identity: &Identity) -> bool {
        let missed = usize::try_from(self.changes.saturating_sub(since)).unwrap_or(usize::MAX);
        let known = self.recent.iter().rev().take(missed);
        missed > self.recent.len() || known.into_iter().any(|change| concerns(change, identity))
    }
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
        let entry = Entry {
            mailbox,
            identity: None,
            certified: None,
            proof: None,
            entered: false,
            present: false,
            followers: Vec::new(),
        };
        self.lock().open.insert(number, entry);
    }

    /// A client has shown a certificate of an authority of this tenant.
    pub(crate) fn certify(&self, number: u64, tenant: &TenantId) {
        if let Some(entry) = self.lock().open.get_mut(&number) {
            entry.certified = Some(tenant.clone());
        }
    }

    /// How many changes of access there were: to be asked before the store is, and given to [`Registry::enter`].
    pub(crate) fn changes(&self) -> u64 {
        self.lock().changes
    }

    /// Whether access of this client has changed since there were `changes`.
    pub(crate) fn is_stale(&self, changes: u64, identity: &Identity) -> bool {
        self.lock().is_stale(changes, identity)
    }

    /// A client has shown a right credential. Earlier connections of it are told to end; what is given resolves when they
    /// have, with everything they had to do: only then the store's word on the session holds.
    pub(crate) fn claim(&self, number: u64, identity: &Identity) -> Vec<oneshot::Receiver<()>> {
        let mut inner = self.lock();
        let Inner { open, holders, .. } = &mut *inner;
        let mut ends = Vec::new();
        let mut present = false;
        if identity.is_one() {
            let holders = holders.entry(identity.clone()).or_insert_with(|| Vec::with_capacity(1));
            for earlier in holders.iter() {
                let Some(earlier) = open.get_mut(earlier) else { continue };
                earlier.mailbox.cut(Cut::TakenOver);
                present |= earlier.present;
                let (sender, end) = oneshot::channel();
                earlier.followers.push(sender);
                ends.push(end);
            }
            holders.push(number);
        }
        if let Some(entry) = open.get_mut(&number) {
            entry.identity = Some(identity.clone());
            entry.present = present;
        }
        ends
    }

    /// A client is let in. False where its access has changed since `changes`, or the client has connected again: then what
    /// the store said may be out of date.
    pub(crate) fn enter(&self, number: u64, proof: Box<Proof>, changes: u64, at: Timestamp) -> bool {
        let mut inner = self.lock();
        let identity = inner.open.get(&number).and_then(|entry| entry.identity.clone());
        let Some(identity) = identity.filter(|identity| inner.is_newest(number, identity)) else {
            return false;
        };
        let current = !inner.is_stale(changes, &identity);
        let Some(entry) = inner.open.get_mut(&number).filter(|_| current) else {
            return false;
        };
        entry.proof = Some(proof);
        entry.entered = true;
        entry.present = true;
        if let Some(appliance) = identity.device() {
            // Noted under the lock: presence must see changes of one device in their order.
            self.presence.note(appliance, true, "connected", at);
        }
        true
    }

    /// A connection is about to end. Says so to presence, and gives true, unless the same client is on a newer one.
    pub(crate) fn leave(&self, number: u64, reason: &str, at: Timestamp) -> bool {
        let mut inner = self.lock();
        let Some(entry) = inner.open.get_mut(&number) else {
            return false;
        };
        entry.entered = false;
        let present = entry.present;
        let Some(identity) = entry.identity.clone() else {
            return false;
        };
        if !inner.is_newest(number, &identity) {
            return false;
        }
        if let Some(entry) = inner.open.get_mut(&number) {
            entry.present = false;
        }
        if let Some(appliance) = identity.device().filter(|_| present) {
            self.presence.note(appliance, false, reason, at);
        }
        true
    }

    /// A connection has done all that it had to do.
    pub(crate) fn forget(&self, number: u64) {
        let mut inner = self.lock();
        let Some(entry) = inner.open.remove(&number) else {
            return;
        };
        let Some(identity) = entry.identity.filter(Identity::is_one) else {
            return;
        };
        if let Some(holders) = inner.holders.get_mut(&identity) {
            holders.retain(|holder| *holder != number);
            if holders.is_empty() {
                inner.holders.remove(&identity);
            }
        }
    }

    /// The mailbox of a connected device.
    pub(crate) fn mailbox(&self, appliance: ApplianceId) -> Option<Arc<Mailbox>> {
        let inner = self.lock();
        let number = inner.holders.get(&Identity::Device(appliance))?.last()?;
        let entry = inner.open.get(number).filter(|entry| entry.entered)?;
        Some(Arc::clone(&entry.mailbox))
    }

    /// Cuts the clients that are connected with an access that has changed; by certificate, also those not let in yet.
    pub(crate) fn changed(&self, change: &AccessChange) {
        let mut inner = self.lock();
        inner.changes += 1;
        if inner.recent.len() == RECENT_MAX {
            inner.recent.pop_front();
        }
        inner.recent.push_back(change.clone());
        let concerned = |entry: &Entry| match change {
            AccessChange::Authorities(tenant) => entry.certified.as_ref() == Some(tenant),
            _ => entry
                .identity
                .as_ref()
                .is_some_and(|identity| concerns(change, identity)),
        };
        for entry in inner.open.values().filter(|entry| concerned(entry)) {
            entry.mailbox.cut(Cut::Revoked);
        }
    }

    /// Changes may have been missed: everyone who was let in, to be asked about again. Who is about to be let in by an
    /// earlier word of the store is not.
    pub(crate) fn ask_again(&self) -> Vec<(u64, Box<Proof>)> {
        let mut inner = self.lock();
        inner.changes += 1;
        inner.recent.clear();
        let entered = inner.open.iter().filter(|(_, entry)| entry.entered);
        let proof = |(number, entry): (&u64, &Entry)| Some((*number, entry.proof.clone()?));
        entered.filter_map(proof).collect()
    }

    /// Cuts a client that has no access any more.
    pub(crate) fn revoke(&self, number: u64) {
        if let Some(entry) = self.lock().open.get(&number) {
            entry.mailbox.cut(Cut::Revoked);
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

/// Whether a change is about this client's own credential; authorities are looked at apart.
fn concerns(change: &AccessChange, identity: &Identity) -> bool {
    match (change, identity) {
        (AccessChange::Device(appliance), identity) => identity.device() == Some(*appliance),
        (AccessChange::Integrator { tenant, name }, Identity::Integrator(t, n))
        | (AccessChange::Claimant { tenant, name }, Identity::Claimant(t, n)) => t == tenant && n == name,
        _ => false,
    }
}

/// Changes of access that log-ins under way are compared with; a log-in that missed more is asked again.
const RECENT_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use hub_core::id::DeviceId;
    use std::future::poll_fn;
    use std::task::Poll;

    fn acme() -> TenantId {
        TenantId::new("acme").unwrap()
    }

    fn proof(appliance: i64) -> Box<Proof> {
        let device = DeviceId::new("washer").unwrap();
        Box::new(Proof {
            credential: Credential::Certificate { tenant: acme(), device },
            identity: Identity::Device(ApplianceId(appliance)),
            filters: Vec::new(),
        })
    }

    fn claimed(registry: &Registry, number: u64, appliance: i64) -> Arc<Mailbox> {
        let mailbox = Arc::new(Mailbox::default());
        registry.open(number, Arc::clone(&mailbox));
        registry.claim(number, &Identity::Device(ApplianceId(appliance)));
        mailbox
    }

    async fn cut(mailbox: &Mailbox) -> Option<Cut> {
        poll_fn(|cx| {
            Poll::Ready(match mailbox.poll(cx) {
                Poll::Ready(letters) => letters.cut,
                Poll::Pending => None,
            })
        })
        .await
    }

    #[tokio::test]
    async fn who_has_shown_a_certificate_is_cut_before_it_is_let_in() {
        let registry = Registry::new(Arc::default());
        let (certified, other) = (Arc::new(Mailbox::default()), Arc::new(Mailbox::default()));
        registry.open(1, Arc::clone(&certified));
        registry.open(2, Arc::clone(&other));
        registry.certify(1, &acme());
        registry.changed(&AccessChange::Authorities(acme()));
        assert_eq!(cut(&certified).await, Some(Cut::Revoked));
        assert_eq!(cut(&other).await, None);
    }

    #[test]
    fn only_a_change_of_its_own_access_keeps_a_client_out() {
        let registry = Registry::new(Arc::default());
        let at = Timestamp::UNIX_EPOCH;
        let _mailboxes = [1, 2, 3, 4].map(|number| claimed(&registry, number, number as i64));
        let before = registry.changes();
        registry.changed(&AccessChange::Device(ApplianceId(1)));
        assert!(!registry.enter(1, proof(1), before, at));
        assert!(registry.enter(2, proof(2), before, at));
        // What was missed may be anything.
        assert_eq!(registry.ask_again().len(), 1, "who was let in");
        assert!(!registry.enter(3, proof(3), before, at));
        let now = registry.changes();
        for _ in 0..RECENT_MAX {
            registry.changed(&AccessChange::Device(ApplianceId(9)));
        }
        assert!(registry.enter(3, proof(3), now, at));
        registry.changed(&AccessChange::Device(ApplianceId(9)));
        assert!(!registry.enter(4, proof(4), now, at), "more than is remembered");
        assert_eq!(registry.lock().recent.len(), RECENT_MAX);
    }
}
