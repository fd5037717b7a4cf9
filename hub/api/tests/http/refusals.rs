//! What is refused before a handler sees it, in words.

use super::*;
use reqwest::Method;

const ATTRIBUTES: &str = "/api/v1/appliances/1/attributes";

async fn sent(program: &Program<'_>, method: Method, path: &str, body: &Value) -> Response {
    let request = program.client.request(method, program.hub.url(path));
    let request = request.bearer_auth(&program.token).header("Idempotency-Key", path);
    request.json(body).send().await.unwrap()
}

async fn read(program: &Program<'_>, path: &str) -> Response {
    program.get(path).send().await.unwrap()
}

#[tokio::test]
async fn a_parameter_that_is_not_known_is_refused() {
    let hub = Hub::start().await;
    let program = hub.program().await;
    for path in [
        "/api/v1/tickets?categry=open",
        "/api/v1/tickets?limit=1&Limit=2",
        "/api/v1/appliances/1?x=1",
        "/api/v1/appliances/1/readings/latest?channel=a",
        "/api/v1/events?since=1",
        "/api/v1/openapi.json?x=1",
        "/api/v1/contacts?appliance=1",
    ] {
        problem(read(&program, path).await, 400, "bad-request").await;
    }
    let told = problem(read(&program, "/api/v1/findings?limt=5").await, 400, "bad-request").await;
    let detail = told["detail"].as_str().unwrap();
    assert!(
        detail.contains("\"limt\"") && detail.contains("after, limit"),
        "{detail}"
    );
    let take = format!("{}/take?now=1", hub.ticket(3));
    problem(
        sent(&program, Method::POST, &take, &json!({})).await,
        400,
        "bad-request",
    )
    .await;
    assert_eq!(program.json(&hub.ticket(3)).await["ticket"]["assignee"], Value::Null);
    assert_eq!(read(&program, "/api/v1/tickets?").await.status(), 200);
}

#[tokio::test]
async fn a_method_that_is_not_taken_is_told() {
    let hub = Hub::start().await;
    let program = hub.program().await;
    for (method, path, allow) in [
        (Method::GET, format!("{}/take", hub.ticket(3)), "POST"),
        (Method::GET, "/api/v1/quarantine/replay".into(), "POST"),
        (Method::GET, "/api/v1/claims".into(), "POST"),
        (Method::DELETE, "/api/v1/appliances/1/commands".into(), "POST"),
        (Method::PUT, "/api/v1/tickets".into(), "GET,HEAD"),
        (Method::POST, "/healthz".into(), "GET,HEAD"),
    ] {
        let answer = sent(&program, method, &path, &json!({})).await;
        let allowed = answer.headers()["allow"].to_str().unwrap().to_owned();
        assert!(allowed.contains(allow), "{path}: {allowed}");
        problem(answer, 405, "method-not-allowed").await;
    }
}

#[tokio::test]
async fn a_body_that_is_too_long_is_told() {
    let hub = Hub::start().await;
    let long = "x".repeat(66_000);
    let head = |path: &str, kind: &str, rest: &str| {
        format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: {kind}\r\n{rest}")
    };
    let announced = head("/api/v1/session", "application/json", "Content-Length: 70000\r\n\r\n");
    let in_pieces = format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n\"{long}\r\n", long.len() + 1);
    let in_pieces = head("/api/v1/session", "application/json", &in_pieces);
    for request in [announced, in_pieces] {
        let told = said(&hub, &request).await;
        assert!(told.starts_with("HTTP/1.1 413 "), "{told}");
        assert!(
            told.contains("application/problem+json") && told.contains("65536 bytes"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn control_characters_are_refused_wherever_they_stand() {
    let hub = Hub::start().await;
    let program = hub.program().await;
    for path in [
        "/api/v1/tickets?assignee=%00",
        "/api/v1/quarantine?reason=a%1Bb",
        "/api/v1/tickets?after=%C2%85",
        "/api/v1/tickets/%00",
        "/api/v1/appliances/1/commands/a%0Ab",
    ] {
        problem(read(&program, path).await, 422, "control-characters").await;
    }
    let claim = json!({
        "tenant": "acme", "device": "WM-1", "code": "c", "name": "Lin\nFang", "phone": "+8613800005678",
        "language": "en", "zone": "Asia/Shanghai", "consent": true,
    });
    for (method, path, body) in [
        (
            Method::POST,
            "/api/v1/session",
            json!({ "name": "a\u{0}", "password": "p" }),
        ),
        (Method::PUT, ATTRIBUTES, json!({ "a\nb": 1 })),
        (Method::PUT, ATTRIBUTES, json!({ "a": { "b": ["\u{0}"] } })),
        (
            Method::POST,
            "/api/v1/appliances/1/commands",
            json!({ "body": "\u{1b}[2J" }),
        ),
        (Method::POST, "/api/v1/claims", claim),
    ] {
        problem(sent(&program, method, path, &body).await, 422, "control-characters").await;
    }
    let note = json!({ "note": "two\nlines" });
    let path = format!("{}/false-alarm", hub.ticket(3));
    assert_eq!(sent(&program, Method::POST, &path, &note).await.status(), 200);
}

#[tokio::test]
async fn a_refusal_names_no_type_of_the_program() {
    let hub = Hub::start().await;
    let program = hub.program().await;
    let mut told = Vec::new();
    for path in [
        "/api/v1/tickets?limit=x",
        "/api/v1/tickets?limit=99999999999999999999999",
        "/api/v1/tickets?category=lost",
        "/api/v1/appliances/abc",
        "/api/v1/tickets/abc",
        "/api/v1/appliances/1/readings?from=yesterday",
    ] {
        told.push(read(&program, path).await);
    }
    for (path, body) in [
        ("/api/v1/session", json!([1])),
        ("/api/v1/session", json!({ "name": 1, "password": "p" })),
        ("/api/v1/session", json!("text")),
        ("/api/v1/quarantine/replay", json!({ "ids": ["a"] })),
        (
            "/api/v1/appliances/1/commands",
            json!({ "body": 1, "expires_in_s": -1 }),
        ),
        ("/api/v1/appliances/1/claim-code", json!({ "expires_in_s": 1.5 })),
    ] {
        told.push(sent(&program, Method::POST, path, &body).await);
    }
    let plain = Client::new().post(hub.url("/api/v1/session")).body("no JSON");
    told.push(plain.send().await.unwrap());
    for answer in told {
        let told = problem(answer, 400, "bad-request").await;
        let detail = told["detail"].as_str().unwrap();
        for name in [
            "i64",
            "u32",
            "u64",
            "usize",
            "struct ",
            "target type",
            "variant",
            "SQLSTATE",
            "::",
        ] {
            assert!(!detail.contains(name), "{detail}");
        }
    }
}
