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

/// Whatever it is that is refused: nobody types a form twice. And a number may be written as it is dialled at home.
#[tokio::test]
async fn the_form_comes_back_after_any_refusal_and_takes_national_numbers() {
    let hub = Hub::start().await;
    let code = claim_code(&hub).await;
    support::scene::give_number_plan(&hub.store).await;
    let client = Client::new();
    let submit = async |code: &str, phone: &str, zone: &str| {
        let form = [
            ("tenant", "acme"),
            ("device", "WM-2207-00417"),
            ("code", code),
            ("name", "Chen Wei"),
            ("phone", phone),
            ("zone", zone),
            ("consent", "yes"),
        ];
        let request = client.post(hub.url("/claim")).header("origin", &hub.base).form(&form);
        request.send().await.unwrap()
    };
    let refusals = [
        (400_u16, code.as_str(), "(021) 5550 010", "Europe/Berlin"),
        (400, code.as_str(), "138 0000 4444", "Africa/Nairobi_"),
        (400, code.as_str(), "138 0000 4444", "Africa/Nairobi"),
        (403, "wrong", "+86 138 0000 4444", "Africa/Nairobi"),
    ];
    for (status, code, phone, zone) in refusals {
        let answer = submit(code, phone, zone).await;
        assert_eq!(answer.status(), status, "{phone} {zone}");
        let text = answer.text().await.unwrap();
        for kept in [code, phone, "acme", "WM-2207-00417", "Chen Wei"] {
            assert!(text.contains(&format!("value=\"{kept}\"")), "{kept} is not in {text}");
        }
        assert!(text.contains(&format!("<option value=\"{zone}\" selected>")), "{text}");
        assert!(
            text.contains("as you dial it at home, or with + and country code"),
            "{text}"
        );
        assert!(text.contains("value=\"yes\" checked>"), "{text}");
    }
    let done = submit(&code, "138 0000 4444", "Asia/Shanghai").await;
    assert_eq!(done.status(), 200);
    let text = done.text().await.unwrap();
    assert!(text.contains("+86*******4444"), "as it was read: {text}");
    for _ in 0..5 {
        assert_eq!(submit("wrong", "138 0000 4444", "Asia/Shanghai").await.status(), 403);
    }
    let slowed = submit("wrong", "138 0000 4444", "Asia/Shanghai").await;
    assert_eq!(slowed.status(), 429);
    assert!(slowed.headers().contains_key("retry-after"));
    assert!(slowed.text().await.unwrap().contains("value=\"138 0000 4444\""));
}
