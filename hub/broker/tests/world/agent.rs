//! A device on our own agent. Its session runs over a pipe of tokio's as on any socket, in the world's time; what it writes
//! becomes packets of the world's links, which delay and lose them.

use crate::device::{Outcome, WINDOW};
use crate::wire;
use agent_sdk_async::{Buffers, Clock};
use agent_sdk_core::{Credentials, Event, Identity, Lane, Overflow, Publish, Qos, Reason, Session, Settings, Token};
use embedded_io_adapters::tokio_1::FromTokio;
use hub_broker::session::{Incoming, Outgoing};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use tests_mqtt::first;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// More than a device has to say while the hub is away.
const OUTBOX_BYTES: usize = 256 * 1024;
/// More than a window and the commands to a device.
const PIPE_BYTES: usize = 64 * 1024;

/// When to connect is the world's to say.
const SETTINGS: Settings = Settings {
    window: WINDOW,
    backoff_base_ms: 0,
    backoff_cap_ms: 0,
    ..Settings::DEFAULT
};

/// What the world and the device have between them.
#[derive(Default)]
struct Shared {
    ms: u64,
    /// The device's end of a new connection.
    link: Option<DuplexStream>,
    /// Not in the outbox yet.
    measured: VecDeque<(u64, Vec<u8>)>,
    /// In the outbox.
    waiting: Vec<(Token, u64)>,
    outcome: Outcome,
}

pub struct Agent {
    shared: Rc<RefCell<Shared>>,
    /// The world's end of the connection.
    link: Option<DuplexStream>,
    /// The beginning of a packet.
    unread: Vec<u8>,
    life: Pin<Box<dyn Future<Output = ()>>>,
}

impl Agent {
    pub fn new(name: String, is_durable: bool, seed: u32) -> Self {
        let shared = Rc::new(RefCell::new(Shared::default()));
        Self {
            life: Box::pin(live(shared.clone(), name, is_durable, seed)),
            shared,
            link: None,
            unread: Vec::new(),
        }
    }

    pub fn set_time(&mut self, ms: u64) {
        self.shared.borrow_mut().ms = ms;
    }

    /// Hands a message in.
    pub fn push(&mut self, seq: u64, payload: Vec<u8>) {
        self.shared.borrow_mut().measured.push_back((seq, payload));
    }

    pub fn is_empty(&self) -> bool {
        let shared = self.shared.borrow();
        shared.measured.is_empty() && shared.waiting.is_empty()
    }

    pub fn connect(&mut self) -> Vec<Incoming> {
        let (near, far) = tokio::io::duplex(PIPE_BYTES);
        self.shared.borrow_mut().link = Some(near);
        // The other end of the connection before is dropped here, which the agent sees.
        self.link = Some(far);
        self.unread.clear();
        self.run()
    }

    pub fn receive(&mut self, packet: &Outgoing) -> Outcome {
        let bytes = wire::outgoing(packet);
        let link = self.link.as_mut().expect("packets come over a connection");
        let mut context = Context::from_waker(Waker::noop());
        let written = Pin::new(link).poll_write(&mut context, &bytes);
        let is_taken = matches!(written, Poll::Ready(Ok(count)) if count == bytes.len());
        assert!(is_taken, "the agent reads on: {written:?}");
        let send = self.run();
        let outcome = std::mem::take(&mut self.shared.borrow_mut().outcome);
        if let Outgoing::PubAck(ack) = packet {
            assert_eq!(outcome.acknowledged.len(), 1, "PUBACK of nothing: {ack:?}");
        }
        Outcome { send, ..outcome }
    }

    /// Lets the agent do all that there is to do now; gives what it sends.
    pub fn run(&mut self) -> Vec<Incoming> {
        // Nothing wakes it: it is looked at whenever something may have happened, and once a millisecond.
        let mut context = Context::from_waker(Waker::noop());
        assert!(self.life.as_mut().poll(&mut context).is_pending(), "a life has no end");
        let mut send = Vec::new();
        let Some(link) = &mut self.link else {
            return send;
        };
        let mut room = [0; 1_024];
        loop {
            let mut buffer = ReadBuf::new(&mut room);
            let Poll::Ready(read) = Pin::new(&mut *link).poll_read(&mut context, &mut buffer) else {
                break;
            };
            read.unwrap();
            if buffer.filled().is_empty() {
                break;
            }
            self.unread.extend_from_slice(buffer.filled());
        }
        while let Some((kind, body, end)) = first(&self.unread) {
            send.push(wire::incoming(kind, &self.unread[body..end]));
            self.unread.drain(..end);
        }
        send
    }
}

