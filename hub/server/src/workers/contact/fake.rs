//! A store that answers as a test of the contact worker says.

use super::{Calls, Dialler};
use async_trait::async_trait;
use hub_core::actor::Actor;
use hub_core::call_result::CallResult;
use hub_core::clock::ManualClock;
use hub_core::contact::{AttemptEvent, AttemptState, ContactAttempt, Direction};
use hub_core::id::{ApplianceId, AttemptId, PersonId, TenantId, TicketId, TraceId};
use hub_core::phone_number::PhoneNumber;
use hub_core::ticket::{ServiceTicket, TicketEvent, TicketKind};
use hub_store::StoreError;
use hub_store::contact::{Begun, ContactStore, DueContact, Greeting, RangIn, attempt_id};
use hub_store::page::Page;
use hub_store::ticket::{TicketFilter, TicketStore, TicketSummary, TicketView};
use jiff::Timestamp;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Barrier;

/// Contacts that are due of a tenant without a trunk: all that is asked of each is to hold it. An attempt is committed, and the
/// same answered.
pub(super) struct Planned {
    due: usize,
    /// What is answered …
    answer: fn() -> StoreError,
    /// … when so many have asked.
    together: Barrier,
    pub(super) asked: AtomicUsize,
    pub(super) under_way: AtomicUsize,
    pub(super) under_way_most: AtomicUsize,
    pub(super) committed: Mutex<Vec<AttemptId>>,
    pub(super) ends: Mutex<Vec<(AttemptId, CallResult)>>,
}

impl Planned {
    pub(super) fn new(due: usize, together: usize, answer: fn() -> StoreError) -> Arc<Self> {
        Arc::new(Self {
            due,
            answer,
            together: Barrier::new(together),
            asked: AtomicUsize::new(0),
            under_way: AtomicUsize::new(0),
            under_way_most: AtomicUsize::new(0),
            committed: Mutex::default(),
            ends: Mutex::default(),
        })
    }
}

fn not_asked_for<T>() -> Result<T, StoreError> {
    Err(StoreError::Refused("not asked for".to_owned()))
}

#[async_trait]
impl TicketStore for Planned {
    async fn tickets(
        &self,
        _: &Actor,
        _: &TicketFilter,
        _: Option<&str>,
        _: usize,
    ) -> Result<Page<TicketSummary>, StoreError> {
        not_asked_for()
    }

    async fn ticket(&self, _: &Actor, _: TicketId, _: Timestamp) -> Result<TicketView, StoreError> {
        not_asked_for()
    }

    async fn open_ticket(
        &self,
        _: &Actor,
        _: ApplianceId,
        _: TicketKind,
        _: &str,
        _: Timestamp,
    ) -> Result<ServiceTicket, StoreError> {
        not_asked_for()
    }

    async fn apply_ticket(
        &self,
        _: &Actor,
        _: TicketId,
        _: &TicketEvent,
        _: Timestamp,
    ) -> Result<ServiceTicket, StoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let under_way = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.under_way_most.fetch_max(under_way, Ordering::SeqCst);
        self.together.wait().await;
        // Every other task that may run does so now, and is counted.
        tokio::task::yield_now().await;
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        Err((self.answer)())
    }
}

#[async_trait]
impl ContactStore for Planned {
    async fn contacts_due(&self, _: &[TenantId], now: Timestamp, limit: usize) -> Result<Vec<DueContact>, StoreError> {
        let due = |number| DueContact {
            ticket: TicketId::new(now, [u8::try_from(number).unwrap(); 10]),
            tenant: TenantId::new("acme").unwrap(),
            trace: TraceId::new(now, [0; 10]),
            waited_for_trunk: false,
        };
        Ok((0..self.due.min(limit)).map(due).collect())
    }

    async fn contact_planned(&self, _: Duration) {}

    async fn begin_attempt(&self, _: TicketId, now: Timestamp, random: [u8; 20]) -> Result<Begun, StoreError> {
        self.committed.lock().unwrap().push(attempt_id(now, &random));
        Err((self.answer)())
    }

    async fn begin_inbound(
        &self,
        _: &TenantId,
        _: &PhoneNumber,
        now: Timestamp,
        random: [u8; 20],
    ) -> Result<RangIn, StoreError> {
        self.committed.lock().unwrap().push(attempt_id(now, &random));
        Err((self.answer)())
    }

    async fn greeting(&self, _: &TenantId, _: Timestamp) -> Result<Option<Greeting>, StoreError> {
        not_asked_for()
    }

    async fn name_by_keys(&self, _: &TenantId, _: &str, _: Timestamp, _: Timestamp) -> Result<bool, StoreError> {
        not_asked_for()
    }

    async fn apply_attempt(
        &self,
        id: AttemptId,
        event: AttemptEvent,
        now: Timestamp,
    ) -> Result<ContactAttempt, StoreError> {
        let AttemptEvent::Ended { result, detail } = event else {
            return not_asked_for();
        };
        if !self.committed.lock().unwrap().contains(&id) {
            return Err(StoreError::NotFound {
                what: "attempt",
                id: id.to_string(),
            });
        }
        self.ends.lock().unwrap().push((id, result));
        Ok(ContactAttempt {
            id,
            tenant: TenantId::new("acme").unwrap(),
            ticket: TicketId::new(now, [0; 10]),
            owner: PersonId::new(now, [0; 10]),
            direction: Direction::Outbound,
            state: AttemptState::Ended,
            started_at: now,
            rang_at: None,
            ended_at: Some(now),
            result: Some(result),
            disposition: None,
            requested_by: None,
            offered: None,
            rings_by: None,
            detail: Some(detail),
            trace: TraceId::new(now, [0; 10]),
        })
    }

    async fn recover_attempts(&self, _: Timestamp) -> Result<Vec<ContactAttempt>, StoreError> {
        not_asked_for()
    }

    async fn contacts(&self, _: &Actor, _: Option<&str>, _: usize) -> Result<Page<ContactAttempt>, StoreError> {
        not_asked_for()
    }
}

/// Calls of this store.
pub(super) fn calls(store: &Arc<Planned>) -> Arc<Calls> {
    Calls::new(
        store.clone(),
        Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH)),
        tokio::sync::watch::channel(Arc::default()).1,
    )
}

/// A dialler without a telephone, with a channel for each ticket that is due.
pub(super) fn dialler(store: &Arc<Planned>, calls: &Arc<Calls>) -> Arc<Dialler> {
    Dialler::new(
        calls.clone(),
        store.clone(),
        Arc::default(),
        store.due.max(1),
        Arc::default(),
    )
}
