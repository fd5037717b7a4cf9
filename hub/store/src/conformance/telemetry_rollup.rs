//! What is shown of an appliance's readings, and the counts beside them.

use super::Harness;
use super::scene::{appliance, morning, played, rolled_up, site, telemetry};
use crate::Store;
use crate::prediction::{ScoredUpTo, ScoringCommit};
use crate::telemetry::{Ingest, StoredRow, Unscored};
use hub_core::actor::Actor;
use hub_core::id::ApplianceId;

async fn counts(store: &dyn Store, id: ApplianceId) -> (i64, i64, i64, i64) {
    let view = store.appliance(&Actor::hub("test"), id).await.unwrap();
    (view.samples, view.gaps, view.dropped, view.repeated)
}

pub(super) async fn rows_are_counted_once_and_gaps_close_when_samples_arrive(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    let dropped = Ingest::Dropped {
        appliance: id,
        count: 3,
    };
    let batch = [
        telemetry(id, 1, 0, 10),
        telemetry(id, 1, 15, 5),
        telemetry(id, 1, 0, 2),
        dropped,
    ];
    store.ingest(&batch).await.unwrap();
    // Two callers at once: each row counts once.
    let (one, two) = tokio::join!(store.roll_up(4), store.roll_up(1_000));
    one.unwrap();
    two.unwrap();
    rolled_up(&*store).await;
    assert_eq!(counts(&*store, id).await, (15, 5, 3, 2));
    store.ingest(&[telemetry(id, 1, 11, 3)]).await.unwrap();
    rolled_up(&*store).await;
    assert_eq!(counts(&*store, id).await, (18, 2, 3, 2));
    assert_eq!(store.roll_up(1_000).await.unwrap(), 0);
}

/// A scorer that watches some families gets their rows, and of the others only where they end.
pub(super) async fn rows_that_nobody_watches_are_passed_over(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    // Two devices that share a partition, by the fixed hash of their names.
    let mut site = site();
    let (first, second) = two_devices(true);
    for (device, name) in site.tenants[0].devices.iter_mut().zip([&first, &second]) {
        device.id = hub_core::id::DeviceId::new(name.as_str()).unwrap();
    }
    site.tenants[0].devices[1].model = Some("dryer".into());
    store.apply_site(&site, morning(), false).await.unwrap();
    let watched = appliance(&*store, "acme", &first).await;
    let other = appliance(&*store, "acme", &second).await;
    let rounds: Vec<Ingest> = (0..5)
        .flat_map(|n| [telemetry(watched, 1, n, 1), telemetry(other, 1, 3 * n, 3)])
        .collect();
    store.ingest(&rounds).await.unwrap();
    // Each partition that may have rows has a share of the limit.
    const WIDE: usize = 10_000;
    let families = ["washing-machine".to_owned()];
    let rows = store.unscored(WIDE, Some(&families)).await.unwrap().rows;
    let own = rows.iter().filter(|row| row.appliance == watched).count();
    assert_eq!((own, rows.len()), (5, 6));
    let last = rows.last().unwrap();
    assert_eq!((last.appliance, last.values.len(), last.ingest_no), (other, 0, 20));
    assert_eq!(store.unscored(WIDE, None).await.unwrap().rows.len(), 20);
    let dryers = store.unscored(WIDE, Some(&["dryer".to_owned()])).await.unwrap().rows;
    assert_eq!(dryers.len(), 15);
}

/// One busy partition beside idle ones is read as far as the limit goes, and the scorer is told that there is more.
pub(super) async fn what_one_partition_does_not_use_goes_to_the_others(h: &dyn Harness) {
    const LIMIT: usize = 100;
    let (_place, store) = played(h).await;
    let mut site = site();
    let (first, second) = two_devices(false);
    for (device, name) in site.tenants[0].devices.iter_mut().zip([&first, &second]) {
        device.id = hub_core::id::DeviceId::new(name.as_str()).unwrap();
    }
    store.apply_site(&site, morning(), false).await.unwrap();
    let busy = appliance(&*store, "acme", &first).await;
    let idle = appliance(&*store, "acme", &second).await;
    let mut batch: Vec<Ingest> = (0..15).map(|n| telemetry(busy, 1, 10 * n, 10)).collect();
    batch.push(telemetry(idle, 1, 0, 2));
    store.ingest(&batch).await.unwrap();
    let numbers = |found: &Unscored, id: ApplianceId| -> Vec<i64> {
        let own = found.rows.iter().filter(|row| row.appliance == id);
        own.map(|row| row.ingest_no).collect()
    };

    // Nobody watches them: what was read counts, and of each partition where it ends.
    let others = ["dryer".to_owned()];
    let passed = store.unscored(LIMIT, Some(&others)).await.unwrap();
    assert_eq!((numbers(&passed, busy), numbers(&passed, idle)), (vec![98], vec![2]));
    assert!(passed.more && passed.rows.len() == 2, "{passed:?}");

    let cut = store.unscored(LIMIT, None).await.unwrap();
    assert_eq!(numbers(&cut, busy), (1..=98).collect::<Vec<i64>>());
    assert_eq!(numbers(&cut, idle), [1, 2]);
    assert!(cut.more);
    let is_before =
        |pair: &[StoredRow]| (pair[0].partition, pair[0].ingest_no) < (pair[1].partition, pair[1].ingest_no);
    assert!(
        cut.rows.windows(2).all(is_before),
        "in the order of partitions and commits"
    );
    let commit = ScoringCommit {
        offsets: ScoredUpTo::reach(&cut.rows),
        ..ScoringCommit::default()
    };
    store.commit_scoring(&commit, morning()).await.unwrap();

    let rest = store.unscored(LIMIT, None).await.unwrap();
    assert_eq!(numbers(&rest, busy), (99..=150).collect::<Vec<i64>>());
    assert!(!rest.more && rest.rows.len() == 52, "{} rows", rest.rows.len());
}

/// Names of two devices of acme that share a partition, or do not, by the fixed hash of their names.
fn two_devices(share: bool) -> (String, String) {
    use hub_core::partition::partition;
    let acme = super::scene::tenant("acme");
    let of = |name: &str| partition(&acme, &hub_core::id::DeviceId::new(name).unwrap());
    let second = (0..10_000)
        .map(|n| format!("dryer-{n}"))
        .find(|name| (of(name) == of("washer")) == share);
    ("washer".to_owned(), second.unwrap())
}
