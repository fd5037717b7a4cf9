//! Commands and attributes over HTTP.

use super::*;
use hub_core::id::ApplianceId;
use hub_core::watching::{WatchState, Watching};
use hub_store::prediction::{Checkpoint, PredictionStore, ScoringCommit};

const COMMANDS: &str = "/api/v1/appliances/1/commands";
const ATTRIBUTES: &str = "/api/v1/appliances/1/attributes";

impl Program<'_> {
    async fn sent(&self, path: &str, key: &str, body: &Value) -> Response {
        self.post(path, key, body).send().await.unwrap()
    }

    async fn put(&self, path: &str, body: &Value) -> Response {
        let request = self.client.put(self.hub.url(path)).bearer_auth(&self.token);
        request.json(body).send().await.unwrap()
    }
}

#[tokio::test]
async fn a_command_is_sent_once_and_its_state_can_be_read() {
    let hub = Hub::start().await;
    let program = hub.program().await;
    let rpc = json!({ "method": "setDoor", "params": { "open": true } });
    let body = json!({ "body": rpc, "expires_in_s": 60, "request": "r-1" });
    let sent: Value = program.sent(COMMANDS, "k1", &body).await.json().await.unwrap();
    assert_eq!((&sent["body"], sent["state"].as_str()), (&rpc, Some("queued")));
    assert_eq!(sent["expires_at"], "2026-11-22T01:06:00Z");
    let again = program.sent(COMMANDS, "k1", &body).await;
    assert_eq!(again.headers()["idempotent-replay"], "true");

    let made: Value = program
        .sent(COMMANDS, "k2", &json!({ "body": 7 }))
        .await
        .json()
        .await
        .unwrap();
    let request = made["request"].as_str().unwrap();
    assert_eq!(request.len(), 32);
    assert_eq!(program.json(&format!("{COMMANDS}/{request}")).await["body"], 7);
    let first = program.json(&format!("{COMMANDS}?limit=1")).await;
    assert_eq!(first["items"][0]["request"], request);
    let next = first["next"].as_str().unwrap();
    let second = program.json(&format!("{COMMANDS}?limit=1&after={next}")).await;
    assert_eq!(
        (&second["items"][0]["request"], second.get("next")),
        (&json!("r-1"), None)
    );
}

#[tokio::test]
async fn a_command_that_cannot_be_sent_says_why() {
    let hub = Hub::start().await;
    let program = hub.program().await;
    for (key, body) in [
        ("a", json!({ "body": 1, "expires_in_s": 0 })),
        ("b", json!({ "body": 1, "expires_in_s": 604_801 })),
        ("c", json!({ "body": 1, "request": "a/b" })),
        ("d", json!({ "body": 1, "request": "" })),
        ("e", json!({ "body": "x".repeat(4096) })),
        ("f", json!({ "expires_in_s": 5 })),
        ("g", json!({ "body": 1, "unknown": 1 })),
    ] {
        problem(program.sent(COMMANDS, key, &body).await, 400, "bad-request").await;
    }
    let one = json!({ "body": 1, "request": "same" });
    assert_eq!(program.sent(COMMANDS, "h", &one).await.status(), 200);
    let other = program
        .sent(COMMANDS, "i", &json!({ "body": 2, "request": "same" }))
        .await;
    problem(other, 409, "conflict").await;
    let get = async |path: &str| program.get(path).send().await.unwrap();
    problem(get(&format!("{COMMANDS}/none")).await, 404, "not-found").await;
    problem(get(&format!("{COMMANDS}?limit=201")).await, 400, "bad-request").await;
    problem(get("/api/v1/appliances/99/commands").await, 404, "not-found").await;
}

#[tokio::test]
async fn attributes_are_told_changed_and_taken_away() {
    let hub = Hub::start().await;
    let program = hub.program().await;
    let told = program
        .put(ATTRIBUTES, &json!({ "interval_s": 30, "mode": "eco" }))
        .await;
    assert_eq!(
        told.json::<Value>().await.unwrap(),
        json!({ "interval_s": 30, "mode": "eco" })
    );
    program
        .put(ATTRIBUTES, &json!({ "mode": null, "interval_s": 60 }))
        .await;
    let both = program.json(ATTRIBUTES).await;
    assert_eq!(
        both,
        json!({ "client": { "firmware": "2.1" }, "shared": { "interval_s": 60 } })
    );
    for body in [
        json!(["no", "object"]),
        json!({ "": 1 }),
        json!({ "n".repeat(129): 1 }),
        json!({ "long": "x".repeat(4096) }),
    ] {
        problem(program.put(ATTRIBUTES, &body).await, 400, "bad-request").await;
    }
}

