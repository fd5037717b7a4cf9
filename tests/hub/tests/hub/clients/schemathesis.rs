//! The API answers what its document says: schemathesis makes requests of the served document, right and wrong ones.

use super::front::{Front, PATIENCE, Way, connected};
use serde_json::json;
use std::time::Duration;
use tests_hub::clients::{Client, schemathesis};
use tests_hub::eventually;

/// Requests made up for each operation, beside those that cover its document; more with `FORECALL_HTTP_EXAMPLES`.
const EXAMPLES: u32 = 15;
/// Beyond what the whole takes with [`EXAMPLES`], on a loaded machine too.
const RUN_MAX: Duration = Duration::from_secs(240);
/// One more for each example beyond.
const EXAMPLE_MAX: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn the_served_document_says_what_is_answered() {
    let front = Front::open(&["paho"]).await;
    something_to_show(&front).await;
    let asked = std::env::var("FORECALL_HTTP_EXAMPLES").ok();
    let examples = asked.map_or(EXAMPLES, |text| text.parse().unwrap());
    let session = reqwest::Client::new()
        .post(format!("http://{}/api/v1/session", front.lab.http))
        .json(&json!({ "name": "admin", "password": front.lab.password() }));
    let opened: serde_json::Value = session.send().await.unwrap().json().await.unwrap();
    let token = opened["token"].as_str().unwrap();
    let bearer = format!("Authorization: Bearer {token}");
    let document = format!("http://{}/api/v1/openapi.json", front.lab.http);
    let examples_text = examples.to_string();
    let arguments = [
        "--no-color",
        "run",
        document.as_str(),
        "--header",
        bearer.as_str(),
        "--phases",
        "examples,coverage,fuzzing",
        "--max-examples",
        examples_text.as_str(),
        "--seed",
        "14",
        "--generation-database",
        "none",
        "--request-timeout",
        "20",
        "--suppress-health-check",
        "all",
        "--warnings",
        "off",
    ];
    let patience = RUN_MAX + EXAMPLE_MAX * examples.saturating_sub(EXAMPLES);
    let run = schemathesis(front.lab.path(), &arguments, patience).await.unwrap();
    let report = String::from_utf8_lossy(&run.stdout);
    let more = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{}\n{report}\n{more}", run.status);
    // A run that found no operation, or that was turned away everywhere, shows nothing: the document has a 401 for each.
    assert!(report.contains("passed"), "{report}");
    let tickets = reqwest::Client::new()
        .get(format!("http://{}/api/v1/tickets", front.lab.http))
        .bearer_auth(token);
    let answer = tickets.send().await.unwrap();
    assert_eq!(answer.status(), 200, "the run was logged in to its end");
    front.close().await;
}

/// Readings, a payload in quarantine, an attribute and a command, so that answers hold something.
async fn something_to_show(front: &Front) {
    let (mut client, _) = connected(Client::paho().unwrap(), front.connect("paho", 5, Way::Plain)).await;
    for payload in [r#"{"motor_current_a": 1.25}"#, "no JSON"] {
        client.publish("d/paho/j", payload, 1).await.unwrap();
    }
    front.command("paho", "r-1", json!("a text")).await;
    let attributes = front.path("paho", "attributes").await;
    front.console.put(&attributes, &json!({ "interval": 5 })).await.unwrap();
    eventually("a reading and a payload in quarantine", PATIENCE, async || {
        let shown = front.appliance("paho").await;
        (shown["samples"] == 1 && shown["quarantined"] == 1).then_some(())
    })
    .await;
}
