//! Who gets what.

use super::{next, publish, start, subscribe, text};
use bytes::Bytes;
use hub_broker::router::{Delivery, Published, RouterError};

fn pair(topic: &str, payload: &str) -> (String, String) {
    (topic.to_owned(), payload.to_owned())
}

#[tokio::test]
async fn three_integrators_of_two_tenants_get_their_own_and_nothing_else() {
    let router = start();
    let mut acme = subscribe(&router, "acme", &["d/+/t"]).await;
    let mut acme_all = subscribe(&router, "acme", &["#"]).await;
    let mut zeta = subscribe(&router, "zeta", &["#"]).await;

    for round in 0..500 {
        publish(&router, "acme", "d/1/t", &format!("acme telemetry {round}"));
        publish(&router, "acme", "d/1/e", &format!("acme event {round}"));
        publish(&router, "zeta", "d/1/t", &format!("zeta telemetry {round}"));
        publish(&router, "nobody", "d/1/t", "unheard");
    }
    for round in 0..500 {
        assert_eq!(text(&mut acme).await, pair("d/1/t", &format!("acme telemetry {round}")));
        assert_eq!(
            text(&mut acme_all).await,
            pair("d/1/t", &format!("acme telemetry {round}"))
        );
        assert_eq!(text(&mut acme_all).await, pair("d/1/e", &format!("acme event {round}")));
        assert_eq!(text(&mut zeta).await, pair("d/1/t", &format!("zeta telemetry {round}")));
    }
    let stats = router.stats();
    assert_eq!((stats.published, stats.delivered), (1500, 2000), "{stats:?}");
    assert_eq!((stats.subscribers, stats.filters), (3, 3), "{stats:?}");
    router.stop().await;
    for subscriber in [&mut acme, &mut acme_all, &mut zeta] {
        assert_eq!(subscriber.recv().await, None, "nothing is left over");
    }
}

#[tokio::test]
async fn a_tenant_whose_key_begins_like_another_or_looks_like_a_filter_is_another() {
    let router = start();
    let mut acme = subscribe(&router, "acme", &["#", "+/+"]).await;
    publish(&router, "acme2", "a/b", "wrong");
    publish(&router, "acme/x", "a/b", "wrong");
    publish(&router, "+", "a/b", "wrong");
    publish(&router, "acme", "a", "right");
    assert_eq!(text(&mut acme).await, pair("a", "right"));
    assert_eq!(router.stats().published, 1);
}

#[tokio::test]
async fn wildcards_match_as_mqtt_says() {
    let router = start();
    let mut one_level = subscribe(&router, "acme", &["d/+/t"]).await;
    let mut subtree = subscribe(&router, "acme", &["d/7/#"]).await;
    for topic in ["d/1/t", "d/7/r/1", "d/7", "d/1/t/x", "e/7/t", "$SYS/d", "d/7/t"] {
        publish(&router, "acme", topic, "");
    }
    assert_eq!(next(&mut one_level).await.topic, "d/1/t");
    assert_eq!(next(&mut one_level).await.topic, "d/7/t");
    for topic in ["d/7/r/1", "d/7", "d/7/t"] {
        assert_eq!(next(&mut subtree).await.topic, topic);
    }
}

#[tokio::test]
async fn a_message_carries_its_topic_payload_qos_retain_flag_properties_and_expiry() {
    let router = start();
    let mut integrator = router.subscribe("acme", "one", &[("#".into(), 0)]).await.unwrap();
    let payload = Bytes::from(vec![0xff; 60_000]);
    let published = Published {
        properties: b"\x01\x01",
        expires_ms: Some(60_000),
        ..Published::new("d/1/s", &payload, 1, true)
    };
    router.publish("acme", &published);
    assert_eq!(
        next(&mut integrator).await,
        Delivery {
            topic: "d/1/s".into(),
            payload: payload.clone(),
            qos: 0,
            retain: true,
            properties: Bytes::from_static(b"\x01\x01"),
            expires_ms: Some(60_000),
        }
    );

    integrator.add("#", 1).await.unwrap();
    router.publish("acme", &Published::new("d/1/t", &payload, 1, false));
    assert_eq!(next(&mut integrator).await.qos, 1);
    router.publish("acme", &Published::new("d/1/t", &payload, 0, false));
    assert_eq!(next(&mut integrator).await.qos, 0, "never above what was published");
}

#[tokio::test]
async fn filters_come_and_go_while_messages_flow() {
    let router = start();
    let mut integrator = subscribe(&router, "acme", &[]).await;
    publish(&router, "acme", "a", "before");
    integrator.add("a", 1).await.unwrap();
    publish(&router, "acme", "a", "first");
    assert_eq!(text(&mut integrator).await, pair("a", "first"));

    assert!(integrator.remove("a").await.unwrap());
    assert!(!integrator.remove("a").await.unwrap(), "it is gone already");
    publish(&router, "acme", "a", "between");

    integrator.add("b", 1).await.unwrap();
    integrator.add("a", 1).await.unwrap();
    publish(&router, "acme", "b", "other");
    publish(&router, "acme", "a", "again");
    let mut received = [text(&mut integrator).await, text(&mut integrator).await];
    received.sort();
    assert_eq!(received, [pair("a", "again"), pair("b", "other")]);
    assert_eq!(integrator.lost(), 0);
}

#[tokio::test]
async fn a_filter_used_again_by_another_tenant_brings_nothing_of_the_first() {
    let router = start();
    for round in 0..200 {
        let (tenant, other) = if round % 2 == 0 {
            ("acme", "zeta")
        } else {
            ("zeta", "acme")
        };
        let mut integrator = subscribe(&router, tenant, &["#"]).await;
        publish(&router, other, "d/1/t", "not for this one");
        for _ in 0..20 {
            publish(&router, tenant, "d/1/t", &format!("{tenant} {round}"));
        }
        // It goes away in the middle of what it was sent.
        for _ in 0..round % 20 {
            assert_eq!(text(&mut integrator).await.1, format!("{tenant} {round}"));
        }
        assert_eq!(integrator.lost(), 0);
    }
}

#[tokio::test]
async fn what_is_not_allowed_is_refused() {
    let router = start();
    let mut integrator = subscribe(&router, "acme", &[]).await;
    for filter in ["$share/g/#", "$SYS/#", "a/#/b", "a+", "家电/#", ""] {
        assert!(
            matches!(integrator.add(filter, 1).await, Err(RouterError::Filter)),
            "{filter}"
        );
    }
    assert!(matches!(router.subscribe("", "x", &[]).await, Err(RouterError::Tenant)));
    let some_bad = router
        .subscribe("acme", "x", &[("a".into(), 0), ("b#".into(), 0)])
        .await;
    assert!(matches!(some_bad, Err(RouterError::Filter)));
    // A topic that would end rumqttd's thread goes nowhere; the router lives.
    integrator.add("#", 1).await.unwrap();
    publish(&router, "acme", "家电/冰箱", "x");
    publish(&router, "acme", "a", "alive");
    assert_eq!(text(&mut integrator).await, pair("a", "alive"));
}
