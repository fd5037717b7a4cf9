//! Fan-out to integrators: what devices publish, to the integrators of their tenant who subscribed to it.
//!
//! rumqttd's router does the fan-out, behind [`Router`]; nothing of rumqttd shows. It is fed copied messages only, with
//! ASCII topics and without properties of its own, under a fixed set of names, from one thread; retained messages stay with
//! the store. It is not on the way of an acknowledgement: what it loses is stored all the same, and counted.
//!
//! Bounds: integrators ([`RouterLimits::subscribers`]), distinct filters of all tenants and of one
//! ([`RouterLimits::filters`]: one more is refused), the queue in front, the router's log (two segments for each slot that
//! was ever in use), and each integrator's own queue.

mod feeder;
mod filters;
mod frame;
mod link;
mod links;
mod probe;
mod shared;
mod subscriber;
#[cfg(test)]
mod tests;
mod totals;

use feeder::Feeder;
use filters::Wanted;
use frame::Frame;
use rumqttd::local::LinkBuilder;
use shared::{Connect, Queued, Shared};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::Duration;
use subscriber::Job;
pub use subscriber::{Delivery, Subscriber};
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;
pub use totals::RouterStats;
use totals::Totals;

/// Longest filter, in bytes.
pub const FILTER_BYTES_MAX: usize = 256;
/// Room in the queue for what is not a message: at most one question and one goodbye for each integrator, and some more.
const QUESTIONS_MAX: usize = 1024;
/// From the wish to stop to the end of the thread.
const STOP_PATIENCE: Duration = Duration::from_secs(3);
/// The log of one slot: two segments of this many bytes of topics and payloads, and what rumqttd adds to each message
/// (about 300 bytes): 0.3 MB for payloads of 1 kB, 1.5 MB for the smallest. Links are emptied at once; the log only
/// bridges the moments in which their tasks do not run.
const SEGMENT_BYTES: usize = 128 * 1024;

/// Bounds of the router. `Default` gives the values named here.
#[derive(Debug, Clone)]
pub struct RouterLimits {
    /// Integrators subscribed at one time. Default 256.
    pub subscribers: usize,
    /// Distinct filters at one time, all tenants together. Default 128: under 200 MB of log even if each is flooded with
    /// the smallest messages.
    pub filters: u16,
    /// Distinct filters of one tenant at one time. Default 32.
    pub filters_per_tenant: u16,
    /// Messages that wait to enter the router. Default 16,384.
    pub queue_messages: usize,
    /// Bytes of the messages that wait to enter the router. Default 16 MiB.
    pub queue_bytes: usize,
    /// Messages that wait for one integrator. Default 4,096.
    pub subscriber_messages: usize,
    /// Bytes of the messages that wait for one integrator. Default 4 MiB.
    pub subscriber_bytes: usize,
    /// How often a message is sent through the router to see that it works. Default 2 s.
    pub probe_every: Duration,
    /// After how long without such a message the router has failed, to the next probe. Default 6 s.
    pub probe_patience: Duration,
}

impl Default for RouterLimits {
    fn default() -> Self {
        Self {
            subscribers: 256,
            filters: 128,
            filters_per_tenant: 32,
            queue_messages: 16_384,
            queue_bytes: 16 << 20,
            subscriber_messages: 4_096,
            subscriber_bytes: 4 << 20,
            probe_every: Duration::from_secs(2),
            probe_patience: Duration::from_secs(6),
        }
    }
}

/// A message for integrators.
#[derive(Debug, Clone, Copy)]
pub struct Published<'a> {
    /// Within the tenant, for example `d/{device}/t`.
    pub topic: &'a str,
    /// As published.
    pub payload: &'a [u8],
    /// As published.
    pub qos: u8,
    /// Whether the publisher asked for it to be retained.
    pub retain: bool,
    /// For clients of MQTT 5, encoded and unaltered; not looked into here.
    pub properties: &'a [u8],
    /// When it is of no use any more, in ms on the caller's own clock, which is not looked at here.
    pub expires_ms: Option<u64>,
}

impl<'a> Published<'a> {
    /// A message without properties that never expires.
    pub fn new(topic: &'a str, payload: &'a [u8], qos: u8, retain: bool) -> Self {
        Self {
            topic,
            payload,
            qos,
            retain,
            properties: &[],
            expires_ms: None,
        }
    }
}

