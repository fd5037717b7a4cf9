//! How often one commit of a device that waits asks the database: each round trip is a part of that wait. And how much the
//! database has to tell for it.

use crate::relay::{Carried, through};
use crate::said::json;
use crate::support::{Base, after, appliance, message, morning, repeated, stored, telemetry};
use hub_core::id::ApplianceId;
use hub_core::telemetry::{Identity, Sample};
use hub_store::telemetry::{Ingest, Ingested, TelemetryStore};
use hub_store_postgres::PostgresStore;
use sqlx::Executor;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Stands between store and database and counts: a trip is what the client says after it has heard something.
#[derive(Default)]
struct Relay {
    trips: AtomicU32,
    /// Bytes that the database has told.
    told: AtomicU64,
}

impl Relay {
    async fn carry(self: Arc<Self>, connection: Carried) {
        let Carried {
            mut from_client,
            mut to_client,
            mut from_database,
            mut to_database,
        } = connection;
        let heard = Arc::new(AtomicBool::new(true));
        let hears = Arc::clone(&heard);
        let relay = Arc::clone(&self);
        tokio::spawn(async move {
            let mut buffer = vec![0; 65_536];
            while let Ok(read @ 1..) = from_database.read(&mut buffer).await {
                hears.store(true, Ordering::SeqCst);
                relay.told.fetch_add(read as u64, Ordering::SeqCst);
                if to_client.write_all(&buffer[..read]).await.is_err() {
                    return;
                }
            }
        });
        let mut buffer = vec![0; 65_536];
        while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
            if heard.swap(false, Ordering::SeqCst) {
                self.trips.fetch_add(1, Ordering::SeqCst);
            }
            if to_database.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
        let _ = to_database.shutdown().await;
    }

    fn trips(&self) -> u32 {
        self.trips.load(Ordering::SeqCst)
    }

    fn told(&self) -> u64 {
        self.told.load(Ordering::SeqCst)
    }
}

/// A store behind a relay, with one of its appliances.
struct Relayed {
    relay: Arc<Relay>,
    store: PostgresStore,
    id: ApplianceId,
    base: Base,
    /// Holds what the others use.
    _folder: tempfile::TempDir,
}

