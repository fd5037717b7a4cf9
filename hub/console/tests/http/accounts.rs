use super::*;

#[tokio::test]
async fn a_person_changes_their_own_password() {
    let hub = Hub::start().await;
    let browser = hub.browser().await;
    let page = browser.get(hub.url("/account")).send().await.unwrap();
    let text = page.text().await.unwrap();
    assert!(
        text.contains("<h1>admin</h1>") && text.contains("Administrator"),
        "{text}"
    );
    let change = async |old: &str, new: &str, again: &str| {
        let form = [("old", old), ("new", new), ("again", again)];
        let answer = browser
            .post(hub.url("/account/password"))
            .header("origin", &hub.base)
            .form(&form)
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let new = "tea at four, rain at five";
    for (old, new, again, status) in [
        (hub.password.as_str(), new, "tea at four", 422),
        (hub.password.as_str(), "too short", "too short", 422),
        (hub.password.as_str(), hub.password.as_str(), hub.password.as_str(), 422),
        ("guess", new, new, 401),
    ] {
        let (got, text) = change(old, new, again).await;
        assert_eq!(got, status, "{text}");
        assert!(text.contains("role=\"alert\""), "{text}");
    }
    let program = hub.program().await;
    let (status, text) = change(&hub.password, new, new).await;
    assert_eq!(status, 200, "{text}");
    assert!(text.contains("role=\"status\""), "{text}");
    // The log-in that changed it goes on, the other one has ended.
    assert_eq!(browser.get(hub.url("/account")).send().await.unwrap().status(), 200);
    assert_eq!(program.get("/api/v1/tickets").send().await.unwrap().status(), 401);
    let log_in = async |password: &str| {
        let form = [("name", "admin"), ("password", password)];
        Client::new()
            .post(hub.url("/api/v1/session"))
            .json(&serde_json::Map::from_iter(
                form.map(|(key, value)| (key.to_owned(), Value::from(value))),
            ))
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!((log_in(&hub.password).await, log_in(new).await), (401, 200));
}