/// Why a subscription is not taken.
#[derive(Debug, thiserror::Error)]
pub enum RouterError {
    /// The filter breaks a rule.
    #[error(
        "a filter must be 1 to {FILTER_BYTES_MAX} printable ASCII characters, well formed, and must not start with `$`"
    )]
    Filter,
    /// The tenant's key cannot stand in the router.
    #[error("a tenant must be 1 to 255 ASCII characters")]
    Tenant,
    /// No slot is left for a filter that nobody has subscribed yet.
    #[error("there are {max} distinct filters already; use one that is subscribed, or end another first")]
    TooManyFilters {
        /// The bound that was met.
        max: usize,
    },
    /// No link is left.
    #[error("there are {max} integrators already")]
    TooManySubscribers {
        /// The bound that was met.
        max: usize,
    },
    /// The router did not answer in time, or has ended.
    #[error("the router does not answer")]
    Unanswered,
    /// The operating system gave no thread.
    #[error("cannot start the router's thread")]
    Thread(#[source] std::io::Error),
}

/// Why the router is of no use any more. There is no way back but a new process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RouterFailure {
    /// No probe came back.
    #[error("no message came back through the router for {patience:?}")]
    Silent {
        /// [`RouterLimits::probe_patience`].
        patience: Duration,
    },
    /// The thread of the router, or the one that feeds it, has ended.
    #[error("the router's thread has ended")]
    Ended,
}

/// Fan-out to integrators. Clones are the same router; the last one dropped stops it.
#[derive(Debug, Clone)]
pub struct Router(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limits: RouterLimits,
    wanted: Arc<Wanted>,
    queued: Arc<Queued>,
    totals: Arc<Totals>,
    jobs: SyncSender<Job>,
    failure: watch::Receiver<Option<RouterFailure>>,
    stop: CancellationToken,
    ended: CancellationToken,
}

impl Router {
    /// Starts the router: rumqttd's thread, the one that feeds it, and the probe. Call it inside a Tokio runtime.
    ///
    /// # Errors
    ///
    /// [`RouterError::Thread`].
    pub fn start(limits: RouterLimits) -> Result<Self, RouterError> {
        let (jobs, received) = std::sync::mpsc::sync_channel(limits.queue_messages + QUESTIONS_MAX);
        let (failed, failure) = watch::channel(None);
        let echoes = Arc::new(AtomicU64::new(0));
        let router = Inner {
            wanted: Arc::default(),
            queued: Arc::default(),
            totals: Arc::default(),
            jobs,
            failure,
            stop: CancellationToken::new(),
            ended: CancellationToken::new(),
            limits,
        };
        let shared = Shared {
            limits: router.limits.clone(),
            wanted: Arc::clone(&router.wanted),
            queued: Arc::clone(&router.queued),
            totals: Arc::clone(&router.totals),
            echoes: Arc::clone(&echoes),
            stop: router.stop.clone(),
            runtime: tokio::runtime::Handle::current(),
            asking: router.jobs.clone(),
        };
        let end = End {
            failed: failed.clone(),
            stop: router.stop.clone(),
            ended: router.ended.clone(),
        };
        std::thread::Builder::new()
            .name("router-feeder".into())
            .spawn(move || feed(shared, received, end))
            .map_err(RouterError::Thread)?;
        let (every, patience) = (router.limits.probe_every, router.limits.probe_patience);
        tokio::spawn(probe::watch(echoes, every, patience, failed, router.ended.clone()));
        Ok(Self(Arc::new(router)))
    }

    /// Whether an integrator of `tenant` would get a message on `topic` now: for callers that can save making it.
    pub fn wants(&self, tenant: &str, topic: &str) -> bool {
        self.0.wanted.wants(tenant, topic)
    }

