//! Whether the front door works: asked of the store, and tried on its own listener.

use crate::accept::Gate;
use crate::work::Shared;
use hub_core::accepting::Accepting;
use hub_core::id::ApplianceId;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::TcpSocket;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How the front door is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// The store answered a question within its patience, at the last look.
    pub store_answers: bool,
    /// Publishes that wait for their commit.
    pub queue_items: u64,
    /// The hub is stopping: send no more clients.
    pub stopping: bool,
}

impl Health {
    /// Whether clients that come now are served.
    pub fn is_ready(&self) -> bool {
        self.store_answers && !self.stopping
    }
}

/// The looks.
pub(crate) struct Probe {
    health: watch::Receiver<Health>,
    failed: watch::Receiver<Option<String>>,
}

impl Probe {
    pub(crate) fn start(
        shared: &Arc<Shared>,
        gate: &Arc<Gate>,
        listener: Option<SocketAddr>,
        tasks: &TaskTracker,
        end: &CancellationToken,
    ) -> Self {
        let (tell, health) = watch::channel(Health {
            store_answers: false,
            queue_items: 0,
            stopping: false,
        });
        tasks.spawn(end.clone().run_until_cancelled_owned(look(Arc::clone(shared), tell)));
        let (fail, failed) = watch::channel(None);
        if let Some(listener) = listener {
            // Not beyond the stop: then nothing is accepted any more.
            let knocking = knock(Arc::clone(gate), Arc::clone(&shared.accepting), listener, fail);
            tasks.spawn(shared.stop.clone().run_until_cancelled_owned(knocking));
        }
        Self { health, failed }
    }

    pub(crate) fn health(&self) -> watch::Receiver<Health> {
        self.health.clone()
    }

    pub(crate) fn failed(&self) -> impl Future<Output = String> + Send + 'static {
        let mut failed = self.failed.clone();
        async move {
            let failure = failed
                .wait_for(Option::is_some)
                .await
                .ok()
                .and_then(|failure| failure.clone());
            match failure {
                Some(failure) => failure,
                // Stopped.
                None => std::future::pending().await,
            }
        }
    }
}

/// Asks the store for something that costs it nothing, without end.
async fn look(shared: Arc<Shared>, tell: watch::Sender<Health>) {
    loop {
        let nobody = ApplianceId(0);
        let nothing = [(nobody, 0)];
        let asked = timeout(shared.config.store_patience, shared.store.clock_offsets(&nothing)).await;
        tell.send_replace(Health {
            store_answers: matches!(asked, Ok(Ok(_))),
            queue_items: shared.counters.queue_items.load(Ordering::Relaxed),
            stopping: shared.stop.is_cancelled(),
        });
        sleep(EVERY).await;
    }
}

/// Connects to the hub's own listener, until it is not taken [`MISSED_MAX`] times in a row.
async fn knock(gate: Arc<Gate>, accepting: Arc<Accepting>, listener: SocketAddr, fail: watch::Sender<Option<String>>) {
    let mut missed = 0;
    while missed < MISSED_MAX {
        sleep(EVERY).await;
        missed = match timeout(PATIENCE, arrive(&gate, reachable(listener))).await {
            Ok(Ok(())) => 0,
            // Out of file descriptors, as a rule: says nothing about the acceptor.
            Ok(Err(error)) => {
                accepting.wanting(&error, Instant::now().into_std());
                tracing::warn!(%error, "MQTT listener not checked");
                0
            }
            Err(_) => missed + 1,
        };
    }
    fail.send_replace(Some(format!("{listener} accepts no connection any more")));
    std::future::pending::<()>().await;
}

async fn arrive(gate: &Gate, listener: SocketAddr) -> io::Result<()> {
    let socket = if listener.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.bind(SocketAddr::new(listener.ip(), 0))?;
    let from = socket.local_addr()?;
    gate.probe.send_modify(|(expected, _)| *expected = Some(from));
    let mut arrived = gate.probe.subscribe();
    let before = arrived.borrow_and_update().1;
    let _connection = socket.connect(listener).await?;
    let _ = arrived.wait_for(|(_, count)| *count > before).await;
    gate.probe.send_modify(|(expected, _)| *expected = None);
    Ok(())
}

/// An address of this machine at which a listener is reached.
fn reachable(mut listener: SocketAddr) -> SocketAddr {
    match listener.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => listener.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => listener.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    listener
}

/// Between two looks.
const EVERY: Duration = Duration::from_secs(2);
/// For one try of the listener.
const PATIENCE: Duration = Duration::from_secs(5);
/// Tries in a row that may fail.
const MISSED_MAX: u32 = 3;
