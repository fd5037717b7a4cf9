//! The writer's memory is only a memory: after a restart, beside another writer, and at the ends of the numbers, each
//! sample is stored once.

use super::Harness;
use super::scene::{appliance, message, morning, played, repeated, scored_rows, stored, telemetry};
use crate::telemetry::{Ingest, Ingested};
use hub_core::telemetry::{Identity, Lane};
use std::sync::Arc;

pub(super) async fn repeats_are_recognised_after_a_restart(h: &dyn Harness) {
    let (place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    store.ingest(&[telemetry(id, 77, 0, 300)]).await.unwrap();
    store.ingest(&[telemetry(id, 77, 310, 1)]).await.unwrap();
    drop(store);
    let again = place.hub().await;
    let batch = [telemetry(id, 77, 0, 312), telemetry(id, 77, 300, 10)];
    assert_eq!(
        again.ingest(&batch).await.unwrap(),
        [
            Ingested {
                stored: 11,
                repeated: 301
            },
            repeated(10)
        ]
    );
    assert_eq!(again.samples_stored().await.unwrap(), 312);
}

/// A start whose random number was there before goes on where that one ended; the other lane counts for itself.
pub(super) async fn a_boot_number_that_comes_again_is_no_new_sequence(h: &dyn Harness) {
    let (place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    let event = |first| {
        let mut event = message(id, 5, first, 1);
        event.identity = Identity::Sequence {
            boot: 5,
            lane: Lane::Events,
            first,
        };
        Ingest::Telemetry(event)
    };
    let first = [telemetry(id, 5, 0, 4), event(2), telemetry(id, 6, 0, 4), event(1)];
    assert_eq!(
        store.ingest(&first).await.unwrap(),
        [stored(4), stored(1), stored(4), stored(1)]
    );
    drop(store);
    for _ in 0..2 {
        let store = place.hub().await;
        let again = [telemetry(id, 5, 2, 2), event(1), event(2)];
        assert_eq!(
            store.ingest(&again).await.unwrap(),
            [repeated(2), repeated(1), repeated(1)]
        );
    }
}

pub(super) async fn the_largest_numbers_and_what_follows_them(h: &dyn Harness) {
    let (place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    let sample = |seq: u64| {
        let mut message = message(id, 9, 3, 1);
        message.identity = Identity::Sequence {
            boot: 9,
            lane: Lane::Telemetry,
            first: seq,
        };
        Ingest::Telemetry(message)
    };
    let numbers = [
        i64::MAX.cast_unsigned(),
        i64::MAX.cast_unsigned() + 1,
        u64::MAX - 1,
        u64::MAX,
        0,
        1,
    ];
    for seq in numbers {
        assert_eq!(store.ingest(&[sample(seq)]).await.unwrap(), [stored(1)], "{seq}");
    }
    for seq in numbers {
        assert_eq!(store.ingest(&[sample(seq)]).await.unwrap(), [repeated(1)], "{seq}");
    }
    drop(store);
    let store = place.hub().await;
    for seq in numbers {
        assert_eq!(store.ingest(&[sample(seq)]).await.unwrap(), [repeated(1)], "{seq}");
    }
    assert_eq!(store.samples_stored().await.unwrap(), 6);
}

/// Two callers give the same stream in another order.
pub(super) async fn two_writers_at_once_store_each_sample_once(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let mut ids = Vec::new();
    for name in ["wm-1", "wm-2", "wm-3", "wm-4"] {
        ids.push(appliance(&*store, "acme", name).await);
    }
    let mut writers = Vec::new();
    for (writer, store) in [Arc::clone(&store), Arc::clone(&store)].into_iter().enumerate() {
        let ids = ids.clone();
        writers.push(tokio::spawn(async move {
            let mut count = (0, 0);
            for round in 0..60u64 {
                // Half a window apart at times, the same numbers at others.
                let first = (round ^ (writer as u64)) * 7;
                let mut batch: Vec<Ingest> = ids.iter().map(|id| telemetry(*id, 3, first, 7)).collect();
                if writer == 1 {
                    batch.reverse();
                }
                for answer in store.ingest(&batch).await.unwrap() {
                    count = (count.0 + answer.stored, count.1 + answer.repeated);
                }
            }
            count
        }));
    }
    let mut sum = (0, 0);
    for writer in writers {
        let (stored, repeated) = writer.await.unwrap();
        sum = (sum.0 + stored, sum.1 + repeated);
    }
    let expected = 60 * 7 * 4;
    assert_eq!(sum, (expected, expected));
    assert_eq!(store.samples_stored().await.unwrap(), i64::from(expected));
    // Numbers of a partition have no holes.
    let mut last = std::collections::BTreeMap::new();
    for row in scored_rows(&*store, morning()).await {
        let before = last.insert(row.partition, row.ingest_no).unwrap_or(0);
        assert_eq!(row.ingest_no, before + 1, "partition {}", row.partition);
    }
    assert_eq!(last.values().sum::<i64>(), i64::from(expected));
}
