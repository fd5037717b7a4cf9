//! What is too old goes by the earlier of two clocks, of which one is a witness that no run makes for itself.

use super::scene::{appliance, message, morning, played, rolled_up, scored_rows, site};
use super::{Harness, Place};
use crate::lease::LeaseStore;
use crate::retention::{Due, Swept};
use crate::telemetry::Ingest;
use crate::{Store, StoreError};
use hub_core::retention::{CONFIRMED_FOR, Retention, SWEEPS_KEPT};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

fn days(days: i64) -> Timestamp {
    morning() + SignedDuration::from_hours(24 * days)
}

/// Readings of a few seconds, of which the tenant keeps ten days, and everything that a sweep waits for.
async fn kept_for_ten_days(store: &dyn Store) {
    let id = appliance(store, "acme", "wm-1").await;
    store.ingest(&[Ingest::Telemetry(message(id, 1, 0, 5))]).await.unwrap();
    rolled_up(store).await;
    scored_rows(store, morning()).await;
    while store.aggregate(None, 1_000, morning()).await.unwrap() > 0 {}
    let mut site = site();
    site.tenants[0].retentions = vec![Retention {
        profile: None,
        days: Some(10),
    }];
    store.apply_site(&site, morning(), false).await.unwrap();
}

/// The rows of a whole sweep.
async fn swept(store: &dyn Store, now: Timestamp) -> u64 {
    let (mut after, mut rows) = (None, 0);
    loop {
        let step = store.sweep(now, after, 1_000).await.unwrap();
        rows += step.rows;
        after = step.next;
        if after.is_none() {
            return rows;
        }
    }
}

/// What a sweep would take, in steps of a few rows.
async fn due(store: &dyn Store, now: Timestamp) -> Due {
    let mut all = Due::default();
    loop {
        let step = store.due(now, all.next, 2).await.unwrap();
        all.add(step.rows, step.oldest, step.newest);
        all.next = step.next;
        if all.next.is_none() {
            return all;
        }
    }
}

pub(super) async fn nothing_goes_that_is_not_too_old_by_a_witness(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    kept_for_ten_days(&*store).await;
    let ahead = days(3_652);
    assert_eq!(
        store.sweep(ahead, None, 1_000).await.unwrap(),
        Swept::default(),
        "nobody vouches"
    );
    store.vouch(Some(morning()), Some(days(9))).await.unwrap();
    assert_eq!(swept(&*store, ahead).await, 0, "the witness says that they are young");
    store.vouch(None, Some(ahead)).await.unwrap();
    assert_eq!(swept(&*store, days(9)).await, 0, "and so does the clock");
    store.vouch(None, None).await.unwrap();
    assert_eq!(swept(&*store, ahead).await, 0, "nobody vouches any more");
    assert_eq!(due(&*store, ahead).await, Due::default());
    store.vouch(None, Some(days(12))).await.unwrap();
    let told = due(&*store, ahead).await;
    let newest = morning() + SignedDuration::from_secs(4);
    assert_eq!(
        (told.rows, told.oldest, told.newest),
        (5, Some(morning()), Some(newest))
    );
    assert_eq!(swept(&*store, ahead).await, 5);
    assert_eq!(due(&*store, ahead).await, Due::default());
    assert_eq!(swept(&*store, ahead).await, 0);
}

