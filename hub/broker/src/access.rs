//! Access that changes while clients are connected: who lost it is cut within a second, and TLS learns of new authorities.

use crate::registry::Proof;
use crate::socket::{self, Tls};
use crate::work::Shared;
use hub_core::id::TenantId;
use hub_store::access::{AccessChange, Principal};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// How long the store is asked to wait for a change.
pub const WATCH: Duration = Duration::from_secs(10);
/// Pause after something did not work.
const RETRY: Duration = Duration::from_millis(200);
/// What could not be done at once is done within the second, too.
const _: () = assert!(RETRY.as_millis() < 1_000);
/// Clients asked about at one time.
const BATCH_MAX: usize = 256;

/// What could not be done yet.
#[derive(Default)]
struct Owed {
    /// TLS has not read their new authorities, so that who was cut may have come in again by the old ones.
    tenants: BTreeSet<TenantId>,
    /// The store may have told changes that did not arrive: each is told once.
    everything: bool,
}

/// Cuts the clients that are connected with an access that changed, without end.
pub(crate) async fn watch_access(shared: Arc<Shared>, tls: Option<Arc<Tls>>) {
    let mut owed = Owed::default();
    loop {
        let patience = if owed.everything || !owed.tenants.is_empty() {
            RETRY
        } else {
            WATCH
        };
        let asked = Instant::now();
        let answer = timeout(
            patience + shared.config.store_patience,
            shared.store.access_changed(patience),
        );
        let answer = match answer.await {
            Ok(Ok(changes)) => Ok(changes),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no answer in time".to_owned()),
        };
        let changes = match answer {
            Ok(changes) => changes,
            Err(failed) => {
                tracing::warn!(failed, "changes of access not read, trying again");
                owed.everything = true;
                sleep(RETRY).await;
                continue;
            }
        };
        if changes.is_empty() && asked.elapsed() < patience / 2 {
            // The store came back early with nothing: it is in trouble, so it is not asked in a tight loop.
            sleep(RETRY).await;
        }
        owed.act(&shared, tls.as_deref(), changes).await;
    }
}

impl Owed {
    async fn act(&mut self, shared: &Shared, tls: Option<&Tls>, changes: Vec<AccessChange>) {
        let mut tenants = BTreeSet::new();
        for change in changes {
            match change {
                AccessChange::Authorities(tenant) => {
                    tracing::info!(%tenant, "certificate authorities changed");
                    tenants.insert(tenant);
                }
                change => shared.registry.changed(&change),
            }
        }
        if tenants.is_empty() && self.tenants.is_empty() && !self.everything {
            return;
        }
        let read = match tls {
            Some(tls) => reload(shared, tls).await,
            None => true,
        };
        // Cut only now: who comes again meets the new authorities. Where these could not be read it is cut all the same,
        // and once more when they are.
        for tenant in &tenants {
            shared.registry.changed(&AccessChange::Authorities(tenant.clone()));
        }
        if !read {
            return self.tenants.append(&mut tenants);
        }
        for tenant in std::mem::take(&mut self.tenants) {
            shared.registry.changed(&AccessChange::Authorities(tenant));
        }
        self.everything = self.everything && !ask_again(shared).await;
    }
}

/// Asks the store about everybody who is connected, and cuts who has no access any more; false where it does not answer.
async fn ask_again(shared: &Shared) -> bool {
    let entered = shared.registry.ask_again();
    for some in entered.chunks(BATCH_MAX) {
        let shown: Vec<_> = some.iter().map(|(_, proof)| proof.credential.clone()).collect();
        let asked = shared.store.identify(&shown, shared.clock.now());
        let principals = match timeout(shared.config.store_patience, asked).await {
            Ok(Ok(principals)) if principals.len() == some.len() => principals,
            _ => {
                tracing::warn!("access of who is connected not checked, trying again");
                return false;
            }
        };
        for ((number, proof), principal) in some.iter().zip(principals) {
            if !principal.is_some_and(|principal| holds(proof, &principal)) {
                shared.registry.revoke(*number);
            }
        }
    }
    tracing::info!(clients = entered.len(), "access of who is connected checked");
    true
}

fn holds(proof: &Proof, principal: &Principal) -> bool {
    let (identity, ..) = crate::connection::identity(principal);
    let filters = match principal {
        Principal::Integrator(integrator) => integrator.filters.as_slice(),
        Principal::Device(..) | Principal::Claimant(_) => &[],
    };
    proof.identity == identity && proof.filters == filters
}

/// Keeps TLS up to date with its files, without end.
pub(crate) async fn watch_tls(shared: Arc<Shared>, tls: Arc<Tls>) {
    socket::watch(&tls, || reload(&shared, &tls)).await;
}

/// Reads certificate and authorities again, and cuts who is connected by authorities that are others now. False where the
/// store did not answer.
async fn reload(shared: &Shared, tls: &Tls) -> bool {
    // One at a time: an earlier answer must not replace a later one.
    let _turn = tls.reloading.lock().await;
    let authorities = match timeout(shared.config.store_patience, shared.store.authorities()).await {
        Ok(Ok(authorities)) => authorities,
        Ok(Err(error)) => {
            tracing::warn!(%error, "certificate authorities not read, trying again");
            return false;
        }
        Err(_) => {
            tracing::warn!("certificate authorities not read in time, trying again");
            return false;
        }
    };
    for tenant in tls.reload(authorities, &shared.counters) {
        shared.registry.changed(&AccessChange::Authorities(tenant));
    }
    true
}
