//! One hub writes; a second takes over what the first leaves, and the first then writes nothing any more.

use crate::said::{PATIENCE, end_others, eventually};
use crate::server::Server;
use crate::support::{Base, alarm, appliance, played, repeated, seen, stored, telemetry};
use hub_store::contact::ContactStore;
use hub_store::error::StoreError;
use hub_store::lease::LeaseStore;
use hub_store::prediction::PredictionStore;
use hub_store::telemetry::TelemetryStore;
use sqlx::Connection;
use std::time::{Duration, Instant};

const AT_ONCE: Duration = Duration::ZERO;

#[tokio::test]
async fn a_second_hub_stands_by_until_the_first_is_gone() {
    let (base, first) = played().await;
    let second = base.beside().await;
    let id = appliance(&first, "acme", "wm-1").await;
    let batch = [telemetry(id, 1, 0, 5)];
    let commit = seen(vec![alarm(id, "fault", 0.9)]);
    assert_eq!(second.take_lease(crate::support::after(1)).await.unwrap(), None);
    assert!(!second.has_lease() && first.has_lease());
    // Without the lease nothing is written.
    assert!(matches!(second.ingest(&batch).await, Err(StoreError::Deposed)));
    let scored = second.commit_scoring(&commit, crate::support::morning()).await;
    assert!(matches!(scored, Err(StoreError::Deposed)), "{scored:?}");
    assert_eq!(first.ingest(&batch).await.unwrap(), [stored(5)]);
    let before = first.lease_state().await.unwrap();
    assert!(before.held && before.holder.is_some() && before.token > 0);
    first.close().await;
    assert!(!second.lease_state().await.unwrap().held);
    let lease = second.take_lease(crate::support::after(2)).await.unwrap().unwrap();
    assert_eq!(lease.token, before.token + 1);
    assert_eq!(
        second
            .take_lease(crate::support::after(3))
            .await
            .unwrap()
            .unwrap()
            .token,
        lease.token
    );
    // Asked before it had the lease, it remembers nothing of that.
    assert_eq!(second.ingest(&batch).await.unwrap(), [repeated(5)]);
    let after = second.lease_state().await.unwrap();
    assert!(after.held && after.token == lease.token && after.holder != before.holder);
    assert!(!second.lease_lost(AT_ONCE).await);
}

/// The first is alive but was cut off, and another took over meanwhile.
#[tokio::test]
async fn a_deposed_hub_writes_nothing_and_is_told() {
    if !Server::chosen()
        .await
        .is_concurrent("a_deposed_hub_writes_nothing_and_is_told")
    {
        return;
    }
    let (base, first) = played().await;
    let id = appliance(&first, "acme", "wm-1").await;
    first.ingest(&[telemetry(id, 1, 0, 5)]).await.unwrap();
    let second = base.beside().await;
    let mut sql = base.sql().await;
    let mut taken = None;
    while taken.is_none() {
        end_others(&mut sql).await;
        taken = second.take_lease(crate::support::after(1)).await.ok().flatten();
    }
    assert_eq!(second.ingest(&[telemetry(id, 1, 0, 6)]).await.unwrap()[0].stored, 1);
    let refused = loop {
        match first.ingest(&[telemetry(id, 1, 6, 1)]).await {
            Err(StoreError::Unavailable(_)) => {}
            told => break told,
        }
    };
    assert!(matches!(refused, Err(StoreError::Deposed)), "{refused:?}");
    // The batch that was refused has told: nothing is waited for or looked at.
    assert!(!first.has_lease());
    assert!(first.lease_lost(AT_ONCE).await && !first.has_lease());
    let recovered = first.recover_attempts(crate::support::after(2)).await.unwrap();
    assert!(recovered.is_empty());
    // For good: what it remembers is not true any more.
    second.close().await;
    let again = first.take_lease(crate::support::after(3)).await;
    assert!(matches!(again, Err(StoreError::Deposed)), "{again:?}");
    assert_eq!(base.number("select count(*) from telemetry").await, 6);
}

/// Its connections were cut, nobody came: the same lease goes on.
#[tokio::test]
async fn a_hub_whose_connections_are_cut_keeps_its_lease_and_locks_it_again() {
    if !Server::chosen()
        .await
        .is_concurrent("a_hub_whose_connections_are_cut_keeps_its_lease_and_locks_it_again")
    {
        return;
    }
    let (base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
    let before = store.lease_state().await.unwrap();
    let mut sql = base.sql().await;
    for round in 0..3 {
        end_others(&mut sql).await;
        let mut answer = store.ingest(&[telemetry(id, 1, round, 1)]).await;
        while matches!(answer, Err(StoreError::Unavailable(_))) {
            answer = store.ingest(&[telemetry(id, 1, round, 1)]).await;
        }
        assert_eq!(answer.unwrap(), [stored(1)]);
        let until = Instant::now() + PATIENCE;
        while !store.lease_state().await.unwrap().held {
            assert!(Instant::now() < until, "the lock is not taken up again");
            assert!(!store.lease_lost(AT_ONCE).await);
        }
    }
    assert_eq!(store.lease_state().await.unwrap(), before);
}

/// Whoever takes over waits for the batch that is being committed.
#[tokio::test]
async fn nothing_is_committed_behind_the_back_of_the_next_hub() {
    if !Server::chosen()
        .await
        .is_concurrent("nothing_is_committed_behind_the_back_of_the_next_hub")
    {
        return;
    }
    let (base, first) = played().await;
    let second = base.beside().await;
    let mut sql = base.sql().await;
    let mut under_way = sql.begin().await.unwrap();
    sqlx::query("select from lease for share")
        .execute(&mut *under_way)
        .await
        .unwrap();
    first.close().await;
    let mut taking = std::pin::pin!(second.take_lease(crate::support::after(1)));
    tokio::select! {
        early = taking.as_mut() => panic!("it does not wait: {early:?}"),
        () = somebody_waits_for_a_lock(&base) => {}
    }
    under_way.commit().await.unwrap();
    assert!(taking.await.unwrap().is_some());
}

async fn somebody_waits_for_a_lock(base: &Base) {
    let waits = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    eventually("nobody waits for a lock", async || base.number(waits).await > 0).await;
}
