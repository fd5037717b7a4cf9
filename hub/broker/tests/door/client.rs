//! Clients: a raw one that says exactly what a test wants said, and rumqttc as the honest device.

use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, Publish, QoS};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Nothing in these tests takes as long as this on a machine that works.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A client that writes its packets byte by byte.
pub struct Raw(pub TcpStream);

impl Raw {
    pub async fn open(addr: SocketAddr) -> Self {
        Self(TcpStream::connect(addr).await.unwrap())
    }

    /// Connects as `tenant/device` and expects to be taken.
    pub async fn connected(addr: SocketAddr, tenant: &str, device: &str) -> Self {
        let mut raw = Self::open(addr).await;
        let user_name = format!("{tenant}/{device}");
        raw.send(&connect(&user_name, &format!("secret-of-{device}"), "same-id", 60))
            .await;
        assert_eq!(raw.packet().await, Some((0x20, vec![0, 0])), "{user_name} is taken");
        raw
    }

    /// Connects as `tenant/device` with MQTT 5 and expects to be taken; gives the body of CONNACK.
    pub async fn connected_v5(addr: SocketAddr, tenant: &str, device: &str, properties: &[u8]) -> (Self, Vec<u8>) {
        let mut raw = Self::open(addr).await;
        let packet = connect_v5(
            &format!("{tenant}/{device}"),
            &format!("secret-of-{device}"),
            properties,
        );
        raw.send(&packet).await;
        let (first, body) = raw.packet().await.unwrap();
        assert_eq!((first, body[1]), (0x20, 0), "{tenant}/{device} is taken");
        (raw, body)
    }

    /// Expects a DISCONNECT of MQTT 5 with this reason, and the end.
    pub async fn expect_reason(&mut self, reason: u8) {
        let (first, body) = self.packet().await.expect("a DISCONNECT");
        assert_eq!((first, body[0]), (0xE0, reason), "{body:?}");
        assert_eq!(self.packet().await, None);
    }

    /// Writes; a connection that the hub has closed already is no error.
    pub async fn send(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes).await;
    }

    /// The next packet as first byte and body, or `None` at the connection's end.
    pub async fn packet(&mut self) -> Option<(u8, Vec<u8>)> {
        timeout(PATIENCE, self.read_packet())
            .await
            .expect("a packet or the end in time")
    }

    async fn read_packet(&mut self) -> Option<(u8, Vec<u8>)> {
        let first = self.0.read_u8().await.ok()?;
        let (mut length, mut shift) = (0usize, 0);
        loop {
            let byte = self.0.read_u8().await.ok()?;
            length |= usize::from(byte & 0x7F) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.ok()?;
        Some((first, body))
    }

    /// Expects that the hub closes the connection without another word.
    pub async fn expect_closed(&mut self, why: &str) {
        assert_eq!(self.packet().await, None, "{why}");
    }

    pub async fn expect_ack(&mut self, packet_id: u16) {
        assert_eq!(self.packet().await, Some((0x40, packet_id.to_be_bytes().to_vec())));
    }

    /// A ping and its answer: everything said before has been read, and nothing else was answered.
    pub async fn ping(&mut self) {
        self.send(&[0xC0, 0]).await;
        assert_eq!(
            self.packet().await,
            Some((0xD0, Vec::new())),
            "PINGRESP and nothing before it"
        );
    }
}

fn text(text: &[u8]) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes()[..], text].concat()
}

pub fn frame(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut length = body.len();
    loop {
        let low = (length % 128) as u8;
        length /= 128;
        bytes.push(if length > 0 { low | 0x80 } else { low });
        if length == 0 {
            break;
        }
    }
    bytes.extend(body);
    bytes
}

pub fn connect(user_name: &str, password: &str, client_id: &str, keep_alive_s: u16) -> Vec<u8> {
    let keep_alive = keep_alive_s.to_be_bytes();
    let head = [&text(b"MQTT")[..], &[4, 0b1100_0010], &keep_alive].concat();
    let strings = [client_id, user_name, password].map(|s| text(s.as_bytes())).concat();
    frame(0x10, &[head, strings].concat())
}

