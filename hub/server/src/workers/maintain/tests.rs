//! Sweeps: what is said before them, and what waits for a person.

use super::*;
use hub_core::clock::ManualClock;
use hub_core::retention::Retention;
use hub_store::conformance::scene::{after, appliance, morning, profiles, site, take_lease, telemetry};
use hub_store::memory::MemoryStore;
use hub_store::site::SiteStore;

const DAY: i64 = 24 * 60;

/// Five readings of a tenant that keeps them for ten days, and who sweeps.
async fn worker() -> Worker<MemoryStore> {
    let store = Arc::new(MemoryStore::new(profiles(), 1));
    take_lease(&*store).await;
    let mut site = site();
    site.tenants[0].retentions = vec![Retention {
        profile: None,
        days: Some(10),
    }];
    store.apply_site(&site, morning(), false).await.unwrap();
    let id = appliance(&*store, "acme", "wm-1").await;
    store.ingest(&[telemetry(id, 1, 0, 5)]).await.unwrap();
    Worker {
        store,
        clock: Arc::new(ManualClock::new(morning())),
        upkeep: Arc::default(),
        witnesses: Arc::default(),
    }
}

/// So many rows went on each of so many days that it is known what is usual.
async fn swept_on_days(store: &MemoryStore, rows: u64) {
    for day in 1..=i64::try_from(hub_core::retention::SWEEPS_MIN).unwrap() {
        store.note_sweep(rows, after(day * DAY)).await.unwrap();
    }
}

fn deleted(worker: &Worker<MemoryStore>) -> u64 {
    worker.upkeep.deleted.load(Ordering::Relaxed)
}

#[tokio::test]
async fn what_the_first_sweep_takes_is_said_before_it_begins() {
    let (worker, mut sweeps) = (worker().await, Sweeps::default());
    let until = after(60 * DAY);
    worker.store.vouch(None, Some(until)).await.unwrap();
    worker.keep(until, &mut sweeps).await.unwrap();
    assert_eq!(deleted(&worker), 0);
    let (part, why) = worker.upkeep.notice().unwrap();
    assert_eq!(part, "retention");
    let newest = morning() + jiff::SignedDuration::from_secs(4);
    assert!(
        why.contains(&format!(
            "takes 5 reading(s) for their age, measured from {} to {newest}",
            morning()
        )),
        "{why}"
    );
    let figures = worker.upkeep.metrics();
    let of = |name: &str| {
        figures.iter().find(|metric| metric.name == name).unwrap().samples[0]
            .value
            .clone()
    };
    assert_eq!(of("first_sweep_rows"), hub_core::metric::MetricValue::Number(5.0));
    worker.keep(until, &mut sweeps).await.unwrap();
    assert_eq!((deleted(&worker), worker.upkeep.notice()), (5, None));
}

#[tokio::test]
async fn a_first_sweep_that_has_come_to_take_more_is_told_again() {
    let (worker, mut sweeps) = (worker().await, Sweeps::default());
    let store = worker.store.clone();
    let id = appliance(&*store, "acme", "wm-1").await;
    let until = after(60 * DAY);
    store.vouch(None, Some(until)).await.unwrap();
    worker.keep(until, &mut sweeps).await.unwrap();
    store.ingest(&[telemetry(id, 2, 0, 7)]).await.unwrap();
    worker.keep(until, &mut sweeps).await.unwrap();
    assert_eq!(deleted(&worker), 0);
    let (_, why) = worker.upkeep.notice().unwrap();
    assert!(why.contains("takes 12 reading(s)"), "{why}");
    worker.keep(until, &mut sweeps).await.unwrap();
    assert_eq!((deleted(&worker), worker.upkeep.notice()), (12, None));
}

/// As many rows, of which one is newer.
#[test]
fn more_than_was_told_is_also_what_is_newer() {
    let mut due = Due::default();
    let mut sweeps = Sweeps::default();
    assert!(!sweeps.takes_more_than_told(&due), "nothing");
    due.add(5, Some(after(0)), Some(after(1)));
    assert!(sweeps.takes_more_than_told(&due));
    sweeps.told = Some(due);
    assert!(!sweeps.takes_more_than_told(&due));
    let newer = Due {
        newest: Some(after(2)),
        ..due
    };
    assert!(sweeps.takes_more_than_told(&newer));
    let fewer = Due { rows: 4, ..due };
    assert!(!sweeps.takes_more_than_told(&fewer));
}

