//! API and console over the real store on a real cluster: an alarm becomes a ticket that a person sees and works on.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../../api/tests/support/mod.rs"]
#[expect(dead_code, reason = "the other tests use more of it")]
mod support;

use hub_api::{ApiConfig, ApiState, Monitor, create_first_account, serve};
use hub_console::PAGES;
use hub_core::clock::ManualClock;
use hub_core::id::{DeviceId, TenantId, TraceId};
use hub_core::site::Site;
use hub_core::situation::Observation;
use hub_core::telemetry::{Identity, Lane, Sample, TelemetryMessage};
use hub_store::contact::{Begun, ContactStore};
use hub_store::lease::LeaseStore;
use hub_store::prediction::{PredictionStore, ScoringCommit};
use hub_store::retention::UpkeepStore;
use hub_store::site::SiteStore;
use hub_store::telemetry::{Ingest, TelemetryStore};
use hub_store_postgres::{Cluster, ClusterOptions, Keyring, PostgresStore};
use rand::SeedableRng;
use reqwest::Client;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;
use support::sample;
use tokio_util::sync::CancellationToken;

fn site() -> Site {
    let text = |text: &str| json!({ "zh-CN": text, "en": text });
    let days = ["monday", "tuesday", "wednesday", "thursday", "friday"];
    let slots: Vec<Value> = days
        .iter()
        .map(|day| json!({ "day": day, "from": "09:00", "to": "12:00", "capacity": 2 }))
        .collect();
    serde_json::from_value(json!({ "tenant": [{
        "id": "acme", "brand": text("Acme"), "visit_price": { "currency": "CNY", "amount": 80 },
        "service_point": [{ "id": "pudong", "name": text("Pudong"), "zone": "Asia/Shanghai", "slot": slots }],
        "owner": [{ "id": "lin", "name": "Lin", "phone": sample::NUMBER, "language": "zh-CN", "zone": "Asia/Shanghai",
            "consent_to_calls": true }],
        "device": [{ "id": "wm-1", "profile": "washing-machine", "owner": "lin", "service_point": "pudong",
            "secret_sha256": "0".repeat(64) }],
    }] }))
    .unwrap()
}

/// Opens a ticket by an alarm; the owner has withdrawn consent, so the transaction that dials holds it.
async fn ticket_that_nobody_is_rung_for(store: &PostgresStore) -> String {
    let now = sample::at("09:00");
    let tenant = TenantId::new("acme").unwrap();
    store.apply_site(&site(), sample::at("08:00"), false).await.unwrap();
    store
        .set_consent(&tenant, "lin", false, "console", sample::at("08:30"))
        .await
        .unwrap();
    let appliance = store
        .appliance_by_name(&tenant, &DeviceId::new("wm-1").unwrap())
        .await
        .unwrap()
        .id;
    let finding = sample::booked().finding.unwrap();
    let commit = ScoringCommit {
        observations: vec![Observation::Alarm {
            appliance,
            prediction: Box::new(finding.prediction),
            evidence: finding.evidence,
            trace: TraceId(finding.trace.0),
        }],
        ..ScoringCommit::default()
    };
    let changes = store.commit_scoring(&commit, now).await.unwrap();
    let ticket = changes[0].opened.expect("an alarm opens a ticket");
    let begun = store.begin_attempt(ticket, now, [9; 20]).await.unwrap();
    assert!(matches!(begun, Begun::Held(_)), "{begun:?}");
    ticket.to_string()
}

#[tokio::test]
async fn an_alarm_becomes_a_ticket_that_a_person_works_on() {
    let folder = tempfile::tempdir().unwrap();
    // The database may run as another user, who must be able to enter.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let cluster = Cluster::start(&folder.path().join("state"), ClusterOptions::default())
        .await
        .unwrap();
    let keyring = Keyring::open_or_create(&folder.path().join("keyring")).unwrap();
    let profile = hub_core::profile::ApplianceProfile {
        name: "washing-machine".into(),
        version: 1,
        channels: vec![hub_core::profile::Channel {
            id: 1,
            name: "water_temp_cel".into(),
            unit: "Cel".into(),
            decimals: 1,
            min: -20.0,
            max: 120.0,
        }],
    };
    let profiles = [(profile.name.clone(), profile)].into();
    let store = Arc::new(
        PostgresStore::connect(cluster.connect_options(), keyring, profiles)
            .await
            .unwrap(),
    );
    store.take_lease(sample::at("09:00")).await.unwrap().unwrap();
    let id = ticket_that_nobody_is_rung_for(&store).await;
    measured(&store).await;

    let clock = Arc::new(ManualClock::new(sample::at("09:05")));
    let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(3);
    let first = create_first_account(store.as_ref(), clock.as_ref(), &mut rng)
        .await
        .unwrap()
        .unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    let state = ApiState {
        store: store.clone(),
        clock,
        families: tokio::sync::watch::channel(Arc::new(support::families::families())).1,
        monitor: Monitor::default(),
        redecode: support::reads_json(),
        read_normal: support::reads_states(),
        demo: None,
        config: ApiConfig::default(),
    };
    let served = tokio::spawn(serve(listener, state, PAGES, stop.clone()));

    work_on(&base, &first.password, &id).await;
    look_at_readings(&base, &first.password).await;
    stop.cancel();
    served.await.unwrap().unwrap();
    store.close().await;
    cluster.stop().await.unwrap();
}

