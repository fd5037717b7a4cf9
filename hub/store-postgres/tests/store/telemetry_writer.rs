//! The writer's memory is only a memory: after a restart and at the ends of the numbers, each
//! sample is stored once.

use crate::support::{appliance, message, played, repeated, stored, telemetry};
use hub_core::telemetry::{Identity, Lane};
use hub_store::telemetry::{Ingest, Ingested, TelemetryStore};

const DISTINCT: &str = "select count(*) from (select distinct appliance, boot, lane, seq from telemetry) d";

#[tokio::test]
async fn repeats_are_recognised_after_a_restart() {
    let (base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
    store.ingest(&[telemetry(id, 77, 0, 300)]).await.unwrap();
    store.ingest(&[telemetry(id, 77, 310, 1)]).await.unwrap();
    store.close().await;
    let again = base.store().await;
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
    assert_eq!(base.number(DISTINCT).await, 312);
    assert_eq!(again.samples_stored().await.unwrap(), 312);
}

/// A start whose random number was there before goes on where that one ended; the other lane counts for itself.
#[tokio::test]
async fn a_boot_number_that_comes_again_is_no_new_sequence() {
    let (base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
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
    let mut store = store;
    for _ in 0..2 {
        let again = [telemetry(id, 5, 2, 2), event(1), event(2)];
        assert_eq!(
            store.ingest(&again).await.unwrap(),
            [repeated(2), repeated(1), repeated(1)]
        );
        store.close().await;
        store = base.store().await;
    }
}

#[tokio::test]
async fn the_largest_numbers_and_what_follows_them() {
    let (base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
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
    let mut store = store;
    for _ in 0..2 {
        for seq in numbers {
            assert_eq!(store.ingest(&[sample(seq)]).await.unwrap(), [repeated(1)], "{seq}");
        }
        store.close().await;
        store = base.store().await;
    }
    assert_eq!(base.number(DISTINCT).await, 6);
}
