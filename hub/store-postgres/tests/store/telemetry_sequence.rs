//! Numbers of a sequence with very many holes: what is noted of them is bounded, and still none is stored twice.

use crate::support::{appliance, morning, played, repeated, rolled_up, stored};
use crate::telemetry_time::{DAY, sample};
use hub_core::id::ApplianceId;
use hub_store::telemetry::{Ingest, TelemetryStore};
use hub_store_postgres::PostgresStore;
use jiff::SignedDuration;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha20Rng;
use sqlx::Executor;

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

    // What lies below is not known to be stored, nor not to be: it is put aside, whether it was sent before or not.
    let known_from = base
        .number(&of(id, "known_from # (-9223372036854775808)"))
        .await
        .cast_unsigned();
    let missing = (known_from..NUMBERS).filter(|seq| seq % 2 == 1).count();

    // Nothing is in memory any more; everything comes again, and what was missing, in any order.
    store.close().await;
    let store = base.store().await;
    let mut all: Vec<u64> = (0..NUMBERS).collect();
    all.shuffle(&mut ChaCha20Rng::seed_from_u64(3));
    assert_eq!(new(&store, id, &all).await, missing);
    let aside = format!(
        "select count(*) from quarantine where appliance = {} and reason like '%cannot be told'",
        id.0
    );
    assert_eq!(base.number(&aside).await.cast_unsigned(), known_from);
    // Before and after the roll-up has seen it.
    assert_eq!(new(&store, id, &all).await, 0);
    rolled_up(&store).await;
    assert_eq!(new(&store, id, &all).await, 0);
    assert_eq!(new(&store, other, &[4, 5, 6, 7, 8]).await, 2);
    let rows = format!("select count(*) from telemetry where appliance = {}", id.0);
    assert_eq!(base.number(&rows).await, i64::try_from(even.len() + missing).unwrap());
    let noted = base.number(&of(id, ranges)).await;
    assert!(noted < 1_500, "{noted} ranges");
}

/// The very last number is noted like any other.
#[tokio::test]
async fn the_last_number_there_is_is_stored_once() {
    let (base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
    let sent = |seq: u64| [sample(id, 1, seq, morning(), morning())];
    let numbers = [0, i64::MAX.cast_unsigned() + 1, u64::MAX - 1, u64::MAX];
    for seq in numbers {
        assert_eq!(store.ingest(&sent(seq)).await.unwrap()[0].stored, 1, "{seq}");
    }
    rolled_up(&store).await;
    store.close().await;
    let store = base.store().await;
    for seq in numbers {
        assert_eq!(store.ingest(&sent(seq)).await.unwrap()[0].repeated, 1, "{seq}");
    }
    assert_eq!(store.ingest(&sent(u64::MAX - 2)).await.unwrap()[0].stored, 1);
}

/// Guards that gave way are rebuilt from rows that nobody has rolled up yet, too.
#[tokio::test]
async fn sequences_that_are_not_remembered_store_each_number_once() {
    let (base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
    store.remember_at_most(2).await;
    let sent = |boot: u64, seq: u64| [sample(id, boot, seq, morning(), morning())];
    for seq in 0..4 {
        for boot in 1..=6 {
            assert_eq!(
                store.ingest(&sent(boot, seq)).await.unwrap()[0].stored,
                1,
                "{boot} {seq}"
            );
            let before = seq.saturating_sub(1);
            assert_eq!(
                store.ingest(&sent(boot, before)).await.unwrap()[0].repeated,
                1,
                "{boot} {before}"
            );
        }
        if seq == 1 {
            rolled_up(&store).await;
        }
    }
    for seq in 0..4 {
        for boot in 1..=6 {
            assert_eq!(
                store.ingest(&sent(boot, seq)).await.unwrap()[0].repeated,
                1,
                "{boot} {seq}"
            );
        }
    }
    assert_eq!(base.number("select count(*) from telemetry").await, 24);
}

/// Where the roll-up has stood for long, what waits for it is not read as a whole: each number is stored once all the same,
/// and each row is counted once, also where the hub's clock was ahead for a while.
#[tokio::test]
async fn numbers_are_known_and_rows_are_counted_after_the_roll_up_has_stood() {
    for ahead in [SignedDuration::ZERO, DAY * 365] {
        let (base, store) = played().await;
        let id = appliance(&store, "acme", "wm-1").await;
        let (now, hour) = (morning(), SignedDuration::from_hours(1));
        store.ingest(&[sample(id, 1, 0, now, now)]).await.unwrap();
        rolled_up(&store).await;
        let sent = [
            sample(id, 1, 1, now, now),
            sample(id, 1, 3, now - DAY * 30, now),
            sample(id, 1, 5, now + ahead, now + ahead),
            sample(id, 1, 7, now + hour, now + hour),
        ];
        for message in &sent {
            assert_eq!(store.ingest(std::slice::from_ref(message)).await.unwrap(), [stored(1)]);
        }
        store.close().await;
        // As many numbers as come in minutes of a flood, without the rows.
        let mut sql = base.sql().await;
        for table in ["telemetry", "late"] {
            let moved = format!(
                "update {table} t set ingest_no = t.ingest_no + 1000000 from rolled r \
                 where r.partition = t.partition and t.ingest_no > r.ingest_no"
            );
            sql.execute(moved.as_str()).await.unwrap();
        }
        let store = base.store().await;
        // The roll-up goes on before the writer knows anything.
        let first = store.roll_up(1).await.unwrap();
        assert!((1..1_000).contains(&first), "{first} numbers");
        let left_out = [
            sample(id, 1, 2, now - hour, now + hour),
            sample(id, 1, 4, now + hour * 2, now + hour * 2),
        ];
        assert_eq!(store.ingest(&left_out).await.unwrap(), [stored(1); 2]);
        assert_eq!(store.ingest(&left_out).await.unwrap(), [repeated(1); 2]);
        let last = base.number("select max(ingest_no) from telemetry").await;
        assert_eq!(last, 1_000_000 + 7, "numbers go on behind the last one");
        assert_eq!(store.ingest(&sent).await.unwrap(), [repeated(1); 4]);
        // Up to the row of the clock that was ahead, and then the rest.
        assert_eq!(store.roll_up(1_000_003 - first).await.unwrap(), 1_000_003 - first);
        for _ in 0..2 {
            while store.roll_up(1_000_000).await.unwrap() > 0 {}
        }
        let counted = format!("select samples from appliance_status where appliance = {}", id.0);
        assert_eq!(base.number(&counted).await, 7);
        assert_eq!(store.ingest(&sent).await.unwrap(), [repeated(1); 4]);
        assert_eq!(store.ingest(&left_out).await.unwrap(), [repeated(1); 2]);
    }
}
