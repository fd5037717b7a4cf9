//! Model families over HTTP.

use super::support::families::families;
use super::*;
use hub_core::families::ModelWords;

#[tokio::test]
async fn a_tenant_sees_no_family_that_is_served_for_others() {
    let hub = Hub::start_with(|state| {
        let mut all = families();
        let mut models: Vec<ModelWords> = all.served().cloned().collect();
        let foreign = ModelWords {
            family: "robot-of-beta".to_owned(),
            profile: "robot-of-beta".to_owned(),
            ..models[0].clone()
        };
        models.push(foreign);
        all.set_models(models);
        ApiState {
            families: tokio::sync::watch::channel(Arc::new(all)).1,
            ..state
        }
    })
    .await;
    let program = hub.program().await;
    let listed = program.json("/api/v1/models?tenant=acme").await;
    let families: Vec<&Value> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["family"])
        .collect();
    assert_eq!(families, [&json!("washing-machine")]);
    assert_eq!(listed["items"][0]["versions"], json!([1]));
    assert!(listed["items"][0]["releases"].is_array());
    // What they state something of is theirs, whether it is served or not; the act reads that family alone.
    let stated = json!({ "tenant": "acme", "family": "washing-machine", "tickets": 2.0, "calls": 0.1 });
    let answer = program
        .post("/api/v1/models/budget", "one", &stated)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let shown: Value = answer.json().await.unwrap();
    assert_eq!(
        (&shown["family"], &shown["budget"]["tickets"]),
        (&json!("washing-machine"), &json!(2.0))
    );
}
