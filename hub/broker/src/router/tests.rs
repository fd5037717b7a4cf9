//! What a router does whose rumqttd is broken: only from here can it be broken.

use super::subscriber::Job;
use super::{Published, Router, RouterError, RouterFailure, RouterLimits};
use std::time::Duration;
use tokio::time::{Instant, timeout};

const SOON: Duration = Duration::from_secs(10);

fn quick() -> RouterLimits {
    RouterLimits {
        probe_every: Duration::from_millis(50),
        probe_patience: Duration::from_millis(500),
        ..RouterLimits::default()
    }
}

#[tokio::test]
async fn a_healthy_router_has_not_failed() {
    let router = Router::start(quick()).unwrap();
    assert!(timeout(Duration::from_millis(1500), router.failed()).await.is_err());
    router.stop().await;
    // Neither does an end that was asked for count as a failure.
    assert!(timeout(Duration::from_millis(200), router.failed()).await.is_err());
}

#[tokio::test]
async fn the_end_of_rumqttds_thread_is_noticed() {
    let router = Router::start(quick()).unwrap();
    let mut integrator = router.subscribe("acme", "console", &[("#".into(), 1)]).await.unwrap();
    // A topic that starts with a character of several bytes ends rumqttd's thread (rumqttd 0.20, protocol/mod.rs:658).
    router.0.jobs.try_send(Job::Raw("家电".into())).unwrap();
    assert_eq!(timeout(SOON, router.failed()).await.unwrap(), RouterFailure::Ended);
    assert_eq!(timeout(SOON, integrator.recv()).await.unwrap(), None);
    assert!(matches!(
        router.subscribe("acme", "late", &[]).await,
        Err(RouterError::Unanswered)
    ));
    router.publish("acme", &Published::new("d/1/t", b"x", 1, false));
}

#[tokio::test]
async fn a_router_that_stands_still_is_noticed() {
    let router = Router::start(quick()).unwrap();
    let mut integrator = router.subscribe("acme", "console", &[("#".into(), 1)]).await.unwrap();
    router.publish("acme", &Published::new("d/1/t", b"first", 1, false));
    timeout(SOON, integrator.recv()).await.unwrap().unwrap();
    let (let_go, held) = std::sync::mpsc::channel();
    router.0.jobs.try_send(Job::Hold(held)).unwrap();
    let failed = timeout(SOON, router.failed()).await.unwrap();
    assert_eq!(
        failed,
        RouterFailure::Silent {
            patience: Duration::from_millis(500)
        }
    );
    // Nobody who publishes waits for it, and what does not fit is counted.
    for _ in 0..40_000 {
        router.publish("acme", &Published::new("d/1/t", b"x", 1, false));
    }
    let stats = router.stats();
    assert!(stats.lost_in_queue > 0 && stats.published < 40_000, "{stats:?}");
    // It goes on once it is released: nothing was lost but what was counted.
    drop(let_go);
    let (mut received, until) = (0, Instant::now() + SOON);
    let counted = |received: u64| {
        let stats = router.stats();
        received + stats.lost_in_queue + stats.lost_in_log + stats.lost_by_integrators
    };
    while counted(received) < 40_000 {
        assert!(Instant::now() < until, "{received} received, {:?}", router.stats());
        let next = timeout(Duration::from_millis(50), integrator.recv()).await;
        received += u64::from(next.is_ok_and(|delivery| delivery.is_some()));
    }
    assert!(received > 0);
    assert_eq!(counted(received), 40_000, "{:?}", router.stats());
    let more = timeout(Duration::from_millis(50), integrator.recv()).await;
    assert!(more.is_err(), "nothing comes twice");
}