impl Relayed {
    async fn new() -> Self {
        let base = Base::new().await;
        let folder = tempfile::tempdir().unwrap();
        let relay = Arc::new(Relay::default());
        let shared = Arc::clone(&relay);
        let carry = move |connection| Arc::clone(&shared).carry(connection);
        let store = through(&base, folder.path(), carry).await;
        let id = appliance(&store, "acme", "wm-1").await;
        Self {
            relay,
            store,
            id,
            base,
            _folder: folder,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_of_a_known_device_is_one_round_trip_and_two_for_many_rows() {
    let relayed = Relayed::new().await;
    let Relayed { relay, store, id, .. } = &relayed;
    let id = *id;
    let mut trips = Vec::new();
    for round in 0..4u64 {
        for batch in [
            telemetry(id, 4, round * 100, 1),
            json(id, 1_000 + round),
            telemetry(id, 4, round * 100 + 1, 10),
            telemetry(id, 4, round * 100 + 11, 20),
        ] {
            let before = relay.trips();
            let count = if let Ingest::Telemetry(message) = &batch {
                message.samples.len()
            } else {
                0
            };
            assert_eq!(
                store.ingest(&[batch]).await.unwrap(),
                [stored(u32::try_from(count).unwrap())]
            );
            trips.push(relay.trips() - before);
        }
    }
    // From the third round on all is known, also to the server. A COPY is two.
    assert_eq!(trips[8..], [1, 1, 1, 2, 1, 1, 1, 2], "{trips:?}");
}

/// A hub that starts while very much waits takes the newest receipt for later than it was, by a day at most. The readings that
/// come then are new by their time alone, as they were before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newest_receipt_that_lies_ahead_makes_no_reading_be_looked_up() {
    let relayed = Relayed::new().await;
    let Relayed {
        relay, store, id, base, ..
    } = &relayed;
    // Before the first batch, with which the writer learns what is stored.
    let ahead = format!("update rolled set seen_at = '{}'", after(20 * 60));
    base.sql().await.execute(ahead.as_str()).await.unwrap();
    let mut trips = Vec::new();
    for round in 0..6u64 {
        let before = relay.trips();
        assert_eq!(store.ingest(&[json(*id, round)]).await.unwrap(), [stored(1)]);
        trips.push(relay.trips() - before);
    }
    // From the third round on all is known, also to the server.
    assert_eq!(trips[2..], [1; 4], "{trips:?}");
    assert_eq!(store.ingest(&[json(*id, 0)]).await.unwrap(), [repeated(1)]);
}

/// Readings of one appliance under one time, with these numbers as values.
fn under_one_time(id: ApplianceId, numbers: impl Iterator<Item = i32>) -> [Ingest; 1] {
    let mut message = message(id, 0, 0, 1);
    let sample = |number| Sample {
        at: morning(),
        values: vec![Some(number)],
        extra: None,
    };
    message.samples = numbers.map(sample).collect();
    message.identity = Identity::Content(vec![true; message.samples.len()]);
    [Ingest::Telemetry(message)]
}

/// What the hub compares of one time, as record 19 in `docs/adr` says.
const COMPARED_MAX: u32 = 1_000;

/// A device whose clock stands still sends thousands of readings under one time: what they are compared with comes once, not
/// once for each of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readings_under_one_time_are_compared_together() {
    let relayed = Relayed::new().await;
    let Relayed { relay, store, id, .. } = &relayed;
    let ingest = async |batch: &[Ingest]| {
        let (trips, told) = (relay.trips(), relay.told());
        let answers = store.ingest(batch).await.unwrap();
        (answers, relay.trips() - trips, relay.told() - told)
    };
    let same = under_one_time(*id, std::iter::repeat_n(-1, 5_000));
    let (answers, ..) = ingest(&same[..]).await;
    let one = Ingested {
        stored: 1,
        repeated: 4_999,
    };
    assert_eq!(answers, [one]);
    assert_eq!(ingest(&same[..]).await.0, [repeated(5_000)]);

    let batch = under_one_time(*id, 0..5_000);
    assert_eq!(ingest(&batch[..]).await.0, [stored(5_000)]);
    let (answers, trips, told) = ingest(&batch[..]).await;
    // One of those that are compared may be the reading of before.
    let repeated = answers[0].repeated;
    assert!(
        (COMPARED_MAX - 1..=COMPARED_MAX).contains(&repeated),
        "{repeated} repeats"
    );
    assert_eq!(answers[0].stored, 5_000 - repeated);
    assert!(trips <= 12, "{trips} round trips");
    assert!(told < 1_000 * u64::from(COMPARED_MAX), "{told} bytes");
}

/// Extras are compared as the database does, wherever in a batch they are.
#[tokio::test]
async fn extras_are_the_same_where_the_database_says_so() {
    let (_base, store) = crate::support::played().await;
    let id = appliance(&store, "acme", "wm-1").await;
    let with = |extras: &[Option<serde_json::Value>]| {
        let [batch] = under_one_time(id, std::iter::repeat_n(7, extras.len()));
        let Ingest::Telemetry(mut message) = batch else {
            panic!("readings are telemetry");
        };
        for (sample, extra) in message.samples.iter_mut().zip(extras) {
            sample.extra.clone_from(extra);
        }
        [Ingest::Telemetry(message)]
    };
    let json = |text: &str| Some(serde_json::from_str::<serde_json::Value>(text).unwrap());
    let first = [None, json("{\"x\":1}"), json("{\"x\":\"1\"}"), json("null")];
    assert_eq!(store.ingest(&with(&first[..])).await.unwrap(), [stored(4)]);
    let again = [json("{\"x\":1.0}"), json("null"), None, json("{\"x\":\"1\"}")];
    assert_eq!(store.ingest(&with(&again[..])).await.unwrap(), [repeated(4)]);
    let other = [json("{\"x\":2}"), json("{\"x\":2}"), json("{}")];
    let expected = Ingested { stored: 2, repeated: 1 };
    assert_eq!(store.ingest(&with(&other[..])).await.unwrap(), [expected]);
}
