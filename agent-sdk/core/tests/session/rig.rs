//! A session with what it sent and told, and the packets of both sides.

use agent_sdk_core::{Event, Identity, Lane, Overflow, Publish, Qos, Reason, Session, Settings};

pub const IDENTITY: Identity<'static> = Identity {
    client_id: "wm",
    credentials: None,
    will: None,
    topic_prefix: "d/wm/",
    subscriptions: &["c/+"],
};

/// Round numbers that tests count with.
pub const SETTINGS: Settings = Settings {
    keep_alive_s: 60,
    connack_limit_ms: 5_000,
    answer_limit_ms: 10_000,
    window: 3,
    backoff_base_ms: 1_000,
    backoff_cap_ms: 60_000,
};

/// The answers to CONNECT and to the SUBSCRIBE of [`IDENTITY`].
pub const CONNACK_NEW: &[u8] = &[0x20, 2, 0, 0];
pub const CONNACK_RESUMED: &[u8] = &[0x20, 2, 1, 0];
pub const SUBACK: &[u8] = &[0x90, 3, 0xFF, 0xFF, 1];
pub const PINGREQ: &[u8] = &[0xC0, 0];
pub const PINGRESP: &[u8] = &[0xD0, 0];

/// Nothing was told, nothing was sent.
pub const NOTHING: [Seen; 0] = [];
pub const NO_BYTES: [u8; 0] = [];

/// An event that outlives the receive buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    Connected(bool),
    Subscribed(u8),
    Delivered(u32),
    Message(String, Vec<u8>),
    Dropped(Lane, u32),
    Disconnected(Reason),
}

/// Memory for a session. Tests do not give it back.
pub fn memory(bytes: usize) -> &'static mut [u8] {
    vec![0; bytes].leak()
}

pub fn telemetry(payload: &[u8]) -> Publish<'_> {
    Publish {
        lane: Lane::Telemetry,
        topic: "t",
        payload,
        qos: Qos::AtLeastOnce,
        retain: false,
        overflow: Overflow::DropOldest,
    }
}

/// One packet with a body below 128 bytes.
pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let length = u8::try_from(body.len()).expect("a short body");
    assert!(length < 128, "a short body");
    [&[first, length][..], body].concat()
}

/// What the session writes for `d/wm/{topic}`; an identifier of 0 is none.
pub fn publish(first: u8, topic: &str, id: u16, payload: &[u8]) -> Vec<u8> {
    let topic = format!("d/wm/{topic}");
    let length = u8::try_from(topic.len()).expect("a short topic");
    let id = if id == 0 { Vec::new() } else { id.to_be_bytes().to_vec() };
    packet(first, &[&[0, length][..], topic.as_bytes(), &id[..], payload].concat())
}

pub fn puback(id: u16) -> Vec<u8> {
    packet(0x40, &id.to_be_bytes())
}

/// In memory of its own.
pub type Rig = Lent<'static>;

pub struct Lent<'m> {
    pub session: Session<'m>,
    pub now: u64,
    /// Bytes that are handed in, and taken out, at a time.
    pub piece: usize,
    sent: Vec<u8>,
    seen: Vec<Seen>,
}

impl Rig {
    pub fn new(outbox_bytes: usize, receive_bytes: usize, settings: Settings) -> Self {
        Self::over(memory(outbox_bytes), memory(receive_bytes), settings)
    }

    /// Connected, with its subscription answered, and nothing left to look at.
    pub fn online(outbox_bytes: usize, receive_bytes: usize) -> Self {
        let mut rig = Self::new(outbox_bytes, receive_bytes, SETTINGS);
        rig.connect(CONNACK_NEW);
        rig
    }
}

impl<'m> Lent<'m> {
    /// In memory that the test has back afterwards: for tests of a million cases.
    pub fn over(outbox: &'m mut [u8], receive: &'m mut [u8], settings: Settings) -> Self {
        let session = Session::new(outbox, receive, settings, 1);
        Self {
            session: session.expect("the receive buffer is large enough"),
            now: 1_000,
            piece: usize::MAX,
            sent: Vec::new(),
            seen: Vec::new(),
        }
    }

    /// A connection up to the answer to the subscription; what it brought is forgotten.
    pub fn connect(&mut self, connack: &[u8]) {
        self.session.handle_connected(self.now, 0);
        self.poll();
        self.receive(connack);
        self.receive(SUBACK);
        assert!(self.session.is_online());
        self.sent();
        self.seen();
    }

    /// The transport is closed by the other side.
    pub fn cut(&mut self) {
        self.session.handle_disconnected(self.now);
    }

    /// Hands bytes in, and does after each what a caller has to.
    pub fn receive(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(self.piece.min(bytes.len()).max(1)) {
            let mut rest = piece;
            while !rest.is_empty() {
                let taken = self.session.handle_bytes(rest, self.now);
                rest = &rest[taken..];
                let told = self.poll();
                assert!(taken > 0 || told, "the session stands still");
            }
        }
    }

    /// Takes out what the session has to say and to send; whether there was something.
    pub fn poll(&mut self) -> bool {
        let before = (self.seen.len(), self.sent.len());
        while let Some(event) = self.session.poll_event() {
            self.seen.push(match event {
                Event::Connected { session_present } => Seen::Connected(session_present),
                Event::Subscribed { refused } => Seen::Subscribed(refused),
                Event::Delivered(token) => Seen::Delivered(token.0),
                Event::Message { topic, payload } => Seen::Message(
                    String::from_utf8(topic.to_vec()).expect("topics are text"),
                    payload.to_vec(),
                ),
                Event::Dropped { lane, count } => Seen::Dropped(lane, count),
                Event::Disconnected(reason) => Seen::Disconnected(reason),
            });
        }
        let mut out = vec![0; self.piece.min(4_096)];
        loop {
            let written = self.session.poll_transmit(&IDENTITY, &mut out, self.now);
            if written == 0 {
                break;
            }
            self.sent.extend(&out[..written]);
        }
        before != (self.seen.len(), self.sent.len())
    }

    /// What was written since the last call.
    pub fn sent(&mut self) -> Vec<u8> {
        self.poll();
        std::mem::take(&mut self.sent)
    }

    /// What was told since the last call.
    pub fn seen(&mut self) -> Vec<Seen> {
        self.poll();
        std::mem::take(&mut self.seen)
    }
}
