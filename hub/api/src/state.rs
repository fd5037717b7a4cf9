//! What the API is wired with, and what its requests share.

use crate::auth::throttle::{ClaimThrottle, LogInThrottle};
use crate::limits::Limits;
use crate::monitor::questions::Monitor;
use crate::places::{Full, Places};
use crate::proxies::Proxies;
use crate::streams::Streams;
use futures::future::BoxFuture;
use hub_core::clock::CivilClock;
use hub_core::families::Families;
use hub_core::lines::Lines;
use hub_core::normal::{LearnedNormal, NoNormal};
use hub_store::prediction::SavedDetectors;
use hub_store::quarantine::QuarantineEntry;
use hub_store::telemetry::Ingest;
use hub_store::{ConsoleStore, StoreError};
use jiff::tz::TimeZone;
use std::sync::{Arc, Mutex};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

/// Passwords checked at the same time: each check takes 19 MiB and a whole core for some ten milliseconds.
pub const PASSWORD_CHECKS_MAX: usize = 2;

/// What the API is wired with.
#[derive(Clone)]
pub struct ApiState {
    /// Where everything is kept.
    pub store: Arc<dyn ConsoleStore>,
    /// Civil time, as tickets see it. Sessions run on the machine's clock, which nobody scales.
    pub clock: Arc<dyn CivilClock>,
    /// Families that the hub knows, with what people call them; replaced while it runs.
    pub families: watch::Receiver<Arc<Families>>,
    /// How the other parts of the hub are asked how they are.
    pub monitor: Monitor,
    /// Reads payloads from quarantine again, by the code that reads them when they come in.
    pub redecode: Redecode,
    /// Reads what a detector saved, by the models that are served.
    pub read_normal: ReadNormal,
    /// Shown on every page of a demonstration.
    pub demo: Option<DemoBanner>,
    /// Settings.
    pub config: ApiConfig,
}

/// Reads a payload from quarantine again.
pub type Redecode = Arc<dyn Fn(QuarantineEntry) -> BoxFuture<'static, Result<Redecoded, StoreError>> + Send + Sync>;

/// What came of reading it.
#[derive(Debug, Clone, PartialEq)]
pub enum Redecoded {
    /// What it holds.
    Content(Ingest),
    /// Why it still cannot be taken.
    Refused(String),
}

/// Reads what detectors have saved of an appliance: what they take for its normal, or why that is not known. Computes only.
pub type ReadNormal = Arc<dyn Fn(&SavedDetectors) -> Result<LearnedNormal, NoNormal> + Send + Sync>;

/// Settings of the API and the console.
#[derive(Clone)]
pub struct ApiConfig {
    /// Time zone in which the console shows times; visits are shown in the service point's own.
    pub zone: TimeZone,
    /// A proxy in front of the hub speaks TLS: cookies are marked `Secure`.
    pub behind_tls: bool,
    /// Who shows this as a bearer token may read `/metrics`. Without it only this machine may, and only where no proxy
    /// stands in front.
    pub metrics_token: Option<String>,
    /// Names by which people reach this hub, without port. Addresses and `localhost` need not be named.
    pub host_names: Vec<String>,
    /// Proxies in front that are trusted to say for whom they ask.
    pub proxies: Proxies,
    /// How much of the listener anybody may hold, and for how long.
    pub limits: Limits,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            zone: TimeZone::UTC,
            behind_tls: false,
            metrics_token: None,
            host_names: Vec::new(),
            proxies: Proxies::default(),
            limits: Limits::default(),
        }
    }
}

/// What of a demonstration is simulated and what is real.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoBanner {
    /// Stand-ins.
    pub simulated: Vec<DemoPart>,
    /// The parts that would run in production just so.
    pub real: Vec<DemoPart>,
}

/// A part of the path, as a demonstration names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it; the words are in the translation files")]
pub enum DemoPart {
    Appliances,
    Owners,
    Administrator,
    Phones,
    Carrier,
    TimeLapse,
    Mqtt,
    Database,
    Prediction,
    Sip,
    Audio,
    Console,
}

/// What all requests share.
pub struct Inner {
    /// What the API is wired with.
    pub state: ApiState,
    pub(crate) stop: CancellationToken,
    pub(crate) throttle: Mutex<LogInThrottle>,
    pub(crate) claims: Mutex<ClaimThrottle>,
    pub(crate) password_checks: Semaphore,
    pub(crate) streams: Arc<Streams>,
    pub(crate) connections: Arc<Places>,
    /// Requests under way that came through a trusted proxy.
    pub(crate) requests: Arc<Places>,
    /// What was logged of late.
    pub(crate) lines: Lines,
}

/// Shared by all requests.
pub type App = Arc<Inner>;

impl Inner {
    pub(crate) fn new(state: ApiState, stop: CancellationToken) -> App {
        let limits = state.config.limits;
        Arc::new(Self {
            state,
            stop,
            throttle: Mutex::new(LogInThrottle::default()),
            claims: Mutex::new(ClaimThrottle::default()),
            password_checks: Semaphore::new(PASSWORD_CHECKS_MAX),
            streams: Streams::new(&limits),
            connections: Places::new(limits, Full::OldestGivesWay),
            requests: Places::new(limits, Full::Refused),
            lines: Lines::default(),
        })
    }

    /// Where everything is kept.
    pub fn store(&self) -> &dyn ConsoleStore {
        self.state.store.as_ref()
    }

    /// Families as the hub knows them now.
    pub fn families(&self) -> Arc<Families> {
        self.state.families.borrow().clone()
    }

    /// Civil time, as tickets see it.
    pub fn now(&self) -> jiff::Timestamp {
        self.state.clock.now()
    }
}