/// A CONNECT of MQTT 5 with a clean start and the given properties.
pub fn connect_v5(user_name: &str, password: &str, properties: &[u8]) -> Vec<u8> {
    connect_v5_with(0b1100_0010, user_name, password, properties)
}

/// The same with other flags.
pub fn connect_v5_with(flags: u8, user_name: &str, password: &str, properties: &[u8]) -> Vec<u8> {
    let head = [
        &text(b"MQTT")[..],
        &[5, flags, 0, 60, properties.len() as u8],
        properties,
    ]
    .concat();
    let strings = ["same-id", user_name, password].map(|s| text(s.as_bytes())).concat();
    frame(0x10, &[head, strings].concat())
}

/// A PUBLISH of MQTT 5 without properties.
pub fn publish_v5(qos: u8, topic: &str, packet_id: u16, payload: &[u8]) -> Vec<u8> {
    let body = [&text(topic.as_bytes())[..], &packet_id.to_be_bytes(), &[0], payload].concat();
    frame(0x30 | qos << 1, &body)
}

/// A SUBSCRIBE of MQTT 5 at QoS 1.
pub fn subscribe_v5(packet_id: u16, filter: &str) -> Vec<u8> {
    let body = [&packet_id.to_be_bytes()[..], &[0], &text(filter.as_bytes()), &[1]].concat();
    frame(0x82, &body)
}

/// An UTF-8 string of MQTT.
pub fn string(value: &str) -> Vec<u8> {
    text(value.as_bytes())
}

pub fn publish(topic: &str, packet_id: u16, payload: &[u8]) -> Vec<u8> {
    let body = [&text(topic.as_bytes())[..], &packet_id.to_be_bytes(), payload].concat();
    frame(0x32, &body)
}

pub fn subscribe(packet_id: u16, filters: &[&str]) -> Vec<u8> {
    let filters = filters.iter().map(|f| [text(f.as_bytes()), vec![1]].concat());
    let body = [packet_id.to_be_bytes().to_vec(), filters.collect::<Vec<_>>().concat()].concat();
    frame(0x82, &body)
}

pub fn unsubscribe(packet_id: u16, filter: &str) -> Vec<u8> {
    frame(0xA2, &[&packet_id.to_be_bytes()[..], &text(filter.as_bytes())].concat())
}

/// A device on rumqttc.
pub struct Honest {
    pub client: AsyncClient,
    pub events: EventLoop,
    device: String,
}

impl Honest {
    pub async fn connected(addr: SocketAddr, tenant: &str, device: &str) -> Self {
        let mut options = MqttOptions::new("same-id", addr.ip().to_string(), addr.port());
        options.set_credentials(format!("{tenant}/{device}"), format!("secret-of-{device}"));
        options.set_keep_alive(Duration::from_secs(30));
        let (client, mut events) = AsyncClient::new(options, 200);
        while !matches!(next(&mut events).await, Event::Incoming(Packet::ConnAck(_))) {}
        let device = device.to_owned();
        Self { client, events, device }
    }

    /// Publishes JSON readings and gives how long the acknowledgement took.
    pub async fn report(&mut self, payload: String) -> Duration {
        let topic = format!("d/{}/j", self.device);
        self.publish(topic, payload).await
    }

    /// Publishes and waits for the acknowledgement.
    pub async fn publish(&mut self, topic: String, payload: String) -> Duration {
        let start = Instant::now();
        self.client
            .publish(topic, QoS::AtLeastOnce, false, payload)
            .await
            .unwrap();
        while !matches!(next(&mut self.events).await, Event::Incoming(Packet::PubAck(_))) {}
        start.elapsed()
    }

    /// Waits for a publish from the hub.
    pub async fn receive(&mut self) -> Publish {
        loop {
            if let Event::Incoming(Packet::Publish(publish)) = next(&mut self.events).await {
                return publish;
            }
        }
    }
}

async fn next(events: &mut EventLoop) -> Event {
    timeout(PATIENCE, events.poll())
        .await
        .expect("an event in time")
        .expect("the connection holds")
}
