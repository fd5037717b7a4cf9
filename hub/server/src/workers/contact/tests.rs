//! Which tickets are looked at together, and what ends a look.

use super::*;
use hub_core::clock::ManualClock;
use hub_core::contact::ContactAttempt;
use hub_core::id::{TicketId, TraceId};
use hub_core::ticket::ServiceTicket;
use hub_store::scope::Page;
use hub_store::ticket::{TicketFilter, TicketSummary, TicketView};
use std::sync::atomic::AtomicUsize;
use tokio::sync::Barrier;

/// Contacts that are due of a tenant without a trunk: all that is asked of each is to hold it.
struct Planned {
    due: usize,
    /// What is answered …
    answer: fn() -> StoreError,
    /// … when so many have asked.
    together: Barrier,
    asked: AtomicUsize,
    under_way: AtomicUsize,
    under_way_most: AtomicUsize,
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
        _: &Scope,
        _: &TicketFilter,
        _: Option<&str>,
        _: usize,
    ) -> Result<Page<TicketSummary>, StoreError> {
        not_asked_for()
    }

    async fn ticket(&self, _: &Scope, _: TicketId, _: Timestamp) -> Result<TicketView, StoreError> {
        not_asked_for()
    }

    async fn apply_ticket(
        &self,
        _: &Scope,
        _: TicketId,
        _: &TicketEvent,
        _: &str,
        _: Timestamp,
    ) -> Result<ServiceTicket, StoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let under_way = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.under_way_most.fetch_max(under_way, Ordering::SeqCst);
        self.together.wait().await;
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

    async fn begin_attempt(&self, _: TicketId, _: Timestamp, _: [u8; 20]) -> Result<Begun, StoreError> {
        not_asked_for()
    }

    async fn begin_inbound(
        &self,
        _: &TenantId,
        _: &PhoneNumber,
        _: Timestamp,
        _: [u8; 20],
    ) -> Result<Option<DialOrder>, StoreError> {
        not_asked_for()
    }

    async fn apply_attempt(&self, _: AttemptId, _: AttemptEvent, _: Timestamp) -> Result<ContactAttempt, StoreError> {
        not_asked_for()
    }

    async fn recover_attempts(&self, _: Timestamp) -> Result<Vec<ContactAttempt>, StoreError> {
        not_asked_for()
    }

    async fn contacts(&self, _: &Scope, _: Option<&str>, _: usize) -> Result<Page<ContactAttempt>, StoreError> {
        not_asked_for()
    }
}

async fn look(store: &Arc<Planned>) -> Result<(), StoreError> {
    let worker = Arc::new(ContactWorker {
        contacts: store.clone(),
        tickets: store.clone(),
        telephone: None,
        clock: Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH)),
        channels: Arc::new(Semaphore::new(DUE_MAX)),
        figures: Arc::default(),
        calls: TaskTracker::new(),
    });
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
