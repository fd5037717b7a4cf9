//! Who writes: one hub, until the last handle on it has gone.

use super::MemoryStore;
use super::state::{LeaseRow, State};
use crate::error::{Result, StoreError};
use crate::lease::{Lease, LeaseState, LeaseStore};
use async_trait::async_trait;
use hub_core::witness::LEAD_MAX;
use jiff::Timestamp;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use uuid::Uuid;

impl MemoryStore {
    /// Refuses a hub that does not hold the lease. The caller looks before it takes the state, which nobody else can change
    /// in between to another holder while this hub lives.
    pub(super) fn check_lease(&self) -> Result<()> {
        if self.has_lease() {
            Ok(())
        } else {
            Err(StoreError::Deposed)
        }
    }

    /// Notes for the next holder how late it is at the least. The caller holds the lease.
    pub(super) fn note_vouched(&self, at: Timestamp) {
        self.state().lease.vouched_at = Some(at);
    }
}

impl State {
    /// What the holders before have stamped by `now`; where there are readings, the earlier of that and of the newest time that
    /// one of them states, and nothing if these are more than a day apart.
    fn stamped(&self, now: Timestamp) -> Option<Timestamp> {
        let rows = || self.telemetry.partitions.iter().flatten();
        let received = rows().map(|row| row.stored.received_at).filter(|at| *at <= now);
        let Some(received) = received.max() else {
            return self.lease.taken_at.filter(|at| *at <= now);
        };
        let stated = rows().map(|row| row.stored.at).max()?;
        let apart = received.duration_since(stated).abs();
        (apart <= LEAD_MAX).then_some(received.min(stated))
    }
}

#[async_trait]
impl LeaseStore for MemoryStore {
    async fn take_lease(&self, now: Timestamp) -> Result<Option<Lease>> {
        let mut state = self.state();
        let alive = state.lease.lock.upgrade();
        match alive {
            Some(holder) if !Arc::ptr_eq(&holder, &self.hub) => return Ok(None),
            Some(_) => {}
            None => {
                let holder = Uuid::from_bytes(state.random());
                let before = &state.lease;
                let vouched_at = before.vouched_at.or_else(|| state.stamped(now));
                *self.hub.vouched_before.lock().unwrap_or_else(PoisonError::into_inner) = vouched_at;
                state.lease = LeaseRow {
                    lock: Arc::downgrade(&self.hub),
                    holder: Some(holder),
                    token: state.lease.token + 1,
                    taken_at: Some(now),
                    vouched_at,
                };
            }
        }
        self.hub.token.store(state.lease.token, Ordering::SeqCst);
        Ok(Some(Lease {
            token: state.lease.token,
            taken_at: state.lease.taken_at.unwrap_or(now),
            vouched_at: *self.hub.vouched_before.lock().unwrap_or_else(PoisonError::into_inner),
        }))
    }

    async fn lease_lost(&self, patience: Duration) -> bool {
        let had_one = self.hub.token.load(Ordering::SeqCst) > 0;
        if !had_one || self.has_lease() {
            tokio::time::sleep(patience).await;
        }
        had_one && !self.has_lease()
    }

    async fn lease_state(&self) -> Result<LeaseState> {
        let lease = self.state().lease.clone();
        Ok(LeaseState {
            held: lease.lock.strong_count() > 0,
            holder: lease.holder,
            token: lease.token,
            taken_at: lease.taken_at,
        })
    }

    fn has_lease(&self) -> bool {
        let token = self.hub.token.load(Ordering::SeqCst);
        token > 0 && self.state().lease.token == token
    }
}
