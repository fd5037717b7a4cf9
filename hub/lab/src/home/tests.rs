//! Homes and replays against a hub that misbehaves on purpose: it drops connections, forgets sessions and refuses.
//! The hub here speaks real MQTT on a real socket, by the client library's own codec.

use super::*;
use agent_sdk_wire::{Message, decode_telemetry};
use bytes::{Bytes, BytesMut};
use hub_core::clock::ManualClock;
use rumqttc::mqttbytes::v4::{ConnAck, Connect, Packet, PubAck, Publish, SubAck};
use rumqttc::{ConnectReturnCode, QoS, SubscribeReasonCode};
use std::time::Duration;
use tests_world::{FaultPlan, Sample, Unit, profiles};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_secs(20);

/// The hub's end of one connection.
struct Peer {
    stream: TcpStream,
    buffer: BytesMut,
}

impl Peer {
    /// Accepts the next connection and answers its CONNECT with `code`; never remembers a session.
    async fn accept(listener: &TcpListener, code: ConnectReturnCode) -> (Self, Connect) {
        let (stream, _) = timeout(DEADLINE, listener.accept()).await.unwrap().unwrap();
        let mut peer = Self {
            stream,
            buffer: BytesMut::new(),
        };
        let Some(Packet::Connect(connect)) = peer.read().await else {
            panic!("CONNECT comes first")
        };
        peer.write(Packet::ConnAck(ConnAck::new(code, false))).await;
        (peer, connect)
    }

    /// The next packet, or `None` at the end of the connection.
    async fn read(&mut self) -> Option<Packet> {
        loop {
            match Packet::read(&mut self.buffer, 64 * 1024) {
                Ok(packet) => return Some(packet),
                Err(rumqttc::mqttbytes::Error::InsufficientBytes(_)) => {}
                Err(error) => panic!("not MQTT: {error}"),
            }
            let read = timeout(DEADLINE, self.stream.read_buf(&mut self.buffer)).await.unwrap();
            if matches!(read, Ok(0) | Err(_)) {
                return None;
            }
        }
    }

    async fn write(&mut self, packet: Packet) {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, 64 * 1024).unwrap();
        self.stream.write_all(&bytes).await.unwrap();
    }

    /// The next publish; answers the subscription on the way.
    async fn publish(&mut self) -> Option<Publish> {
        loop {
            match self.read().await? {
                Packet::Publish(publish) => return Some(publish),
                Packet::Subscribe(subscribe) => {
                    assert_eq!(subscribe.filters[0].path, "d/wm-1/c/+");
                    let granted = vec![SubscribeReasonCode::Success(QoS::AtLeastOnce)];
                    self.write(Packet::SubAck(SubAck::new(subscribe.pkid, granted))).await;
                }
                Packet::Disconnect => return None,
                _ => {}
            }
        }
    }

    async fn acknowledge(&mut self, publish: &Publish) {
        self.write(Packet::PubAck(PubAck::new(publish.pkid))).await;
    }
}

fn start() -> Timestamp {
    "2026-03-01T00:00:00Z".parse().unwrap()
}

fn washing_machine() -> WashingMachine {
    WashingMachine::new(Unit::draw(1, 8 * 3_600), start())
}

async fn listen() -> (TcpListener, DeviceConnection) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let broker = listener.local_addr().unwrap();
    let connection = DeviceConnection {
        broker,
        tenant: "acme".into(),
        device: "wm-1".into(),
        secret: "geheim".into(),
    };
    (listener, connection)
}

fn recording(connection: DeviceConnection, hours: i64) -> (Replay<std::vec::IntoIter<Sample>>, Vec<Sample>) {
    let samples = washing_machine().step_until(start() + SignedDuration::from_hours(hours));
    let profile = Arc::new(profiles::washing_machine());
    let replay = Replay {
        connection,
        profile,
        boot_id: 9,
        samples: samples.clone().into_iter(),
        pace: Pace::Unlimited,
    };
    (replay, samples)
}

/// What the hub would store of `samples`.
fn quantised(values: &[(u8, f64)]) -> Vec<Option<i32>> {
    let profile = profiles::washing_machine();
    profile
        .channels
        .iter()
        .zip(values)
        .map(|(channel, (_, value))| channel.quantise(*value))
        .collect()
}

/// The messages hold exactly `samples`, numbered from 0, each as it would be stored.
fn assert_complete(messages: &mut Vec<Message>, samples: &[Sample]) {
    messages.sort_by_key(|message| message.seq);
    messages.dedup_by_key(|message| message.seq);
    let numbered: Vec<_> = messages.iter().flat_map(Message::numbered).collect();
    assert_eq!(numbered.len(), samples.len());
    for (expected_seq, ((seq, ms, got), sample)) in (0..).zip(numbered.into_iter().zip(samples)) {
        assert_eq!((seq, ms), (expected_seq, sample.at.as_millisecond()));
        assert_eq!(quantised(&got.values), quantised(&sample.values));
    }
}

