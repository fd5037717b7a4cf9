//! A hub that runs: where it is reached, why it cannot go on, and how it stops. [`crate::pipeline`] makes it.

use crate::database::stop_cluster;
use crate::telephone::Telephone;
use anyhow::Result;
use hub_api::FirstAccount;
use hub_broker::{Broker, BrokerCounters};
use hub_store_postgres::{Cluster, PostgresStore};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// All work must have ended this long after the last calls were hung up.
const DRAIN_MAX: Duration = Duration::from_secs(15);

/// A hub that runs.
pub struct Hub {
    /// The store, for commands and the demo.
    pub store: Arc<PostgresStore>,
    /// Where devices connect.
    pub mqtt: SocketAddr,
    /// Where they connect over TLS, if they do.
    pub mqtt_tls: Option<SocketAddr>,
    /// Where people connect.
    pub http: SocketAddr,
    /// Where the trunk reaches us, if a tenant had one at the start.
    pub sip: Option<SocketAddr>,
    /// What the front door counted.
    pub counters: Arc<BrokerCounters>,
    /// The password of the account that was made at the first start.
    pub first_account: Option<FirstAccount>,
    /// How many calls are up.
    pub calls_up: watch::Receiver<usize>,
    pub(crate) failed: Pin<Box<dyn Future<Output = String> + Send>>,
    pub(crate) stop: CancellationToken,
    pub(crate) broker: Broker,
    pub(crate) telephone: Arc<Telephone>,
    pub(crate) work: JoinSet<()>,
    pub(crate) cluster: Option<Arc<Cluster>>,
}

impl Hub {
    /// Waits until a part of the hub is of no use any more, with the reason: the process must then end, for its supervisor to
    /// start a new one.
    pub async fn failed(&mut self) -> String {
        (&mut self.failed).await
    }

    /// Stops taking work, finishes what was taken, hangs up calls that are still up after `calls_grace`, and stops the
    /// own database.
    ///
    /// # Errors
    ///
    /// Where the own database did not stop cleanly.
    pub async fn stop(mut self, calls_grace: Duration) -> Result<()> {
        self.stop.cancel();
        let voice = self.telephone.voice();
        let hang_up = async {
            tokio::time::sleep(calls_grace).await;
            if let Some(voice) = &voice {
                voice.hang_up_all();
            }
            tokio::time::sleep(DRAIN_MAX).await;
        };
        let drained = async {
            self.broker.stopped().await;
            while self.work.join_next().await.is_some() {}
        };
        tokio::select! {
            () = drained => {}
            () = hang_up => tracing::warn!("tasks cut off at the stop: they did not end in time"),
        }
        if let Some(voice) = voice {
            voice.shutdown().await;
        }
        // Ends the database's watcher too, if it had to be cut off.
        self.work.shutdown().await;
        // Nobody waits for it any more. Cut off in the middle of a look at the lease, it would hold it without end.
        self.failed = Box::pin(std::future::pending());
        self.store.close().await;
        match self.cluster.and_then(Arc::into_inner) {
            Some(cluster) => stop_cluster(cluster).await,
            None => Ok(()),
        }
    }
}