#[tokio::test]
async fn an_appliance_says_how_its_data_arrives() {
    let hub = Hub::start().await;
    let program = hub.program().await;
    let one = program.json("/api/v1/appliances/1").await;
    assert_eq!(
        (&one["gaps"], &one["dropped"], &one["repeated"]),
        (&json!(3), &json!(1), &json!(12))
    );
    assert_eq!(one["unknown_channels"], json!(["door", "drum_<b>"]));
    assert_eq!(one["device"], "WM-2207-00417");
}

#[tokio::test]
async fn the_list_says_of_each_appliance_whether_it_is_watched() {
    let hub = Hub::start().await;
    let seldom = Watching {
        every_ms: 60_000,
        needs_ms: 5_000,
        ..Watching::nothing(WatchState::TooSeldom)
    };
    let commit = ScoringCommit {
        watching: [(ApplianceId(2), seldom)].into(),
        ..ScoringCommit::default()
    };
    hub.store
        .commit_scoring(&commit, support::sample::at("09:05"))
        .await
        .unwrap();
    let program = hub.program().await;
    let listed = program.json("/api/v1/appliances").await;
    let items = listed["items"].as_array().unwrap();
    let states: Vec<&Value> = items.iter().map(|item| &item["watching"]["state"]).collect();
    assert_eq!(states, ["no_readings", "too_seldom", "no_readings"]);
    for item in items {
        let one = program.json(&format!("/api/v1/appliances/{}", item["id"])).await;
        assert_eq!(one["watching"], item["watching"]);
    }
    assert_eq!(items[1]["watching"]["every_ms"], 60_000);
}

#[tokio::test]
async fn what_counts_as_normal_is_told_or_why_nothing_is_known() {
    let hub = Hub::start().await;
    let program = hub.program().await;
    let nothing = program.json("/api/v1/appliances/1/normal").await;
    assert_eq!(nothing, json!({ "unknown": "nothing_saved", "known": null }));
    let commit = ScoringCommit {
        checkpoints: vec![Checkpoint {
            appliance: ApplianceId(1),
            model: "washing-machine/1".to_owned(),
            ingest_no: 1,
            state: vec![1],
        }],
        ..ScoringCommit::default()
    };
    hub.store
        .commit_scoring(&commit, support::sample::at("09:04"))
        .await
        .unwrap();
    let told = program.json("/api/v1/appliances/1/normal").await;
    assert_eq!(told["unknown"], json!(null));
    let known = &told["known"];
    assert_eq!(
        (&known["as_of"], &known["stage"], &known["counted"]),
        (&json!("2026-11-22T01:04:00Z"), &json!("calibrated"), &json!("runs"))
    );
    assert_eq!(
        known["features"][0],
        json!({
            "feature": "drain_pump_current_a", "unit": "A", "left_out": null,
            "normal": {
                "now": 0.31, "first": 0.3, "average": 0.36, "by_ratio": true, "floor": 0.1, "harmless": 0.12,
                "deviation": 1.25, "deviation_from_first": -0.5,
            },
        })
    );
    assert_eq!(
        (&known["features"][1]["left_out"], &known["features"][2]["normal"]),
        (&json!("silent"), &json!(null))
    );
    // That of another appliance is its own, and one that is not there has none.
    let other = program.json("/api/v1/appliances/2/normal").await;
    assert_eq!(other["unknown"], "nothing_saved");
    let stranger = program.get("/api/v1/appliances/99/normal").send().await.unwrap();
    problem(stranger, 404, "not-found").await;
}