/// The hub takes messages but dies before acknowledging some, again and again; nothing is lost and bytes never change.
#[tokio::test]
async fn a_replay_survives_a_hub_that_keeps_dying() {
    let (listener, connection) = listen().await;
    let (recording, samples) = recording(connection, 24 * 4);
    let counters = Arc::new(HomeCounters::default());
    let replaying = tokio::spawn(replay(recording, CancellationToken::new(), counters.clone()));
    const BAD_LIVES: usize = 6;
    let mut acknowledged: Vec<Message> = Vec::new();
    let mut seen = std::collections::HashMap::<u64, Bytes>::new();
    for life in 1..=BAD_LIVES + 1 {
        let (mut hub, connect) = Peer::accept(&listener, ConnectReturnCode::Success).await;
        let login = connect.login.unwrap();
        assert_eq!(
            (login.username.as_str(), login.password.as_str()),
            ("acme/wm-1", "geheim")
        );
        let mut taken = 0;
        while let Some(publish) = hub.publish().await {
            assert_eq!((publish.topic.as_str(), publish.qos), ("d/wm-1/t", QoS::AtLeastOnce));
            let message = decode_telemetry(&publish.payload).unwrap();
            assert!(message.samples.len() <= 12);
            let first = seen.entry(message.seq).or_insert_with(|| publish.payload.clone());
            assert_eq!(*first, publish.payload, "resent with other bytes");
            taken += 1;
            // In a bad life every third is taken and never acknowledged, and the eighth is the last: the window stays open.
            if life > BAD_LIVES || taken % 3 != 0 {
                hub.acknowledge(&publish).await;
                acknowledged.push(message);
            }
            if life <= BAD_LIVES && taken == 8 {
                break;
            }
        }
    }
    let delivered = replaying.await.unwrap().unwrap();
    let count = samples.len() as u64;
    assert_eq!(
        delivered,
        Delivered {
            taken: count,
            acknowledged: count
        }
    );
    assert_eq!((counters.published(), counters.acknowledged()), (count, count));
    assert!(counters.resent() > 0);
    assert_complete(&mut acknowledged, &samples);
}

