//! Adds what ingest has stored to what is shown of each appliance.

use super::{BACKOFF, PATIENCE, in_time};
use hub_store::telemetry::TelemetryStore;
use std::sync::Arc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Rows in one look: about a second's worth of a hub that is pressed, counted in a tenth of that.
const ROWS: usize = 50_000;

/// Looks once a second, or every two while ingest is pressed, until `stop`, and once more then, so that a clean end leaves nothing to add.
pub async fn run(store: Arc<dyn TelemetryStore>, stop: CancellationToken) {
    let mut backoff = BACKOFF;
    loop {
        stop.run_until_cancelled(store.ingest_calm(PATIENCE)).await;
        let ending = stop.is_cancelled();
        match add_all(store.as_ref()).await {
            Ok(()) => backoff.reset(),
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
        stop.run_until_cancelled(sleep(PATIENCE)).await;
    }
}

async fn add_all(store: &dyn TelemetryStore) -> hub_store::error::Result<()> {
    while in_time(store.roll_up(ROWS)).await? > 0 {}
    Ok(())
}
