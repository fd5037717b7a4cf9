//! ticket → contact: looks at tickets whose contact is due, lets the transaction that dials decide, and only then rings.

use super::{BACKOFF, Figures, PATIENCE, in_time};
use crate::random;
use async_trait::async_trait;
use hub_core::call_result::{CallResult, Disposition};
use hub_core::call_rules::HoldReason;
use hub_core::clock::CivilClock;
use hub_core::contact::AttemptEvent;
use hub_core::id::{AttemptId, TenantId, TicketId};
use hub_core::phone_number::PhoneNumber;
use hub_core::prediction::Severity;
use hub_core::ticket::{HUB, TicketEvent};
use hub_store::contact::{Begun, ContactStore, DialOrder, DueContact, attempt_id};
use hub_store::ticket::TicketStore;
use hub_store::{Scope, Store, StoreError};
use hub_voice::{
    CallDetail, CallHost, CallOrder, CallProgress, CommitRefused, Flow, InboundDecision, InboundHost, Value, Values,
    Voice,
};
use jiff::{RoundMode, SignedDuration, Timestamp, TimestampRound, Unit, Zoned, tz::TimeZone};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Tickets looked at in one go.
const DUE_MAX: usize = 64;
/// Tickets whose transactions run at the same time. An owner whose appliance has just raised an alarm need not wait until it
/// has been decided about all whose contact was due before; and most connections are left to everybody else.
const AT_ONCE: usize = 4;
/// A person rings within this time if the owner asks for one.
const PERSON_RINGS_WITHIN: SignedDuration = SignedDuration::from_hours(2);
/// How long a key is tried to be saved; below the telephone side's own limit.
const CHOICE_TRIES_FOR: Duration = Duration::from_secs(4);
/// How long the end of a call is tried to be saved. After that the next start of the program finds the attempt and
/// ends it as unknown, which a person sees.
const END_TRIES_FOR: Duration = Duration::from_mins(10);
/// Attempts that may have been committed without our hearing so. Those beyond wait for the next start.
const DOUBTS_MAX: usize = 256;
/// So long one of them is asked for that is not there: a commit whose connection is lost may still come. Longer than the server
/// lets a statement take.
const DOUBTED_FOR: Duration = Duration::from_mins(1);

/// The way to the telephone network.
#[derive(Clone)]
pub struct Telephone {
    /// The telephone side.
    pub voice: Arc<Voice>,
    /// The main number of each tenant that has a trunk.
    pub main_numbers: BTreeMap<TenantId, PhoneNumber>,
}

/// Rings owners, and answers them when they ring back.
pub struct ContactWorker {
    contacts: Arc<dyn ContactStore>,
    tickets: Arc<dyn TicketStore>,
    telephone: Option<Telephone>,
    clock: Arc<dyn CivilClock>,
    channels: Arc<Semaphore>,
    figures: Arc<Figures>,
    calls: TaskTracker,
    /// Attempts in doubt, and since when.
    doubts: Mutex<VecDeque<(AttemptId, Instant)>>,
}

impl ContactWorker {
    /// A worker that has at most `calls_max` calls up; `figures` tells how many are. Without a telephone every ticket
    /// is held for a person.
    pub fn new(
        store: Arc<dyn Store>,
        telephone: Option<Telephone>,
        clock: Arc<dyn CivilClock>,
        calls_max: usize,
        figures: Arc<Figures>,
    ) -> Arc<Self> {
        let channels = Arc::new(Semaphore::new(calls_max));
        Arc::new(Self {
            contacts: store.clone(),
            tickets: store,
            telephone,
            clock,
            channels,
            figures,
            calls: TaskTracker::new(),
            doubts: Mutex::default(),
        })
    }

