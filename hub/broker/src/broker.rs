//! Start and end.

use crate::accept::{Acceptor, Gate};
use crate::access::{watch_access, watch_tls};
use crate::clocks::Clocks;
use crate::command::{Carrier, Dispatcher};
use crate::config::BrokerConfig;
use crate::counters::BrokerCounters;
use crate::device_times::DeviceTimes;
use crate::health::{Health, Probe};
use crate::ingest::{Committer, queue};
use crate::listen::listen;
use crate::login::Logins;
use crate::presence::Presence;
use crate::quotas::Quotas;
use crate::refusals::Refusals;
use crate::registry::Registry;
use crate::router::{Router, RouterError, RouterLimits};
use crate::sessions::Sessions;
use crate::socket::{Tls, TlsError};
use crate::underway::Underway;
use crate::wills::Wills;
use crate::work::Shared;
use hub_core::accepting::Accepting;
use hub_core::clock::CivilClock;
use hub_core::families::Families;
use hub_core::metric::Metric;
use hub_store::{DoorStore, StoreError};
use rand::SeedableRng;
use rand::rngs::OsRng;
use rand_chacha::ChaCha8Rng;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
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
    /// The hub's own certificate.
    #[error("TLS for MQTT cannot be served")]
    Tls(#[source] TlsError),
    /// The tenants' certificate authorities could not be read.
    #[error("the certificate authorities cannot be read from the store")]
    Authorities(#[source] StoreError),
    /// The router did not start.
    #[error("the router for integrators did not start")]
    Router(#[source] RouterError),
}

/// The running MQTT front door.
pub struct Broker {
    local_addr: Option<SocketAddr>,
    local_addr_tls: Option<SocketAddr>,
    shared: Arc<Shared>,
    device_times: Arc<DeviceTimes>,
    /// Cancelled by the caller, or by [`Broker::stopped`].
    stop: CancellationToken,
    /// Ends what carries on until everything is committed.
    ended: CancellationToken,
    /// Acceptor and connections.
    connections: TaskTracker,
    workers: TaskTracker,
    ingest: JoinHandle<()>,
    presence: JoinHandle<()>,
    probe: Probe,
}

impl Broker {
    /// Listens and serves until `stop` is cancelled. Readings are decoded by the profiles of `families`,
    /// which may be replaced meanwhile: the store must know the new ones first.
    ///
    /// # Errors
    ///
    /// Where an address cannot be listened on, the certificate cannot be used, or the system has no random bytes or threads.
    pub async fn start(
        config: BrokerConfig,
        store: Arc<dyn DoorStore>,
        families: watch::Receiver<Arc<Families>>,
        clock: Arc<dyn CivilClock>,
        stop: CancellationToken,
    ) -> Result<Self, BrokerError> {
        let plain = listen_at(config.listen)?;
        let over_tls = listen_at(config.listen_tls.as_ref().map(|tls| tls.listen))?;
        let local_addr = plain.as_ref().and_then(|listener| listener.local_addr().ok());
        let local_addr_tls = over_tls.as_ref().and_then(|listener| listener.local_addr().ok());
        let tls = match &config.listen_tls {
            Some(listen) => {
                let authorities = store.authorities().await.map_err(BrokerError::Authorities)?;
                let tls = Tls::new(listen.files.clone(), authorities).map_err(BrokerError::Tls)?;
                Some(Arc::new(tls))
            }
            None => None,
        };
        let random = ChaCha8Rng::try_from_rng(&mut OsRng).map_err(BrokerError::Random)?;
        let router = Router::start(RouterLimits::default()).map_err(BrokerError::Router)?;
        let stop = stop.child_token();
        let ended = CancellationToken::new();
        let workers = TaskTracker::new();
        let counters = Arc::new(BrokerCounters::default());
        let patience = config.store_patience;

        let presence = Arc::new(Presence::default());
        let writes = Arc::clone(&presence).run(Arc::clone(&store), patience, ended.clone());
        let (ingest, queued) = queue(Arc::clone(&counters));
        let underway = Arc::new(Underway::default());
        let device_times = Arc::new(DeviceTimes::default());
        let committer = Committer::new(
            Arc::clone(&store) as _,
            Arc::clone(&counters),
            Arc::clone(&underway),
            Arc::clone(&device_times),
            patience,
        );
        let (logins, clerk) = Logins::new(
            config.greetings_max,
            Arc::clone(&store),
            Arc::clone(&clock),
            Arc::clone(&counters),
            patience,
        );
        // A connection has one change under way at a time.
        let (sessions, keeper) = Sessions::new(
            config.connections_max,
            Arc::clone(&store),
            Arc::clone(&clock),
            Arc::clone(&counters),
            patience,
        );
        // Nor more than one question for a clock.
        let (clocks, reader) = Clocks::new(config.connections_max, Arc::clone(&store), patience);
        let shared = Arc::new(Shared {
            store,
            families,
            clock,
            counters,
            refusals: Refusals::default(),
            accepting: Arc::default(),
            quotas: Arc::new(Quotas::new()),
            registry: Arc::new(Registry::new(presence)),
            dispatcher: Arc::new(Dispatcher::default()),
            ingest,
            logins,
            sessions,
            clocks,
            underway,
            wills: Wills::default(),
            router,
            stop: stop.clone(),
            began: Instant::now(),
            config,
        });

        workers.spawn(ended.clone().run_until_cancelled_owned(clerk.serve()));
        workers.spawn(ended.clone().run_until_cancelled_owned(keeper.serve()));
        workers.spawn(ended.clone().run_until_cancelled_owned(reader.serve()));
        for work in background(&shared, tls.clone()) {
            workers.spawn(ended.clone().run_until_cancelled_owned(work));
        }
        let connections = TaskTracker::new();
        let gate = Arc::new(Gate::new(&shared.config, random));
        let probe = Probe::start(&shared, &gate, local_addr.or(local_addr_tls), &workers, &ended);
        for (listener, tls) in [(plain, None), (over_tls, tls)] {
            if let Some(listener) = listener {
                let acceptor = Acceptor {
                    shared: Arc::clone(&shared),
                    gate: Arc::clone(&gate),
                    tls,
                    tasks: connections.clone(),
                };
                connections.spawn(acceptor.run(listener));
            }
        }
        connections.close();
        workers.close();
        tracing::info!(plain = ?local_addr, tls = ?local_addr_tls, "listening for MQTT");
        Ok(Self {
            local_addr,
            local_addr_tls,
            shared,
            device_times,
            stop,
            ended,
            connections,
            workers,
            ingest: tokio::spawn(committer.run(queued)),
            presence: tokio::spawn(writes),
            probe,
        })
    }

    /// Where it listens without TLS.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.local_addr
    }

    /// Where it listens with TLS.
    pub fn local_addr_tls(&self) -> Option<SocketAddr> {
        self.local_addr_tls
    }

    /// What it counts.
    pub fn counters(&self) -> Arc<BrokerCounters> {
        Arc::clone(&self.shared.counters)
    }

    /// What the clocks of devices show, as far as they have one.
    pub fn device_times(&self) -> Arc<DeviceTimes> {
        Arc::clone(&self.device_times)
    }

    /// Takes figures for monitoring whenever it is called, also after the broker has stopped.
    pub fn metrics(&self) -> impl Fn() -> Vec<Metric> + Send + Sync + 'static {
        let counters = self.counters();
        let (quotas, router) = (Arc::clone(&self.shared.quotas), self.shared.router.clone());
        move || counters.snapshot(quotas.tenants(), router.stats())
    }

    /// How its listeners fare, for other listeners of the hub to share and for monitoring.
    pub fn accepting(&self) -> Arc<Accepting> {
        Arc::clone(&self.shared.accepting)
    }

    /// How it is, as it changes.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.probe.health()
    }

    /// Waits until the broker is of no use any more, with the reason: the process must then end, for its supervisor to
    /// start a new one. Waits without end while all is well.
    pub fn failed(&self) -> impl Future<Output = String> + Send + 'static {
        let router = self.shared.router.clone();
        let acceptor = self.probe.failed();
        async move {
            tokio::select! {
                failure = router.failed() => failure.to_string(),
                failure = acceptor => failure,
            }
        }
    }

    /// Stops accepting, finishes the commits that are under way, tells each client why it is cut, and returns when all of
    /// it is done: within the configured drain and store patience.
    pub async fn stopped(self) {
        self.stop.cancel();
        self.shared.registry.stop();
        self.connections.wait().await;
        // What is left belongs to nobody: wills whose delay runs, and commits that nobody waits for.
        let drain = self.shared.config.drain_patience;
        self.ended.cancel();
        self.workers.wait().await;
        self.shared.router.stop().await;
        drop(self.shared);
        // With everyone who sends the queue ends, so ingest ends by itself. Errors here are panics, which have been reported
        // where they happened.
        if timeout(drain, self.ingest).await.is_err() {
            tracing::warn!("commits cut off at the stop");
        }
        let _ = self.presence.await;
        tracing::info!("MQTT stopped");
    }
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Broker")
            .field("local_addr", &self.local_addr)
            .field("local_addr_tls", &self.local_addr_tls)
            .finish_non_exhaustive()
    }
}

