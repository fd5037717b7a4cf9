//! Readings over HTTP.

use super::*;

const READINGS: &str = "/api/v1/appliances/1/readings";
const HOURLY: &str = "/api/v1/readings/hourly?profile=washing-machine&channel=drain_pump_current_a";

#[tokio::test]
async fn a_stretch_of_time_is_what_was_asked_for() {
    let hub = Hub::start().await;
    let program = hub.program().await;
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
        json!({ "at": "2026-11-21T01:05:00Z", "value": 0.42 })
    );
    let one = program
        .json(&format!(
            "{READINGS}?channels=water_temp_cel,&from=2026-11-01T00:00:00Z&to=2026-11-02T00:00:00%2B08:00&points=2"
        ))
        .await;
    assert_eq!(one["items"].as_array().unwrap().len(), 1);
    assert_eq!(
        one["items"][0]["points"],
        json!([{ "at": "2026-11-01T00:00:00Z", "value": -3.5 }, { "at": "2026-11-01T00:00:00Z", "value": -3.5 }])
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
    let days = program
        .json(&format!(
            "{READINGS}/daily?channel=water_temp_cel&to=2026-03-01T00:00:00Z"
        ))
        .await;
    assert_eq!(
        days["items"],
        json!([{ "from": "2026-01-29T00:00:00Z", "count": 31 * 86_400, "mean": 2.0, "min": 1.0, "max": 3.0 }])
    );
    let hours = program.json(&format!("{HOURLY}&tenant=acme")).await;
    assert_eq!(hours["items"][0]["count"], 7 * 86_400);
    assert_eq!(hours["items"][0]["from"], "2026-11-15T01:05:00Z");
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
    hub.store.set_tenant(Some("other"));
    for path in [
        READINGS.to_owned(),
        format!("{READINGS}/latest"),
        format!("{READINGS}/daily?channel=water_temp_cel"),
        format!("{HOURLY}&tenant=acme"),
    ] {
        problem(get(&path).await, 404, "not-found").await;
    }
}
