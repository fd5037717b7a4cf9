//! Workers reconcile: woken by a signal or a timer, they look at the stored state and do what is missing. None takes
//! input, so a restart needs no second code path.

pub mod contact;
pub mod maintain;
pub mod rollup;
pub mod score;

use hub_core::backoff::Backoff;
use hub_store::StoreError;
use std::time::Duration;

/// How long a worker sleeps at most before it looks again, in case a wake-up was lost.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// The server ends a statement after 15 s; where its answer does not come either, the network has swallowed it.
const STORE_LIMIT: Duration = Duration::from_secs(30);

/// What is asked of the store, with a deadline of our own.
pub async fn in_time<T>(asked: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    match tokio::time::timeout(STORE_LIMIT, asked).await {
        Ok(answer) => answer,
        Err(late) => Err(StoreError::Unavailable(Box::new(late))),
    }
}

/// Pauses of a worker after the store failed.
pub const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
