//! What is bounded, what is lost, and what it costs.

use super::{eventually, next, publish, start, subscribe};
use bytes::Bytes;
use hub_broker::router::{Published, Router, RouterError, RouterLimits};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::time::timeout;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_loses_counted_messages_and_disturbs_nobody() {
    const MESSAGES: u64 = 20_000;
    let router = start();
    let mut slow = subscribe(&router, "acme", &["#"]).await;
    let mut quick = subscribe(&router, "acme", &["#"]).await;
    let received = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&received);
    let reader = tokio::spawn(async move {
        while counted.load(Ordering::Relaxed) + quick.lost() < MESSAGES {
            next(&mut quick).await;
            counted.fetch_add(1, Ordering::Relaxed);
        }
        (counted.load(Ordering::Relaxed), quick.lost())
    });
    for number in 0..MESSAGES {
        publish(&router, "acme", "d/1/t", &number.to_string());
        // In step with the quick one, so never more at a time than the router carries.
        if number % 100 == 99 {
            let in_step = || received.load(Ordering::Relaxed) + 100 > number;
            eventually("the quick one is served beside the slow one", in_step).await;
        }
    }
    let (received, lost) = reader.await.unwrap();
    assert_eq!(
        (received, lost),
        (MESSAGES, 0),
        "the quick one misses nothing: {:?}",
        router.stats()
    );

    let held = RouterLimits::default().subscriber_messages as u64;
    eventually("everything is delivered or counted", || slow.lost() == MESSAGES - held).await;
    let mut last = None;
    for _ in 0..held {
        last = Some(next(&mut slow).await);
    }
    assert_eq!(
        last.unwrap().payload,
        (held - 1).to_string(),
        "what it did get is in order"
    );
    assert_eq!(router.stats().lost_by_integrators, MESSAGES - held);
    // It goes on from there.
    publish(&router, "acme", "d/1/t", "again");
    assert_eq!(next(&mut slow).await.payload, "again");
}

#[tokio::test]
async fn bytes_that_wait_for_an_integrator_are_bounded_too() {
    let router = start();
    let mut slow = subscribe(&router, "acme", &["#"]).await;
    let payload = Bytes::from(vec![7; 1 << 20]);
    for sent in 1..=6 {
        router.publish("acme", &Published::new("big", &payload, 1, false));
        eventually("it is through", || router.stats().delivered + slow.lost() == sent).await;
    }
    assert_eq!(slow.lost(), 3, "4 MiB hold three of these and their topics");
    for _ in 0..3 {
        assert_eq!(next(&mut slow).await.payload.len(), 1 << 20);
    }
}

#[tokio::test]
async fn nobody_subscribed_costs_nothing() {
    let router = start();
    let unheard = quickest_thousand(&router, 100);
    assert_eq!(router.stats().published + router.stats().lost_in_queue, 0);
    let _integrator = subscribe(&router, "acme", &["#"]).await;
    let heard = quickest_thousand(&router, 10);
    let went = || router.stats().published + router.stats().lost_in_queue == 10_000;
    eventually("what somebody wants is carried or counted", went).await;
    // One atomic load each, beside a look at the filters, a copy and a place in the queue.
    assert!(unheard * COSTS_MORE < heard, "{unheard:?}, heard {heard:?}");
}

/// A message that somebody wants costs at least so many times what one that nobody wants does.
const COSTS_MORE: u32 = 5;

/// How long the quickest of some rounds took: what else the machine does only makes a round longer.
fn quickest_thousand(router: &Router, rounds: usize) -> Duration {
    let payload = Bytes::from_static(&[0; 200]);
    let round = |_| {
        let started = Instant::now();
        for _ in 0..1_000 {
            router.publish("acme", &Published::new("d/1/t", &payload, 1, false));
        }
        started.elapsed()
    };
    (0..rounds).map(round).min().unwrap()
}

