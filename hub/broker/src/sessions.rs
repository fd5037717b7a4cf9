//! What is kept of sessions. Changes that wait are brought to the store together, in the order in which they were asked for.

use crate::batch::{Asked, Asks, GATHER, Question, channel};
use crate::counters::{BrokerCounters, add};
use hub_core::clock::CivilClock;
use hub_core::error_chain::in_full;
use hub_core::id::ApplianceId;
use hub_store::session::{SESSION_BATCH_MAX, SessionChange};
use hub_store::{DoorStore, StoreError};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

/// A device's session, and what becomes of it.
type Change = (ApplianceId, SessionChange);

/// Where connections ask.
#[derive(Debug, Clone)]
pub(crate) struct Sessions {
    asks: Asks<Change, bool>,
    counters: Arc<BrokerCounters>,
}

/// Who asks the store.
pub(crate) struct Keeper {
    store: Arc<dyn DoorStore>,
    clock: Arc<dyn CivilClock>,
    counters: Arc<BrokerCounters>,
    patience: Duration,
    asked: Asked<Change, bool>,
}

/// Why the store did not do it.
enum Failure {
    /// One of the changes, which the others must not suffer from.
    OfOne(String),
    /// The store is away.
    OfAll(String),
}

impl Sessions {
    /// Both ends, with room for `waiting_max` changes.
    pub(crate) fn new(
        waiting_max: usize,
        store: Arc<dyn DoorStore>,
        clock: Arc<dyn CivilClock>,
        counters: Arc<BrokerCounters>,
        patience: Duration,
    ) -> (Self, Keeper) {
        let (asks, asked) = channel(waiting_max);
        let keeper = Keeper {
            store,
            clock,
            counters: Arc::clone(&counters),
            patience,
            asked,
        };
        (Self { asks, counters }, keeper)
    }

    /// Whether the store did so. The caller sets a time for it.
    pub(crate) async fn ask(&self, appliance: ApplianceId, change: SessionChange) -> bool {
        add(&self.counters.session_changes, 1);
        self.asks.ask((appliance, change)).await.unwrap_or(false)
    }
}

impl Keeper {
    /// Keeps and forgets, until nobody can ask any more. One batch at a time, so that two changes of one session never pass
    /// each other.
    pub(crate) async fn serve(self) {
        while let Some(mut batch) = self.asked.next(SESSION_BATCH_MAX).await {
            let full = batch.len() == SESSION_BATCH_MAX;
            while !batch.is_empty() {
                let rest = batch.split_off(once_each(&batch));
                self.change(batch).await;
                batch = rest;
            }
            if !full {
                sleep(GATHER).await;
            }
        }
    }

    async fn change(&self, batch: Vec<Question<Change, bool>>) {
        let (changes, askers): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        let kept = match self.tell(&changes).await {
            Ok(()) => true,
            Err(Failure::OfOne(_)) if changes.len() > 1 => return self.one_by_one(changes, askers).await,
            Err(Failure::OfOne(error) | Failure::OfAll(error)) => {
                let first = changes.first().map(|change| change.0);
                tracing::warn!(sessions = changes.len(), ?first, error, "sessions not kept");
                false
            }
        };
        for asker in askers {
            // It may have left.
            let _ = asker.send(kept);
        }
    }

    /// Each change alone, until the store is away: then those that are left are told that it was not done.
    async fn one_by_one(&self, changes: Vec<Change>, askers: Vec<oneshot::Sender<bool>>) {
        for (change, asker) in changes.into_iter().zip(askers) {
            let (kept, away) = match self.tell(std::slice::from_ref(&change)).await {
                Ok(()) => (true, false),
                Err(Failure::OfOne(error)) => {
                    tracing::warn!(appliance = %change.0, error, "session not kept");
                    (false, false)
                }
                Err(Failure::OfAll(error)) => {
                    tracing::warn!(error, "sessions not kept");
                    (false, true)
                }
            };
            let _ = asker.send(kept);
            if away {
                return;
            }
        }
    }

    /// One batch. Where the store lost it, it is told once more: nothing newer has been asked for meanwhile.
    async fn tell(&self, changes: &[Change]) -> Result<(), Failure> {
        let told = async {
            match self.tell_once(changes).await {
                Err(StoreError::Unavailable(error)) => {
                    tracing::debug!(
                        error = &*error as &dyn std::error::Error,
                        "sessions not kept, trying again"
                    );
                    self.tell_once(changes).await
                }
                told => told,
            }
        };
        match timeout(self.patience, told).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(failure(&error)),
            Err(_) => Err(Failure::OfAll("no answer in time".to_owned())),
        }
    }

    async fn tell_once(&self, changes: &[Change]) -> Result<(), StoreError> {
        add(&self.counters.session_batches, 1);
        self.store.change_sessions(changes, self.clock.now()).await
    }
}

/// How many come before the first whose session is changed a second time.
fn once_each(batch: &[Question<Change, bool>]) -> usize {
    let mut seen = HashSet::with_capacity(batch.len());
    let again = batch.iter().position(|((appliance, _), _)| !seen.insert(*appliance));
    again.unwrap_or(batch.len())
}

fn failure(error: &StoreError) -> Failure {
    match error {
        StoreError::Unavailable(_) | StoreError::Deposed => Failure::OfAll(in_full(error)),
        StoreError::Conflict(_)
        | StoreError::NotFound { .. }
        | StoreError::NotAllowed(_)
        | StoreError::Account(_)
        | StoreError::Ticket(_)
        | StoreError::Attempt(_)
        | StoreError::Unreadable { .. }
        | StoreError::Refused(_) => Failure::OfOne(in_full(error)),
    }
}
