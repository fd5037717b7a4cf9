//! prediction → budgets: each minute breakers count the tickets that were opened, and once a day (civil time, UTC) the ledger of each
//! family is reviewed: thresholds follow from the fleet's past, verdicts from closed tickets. Scores that are not looked at any more go.
//!
//! What is decided, [`hub_core::budget`] knows. The two go on beside each other: a review reads a year of scores and may fail or take
//! long, and no breaker waits for it.

mod count;
mod review;

use super::{BACKOFF, Figures};
use count::Counter;
use hub_core::backoff::Backoff;
use hub_core::budget::change::LedgerChange;
use hub_core::clock::CivilClock;
use hub_core::id::TenantId;
use hub_store::budget::BudgetStore;
use hub_store::error::Result;
use jiff::{SignedDuration, Timestamp};
use review::Reviewer;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often the tickets that were opened are counted. A surge is seen so much later, and costs as many calls as go out in this time.
const LOOK: Duration = Duration::from_secs(60);
/// Pauses after a review that failed: each try reads a year of scores again.
const AFTER_A_REVIEW: Backoff = Backoff::new(Duration::from_secs(1), LOOK);
/// Tickets that were opened less than so long ago are counted with the next look: a ticket bears a time that was read before its transaction
/// commits, and is not seen before. The server ends a statement after 15 s, and the scorer waits 30 s for its store.
const SETTLED: SignedDuration = SignedDuration::from_secs(30);

/// A tenant's model family.
type Place = (TenantId, String);

/// The worker; all that it knows can be read again.
pub struct BudgetWorker {
    counter: Counter,
    reviewer: Reviewer,
}

impl BudgetWorker {
    /// A worker that has done nothing yet.
    pub fn new(store: Arc<dyn BudgetStore>, clock: Arc<dyn CivilClock>, figures: Arc<Figures>) -> Self {
        Self {
            counter: Counter::new(store.clone(), clock.clone(), figures),
            reviewer: Reviewer::new(store, clock),
        }
    }

    /// Works until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let Self {
            mut counter,
            mut reviewer,
        } = self;
        // Each step is a transaction: one that is cut off is done again.
        let counts = async {
            let mut backoff = BACKOFF;
            while let Some(done) = stop.run_until_cancelled(counter.round()).await {
                rest(&stop, "count", done, &mut backoff).await;
            }
        };
        let reviews = async {
            let mut backoff = AFTER_A_REVIEW;
            while let Some(done) = stop.run_until_cancelled(reviewer.round()).await {
                rest(&stop, "review", done, &mut backoff).await;
            }
        };
        tokio::join!(counts, reviews);
    }

    /// Both once, one after the other.
    #[cfg(test)]
    pub(super) async fn round(&mut self) -> Result<()> {
        self.counter.round().await?;
        self.reviewer.round().await
    }
}

/// Until the next look, or the next try.
async fn rest(stop: &CancellationToken, step: &str, done: Result<()>, backoff: &mut Backoff) {
    let rest = match done {
        Ok(()) => {
            backoff.reset();
            LOOK
        }
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                step,
                "budgets are not up to date, trying again"
            );
            backoff.pause()
        }
    };
    stop.run_until_cancelled(tokio::time::sleep(rest)).await;
}

/// Until when all tickets that were opened can be seen.
fn settled(now: Timestamp) -> Timestamp {
    now.checked_sub(SETTLED).unwrap_or(now)
}

fn log(tenant: &TenantId, family: &str, change: &LedgerChange) {
    match change {
        LedgerChange::Stopped {
            model,
            tickets,
            expected,
        } => tracing::warn!(
            %tenant, family, model, tickets, expected,
            "tickets of an appliance model surge: its calls have stopped until a person releases them"
        ),
        LedgerChange::Renewed {
            model,
            tickets,
            calls,
            device_months,
            ..
        } => tracing::info!(
            %tenant, family, model, tickets, calls, device_months, "an appliance model has other thresholds"
        ),
        LedgerChange::Stated { .. } | LedgerChange::Released { .. } => {}
    }
}

#[cfg(test)]
mod tests;
