//! The five stages wired in order: telemetry → prediction → ticket → contact → outcome.

use crate::clock_watch::ClockWatch;
use crate::config::Config;
use crate::telephone;
use crate::workers::contact::{ContactWorker, Telephone};
use crate::workers::maintain::{self, Upkeep};
use crate::workers::rollup;
use crate::workers::score::ScoreWorker;
use crate::workers::witness::Witnesses;
use crate::workers::{BACKOFF, Figures};
use crate::{keyring, process, standby};
use anyhow::{Context, Result};
use hub_api::{ApiState, FirstAccount, Monitor, Redecode, Redecoded};
use hub_broker::{Broker, BrokerCounters};
use hub_core::clock::CivilClock;
use hub_core::id::TraceId;
use hub_core::metric::{Metric, MetricKind};
use hub_core::profile::{ApplianceProfile, Family};
use hub_predict::Registry;
use hub_store::contact::ContactStore;
use hub_store::lease::LeaseStore;
use hub_store::telemetry::TelemetryStore;
use hub_store_postgres::{Cluster, ClusterError, ClusterOptions, PostgresStore};
use hub_voice::Voice;
use rand::TryRngCore;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How often it is looked whether the hub's own database lives.
const DATABASE_LOOK: Duration = Duration::from_secs(1);
/// Looking after the lease never ends by itself; this long at a time.
const LEASE_LOOK: Duration = Duration::from_secs(60);
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
    /// Where the trunk reaches us, if calls are set up.
    pub sip: Option<SocketAddr>,
    /// What the front door counted.
    pub counters: Arc<BrokerCounters>,
    /// The password of the account that was made at the first start.
    pub first_account: Option<FirstAccount>,
    /// How many calls are up.
    pub calls_up: watch::Receiver<usize>,
    failed: Pin<Box<dyn Future<Output = String> + Send>>,
    stop: CancellationToken,
    broker: Broker,
    voice: Option<Arc<Voice>>,
    work: JoinSet<()>,
    cluster: Option<Arc<Cluster>>,
}

/// A store that is open, before anything works on it.
pub struct Opened {
    /// The store.
    pub store: Arc<PostgresStore>,
    /// Appliance profiles by name.
    pub profiles: Arc<BTreeMap<String, ApplianceProfile>>,
    cluster: Option<Cluster>,
}

/// Opens the store: the given database, or the hub's own cluster, which a second hub cannot have.
pub async fn open(config: &Config) -> Result<Opened> {
    open_with(config, false).await
}

/// The same for a command: where a hub runs, its database is joined and left running.
pub async fn open_beside(config: &Config) -> Result<Opened> {
    open_with(config, true).await
}

async fn open_with(config: &Config, beside: bool) -> Result<Opened> {
    let profiles = load_profiles(&config.models_dir)?;
    let keyring = keyring::open_or_make(config).await?;
    let (options, cluster) = match &config.database_url {
        Some(url) => (url.parse().context("DATABASE_URL is not valid")?, None),
        None => {
            let cluster = own_cluster(config, beside)
                .await
                .context("cannot start the hub's own database")?;
            (cluster.connect_options(), Some(cluster))
        }
    };
    let known = BTreeMap::clone(&profiles);
    let store = if cluster.as_ref().is_some_and(Cluster::is_joined) {
        PostgresStore::connect_beside(options, keyring, known).await
    } else {
        PostgresStore::connect(options, keyring, known).await
    };
    Ok(Opened {
        store: Arc::new(store.context("cannot open the database")?),
        profiles,
        cluster,
    })
}

async fn own_cluster(config: &Config, beside: bool) -> Result<Cluster, ClusterError> {
    let options = ClusterOptions {
        bin_dir: config.postgres_bin.clone(),
    };
    if beside {
        Cluster::join_or_start(&config.state_dir, options).await
    } else {
        Cluster::start(&config.state_dir, options).await
    }
}

