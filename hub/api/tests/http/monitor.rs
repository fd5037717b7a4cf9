//! What monitoring reads.

use super::*;
use hub_api::Monitor;
use hub_core::metric::{Metric, MetricKind};

fn monitor(problems: Vec<(&'static str, String)>) -> Monitor {
    Monitor {
        metrics: Arc::new(|| vec![Metric::new("mqtt_connections", MetricKind::Gauge, "Open.").with(&[], 3)]),
        problems: Arc::new(move || problems.clone()),
        ..Monitor::default()
    }
}

async fn get(hub: &Hub, path: &str) -> Response {
    Client::new().get(hub.url(path)).send().await.unwrap()
}

#[tokio::test]
async fn readiness_says_what_is_wrong() {
    let hub = Hub::start().await;
    let ready: Value = get(&hub, "/readyz").await.json().await.unwrap();
    assert_eq!(ready, json!({ "ready": true }));
    hub.store.set_healthy(false);
    let away = get(&hub, "/readyz").await;
    assert_eq!(away.status(), 503);
    let away: Value = away.json().await.unwrap();
    let problem = json!({ "part": "database", "reason": "does not answer" });
    assert_eq!(away, json!({ "ready": false, "problems": [problem] }));
    assert_eq!(get(&hub, "/healthz").await.status(), 200, "the process lives");

    let stuck = vec![("router", "probe is 12 s old".to_owned())];
    let hub = Hub::start_with(|state| ApiState {
        monitor: monitor(stuck),
        ..state
    })
    .await;
    let answer = get(&hub, "/readyz").await;
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.json::<Value>().await.unwrap()["problems"][0]["part"], "router");

    let hub = Hub::start_with(|state| ApiState {
        monitor: Monitor {
            notices: Arc::new(|| vec![("clock", "was set".to_owned())]),
            ..Monitor::default()
        },
        ..state
    })
    .await;
    let answer = get(&hub, "/readyz").await;
    assert_eq!(answer.status(), 200);
    let notice = json!({ "part": "clock", "reason": "was set" });
    assert_eq!(
        answer.json::<Value>().await.unwrap(),
        json!({ "ready": true, "notices": [notice] })
    );
}

#[tokio::test]
async fn this_machine_reads_metrics() {
    let hub = Hub::start_with(|state| ApiState {
        monitor: monitor(vec![]),
        ..state
    })
    .await;
    let answer = get(&hub, "/metrics").await;
    assert_eq!(
        answer.headers()["content-type"],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    let text = answer.text().await.unwrap();
    for line in [
        "# TYPE forecall_mqtt_connections gauge",
        "forecall_mqtt_connections 3",
        "forecall_database_up 1",
        "forecall_tenant_online{tenant=\"acme\"} 1",
        "forecall_tenant_quarantined{tenant=\"acme\"} 4",
        "forecall_tenant_device_dropped_events{tenant=\"acme\"} 5",
        "forecall_tenant_device_dropped_telemetry{tenant=\"acme\"} 262",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    hub.store.set_healthy(false);
    let text = get(&hub, "/metrics").await.text().await.unwrap();
    assert!(
        text.contains("forecall_database_up 0") && text.contains("forecall_mqtt_connections 3"),
        "{text}"
    );
}

#[tokio::test]
async fn nobody_reads_metrics_through_a_proxy_or_without_the_token() {
    let hub = Hub::start().await;
    let forwarded = Client::new()
        .get(hub.url("/metrics"))
        .header("x-forwarded-for", "192.0.2.1");
    problem(forwarded.send().await.unwrap(), 403, "metrics-refused").await;

    let hub = Hub::start_with(|mut state| {
        state.config.behind_tls = true;
        state
    })
    .await;
    problem(get(&hub, "/metrics").await, 403, "metrics-refused").await;

    let hub = Hub::start_with(|mut state| {
        state.config.metrics_token = Some("s3cret".into());
        state
    })
    .await;
    problem(get(&hub, "/metrics").await, 403, "metrics-refused").await;
    let shown = async |token: &str| {
        Client::new()
            .get(hub.url("/metrics"))
            .bearer_auth(token)
            .send()
            .await
            .unwrap()
    };
    problem(shown("s3cre").await, 403, "metrics-refused").await;
    assert_eq!(shown("s3cret").await.status(), 200);
}

#[tokio::test]
async fn a_hub_that_is_up_says_so() {
    let hub = Hub::start().await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(
            Client::new().get(hub.url(path)).send().await.unwrap().status(),
            200,
            "{path}"
        );
    }
}