#[tokio::test]
async fn a_device_that_goes_on_sending_old_readings_does_not_keep_the_first_sweep_from_beginning() {
    let (worker, mut sweeps) = (worker().await, Sweeps::default());
    let store = worker.store.clone();
    let id = appliance(&*store, "acme", "wm-1").await;
    let until = after(60 * DAY);
    store.vouch(None, Some(until)).await.unwrap();
    for round in 0..u64::from(TOLD_MAX) {
        worker.keep(until, &mut sweeps).await.unwrap();
        assert_eq!(deleted(&worker), 0, "round {round}");
        store.ingest(&[telemetry(id, 2 + round, 0, 1)]).await.unwrap();
    }
    worker.keep(until, &mut sweeps).await.unwrap();
    assert_eq!(deleted(&worker), 5 + u64::from(TOLD_MAX));
}

#[tokio::test]
async fn a_sweep_that_takes_more_than_is_usual_waits_for_a_person() {
    let (worker, mut sweeps) = (worker().await, Sweeps::default());
    let (store, until) = (worker.store.clone(), after(60 * DAY));
    store.vouch(None, Some(until)).await.unwrap();
    sweeps.first_is_over = true;
    // Of nothing, ten times is nothing.
    swept_on_days(&store, 0).await;
    for _ in 0..2 {
        worker.keep(until, &mut sweeps).await.unwrap();
        assert_eq!(deleted(&worker), 0);
        let (part, why) = worker.upkeep.held_notice().unwrap();
        assert!(
            part == "retention" && why.contains("5 reading(s)") && why.contains("confirm"),
            "{why}"
        );
    }
    // A word that has expired is none.
    store.confirm_sweep("A. Person", after(-2 * DAY)).await.unwrap();
    worker.keep(until, &mut sweeps).await.unwrap();
    assert_eq!(deleted(&worker), 0);
    let word = store.confirm_sweep("A. Person", morning()).await.unwrap();
    assert_eq!(word.expires_at, after(DAY));
    worker.keep(until, &mut sweeps).await.unwrap();
    assert_eq!((deleted(&worker), worker.upkeep.held_notice()), (5, None));
    assert_eq!(store.sweeps(after(61 * DAY)).await.unwrap()[..2], [5, 0], "it is noted");
}

/// One device sends a few old readings every hour. The first sweep of a day takes a whole day of all the others: that is usual.
#[tokio::test]
async fn small_sweeps_between_do_not_make_the_daily_one_unusual() {
    let (worker, mut sweeps) = (worker().await, Sweeps::default());
    sweeps.first_is_over = true;
    let store = worker.store.clone();
    let id = appliance(&*store, "acme", "wm-1").await;
    let (mut boot, mut all) = (10, 5);
    for day in 60..81 {
        // From two o'clock (UTC) on, that of the scene's morning.
        for hour in 0..22 {
            let rows = if hour == 0 { 1_000 } else { 3 };
            store.ingest(&[telemetry(id, boot, 0, rows)]).await.unwrap();
            (boot, all) = (boot + 1, all + rows);
            let until = after(day * DAY + hour * 60);
            store.vouch(None, Some(until)).await.unwrap();
            sweeps.ended_at = None;
            worker.keep(until, &mut sweeps).await.unwrap();
            assert_eq!(worker.upkeep.held_notice(), None, "day {day}, hour {hour}");
            assert_eq!(deleted(&worker), all, "day {day}, hour {hour}");
        }
    }
    // And what is ten days at once is none.
    store.ingest(&[telemetry(id, boot, 0, 11_000)]).await.unwrap();
    let until = after(81 * DAY);
    store.vouch(None, Some(until)).await.unwrap();
    sweeps.ended_at = None;
    worker.keep(until, &mut sweeps).await.unwrap();
    assert!(worker.upkeep.held_notice().is_some());
    assert_eq!(deleted(&worker), all);
}

#[tokio::test]
async fn a_usual_sweep_waits_for_nobody() {
    let (worker, mut sweeps) = (worker().await, Sweeps::default());
    let until = after(60 * DAY);
    worker.store.vouch(None, Some(until)).await.unwrap();
    sweeps.first_is_over = true;
    swept_on_days(&worker.store, 1).await;
    worker.keep(until, &mut sweeps).await.unwrap();
    assert_eq!((deleted(&worker), worker.upkeep.held_notice()), (5, None));
}

#[tokio::test]
async fn a_first_sweep_that_takes_nothing_needs_no_word_nor_does_one_after_it() {
    let (worker, mut sweeps) = (worker().await, Sweeps::default());
    worker.store.vouch(None, Some(after(60 * DAY))).await.unwrap();
    worker.keep(after(5 * DAY), &mut sweeps).await.unwrap();
    assert!(worker.upkeep.notice().is_none() && sweeps.first_is_over);
    worker.keep(after(60 * DAY), &mut sweeps).await.unwrap();
    assert_eq!(deleted(&worker), 0, "once an hour");
    sweeps.ended_at = None;
    worker.keep(after(60 * DAY), &mut sweeps).await.unwrap();
    assert_eq!(deleted(&worker), 5);
}