impl Opened {
    /// Whether the database is a given one.
    pub fn is_given(&self) -> bool {
        self.cluster.is_none()
    }

    /// Closes the store, and stops the hub's own database if it was started for it.
    pub async fn close(self) -> Result<()> {
        self.store.close().await;
        match self.cluster {
            Some(cluster) => cluster
                .stop()
                .await
                .context("the hub's own database did not stop cleanly"),
            None => Ok(()),
        }
    }
}

/// Reads all profiles of `models/profiles`.
pub fn load_profiles(models_dir: &Path) -> Result<Arc<BTreeMap<String, ApplianceProfile>>> {
    let dir = models_dir.join("profiles");
    let entries = std::fs::read_dir(&dir).with_context(|| {
        format!(
            "cannot list the appliance profiles in {}; set models_dir",
            dir.display()
        )
    })?;
    let mut profiles = BTreeMap::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "toml") {
            let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let family: Family =
                toml::from_str(&text).with_context(|| format!("{} is not a profile", path.display()))?;
            family
                .check()
                .with_context(|| format!("{} is not usable", path.display()))?;
            profiles.insert(family.profile.name.clone(), family.profile);
        }
    }
    anyhow::ensure!(
        !profiles.is_empty(),
        "there is no appliance profile in {}",
        dir.display()
    );
    Ok(Arc::new(profiles))
}

