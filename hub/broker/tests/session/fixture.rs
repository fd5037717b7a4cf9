//! Sessions and packets to begin with.

use bytes::Bytes;
use hub_broker::session::packet::{ConnectProperties, Filter, RetainHandling, Subscribe, Will};
use hub_broker::session::{
    Access, CloseReason, Connect, Event, Incoming, Login, Message, Outgoing, Publish, Session, SessionLimits, Verdict,
    Version,
};
use hub_core::id::DeviceId;
use hub_store::session::KeptSession;
use std::time::{Duration, Instant};

pub use Version::{V4, V5};

pub const LIMITS: SessionLimits = SessionLimits {
    connect_patience: Duration::from_secs(10),
    login_patience: Duration::from_secs(10),
    keep_alive_cap: Duration::from_mins(15),
    in_flight_max: 4,
    connect_bytes_max: 8 * 1024,
    packet_bytes_max: 16 * 1024,
    session_expiry_max_s: 3600,
};

pub fn start() -> Instant {
    Instant::now()
}

pub fn new() -> Session {
    Session::new(LIMITS, None, 1, start())
}

/// A CONNECT of `acme/washer` with a clean start and a keepalive of a minute.
pub fn hello(version: Version) -> Connect {
    Connect {
        version,
        client_id: true,
        clean_start: true,
        keep_alive_s: 60,
        login: Some(Login {
            user_name: "acme/washer".into(),
            password: "secret".into(),
        }),
        will: None,
        properties: ConnectProperties::default(),
    }
}

pub fn washer() -> DeviceId {
    DeviceId::new("washer").unwrap()
}

pub fn device(kept: Option<KeptSession>) -> Access {
    Access::Device { id: washer(), kept }
}

/// Hands the CONNECT in and lets the store say who it is; what comes of that is still to be polled.
pub fn greet(connect: Connect, access: Access) -> Session {
    let mut session = new();
    session.handle_packet(Incoming::Connect(Box::new(connect)), start());
    assert!(matches!(session.poll_event(), Some(Event::Authenticate(_))));
    session.handle_verdict(Verdict::Accepted(access), start());
    session
}

/// Connected; the store keeps whatever it is asked to keep.
pub fn open(connect: Connect, access: Access) -> Session {
    let mut session = greet(connect, access);
    settle_store(&mut session);
    assert!(session.wants_packet(), "connected");
    let _ = transmitted(&mut session);
    session
}

/// A device that is connected with a clean start.
pub fn opened(version: Version) -> Session {
    open(hello(version), device(None))
}

/// A device with a session that is kept.
pub fn opened_durable(version: Version) -> Session {
    open(durable(version), device(None))
}

pub fn durable(version: Version) -> Connect {
    let mut connect = hello(version);
    connect.clean_start = false;
    if version == V5 {
        connect.properties.session_expiry_s = Some(600);
    }
    connect
}

/// Answers what the store is asked about the session; gives all events.
pub fn settle_store(session: &mut Session) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some(event) = session.poll_event() {
        if matches!(event, Event::DropSession | Event::KeepSession(_)) {
            session.handle_session_kept(true, start());
        }
        events.push(event);
    }
    events
}

pub fn events(session: &mut Session) -> Vec<Event> {
    std::iter::from_fn(|| session.poll_event()).collect()
}

pub fn transmitted(session: &mut Session) -> Vec<Outgoing> {
    std::iter::from_fn(|| session.poll_transmit()).collect()
}

pub fn closed(session: &mut Session) -> Option<CloseReason> {
    events(session).into_iter().find_map(|event| match event {
        Event::Closed(reason) => Some(reason),
        _ => None,
    })
}

pub fn publish(topic: &str, qos: u8, packet_id: u16) -> Incoming {
    Incoming::Publish(Publish {
        qos,
        packet_id,
        retain: false,
        alias: None,
        message: Message::new(topic.as_bytes(), b"x"),
    })
}

pub fn will(topic: &str, delay_s: u32) -> Will {
    let Incoming::Publish(publish) = publish(topic, 1, 0) else {
        unreachable!("made one line above")
    };
    Will { publish, delay_s }
}

pub fn subscribe(packet_id: u16, filters: &[&str]) -> Incoming {
    let filter = |path: &&str| Filter {
        path: (*path).to_owned(),
        qos: 2,
        retain_as_published: false,
        retain_handling: RetainHandling::Always,
    };
    Incoming::Subscribe(Box::new(Subscribe {
        packet_id,
        filters: filters.iter().map(filter).collect(),
        identifier: false,
    }))
}

pub fn unsubscribe(packet_id: u16, filters: &[&str]) -> Incoming {
    Incoming::Unsubscribe {
        packet_id,
        filters: filters.iter().map(|filter| (*filter).to_owned()).collect(),
    }
}

pub const DISCONNECT: Incoming = Incoming::Disconnect {
    reason: 0,
    session_expiry_s: None,
};

pub fn json() -> Bytes {
    Bytes::from_static(b"{}")
}