    /// Works until `stop`; then waits for the calls that are up.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut backoff = BACKOFF;
        while !stop.is_cancelled() {
            let looked = self.look(&stop).await;
            let rest = match looked {
                Ok(()) => {
                    backoff.reset();
                    self.figures.contact_looks.fetch_add(1, Ordering::Relaxed);
                    stop.run_until_cancelled(self.contacts.contact_planned(PATIENCE)).await;
                    continue;
                }
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "contacts are held up, trying again"
                    );
                    backoff.pause()
                }
            };
            stop.run_until_cancelled(tokio::time::sleep(rest)).await;
        }
        self.calls.close();
        self.calls.wait().await;
    }

    async fn look(self: &Arc<Self>, stop: &CancellationToken) -> Result<(), StoreError> {
        self.end_doubts().await?;
        let mut looks = JoinSet::new();
        let mut looked = Ok(());
        for due in in_time(self.contacts.contacts_due(self.clock.now(), DUE_MAX)).await? {
            if looks.len() >= AT_ONCE {
                looked = ended(&mut looks).await.unwrap_or(Ok(()));
            }
            if looked.is_err() {
                break;
            }
            // A place on the line first: the row is committed only when the INVITE can follow at once.
            let Some(Ok(channel)) = stop.run_until_cancelled(self.channels.clone().acquire_owned()).await else {
                break;
            };
            // A task of its own, which ends whatever becomes of the others: one that is given up half-way may have committed an
            // attempt that nobody rings for.
            looks.spawn(self.clone().take_up(due, channel));
        }
        while let Some(last) = ended(&mut looks).await {
            looked = looked.and(last);
        }
        looked
    }

    /// Lets the transaction decide, and rings if it says so. An error is one for which no ticket is looked at.
    async fn take_up(self: Arc<Self>, due: DueContact, channel: OwnedSemaphorePermit) -> Result<(), StoreError> {
        match self.begin(&due).await {
            Ok(Some((voice, order))) => {
                let worker = self.clone();
                self.figures.calls_up.send_modify(|n| *n += 1);
                self.calls.spawn(async move {
                    worker.ring(voice, *order).await;
                    worker.figures.calls_up.send_modify(|n| *n -= 1);
                    drop(channel);
                });
            }
            // Somebody acted on the ticket meanwhile: the next look finds out.
            Ok(None) | Err(StoreError::Conflict(_) | StoreError::Ticket(_)) => {}
            Err(error @ (StoreError::Unavailable(_) | StoreError::Deposed)) => return Err(error),
            Err(error) => {
                let ticket = due.ticket;
                tracing::error!(%ticket, error = &error as &dyn std::error::Error, "this ticket's contact cannot be looked at");
            }
        }
        Ok(())
    }

    async fn begin(&self, due: &DueContact) -> Result<Option<(Arc<Voice>, Box<DialOrder>)>, StoreError> {
        let (now, ticket) = (self.clock.now(), due.ticket);
        let with_trunk = |t: &&Telephone| t.main_numbers.contains_key(&due.tenant);
        let Some(telephone) = self.telephone.as_ref().filter(with_trunk) else {
            let held = TicketEvent::Held {
                reason: HoldReason::TrunkRefused,
            };
            in_time(self.tickets.apply_ticket(&Scope::All, ticket, &held, HUB, now)).await?;
            tracing::info!(trace = %due.trace, %ticket, "not called: the tenant has no trunk");
            return Ok(None);
        };
        match self.dial(ticket, now).await? {
            Begun::Ring(order) => Ok(Some((telephone.voice.clone(), order))),
            Begun::Waits { until, reason } => {
                tracing::info!(trace = %due.trace, %ticket, %until, ?reason, "not called now");
                Ok(None)
            }
            Begun::Held(reason) => {
                tracing::info!(trace = %due.trace, %ticket, ?reason, "not called: a person decides");
                Ok(None)
            }
            Begun::Settled => Ok(None),
        }
    }

    /// The transaction that dials.
    async fn dial(&self, ticket: TicketId, now: Timestamp) -> Result<Begun, StoreError> {
        let random = random::bytes();
        let begun = in_time(self.contacts.begin_attempt(ticket, now, random)).await;
        if let Err(StoreError::Unavailable(_)) = begun {
            self.doubt(attempt_id(now, &random));
        }
        begun
    }

    /// The store gave no answer: this attempt may have been committed, and nobody rings for it.
    fn doubt(&self, attempt: AttemptId) {
        let mut doubts = self.doubts();
        if doubts.len() < DOUBTS_MAX {
            doubts.push_back((attempt, Instant::now()));
        } else {
            tracing::debug!(%attempt, "an attempt in doubt waits for the next start");
        }
    }

    fn doubts(&self) -> MutexGuard<'_, VecDeque<(AttemptId, Instant)>> {
        self.doubts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the attempts in doubt that were committed: else their tickets would stay in a call, and what else is due of their
    /// owners would wait for its end, until the next start. Nobody was rung, so that the plan may try again.
    async fn end_doubts(&self) -> Result<(), StoreError> {
        let doubts: Vec<_> = self.doubts().iter().copied().collect();
        for (attempt, since) in doubts {
            let end = AttemptEvent::Ended {
                result: CallResult::NetworkFailure,
                detail: serde_json::json!({ "reason": "the store gave no answer before the call; nobody was rung" }),
            };
            match in_time(self.contacts.apply_attempt(attempt, end, self.clock.now())).await {
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
            self.doubts().retain(|(known, _)| *known != attempt);
        }
        Ok(())
    }

    /// Rings and saves the one end of the attempt.
    async fn ring(self: &Arc<Self>, voice: Arc<Voice>, order: DialOrder) {
        let attempt = order.attempt.id;
        tracing::info!(trace = %order.attempt.trace, %attempt, to = %order.owner.name_in_tenant, "ringing");
        let Some(call) = call_order(&order, self.clock.now()) else {
            return self.end_unrung(attempt).await;
        };
        let host = self.clone();
        // A task of its own, so that even a fault in the telephone side leaves the attempt with an end.
        match tokio::spawn(async move { voice.ring(call, host).await }).await {
            Ok(detail) => self.end(attempt, &detail).await,
            Err(error) => {
                tracing::error!(%attempt, error = &error as &dyn std::error::Error, "the call's task failed");
                self.save_end(attempt, AttemptEvent::FoundAfterRestart).await;
            }
        }
    }

    async fn end(&self, attempt: AttemptId, detail: &CallDetail) {
        let record = serde_json::to_value(detail).unwrap_or(serde_json::Value::Null);
        tracing::info!(%attempt, result = detail.result.as_str(), talk_ms = detail.talk_ms, "call ended");
        self.save_end(
            attempt,
            AttemptEvent::Ended {
                result: detail.result,
                detail: record,
            },
        )
        .await;
    }

    async fn end_unrung(&self, attempt: AttemptId) {
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

    async fn save_end(&self, attempt: AttemptId, event: AttemptEvent) {
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
impl CallHost for ContactWorker {
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
            tracing::warn!(%attempt, error = &error as &dyn std::error::Error, "the progress of a call is not shown");
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

#[async_trait]
impl InboundHost for ContactWorker {
    async fn answer(&self, trunk: &str, caller: Option<PhoneNumber>, _: Option<PhoneNumber>) -> InboundDecision {
        // A trunk has its tenant's name.
        let (Some(caller), Ok(tenant)) = (caller, TenantId::new(trunk)) else {
            return InboundDecision::Decline;
        };
        let (now, random) = (self.clock.now(), random::bytes());
        match in_time(self.contacts.begin_inbound(&tenant, &caller, now, random)).await {
            Ok(Some(order)) => {
                call_order(&order, now).map_or(InboundDecision::Decline, |call| InboundDecision::Flow(Box::new(call)))
            }
            Ok(None) => {
                tracing::info!(%caller, %tenant, "a call to the main number belongs to no open ticket");
                InboundDecision::Decline
            }
            Err(error) => {
                if let StoreError::Unavailable(_) = error {
                    self.doubt(attempt_id(now, &random));
                }
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a call to the main number could not be looked up"
                );
                InboundDecision::Decline
            }
        }
    }

    async fn finished(&self, detail: CallDetail) {
        self.end(detail.attempt, &detail).await;
    }
}

/// What became of the next look that ends; `None` if none is under way.
async fn ended(looks: &mut JoinSet<Result<(), StoreError>>) -> Option<Result<(), StoreError>> {
    let ended = looks.join_next().await?;
    Some(ended.unwrap_or_else(|error| {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "looking at a ticket's contact failed"
        );
        Ok(())
    }))
}

/// By when: a time that is said, so in steps of five minutes. A voice need not speak another one each minute then.
fn person_rings_by(now: Timestamp) -> Timestamp {
    let by = now.checked_add(PERSON_RINGS_WITHIN).unwrap_or(now);
    let steps = TimestampRound::new()
        .smallest(Unit::Minute)
        .increment(5)
        .mode(RoundMode::Ceil);
    by.round(steps).unwrap_or(by)
}

/// Puts a dial order into the words of the call flow; `None` without a number.
fn call_order(order: &DialOrder, now: Timestamp) -> Option<CallOrder> {
    let zone = TimeZone::get(&order.owner.zone).unwrap_or(TimeZone::UTC);
    let local = |at: Timestamp| -> Zoned { at.to_zoned(zone.clone()) };
    let serial = order.appliance.device.as_str();
    let serial_tail = serial
        .get(serial.len().saturating_sub(4)..)
        .unwrap_or(serial)
        .to_owned();
    let brand = order.brand.get(order.owner.language);
    let price = Value::Money {
        currency: order.visit_price.currency.clone(),
        minor_units: u64::from(order.visit_price.amount) * 100,
    };
    let mut values = Values::from(
        [
            ("brand", Value::Text(brand.to_owned())),
            ("appliance", Value::Term(order.appliance.profile.clone())),
            ("serial", Value::Digits(serial_tail)),
            ("fault", Value::Term(order.finding.fault_class.clone())),
            (
                "safe",
                Value::YesNo(order.finding.prediction.severity < Severity::Critical),
            ),
            ("price", price),
            ("by", Value::DateTime(local(person_rings_by(now)))),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    if let Some(slot) = order.attempt.offered {
        let (start, end) = (local(slot.start), local(slot.end));
        values.insert("slot".to_owned(), Value::TimeWindow { start, end });
    }
    Some(CallOrder {
        attempt: order.attempt.id,
        trunk: order.attempt.tenant.as_str().to_owned(),
        to: order.owner.phone.clone()?,
        language: order.owner.language,
        flow: Flow::owner_call(),
        values,
    })
}

#[cfg(test)]
mod tests;
