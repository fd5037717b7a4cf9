//! The page on which owners take an appliance into their name.

use super::*;

#[tokio::test]
async fn the_page_needs_no_log_in_and_speaks_both_languages() {
    let hub = Hub::start().await;
    let code = claim_code(&hub).await;
    let client = Client::new();
    let page = client
        .get(hub.url(&format!("/claim?tenant=acme&device=WM-2207-00417&code={code}")))
        .header("accept-language", "zh-CN");
    let text = page.send().await.unwrap().text().await.unwrap();
    assert!(
        text.contains("登记我的家电") && text.contains(&format!("value=\"{code}\"")),
        "{text}"
    );
    assert!(!text.contains("Forecall"), "owners know the maker's brand: {text}");
    let form = [
        ("tenant", "acme"),
        ("device", "WM-2207-00417"),
        ("code", "wrong"),
        ("name", "Lin"),
        ("phone", "+8613800005678"),
        ("zone", "Asia/Shanghai"),
    ];
    let submit = async |code: &str| {
        let mut form = form;
        form[2].1 = code;
        let request = client.post(hub.url("/claim")).header("origin", &hub.base).form(&form);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, text) = submit("wrong").await;
    assert_eq!(status, 403);
    assert!(
        text.contains("do not belong together") && !text.contains("13800005678"),
        "{text}"
    );
    let (status, text) = submit(&code).await;
    assert_eq!(status, 200);
    assert!(text.contains("We will not ring you."), "the box was not ticked: {text}");
}
