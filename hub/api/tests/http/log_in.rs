use super::*;

#[tokio::test]
async fn without_a_session_nothing_is_read() {
    let hub = Hub::start().await;
    let client = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    for path in [
        "/api/v1/tickets",
        "/api/v1/appliances",
        "/api/v1/findings",
        "/api/v1/contacts",
        "/api/v1/events",
        &ticket(1),
    ] {
        let answer = client.get(hub.url(path)).send().await.unwrap();
        problem(answer, 401, "not-logged-in").await;
    }
    let answer = client.get(hub.url("/tickets?category=open")).send().await.unwrap();
    assert_eq!(answer.status(), 303);
    assert_eq!(answer.headers()["location"], "/log-in?back=/tickets%3Fcategory%3Dopen");
}

#[tokio::test]
async fn wrong_passwords_are_refused_and_then_slowed_down() {
    let hub = Hub::start().await;
    let client = Client::new();
    let body = json!({ "name": "admin", "password": "guess" });
    for _ in 0..5 {
        let answer = client
            .post(hub.url("/api/v1/session"))
            .json(&body)
            .send()
            .await
            .unwrap();
        problem(answer, 401, "bad-log-in").await;
    }
    let answer = client
        .post(hub.url("/api/v1/session"))
        .json(&body)
        .send()
        .await
        .unwrap();
    assert!(answer.headers().contains_key("retry-after"));
    problem(answer, 429, "throttled").await;
    // Even with the right one: a guesser learns nothing.
    let right = [("name", "admin"), ("password", &hub.password)];
    let answer = client.post(hub.url("/log-in")).form(&right).send().await.unwrap();
    assert_eq!(answer.status(), 429);
    assert!(answer.text().await.unwrap().contains("role=\"alert\""));
}

#[tokio::test]
async fn a_session_ends_when_it_is_closed() {
    let hub = Hub::start().await;
    let program = hub.program().await;
    program.json("/api/v1/tickets").await;
    let request = program
        .client
        .delete(hub.url("/api/v1/session"))
        .bearer_auth(&program.token);
    assert_eq!(request.send().await.unwrap().status(), 204);
    problem(
        program.get("/api/v1/tickets").send().await.unwrap(),
        401,
        "not-logged-in",
    )
    .await;
}

#[tokio::test]
async fn the_cookie_is_out_of_reach_of_scripts_and_of_other_sites() {
    let hub = Hub::start().await;
    let client = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let form = [
        ("name", "admin"),
        ("password", hub.password.as_str()),
        ("back", "//evil.example"),
    ];
    let answer = client.post(hub.url("/log-in")).form(&form).send().await.unwrap();
    assert_eq!(answer.headers()["location"], "/", "back leads to this server only");
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    assert!(
        cookie.contains("; HttpOnly; SameSite=Strict;") && cookie.contains("Path=/"),
        "{cookie}"
    );
}

#[tokio::test]
async fn another_sites_page_changes_nothing() {
    let hub = Hub::start().await;
    let browser = hub.browser().await;
    let take = hub.url("/tickets/00000000-0000-0000-0000-000000000003/take");
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("origin", "http://evil.example"),
        ("x-none", ""),
    ] {
        let answer = browser.post(&take).header(name, value).send().await.unwrap();
        assert_eq!(answer.status(), 403, "{name}");
    }
    let program = hub.program().await;
    assert_eq!(program.json(&ticket(3)).await["ticket"]["assignee"], Value::Null);
    let answer = browser.post(&take).header("origin", &hub.base).send().await.unwrap();
    assert_eq!(answer.status(), 303);
    assert_eq!(program.json(&ticket(3)).await["ticket"]["assignee"], "admin");
}
