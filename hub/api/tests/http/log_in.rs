use super::*;

#[tokio::test]
async fn without_a_session_nothing_is_read() {
    let hub = Hub::start().await;
    let client = Client::new();
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
    let right = json!({ "name": "admin", "password": hub.password });
    let answer = client.post(hub.url("/api/v1/session")).json(&right);
    problem(answer.send().await.unwrap(), 429, "throttled").await;
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
