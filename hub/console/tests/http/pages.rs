use super::*;

#[tokio::test]
async fn pages_speak_the_browsers_language_until_another_is_chosen() {
    let hub = Hub::start().await;
    let browser = hub.browser().await;
    let page = async || {
        browser
            .get(hub.url("/tickets"))
            .header("accept-language", "zh-CN,en;q=0.5")
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
    };
    assert!(page().await.contains("<html lang=\"zh-CN\">"));
    let form = [("language", "en"), ("back", "/tickets?category=paused")];
    let answer = browser
        .post(hub.url("/language"))
        .header("origin", &hub.base)
        .form(&form)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.headers()["location"].to_str().unwrap()),
        (303, "/tickets?category=paused")
    );
    assert!(page().await.contains("<html lang=\"en\">"));
}

#[tokio::test]
async fn every_answer_carries_the_walls_and_nothing_comes_from_elsewhere() {
    let hub = Hub::start().await;
    let browser = hub.browser().await;
    let ticket = format!("/tickets/{}", hub.tickets[0]);
    for path in [
        "/tickets",
        &ticket,
        "/appliances",
        "/appliances/1",
        "/quarantine",
        "/claim",
        "/log-in",
        "/nowhere",
        "/healthz",
    ] {
        let answer = browser.get(hub.url(path)).send().await.unwrap();
        let csp = answer.headers()["content-security-policy"].to_str().unwrap();
        assert!(csp.contains("default-src 'none'") && !csp.contains("unsafe"), "{path}");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let text = answer.text().await.unwrap();
        let tells_one = NUMBERS.iter().any(|number| text.contains(&number[1..]));
        assert!(!tells_one && !text.contains('\u{27e6}'), "{path}");
        assert!(!text.contains("=\"http") && !text.contains("=\"//"), "{path}");
        assert!(text.len() < 120_000, "{path}: {} bytes", text.len());
    }
}

#[tokio::test]
async fn assets_are_kept_until_they_change_and_small() {
    let hub = Hub::start().await;
    let page = Client::new()
        .get(hub.url("/log-in"))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let href = page
        .split("stylesheet\" href=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let answer = Client::new().get(hub.url(href)).send().await.unwrap();
    assert!(
        answer.headers()["cache-control"]
            .to_str()
            .unwrap()
            .contains("immutable")
    );
    let script = Client::new().get(hub.url("/assets/console.js")).send().await.unwrap();
    assert_eq!(script.headers()["content-type"], "text/javascript; charset=utf-8");
    assert!(script.bytes().await.unwrap().len() < 4 * 1024);
}

#[tokio::test]
async fn forms_work_without_a_script_and_refusals_are_pages() {
    let hub = Hub::start().await;
    let browser = hub.browser().await;
    let path = format!("/tickets/{}", hub.tickets[1]);
    let ticket = hub.url(&path);
    let send = async |act: &str, form: &[(&str, &str)]| {
        browser
            .post(format!("{ticket}/{act}"))
            .header("origin", &hub.base)
            .form(form)
            .send()
            .await
            .unwrap()
    };
    let page = browser.get(&ticket).send().await.unwrap().text().await.unwrap();
    let start = page
        .split("name=\"start\" value=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    assert_eq!(send("book", &[("start", start)]).await.status(), 303);
    let refused = send(
        "close",
        &[("resolution", "confirmed_fixed"), ("verdict", "wrong"), ("note", "")],
    )
    .await;
    assert_eq!(refused.status(), 409);
    let text = refused.text().await.unwrap();
    assert!(
        text.contains("contradict") && text.contains(&format!("href=\"{path}")),
        "{text}"
    );
    assert_eq!(
        send(
            "close",
            &[
                ("resolution", "confirmed_fixed"),
                ("verdict", "right"),
                ("note", "ok"),
                ("part", "pump <b>")
            ]
        )
        .await
        .status(),
        303
    );
    let page = browser.get(&ticket).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("Closed: fault found and repaired; the prediction: right."));
    assert!(page.contains("Replaced: pump &lt;b&gt;"), "{page}");
    let forms: Vec<&str> = page.split("action=\"/tickets/").skip(1).collect();
    let [form] = forms[..] else { panic!("{page}") };
    assert!(form.split('"').next().unwrap().ends_with("/correction"), "{form}");
}
