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
        &hub.ticket(1),
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

/// A log-in of one's own does not make guessing at another account free again.
#[tokio::test]
async fn guessing_at_another_account_stays_slowed_down() {
    let hub = Hub::start().await;
    let client = Client::new();
    let log_in = async |name: &str, password: &str| {
        let body = json!({ "name": name, "password": password });
        let answer = client
            .post(hub.url("/api/v1/session"))
            .json(&body)
            .send()
            .await
            .unwrap();
        answer.status().as_u16()
    };
    for guesses in [4, 1] {
        for _ in 0..guesses {
            assert_eq!(log_in("root", "guess").await, 401);
        }
        assert_eq!(log_in("admin", &hub.password).await, 200);
    }
    assert_eq!(log_in("root", "guess").await, 429);
    assert_eq!(log_in("admin", &hub.password).await, 200);
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
