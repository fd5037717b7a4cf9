//! How batches come together, on a store whose commits wait for the test. One thread runs all tasks, so their order is known.

use super::*;
use crate::mailbox::Mailbox;
use crate::session::Message;
use async_trait::async_trait;
use hub_core::id::ApplianceId;
use hub_store::error::Result;
use hub_store::telemetry::Ingested;
use hub_store::telemetry::{Command, PresenceChange, Unscored};
use jiff::Timestamp;
use std::future::poll_fn;
use std::sync::Mutex;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, yield_now};

/// Commits go through it one by one.
struct Gated {
    gate: Semaphore,
    asked: Mutex<Asked>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Asked {
    turns: usize,
    /// How many publishes were in each batch.
    batches: Vec<usize>,
}

impl Gated {
    fn asked(&self) -> Asked {
        self.asked.lock().unwrap().clone()
    }

    /// Waits for the first batch.
    async fn begun(&self) {
        for _ in 0..1_000 {
            if !self.asked().batches.is_empty() {
                return;
            }
            yield_now().await;
        }
        panic!("no batch has begun");
    }
}

#[async_trait]
impl TelemetryStore for Gated {
    async fn ingest(&self, batch: &[Ingest]) -> Result<Vec<Ingested>> {
        self.asked.lock().unwrap().batches.push(batch.len());
        self.gate.acquire().await.unwrap().forget();
        Ok(vec![Ingested { stored: 1, repeated: 0 }; batch.len()])
    }

    async fn ingest_turn(&self) {
        self.asked.lock().unwrap().turns += 1;
    }

    async fn clock_offsets(&self, _: &[(ApplianceId, u64)]) -> Result<Vec<Option<i64>>> {
        panic!("the committer only commits")
    }

    async fn presence(&self, _: &[PresenceChange]) -> Result<()> {
        panic!("the committer only commits")
    }

    async fn all_offline(&self, _: &str, _: Timestamp) -> Result<()> {
        panic!("the committer only commits")
    }

    async fn queue_command(&self, _: ApplianceId, _: &Command, _: Timestamp) -> Result<()> {
        panic!("the committer only commits")
    }

    async fn commands_waiting(&self, _: &[ApplianceId], _: Timestamp) -> Result<Vec<(ApplianceId, Command)>> {
        panic!("the committer only commits")
    }

    async fn unscored(&self, _: usize, _: Option<&[String]>) -> Result<Unscored> {
        panic!("the committer only commits")
    }

    async fn telemetry_arrived(&self, _: Duration) {
        panic!("the committer only commits")
    }

    async fn command_queued(&self, _: Duration) -> Vec<ApplianceId> {
        panic!("the committer only commits")
    }

