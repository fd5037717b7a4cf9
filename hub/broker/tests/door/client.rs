//! Clients: a raw one that says exactly what a test wants said, and rumqttc as the honest device.

use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, Publish, QoS};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tests_mqtt::{Client, Connect, Version, acknowledge, read_publish};
use tokio::time::timeout;

/// Nothing in these tests takes as long as this on a machine that works.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// Client identifier of every device: it must play no part.
const SAME_ID: &str = "same-id";

/// A client that writes its packets byte by byte; what does not come in time, or not as expected, fails the test.
pub struct Raw(pub Client);

impl Raw {
    pub async fn open(addr: SocketAddr) -> Self {
        let mut client = Client::open(addr).await.unwrap();
        client.patience = PATIENCE;
        Self(client)
    }

    /// Connects as `tenant/device` and expects to be taken.
    pub async fn connected(addr: SocketAddr, tenant: &str, device: &str) -> Self {
        let mut raw = Self::open(addr).await;
        let user_name = format!("{tenant}/{device}");
        raw.send(&connect(&user_name, &format!("secret-of-{device}"), SAME_ID, 60))
            .await;
        assert_eq!(raw.packet().await, Some((0x20, vec![0, 0])), "{user_name} is taken");
        raw
    }

    /// Connects as `tenant/device` with MQTT 5 and expects to be taken; gives the body of CONNACK.
    pub async fn connected_v5(addr: SocketAddr, tenant: &str, device: &str, properties: &[u8]) -> (Self, Vec<u8>) {
        let mut raw = Self::open(addr).await;
        let user_name = format!("{tenant}/{device}");
        raw.send(&connect_v5(
            &user_name,
            &format!("secret-of-{device}"),
            properties,
            true,
        ))
        .await;
        let (first, body) = raw.packet().await.unwrap();
        assert_eq!((first, body[1]), (0x20, 0), "{user_name} is taken");
        (raw, body)
    }

    /// Writes; a connection that the hub has closed already is no error.
    pub async fn send(&mut self, bytes: &[u8]) {
        self.0.send(bytes).await;
    }

    /// The next packet as first byte and body, or `None` at the connection's end.
    pub async fn packet(&mut self) -> Option<(u8, Vec<u8>)> {
        self.0.packet().await.unwrap()
    }

    /// Expects a DISCONNECT of MQTT 5 with this reason, and the end.
    pub async fn expect_reason(&mut self, reason: u8) {
        let (first, body) = self.packet().await.expect("a DISCONNECT");
        assert_eq!((first, body[0]), (0xE0, reason), "{body:?}");
        assert_eq!(self.packet().await, None);
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
        self.0.ping().await.unwrap();
    }

    /// The next packet, which is a PUBLISH: its first byte, topic and payload. Acknowledged where that is awaited.
    pub async fn receive(&mut self) -> (u8, String, Vec<u8>) {
        let (first, body) = self.packet().await.expect("a PUBLISH");
        let publish = read_publish(first, &body);
        let (topic, packet_id, payload) = publish.unwrap_or_else(|| panic!("no PUBLISH: {first:#x} {body:?}"));
        if let Some(packet_id) = packet_id {
            self.send(&acknowledge(packet_id)).await;
        }
        (first, String::from_utf8(topic.to_vec()).unwrap(), payload.to_vec())
    }
}

pub fn connect(user_name: &str, password: &str, client_id: &str, keep_alive_s: u16) -> Vec<u8> {
    let who = Connect {
        client_id,
        keep_alive_s,
        ..Connect::new(user_name, password)
    };
    who.bytes()
}

/// A CONNECT of MQTT 5 with the given properties.
pub fn connect_v5(user_name: &str, password: &str, properties: &[u8], clean: bool) -> Vec<u8> {
    let who = Connect {
        version: Version::V5,
        client_id: SAME_ID,
        clean,
        properties,
        ..Connect::new(user_name, password)
    };
    who.bytes()
}

/// A device on rumqttc.
pub struct Honest {
    pub client: AsyncClient,
    pub events: EventLoop,
    device: String,
}

impl Honest {
    pub async fn connected(addr: SocketAddr, tenant: &str, device: &str) -> Self {
        let mut options = MqttOptions::new(SAME_ID, addr.ip().to_string(), addr.port());
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
