//! Who is there, told to the store. The session is the truth: it is noted here when it opens and closes, and a worker
//! writes the newest state of each device: the first change at once, then some times a second at most. States in between are
//! skipped, never the last one.

use hub_core::id::ApplianceId;
use hub_store::DoorStore;
use hub_store::telemetry::{PRESENCE_BATCH_MAX, PresenceChange};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

#[derive(Debug, Clone)]
struct State {
    online: bool,
    reason: String,
    at: Timestamp,
}

/// Changes that wait to be written: at most one for each device that the store knows.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    changed: Mutex<BTreeMap<ApplianceId, State>>,
    wake: Notify,
}

impl Presence {
    /// A device came or left.
    pub(crate) fn note(&self, appliance: ApplianceId, online: bool, reason: &str, at: Timestamp) {
        let reason = reason.to_owned();
        self.lock().insert(appliance, State { online, reason, at });
        self.wake.notify_one();
    }

    /// Writes changes until `end` is cancelled, and then once more what is left, within `patience` in all.
    pub(crate) async fn run(self: Arc<Self>, store: Arc<dyn DoorStore>, patience: Duration, end: CancellationToken) {
        loop {
            let ending = end.is_cancelled();
            let written = self.write(store.as_ref(), patience);
            if ending {
                if timeout(patience, written).await.is_err() {
                    tracing::warn!("presence not stored in time: the next start corrects it");
                }
                return;
            }
            let written = written.await;
            let pause = if written { GATHER } else { RETRY };
            tokio::select! { () = sleep(pause) => {} () = end.cancelled() => {} }
            if !written {
                continue;
            }
            tokio::select! { () = self.wake.notified() => {} () = end.cancelled() => {} }
        }
    }

    /// Whether everything was written.
    async fn write(&self, store: &dyn DoorStore, patience: Duration) -> bool {
        let mut changed = std::mem::take(&mut *self.lock());
        while !changed.is_empty() {
            let batch: Vec<PresenceChange> = changed.iter().take(PRESENCE_BATCH_MAX).map(change).collect();
            let failed = match timeout(patience, store.presence(&batch)).await {
                Ok(Ok(())) => {
                    for written in &batch {
                        changed.remove(&written.appliance);
                    }
                    continue;
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer in time".to_owned(),
            };
            tracing::warn!(devices = changed.len(), failed, "presence not stored, trying again");
            self.put_back(changed);
            return false;
        }
        true
    }

    /// What was not written, unless something newer is known.
    fn put_back(&self, unwritten: BTreeMap<ApplianceId, State>) {
        let mut changed = self.lock();
        for (appliance, state) in unwritten {
            changed.entry(appliance).or_insert(state);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ApplianceId, State>> {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Pause after a write: a device that comes and goes meanwhile is one change of the next.
const GATHER: Duration = Duration::from_millis(100);
/// Pause after the store failed.
const RETRY: Duration = Duration::from_secs(1);

fn change((appliance, state): (&ApplianceId, &State)) -> PresenceChange {
    PresenceChange {
        appliance: *appliance,
        online: state.online,
        reason: state.reason.clone(),
        at: state.at,
    }
}
