//! The MQTT session of one client, 3.1.1 or 5.0, without sockets, tasks, codec or store: packets and answers go in by
//! `handle_*`, packets and events come out by `poll_*`, time is an argument.
//!
//! It decides who may speak when, what a client may publish and subscribe to, how much may be under way, in which order
//! acknowledgements leave, and what of the session is kept. It never acknowledges a publish by itself:
//! [`Session::handle_committed`] does.

mod alias;
pub mod close;
mod connect;
mod end;
mod event;
mod inbound;
pub mod login;
mod open;
mod outbound;
pub mod packet;
mod publish;
pub mod reason;
mod role;
mod send;
mod subscribe;

pub use close::CloseReason;
pub use event::{Access, Event, Received, Verdict};
pub use login::{ClientCertificate, Login, LoginError};
pub use outbound::{Delivery, Outbound};
pub use packet::{Connect, Incoming, Message, Outgoing, Publish, Version};
pub use reason::Reason;
pub use role::Kind;
pub(crate) use role::kind_of;

use inbound::Inbound;
use open::Open;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Bounds of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLimits {
    /// From the connection's start to a complete CONNECT.
    pub connect_patience: Duration,
    /// For each question to the store about the session itself.
    pub login_patience: Duration,
    /// Longest keepalive; the longest silence of a client that promises none.
    pub keep_alive_cap: Duration,
    /// Publishes of this connection that may be under way: up to the commit at QoS 0 and 1, up to the release at QoS 2.
    pub in_flight_max: usize,
    /// The longest CONNECT after its fixed header, in bytes.
    pub connect_bytes_max: usize,
    /// The longest other packet after its fixed header, in bytes.
    pub packet_bytes_max: usize,
    /// The longest time for which a session is kept, in seconds; also that of every kept session of MQTT 3.1.1.
    pub session_expiry_max_s: u32,
}

/// Topic aliases of one client.
pub const TOPIC_ALIASES_MAX: u16 = 16;

#[derive(Debug)]
enum Phase {
    /// Nothing has come yet.
    Greeting {
        until: Instant,
        certificate: Option<Box<ClientCertificate>>,
    },
    /// The store is asked.
    Login { until: Instant, connect: Box<Connect> },
    /// The client is known.
    Open(Box<Open>),
    /// Over.
    Closed,
}

/// One session; see the module.
#[derive(Debug)]
pub struct Session {
    limits: SessionLimits,
    /// Tells connections apart.
    connection: u64,
    phase: Phase,
    inbound: Inbound,
    transmit: VecDeque<Outgoing>,
    events: VecDeque<Event>,
}

