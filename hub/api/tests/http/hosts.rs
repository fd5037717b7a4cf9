//! Names by which the hub may be called, said by hand: no client library sends most of them.

use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Duration, timeout};

/// What the hub says to a request, until it closes.
pub(super) async fn said(hub: &Hub, request: &str) -> String {
    let mut stream = TcpStream::connect(hub.base.strip_prefix("http://").unwrap())
        .await
        .unwrap();
    // What is refused before it is whole may be closed with a reset, behind the answer.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut said = Vec::new();
    let _ = timeout(Duration::from_secs(10), stream.read_to_end(&mut said))
        .await
        .expect("answered in time");
    String::from_utf8(said).unwrap()
}

async fn asked(hub: &Hub, line: &str, headers: &str) -> String {
    let request = format!("{line}\r\nConnection: close\r\n{headers}\r\n");
    said(hub, &request).await
}

async fn named() -> Hub {
    Hub::start_with(|mut state| {
        state.config.host_names = vec!["console.example".into()];
        state
    })
    .await
}

#[tokio::test]
async fn only_own_names_are_answered() {
    let hub = named().await;
    for (status, headers) in [
        (200, "Host: 127.0.0.1:8080\r\n"),
        (200, "Host: [::1]\r\n"),
        (200, "Host: localhost\r\n"),
        (200, "Host: Console.Example:8443\r\n"),
        (421, "Host: evil.example\r\n"),
        (421, "Host: 127.0.0.1.evil.example\r\n"),
        (421, "Host:\r\n"),
        (400, ""),
        (400, "Host: localhost\r\nHost: evil.example\r\n"),
        (400, "Host: localhost\r\nHost: localhost\r\n"),
    ] {
        for path in ["/metrics", "/log-in", "/api/v1/openapi.json"] {
            let said = asked(&hub, &format!("GET {path} HTTP/1.1"), headers).await;
            assert!(
                said.starts_with(&format!("HTTP/1.1 {status} ")),
                "{headers} {path}: {said}"
            );
        }
    }
    let old = asked(&hub, "GET /log-in HTTP/1.0", "").await;
    assert!(old.contains(" 200 "), "{old}");
    let both = asked(&hub, "GET http://evil.example/log-in HTTP/1.1", "Host: localhost\r\n").await;
    assert!(both.starts_with("HTTP/1.1 421 "), "{both}");
}

/// A load balancer asks by a name of its own.
#[tokio::test]
async fn health_is_told_under_any_name_that_is_one() {
    for hub in [named().await, Hub::start().await] {
        for path in ["/healthz", "/readyz"] {
            for (status, headers) in [
                (200, "Host: 127.0.0.1:8080\r\n"),
                (200, "Host: console.example\r\n"),
                (200, "Host: backend-7.internal:8080\r\n"),
                (200, "Host:\r\n"),
                (400, ""),
                (400, "Host: localhost\r\nHost: evil.example\r\n"),
            ] {
                let said = asked(&hub, &format!("GET {path} HTTP/1.1"), headers).await;
                assert!(
                    said.starts_with(&format!("HTTP/1.1 {status} ")),
                    "{headers} {path}: {said}"
                );
            }
            let old = asked(&hub, &format!("GET {path} HTTP/1.0"), "").await;
            assert!(old.contains(" 200 "), "{old}");
        }
        for path in ["/healthz/", "/readyz/../metrics", "/healthz%2F..%2Flog-in", "//healthz"] {
            let said = asked(&hub, &format!("GET {path} HTTP/1.1"), "Host: evil.example\r\n").await;
            assert!(said.starts_with("HTTP/1.1 421 "), "{path}: {said}");
        }
    }
}

#[tokio::test]
async fn another_site_that_takes_our_address_for_its_name_changes_nothing() {
    let hub = named().await;
    let body = format!("name=admin&password={}", hub.password);
    let form = |host: &str, origin: &str| {
        format!(
            "Host: {host}\r\nOrigin: http://{origin}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    for (status, host, origin) in [
        (421, "evil.example", "evil.example"),
        (403, "console.example", "evil.example"),
        (403, "console.example", "console.example.evil.example"),
        (303, "console.example", "console.example"),
    ] {
        let request = format!("POST /log-in HTTP/1.1\r\nConnection: close\r\n{}", form(host, origin));
        let said = said(&hub, &request).await;
        assert!(
            said.starts_with(&format!("HTTP/1.1 {status} ")),
            "{host} {origin}: {said}"
        );
    }
}
