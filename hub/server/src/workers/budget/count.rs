//! Breakers count the tickets that were opened, each minute and for every family that has a ledger.
//!
//! A ledger is kept only where the count says something. Until when nothing was opened otherwise is known here; a hub that begins takes it
//! that nothing was, until a minute ago: whatever is opened is counted and kept within a minute.

use super::{LOOK, Place, log, settled};
use crate::workers::{Figures, in_time};
use hub_core::clock::CivilClock;
use hub_store::budget::BudgetStore;
use hub_store::error::{Result, StoreError};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Counts.
pub(super) struct Counter {
    store: Arc<dyn BudgetStore>,
    clock: Arc<dyn CivilClock>,
    figures: Arc<Figures>,
    seen: BTreeMap<Place, Seen>,
}

/// What was seen of a family.
#[derive(Debug, Clone, Copy)]
struct Seen {
    /// Tickets that were opened before are counted.
    to: Timestamp,
    /// Appliance models whose calls have stopped.
    stopped: u64,
}

impl Counter {
    pub(super) fn new(store: Arc<dyn BudgetStore>, clock: Arc<dyn CivilClock>, figures: Arc<Figures>) -> Self {
        Self {
            store,
            clock,
            figures,
            seen: BTreeMap::new(),
        }
    }

    /// Counts for each family once. What fails for one holds up no other.
    pub(super) async fn round(&mut self) -> Result<()> {
        let kept: BTreeSet<Place> = in_time(self.store.families_kept()).await?.into_iter().collect();
        self.seen.retain(|place, _| kept.contains(place));
        let mut done = Ok(());
        for place in kept {
            match self.look(&place).await {
                Ok(seen) => {
                    self.seen.insert(place, seen);
                }
                // Somebody has stated, released or reviewed something meanwhile: the next look counts from where this one did.
                Err(StoreError::Conflict(_)) => {}
                Err(error) => done = Err(error),
            }
        }
        self.figures
            .calls_stopped(self.seen.values().map(|seen| seen.stopped).sum());
        done
    }

    async fn look(&self, place: &Place) -> Result<Seen> {
        let (tenant, family) = place;
        let now = self.clock.now();
        let to = settled(now);
        let before = in_time(self.store.ledger(tenant, family)).await?;
        let counted_to = before.ledger.counted_to();
        let seen = |ledger: &hub_core::budget::ledger::Ledger, to| Seen {
            to,
            stopped: ledger.stopped(now).count() as u64,
        };
        // A clock that was set back counts nothing twice.
        if let Some(counted_to) = counted_to.filter(|counted_to| *counted_to >= to) {
            return Ok(seen(&before.ledger, counted_to));
        }
        let known = self.seen.get(place).map(|seen| seen.to);
        let known = known.filter(|known| Some(*known) >= counted_to && *known < to);
        let quiet_to = known.unwrap_or_else(|| to.checked_sub(LOOK).unwrap_or(to));
        let opened = match known.or(counted_to) {
            Some(since) => in_time(self.store.tickets_opened(tenant, family, since, to)).await?,
            None => BTreeMap::new(),
        };
        let mut next = before.clone();
        let changes = next.ledger.count_after_quiet(quiet_to, &opened, to);
        if next.ledger.is_news(&before.ledger, !opened.is_empty()) {
            in_time(self.store.save_ledger(tenant, family, &next, &changes, now)).await?;
            for change in &changes {
                log(tenant, family, change);
            }
        }
        Ok(seen(&next.ledger, to))
    }
}
