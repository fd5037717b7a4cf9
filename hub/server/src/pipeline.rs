//! The five stages in order: telemetry → prediction → ticket → contact → outcome. Each works on what the one before it has
//! committed, and is handed nothing of it in memory.

use crate::clock_watch::ClockWatch;
use crate::config::Config;
use crate::database::Opened;
use crate::hub::Hub;
use crate::models::{self, load_models, with_words};
use crate::telephone::{Telephone, TrunkWatch};
use crate::workers::budget::BudgetWorker;
use crate::workers::contact::{Calls, Dialler, Ways};
use crate::workers::floors::FloorWorker;
use crate::workers::maintain::{self, Upkeep};
use crate::workers::models::Seen;
use crate::workers::models_dir::{ModelsDirWatch, Told};
use crate::workers::score::ScoreWorker;
use crate::workers::witness::Witnesses;
use crate::workers::{Figures, revive, rollup};
use crate::{monitor, quarantine, standby};
use anyhow::{Context, Result};
use hub_api::{ApiState, DemoBanner};
use hub_broker::Broker;
use hub_core::clock::CivilClock;
use hub_core::families::Families;
use hub_predict::Registry;
use hub_store::contact::ContactStore;
use hub_store::lease::{Lease, LeaseStore};
use hub_store::telemetry::TelemetryStore;
use hub_store_postgres::PostgresStore;
use rand::TryRngCore;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// What every stage is given, and where its work runs.
struct Pipeline<'a> {
    config: &'a Config,
    store: Arc<PostgresStore>,
    /// Families that the hub knows: replaced when a profile comes or changes.
    families: watch::Sender<Arc<Families>>,
    /// Models that are served: replaced when a folder comes, changes or goes.
    models: watch::Sender<Arc<Registry>>,
    clock: Arc<dyn CivilClock>,
    figures: Arc<Figures>,
    stop: CancellationToken,
    work: JoinSet<()>,
}

/// What the first stage leaves to be asked and stopped.
struct Telemetry {
    broker: Broker,
    upkeep: Arc<Upkeep>,
    witnesses: Arc<Witnesses>,
    models_dir: Arc<Told>,
}

/// Starts everything on an open store. `demo` is the banner that the console then shows.
///
/// # Errors
///
/// Where models cannot be loaded, an address is taken, another hub works on the database, or the database fails.
pub async fn start(
    config: &Config,
    opened: Opened,
    clock: Arc<dyn CivilClock>,
    demo: Option<DemoBanner>,
) -> Result<Hub> {
    let seen = Seen::now(&config.models_dir);
    let registry = load_models(&config.models_dir)?;
    // First, so that a second hub started by mistake fails before it touches anything.
    let listener =
        hub_broker::listen_http(config.http).with_context(|| format!("cannot listen on http = {}", config.http))?;
    let http = listener.local_addr()?;
    let mut pipeline = Pipeline {
        config,
        store: opened.store,
        families: watch::Sender::new(Arc::new(with_words(opened.families, &registry))),
        models: watch::Sender::new(Arc::new(registry)),
        clock,
        figures: Arc::default(),
        stop: CancellationToken::new(),
        work: JoinSet::new(),
    };
    let cluster = opened.cluster.map(Arc::new);
    if let Some(cluster) = cluster.clone() {
        pipeline.work.spawn(revive::run(cluster, pipeline.stop.child_token()));
    }
    let lease = pipeline.lead().await?;
    let deposed = standby::deposed(pipeline.store.clone(), pipeline.stop.child_token());

    let telemetry = pipeline
        .telemetry(lease, seen, cluster.is_none(), demo.is_some())
        .await?;
    pipeline.prediction_and_ticket();
    let (telephone, ways) = pipeline.contact().await?;
    let monitor = monitor::working(
        &telemetry.broker,
        monitor::Parts {
            store: pipeline.store.clone(),
            figures: pipeline.figures.clone(),
            upkeep: telemetry.upkeep,
            witnesses: telemetry.witnesses,
            models_dir: telemetry.models_dir,
            ways,
            telephone: telephone.clone(),
        },
    );
    pipeline.outcome(listener, monitor, demo)?;

    let Pipeline {
        store,
        clock,
        figures,
        stop,
        work,
        ..
    } = pipeline;
    // Last, when nothing can fail any more: its password is told only once.
    let first_account = hub_api::create_first_account(&*store, &*clock, &mut rand::rngs::OsRng.unwrap_err()).await?;
    let broker = telemetry.broker;
    let broken = broker.failed();
    Ok(Hub {
        mqtt: broker.local_addr().unwrap_or(config.mqtt),
        mqtt_tls: broker.local_addr_tls(),
        failed: Box::pin(async {
            tokio::select! { why = broken => why, why = deposed => why }
        }),
        http,
        sip: telephone.voice().map(|voice| voice.local()),
        counters: broker.counters(),
        first_account,
        calls_up: figures.calls_up(),
        stop,
        broker,
        telephone,
        work,
        cluster,
        store,
    })
}