/// The device from its first connection on.
async fn live(shared: Rc<RefCell<Shared>>, name: String, is_durable: bool, seed: u32) {
    let (mut outbox, mut receive) = (vec![0; OUTBOX_BYTES], vec![0; 1_024]);
    let mut session = Session::new(&mut outbox, &mut receive, SETTINGS, seed).unwrap();
    let user_name = format!("acme/{name}");
    let topic_prefix = format!("d/{name}/");
    let identity = Identity {
        // Without an identifier the hub keeps no session.
        client_id: if is_durable { name.as_str() } else { "" },
        credentials: Some(Credentials {
            user_name: &user_name,
            password: Some("secret".as_bytes()),
        }),
        will: None,
        topic_prefix: &topic_prefix,
        subscriptions: &["c/+"],
    };
    let clock = WorldClock(shared.clone());
    let mut device = Machine(shared.clone());
    loop {
        let link = poll_fn(|_| match shared.borrow_mut().link.take() {
            Some(link) => Poll::Ready(link),
            None => Poll::Pending,
        })
        .await;
        let mut transport = FromTokio::new(link);
        let buffers = Buffers {
            receive: &mut [0; 256],
            transmit: &mut [0; 256],
        };
        let ended =
            agent_sdk_async::run(&mut session, &identity, &mut transport, buffers, &clock, &mut device, 0).await;
        assert!(matches!(ended, Ok(Reason::LinkLost) | Err(_)), "{ended:?}");
    }
}

struct WorldClock(Rc<RefCell<Shared>>);

impl Clock for WorldClock {
    fn now_ms(&self) -> u64 {
        self.0.borrow().ms
    }

    async fn sleep_until(&self, at_ms: u64) {
        poll_fn(|_| {
            if self.now_ms() >= at_ms {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}

/// What the agent asks its device.
struct Machine(Rc<RefCell<Shared>>);

impl agent_sdk_async::Device<Session<'_>> for Machine {
    fn turn(&mut self, session: &mut Session<'_>, _now_ms: u64) -> u64 {
        let mut shared = self.0.borrow_mut();
        while let Some((seq, payload)) = shared.measured.pop_front() {
            let report = Publish {
                lane: Lane::Telemetry,
                topic: "t",
                payload: &payload,
                qos: Qos::AtLeastOnce,
                retain: false,
                overflow: Overflow::DropNewest,
            };
            let token = session.publish(&report).expect("there is room");
            shared.waiting.push((token, seq));
        }
        u64::MAX
    }

    fn event(&mut self, event: Event<'_>, now_ms: u64) {
        let mut shared = self.0.borrow_mut();
        match event {
            Event::Connected { session_present } => shared.outcome.present = session_present,
            Event::Subscribed { refused } => assert_eq!(refused, 0),
            Event::Delivered(token) => {
                let at = shared.waiting.iter().position(|(waiting, _)| *waiting == token);
                let (_, seq) = shared.waiting.remove(at.expect("it is told once"));
                shared.outcome.acknowledged.push(seq);
            }
            Event::Message { topic, payload } => {
                assert_eq!(payload, b"{}");
                let topic = std::str::from_utf8(topic).unwrap();
                let (_, request) = topic.rsplit_once('/').unwrap();
                shared.outcome.commands.push(request.to_owned());
            }
            Event::Dropped { lane, count } => panic!("{count} dropped of {lane:?} at {now_ms} ms"),
            Event::Disconnected(reason) => assert_eq!(reason, Reason::LinkLost, "at {now_ms} ms"),
        }
    }

    async fn wake(&mut self) {
        poll_fn(|_| {
            if self.0.borrow().measured.is_empty() {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
    }
}
