//! Attempts in doubt: the store gave no answer, so that they may have been committed although nobody rings for them.

use crate::workers::in_time;
use hub_core::call_result::CallResult;
use hub_core::clock::CivilClock;
use hub_core::contact::AttemptEvent;
use hub_core::id::AttemptId;
use hub_store::StoreError;
use hub_store::contact::ContactStore;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Attempts that may have been committed without our hearing so. Those beyond wait for the next start.
const DOUBTS_MAX: usize = 256;
/// So long one of them is asked for that is not there: a commit whose connection is lost may still come. Longer than the server
/// lets a statement take.
const DOUBTED_FOR: Duration = Duration::from_mins(1);

/// Attempts in doubt, and since when; at most [`DOUBTS_MAX`].
#[derive(Default)]
pub(super) struct Doubts(Mutex<VecDeque<(AttemptId, Instant)>>);

impl Doubts {
    /// The store gave no answer: this attempt may have been committed, and nobody rings for it.
    pub(super) fn add(&self, attempt: AttemptId) {
        let mut doubts = self.all();
        if doubts.len() < DOUBTS_MAX {
            doubts.push_back((attempt, Instant::now()));
        } else {
            tracing::debug!(%attempt, "an attempt in doubt waits for the next start");
        }
    }

    /// Ends the attempts in doubt that were committed: else their tickets would stay in a call, and what else is due of their
    /// owners would wait for its end, until the next start. Nobody was rung, so that the plan may try again.
    pub(super) async fn end(&self, contacts: &dyn ContactStore, clock: &dyn CivilClock) -> Result<(), StoreError> {
        let doubts: Vec<_> = self.all().iter().copied().collect();
        for (attempt, since) in doubts {
            let end = AttemptEvent::Ended {
                result: CallResult::NotPlaced,
                detail: serde_json::json!({ "reason": "the store gave no answer before the call; nobody was rung" }),
            };
            match in_time(contacts.apply_attempt(attempt, end, clock.now())).await {
                Ok(_) => {
                    tracing::warn!(%attempt, "an attempt was committed without an answer: nobody was rung, and it is ended");
                }
                Err(StoreError::NotFound { .. }) if since.elapsed() < DOUBTED_FOR => continue,
                Err(StoreError::NotFound { .. }) => {}
                Err(StoreError::Conflict(_)) => continue,
                Err(error @ (StoreError::Unavailable(_) | StoreError::Deposed)) => return Err(error),
                Err(error) => {
                    tracing::error!(%attempt, error = &error as &dyn std::error::Error, "an attempt in doubt cannot be ended");
                }
            }
            self.all().retain(|(known, _)| *known != attempt);
        }
        Ok(())
    }

    fn all(&self) -> MutexGuard<'_, VecDeque<(AttemptId, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workers::contact::fake::{Planned, calls, dialler};
    use hub_core::id::TicketId;
    use hub_core::phone_number::PhoneNumber;
    use hub_voice::{InboundDecision, InboundHost};
    use jiff::Timestamp;
    use tokio_util::sync::CancellationToken;

    #[tokio::test]
    async fn an_attempt_that_is_committed_without_an_answer_is_ended_since_nobody_rings_for_it() {
        let store = Planned::new(0, 1, || StoreError::Unavailable("no answer".into()));
        let calls = calls(&store);
        let dialler = dialler(&store, &calls);
        let now = Timestamp::UNIX_EPOCH;
        let dialled = dialler.dial(TicketId::new(now, [1; 10]), now).await;
        assert!(matches!(dialled, Err(StoreError::Unavailable(_))), "{dialled:?}");
        let caller = PhoneNumber::new("+8613800008412").unwrap();
        let answered = calls.answer("acme", Some(caller), None).await;
        assert!(matches!(answered, InboundDecision::Decline));
        let committed = store.committed.lock().unwrap().clone();
        assert_eq!(committed.len(), 2);
        // Two that are not there: one for so long that it was rolled back, and one that may still come.
        let [old, young] = [1, 2].map(|n| AttemptId::new(now, [n; 10]));
        let long_ago = Instant::now().checked_sub(DOUBTED_FOR).unwrap();
        calls.doubts.all().push_back((old, long_ago));
        calls.doubts.add(young);
        for look in 1..=2 {
            dialler.look(&CancellationToken::new()).await.unwrap();
            let ends = committed.iter().map(|id| (*id, CallResult::NotPlaced));
            assert_eq!(*store.ends.lock().unwrap(), ends.collect::<Vec<_>>(), "look {look}");
            let left: Vec<_> = calls.doubts.all().iter().map(|(attempt, _)| *attempt).collect();
            assert_eq!(left, [young], "look {look}");
        }
    }

    #[tokio::test]
    async fn a_refusal_leaves_no_attempt_in_doubt_and_what_is_in_doubt_is_bounded() {
        let now = Timestamp::UNIX_EPOCH;
        let ticket = TicketId::new(now, [1; 10]);
        let settled = Planned::new(0, 1, || StoreError::Conflict("settled".to_owned()));
        let refused = calls(&settled);
        assert!(dialler(&settled, &refused).dial(ticket, now).await.is_err());
        assert!(refused.doubts.all().is_empty());
        let silent = Planned::new(0, 1, || StoreError::Unavailable("away".into()));
        let away = calls(&silent);
        let dialler = dialler(&silent, &away);
        for _ in 0..=DOUBTS_MAX {
            assert!(dialler.dial(ticket, now).await.is_err());
        }
        assert_eq!(away.doubts.all().len(), DOUBTS_MAX);
    }
}
