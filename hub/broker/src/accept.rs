//! From the listener to a connection that speaks MQTT: connections are bounded, handshakes have a deadline, and a client that is
//! slow or silent holds up nobody but itself.

use crate::config::BrokerConfig;
use crate::connection::Connection;
use crate::counters::{add, subtract};
use crate::mailbox::Mailbox;
use crate::quotas::Greeting;
use crate::refusals::About;
use crate::session::{CloseReason, Outgoing, Reason};
use crate::socket::{HandshakeError, Opened, Socket, Tls, Way, open};
use crate::wire::Wire;
use crate::work::Shared;
use hub_core::error_chain::in_full;
use hub_core::id::{TenantId, TraceId};
use jiff::Timestamp;
use rand::RngCore;
use rand_chacha::ChaCha8Rng;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::TaskTracker;

/// What all listeners share.
pub(crate) struct Gate {
    slots: Arc<Semaphore>,
    greetings: Arc<Semaphore>,
    refusals: Arc<Semaphore>,
    number: AtomicU64,
    random: Mutex<ChaCha8Rng>,
    /// Where the hub's own probe comes from, and how many of them arrived.
    pub(crate) probe: watch::Sender<(Option<SocketAddr>, u64)>,
}

impl Gate {
    pub(crate) fn new(config: &BrokerConfig, random: ChaCha8Rng) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(config.connections_max)),
            greetings: Arc::new(Semaphore::new(config.greetings_max)),
            refusals: Arc::new(Semaphore::new(REFUSALS_MAX)),
            number: AtomicU64::new(0),
            random: Mutex::new(random),
            probe: watch::Sender::new((None, 0)),
        }
    }

    fn is_probe(&self, peer: SocketAddr) -> bool {
        self.probe.send_if_modified(|(from, arrived)| {
            let is_probe = *from == Some(peer);
            *arrived += u64::from(is_probe);
            is_probe
        })
    }

    /// The trace id from which a connection counts up.
    fn trace(&self, now: Timestamp) -> TraceId {
        let mut bytes = [0; 10];
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        random.fill_bytes(&mut bytes);
        TraceId::new(now, bytes)
    }
}

/// One listener.
pub(crate) struct Acceptor {
    pub(crate) shared: Arc<Shared>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) tls: Option<Arc<Tls>>,
    pub(crate) tasks: TaskTracker,
}

/// One of the connections that may be open; given back whatever ends its task.
struct ConnectionSlot {
    shared: Arc<Shared>,
    number: u64,
    _permit: OwnedSemaphorePermit,
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        subtract(&self.shared.counters.connections, 1);
        self.shared.registry.forget(self.number);
    }
}

