//! Starts the hub's own database again when somebody kills it; until then nothing is acknowledged.

use super::BACKOFF;
use hub_store_postgres::Cluster;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often it is looked whether the database lives.
const LOOK: Duration = Duration::from_secs(1);

/// Looks after it until `stop`.
pub async fn run(cluster: Arc<Cluster>, stop: CancellationToken) {
    let mut away = false;
    let mut backoff = BACKOFF;
    let mut pause = LOOK;
    while stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
        match cluster.revive().await {
            Ok(revived) => {
                if std::mem::take(&mut away) || revived {
                    tracing::info!("the hub's own database runs again");
                }
                backoff.reset();
                pause = LOOK;
            }
            Err(error) => {
                // Said once: it is tried again until it works.
                let error = &error as &dyn std::error::Error;
                match std::mem::replace(&mut away, true) {
                    false => tracing::error!(
                        error,
                        "the hub's own database does not start again; nothing is acknowledged"
                    ),
                    true => tracing::debug!(error, "the hub's own database still does not start"),
                }
                pause = LOOK.max(backoff.pause());
            }
        }
    }
}
