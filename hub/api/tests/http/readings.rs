//! Readings over HTTP.

use super::*;
use hub_core::id::ApplianceId;
use hub_store::telemetry::{Ingest, TelemetryStore};
use jiff::{SignedDuration, Timestamp};

const READINGS: &str = "/api/v1/appliances/1/readings";
const HOURLY: &str = "/api/v1/readings/hourly?profile=washing-machine&channel=drain_pump_current_a";

/// Readings of the first appliance beside those of the scene: time, thousandths of an ampere, tenths of a degree.
async fn measured(hub: &Hub, samples: impl IntoIterator<Item = (Timestamp, Option<i32>, Option<i32>)>) {
    let samples = samples.into_iter().map(|(at, current, temp)| (at, [current, temp]));
    let message = scene::readings(ApplianceId(1), 1_000, samples);
    hub.store.ingest(&[Ingest::Telemetry(message)]).await.unwrap();
}

fn time(at: &str) -> Timestamp {
    at.parse().unwrap()
}

#[tokio::test]
async fn a_stretch_of_time_is_what_was_asked_for() {
    let hub = Hub::start().await;
    let program = hub.program().await;
    // A current that rises every other minute, for an hour more than a day.
    let rising = (0..750).map(|n| {
        let at = time("2026-11-21T00:05:00Z") + SignedDuration::from_mins(2 * i64::from(n));
        (at, Some(n), Some(0))
    });
    let others = [
        ("2026-10-31T23:59:00Z", -190),
        ("2026-11-01T00:00:00Z", -35),
        ("2026-11-01T08:00:00Z", 10),
        ("2026-11-01T15:59:00Z", 200),
        ("2026-11-01T16:00:00Z", 990),
    ];
    let others = others.map(|(at, tenths)| (time(at), None, Some(tenths)));
    measured(&hub, rising.chain(others)).await;
    // A day until now, 300 points, every channel.
    let all = program.json(READINGS).await;
    let items = all["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert_eq!(
        (&items[0]["channel"], &items[0]["unit"]),
        (&json!("drain_pump_current_a"), &json!("A"))
    );
    assert_eq!(items[0]["points"].as_array().unwrap().len(), 300);
    assert_eq!(
        items[0]["points"][0],
        json!({ "at": "2026-11-21T01:05:00Z", "value": 0.03 })
    );
    let one = program
        .json(&format!(
            "{READINGS}?channels=water_temp_cel,&from=2026-11-01T00:00:00Z&to=2026-11-02T00:00:00%2B08:00&points=2"
        ))
        .await;
    assert_eq!(one["items"].as_array().unwrap().len(), 1);
    assert_eq!(
        one["items"][0]["points"],
        json!([{ "at": "2026-11-01T00:00:00Z", "value": -3.5 }, { "at": "2026-11-01T15:59:00Z", "value": 20.0 }])
    );
}

#[tokio::test]
async fn newest_values_days_and_hours_are_answered() {
    let hub = Hub::start().await;
    let program = hub.program().await;
    let latest = program.json(&format!("{READINGS}/latest")).await;
    assert_eq!(
        latest["items"][1],
        json!({ "channel": "water_temp_cel", "unit": "Cel", "at": "2026-11-22T01:04:00Z", "value": -3.5 })
    );
    // The first and the last of each pair lie outside what is asked for.
    let cold = [
        ("2026-01-28T23:59:00Z", 900),
        ("2026-01-29T00:00:00Z", 10),
        ("2026-01-29T12:00:00Z", 30),
        ("2026-02-28T23:59:00Z", 50),
        ("2026-03-01T00:00:00Z", 900),
    ];
    let cold = cold.map(|(at, tenths)| (time(at), None, Some(tenths)));
    let pumped = ["2026-11-15T01:59:00Z", "2026-11-15T02:00:00Z", "2026-11-22T01:00:00Z"];
    let pumped = pumped.map(|at| (time(at), Some(500), None));
    measured(&hub, cold.into_iter().chain(pumped)).await;
    let days = program
        .json(&format!(
            "{READINGS}/daily?channel=water_temp_cel&to=2026-03-01T00:00:00Z"
        ))
        .await;
    assert_eq!(
        days["items"],
        json!([
            { "from": "2026-01-29T00:00:00Z", "count": 2, "mean": 2.0, "min": 1.0, "max": 3.0 },
            { "from": "2026-02-28T00:00:00Z", "count": 1, "mean": 5.0, "min": 5.0, "max": 5.0 },
        ]),
        "thirty-one days"
    );
    let hours = program.json(&format!("{HOURLY}&tenant=acme")).await;
    let hours: Vec<&Value> = hours["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|hour| &hour["from"])
        .collect();
    assert_eq!(
        hours,
        ["2026-11-15T02:00:00Z", "2026-11-22T00:00:00Z", "2026-11-22T01:00:00Z"],
        "a week until now"
    );
}

#[tokio::test]
async fn what_cannot_be_asked_says_why_and_other_tenants_are_not_there() {
    let hub = Hub::start().await;
    let program = hub.program().await;
    let get = async |path: &str| program.get(path).send().await.unwrap();
    for query in [
        "from=2026-11-22T01:05:00Z",
        "from=2026-11-02T00:00:00Z&to=2026-11-01T00:00:00Z",
        "from=yesterday",
        "points=1",
        "points=2001",
        "points=many",
    ] {
        problem(get(&format!("{READINGS}?{query}")).await, 400, "bad-request").await;
    }
    problem(get(&format!("{READINGS}/daily")).await, 400, "bad-request").await;
    problem(
        get(&format!("{HOURLY}&tenant=not%20a%20tenant")).await,
        400,
        "bad-request",
    )
    .await;
    problem(get(HOURLY).await, 400, "bad-request").await;
    problem(get(&format!("{READINGS}?channels=none")).await, 404, "not-found").await;
    problem(get("/api/v1/appliances/99/readings/latest").await, 404, "not-found").await;
    hub.set_tenant(Some("other")).await;
    for path in [
        READINGS.to_owned(),
        format!("{READINGS}/latest"),
        format!("{READINGS}/daily?channel=water_temp_cel"),
        format!("{HOURLY}&tenant=acme"),
    ] {
        problem(get(&path).await, 404, "not-found").await;
    }
}
