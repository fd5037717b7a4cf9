//! Quarantine on its page.

use super::*;

#[tokio::test]
async fn the_page_shows_reasons_and_reads_again() {
    let hub = Hub::start().await;
    let browser = hub.browser().await;
    let page = async |path: &str| browser.get(hub.url(path)).send().await.unwrap().text().await.unwrap();
    let text = page("/quarantine").await;
    assert!(text.contains("CBOR: &lt;script&gt;") && text.contains("83 01 ff") && !text.contains("<script>alert"));
    let answer = browser
        .post(hub.url("/quarantine/replay"))
        .header("origin", &hub.base)
        .form(&[("id", hub.held[1])])
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 303);
    let told = page(answer.headers()["location"].to_str().unwrap()).await;
    assert!(
        told.contains("1 stored and removed from here, 0 still not readable."),
        "{told}"
    );
    assert_eq!(hub.in_quarantine().await, [hub.held[0], hub.held[2], hub.held[3]]);
    let one = page("/quarantine?appliance=2&reason=cbor").await;
    assert!(one.contains("83 01 ff") && !one.contains("JSON ends early"), "{one}");
}
