//! A call of somebody whom nobody knows: what they key in is looked up, and no more is said than by when a person rings the owner.

use crate::workers::in_time;
use async_trait::async_trait;
use hub_core::call_result::Disposition;
use hub_core::clock::CivilClock;
use hub_core::id::{AttemptId, TenantId};
use hub_store::contact::ContactStore;
use hub_voice::{CallHost, CallProgress, CommitRefused};
use jiff::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Numbers that strangers may key in for one tenant within [`WINDOW`]: who tries them one after the other gets no further.
const TRIES_MAX: usize = 120;
const WINDOW: Duration = Duration::from_secs(3_600);

/// When strangers keyed numbers in, by tenant. Bounded by the tenants and [`TRIES_MAX`].
#[derive(Default)]
pub(super) struct Tries(Mutex<BTreeMap<TenantId, VecDeque<Instant>>>);

impl Tries {
    /// Whether one more is looked up; it counts if so.
    fn takes(&self, tenant: &TenantId, now: Instant) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let tries = all.entry(tenant.clone()).or_default();
        while tries
            .front()
            .is_some_and(|at| now.saturating_duration_since(*at) >= WINDOW)
        {
            tries.pop_front();
        }
        let has_room = tries.len() < TRIES_MAX;
        if has_room {
            tries.push_back(now);
        }
        has_room
    }
}

/// Whom such a call works for: it has no attempt, and its record is not kept.
pub(super) struct StrangerHost {
    pub(super) contacts: Arc<dyn ContactStore>,
    pub(super) clock: Arc<dyn CivilClock>,
    pub(super) tries: Arc<Tries>,
    pub(super) tenant: TenantId,
    /// Time that the call says.
    pub(super) rings_by: Timestamp,
}

#[async_trait]
impl CallHost for StrangerHost {
    async fn progress(&self, _: AttemptId, _: CallProgress) {}

    /// The flow of such a call saves nothing by a key.
    async fn commit(&self, _: AttemptId, _: Disposition) -> Result<(), CommitRefused> {
        Err(CommitRefused)
    }

    async fn find(&self, _: AttemptId, figures: &str) -> bool {
        let tenant = &self.tenant;
        if !self.tries.takes(tenant, Instant::now()) {
            tracing::warn!(%tenant, "callers whom nobody knows have keyed in too many numbers; the rest of this hour is not looked up");
            return false;
        }
        let now = self.clock.now();
        let named = self.contacts.name_by_keys(tenant, figures, self.rings_by, now);
        match in_time(named).await {
            Ok(is_named) => is_named,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "what a caller keyed in could not be looked up"
                );
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strangers_key_in_is_looked_up_so_often_an_hour_and_tenant() {
        let (tries, start) = (Tries::default(), Instant::now());
        let [acme, beta] = ["acme", "beta"].map(|id| TenantId::new(id).unwrap());
        for _ in 0..TRIES_MAX {
            assert!(tries.takes(&acme, start));
        }
        assert!(!tries.takes(&acme, start + WINDOW - Duration::from_secs(1)));
        assert!(tries.takes(&beta, start), "another tenant's callers");
        assert!(tries.takes(&acme, start + WINDOW));
    }
}
