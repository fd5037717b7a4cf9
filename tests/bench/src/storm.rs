//! All devices come back at once after a broker's restart.

use crate::client::{Identity, connected};
use anyhow::{Context, Result};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Between two looks whether the broker listens.
const LOOK: Duration = Duration::from_millis(1);
/// Between two tries of one device.
const PAUSE: Duration = Duration::from_millis(100);
/// A try is given up then.
const TRY_MAX: Duration = Duration::from_secs(10);
/// All are back within this, or the run has failed.
const BACK_MAX: Duration = Duration::from_secs(120);

/// How it went.
pub struct Storm {
    /// From the first connection that the listener took to the last CONNACK.
    pub took: Duration,
    /// Tries that failed.
    pub failed: usize,
    /// All connections, open.
    pub streams: Vec<TcpStream>,
}

/// Waits until the broker, which is down, listens; then all connect at once, and try again until they are taken.
///
/// # Errors
/// Not all are back in time.
pub async fn storm(broker: SocketAddr, identities: Vec<Identity>) -> Result<Storm> {
    let (up, listens) = watch::channel(false);
    let mut devices = JoinSet::new();
    for who in identities {
        let mut listens = listens.clone();
        devices.spawn(async move {
            listens.wait_for(|up| *up).await?;
            anyhow::Ok(come_back(broker, &who).await)
        });
    }
    while TcpStream::connect(broker).await.is_err() {
        sleep(LOOK).await;
    }
    let begun = Instant::now();
    up.send_replace(true);
    let all = async {
        let (mut streams, mut failed) = (Vec::new(), 0);
        while let Some(done) = devices.join_next().await {
            let (stream, tries) = done??;
            streams.push(stream);
            failed += tries;
        }
        anyhow::Ok((streams, failed))
    };
    let (streams, failed) = timeout(BACK_MAX, all)
        .await
        .with_context(|| format!("not all are back after {BACK_MAX:?}"))??;
    Ok(Storm {
        took: begun.elapsed(),
        failed,
        streams,
    })
}

async fn come_back(broker: SocketAddr, who: &Identity) -> (TcpStream, usize) {
    let mut failed = 0;
    loop {
        if let Ok(Ok(stream)) = timeout(TRY_MAX, connected(broker, who, true)).await {
            return (stream, failed);
        }
        failed += 1;
        sleep(PAUSE).await;
    }
}
