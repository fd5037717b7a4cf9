//! Time limits of a step.

use hub_store::error::{Result, StoreError};
use std::time::Duration;

/// Everything but a refresh is done within this time.
pub(super) const STEP_LIMIT: Duration = Duration::from_secs(30);

/// The server ends a statement sooner by itself; what has not ended by then waits for a network that swallows packets.
pub(super) async fn within<T>(limit: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    let done = tokio::time::timeout(limit, work).await;
    done.unwrap_or_else(|late| Err(StoreError::Unavailable(Box::new(late))))
}
