//! Floors that fleets have shown, as the scorer judges by them: those that were in force when its detectors were begun. Where others
//! are, it begins with the checkpoints as after a restart, so that a restart changes no verdict.

use super::failure::ScoringError;
use super::in_time;
use hub_store::floors::{FleetFloors, FloorStore};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// They change once a month; so often it is asked whether they have.
const ASK_EVERY: Duration = Duration::from_mins(60);

/// See the module.
pub(super) struct InForce {
    store: Arc<dyn FloorStore>,
    known: Vec<FleetFloors>,
    /// Nothing has been asked before the first round.
    pub(super) asked_at: Option<Instant>,
}

impl InForce {
    pub(super) fn new(store: Arc<dyn FloorStore>) -> Self {
        Self {
            store,
            known: Vec::new(),
            asked_at: None,
        }
    }

    /// Those that detectors are begun with.
    pub(super) fn known(&self) -> &[FleetFloors] {
        &self.known
    }

    /// Whether others are in force than before, which are known from now on.
    pub(super) async fn are_others(&mut self, now: Instant) -> Result<bool, ScoringError> {
        let is_fresh = |at: Instant| now.saturating_duration_since(at) < ASK_EVERY;
        if self.asked_at.is_some_and(is_fresh) {
            return Ok(false);
        }
        let in_force = in_time(self.store.floors_in_force()).await?;
        self.asked_at = Some(now);
        let are_others = in_force != self.known;
        self.known = in_force;
        Ok(are_others)
    }
}
