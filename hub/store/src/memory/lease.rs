//! Who writes: one hub, until the last handle on it has gone.

use super::{Hub, MemoryStore};
use crate::error::{Result, StoreError};
use crate::lease::{Lease, LeaseState, LeaseStore};
use async_trait::async_trait;
use jiff::Timestamp;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;
use uuid::Uuid;

/// The row of the lease, with the lock that falls with its holder.
#[derive(Debug, Clone, Default)]
pub(super) struct LeaseRow {
    lock: Weak<Hub>,
    holder: Option<Uuid>,
    token: i64,
    taken_at: Option<Timestamp>,
}

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
                state.lease = LeaseRow {
                    lock: Arc::downgrade(&self.hub),
                    holder: Some(holder),
                    token: state.lease.token + 1,
                    taken_at: Some(now),
                };
            }
        }
        self.hub.token.store(state.lease.token, Ordering::SeqCst);
        Ok(Some(Lease {
            token: state.lease.token,
            taken_at: state.lease.taken_at.unwrap_or(now),
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
