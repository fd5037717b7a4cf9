//! Start, acceptor and end.

use crate::command::{Carrier, Desk};
use crate::config::BrokerConfig;
use crate::connection::Connection;
use crate::counters::{BrokerCounters, add};
use crate::ingest::{Committer, QUEUE_MAX};
use crate::presence::Presence;
use crate::registry::Registry;
use crate::session::{CloseReason, ConnectCode, Outgoing};
use crate::wire::Wire;
use crate::work::{LOGINS_MAX, Shared};
use hub_core::clock::CivilClock;
use hub_core::profile::ApplianceProfile;
use hub_store::telemetry::TelemetryStore;
use rand::SeedableRng;
use rand::rngs::OsRng;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Why the broker did not start.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The address is taken, not ours, or needs rights.
    #[error("cannot listen for MQTT on {listen}: choose another address or stop what uses it")]
    Listen {
        /// As configured.
        listen: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The system gave no random bytes.
    #[error("the system's random generator failed")]
    Random(#[source] rand::rand_core::OsError),
}

/// The running MQTT front door.
#[derive(Debug)]
pub struct Broker {
    local_addr: SocketAddr,
    counters: Arc<BrokerCounters>,
    /// Cancelled by the caller, or by [`Broker::stopped`].
    stop: CancellationToken,
    /// Acceptor and connections.
    connections: TaskTracker,
    ingest: JoinHandle<()>,
    presence: JoinHandle<()>,
    presence_end: CancellationToken,
}

impl Broker {
    /// Listens and serves until `stop` is cancelled. Give it the same `profiles` that the detectors use.
    ///
    /// # Errors
    ///
    /// Where the address cannot be listened on, or the system has no random bytes.
    pub async fn start(
        config: BrokerConfig,
        store: Arc<dyn TelemetryStore>,
        profiles: Arc<BTreeMap<String, ApplianceProfile>>,
        clock: Arc<dyn CivilClock>,
        stop: CancellationToken,
    ) -> Result<Self, BrokerError> {
        let listen = config.listen;
        let refused = |source| BrokerError::Listen { listen, source };
        let listener = TcpListener::bind(listen).await.map_err(refused)?;
        let local_addr = listener.local_addr().map_err(refused)?;
        let random = ChaCha8Rng::try_from_rng(&mut OsRng).map_err(BrokerError::Random)?;
        let stop = stop.child_token();
        let counters = Arc::new(BrokerCounters::default());

        let presence = Arc::new(Presence::default());
        let presence_end = CancellationToken::new();
        let writes = Arc::clone(&presence).run(Arc::clone(&store), config.store_patience, presence_end.clone());
        let (ingest, queue) = mpsc::channel(QUEUE_MAX);
        let committer = Committer::new(Arc::clone(&store), Arc::clone(&counters), config.store_patience);
        let shared = Arc::new(Shared {
            store,
            profiles,
            clock,
            counters: Arc::clone(&counters),
            registry: Arc::new(Registry::new(presence)),
            desk: Arc::new(Desk::default()),
            ingest,
            random: Mutex::new(random),
            logins: Semaphore::new(LOGINS_MAX),
            stop: stop.clone(),
            config,
        });

        let connections = TaskTracker::new();
        carry_commands(&shared, &connections);
        connections.spawn(accept(shared, listener, connections.clone()));
        connections.close();
        tracing::info!(%local_addr, "listening for MQTT");
        Ok(Self {
            local_addr,
            counters,
            stop,
            connections,
            ingest: tokio::spawn(committer.run(queue)),
            presence: tokio::spawn(writes),
            presence_end,
        })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// What it counts.
    pub fn counters(&self) -> Arc<BrokerCounters> {
        Arc::clone(&self.counters)
    }

    /// Stops accepting, finishes the commits that are under way, closes the connections, and returns when all of it is
    /// done: within the configured drain and store patience.
    pub async fn stopped(self) {
        self.stop.cancel();
        self.connections.wait().await;
        // With the connections the queue's senders are gone, so ingest ends by itself. Errors here are panics, which
        // have been reported where they happened.
        let _ = self.ingest.await;
        self.presence_end.cancel();
        let _ = self.presence.await;
        tracing::info!("MQTT stopped");
    }
}

fn carry_commands(shared: &Arc<Shared>, tasks: &TaskTracker) {
    let carrier = Carrier {
        store: Arc::clone(&shared.store),
        clock: Arc::clone(&shared.clock),
        registry: Arc::clone(&shared.registry),
        desk: Arc::clone(&shared.desk),
        patience: shared.config.store_patience,
    };
    let stop = &shared.stop;
    tasks.spawn(until(stop.clone(), carrier.clone().watch()));
    tasks.spawn(until(stop.clone(), carrier.carry()));
}

async fn until(stop: CancellationToken, work: impl Future<Output = ()>) {
    tokio::select! { () = work => {} () = stop.cancelled() => {} }
}

async fn accept(shared: Arc<Shared>, listener: TcpListener, tasks: TaskTracker) {
    let places = Arc::new(Semaphore::new(shared.config.connections_max));
    let refusals = Arc::new(Semaphore::new(REFUSALS_MAX));
    let mut number = 0;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.stop.cancelled() => return,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, as a rule: the listener is still sound.
                tracing::warn!(%error, "connection not accepted");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Acknowledgements are small and awaited. Where it fails, they are only slower.
        let _ = stream.set_nodelay(true);
        number += 1;
        match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => {
                tasks.spawn(serve(Arc::clone(&shared), stream, peer, number, place));
            }
            Err(_) => {
                shared.counters.count_closed(&CloseReason::Full);
                tracing::warn!(%peer, reason = %CloseReason::Full, "connection refused");
                if let Ok(turn) = Arc::clone(&refusals).try_acquire_owned() {
                    tasks.spawn(refuse(stream, turn));
                }
            }
        }
    }
}

async fn serve(shared: Arc<Shared>, stream: TcpStream, peer: SocketAddr, number: u64, place: OwnedSemaphorePermit) {
    add(&shared.counters.connections, 1);
    let _counted = Counted {
        counters: Arc::clone(&shared.counters),
        _place: place,
    };
    Connection::new(shared, stream, peer, number).run().await;
}

/// A connection's place; given back whatever ends its task.
struct Counted {
    counters: Arc<BrokerCounters>,
    _place: OwnedSemaphorePermit,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.counters.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Tells a client that there is no room.
async fn refuse(stream: TcpStream, turn: OwnedSemaphorePermit) {
    let mut wire = Wire::new(stream, REFUSAL_PATIENCE);
    if wire.write(Outgoing::ConnAck(ConnectCode::Unavailable)).is_ok() {
        wire.say_goodbye().await;
    }
    drop(turn);
}

/// Clients told at one time that there is no room; others are just closed.
const REFUSALS_MAX: usize = 64;
/// For each of them.
const REFUSAL_PATIENCE: Duration = Duration::from_millis(500);
/// Pause after the system refused a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
