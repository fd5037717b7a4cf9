//! Where the uptime of a boot stands. Devices that come back with a queue ask for it all at the same time: what waits is asked
//! of the store together.

use crate::batch::{Asked, Asks, GATHER, Question, channel};
use crate::login::Unanswered;
use hub_core::backoff::Backoff;
use hub_core::error_chain::in_full;
use hub_core::id::ApplianceId;
use hub_store::telemetry::CLOCKS_BATCH_MAX;
use hub_store::{DoorStore, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// A boot of a device.
type Boot = (ApplianceId, u64);

/// UTC less uptime in ms, if the device has told it.
type Answer = Result<Option<i64>, Unanswered>;

/// Where connections ask.
#[derive(Debug, Clone)]
pub(crate) struct Clocks(Asks<Boot, Answer>);

/// Who asks the store.
pub(crate) struct ClockReader {
    store: Arc<dyn DoorStore>,
    patience: Duration,
    asked: Asked<Boot, Answer>,
}

impl Clocks {
    /// Both ends, with room for `waiting_max` questions.
    pub(crate) fn new(waiting_max: usize, store: Arc<dyn DoorStore>, patience: Duration) -> (Self, ClockReader) {
        let (asks, asked) = channel(waiting_max);
        let reader = ClockReader { store, patience, asked };
        (Self(asks), reader)
    }

    /// UTC less uptime in ms of a boot, if the device has told it. Asks until the store answers; the caller's deadline ends it.
    pub(crate) async fn ask(&self, appliance: ApplianceId, boot: u64) -> Option<i64> {
        let mut backoff = BACKOFF;
        loop {
            if let Some(Ok(offset)) = self.0.ask((appliance, boot)).await {
                return offset;
            }
            sleep(backoff.pause()).await;
        }
    }
}

impl ClockReader {
    /// Answers until nobody can ask any more.
    pub(crate) async fn serve(self) {
        while let Some(batch) = self.asked.next(CLOCKS_BATCH_MAX).await {
            if batch.is_empty() {
                continue;
            }
            let full = batch.len() == CLOCKS_BATCH_MAX;
            self.answer(batch).await;
            if !full {
                sleep(GATHER).await;
            }
        }
    }

    async fn answer(&self, batch: Vec<Question<Boot, Answer>>) {
        let (boots, askers): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        let asked = timeout(self.patience, self.store.clock_offsets(&boots)).await;
        let (failed, answer) = match asked {
            Ok(Ok(offsets)) if offsets.len() == askers.len() => {
                for (asker, offset) in askers.into_iter().zip(offsets) {
                    // It may have left.
                    let _ = asker.send(Ok(offset));
                }
                return;
            }
            Ok(Ok(offsets)) => {
                let failed = format!("{} answers to {} questions", offsets.len(), askers.len());
                (failed, Err(Unanswered))
            }
            Ok(Err(error)) if passes(&error) => (in_full(&error), Err(Unanswered)),
            // It will not answer however often it is asked: as if the devices had told nothing.
            Ok(Err(error)) => (in_full(&error), Ok(None)),
            Err(_) => ("no answer in time".to_owned(), Err(Unanswered)),
        };
        tracing::warn!(waiting = askers.len(), failed, "clock offsets not read");
        for asker in askers {
            let _ = asker.send(answer);
        }
    }
}

/// Whether the store may answer later.
fn passes(error: &StoreError) -> bool {
    match error {
        StoreError::Unavailable(_) | StoreError::Conflict(_) | StoreError::Deposed => true,
        StoreError::NotFound { .. }
        | StoreError::NotAllowed(_)
        | StoreError::Account(_)
        | StoreError::Ticket(_)
        | StoreError::Attempt(_)
        | StoreError::Unreadable { .. }
        | StoreError::Refused(_) => false,
    }
}

/// Pauses after the store failed.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
