//! Numbers of a sequence with very many holes: what is noted of them is bounded, and still none is stored twice.

use crate::support::{appliance, morning, played, rolled_up};
use crate::telemetry_time::sample;
use hub_core::id::ApplianceId;
use hub_store::telemetry::{Ingest, TelemetryStore};
use hub_store_postgres::PostgresStore;
use jiff::SignedDuration;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha20Rng;

/// Numbers in one batch.
const BATCH: usize = 500;
/// Every second number below this is sent first: far more holes than are noted.
const NUMBERS: u64 = 6_000;

fn messages(id: ApplianceId, numbers: &[u64]) -> Vec<Ingest> {
    let at = |seq: u64| morning() + SignedDuration::from_secs(i64::try_from(seq).unwrap());
    numbers
        .iter()
        .map(|seq| sample(id, 1, *seq, at(*seq), at(*seq)))
        .collect()
}

/// How many of these numbers were stored as new.
async fn new(store: &PostgresStore, id: ApplianceId, numbers: &[u64]) -> usize {
    let mut new = 0;
    for numbers in numbers.chunks(BATCH) {
        let answers = store.ingest(&messages(id, numbers)).await.unwrap();
        new += answers.iter().filter(|answer| answer.stored == 1).count();
    }
    new
}

#[tokio::test]
async fn a_sequence_with_thousands_of_holes_stores_each_number_once() {
    let (base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
    let other = appliance(&store, "acme", "wm-2").await;
    let even: Vec<u64> = (0..NUMBERS).step_by(2).collect();
    let half = even.len() / 2;
    // Noted in two steps, with a neighbour that has no holes.
    for part in [&even[..half], &even[half..]] {
        assert_eq!(new(&store, id, part).await, half);
        rolled_up(&store).await;
    }
    assert_eq!(new(&store, other, &[5, 6, 7]).await, 3);
    rolled_up(&store).await;
    let of = |id: ApplianceId, what: &str| format!("select {what} from sequence where appliance = {}", id.0);
    let ranges = "(select count(*) from unnest(stored))";
    let noted = base.number(&of(id, ranges)).await;
    assert!((400..1_500).contains(&noted), "{noted} ranges");
    assert!(
        base.number(&of(id, "(known_from > 0 # (-9223372036854775808))::int::bigint"))
            .await
            == 1
    );
    assert_eq!(base.number(&of(other, ranges)).await, 1);

    // Nothing is in memory any more; everything comes again, and what was missing, in any order.
    store.close().await;
    let store = base.store().await;
    let mut all: Vec<u64> = (0..NUMBERS).collect();
    all.shuffle(&mut ChaCha20Rng::seed_from_u64(3));
    assert_eq!(new(&store, id, &all).await, half * 2);
    // Before and after the roll-up has seen it.
    assert_eq!(new(&store, id, &all).await, 0);
    rolled_up(&store).await;
    assert_eq!(new(&store, id, &all).await, 0);
    assert_eq!(new(&store, other, &[4, 5, 6, 7, 8]).await, 2);
    let rows = format!("select count(*) from telemetry where appliance = {}", id.0);
    assert_eq!(base.number(&rows).await, i64::try_from(NUMBERS).unwrap());
    let noted = base.number(&of(id, ranges)).await;
    assert!(noted < 1_500, "{noted} ranges");
}