/// Three readings at 09:00, 09:01 and 09:02.
async fn measured(store: &PostgresStore) {
    let (tenant, device) = (TenantId::new("acme").unwrap(), DeviceId::new("wm-1").unwrap());
    let appliance = store.appliance_by_name(&tenant, &device).await.unwrap().id;
    let sample = |n: i32| Sample {
        at: sample::at("09:00") + jiff::SignedDuration::from_mins(i64::from(n)),
        values: vec![Some(400 + n)],
        extra: None,
    };
    let message = TelemetryMessage {
        appliance,
        identity: Identity::Sequence {
            boot: 1,
            lane: Lane::Telemetry,
            first: 0,
        },
        samples: (0..3).map(sample).collect(),
        received_at: sample::at("09:03"),
        skew_ms: None,
        trace: TraceId(uuid::Uuid::nil()),
    };
    let answers = store.ingest(&[Ingest::Telemetry(message)]).await.unwrap();
    assert_eq!(answers[0].stored, 3);
    while store.roll_up(100).await.unwrap() > 0 {}
    while store.aggregate(None, 100, sample::at("09:05")).await.unwrap() > 0 {}
}

async fn look_at_readings(base: &str, password: &str) {
    let program = Client::new();
    let opened = program.post(format!("{base}/api/v1/session"));
    let body = json!({ "name": "admin", "password": password });
    let opened: Value = opened.json(&body).send().await.unwrap().json().await.unwrap();
    let get = async |path: &str| -> Value {
        let request = program.get(format!("{base}/api/v1/{path}"));
        let token = opened["token"].as_str().unwrap();
        request.bearer_auth(token).send().await.unwrap().json().await.unwrap()
    };
    let series = get("appliances/1/readings?points=2").await;
    let points = series["items"][0]["points"].as_array().unwrap();
    assert_eq!(
        (points[0]["value"].as_f64(), points[1]["value"].as_f64()),
        (Some(40.0), Some(40.2))
    );
    let latest = get("appliances/1/readings/latest").await;
    assert_eq!(
        latest["items"],
        json!([{ "channel": "water_temp_cel", "unit": "Cel", "at": "2026-11-22T01:02:00Z", "value": 40.2 }])
    );
    for path in [
        "appliances/1/readings/daily?channel=water_temp_cel",
        "readings/hourly?tenant=acme&profile=washing-machine&channel=water_temp_cel",
    ] {
        let found = get(path).await;
        assert_eq!(found["items"][0]["count"], 3, "{path}: {found}");
    }
    // Times that no database holds are an answer, too.
    for path in [
        "appliances/1/readings?from=-009999-01-05T00:00:00Z",
        "appliances/1/readings/daily?channel=water_temp_cel&to=9999-12-30T00:00:00Z",
    ] {
        let found = get(path).await;
        assert!(found["items"].is_array() || found["status"] == 422, "{path}: {found}");
    }
}

async fn work_on(base: &str, password: &str, id: &str) {
    let client = Client::builder().cookie_store(true).build().unwrap();
    let form = [("name", "admin"), ("password", password), ("back", "/tickets")];
    let list = client.post(format!("{base}/log-in")).form(&form).send().await.unwrap();
    assert!(list.text().await.unwrap().contains("Drain pump wearing out"));
    let page = async || {
        client
            .get(format!("{base}/tickets/{id}"))
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
    };
    let text = page().await;
    assert!(
        text.contains("Not called: the owner withdrew consent on 22 Nov 2026."),
        "{text}"
    );
    assert!(text.contains("+86*******5678") && !text.contains(&sample::NUMBER[1..]));

    let body = json!({ "name": "admin", "password": password });
    let program = Client::new();
    let opened = program
        .post(format!("{base}/api/v1/session"))
        .json(&body)
        .send()
        .await
        .unwrap();
    let token = opened.json::<Value>().await.unwrap()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut stream = program
        .get(format!("{base}/api/v1/events"))
        .bearer_auth(&token)
        .send()
        .await
        .unwrap();
    let take = async || {
        let request = program
            .post(format!("{base}/api/v1/tickets/{id}/take"))
            .bearer_auth(&token);
        request.header("idempotency-key", "one").send().await.unwrap()
    };
    assert_eq!(take().await.status(), 200);
    assert_eq!(take().await.headers()["idempotent-replay"], "true");
    let mut events = String::new();
    let heard = async {
        while !events.contains("ticket.taken") {
            events.push_str(std::str::from_utf8(&stream.chunk().await.unwrap().unwrap()).unwrap());
        }
    };
    tokio::time::timeout(Duration::from_secs(10), heard)
        .await
        .expect("the event arrives");
    assert!(events.contains(id), "{events}");

    let text = page().await;
    let start = text
        .split("name=\"start\" value=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let act = async |act: &str, form: &[(&str, &str)]| {
        let request = client.post(format!("{base}/tickets/{id}/{act}")).header("origin", base);
        request.form(form).send().await.unwrap().text().await.unwrap()
    };
    assert!(act("book", &[("start", start)]).await.contains("Visit agreed: "));
    let closed = act(
        "close",
        &[
            ("resolution", "confirmed_fixed"),
            ("verdict", "right"),
            ("note", "pump changed"),
        ],
    )
    .await;
    assert!(
        closed.contains("Closed: fault found and repaired; the prediction: right."),
        "{closed}"
    );
}
