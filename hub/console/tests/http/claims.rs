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
    let submit = async |form: &[(&str, &str)]| {
        let request = client.post(hub.url("/claim")).header("origin", &hub.base).form(form);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, text) = submit(&form).await;
    assert_eq!(status, 403);
    assert!(text.contains("do not belong together"), "{text}");
    let right = form.map(|(name, value)| {
        if name == "code" {
            (name, code.as_str())
        } else {
            (name, value)
        }
    });
    let (status, text) = submit(&right).await;
    assert_eq!(status, 200);
    assert!(text.contains("We will not ring you."), "the box was not ticked: {text}");
    assert!(!text.contains("13800005678"), "{text}");
}

/// Who mistypes one thing types the others once. The number goes back to who typed it, and nowhere else.
#[tokio::test]
async fn what_was_typed_is_kept_after_an_error() {
    let hub = Hub::start().await;
    let form = [
        ("tenant", "acme"),
        ("device", "WM-2207-00417"),
        ("code", "wrong"),
        ("name", "Lin <b>"),
        ("phone", "0138-0000"),
        ("zone", "Europe/London"),
        ("consent", "yes"),
    ];
    let request = Client::new()
        .post(hub.url("/claim"))
        .header("origin", &hub.base)
        .form(&form);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 400);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let text = answer.text().await.unwrap();
    for kept in [
        "begins with + and the country code",
        "value=\"acme\"",
        "value=\"WM-2207-00417\"",
        "value=\"wrong\"",
        "value=\"Lin &lt;b&gt;\"",
        "value=\"0138-0000\"",
        "<option value=\"Europe/London\" selected>",
        "value=\"yes\" checked>",
    ] {
        assert!(text.contains(kept), "{kept} is not in {text}");
    }
}
