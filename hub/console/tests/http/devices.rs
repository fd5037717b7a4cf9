//! An appliance's page.

use super::*;
use hub_core::id::ApplianceId;
use hub_store::prediction::{Checkpoint, PredictionStore, ScoringCommit};

#[tokio::test]
async fn the_page_says_how_data_arrives() {
    let hub = Hub::start().await;
    let page = hub.browser().await.get(hub.url("/appliances/1")).send().await.unwrap();
    let text = page.text().await.unwrap();
    assert!(text.contains("door, drum_&lt;b&gt;"), "{text}");
}

#[tokio::test]
async fn the_page_says_what_the_device_agent_is_and_which_settings_it_has() {
    let hub = Hub::start().await;
    let program = hub.program().await;
    let next = json!({ "reporting": { "version": 8 } });
    let told = program.client.put(hub.url("/api/v1/appliances/1/attributes"));
    let told = told.bearer_auth(&program.token).json(&next).send().await.unwrap();
    assert_eq!(told.status(), 200);
    let page = async |path: &str| {
        let page = hub.browser().await.get(hub.url(path)).send().await.unwrap();
        page.text().await.unwrap()
    };
    let text = page("/appliances/1").await;
    assert!(
        text.contains("WM-2207 &lt;b&gt;") && text.contains("version 8 sent, not yet in force"),
        "{text}"
    );
    assert!(
        text.contains("appliance-baseline") && text.contains("Learned under firmware"),
        "{text}"
    );
    assert!(!page("/appliances/2").await.contains("appliance-agent"));
}

#[tokio::test]
async fn the_page_says_what_counts_as_normal_or_why_that_is_not_known() {
    let hub = Hub::start().await;
    let page = async |language: &str| {
        let page = hub.browser().await.get(hub.url("/appliances/1"));
        let page = page.header("accept-language", language).send().await.unwrap();
        page.text().await.unwrap()
    };
    assert!(page("en").await.contains("Not known yet: no reading has come"));
    assert!(page("zh-CN").await.contains("尚不清楚：还没有读数"));
    let commit = ScoringCommit {
        checkpoints: vec![Checkpoint {
            appliance: ApplianceId(1),
            model: "washing-machine/1".to_owned(),
            ingest_no: 1,
            state: vec![1],
        }],
        ..ScoringCommit::default()
    };
    let now = support::sample::at("09:04");
    hub.store.commit_scoring(&commit, now).await.unwrap();
    for (language, heading, away) in [("en", "What counts as normal", "Away"), ("zh-CN", "正常状态", "偏离")] {
        let text = page(language).await;
        assert!(text.contains(heading) && text.contains(away), "{text}");
        assert!(text.contains("+1.25") && text.contains("spin_&lt;b&gt;"), "{text}");
    }
}
