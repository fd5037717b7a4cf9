//! An integrator's end of the router, and what it asks of the feeder.

use super::frame::Frame;
use super::{RouterError, filters};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How long the router may take to answer a subscription.
const ANSWER_PATIENCE: Duration = Duration::from_secs(5);

/// One message for an integrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The topic within the tenant, for example `d/{device}/t`. ASCII.
    pub topic: String,
    /// The payload, in a buffer of its own.
    pub payload: Bytes,
    /// The smaller of what was published and what this filter was granted.
    pub qos: u8,
    /// Whether the publisher asked for it to be retained: for MQTT 5.0's retain-as-published; anyone else is sent 0, since
    /// the message is a fresh one.
    pub retain: bool,
    /// As given to [`super::Published`].
    pub properties: Bytes,
    /// As given to [`super::Published`].
    pub expires_ms: Option<u64>,
}

impl Delivery {
    /// What it counts for in the integrator's queue.
    fn bytes(&self) -> usize {
        self.topic.len() + self.properties.len() + self.payload.len()
    }
}

/// What the feeder, the link's task and the integrator know of each other.
#[derive(Debug)]
pub(super) struct SubscriberState {
    pub tenant: String,
    pub name: String,
    pub link: usize,
    pub closed: AtomicBool,
    pub lost: AtomicU64,
    bytes_queued: AtomicUsize,
    bytes_max: usize,
}

impl SubscriberState {
    pub fn new(tenant: String, name: String, link: usize, bytes_max: usize) -> Self {
        Self {
            tenant,
            name,
            link,
            closed: AtomicBool::new(false),
            lost: AtomicU64::new(0),
            bytes_queued: AtomicUsize::new(0),
            bytes_max,
        }
    }

    /// Puts a message into the integrator's queue; `false` if it does not fit.
    pub fn offer(&self, queue: &mpsc::Sender<Delivery>, delivery: Delivery) -> bool {
        let bytes = delivery.bytes();
        // Only the link's task adds, so nothing is added between the question and the answer.
        if self.bytes_queued.load(Ordering::Acquire) + bytes > self.bytes_max {
            return false;
        }
        self.bytes_queued.fetch_add(bytes, Ordering::AcqRel);
        let fits = queue.try_send(delivery).is_ok();
        if !fits {
            self.bytes_queued.fetch_sub(bytes, Ordering::AcqRel);
        }
        fits
    }
}

/// An integrator's subscriptions. Dropping it gives back everything it holds.
#[derive(Debug)]
pub struct Subscriber {
    pub(super) state: Arc<SubscriberState>,
    pub(super) queue: mpsc::Receiver<Delivery>,
    pub(super) jobs: SyncSender<Job>,
}

impl Subscriber {
    /// The next message; `None` once the router has ended. Cancel safe.
    pub async fn recv(&mut self) -> Option<Delivery> {
        let delivery = self.queue.recv().await?;
        self.state.bytes_queued.fetch_sub(delivery.bytes(), Ordering::AcqRel);
        Some(delivery)
    }

    /// Subscribes to one more filter with the largest QoS that may be sent for it, or changes the QoS of one it has.
    /// Messages published from now on are delivered; a message that matches several filters comes once for each
    /// (MQTT 3.1.1 §3.3.5 allows both). Retained messages are the caller's to send.
    ///
    /// # Errors
    ///
    /// [`RouterError::Filter`], [`RouterError::TooManyFilters`], or [`RouterError::Unanswered`].
    pub async fn add(&mut self, filter: &str, qos: u8) -> Result<(), RouterError> {
        filters::check_filter(filter)?;
        let (answer, answered) = oneshot::channel();
        let state = Arc::clone(&self.state);
        ask(
            &self.jobs,
            Job::Add {
                state,
                filter: filter.to_owned(),
                qos,
                answer,
            },
            answered,
        )
        .await?
    }

    /// Ends the subscription to a filter. Returns whether there was one.
    ///
    /// # Errors
    ///
    /// [`RouterError::Unanswered`].
    pub async fn remove(&mut self, filter: &str) -> Result<bool, RouterError> {
        let (answer, answered) = oneshot::channel();
        let state = Arc::clone(&self.state);
        ask(
            &self.jobs,
            Job::Remove {
                state,
                filter: filter.to_owned(),
                answer,
            },
            answered,
        )
        .await
    }

    /// Messages it should have had and did not get, since it subscribed.
    pub fn lost(&self) -> u64 {
        self.state.lost.load(Ordering::Relaxed)
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.state.closed.store(true, Ordering::Release);
        // Only to be quick: the feeder looks for closed ones by itself, too.
        let _ = self.jobs.try_send(Job::Look);
    }
}

/// To whom a subscriber is given.
pub(super) type Opened = oneshot::Sender<Result<Subscriber, RouterError>>;

/// What the feeder is asked.
#[derive(Debug)]
pub(super) enum Job {
    /// A message that somebody wanted a moment ago.
    Publish(Frame),
    Open {
        tenant: String,
        name: String,
        filters: Vec<(String, u8)>,
        answer: Opened,
    },
    Add {
        state: Arc<SubscriberState>,
        filter: String,
        qos: u8,
        answer: oneshot::Sender<Result<(), RouterError>>,
    },
    Remove {
        state: Arc<SubscriberState>,
        filter: String,
        answer: oneshot::Sender<bool>,
    },
    /// Look up from the queue.
    Look,
    /// Publish under a name that a slot never has.
    #[cfg(test)]
    Raw(String),
    /// Let rumqttd's thread stand still until the other end goes.
    #[cfg(test)]
    Hold(std::sync::mpsc::Receiver<()>),
}

/// Hands a question to the feeder and waits for its answer.
pub(super) async fn ask<T>(jobs: &SyncSender<Job>, job: Job, answered: oneshot::Receiver<T>) -> Result<T, RouterError> {
    jobs.try_send(job).map_err(|_| RouterError::Unanswered)?;
    match tokio::time::timeout(ANSWER_PATIENCE, answered).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) | Err(_) => Err(RouterError::Unanswered),
    }
}
