//! An appliance's page.

use super::*;

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
