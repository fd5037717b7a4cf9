//! Two hubs on one given database: one works, the other stands by and takes over.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::time::{Duration, Instant};
use tests_hub::given::Given;
use tests_hub::soak::{Fleet, site};
use tests_hub::watch::{doctor, get, until_metrics_say, until_ready_is};

const PUBLISHERS: usize = 16;
/// From the kill to the first acknowledgement of the other hub.
const TAKE_OVER_MAX: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn a_second_hub_takes_over_within_five_seconds_of_a_kill() {
    let given = Given::start().await.unwrap();
    let one = given.lab(None).unwrap();
    let two = given.lab(Some(one.mqtt)).unwrap();
    one.apply(&site(PUBLISHERS).toml()).await.unwrap();
    let mut fleet = Fleet::start(one.mqtt, PUBLISHERS);
    let mut labs = [&one, &two];
    let mut works = labs[0].serve().await.unwrap();
    for round in 1..=3 {
        let waits = labs[1].serve_beside().await.unwrap();
        assert_eq!(get(labs[1], "/healthz").await, Some((200, "ok\n".to_owned())));
        let ready = until_ready_is(labs[1], 503, TAKE_OVER_MAX).await;
        assert!(ready.contains("\"standby\""), "{ready}");
        until_metrics_say(labs[1], &["lease_held 0", "database_up 1"]).await;
        until_metrics_say(labs[0], &["lease_held 1", "database_up 1"]).await;
        // Nothing but what monitoring reads.
        assert_eq!(get(labs[1], "/api/v1/tickets").await.unwrap().0, 503);
        let before = doctor(labs[1]).await;
        assert!(before.contains("ok    hub: the running hub stands by"), "{before}");
        let holder = holder(&before);
        // Commands go on beside both.
        labs[1].apply(&site(PUBLISHERS).toml()).await.unwrap();
        fleet.more(200, Duration::from_secs(60)).await.unwrap();
        works.kill().await.unwrap();
        let killed = Instant::now();
        let silence = fleet.more(1, TAKE_OVER_MAX).await.unwrap();
        println!("round {round}: acknowledged again {silence:?} after the kill");
        assert!(killed.elapsed() < TAKE_OVER_MAX);
        fleet.more(200, Duration::from_secs(60)).await.unwrap();
        until_ready_is(labs[1], 200, TAKE_OVER_MAX).await;
        until_metrics_say(labs[1], &["lease_held 1", "database_up 1", "ingest_held 0"]).await;
        let after = doctor(labs[1]).await;
        assert!(after.contains("ok    hub: the running hub is ready"), "{after}");
        assert_ne!(self::holder(&after), holder, "{after}");
        works = waits;
        labs.reverse();
    }
    let acknowledged = fleet.finish().await.unwrap();
    works.stop().await.unwrap();
    let stored = given.count().await.unwrap();
    println!("{acknowledged} acknowledged, {stored:?}");
    assert_eq!((stored.rows, stored.distinct), (acknowledged, acknowledged));
    given.cluster.stop().await.unwrap();
}

/// Who works on the database, as the doctor says it.
fn holder(doctor: &str) -> &str {
    let (_, rest) = doctor.split_once("ok    lease: hub ").expect(doctor);
    rest.split_once(" works on the database").expect(doctor).0
}

/// The first hub does not die: it is stopped for a while, loses the database, and comes back when another works on it.
#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_comes_back_after_it_was_taken_over_ends() {
    let given = Given::start().await.unwrap();
    let one = given.lab(None).unwrap();
    // Both are reached at the same time, each under its own address.
    let two = given.lab(None).unwrap();
    one.apply(&site(PUBLISHERS).toml()).await.unwrap();
    let first = one.serve().await.unwrap();
    let mut fleet = Fleet::start(one.mqtt, PUBLISHERS);
    fleet.more(200, Duration::from_secs(60)).await.unwrap();
    let mut sql = given.sql().await.unwrap();
    let sessions = "select pid from pg_stat_activity where application_name = 'forecall'";
    let sessions: Vec<i32> = sqlx::query_scalar(sessions).fetch_all(&mut sql).await.unwrap();
    let second = two.serve_beside().await.unwrap();
    let pid = Pid::from_raw(i32::try_from(first.pid().unwrap()).unwrap());
    kill(pid, Signal::SIGSTOP).unwrap();
    // As the keepalives of the server end the sessions of a machine that has vanished.
    sqlx::query("select pg_terminate_backend(pid) from unnest($1::int[]) pid")
        .bind(&sessions)
        .execute(&mut sql)
        .await
        .unwrap();
    // Between standing by and working, nobody answers for a moment.
    until_ready_is(&two, 200, TAKE_OVER_MAX).await;
    kill(pid, Signal::SIGCONT).unwrap();
    // Its supervisor would start it, and it would stand by.
    assert_eq!(first.ended(Duration::from_secs(40)).await.unwrap(), Some(1));
    let first = one.serve_beside().await.unwrap();
    let before = fleet.acknowledged();
    second.stop().await.unwrap();
    fleet.more(200, Duration::from_secs(60)).await.unwrap();
    println!("{before} acknowledged before the first hub works again");
    let acknowledged = fleet.finish().await.unwrap();
    first.stop().await.unwrap();
    let stored = given.count().await.unwrap();
    assert_eq!((stored.rows, stored.distinct), (acknowledged, acknowledged));
    drop(sql);
    given.cluster.stop().await.unwrap();
}
