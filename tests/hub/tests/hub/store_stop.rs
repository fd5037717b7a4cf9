//! A hub is told to stop in a moment in which the database keeps it waiting.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::time::Duration;
use tests_hub::eventually;
use tests_hub::given::Given;

/// The lease is looked at every second.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_told_to_stop_while_it_looks_at_the_lease_ends() {
    let given = Given::start().await.unwrap();
    let lab = given.lab(None).unwrap();
    let hub = lab.serve().await.unwrap();
    // The connection that holds the lease's lock for longer than a transaction; it is asked something and does not answer.
    let holder = "select l.pid from pg_locks l join pg_stat_activity a using (pid) where l.locktype = 'advisory' \
        and a.query like '%from lease%' and a.application_name = 'forecall'";
    let holder = eventually("the lease is held", PATIENCE, async || {
        let mut sql = given.sql().await.unwrap();
        let found = sqlx::query_scalar::<_, i32>(holder).fetch_optional(&mut sql).await;
        found.unwrap()
    })
    .await;
    // It waits for the table when the lease is looked at, which is seen, and is stopped there. Then the table is free
    // again, and nobody waits but the hub for its answer.
    let mut sql = given.sql().await.unwrap();
    for statement in ["begin", "lock table lease in access exclusive mode"] {
        sqlx::query(statement).execute(&mut sql).await.unwrap();
    }
    eventually("the lease is looked at", PATIENCE, async || {
        let mut sql = given.sql().await.unwrap();
        let waits = "select count(*) from pg_stat_activity where pid = $1 and wait_event_type = 'Lock'";
        let waits = sqlx::query_scalar::<_, i64>(waits)
            .bind(holder)
            .fetch_one(&mut sql)
            .await;
        (waits.unwrap() > 0).then_some(())
    })
    .await;
    kill(Pid::from_raw(holder), Signal::SIGSTOP).unwrap();
    sqlx::query("rollback").execute(&mut sql).await.unwrap();
    drop(sql);
    let stopped = hub.stop().await;
    kill(Pid::from_raw(holder), Signal::SIGCONT).unwrap();
    stopped.unwrap();
    given.cluster.stop().await.unwrap();
}