    async fn samples_stored(&self) -> Result<i64> {
        panic!("the committer only commits")
    }
}

/// So many publishes of one connection at a time.
fn parcel(mailbox: &Arc<Mailbox>, items: u64) -> Parcel {
    let appliance = ApplianceId(1);
    let item = |number| Item {
        ingest: Ingest::Dropped { appliance, count: 0 },
        origin: Origin {
            appliance,
            message: Message::new(b"d/a/t", b"x"),
            received_at: Timestamp::UNIX_EPOCH,
        },
        number: Some(number),
        deadline: Instant::now() + Duration::from_secs(60),
        mark: None,
    };
    Parcel {
        waiter: Some(Waiter::new(mailbox)),
        items: (0..items).map(item).collect(),
        can_wait: false,
    }
}

/// One publish of a device that publishes seldom.
fn patient(mailbox: &Arc<Mailbox>) -> Parcel {
    Parcel {
        can_wait: true,
        ..parcel(mailbox, 1)
    }
}

/// Waits until a connection was told that so many are stored.
async fn settled(mailbox: &Mailbox, items: u64) {
    let mut settled = 0;
    while settled < items {
        let letters = poll_fn(|cx| mailbox.poll(cx)).await;
        settled += letters.settled.len() as u64;
    }
}

/// A committer that waits for others for so long, on a store that takes so many commits.
fn committing(company_within: Duration, commits: usize) -> (Arc<Gated>, Queue, JoinHandle<()>) {
    let store = Arc::new(Gated {
        gate: Semaphore::new(commits),
        asked: Mutex::default(),
    });
    let counters = Arc::new(BrokerCounters::default());
    let (sender, queued) = queue(counters.clone());
    let patience = Duration::from_secs(60);
    let mut committer = Committer::new(store.clone(), counters, Arc::default(), Arc::default(), patience);
    committer.company_within = company_within;
    (store, sender, tokio::spawn(committer.run(queued)))
}

/// The batches of these parcels, each of a connection of its own that can wait or cannot; the next is sent when the one
/// before is with the committer, which waits for others without end.
async fn batches(can_wait: &[bool]) -> Vec<usize> {
    let (store, sender, committer) = committing(Duration::from_secs(3_600), can_wait.len());
    let mut mailboxes = Vec::new();
    for can_wait in can_wait {
        let mailbox = Arc::new(Mailbox::default());
        let parcel = if *can_wait {
            patient(&mailbox)
        } else {
            parcel(&mailbox, 1)
        };
        assert!(sender.try_send(parcel).is_ok());
        mailboxes.push(mailbox);
        for _ in 0..10 {
            yield_now().await;
        }
    }
    // What still waits for others is committed when no more can come.
    drop(sender);
    for mailbox in mailboxes {
        settled(&mailbox, 1).await;
    }
    committer.await.unwrap();
    store.asked().batches
}

#[tokio::test]
async fn a_trickle_of_many_devices_shares_commits() {
    assert_eq!(batches(&[true; 3]).await, [3]);
    // Who cannot wait does not, and takes along who does.
    assert_eq!(batches(&[false, true, true, false, true]).await, [1, 3, 1]);
    // Enough is enough.
    assert_eq!(batches(&[true; 2 * COMPANY + 1]).await, [COMPANY, COMPANY, 1]);
}

#[tokio::test]
async fn a_publish_to_which_no_others_come_is_committed_by_itself() {
    let (store, sender, committer) = committing(Duration::from_millis(1), 2);
    for commits in 1..=2 {
        let mailbox = Arc::new(Mailbox::default());
        assert!(sender.try_send(patient(&mailbox)).is_ok());
        settled(&mailbox, 1).await;
        assert_eq!(store.asked().batches, vec![1; commits]);
    }
    committer.abort();
}

/// Two connections with so many publishes at a time: while those of the first are committed, the second sends its own, and
/// the first sends the next ones as soon as it hears of the commit.
async fn in_turn(items: u64) -> Asked {
    let store = Arc::new(Gated {
        gate: Semaphore::new(0),
        asked: Mutex::default(),
    });
    let counters = Arc::new(BrokerCounters::default());
    let (sender, queued) = queue(counters.clone());
    let committer = Committer::new(
        store.clone(),
        counters,
        Arc::default(),
        Arc::default(),
        Duration::from_secs(60),
    );
    let committer = tokio::spawn(committer.run(queued));
    let (first, second) = (Arc::new(Mailbox::default()), Arc::new(Mailbox::default()));
    assert!(sender.try_send(parcel(&first, items)).is_ok());
    store.begun().await;
    assert!(sender.try_send(parcel(&second, items)).is_ok());
    let goes_on = tokio::spawn(async move {
        settled(&first, items).await;
        assert!(sender.try_send(parcel(&first, items)).is_ok());
        settled(&first, items).await;
    });
    // All commits there can be.
    store.gate.add_permits(3);
    settled(&second, items).await;
    goes_on.await.unwrap();
    committer.abort();
    store.asked()
}

#[tokio::test]
async fn trains_of_two_connections_join_one_commit() {
    let expected = |batches: &[usize]| Asked {
        turns: batches.len(),
        batches: batches.to_vec(),
    };
    assert_eq!(in_turn(2).await, expected(&[2, 4]));
    assert_eq!(in_turn(50).await, expected(&[50, 100]));
    // A device that waits for each of its publishes is not waited for.
    assert_eq!(in_turn(1).await, expected(&[1, 1, 1]));
}
