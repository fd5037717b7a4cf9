//! MQTT over WebSockets, with TLS and without.

use crate::client::{Raw, connect};
use crate::tls::{TlsDoor, TlsRaw};
use crate::{Door, eventually};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use tests_mqtt::Version::V4;
use tests_mqtt::publish;
use tokio::task::block_in_place;
use tungstenite::client::IntoClientRequest;
use tungstenite::http::HeaderValue;
use tungstenite::{Message, WebSocket};

const ONE: &[u8] = br#"{"pump_current": 1.5}"#;

fn open<S: Read + Write>(stream: S, path: &str, protocol: Option<&'static str>) -> Result<WebSocket<S>, String> {
    let mut request = format!("ws://localhost{path}").into_client_request().unwrap();
    if let Some(protocol) = protocol {
        let value = HeaderValue::from_static(protocol);
        request.headers_mut().insert("Sec-WebSocket-Protocol", value);
    }
    tungstenite::client(request, stream)
        .map(|(socket, _)| socket)
        .map_err(|error| error.to_string())
}

fn tcp(addr: SocketAddr) -> TcpStream {
    let tcp = TcpStream::connect(addr).unwrap();
    tcp.set_read_timeout(Some(crate::client::PATIENCE)).unwrap();
    tcp
}

/// Sends, and gives what comes next.
fn say<S: Read + Write>(socket: &mut WebSocket<S>, bytes: Vec<u8>) -> Vec<u8> {
    socket.send(Message::Binary(bytes.into())).unwrap();
    loop {
        match socket.read().unwrap() {
            Message::Binary(bytes) => return bytes.to_vec(),
            Message::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

fn log_in() -> Vec<u8> {
    connect("acme/washer", "secret-of-washer", "x", 60)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packets_in_messages() {
    let door = Door::open().await;
    block_in_place(|| {
        let mut socket = open(tcp(door.addr), "/mqtt", Some("mqtt")).unwrap();
        // A packet may be cut anywhere.
        let packet = log_in();
        let (head, tail) = packet.split_at(9);
        socket.send(Message::Binary(head.to_vec().into())).unwrap();
        socket.send(Message::Ping(vec![1].into())).unwrap();
        assert_eq!(say(&mut socket, tail.to_vec()), [0x20, 2, 0, 0]);
        // And a message hold several: their acknowledgements come together or one by one.
        let packets = [publish("d/washer/j", 1, ONE), publish("d/washer/j", 2, ONE)].concat();
        let mut acknowledged = say(&mut socket, packets);
        while acknowledged.len() < 8 {
            acknowledged.extend(socket.read().unwrap().into_data());
        }
        assert_eq!(acknowledged, [0x40, 2, 0, 1, 0x40, 2, 0, 2]);
        socket.send(Message::Text("hello".into())).unwrap();
        while socket.read().is_ok() {}
    });
    assert_eq!(door.store.samples().len(), 2);
    eventually("text is refused", || door.closed("malformed") == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls() {
    let tls = TlsDoor::open(Vec::new()).await;
    block_in_place(|| {
        let stream = TlsRaw::open(tls.addr, tls.client()).unwrap().0;
        let mut socket = open(stream, "/", Some("mqtt")).unwrap();
        assert_eq!(say(&mut socket, log_in()), [0x20, 2, 0, 0]);
        assert_eq!(say(&mut socket, publish("d/washer/j", 1, ONE)), [0x40, 2, 0, 1]);
    });
    assert_eq!(tls.door.store.samples().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_upgrades_are_refused() {
    let door = Door::open().await;
    block_in_place(|| {
        assert!(open(tcp(door.addr), "/chat", Some("mqtt")).unwrap_err().contains("404"));
        assert!(open(tcp(door.addr), "/mqtt", None).unwrap_err().contains("400"));
        assert!(open(tcp(door.addr), "/mqtt", Some("soap")).unwrap_err().contains("400"));
    });
    let mut browser = Raw::open(door.addr).await;
    browser.send(b"GET / HTTP/1.1\r\nHost: hub\r\n\r\n").await;
    browser.expect_closed("no upgrade").await;
    eventually("counted", || door.closed("web_socket") == 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_the_log_in_a_message_is_no_longer_than_a_connect() {
    let door = Door::open().await;
    let long = V4.publish(0, "d/washer/j", 0, &[b' '; 8_000]);
    let many = (1..=100).map(|packet_id| publish("d/washer/j", packet_id, ONE));
    let many = many.chain(vec![long; 3]);
    let many = many.collect::<Vec<_>>().concat();
    assert!(many.len() > 24 * 1024);
    block_in_place(|| {
        let mut socket = open(tcp(door.addr), "/mqtt", Some("mqtt")).unwrap();
        // The hub may have cut the connection before all of it is written.
        let _ = socket.send(Message::Binary([log_in(), many.clone()].concat().into()));
        while let Ok(message) = socket.read() {
            assert!(!message.is_binary(), "no CONNACK");
        }
        let mut socket = open(tcp(door.addr), "/mqtt", Some("mqtt")).unwrap();
        assert_eq!(say(&mut socket, log_in()), [0x20, 2, 0, 0]);
        let mut acknowledged = say(&mut socket, many).len();
        while acknowledged < 400 {
            acknowledged += socket.read().unwrap().into_data().len();
        }
    });
    assert_eq!(door.closed("malformed"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_are_bounded_and_slow_upgrades_end() {
    let door = Door::open_with(|c| c.connect_patience = Duration::from_millis(400)).await;
    block_in_place(|| {
        let mut socket = open(tcp(door.addr), "/mqtt", Some("mqtt")).unwrap();
        assert_eq!(say(&mut socket, log_in()), [0x20, 2, 0, 0]);
        // The hub may have cut the connection before all of it is written.
        let _ = socket.send(Message::Binary(vec![0xC0; 1024 * 1024].into()));
        while socket.read().is_ok() {}
    });
    eventually("too long", || door.closed("malformed") == 1).await;
    let mut slow = Raw::open(door.addr).await;
    slow.send(b"GET /mqtt HTTP/1.1\r\n").await;
    slow.expect_closed("never ends").await;
    assert_eq!(door.closed("silent_connect"), 1);
}