fn listen_at(address: Option<SocketAddr>) -> Result<Option<TcpListener>, BrokerError> {
    let Some(address) = address else { return Ok(None) };
    let listener = listen(address).map_err(|source| BrokerError::Listen {
        listen: address,
        source,
    })?;
    Ok(Some(listener))
}

type Work = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// Everything that goes on beside the connections.
fn background(shared: &Arc<Shared>, tls: Option<Arc<Tls>>) -> Vec<Work> {
    let carrier = Carrier {
        store: Arc::clone(&shared.store),
        clock: Arc::clone(&shared.clock),
        registry: Arc::clone(&shared.registry),
        dispatcher: Arc::clone(&shared.dispatcher),
        patience: shared.config.store_patience,
    };
    let mut works: Vec<Work> = vec![
        Box::pin(carrier.clone().watch()),
        Box::pin(carrier.clone().watch_attributes()),
        Box::pin(carrier.carry()),
        Box::pin(watch_access(Arc::clone(shared), tls.clone())),
    ];
    let with = Arc::clone(shared);
    works.push(Box::pin(async move { with.refusals.tell().await }));
    let with = Arc::clone(shared);
    works.push(Box::pin(async move { with.quotas.tidy().await }));
    let with = Arc::clone(shared);
    works.push(Box::pin(async move { with.publish_wills().await }));
    if let Some(tls) = tls {
        works.push(Box::pin(watch_tls(Arc::clone(shared), tls)));
    }
    works
}