pub(super) async fn a_persons_word_counts_for_a_day_and_the_last_sweeps_are_remembered(h: &dyn Harness) {
    let (place, store) = played(h).await;
    assert_eq!(store.sweep_confirmed(morning()).await.unwrap(), None);
    let beside = place.beside().await;
    let given = beside.confirm_sweep("A. Person", morning()).await.unwrap();
    assert_eq!((given.by.as_str(), given.at), ("A. Person", morning()));
    assert_eq!(given.expires_at, morning() + CONFIRMED_FOR);
    let moment = SignedDuration::from_secs(1);
    for (at, counts) in [
        (morning() - moment, false),
        (morning(), true),
        (given.expires_at - moment, true),
        (given.expires_at, false),
    ] {
        let told = store.sweep_confirmed(at).await.unwrap();
        assert_eq!(told, Some(given.clone()).filter(|_| counts), "{at}");
    }
    assert!(store.sweeps(days(1)).await.unwrap().is_empty());
    let most = u64::try_from(SWEEPS_KEPT).unwrap();
    for day in 1..=most + 5 {
        let early = days(i64::try_from(day).unwrap());
        // What goes on one day (UTC) is one figure.
        store.note_sweep(day, early).await.unwrap();
        store
            .note_sweep(100, early + SignedDuration::from_hours(3))
            .await
            .unwrap();
    }
    let last = days(i64::try_from(most).unwrap() + 5);
    let kept: Vec<u64> = (6..=most + 5).rev().map(|day| day + 100).collect();
    assert_eq!(store.sweeps(last + SignedDuration::from_hours(24)).await.unwrap(), kept);
    let before: Vec<u64> = (5..=most + 4).rev().map(|day| day + 100).collect();
    assert_eq!(
        store.sweeps(last).await.unwrap(),
        before,
        "the day that runs tells nothing yet"
    );
    let refused = beside.note_sweep(1, morning()).await;
    assert!(matches!(refused, Err(StoreError::Deposed)), "{refused:?}");
}

/// What a hub with a wrong clock stamps is no witness of the next, however often it starts.
pub(super) async fn what_was_vouched_for_stands_until_somebody_vouches_again(h: &dyn Harness) {
    let (place, first) = played(h).await;
    assert_eq!(known(&*first).await, None, "a new store");
    let beside = place.beside().await;
    let refused = beside.vouch(Some(days(1)), Some(days(1))).await;
    assert!(matches!(refused, Err(StoreError::Deposed)), "{refused:?}");
    drop(beside);
    drop(first);
    // The first one has stamped the lease.
    let second = place.hub().await;
    assert_eq!(known(&*second).await, Some(morning()));
    let id = appliance(&*second, "acme", "wm-1").await;
    let mut wrong = message(id, 1, 0, 5);
    wrong.received_at = days(3_652);
    second.ingest(&[Ingest::Telemetry(wrong)]).await.unwrap();
    rolled_up(&*second).await;
    drop(second);
    let third = place.hub().await;
    assert_eq!(known(&*third).await, Some(morning()));
    third.vouch(Some(days(2)), None).await.unwrap();
    assert_eq!(
        known(&*third).await,
        Some(morning()),
        "it stays while the lease is held"
    );
    drop(third);
    let fourth = place.hub().await;
    assert_eq!(known(&*fourth).await, Some(days(2)));
    // A witness may also say that it is earlier than was thought.
    fourth.vouch(Some(days(1)), None).await.unwrap();
    drop(fourth);
    let fifth = place.hub().await;
    assert_eq!(known(&*fifth).await, Some(days(1)));
}

/// The first run of a new database may have had a wrong clock: what it has stamped counts only where readings say the same.
pub(super) async fn a_stamp_that_devices_do_not_bear_out_is_no_witness(h: &dyn Harness) {
    let hours = SignedDuration::from_hours;
    // The newest reading states four seconds past the morning.
    let newest = morning() + SignedDuration::from_secs(4);
    for (received_at, expected) in [
        (days(300), None),
        (newest + hours(25), None),
        (newest + hours(23), Some(newest)),
        (morning(), Some(morning())),
    ] {
        let (place, first) = played(h).await;
        let id = appliance(&*first, "acme", "wm-1").await;
        let mut message = message(id, 1, 0, 5);
        message.received_at = received_at;
        first.ingest(&[Ingest::Telemetry(message)]).await.unwrap();
        rolled_up(&*first).await;
        drop(first);
        for start in ["second", "third"] {
            assert_eq!(
                known_at_start(&*place).await,
                expected,
                "{received_at}, the {start} start"
            );
        }
    }
}

/// What the next hub knows that takes the lease, whose clock is as wrong as it may be; it is gone again afterwards.
async fn known_at_start(place: &dyn Place) -> Option<Timestamp> {
    let store = place.beside().await;
    loop {
        // The lock of the one before may fall a moment after it has gone.
        if let Some(lease) = store.take_lease(days(3_652)).await.unwrap() {
            return lease.vouched_at;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// What was vouched for before the hub took its lease, whatever its clock says.
async fn known<S: LeaseStore + ?Sized>(hub: &S) -> Option<Timestamp> {
    let lease = hub.take_lease(days(3_652)).await.unwrap();
    lease.expect("who has it keeps it").vouched_at
}