    /// Hands a message to the integrators of `tenant` who want it. Never waits: one atomic load while nobody subscribes, a
    /// look at the tenant's filters otherwise, and a copy of the message only if one of them matches. What does not fit
    /// into the queue is lost and counted. A topic that is not ASCII goes to nobody.
    pub fn publish(&self, tenant: &str, message: &Published<'_>) {
        let inner = &*self.0;
        if !inner.wanted.wants(tenant, message.topic) {
            return;
        }
        let Some(frame) = Frame::new(tenant, message) else {
            return;
        };
        if !inner.enqueue(frame) {
            inner.totals.lost_in_queue.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Subscribes the integrator `name` of `tenant` to filters, relative to the tenant, each with the largest QoS that may
    /// be sent for it; more can follow. All of them or none.
    ///
    /// # Errors
    ///
    /// [`RouterError`], except `Thread`.
    pub async fn subscribe(
        &self,
        tenant: &str,
        name: &str,
        filters: &[(String, u8)],
    ) -> Result<Subscriber, RouterError> {
        filters::check_tenant(tenant)?;
        for (filter, _) in filters {
            filters::check_filter(filter)?;
        }
        let (answer, answered) = oneshot::channel();
        let (tenant, name, filters) = (tenant.to_owned(), name.to_owned(), filters.to_vec());
        subscriber::ask(
            &self.0.jobs,
            Job::Open {
                tenant,
                name,
                filters,
                answer,
            },
            answered,
        )
        .await?
    }

    /// Waits until the router has failed; without end if it never does. The process must then end, for its supervisor to
    /// start a new one.
    pub async fn failed(&self) -> RouterFailure {
        let mut failure = self.0.failure.clone();
        let failed = failure.wait_for(Option::is_some).await.ok().and_then(|failed| *failed);
        match failed {
            Some(failed) => failed,
            None => std::future::pending().await,
        }
    }

    /// What it has done so far.
    pub fn stats(&self) -> RouterStats {
        let Inner {
            totals, wanted, queued, ..
        } = &*self.0;
        RouterStats {
            subscribers: queued.subscribers.load(Ordering::Relaxed),
            filters: wanted.count(),
            published: totals.published.load(Ordering::Relaxed),
            delivered: totals.delivered.load(Ordering::Relaxed),
            lost_in_queue: totals.lost_in_queue.load(Ordering::Relaxed),
            lost_in_log: totals.lost_in_log.load(Ordering::Relaxed),
            lost_by_integrators: totals.lost_by_integrators.load(Ordering::Relaxed),
        }
    }

    /// Ends every subscription (`recv` gives `None`) and the feeder's thread, within a few seconds. rumqttd's thread cannot
    /// be ended: it stays behind, with nothing to do.
    pub async fn stop(&self) {
        self.0.stop.cancel();
        let _ = self.0.jobs.try_send(Job::Look);
        if tokio::time::timeout(STOP_PATIENCE, self.0.ended.cancelled())
            .await
            .is_err()
        {
            tracing::warn!("the router's feeder did not end in time");
        }
    }
}

impl Inner {
    fn enqueue(&self, frame: Frame) -> bool {
        let bytes = frame.len();
        let messages_before = self.queued.messages.fetch_add(1, Ordering::AcqRel);
        let bytes_before = self.queued.bytes.fetch_add(bytes, Ordering::AcqRel);
        let fits = messages_before < self.limits.queue_messages && bytes_before + bytes <= self.limits.queue_bytes;
        let taken = fits && self.jobs.try_send(Job::Publish(frame)).is_ok();
        if !taken {
            self.queued.messages.fetch_sub(1, Ordering::AcqRel);
            self.queued.bytes.fetch_sub(bytes, Ordering::AcqRel);
        }
        taken
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.cancel();
        let _ = self.jobs.try_send(Job::Look);
    }
}

/// Says how the feeder's thread ended, also when it panicked.
struct End {
    failed: watch::Sender<Option<RouterFailure>>,
    stop: CancellationToken,
    ended: CancellationToken,
}

impl Drop for End {
    fn drop(&mut self) {
        if !self.stop.is_cancelled() {
            probe::fail(&self.failed, RouterFailure::Ended);
        }
        self.ended.cancel();
    }
}

fn feed(shared: Shared, jobs: std::sync::mpsc::Receiver<Job>, end: End) {
    let config = rumqttd::RouterConfig {
        max_connections: shared.limits.subscribers + 1,
        max_outgoing_packet_count: 100,
        max_segment_size: SEGMENT_BYTES,
        max_segment_count: 2,
        ..Default::default()
    };
    let channel = rumqttd::Router::new(0, config).spawn();
    let connect: Connect = Box::new(move |name| {
        let (tx, rx, _) = LinkBuilder::new(name, channel.clone()).build()?;
        Ok((tx, rx))
    });
    let fed = Feeder::new(shared, connect, jobs).and_then(Feeder::run);
    if let Err(error) = fed {
        tracing::error!(%error, "MQTT router ended; restart the hub");
    }
    drop(end);
}
