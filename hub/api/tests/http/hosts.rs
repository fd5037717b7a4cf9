//! Names by which the hub may be called, said by hand: no client library sends most of them.

use super::*;

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
        for path in ["/metrics", "/api/v1/openapi.json"] {
            let said = asked(&hub, &format!("GET {path} HTTP/1.1"), headers).await;
            assert!(
                said.starts_with(&format!("HTTP/1.1 {status} ")),
                "{headers} {path}: {said}"
            );
        }
    }
    let old = asked(&hub, "GET /api/v1/openapi.json HTTP/1.0", "").await;
    assert!(old.contains(" 200 "), "{old}");
    let both = asked(
        &hub,
        "GET http://evil.example/api/v1/openapi.json HTTP/1.1",
        "Host: localhost\r\n",
    )
    .await;
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