impl Pipeline<'_> {
    /// Takes the lease, and settles what the hub before left behind.
    async fn lead(&self) -> Result<Lease> {
        let lease = self.store.take_lease(self.clock.now()).await?;
        let lease = lease.context("another hub works on this database")?;
        // No attempt is alive before the first dial: what is found unended is unknown, and a person is told.
        for lost in self.store.recover_attempts(self.clock.now()).await? {
            tracing::warn!(trace = %lost.trace, attempt = %lost.id, "call attempt cut off, result unknown: a person decides whether to ring again");
        }
        // Nor is any session: a device is online from its own connect on.
        self.store.all_offline("stopping", self.clock.now()).await?;
        Ok(lease)
    }

    /// Takes readings from devices, keeps their counts and aggregates, and deletes what is too old.
    async fn telemetry(&mut self, lease: Lease, seen: Seen, is_given: bool, is_demo: bool) -> Result<Telemetry> {
        let broker = Broker::start(
            self.config.broker(),
            self.store.clone(),
            self.families.subscribe(),
            self.clock.clone(),
            self.stop.child_token(),
        )
        .await?;
        let models_dir = Arc::new(Told::nothing());
        let (dir, store) = (&self.config.models_dir, self.store.clone());
        let watch = ModelsDirWatch::new(dir, store, &self.families, (&self.models, seen), &models_dir);
        self.work.spawn(watch.run(self.stop.child_token()));
        self.work.spawn(rollup::run(
            self.store.clone(),
            self.figures.rollup.clone(),
            Duration::from_millis(self.config.rollup_pause_ms),
            self.stop.child_token(),
        ));
        // The demo's clock runs at a pace of its own.
        let watch = (!is_demo).then(|| Arc::new(ClockWatch::new(self.clock.clone())));
        if let Some(watch) = watch.clone() {
            self.work.spawn(watch.run(self.stop.child_token()));
        }
        let witnesses = Arc::new(Witnesses::new(lease, watch, broker.device_times(), is_given));
        let upkeep = Arc::new(Upkeep::default());
        self.work.spawn(maintain::run(
            self.store.clone(),
            self.clock.clone(),
            upkeep.clone(),
            witnesses.clone(),
            self.figures.aggregates.clone(),
            Duration::from_secs(self.config.aggregate_pause_s),
            self.stop.child_token(),
        ));
        Ok(Telemetry {
            broker,
            upkeep,
            witnesses,
            models_dir,
        })
    }

    /// Scores readings, holds budgets by what scores have been, and floors by what fleets show. The ticket has no worker: it is opened in the transaction that saves what was predicted.
    fn prediction_and_ticket(&mut self) {
        let score = ScoreWorker::new(
            self.store.clone(),
            self.models.subscribe(),
            self.clock.clone(),
            self.config.scoring,
            self.figures.clone(),
        );
        self.work.spawn(score.run(self.stop.child_token()));
        let budgets = BudgetWorker::new(self.store.clone(), self.clock.clone(), self.figures.clone());
        self.work.spawn(budgets.run(self.stop.child_token()));
        let floors = FloorWorker::new(self.store.clone(), self.models.subscribe(), self.clock.clone());
        self.work.spawn(floors.run(self.stop.child_token()));
    }

    /// Rings owners, and answers those who ring, as soon as their tenant has a trunk. With the ways by which calls go out.
    async fn contact(&mut self) -> Result<(Arc<Telephone>, Arc<Ways>)> {
        let telephone = Arc::new(Telephone::default());
        let mut trunks = TrunkWatch::new(self.config, self.store.clone(), telephone.clone());
        trunks.look().await?;
        let calls = Calls::new(self.store.clone(), self.clock.clone(), self.families.subscribe());
        let ways = calls.ways();
        let dialler = Dialler::new(
            calls.clone(),
            self.store.clone(),
            telephone.clone(),
            self.config.calls_max,
            self.figures.clone(),
        );
        self.work.spawn(dialler.run(self.stop.child_token()));
        self.work.spawn(trunks.run(calls, self.stop.child_token()));
        Ok((telephone, ways))
    }

    /// Serves people, who act on tickets and close them.
    fn outcome(&mut self, listener: TcpListener, monitor: hub_api::Monitor, demo: Option<DemoBanner>) -> Result<()> {
        let state = ApiState {
            store: self.store.clone(),
            clock: self.clock.clone(),
            monitor,
            redecode: quarantine::redecode(self.store.clone(), self.families.subscribe(), self.clock.clone()),
            read_normal: models::read_normal(self.models.subscribe()),
            families: self.families.subscribe(),
            demo,
            config: self.config.console()?,
        };
        let serving = hub_api::serve(listener, state, hub_console::PAGES, self.stop.child_token());
        self.work.spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(error = &error as &dyn std::error::Error, "the console ended");
            }
        });
        Ok(())
    }
}
