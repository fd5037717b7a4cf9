//! What a connection asks of the store while it goes on reading: who the device is, where its uptime stands in time, and
//! that a command was answered. Each question has a deadline; each connection asks one at a time, in order of receipt,
//! so a device can only hold up itself.

use crate::command::Desk;
use crate::config::BrokerConfig;
use crate::counters::{BrokerCounters, add};
use crate::decode::Work;
use crate::ingest::Item;
use crate::registry::{Mail, Registry};
use crate::session::Credential;
use bytes::Bytes;
use hub_core::clock::CivilClock;
use hub_core::id::{ApplianceId, TraceId};
use hub_core::profile::ApplianceProfile;
use hub_store::StoreError;
use hub_store::telemetry::{Device, TelemetryStore};
use jiff::Timestamp;
use rand::RngCore;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

/// Log-ins asked of the store at one time; others wait within their own deadline.
pub(crate) const LOGINS_MAX: usize = 64;

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) config: BrokerConfig,
    pub(crate) store: Arc<dyn TelemetryStore>,
    pub(crate) profiles: Arc<BTreeMap<String, ApplianceProfile>>,
    pub(crate) clock: Arc<dyn CivilClock>,
    pub(crate) counters: Arc<BrokerCounters>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) desk: Arc<Desk>,
    pub(crate) ingest: mpsc::Sender<Item>,
    pub(crate) random: Mutex<ChaCha8Rng>,
    pub(crate) logins: Semaphore,
    pub(crate) stop: CancellationToken,
}

/// The store did not answer.
#[derive(Debug)]
pub(crate) struct Unanswered;

impl Shared {
    /// A new trace id.
    pub(crate) fn trace(&self, now: Timestamp) -> TraceId {
        let mut random = [0; 10];
        let mut generator = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        generator.fill_bytes(&mut random);
        TraceId::new(now, random)
    }

    /// The device that this credential belongs to.
    pub(crate) async fn log_in(self: Arc<Self>, credential: Credential) -> Result<Option<Device>, Unanswered> {
        let ask = async {
            // Never closed while anyone can ask.
            let _turn = self.logins.acquire().await;
            match &credential {
                Credential::Secret { tenant, device, secret } => {
                    self.store.device_by_secret(tenant, device, secret).await
                }
                Credential::Token(token) => self.store.device_by_token(token).await,
            }
        };
        match timeout(self.config.store_patience, ask).await {
            Ok(Ok(device)) => Ok(device),
            Ok(Err(error)) => {
                tracing::warn!(%credential, %error, "log-in not answered");
                Err(Unanswered)
            }
            Err(_) => {
                tracing::warn!(%credential, "log-in not answered in time");
                Err(Unanswered)
            }
        }
    }
}

/// A publish on its way from the session to the store.
pub(crate) struct Task {
    /// `None` for a will.
    pub(crate) number: Option<u64>,
    /// Given up then.
    pub(crate) deadline: Instant,
    pub(crate) what: What,
}

/// What it is.
pub(crate) enum What {
    /// For ingest.
    Ingest(Work),
    /// Answer to a command.
    Reply {
        request: String,
        payload: Bytes,
        at: Timestamp,
    },
}

/// What became of a task.
pub(crate) enum Done {
    /// Ingest has it; the answer comes by mail. Holds the boot and offset that were looked up.
    Queued(Option<(u64, Option<i64>)>),
    /// It is stored.
    Stored(Option<u64>),
    /// Its time is over.
    Failed,
}

/// One device's tasks.
#[derive(Clone)]
pub(crate) struct Worker {
    pub(crate) shared: Arc<Shared>,
    pub(crate) appliance: ApplianceId,
    pub(crate) mailbox: mpsc::Sender<Mail>,
}

impl Worker {
    /// The item of a task whose uptime, if it has one, stands at `offset_ms`.
    pub(crate) fn item(&self, work: Work, offset_ms: Option<i64>, number: Option<u64>, deadline: Instant) -> Item {
        let (ingest, origin) = work.place(offset_ms);
        Item {
            ingest,
            origin,
            waiter: number.map(|number| (self.mailbox.clone(), number)),
            deadline,
        }
    }

    /// Carries out a task, with as many tries as fit before its deadline. `known` is the offset known from before.
    pub(crate) async fn carry_out(self, task: Task, known: Option<(u64, Option<i64>)>) -> Done {
        let Task { number, deadline, what } = task;
        let work = async {
            match what {
                What::Ingest(work) => self.ingest(work, number, deadline, known).await,
                What::Reply { request, payload, at } => {
                    self.reply(&request, &payload, at).await;
                    Done::Stored(number)
                }
            }
        };
        timeout_at(deadline, work).await.unwrap_or(Done::Failed)
    }

    async fn ingest(
        &self,
        work: Work,
        number: Option<u64>,
        deadline: Instant,
        known: Option<(u64, Option<i64>)>,
    ) -> Done {
        let known = match work.boot() {
            None => known,
            Some(boot) if known.is_some_and(|(of, _)| of == boot) => known,
            Some(boot) => Some((boot, self.offset(boot).await)),
        };
        let item = self.item(work, known.and_then(|(_, offset)| offset), number, deadline);
        match self.shared.ingest.send(item).await {
            Ok(()) => Done::Queued(known),
            Err(_) => Done::Failed,
        }
    }

    async fn offset(&self, boot: u64) -> Option<i64> {
        let ask = || self.shared.store.clock_offset(self.appliance, boot);
        self.persist("clock offset", ask).await.flatten()
    }

    async fn reply(&self, request: &str, payload: &[u8], at: Timestamp) {
        let ask = || self.shared.store.command_replied(self.appliance, request, payload, at);
        if self.persist("reply to a command", ask).await.is_some() {
            add(&self.shared.counters.replies, 1);
        }
        // The reply may have made room for the next ones.
        self.shared.desk.look(self.appliance);
    }

    /// Asks until the store answers; the caller's deadline ends it. `None` where the store will never take it.
    async fn persist<T, F>(&self, what: &str, ask: impl Fn() -> F) -> Option<T>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut pause = PAUSE.0;
        loop {
            match timeout(self.shared.config.store_patience, ask()).await {
                Ok(Ok(answer)) => return Some(answer),
                Ok(Err(error @ (StoreError::Unavailable(_) | StoreError::Conflict(_)))) => {
                    tracing::warn!(appliance = %self.appliance, what, %error, "store failed, trying again");
                }
                Ok(Err(error)) => {
                    tracing::warn!(appliance = %self.appliance, what, %error, "store refused");
                    return None;
                }
                Err(_) => tracing::warn!(appliance = %self.appliance, what, "no answer in time, trying again"),
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE.1);
        }
    }
}

/// First and longest pause after a failure.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
