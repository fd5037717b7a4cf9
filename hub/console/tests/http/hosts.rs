//! Pages by the names by which the hub may be called.

use super::*;

async fn named() -> Hub {
    Hub::start_with(|mut state| {
        state.config.host_names = vec!["console.example".into()];
        state
    })
    .await
}

#[tokio::test]
async fn pages_are_shown_under_own_names_only() {
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
        for path in ["/log-in", "/assets/console.css"] {
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
