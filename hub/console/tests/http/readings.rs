//! Readings on an appliance's page.

use super::*;

#[tokio::test]
async fn other_tenants_appliances_are_not_there() {
    let hub = Hub::start().await;
    hub.set_tenant(Some("other")).await;
    assert_eq!(
        hub.browser()
            .await
            .get(hub.url("/appliances/1"))
            .send()
            .await
            .unwrap()
            .status(),
        404
    );
}

#[tokio::test]
async fn the_page_shows_the_newest_values() {
    let hub = Hub::start().await;
    let page = hub.browser().await.get(hub.url("/appliances/1")).send().await.unwrap();
    let text = page.text().await.unwrap();
    assert!(
        text.contains("Newest values") && text.contains("0.42\u{a0}A") && text.contains("\u{2212}3.50\u{a0}°C"),
        "{text}"
    );
}