impl Session {
    /// A session whose connection was accepted at `now`, with the certificate that the client showed in its handshake.
    /// `connection` is another number for each connection.
    pub fn new(limits: SessionLimits, certificate: Option<ClientCertificate>, connection: u64, now: Instant) -> Self {
        Self {
            limits,
            connection,
            phase: Phase::Greeting {
                until: now + limits.connect_patience,
                certificate: certificate.map(Box::new),
            },
            inbound: Inbound::default(),
            transmit: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Whether the next packet may be handed in. Not while the store is asked: the client may send on meanwhile, and
    /// that waits in the network.
    pub fn wants_packet(&self) -> bool {
        match &self.phase {
            Phase::Greeting { .. } => true,
            Phase::Open(open) => open.pending.is_none(),
            Phase::Login { .. } | Phase::Closed => false,
        }
    }

    /// Whether only a CONNECT is acceptable.
    pub fn awaits_connect(&self) -> bool {
        matches!(self.phase, Phase::Greeting { .. })
    }

    /// The longest packet that is acceptable now, after its fixed header, in bytes.
    pub fn packet_bytes_max(&self) -> usize {
        if self.awaits_connect() {
            self.limits.connect_bytes_max
        } else {
            self.limits.packet_bytes_max
        }
    }

    /// Whether it is over.
    pub fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// What the client speaks; `None` until its CONNECT and after the end.
    pub fn version(&self) -> Option<Version> {
        match &self.phase {
            Phase::Login { connect, .. } => Some(connect.version),
            Phase::Open(open) => Some(open.version),
            Phase::Greeting { .. } | Phase::Closed => None,
        }
    }

    /// What waits for its commit: publishes and releases.
    pub fn in_flight(&self) -> usize {
        self.inbound.waiting()
    }

    /// A packet came.
    pub fn handle_packet(&mut self, packet: Incoming, now: Instant) {
        match &mut self.phase {
            Phase::Greeting { .. } => self.greeting(packet, now),
            Phase::Open(open) if open.pending.is_none() => {
                open.last_heard = now;
                self.open_packet(packet, now);
            }
            Phase::Login { .. } | Phase::Open(_) => {
                self.handle_close(CloseReason::Unexpected("packet while the store is asked"));
            }
            Phase::Closed => {}
        }
    }

    /// What this number stands for is committed.
    pub fn handle_committed(&mut self, number: u64) {
        self.inbound.settle(number, None);
        self.acknowledge();
    }

    /// It is committed, and there is something to tell: MQTT 5 has a place for it.
    pub fn handle_noted(&mut self, number: u64, note: &str) {
        let text = self.text(note);
        self.inbound.settle(number, Some((Reason::Success, text)));
        self.acknowledge();
    }

    /// It is not taken, and is not to be sent again. MQTT 3.1.1 cannot say so: above QoS 0 that ends the connection.
    pub fn handle_refused(&mut self, number: u64, reason: CloseReason) {
        let acknowledged = self
            .inbound
            .awaited(number)
            .is_some_and(|a| a != inbound::Answer::Nothing);
        if acknowledged && self.version() != Some(Version::V5) {
            return self.handle_close(reason);
        }
        let text = self.text(&reason.to_string());
        self.inbound.settle(number, Some((reason.reason(), text)));
        self.acknowledge();
    }

    /// The next packet to send.
    pub fn poll_transmit(&mut self) -> Option<Outgoing> {
        pop(&mut self.transmit)
    }

    /// The next thing to do.
    pub fn poll_event(&mut self) -> Option<Event> {
        pop(&mut self.events)
    }

    /// When [`Session::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Greeting { until, .. } | Phase::Login { until, .. } => Some(*until),
            Phase::Open(open) => Some(match &open.pending {
                Some(pending) => pending.until,
                None => open.last_heard + open.patience,
            }),
            Phase::Closed => None,
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_none_or(|due| now < due) {
            return;
        }
        match &self.phase {
            Phase::Greeting { .. } => self.handle_close(CloseReason::SilentConnect),
            Phase::Login { .. } => self.refuse(Reason::Unavailable, CloseReason::StoreDown),
            Phase::Open(open) if open.pending.is_some() => self.session_not_kept(),
            Phase::Open(_) => self.handle_close(CloseReason::KeepAlive),
            Phase::Closed => {}
        }
    }

    fn open_packet(&mut self, packet: Incoming, now: Instant) {
        match packet {
            Incoming::Publish(publish) => self.publish(publish),
            Incoming::PubAck(packet_id) => self.taken(packet_id),
            Incoming::PubRel(packet_id) => self.release(packet_id),
            Incoming::Subscribe(subscribe) => self.subscribe(*subscribe, now),
            Incoming::Unsubscribe { packet_id, filters } => self.unsubscribe(packet_id, filters, now),
            Incoming::PingReq => self.transmit.push_back(Outgoing::PingResp),
            Incoming::Disconnect {
                reason,
                session_expiry_s,
            } => self.disconnect(reason, session_expiry_s),
            Incoming::Connect(_) => self.handle_close(CloseReason::Unexpected("second CONNECT")),
            Incoming::Unexpected(name) => self.handle_close(CloseReason::Unexpected(name)),
        }
    }

    /// Sends the acknowledgements that are due; nothing is said after the end.
    fn acknowledge(&mut self) {
        if !self.is_closed() {
            self.inbound.take_due(&mut self.transmit);
            if self.inbound.is_through() {
                self.handle_close(CloseReason::InFlight);
            }
        }
    }

    /// A text for an acknowledgement, if the client wants any and has room for it (MQTT 5 §3.1.2.11.7).
    fn text(&self, text: &str) -> Option<Box<str>> {
        let Phase::Open(open) = &self.phase else { return None };
        let wanted = open.version == Version::V5 && open.problem_information;
        (wanted && open.fits(text)).then(|| text.into())
    }
}

/// Takes the first; an emptied queue gives its memory back, since most sessions are idle most of the time.
fn pop<T>(queue: &mut VecDeque<T>) -> Option<T> {
    let first = queue.pop_front();
    if first.is_none() && queue.capacity() * size_of::<T>() > QUEUE_BYTES_KEPT {
        *queue = VecDeque::new();
    }
    first
}

/// Memory of an empty queue that is not worth the way to the allocator.
const QUEUE_BYTES_KEPT: usize = 256;
