//! Behind a proxy that is trusted, the address that it says counts; what others say does not.

use super::*;
use hub_api::{Limits, Proxies};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

async fn behind_proxy(limits: Limits) -> Hub {
    Hub::start_with(|mut state| {
        state.config.proxies = Proxies::parse(&["127.0.0.1".to_owned()]).unwrap();
        state.config.limits = limits;
        state
    })
    .await
}

async fn guess(hub: &Hub, forwarded: &str) -> u16 {
    let body = json!({ "name": "admin", "password": "guess" });
    let request = Client::new().post(hub.url("/api/v1/session")).json(&body);
    let answer = request.header("x-forwarded-for", forwarded).send().await.unwrap();
    answer.status().as_u16()
}

#[tokio::test]
async fn guesses_count_for_who_makes_them() {
    let hub = behind_proxy(Limits::default()).await;
    for n in 0..5 {
        // What the client itself has said of others is not believed.
        assert_eq!(guess(&hub, &format!("203.0.113.{n}, 192.0.2.1")).await, 401);
    }
    assert_eq!(guess(&hub, "192.0.2.1").await, 429);
    assert_eq!(guess(&hub, "203.0.113.77, 192.0.2.1").await, 429);
    assert_eq!(guess(&hub, "192.0.2.2").await, 401, "another client of the proxy");

    let hub = Hub::start().await;
    for n in 0..5 {
        assert_eq!(guess(&hub, &format!("192.0.2.{n}")).await, 401);
    }
    assert_eq!(
        guess(&hub, "192.0.2.200").await,
        429,
        "nobody is believed unless trusted"
    );
}

#[tokio::test]
async fn claims_count_for_who_makes_them() {
    let hub = behind_proxy(Limits::default()).await;
    let claim = async |device: usize, forwarded: &str| {
        let body = json!({
            "tenant": "acme", "device": format!("d-{device}"), "code": "wrong", "name": "Lin", "phone": "+8613800005678",
            "language": "en", "zone": "Asia/Shanghai", "consent": true,
        });
        let request = Client::new().post(hub.url("/api/v1/claims")).json(&body);
        let answer = request.header("x-forwarded-for", forwarded).send().await.unwrap();
        answer.status().as_u16()
    };
    for device in 0..5 {
        assert_eq!(claim(device, "192.0.2.1").await, 403);
    }
    assert_eq!(claim(5, "192.0.2.1").await, 429);
    assert_eq!(claim(5, "192.0.2.2").await, 403);
}

#[tokio::test]
async fn metrics_are_not_for_the_clients_of_a_proxy() {
    let hub = behind_proxy(Limits::default()).await;
    let answer = Client::new().get(hub.url("/metrics")).send().await.unwrap();
    problem(answer, 403, "metrics-refused").await;
    let hub = Hub::start().await;
    for mark in [
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-real-ip",
        "forwarded",
        "via",
    ] {
        let marked = Client::new().get(hub.url("/metrics")).header(mark, "1");
        problem(marked.send().await.unwrap(), 403, "metrics-refused").await;
    }
}

/// A request whose body does not come.
async fn left_open(hub: &Hub, forwarded: &str) -> TcpStream {
    let mut stream = TcpStream::connect(hub.base.strip_prefix("http://").unwrap())
        .await
        .unwrap();
    let request = format!(
        "POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: {forwarded}\r\n\
         Content-Type: application/json\r\nContent-Length: 50\r\n\r\n{{"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn requests_count_for_who_sends_them() {
    let hub = behind_proxy(Limits {
        address_connections_max: 2,
        request_patience: Duration::from_secs(300),
        ..Limits::default()
    })
    .await;
    let program = hub.program().await;
    let get = async |path: &str, forwarded: &str| {
        let request = program.get(path).header("x-forwarded-for", forwarded);
        request.send().await.unwrap().status().as_u16()
    };
    let stranger = async |path: &str, forwarded: &str| {
        let request = Client::new().get(hub.url(path)).header("x-forwarded-for", forwarded);
        request.send().await.unwrap()
    };
    let until = async |status: u16| {
        let reached = async {
            loop {
                let answer = stranger("/api/v1/openapi.json", "192.0.2.1").await;
                let is_reached = answer.status() == status;
                // To its end: until then this one holds a place too.
                answer.bytes().await.unwrap();
                if is_reached {
                    break;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(Duration::from_secs(10), reached).await.expect("in time");
    };
    let open = [left_open(&hub, "192.0.2.1").await, left_open(&hub, "192.0.2.1").await];
    until(503).await;
    let busy = stranger("/api/v1/openapi.json", "192.0.2.1").await;
    assert!(busy.headers().contains_key("retry-after"));
    problem(busy, 503, "busy").await;
    assert_eq!(stranger("/healthz", "192.0.2.1").await.status(), 200, "monitoring");
    assert_eq!(
        stranger("/api/v1/openapi.json", "192.0.2.2").await.status(),
        200,
        "another client"
    );
    assert_eq!(get("/api/v1/tickets", "192.0.2.1").await, 200, "who has logged in");
    drop(open);
    until(200).await;
}
