//! Adds what ingest has stored to what is shown of each appliance.

use super::follow::Follower;
use super::{BACKOFF, PATIENCE, in_time};
use hub_store::telemetry::TelemetryStore;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// Rows in one step: about a second's worth of a hub that is pressed, counted in a tenth of that.
const ROWS: usize = 50_000;

/// A round, a pause, and so on until `stop`, and one more round then, so that a clean end leaves nothing to add. While ingest
/// is pressed, a round waits up to a second for it to be calm. So counts are behind by the pause, that second and a round.
pub async fn run(store: Arc<dyn TelemetryStore>, follower: Arc<Follower>, pause: Duration, stop: CancellationToken) {
    let mut backoff = BACKOFF;
    loop {
        stop.run_until_cancelled(store.ingest_calm(PATIENCE)).await;
        let ending = stop.is_cancelled();
        let begun = Instant::now();
        match round(store.as_ref()).await {
            Ok(()) => {
                follower.round(begun);
                backoff.reset();
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "counts not brought up to date, trying again"
                );
                let pause = backoff.pause();
                stop.run_until_cancelled(sleep(pause)).await;
            }
        }
        if ending {
            return;
        }
        stop.run_until_cancelled(sleep(pause)).await;
    }
}

async fn round(store: &dyn TelemetryStore) -> hub_store::error::Result<()> {
    while in_time(store.roll_up(ROWS)).await? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub_store::memory::MemoryStore;
    use std::collections::BTreeMap;

    /// However much comes, a round a pause: a machine that is busy makes them fewer, never more.
    #[tokio::test]
    async fn rounds_are_a_pause_apart() {
        let (begun, pause) = (Instant::now(), Duration::from_millis(100));
        let (follower, stop) = (Arc::new(Follower::default()), CancellationToken::new());
        let store = Arc::new(MemoryStore::new(BTreeMap::new(), 1));
        let worker = tokio::spawn(run(store, follower.clone(), pause, stop.clone()));
        while follower.rounds() < 5 {
            sleep(pause / 10).await;
        }
        stop.cancel();
        worker.await.unwrap();
        let most = begun.elapsed().as_millis() / pause.as_millis() + 2;
        assert!(
            u128::from(follower.rounds()) <= most,
            "{} rounds where {most} fit, the first and the last included",
            follower.rounds()
        );
    }
}
