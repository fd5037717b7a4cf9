//! On a runtime with threads: many agents as tasks, each with a hub that follows a script.

use agent_sdk_async::{Buffers, Clock, Device, run};
use agent_sdk_core::{Event, Identity, Lane, Overflow, Publish, Qos, Reason, Session, Settings};
use embedded_io_adapters::tokio_1::FromTokio;
use std::time::Duration;
use tests_agent::replier::{CONNACK, CONNECT, DISCONNECT};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;
use tokio::time::Instant;

const IDENTITY: Identity<'static> = Identity {
    client_id: "wm",
    credentials: None,
    will: None,
    topic_prefix: "d/wm/",
    subscriptions: &[],
};

struct Machine {
    start: Instant,
}

impl Clock for Machine {
    fn now_ms(&self) -> u64 {
        self.start.elapsed().as_millis() as u64
    }

    async fn sleep_until(&self, at_ms: u64) {
        let limit = Duration::from_millis(at_ms.saturating_sub(self.now_ms()));
        tokio::time::sleep(limit).await;
    }
}

/// Reports what another task hands it, and says goodbye once all of it has arrived.
struct Reporter {
    readings: mpsc::Receiver<u8>,
    reading: Option<u8>,
    has_more: bool,
}

impl Device<Session<'_>> for Reporter {
    fn turn(&mut self, session: &mut Session<'_>, _: u64) -> u64 {
        if let Some(reading) = self.reading.take() {
            let report = Publish {
                lane: Lane::Telemetry,
                topic: "t",
                payload: &[reading],
                qos: Qos::AtLeastOnce,
                retain: false,
                overflow: Overflow::DropOldest,
            };
            session.publish(&report).expect("there is room");
        }
        if !self.has_more && session.is_outbox_empty() {
            session.close();
        }
        u64::MAX
    }

    fn event(&mut self, _: Event<'_>, _: u64) {}

    async fn wake(&mut self) {
        if self.has_more {
            self.reading = self.readings.recv().await;
            self.has_more = self.reading.is_some();
        } else {
            std::future::pending().await
        }
    }
}

/// A PUBLISH or a PUBACK of what the agents here report.
fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    [&[first, body.len() as u8][..], body].concat()
}

async fn expect(from_agent: &mut (impl AsyncRead + Unpin), bytes: &[u8]) {
    let mut room = vec![0; bytes.len()];
    from_agent.read_exact(&mut room).await.expect("the agent goes on");
    assert_eq!(room, bytes);
}

/// Reads on while it writes, as a hub does: the agent reads nothing while it writes, so a hub that did the same would wait
/// for an agent that waits for it, once the pipe between them is full in both directions.
async fn hub(stream: DuplexStream, readings: u8) {
    let (mut from_agent, mut to_agent) = tokio::io::split(stream);
    expect(&mut from_agent, CONNECT).await;
    to_agent.write_all(CONNACK).await.expect("the agent goes on");
    let (arrived, mut to_acknowledge) = mpsc::channel(usize::from(readings));
    let receive = async {
        for reading in 0..readings {
            let id = reading + 1;
            let publish = packet(0x32, &[0, 6, b'd', b'/', b'w', b'm', b'/', b't', 0, id, reading]);
            expect(&mut from_agent, &publish).await;
            arrived.send(id).await.expect("the other half goes on");
        }
        expect(&mut from_agent, DISCONNECT).await;
        assert_eq!(from_agent.read(&mut [0]).await.expect("an end"), 0, "nothing follows");
    };
    let acknowledge = async {
        for _ in 0..readings {
            let id = to_acknowledge.recv().await.expect("the other half goes on");
            // One byte at a time: the agent waits in the midst of a packet.
            for byte in packet(0x40, &[0, id]) {
                to_agent.write_all(&[byte]).await.expect("the agent goes on");
                tokio::task::yield_now().await;
            }
        }
    };
    tokio::join!(receive, acknowledge);
}

async fn agent(stream: DuplexStream, readings: mpsc::Receiver<u8>, seed: u32) -> std::io::Result<Reason> {
    let (mut outbox, mut receive) = ([0; 512], [0; 64]);
    let mut session = Session::new(&mut outbox, &mut receive, Settings::DEFAULT, seed).expect("large enough");
    let mut transport = FromTokio::new(stream);
    let buffers = Buffers {
        receive: &mut [0; 64],
        transmit: &mut [0; 64],
    };
    let clock = Machine { start: Instant::now() };
    let mut device = Reporter {
        readings,
        reading: None,
        has_more: true,
    };
    run(&mut session, &IDENTITY, &mut transport, buffers, &clock, &mut device, 0).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_are_tasks_of_a_runtime_with_threads() {
    const READINGS: u8 = 20;
    let mut tasks = tokio::task::JoinSet::new();
    for seed in 0..50 {
        // A narrow pipe: packets come and go in pieces.
        let (near, far) = tokio::io::duplex(5);
        let (sender, receiver) = mpsc::channel(1);
        tasks.spawn(async move {
            let outcome = agent(near, receiver, seed).await;
            assert_eq!(outcome.unwrap(), Reason::Closed);
        });
        tasks.spawn(hub(far, READINGS));
        tasks.spawn(async move {
            for reading in 0..READINGS {
                sender.send(reading).await.expect("the agent goes on");
            }
        });
    }
    let all = async { while tasks.join_next().await.transpose().unwrap().is_some() {} };
    tokio::time::timeout(Duration::from_secs(60), all)
        .await
        .expect("all have ended");
}