/// Sixteen messages are under way at most, answers included. What was not acknowledged comes again, in its order.
#[tokio::test]
async fn only_the_window_is_under_way_and_is_repeated_in_order() {
    let (listener, connection) = listen().await;
    let (recording, _) = recording(connection, 24 * 21);
    let stop = CancellationToken::new();
    let replaying = tokio::spawn(replay(recording, stop.clone(), Arc::default()));
    let (mut hub, _) = Peer::accept(&listener, ConnectReturnCode::Success).await;
    let mut sent = Vec::new();
    while sent.len() < 16 {
        sent.push(hub.publish().await.unwrap());
    }
    let mut command = Publish::new("d/wm-1/c/1", QoS::AtLeastOnce, r#"{"method":"status"}"#);
    command.pkid = 5;
    hub.write(Packet::Publish(command)).await;
    let next = hub.read().await;
    assert!(
        matches!(&next, Some(Packet::PubAck(ack)) if ack.pkid == 5),
        "one more is under way: {next:?}"
    );
    hub.acknowledge(&sent.remove(1)).await;
    let reply = hub.publish().await.unwrap();
    assert_eq!(reply.topic, "d/wm-1/r/1", "an answer goes before telemetry");
    drop(hub);
    let (mut hub, _) = Peer::accept(&listener, ConnectReturnCode::Success).await;
    for expected in [&reply].into_iter().chain(&sent) {
        let again = hub.publish().await.unwrap();
        assert_eq!((&again.topic, &again.payload), (&expected.topic, &expected.payload));
    }
    stop.cancel();
    drop(hub);
    timeout(DEADLINE, replaying).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_home_publishes_answers_and_leaves_in_order() {
    home_story(false).await;
}

/// The same on a foreign client.
#[tokio::test]
async fn a_foreign_home_publishes_answers_and_leaves_in_order() {
    home_story(true).await;
}

/// A foreign client that loses its hub before the acknowledgement sends the same bytes again.
#[tokio::test]
async fn a_foreign_home_sends_again_what_was_not_acknowledged() {
    let (listener, connection) = listen().await;
    let clock = Arc::new(ManualClock::new(start()));
    let home = home(&connection, Machine::new(washing_machine()));
    let (stop, counters) = (CancellationToken::new(), Arc::new(HomeCounters::default()));
    let running = tokio::spawn(run_foreign(
        home,
        connection.broker,
        clock.clone(),
        stop.clone(),
        counters.clone(),
    ));
    let (mut hub, _) = Peer::accept(&listener, ConnectReturnCode::Success).await;
    clock.advance(Duration::from_secs(3 * 3_600));
    let first = hub.publish().await.unwrap();
    drop(hub);
    let (mut hub, _) = Peer::accept(&listener, ConnectReturnCode::Success).await;
    let again = hub.publish().await.unwrap();
    assert_eq!((&again.topic, &again.payload), (&first.topic, &first.payload));
    hub.acknowledge(&again).await;
    stop.cancel();
    // What it had taken by then still comes.
    while let Some(publish) = hub.publish().await {
        hub.acknowledge(&publish).await;
    }
    let delivered = timeout(DEADLINE, running).await.unwrap().unwrap().unwrap();
    assert_eq!(delivered.acknowledged, delivered.taken);
    let samples = decode_telemetry(&first.payload).unwrap().samples.len() as u64;
    assert_eq!(counters.resent(), samples);
}

/// A device as [`listen`] has it.
fn home(connection: &DeviceConnection, machine: Machine) -> Home {
    Home {
        tenant: connection.tenant.clone(),
        device: connection.device.clone(),
        secret: connection.secret.clone(),
        machine,
        profile: Arc::new(profiles::washing_machine()),
        boot_id: 7,
    }
}

async fn home_story(is_foreign: bool) {
    let (listener, connection) = listen().await;
    let clock = Arc::new(ManualClock::new(start()));
    let fault = FaultPlan {
        kind: FaultKind::DrainPumpWear,
        onset: start(),
        days_to_failure: 1.0,
    };
    let machine = Machine::new(washing_machine().with_fault(fault));
    let home = home(&connection, machine.clone());
    let broker = connection.broker;
    let (stop, counters) = (CancellationToken::new(), Arc::new(HomeCounters::default()));
    let running = if is_foreign {
        tokio::spawn(run_foreign(home, broker, clock.clone(), stop.clone(), counters.clone()))
    } else {
        tokio::spawn(run(home, broker, clock.clone(), stop.clone(), counters.clone()))
    };
    let (mut hub, _) = Peer::accept(&listener, ConnectReturnCode::Success).await;
    // Two days at once: more than a machine lives in one step.
    clock.advance(Duration::from_secs(2 * 86_400));
    let expected = washing_machine().with_fault(fault).step_until(clock.now());
    let mut messages: Vec<Message> = Vec::new();
    while messages.iter().map(|message| message.samples.len()).sum::<usize>() < expected.len() {
        let publish = hub.publish().await.unwrap();
        hub.acknowledge(&publish).await;
        messages.push(decode_telemetry(&publish.payload).unwrap());
    }
    assert_complete(&mut messages, &expected);

    let mut command = Publish::new("d/wm-1/c/42", QoS::AtLeastOnce, r#"{"method":"status"}"#);
    command.pkid = 5;
    hub.write(Packet::Publish(command)).await;
    let reply = hub.publish().await.unwrap();
    hub.acknowledge(&reply).await;
    assert_eq!(reply.topic, "d/wm-1/r/42");
    let reply: serde_json::Value = serde_json::from_slice(&reply.payload).unwrap();
    assert_eq!(reply["status"], "done");
    assert_eq!(reply["result"]["family"], "washing-machine");

    assert_eq!(machine.worst_fault(clock.now()), Some((FaultKind::DrainPumpWear, 1.0)));
    machine.repair(clock.now());
    assert_eq!(machine.worst_fault(clock.now()), None);

    stop.cancel();
    assert_eq!(hub.publish().await, None, "a DISCONNECT ends the connection");
    let delivered = timeout(DEADLINE, running).await.unwrap().unwrap().unwrap();
    let count = expected.len() as u64;
    assert_eq!(
        delivered,
        Delivered {
            taken: count,
            acknowledged: count
        }
    );
    assert_eq!(counters.acknowledged(), count);
}

#[tokio::test]
async fn a_wrong_secret_is_said_at_once() {
    let (listener, connection) = listen().await;
    let (recording, _) = recording(connection, 1);
    let replaying = tokio::spawn(replay(recording, CancellationToken::new(), Arc::default()));
    let _hub = Peer::accept(&listener, ConnectReturnCode::BadUserNamePassword).await;
    let error = timeout(DEADLINE, replaying).await.unwrap().unwrap().unwrap_err();
    assert!(matches!(error, DeviceError::Refused { .. }));
    assert!(
        error.to_string().contains("acme/wm-1") && !error.to_string().contains("geheim"),
        "{error}"
    );
}

#[tokio::test]
async fn stopping_without_a_hub_takes_no_time() {
    let (listener, connection) = listen().await;
    drop(listener);
    let (recording, _) = recording(connection, 1);
    let stop = CancellationToken::new();
    let replaying = tokio::spawn(replay(recording, stop.clone(), Arc::default()));
    stop.cancel();
    let delivered = timeout(device::FAREWELL / 2, replaying)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(delivered, Delivered::default());
}

#[tokio::test]
async fn a_replay_to_a_hub_that_is_not_there_ends_and_says_so() {
    let (listener, connection) = listen().await;
    drop(listener);
    let (recording, _) = recording(connection, 1);
    let replaying = replay(recording, CancellationToken::new(), Arc::default());
    let error = timeout(DEADLINE, replaying).await.unwrap().unwrap_err();
    assert!(matches!(error, DeviceError::Unreached { .. }), "{error}");
    assert!(error.to_string().contains("acme/wm-1 at 127.0.0.1:"), "{error}");
}
