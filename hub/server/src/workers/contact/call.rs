//! What the store is told of a call, no matter who rang: its steps, what the owner chose, and its one end.

use super::doubt::Doubts;
use super::order::call_order;
use super::stranger::Tries;
use super::ways::Ways;
use crate::workers::{BACKOFF, in_time};
use async_trait::async_trait;
use hub_core::call_result::{CallResult, Disposition};
use hub_core::clock::CivilClock;
use hub_core::contact::AttemptEvent;
use hub_core::families::Families;
use hub_core::id::AttemptId;
use hub_store::StoreError;
use hub_store::contact::{ContactStore, DialOrder};
use hub_voice::{CallDetail, CallHost, CallOrder, CallProgress, CommitRefused};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How long a key is tried to be saved; below the telephone side's own limit.
const CHOICE_TRIES_FOR: Duration = Duration::from_secs(4);
/// How long the end of a call is tried to be saved. After that the next start of the program finds the attempt and
/// ends it as unknown, which a person sees.
const END_TRIES_FOR: Duration = Duration::from_mins(10);

/// Calls as the store knows them: their attempts.
pub struct Calls {
    pub(super) contacts: Arc<dyn ContactStore>,
    pub(super) clock: Arc<dyn CivilClock>,
    families: watch::Receiver<Arc<Families>>,
    pub(super) doubts: Doubts,
    pub(super) tries: Arc<Tries>,
    pub(super) ways: Arc<Ways>,
}

impl Calls {
    /// Those of this store. Owners hear of appliances and faults by the words of these families.
    pub fn new(
        contacts: Arc<dyn ContactStore>,
        clock: Arc<dyn CivilClock>,
        families: watch::Receiver<Arc<Families>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            contacts,
            ways: Arc::new(Ways::new(clock.clone())),
            clock,
            families,
            doubts: Doubts::default(),
            tries: Arc::default(),
        })
    }

    /// The ways by which calls go out.
    pub fn ways(&self) -> Arc<Ways> {
        self.ways.clone()
    }

    /// What a call is to say; `None` without a number.
    pub(super) fn order(&self, order: &DialOrder, now: Timestamp) -> Option<CallOrder> {
        call_order(order, &self.families.borrow(), now)
    }

    /// Ends the attempts in doubt that were committed.
    pub(super) async fn end_doubts(&self) -> Result<(), StoreError> {
        self.doubts.end(&*self.contacts, &*self.clock).await
    }

    /// Saves the end of a call with its record.
    pub(super) async fn end(&self, attempt: AttemptId, detail: &CallDetail) {
        let record = serde_json::to_value(detail).unwrap_or(serde_json::Value::Null);
        tracing::info!(%attempt, result = detail.result.as_str(), talk_ms = detail.talk_ms, "call ended");
        if let Some(refused) = detail.refused {
            self.save_refused(attempt, refused).await;
        }
        self.save_end(
            attempt,
            AttemptEvent::Ended {
                result: detail.result,
                detail: record,
            },
        )
        .await;
    }

    /// A key that could not be saved while the call was up: the owner was told that a person rings, which is saved now; and that they
    /// want no more calls is saved whatever they were told.
    async fn save_refused(&self, attempt: AttemptId, refused: Disposition) {
        let no_more = (refused == Disposition::DoNotCall).then_some(refused);
        for choice in [Disposition::PersonWanted].into_iter().chain(no_more) {
            self.save_end(attempt, AttemptEvent::Chose(choice)).await;
        }
    }

    /// Saves that nobody could be rung, for want of a number.
    pub(super) async fn end_unrung(&self, attempt: AttemptId) {
        let detail = serde_json::json!({ "reason": "the owner has no number" });
        self.save_end(
            attempt,
            AttemptEvent::Ended {
                result: CallResult::InvalidNumber,
                detail,
            },
        )
        .await;
    }

    /// Saves an end, or tells an administrator that it could not be.
    pub(super) async fn save_end(&self, attempt: AttemptId, event: AttemptEvent) {
        match tokio::time::timeout(END_TRIES_FOR, self.apply(attempt, event)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!(%attempt, error = &error as &dyn std::error::Error, "the end of a call cannot be saved");
            }
            Err(_) => {
                tracing::error!(%attempt, "the store did not take the end of a call in time; the next start ends it as unknown");
            }
        }
    }

    /// Applies an event, again and again while the store is away or somebody else is faster.
    async fn apply(&self, attempt: AttemptId, event: AttemptEvent) -> Result<(), StoreError> {
        let mut backoff = BACKOFF;
        loop {
            match in_time(self.contacts.apply_attempt(attempt, event.clone(), self.clock.now())).await {
                Err(StoreError::Unavailable(_) | StoreError::Conflict(_)) => tokio::time::sleep(backoff.pause()).await,
                other => return other.map(drop),
            }
        }
    }
}

#[async_trait]
impl CallHost for Calls {
    async fn progress(&self, attempt: AttemptId, progress: CallProgress) {
        let event = match progress {
            CallProgress::Ringing => AttemptEvent::Ringing,
            CallProgress::Answered => AttemptEvent::Answered,
            // The record at the end holds these.
            CallProgress::Dialing
            | CallProgress::Saying { .. }
            | CallProgress::Pressed { .. }
            | CallProgress::Ended => return,
        };
        if let Err(error) = in_time(self.contacts.apply_attempt(attempt, event, self.clock.now())).await {
            tracing::warn!(%attempt, error = &error as &dyn std::error::Error, "progress of a call not saved");
        }
    }

    async fn commit(&self, attempt: AttemptId, disposition: Disposition) -> Result<(), CommitRefused> {
        // A store that is away is asked again, but not after the call has told the owner that it could not be saved.
        let saved = tokio::time::timeout(CHOICE_TRIES_FOR, self.apply(attempt, AttemptEvent::Chose(disposition))).await;
        match saved {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                tracing::warn!(%attempt, error = &error as &dyn std::error::Error, "what the owner chose was not saved");
                Err(CommitRefused)
            }
            Err(_) => {
                tracing::warn!(%attempt, "what the owner chose was not saved: the store did not answer in time");
                Err(CommitRefused)
            }
        }
    }
}