#[tokio::test]
async fn settings_that_the_device_agent_would_not_take_are_refused() {
    let hub = Hub::start().await;
    let program = hub.program().await;
    let told = json!({ "version": 8, "batch_age_s": 60, "metrics": { "3": { "deadband": 5, "interval_s": 60 } } });
    let body = json!({ "reporting": told, "mode": "eco" });
    for _ in 0..2 {
        assert_eq!(
            program.put(ATTRIBUTES, &body).await.status(),
            200,
            "the same again is the same"
        );
    }
    for (wrong, why) in [
        (json!("often"), "reporting is an object"),
        (json!({ "batch_age_s": 60 }), "version of reporting"),
        (
            json!({ "version": 9, "batch_age_s": 4_294_968 }),
            "batch_age_s of reporting",
        ),
        (json!({ "version": 9, "metrics": { "256": {} } }), "channel id"),
        (
            json!({ "version": 9, "metrics": { "3": { "deadband": -1 } } }),
            "deadband of metric 3",
        ),
        (json!({ "version": 8, "batch_age_s": 30 }), "under version 8 already"),
        (json!({ "version": 7 }), "version 7 is in force"),
    ] {
        let refused = program
            .put(ATTRIBUTES, &json!({ "reporting": wrong, "mode": "dry" }))
            .await;
        assert_eq!(refused.status(), 400);
        let detail = refused.json::<Value>().await.unwrap()["detail"].to_string();
        assert!(detail.contains(why), "{detail}");
    }
    let shared = program.json(ATTRIBUTES).await["shared"].clone();
    assert_eq!(shared, body, "nothing of what was refused is told");
    let taken_away = json!({ "reporting": null, "mode": null });
    assert_eq!(
        program
            .put(ATTRIBUTES, &taken_away)
            .await
            .json::<Value>()
            .await
            .unwrap(),
        json!({})
    );
}

#[tokio::test]
async fn an_appliance_says_what_its_device_agent_is_and_which_settings_it_has() {
    let hub = Hub::start().await;
    let program = hub.program().await;
    let agent = async || program.json("/api/v1/appliances/1").await["device_agent"].clone();
    let mut expected = json!({
        "at": "2026-11-22T00:13:00Z", "model": "WM-2207 <b>", "firmware": "1.4.2", "sdk": "0.1.0",
        "reset": "brown_out", "takes_cbor_commands": true, "settings": 7, "settings_told": null,
        "dropped_events": 0, "dropped_telemetry": 12,
        "dropped_events_in_all": 0, "dropped_telemetry_in_all": 262,
    });
    assert_eq!(agent().await, expected);
    let next = json!({ "reporting": { "version": 8 } });
    assert_eq!(program.put(ATTRIBUTES, &next).await.status(), 200);
    expected["settings_told"] = json!(8);
    assert_eq!(agent().await, expected);
    assert_eq!(program.json("/api/v1/appliances/2").await["device_agent"], json!(null));
}

#[tokio::test]
async fn an_appliance_says_which_firmware_its_baseline_was_learned_under() {
    let hub = Hub::start().await;
    let program = hub.program().await;
    let baseline = async |path: &str| program.json(path).await["baseline"].clone();
    let expected = json!({
        "firmware": {
            "told": "1.4.2", "told_at": "2026-11-22T00:02:00Z", "baseline": "1.4.2",
            "waits_for": "nothing", "waits_until": null,
        },
        "restarts": [],
    });
    assert_eq!(baseline("/api/v1/appliances/1").await, expected);
    let nothing = json!({ "firmware": null, "restarts": [] });
    assert_eq!(baseline("/api/v1/appliances/2").await, nothing);
}

#[tokio::test]
async fn another_tenants_devices_are_not_there() {
    let hub = Hub::start().await;
    let program = hub.program().await;
    hub.set_tenant(Some("other")).await;
    for path in [
        COMMANDS,
        ATTRIBUTES,
        "/api/v1/appliances/1/commands/r-1",
        "/api/v1/appliances/1",
        "/api/v1/appliances/1/normal",
    ] {
        problem(program.get(path).send().await.unwrap(), 404, "not-found").await;
    }
    problem(
        program.sent(COMMANDS, "x", &json!({ "body": 1 })).await,
        404,
        "not-found",
    )
    .await;
    problem(program.put(ATTRIBUTES, &json!({ "a": 1 })).await, 404, "not-found").await;
    let code = program.sent("/api/v1/appliances/1/claim-code", "y", &json!({})).await;
    problem(code, 404, "not-found").await;
    assert_eq!(program.json("/api/v1/quarantine").await["items"], json!([]));
    let replay = json!({ "ids": &hub.held[..3] });
    let done: Value = program
        .sent("/api/v1/quarantine/replay", "z", &replay)
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(done, json!({ "stored": 0, "repeated": 0, "refused": [] }));
    assert_eq!(hub.in_quarantine().await, hub.held);
}