#[tokio::test]
async fn what_nobody_wants_is_not_even_queued() {
    let router = start();
    let mut integrator = subscribe(&router, "acme", &["d/+/e"]).await;
    let payload = Bytes::from_static(&[0; 200]);
    for _ in 0..100_000 {
        router.publish("acme", &Published::new("d/1/t", &payload, 1, false));
        router.publish("zeta", &Published::new("d/1/e", &payload, 1, false));
    }
    publish(&router, "acme", "d/1/e", "event");
    assert_eq!(next(&mut integrator).await.payload, "event");
    let stats = router.stats();
    assert_eq!((stats.published, stats.lost_in_queue), (1, 0), "{stats:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_of_a_flood_is_delivered_or_counted() {
    const MESSAGES: u64 = 100_000;
    let router = start();
    let mut integrator = subscribe(&router, "acme", &["#"]).await;
    publish(&router, "acme", "first", "");
    next(&mut integrator).await;
    let payload = Bytes::from_static(&[0; 200]);
    let flood = {
        let router = router.clone();
        tokio::task::spawn_blocking(move || {
            for _ in 0..MESSAGES {
                router.publish("acme", &Published::new("d/1/t", &payload, 1, false));
            }
        })
    };
    let (mut received, mut ends) = (0, 0);
    let ends_lost: u64 = loop {
        match timeout(PAUSE, integrator.recv()).await {
            Ok(Some(delivery)) if delivery.topic == "end" => {
                break std::str::from_utf8(&delivery.payload).unwrap().parse().unwrap();
            }
            Ok(Some(_)) => received += 1,
            Ok(None) => panic!("the router ended"),
            // What is behind a gap shows the gap; said too early, it is lost like the others.
            Err(_) if flood.is_finished() => {
                publish(&router, "acme", "end", &ends.to_string());
                ends += 1;
                assert!(ends < 400, "no end comes: {:?}", router.stats());
            }
            Err(_) => {}
        }
    };
    flood.await.unwrap();
    let stats = router.stats();
    assert_eq!(
        received + integrator.lost() + stats.lost_in_queue,
        MESSAGES + ends_lost,
        "{stats:?}"
    );
    assert_eq!(stats.lost_in_log + stats.lost_by_integrators, integrator.lost());
}

#[tokio::test]
async fn filters_and_integrators_are_bounded() {
    let limits = RouterLimits {
        subscribers: 2,
        filters: 3,
        filters_per_tenant: 2,
        ..RouterLimits::default()
    };
    let router = Router::start(limits).unwrap();
    let mut first = subscribe(&router, "acme", &["a", "b"]).await;
    assert!(matches!(
        first.add("c", 1).await,
        Err(RouterError::TooManyFilters { max: 2 })
    ));
    let second = subscribe(&router, "acme", &["a"]).await;
    let third = router.subscribe("zeta", "x", &[]).await;
    assert!(matches!(third, Err(RouterError::TooManySubscribers { max: 2 })));

    drop(second);
    let refused = router.subscribe("zeta", "x", &[("a".into(), 1), ("b".into(), 1)]).await;
    assert!(
        matches!(refused, Err(RouterError::TooManyFilters { max: 3 })),
        "all filters or none"
    );
    let zeta = subscribe(&router, "zeta", &["a"]).await;
    assert_eq!(router.stats().filters, 3);
    drop((first, zeta));
    eventually("everything is given back", || {
        router.stats().filters + router.stats().subscribers == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_integrators_one_after_another_leave_nothing_behind() {
    let router = start();
    let mut memory = Vec::new();
    for round in 0..1_000 {
        let topic = format!("d/{round}/t");
        let mut integrator = subscribe(&router, "acme", &[&topic, "d/+/e"]).await;
        // Topics that are never seen again: request numbers, for example.
        let reply = format!("d/{round}/r/{round}");
        integrator.add(&reply, 1).await.unwrap();
        publish(&router, "acme", &reply, "reply");
        assert_eq!(next(&mut integrator).await.topic, reply);
        drop(integrator);
        if round % 250 == 249 {
            memory.push(resident_kib());
        }
    }
    eventually("everything is given back", || {
        router.stats().filters + router.stats().subscribers == 0
    })
    .await;
    let grown = memory[3].saturating_sub(memory[1]);
    assert!(grown < 4 * 1024, "500 integrators left {grown} KiB behind: {memory:?}");
}

/// Nothing has come for so long: perhaps nothing more does.
const PAUSE: Duration = Duration::from_millis(50);

/// Memory that this process holds.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
