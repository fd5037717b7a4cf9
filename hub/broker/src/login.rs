//! Who is this? Log-ins that wait are asked of the store together, so that a fleet that comes back costs a few round
//! trips and not one for each device.

use crate::batch::{Asked, Asks, GATHER, Question, channel};
use crate::counters::{BrokerCounters, add};
use hub_core::clock::CivilClock;
use hub_store::DoorStore;
use hub_store::access::{Credential, Principal};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Credentials asked of the store at one time.
const BATCH_MAX: usize = 256;
/// Batches asked at one time: the next is gathered while one is answered.
const BATCHES_MAX: usize = 2;

/// The store did not answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unanswered;

/// Who a credential belongs to.
pub(crate) type Answer = Result<Option<Principal>, Unanswered>;

/// Where connections ask.
#[derive(Debug, Clone)]
pub(crate) struct Logins(Asks<Credential, Answer>);

/// Who asks the store.
pub(crate) struct Clerk {
    pub(crate) store: Arc<dyn DoorStore>,
    pub(crate) clock: Arc<dyn CivilClock>,
    pub(crate) counters: Arc<BrokerCounters>,
    pub(crate) patience: Duration,
    asked: Asked<Credential, Answer>,
}

impl Logins {
    /// Both ends, with room for `waiting_max` questions.
    pub(crate) fn new(
        waiting_max: usize,
        store: Arc<dyn DoorStore>,
        clock: Arc<dyn CivilClock>,
        counters: Arc<BrokerCounters>,
        patience: Duration,
    ) -> (Self, Clerk) {
        let (asks, asked) = channel(waiting_max);
        let clerk = Clerk {
            store,
            clock,
            counters,
            patience,
            asked,
        };
        (Self(asks), clerk)
    }

    /// Who this credential belongs to. The session's own deadline ends the wait.
    pub(crate) async fn ask(self, credential: Credential) -> Answer {
        self.0.ask(credential).await.unwrap_or(Err(Unanswered))
    }
}

impl Clerk {
    /// Answers without end.
    pub(crate) async fn serve(self) {
        let turns = [(); BATCHES_MAX].map(|()| self.turn());
        let [first, second] = turns;
        tokio::join!(first, second);
    }

    async fn turn(&self) {
        while let Some(batch) = self.asked.next(BATCH_MAX).await {
            if batch.is_empty() {
                continue;
            }
            let full = batch.len() == BATCH_MAX;
            self.answer(batch).await;
            if !full {
                sleep(GATHER).await;
            }
        }
    }

    async fn answer(&self, batch: Vec<Question<Credential, Answer>>) {
        let (shown, askers): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        add(&self.counters.login_batches, 1);
        let asked = timeout(self.patience, self.store.identify(&shown, self.clock.now())).await;
        let failed = match asked {
            Ok(Ok(principals)) if principals.len() == askers.len() => {
                for (asker, principal) in askers.into_iter().zip(principals) {
                    // It may have left.
                    let _ = asker.send(Ok(principal));
                }
                return;
            }
            Ok(Ok(principals)) => format!("{} answers to {} questions", principals.len(), askers.len()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        tracing::warn!(waiting = askers.len(), failed, "log-ins not answered");
        for asker in askers {
            let _ = asker.send(Err(Unanswered));
        }
    }
}