impl Acceptor {
    pub(crate) async fn run(self, listener: TcpListener) {
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.shared.stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => self.take(stream, peer),
                Err(error) => {
                    // Out of file descriptors, as a rule: the listener is still sound.
                    self.shared.accepting.failed(&error, Instant::now().into_std());
                    self.shared.refusals.note_not_accepted(&error);
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn take(&self, stream: TcpStream, peer: SocketAddr) {
        if self.gate.is_probe(peer) {
            return;
        }
        // Acknowledgements are small and awaited. Where it fails, they are only slower.
        let _ = stream.set_nodelay(true);
        let Ok(permit) = Arc::clone(&self.gate.slots).try_acquire_owned() else {
            self.refused("full", peer, &CloseReason::Full);
            self.tell_full(stream);
            return;
        };
        let greeting = Arc::clone(&self.gate.greetings).try_acquire_owned();
        let address = self.shared.quotas.greet(peer.ip(), &self.shared.config);
        let (Ok(greeting), Some(address)) = (greeting, address) else {
            return self.refused("greetings", peer, &"too many connections that have not been let in");
        };
        let number = self.gate.number.fetch_add(1, Ordering::Relaxed);
        add(&self.shared.counters.connections, 1);
        let slot = ConnectionSlot {
            shared: Arc::clone(&self.shared),
            number,
            _permit: permit,
        };
        let greeting = address.with(greeting);
        let trace = self.gate.trace(self.shared.clock.now());
        let (shared, tls) = (Arc::clone(&self.shared), self.tls.clone());
        self.tasks
            .spawn(serve(shared, stream, peer, tls, slot, greeting, trace));
    }

    fn refused(&self, label: &'static str, peer: SocketAddr, reason: &dyn std::fmt::Display) {
        refused(&self.shared, label, peer, reason);
    }

    /// Tells a client without TLS that there is no room; which version it speaks is not known yet.
    fn tell_full(&self, stream: TcpStream) {
        if self.tls.is_some() {
            return;
        }
        if let Ok(turn) = Arc::clone(&self.gate.refusals).try_acquire_owned() {
            self.tasks.spawn(async move {
                let mut wire = Wire::new(Socket::plain(stream), REFUSAL_PATIENCE);
                if wire.write(Outgoing::refusal(Reason::Unavailable)).is_ok() {
                    wire.say_goodbye().await;
                }
                drop(turn);
            });
        }
    }
}

async fn serve(
    shared: Arc<Shared>,
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<Arc<Tls>>,
    slot: ConnectionSlot,
    greeting: Greeting,
    trace: TraceId,
) {
    let mailbox = Arc::new(Mailbox::default());
    shared.registry.open(slot.number, Arc::clone(&mailbox));
    // Those that are open when the hub stops are told; this one may have come too late for that.
    if shared.stop.is_cancelled() {
        return;
    }
    let plain = tls.is_none();
    // Boxed, since it would make the task of every idle connection larger.
    let opened = Box::pin(shake_hands(&shared, stream, tls, slot.number)).await;
    match opened {
        Some(Ok(opened)) => {
            if opened.socket.way() != Way::Tcp {
                add(&shared.counters.handshakes, 1);
            }
            let connection = Connection::new(shared, opened, peer, slot.number, mailbox, greeting, trace);
            connection.run().await;
        }
        // Without TLS nothing was expected but a CONNECT.
        Some(Err(HandshakeError::Timeout)) if plain => {
            refused(
                &shared,
                CloseReason::SilentConnect.label(),
                peer,
                &CloseReason::SilentConnect,
            );
        }
        Some(Err(error)) => refused(&shared, error.label(), peer, &in_full(&error)),
        None => {}
    }
    drop(slot);
}

/// `None` where the hub stops.
async fn shake_hands(
    shared: &Shared,
    stream: TcpStream,
    tls: Option<Arc<Tls>>,
    number: u64,
) -> Option<Result<Opened, HandshakeError>> {
    let config = &shared.config;
    // Without TLS the first byte may be that of a CONNECT, which has its own time.
    let patience = if tls.is_some() {
        config.handshake_patience
    } else {
        config.connect_patience
    };
    // A WebSocket message holds a CONNECT as yet, with its fixed header.
    let message_max = config.session_limits().connect_bytes_max + FIXED_HEADER_BYTES_MAX;
    let certify = |tenant: &TenantId| shared.registry.certify(number, tenant);
    let opening = timeout(patience, open(stream, tls.as_deref(), message_max, certify));
    tokio::select! {
        biased;
        () = shared.stop.cancelled() => None,
        opened = opening => Some(opened.unwrap_or(Err(HandshakeError::Timeout))),
    }
}

fn refused(shared: &Shared, label: &'static str, peer: SocketAddr, reason: &dyn std::fmt::Display) {
    shared.counters.count_closed(label);
    let about = About {
        peer: Some(peer),
        ..About::default()
    };
    shared.refusals.note(label, about, reason);
}

/// MQTT 5 §2.1.4.
const FIXED_HEADER_BYTES_MAX: usize = 5;
/// Clients told at one time that there is no room; others are just closed.
const REFUSALS_MAX: usize = 64;
/// For each of them.
const REFUSAL_PATIENCE: Duration = Duration::from_millis(500);
/// Pause after the system refused a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
