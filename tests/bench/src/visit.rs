//! Devices that come, say one thing, wait until it is stored, and go: as those do that sleep most of the time.

use crate::client::{connected, publish};
use crate::reading::identity;
use crate::train::Train;
use anyhow::{Context, Result};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// The last words of a client (MQTT 3.1.1 §3.14).
const DISCONNECT: [u8; 2] = [0xE0, 0];
/// All have been there within this, or the run has failed.
const VISITS_MAX: Duration = Duration::from_secs(300);

/// One visit for each train, the n-th by the n-th device, `at_once` at a time; from the first connect to the last
/// acknowledgement. The broker may forget the session of a device that has gone, or has to keep it.
///
/// # Errors
/// A device is not taken, or its reading is not acknowledged.
pub async fn visit(broker: SocketAddr, trains: Vec<Train>, at_once: usize, clean_session: bool) -> Result<Duration> {
    let (trains, next) = (Arc::new(trains), Arc::new(AtomicUsize::new(0)));
    let mut places = JoinSet::new();
    let begun = Instant::now();
    for _ in 0..at_once {
        let (trains, next) = (Arc::clone(&trains), Arc::clone(&next));
        places.spawn(async move {
            loop {
                let device = next.fetch_add(1, Ordering::Relaxed);
                let Some(train) = trains.get(device) else {
                    return anyhow::Ok(());
                };
                let mut stream = connected(broker, &identity(device), clean_session).await?;
                publish(&mut stream, train, 1)
                    .await
                    .with_context(|| format!("device {device}"))?;
                stream.write_all(&DISCONNECT).await?;
            }
        });
    }
    let all = async {
        while let Some(done) = places.join_next().await {
            done??;
        }
        anyhow::Ok(())
    };
    timeout(VISITS_MAX, all)
        .await
        .with_context(|| format!("not all have been there after {VISITS_MAX:?}"))??;
    Ok(begun.elapsed())
}
