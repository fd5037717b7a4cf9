//! Access that changes while clients are connected: who lost it is cut within a second, and TLS learns of new authorities.

use crate::socket::{self, Tls};
use crate::work::Shared;
use hub_store::access::AccessChange;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

/// How long the store is asked to wait for a change.
const WATCH: Duration = Duration::from_secs(10);
/// Pause after something did not work.
const RETRY: Duration = Duration::from_millis(200);

/// Cuts whoever is connected with an access that changed, for ever.
pub(crate) async fn watch_access(shared: Arc<Shared>, authorities: watch::Sender<()>) {
    loop {
        let asked = Instant::now();
        let answer = timeout(WATCH + shared.config.store_patience, shared.store.access_changed(WATCH)).await;
        let changes = match answer {
            Ok(Ok(changes)) => changes,
            Ok(Err(error)) => {
                tracing::warn!(%error, "changes of access not read, trying again");
                Vec::new()
            }
            Err(_) => {
                tracing::warn!("changes of access not read in time, trying again");
                Vec::new()
            }
        };
        if changes.is_empty() && asked.elapsed() < WATCH / 2 {
            // The store came back early with nothing: it is in trouble, so it is not asked in a tight loop.
            sleep(RETRY).await;
        }
        for change in changes {
            if let AccessChange::Authorities(tenant) = &change {
                tracing::info!(%tenant, "certificate authorities changed");
                authorities.send_replace(());
            }
            shared.registry.changed(&change);
        }
    }
}

/// Keeps TLS up to date, for ever.
pub(crate) async fn watch_tls(shared: Arc<Shared>, tls: Arc<Tls>, changed: watch::Receiver<()>) {
    let ask = || async {
        match timeout(shared.config.store_patience, shared.store.authorities()).await {
            Ok(Ok(authorities)) => Some(authorities),
            Ok(Err(error)) => {
                tracing::warn!(%error, "certificate authorities not read, trying again");
                None
            }
            Err(_) => {
                tracing::warn!("certificate authorities not read in time, trying again");
                None
            }
        }
    };
    socket::watch(tls, changed, ask).await;
}