impl Hub {
    /// Starts everything on an open store. `demo` is the banner that the console then shows.
    pub async fn start(
        config: &Config,
        opened: Opened,
        clock: Arc<dyn CivilClock>,
        demo: Option<hub_api::DemoBanner>,
    ) -> Result<Self> {
        let Opened {
            store,
            profiles,
            cluster,
        } = opened;
        let registry = load_models(&config.models_dir)?;
        let stop = CancellationToken::new();
        let mut work = JoinSet::new();

        // First, so that a second hub started by mistake fails before it touches anything.
        let listener =
            hub_broker::listen_http(config.http).with_context(|| format!("cannot listen on http = {}", config.http))?;
        let http = listener.local_addr()?;
        let cluster = cluster.map(Arc::new);
        if let Some(cluster) = cluster.clone() {
            work.spawn(keep_alive(cluster, stop.child_token()));
        }
        let lease = store.take_lease(clock.now()).await?;
        let lease = lease.context("another hub works on this database")?;
        let deposed = watch_lease(store.clone(), stop.child_token());
        // No attempt is alive before the first dial: what is found unended is unknown, and a person is told.
        for lost in store.recover_attempts(clock.now()).await? {
            tracing::warn!(trace = %lost.trace, attempt = %lost.id, "an attempt was cut off; it is unknown whether it rang, and it is not rung again by itself");
        }
        // Nor is any session: a device is online from its own connect on.
        store.all_offline("stopping", clock.now()).await?;

        // telemetry
        let broker = Broker::start(
            config.broker(),
            store.clone(),
            profiles.clone(),
            clock.clone(),
            stop.child_token(),
        )
        .await?;
        let figures = Arc::new(Figures::default());
        work.spawn(rollup::run(
            store.clone(),
            figures.rollup.clone(),
            Duration::from_millis(config.rollup_pause_ms),
            stop.child_token(),
        ));
        // The demo's clock runs at a pace of its own.
        let watch = demo.is_none().then(|| Arc::new(ClockWatch::new(clock.clone())));
        if let Some(watch) = watch.clone() {
            work.spawn(watch.run(stop.child_token()));
        }
        let witnesses = Arc::new(Witnesses::new(lease, watch, broker.device_times(), cluster.is_none()));
        let upkeep = Arc::new(Upkeep::default());
        work.spawn(maintain::run(
            store.clone(),
            clock.clone(),
            upkeep.clone(),
            witnesses.clone(),
            figures.aggregates.clone(),
            Duration::from_secs(config.aggregate_pause_s),
            stop.child_token(),
        ));
        // prediction (and, in the same transaction, the ticket)
        let (_, registry) = watch::channel(registry);
        let score = ScoreWorker::new(store.clone(), registry, clock.clone(), config.scoring, figures.clone());
        work.spawn(score.run(stop.child_token()));
        // contact
        let telephone = telephone::start(config, &store).await?;
        let worker = ContactWorker::new(
            store.clone(),
            telephone.clone(),
            clock.clone(),
            config.calls_max,
            figures.clone(),
        );
        work.spawn(worker.clone().run(stop.child_token()));
        if let Some(Telephone { voice, .. }) = telephone.clone() {
            let stop = stop.child_token();
            work.spawn(async move { voice.serve_inbound(worker, stop).await });
        }
        // outcome (people act on tickets)
        let state = ApiState {
            store: store.clone(),
            clock: clock.clone(),
            monitor: monitor(
                &broker,
                upkeep,
                figures.clone(),
                witnesses,
                store.clone(),
                telephone.as_ref().map(|t| t.voice.clone()),
            ),
            redecode: redecode(store.clone(), profiles.clone(), clock.clone()),
            demo,
            config: config.console()?,
        };
        let serving = hub_api::serve(listener, state, stop.child_token());
        work.spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(error = &error as &dyn std::error::Error, "the console ended");
            }
        });

        // Last, when nothing can fail any more: its password is told only once.
        let first_account =
            hub_api::create_first_account(&*store, &*clock, &mut rand::rngs::OsRng.unwrap_err()).await?;
        let voice = telephone.map(|t| t.voice);
        Ok(Self {
            mqtt: broker.local_addr().unwrap_or(config.mqtt),
            mqtt_tls: broker.local_addr_tls(),
            failed: Box::pin(first_of(broker.failed(), deposed)),
            http,
            sip: voice.as_ref().map(|v| v.local()),
            counters: broker.counters(),
            first_account,
            calls_up: figures.calls_up(),
            stop,
            broker,
            voice,
            work,
            cluster,
            store,
        })
    }

    /// Waits until a part of the hub is of no use any more, with the reason: the process must then end, for its supervisor to
    /// start a new one.
    pub async fn failed(&mut self) -> String {
        (&mut self.failed).await
    }

    /// Stops taking work, finishes what was taken, hangs up calls that are still up after `calls_grace`, and stops the
    /// own database.
    pub async fn stop(mut self, calls_grace: Duration) -> Result<()> {
        self.stop.cancel();
        let voice = self.voice.clone();
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
            () = hang_up => tracing::warn!("some work did not end in time and is cut off"),
        }
        if let Some(voice) = voice {
            voice.shutdown().await;
        }
        // Ends the database's watcher too, if it had to be cut off.
        self.work.shutdown().await;
        // Nobody waits for it any more. Cut off in the middle of a look at the lease, it would hold it for ever.
        self.failed = Box::pin(std::future::pending());
        self.store.close().await;
        if let Some(cluster) = self.cluster.and_then(Arc::into_inner) {
            cluster
                .stop()
                .await
                .context("the hub's own database did not stop cleanly")?;
        }
        Ok(())
    }
}

/// Looks after the lease; ends with the reason when another hub has taken it.
async fn watch_lease(store: Arc<PostgresStore>, stop: CancellationToken) -> String {
    while let Some(lost) = stop.run_until_cancelled(store.lease_lost(LEASE_LOOK)).await {
        if lost {
            return "another hub has taken over the database".to_owned();
        }
    }
    std::future::pending().await
}

async fn first_of(one: impl Future<Output = String>, other: impl Future<Output = String>) -> String {
    tokio::select! { why = one => why, why = other => why }
}

