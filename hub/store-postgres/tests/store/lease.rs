//! One hub writes; a second takes over what the first leaves, and the first then writes nothing any more.

use crate::said::{PATIENCE, end_others, eventually};
use crate::server::Server;
use crate::support::{Base, alarm, appliance, played, repeated, seen, stored, telemetry};
use hub_store::contact::ContactStore;
use hub_store::error::StoreError;
use hub_store::lease::LeaseStore;
use hub_store::prediction::{PredictionStore, ScoredUpTo, ScoringCommit};
use hub_store::telemetry::TelemetryStore;
use sqlx::{Connection, Executor};
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

/// What most commits of the scorer are has a fence of its own.
#[tokio::test]
async fn a_hub_that_was_taken_over_moves_no_offset() {
    let (base, store) = played().await;
    let up_to = |ingest_no| ScoringCommit {
        offsets: vec![ScoredUpTo {
            partition: 3,
            ingest_no,
            received_at: crate::support::after(1),
            kept_no: 0,
            kept_received_at: crate::support::morning(),
        }],
        ..ScoringCommit::default()
    };
    let now = crate::support::after(2);
    assert!(store.commit_scoring(&up_to(5), now).await.unwrap().is_empty());
    // Somebody was faster.
    let late = store.commit_scoring(&up_to(4), now).await;
    assert!(matches!(late, Err(StoreError::Conflict(_))), "{late:?}");
    let taken = "update lease set token = token + 1";
    base.sql().await.execute(taken).await.unwrap();
    let deposed = store.commit_scoring(&up_to(6), now).await;
    assert!(matches!(deposed, Err(StoreError::Deposed)), "{deposed:?}");
    assert!(!store.has_lease());
    let moved = "select ingest_no from scored where partition = 3";
    assert_eq!(base.number(moved).await, 5);
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

/// What scoring, calls and sessions write is fenced: it holds the lease's row until it is committed, and the next hub waits for
/// that. Readings are written without a fence of their own: see the next test.
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

/// The lock of the lease fell, and nothing else: the first hub goes on writing and does not know. Its batch is waiting in the
/// database when the second takes over.
#[tokio::test]
async fn a_batch_of_the_hub_before_has_ended_when_the_next_one_has_the_lease() {
    if !Server::chosen()
        .await
        .is_concurrent("a_batch_of_the_hub_before_has_ended_when_the_next_one_has_the_lease")
    {
        return;
    }
    let (base, first) = played().await;
    let second = base.beside().await;
    let id = appliance(&first, "acme", "wm-1").await;
    // All is known with the batch that waits: it is the insert of its row.
    first.ingest(&[telemetry(id, 1, 0, 5)]).await.unwrap();
    let batch = [telemetry(id, 1, 5, 1)];
    let mut sql = base.sql().await;
    let [keeper] = holders(&base, "lease 0").await[..] else {
        panic!("one session has the lock of the lease");
    };
    let [writer] = holders(&base, "ingest").await[..] else {
        panic!("one session has the writer's place");
    };
    let mut in_the_way = sql.begin().await.unwrap();
    sqlx::query("lock table telemetry in share mode")
        .execute(&mut *in_the_way)
        .await
        .unwrap();
    let inserts = format!("select count(*) from pg_locks where pid = {writer} and not granted");
    let taken_over = async {
        eventually("no insert waits", async || base.number(&inserts).await > 0).await;
        let ended = format!("select pg_terminate_backend({keeper})::int::bigint");
        assert_eq!(base.number(&ended).await, 1);
        let until = Instant::now() + PATIENCE;
        // The session's lock falls some time after its end was asked for.
        while second.take_lease(crate::support::after(1)).await.unwrap().is_none() {
            assert!(Instant::now() < until, "the lock of the lease does not fall");
        }
        // What the writer before had under way is over: it holds no lock any more and waits for none.
        let left = format!("select count(*) from pg_locks where pid = {writer}");
        assert_eq!(base.number(&left).await, 0);
        assert_ne!(holders(&base, "ingest").await, [writer]);
    };
    let (cut_off, ()) = tokio::join!(first.ingest(&batch), taken_over);
    assert!(matches!(cut_off, Err(StoreError::Unavailable(_))), "{cut_off:?}");
    in_the_way.rollback().await.unwrap();
    assert_eq!(base.number("select count(*) from telemetry").await, 5);
    let refused = first.ingest(&batch).await;
    assert!(matches!(refused, Err(StoreError::Deposed)), "{refused:?}");
    assert_eq!(second.ingest(&batch).await.unwrap(), [stored(1)]);
}

/// The sessions that hold a lock of this name.
async fn holders(base: &Base, name: &str) -> Vec<i32> {
    let query = format!(
        "select k.pid from pg_locks k join pg_database d on d.oid = k.database, \
           (select hashtextextended('forecall {name} of ' || coalesce(current_schema(), ''), 0) as number) n \
         where d.datname = current_database() and k.locktype = 'advisory' and k.granted and k.objsubid = 1 \
           and k.classid::bigint = (n.number >> 32) & 4294967295 and k.objid::bigint = n.number & 4294967295"
    );
    sqlx::query_scalar(&query)
        .fetch_all(&mut base.sql().await)
        .await
        .unwrap()
}

async fn somebody_waits_for_a_lock(base: &Base) {
    let waits = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    eventually("nobody waits for a lock", async || base.number(waits).await > 0).await;
}
