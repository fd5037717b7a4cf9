//! Connections that somebody opens and leaves, or never reads, close neither console nor health.

use super::events::read_until;
use super::*;
use hub_api::Limits;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

/// Whatever has to happen happens within this.
const PATIENCE: Duration = Duration::from_secs(10);
const HALF_HEAD: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-";
const HALF_BODY: &[u8] = b"POST /api/v1/session HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
    Content-Length: 50\r\n\r\n{";

async fn bounded(limits: Limits) -> Hub {
    Hub::start_with(|mut state| {
        state.config.limits = limits;
        state
    })
    .await
}

/// Few places; deadlines that do not come.
fn few() -> Limits {
    Limits {
        connections_max: 16,
        address_connections_max: 8,
        head_patience: Duration::from_secs(300),
        request_patience: Duration::from_secs(300),
        write_patience: Duration::from_secs(300),
        ..Limits::default()
    }
}

/// A connection from this address, on which `start` has been sent.
async fn opened(hub: &Hub, from: Ipv4Addr, start: &[u8]) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((from, 0))).unwrap();
    let to: SocketAddr = hub.base.strip_prefix("http://").unwrap().parse().unwrap();
    let connecting = timeout(PATIENCE, socket.connect(to)).await;
    let mut stream = connecting.expect("connected in time").unwrap();
    // One that the hub has closed already is as good.
    let _ = stream.write_all(start).await;
    stream
}

/// Waits until the hub ends a connection; what it said last.
async fn ended(stream: &mut TcpStream) -> String {
    let mut said = Vec::new();
    // Closed with something unread it is a reset.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut said))
        .await
        .expect("ended in time");
    String::from_utf8(said).unwrap()
}

async fn answered(hub: &Hub, path: &str) -> String {
    let client = Client::builder().timeout(PATIENCE).build().unwrap();
    let answer = client.get(hub.url(path)).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    answer.text().await.unwrap()
}

async fn all_is_open(hub: &Hub) {
    for path in ["/healthz", "/readyz", "/metrics", "/api/v1/openapi.json"] {
        answered(hub, path).await;
    }
}

/// What `/metrics` says of connections that were closed for this reason.
async fn closed(hub: &Hub, reason: &str) -> u64 {
    let name = format!("forecall_http_closed_total{{reason=\"{reason}\"}} ");
    let text = answered(hub, "/metrics").await;
    let line = text.lines().find_map(|line| line.strip_prefix(&name));
    line.expect("a counter").parse().unwrap()
}

#[tokio::test]
async fn what_one_address_leaves_open_closes_nothing() {
    let hub = bounded(few()).await;
    for start in [b"".as_slice(), HALF_HEAD, HALF_BODY] {
        let mut left = Vec::new();
        for _ in 0..40 {
            left.push(opened(&hub, Ipv4Addr::LOCALHOST, start).await);
        }
        all_is_open(&hub).await;
        ended(&mut left[0]).await;
    }
    assert!(closed(&hub, "gave_way").await >= 3 * 32);
}

#[tokio::test]
async fn what_many_addresses_leave_open_closes_nothing() {
    let hub = bounded(few()).await;
    for start in [b"".as_slice(), HALF_HEAD, HALF_BODY] {
        let mut left = Vec::new();
        for n in 0..50 {
            left.push(opened(&hub, Ipv4Addr::new(127, 0, 1, n + 1), start).await);
        }
        all_is_open(&hub).await;
        ended(&mut left[0]).await;
    }
}

#[tokio::test]
async fn what_is_never_read_closes_nothing_and_is_cut_off() {
    let limits = Limits {
        connections_max: 64,
        address_connections_max: 64,
        // Long enough for those who read: here they share a thread with the hub.
        write_patience: Duration::from_secs(2),
        ..few()
    };
    let hub = bounded(limits).await;
    // Much more than the system holds for both sides.
    let many = "GET /api/v1/openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".repeat(300);
    let mut unread = Vec::new();
    for _ in 0..6 {
        unread.push(opened(&hub, Ipv4Addr::LOCALHOST, many.as_bytes()).await);
    }
    all_is_open(&hub).await;
    let cut = async {
        while closed(&hub, "unread").await < 6 {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE * 3, cut).await.expect("cut off in time");
}

#[tokio::test]
async fn a_head_and_a_body_have_a_deadline() {
    // Each with the other's deadline far away: on a slow machine a head may take longer than a short one.
    let hub = bounded(Limits {
        head_patience: Duration::from_millis(300),
        ..few()
    })
    .await;
    for start in [b"".as_slice(), HALF_HEAD] {
        let mut left = opened(&hub, Ipv4Addr::LOCALHOST, start).await;
        assert!(!ended(&mut left).await.contains(" 200 "));
    }
    let hub = bounded(Limits {
        request_patience: Duration::from_millis(300),
        ..few()
    })
    .await;
    let mut left = opened(&hub, Ipv4Addr::LOCALHOST, HALF_BODY).await;
    let said = ended(&mut left).await;
    assert!(
        said.starts_with("HTTP/1.1 504 ") && said.contains("urn:forecall:problem:late"),
        "{said}"
    );
}

#[tokio::test]
async fn who_has_logged_in_does_not_give_way_to_strangers() {
    let limits = Limits {
        address_connections_max: 2,
        ..few()
    };
    let hub = bounded(limits).await;
    let program = hub.program().await;
    let mut stream = program.get("/api/v1/events").send().await.unwrap();
    read_until(&mut stream, "hello").await;
    let mut strangers = Vec::new();
    for _ in 0..20 {
        strangers.push(opened(&hub, Ipv4Addr::LOCALHOST, b"").await);
    }
    let take = program.post(&format!("{}/take", hub.ticket(2)), "a", &json!({}));
    assert_eq!(take.send().await.unwrap().status(), 200);
    read_until(&mut stream, "\"kind\":\"ticket.taken\"").await;
    ended(&mut strangers[0]).await;
}

#[tokio::test]
async fn monitoring_does_not_give_way_to_strangers() {
    let hub = bounded(few()).await;
    let ask = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    let mut monitoring = opened(&hub, Ipv4Addr::LOCALHOST, ask).await;
    healthy(&mut monitoring).await;
    let mut strangers = Vec::new();
    for _ in 0..40 {
        strangers.push(opened(&hub, Ipv4Addr::LOCALHOST, b"").await);
    }
    ended(&mut strangers[0]).await;
    monitoring.write_all(ask).await.unwrap();
    healthy(&mut monitoring).await;
}

/// Reads one answer of `/healthz`.
async fn healthy(stream: &mut TcpStream) {
    let (mut said, mut part) = (String::new(), [0; 4096]);
    while !said.ends_with("\r\n\r\nok\n") {
        let read = timeout(PATIENCE, stream.read(&mut part))
            .await
            .expect("answered in time");
        let count = read.unwrap();
        assert!(count > 0, "closed after {said}");
        said.push_str(std::str::from_utf8(&part[..count]).unwrap());
    }
    assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
}
