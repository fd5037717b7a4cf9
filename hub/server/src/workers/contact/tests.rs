//! Which tickets are looked at together, and what ends a look.

use super::*;
use hub_core::clock::ManualClock;
use hub_core::contact::{AttemptState, ContactAttempt, Direction};
use hub_core::id::{OwnerId, TraceId};
use hub_core::ticket::ServiceTicket;
use hub_store::page::Page;
use hub_store::ticket::{TicketFilter, TicketSummary, TicketView};
use std::sync::atomic::AtomicUsize;
use tokio::sync::Barrier;

/// Contacts that are due of a tenant without a trunk: all that is asked of each is to hold it. An attempt is committed, and the
/// same answered.
struct Planned {
    due: usize,
    /// What is answered …
    answer: fn() -> StoreError,
    /// … when so many have asked.
    together: Barrier,
    asked: AtomicUsize,
    under_way: AtomicUsize,
    under_way_most: AtomicUsize,
    committed: Mutex<Vec<AttemptId>>,
    ends: Mutex<Vec<(AttemptId, CallResult)>>,
}

impl Planned {
    fn new(due: usize, together: usize, answer: fn() -> StoreError) -> Arc<Self> {
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
        // Whoever else may run does so now, and is counted.
        tokio::task::yield_now().await;
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        Err((self.answer)())
    }
}

#[async_trait]
impl ContactStore for Planned {
    async fn contacts_due(&self, now: Timestamp, limit: usize) -> Result<Vec<DueContact>, StoreError> {
        let due = |number| DueContact {
            ticket: TicketId::new(now, [u8::try_from(number).unwrap(); 10]),
            tenant: TenantId::new("acme").unwrap(),
            trace: TraceId::new(now, [0; 10]),
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
    ) -> Result<Option<DialOrder>, StoreError> {
        self.committed.lock().unwrap().push(attempt_id(now, &random));
        Err((self.answer)())
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
            owner: OwnerId::new(now, [0; 10]),
            direction: Direction::Outbound,
            state: AttemptState::Ended,
            started_at: now,
            ended_at: Some(now),
            result: Some(result),
            disposition: None,
            requested_by: None,
            offered: None,
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

fn worker(store: &Arc<Planned>) -> Arc<ContactWorker> {
    Arc::new(ContactWorker {
        contacts: store.clone(),
        tickets: store.clone(),
        telephone: None,
        clock: Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH)),
        channels: Arc::new(Semaphore::new(DUE_MAX)),
        figures: Arc::default(),
        calls: TaskTracker::new(),
        doubts: Mutex::default(),
    })
}

async fn look(store: &Arc<Planned>) -> Result<(), StoreError> {
    let worker = worker(store);
    let stop = CancellationToken::new();
    let looked = tokio::time::timeout(Duration::from_secs(20), worker.look(&stop)).await;
    looked.expect("one ticket waits for the end of another one's transaction")
}

#[tokio::test]
async fn a_ticket_waits_for_no_others_transaction_and_no_more_than_a_few_run_at_once() {
    let store = Planned::new(3 * AT_ONCE, AT_ONCE, || StoreError::Conflict("settled".to_owned()));
    look(&store).await.unwrap();
    assert_eq!(store.asked.load(Ordering::SeqCst), 3 * AT_ONCE);
    assert_eq!(store.under_way_most.load(Ordering::SeqCst), AT_ONCE);
}

#[tokio::test]
async fn a_store_that_is_away_is_not_asked_for_all_tickets_that_are_due() {
    let store = Planned::new(DUE_MAX, 1, || StoreError::Unavailable("away".into()));
    let looked = look(&store).await;
    assert!(matches!(looked, Err(StoreError::Unavailable(_))), "{looked:?}");
    let asked = store.asked.load(Ordering::SeqCst);
    assert!((1..=AT_ONCE).contains(&asked), "{asked}");
    assert_eq!(store.under_way.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_attempt_that_is_committed_without_an_answer_is_ended_since_nobody_rings_for_it() {
    let store = Planned::new(0, 1, || StoreError::Unavailable("no answer".into()));
    let worker = worker(&store);
    let now = Timestamp::UNIX_EPOCH;
    let dialled = worker.dial(TicketId::new(now, [1; 10]), now).await;
    assert!(matches!(dialled, Err(StoreError::Unavailable(_))), "{dialled:?}");
    let caller = PhoneNumber::new("+8613800008412").unwrap();
    let answered = worker.answer("acme", Some(caller), None).await;
    assert!(matches!(answered, InboundDecision::Decline));
    let committed = store.committed.lock().unwrap().clone();
    assert_eq!(committed.len(), 2);
    // Two that are not there: one for so long that it was rolled back, and one that may still come.
    let [old, young] = [1, 2].map(|n| AttemptId::new(now, [n; 10]));
    let long_ago = Instant::now().checked_sub(DOUBTED_FOR).unwrap();
    worker.doubts().push_back((old, long_ago));
    worker.doubt(young);
    for look in 1..=2 {
        worker.look(&CancellationToken::new()).await.unwrap();
        let ends = committed.iter().map(|id| (*id, CallResult::NetworkFailure));
        assert_eq!(*store.ends.lock().unwrap(), ends.collect::<Vec<_>>(), "look {look}");
        let left: Vec<_> = worker.doubts().iter().map(|(attempt, _)| *attempt).collect();
        assert_eq!(left, [young], "look {look}");
    }
}

#[tokio::test]
async fn a_refusal_leaves_no_attempt_in_doubt_and_what_is_in_doubt_is_bounded() {
    let now = Timestamp::UNIX_EPOCH;
    let refused = worker(&Planned::new(0, 1, || StoreError::Conflict("settled".to_owned())));
    assert!(refused.dial(TicketId::new(now, [1; 10]), now).await.is_err());
    assert!(refused.doubts().is_empty());
    let away = worker(&Planned::new(0, 1, || StoreError::Unavailable("away".into())));
    for _ in 0..=DOUBTS_MAX {
        assert!(away.dial(TicketId::new(now, [1; 10]), now).await.is_err());
    }
    assert_eq!(away.doubts().len(), DOUBTS_MAX);
}