/// How the API asks the parts of the hub how they are.
fn monitor(
    broker: &Broker,
    upkeep: Arc<Upkeep>,
    figures: Arc<Figures>,
    witnesses: Arc<Witnesses>,
    store: Arc<PostgresStore>,
    voice: Option<Arc<Voice>>,
) -> Monitor {
    let metrics = broker.metrics();
    let health = broker.health();
    let writer = store.clone();
    let (noticed, swept, called, telephone) = (witnesses.clone(), upkeep.clone(), voice.clone(), voice.clone());
    Monitor {
        metrics: Arc::new(move || {
            let mut all = metrics();
            all.extend(process::metrics());
            all.extend(upkeep.metrics());
            all.extend(figures.metrics());
            all.extend(witnesses.metrics());
            all.extend(voice.iter().flat_map(|voice| voice.metrics()));
            all.push(standby::lease_held(store.has_lease()));
            let help = "1 while the database takes no readings, although devices send them.";
            all.push(Metric::new("ingest_held", MetricKind::Gauge, help).with(&[], u64::from(store.ingest_fails())));
            all
        }),
        problems: Arc::new(move || {
            let health = *health.borrow();
            let mut problems = Vec::new();
            if !health.store_answers {
                problems.push(("store", "the store does not answer; nothing is acknowledged".to_owned()));
            }
            if health.store_answers && writer.ingest_fails() {
                let why = "the database answers but takes no readings (is its disk full?); nothing is acknowledged";
                problems.push(("store", why.to_owned()));
            }
            if health.stopping {
                problems.push(("mqtt", "the hub is stopping".to_owned()));
            }
            problems.extend(telephone.iter().filter_map(|voice| voice.problem()));
            problems
        }),
        notices: Arc::new(move || {
            let calls = called.iter().flat_map(|voice| voice.notices());
            let others = noticed.notices().into_iter().chain(swept.notices());
            others.chain(calls).collect()
        }),
        accepting: broker.accepting(),
    }
}

/// Quarantined payloads are read anew by the front door's own code.
fn redecode(
    store: Arc<PostgresStore>,
    profiles: Arc<BTreeMap<String, ApplianceProfile>>,
    clock: Arc<dyn CivilClock>,
) -> Redecode {
    Arc::new(move |held| {
        let (store, profiles, now) = (store.clone(), profiles.clone(), clock.now());
        Box::pin(async move {
            let Some(profile) = profiles.get(&held.profile) else {
                let reason = format!("profile {} is not known to this hub", held.profile);
                return Ok(Redecoded::Refused(reason));
            };
            let trace = TraceId::new(held.kept.received_at, crate::random::bytes());
            let read = match hub_broker::redecode(&held.kept, &held.device, profile, trace, now) {
                Ok(read) => read,
                Err(reason) => return Ok(Redecoded::Refused(reason)),
            };
            let offset_ms = match read.boot() {
                Some(boot) => {
                    let told = store.clock_offsets(&[(held.kept.appliance, boot)]).await?;
                    told.first().copied().flatten()
                }
                None => None,
            };
            Ok(match read.place(offset_ms) {
                Ok(content) => Redecoded::Content(content),
                Err(reason) => Redecoded::Refused(reason),
            })
        })
    })
}

fn load_models(models_dir: &Path) -> Result<Arc<Registry>> {
    let registry =
        Registry::load(models_dir).with_context(|| format!("cannot load the models in {}", models_dir.display()))?;
    for (folder, why) in registry.refused() {
        tracing::warn!(folder = %folder.display(), error = why as &dyn std::error::Error, "model refused");
    }
    Ok(Arc::new(registry))
}

/// Starts the hub's own database again when somebody kills it; until then nothing is acknowledged.
async fn keep_alive(cluster: Arc<Cluster>, stop: CancellationToken) {
    let mut away = false;
    let mut backoff = BACKOFF;
    let mut pause = DATABASE_LOOK;
    while stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
        match cluster.revive().await {
            Ok(revived) => {
                if std::mem::take(&mut away) || revived {
                    tracing::info!("the hub's own database runs again");
                }
                backoff.reset();
                pause = DATABASE_LOOK;
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
                pause = DATABASE_LOOK.max(backoff.pause());
            }
        }
    }
}
