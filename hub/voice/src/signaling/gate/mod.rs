//! The gate on the SIP socket: what comes in is looked at before the SIP library sees a byte of it, what goes out gives permits
//! back. A pulse goes through the library once a second, so that one which spins, hangs or has stopped is noticed.
//!
//! Who may pass is decided in [`door`]; here are the socket, the clock and the counters. ADR 23 says why it stands here.

mod door;
mod message;
mod rate;

use async_trait::async_trait;
use door::{Door, Reason, Verdict};
use hub_core::metric::{Metric, MetricKind};
use message::{Message, Refusal};
use rsipstack::transaction::endpoint::TransportEventInspector;
use rsipstack::transport::TransportEvent;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;

/// Messages that wait for the library to read them.
const WAITING_MAX: u64 = 1_024;
/// Between two pulses.
const PULSE: Duration = Duration::from_secs(1);
/// A library that let none through for so long does not work.
const PULSE_LATE: Duration = Duration::from_secs(5);
/// Between two tries to read a socket that gives an error: the library would try at once, and spin.
const ERROR_PAUSE: Duration = Duration::from_millis(100);
/// Between two lines of log about what was dropped.
const TOLD: Duration = Duration::from_secs(60);

/// Where a pulse comes from: no datagram can.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
/// A pulse: an answer to nothing.
const PULSE_TEXT: &[u8] = b"SIP/2.0 200 Pulse\r\nVia: SIP/2.0/UDP pulse.invalid;branch=z9hG4bKpulse\r\n\
    From: <sip:pulse.invalid>;tag=1\r\nTo: <sip:pulse.invalid>;tag=2\r\nCall-ID: pulse\r\nCSeq: 1 OPTIONS\r\n\
    Content-Length: 0\r\n\r\n";
/// What is sent to keep a way through a router open, and its answer (RFC 5626 §3.5.1).
const PING: &[u8] = b"\r\n\r\n";
const PONG: &str = "\r\n";

/// How the pulses go.
struct Pulse {
    next: Instant,
    /// When the last one was through.
    through: Instant,
    /// How many messages had gone in before the one that is under way.
    under_way: Option<u64>,
    told: Instant,
    told_dropped: u64,
}

/// Says where the trunks stand now, each with all its addresses.
type Trunks = Box<dyn Fn() -> Vec<Vec<IpAddr>> + Send + Sync>;

/// The gate of one socket.
pub(super) struct Gate {
    trunks: Trunks,
    door: Mutex<Door>,
    pulse: Mutex<Pulse>,
    /// Messages that the library was given.
    passed: AtomicU64,
    /// Of these, those that it has read.
    taken: AtomicU64,
    /// By place in `Reason::ALL`.
    dropped: [AtomicU64; Reason::ALL.len()],
    /// Times that the socket could not be read.
    failed: AtomicU64,
}

/// What becomes of a datagram.
enum Judged {
    Pass,
    Drop,
    Answer(String),
}

impl Gate {
    /// For trunks that are asked for at once and with each pulse: names are resolved again. `trunks` must answer at once.
    pub fn new(trunks: Trunks, now: Instant) -> Arc<Self> {
        Arc::new(Self {
            door: Mutex::new(Door::new(canonical(trunks()))),
            trunks,
            pulse: Mutex::new(Pulse {
                next: now,
                through: now,
                under_way: None,
                told: now,
                told_dropped: 0,
            }),
            passed: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            dropped: Default::default(),
            failed: AtomicU64::new(0),
        })
    }

    /// A call that we place to `address`, or that came from there. Its trunk's messages pass until the pass is dropped, and a
    /// little longer.
    pub fn hold(self: &Arc<Self>, call_id: String, address: IpAddr) -> CallPass {
        let carrier = self.door().hold(&call_id, address.to_canonical(), now());
        CallPass {
            gate: Arc::clone(self),
            call_id,
            carrier,
        }
    }

    /// What keeps the SIP side from working, in words.
    pub fn problem(&self, now: Instant) -> Option<String> {
        let pulse = lock(&self.pulse);
        let silent = now.duration_since(pulse.through);
        if silent < PULSE_LATE {
            return None;
        }
        let what = match pulse.under_way {
            Some(_) => "takes no messages: it spins or hangs",
            None => "reads its socket no more: it has stopped",
        };
        Some(format!(
            "the SIP side {what}, for {} s; nobody can be rung, restart the hub",
            silent.as_secs()
        ))
    }

    /// For monitoring.
    pub fn metrics(&self) -> Vec<Metric> {
        let counter = |name, help| Metric::new(name, MetricKind::Counter, help);
        let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
        let mut dropped = counter(
            "voice_sip_dropped_total",
            "SIP datagrams that were dropped or refused before the SIP side read them.",
        );
        for (reason, of) in Reason::ALL.iter().zip(&self.dropped) {
            dropped.push(&[("reason", reason.label())], count(of));
        }
        let help = "SIP messages that the SIP side was given.";
        let passed = counter("voice_sip_passed_total", help).with(&[], count(&self.passed));
        let help = "Times that the SIP socket could not be read.";
        let failed = counter("voice_sip_read_errors_total", help).with(&[], count(&self.failed));
        let help = "SIP messages that wait for the SIP side to read them.";
        let waiting = Metric::new("voice_sip_waiting", MetricKind::Gauge, help).with(&[], self.waiting());
        vec![dropped, passed, failed, waiting]
    }

    fn judge(&self, datagram: &[u8], source: IpAddr, now: Instant) -> Judged {
        let mut door = self.door();
        if !door.knows(source) {
            if !door.tells_strangers(now) {
                return self.dropped(Reason::Stranger);
            }
            let message = Message::read(datagram);
            return self.refused(message.as_ref(), Refusal::Forbidden, Reason::Stranger);
        }
        if self.waiting() >= WAITING_MAX {
            return self.dropped(Reason::Behind);
        }
        if datagram.iter().all(u8::is_ascii_whitespace) {
            return match datagram == PING && door.keeps_alive(source, now) {
                true => Judged::Answer(PONG.to_owned()),
                false => Judged::Drop,
            };
        }
        let Some(message) = Message::read(datagram) else {
            return self.dropped(Reason::Unreadable);
        };
        match door.incoming(source, &message, now) {
            Verdict::Pass => {
                self.passed.fetch_add(1, Ordering::Relaxed);
                Judged::Pass
            }
            Verdict::Drop(reason) => self.dropped(reason),
            Verdict::Refuse(refusal, reason) => self.refused(Some(&message), refusal, reason),
        }
    }

    fn dropped(&self, reason: Reason) -> Judged {
        for (at, of) in Reason::ALL.iter().zip(&self.dropped) {
            if *at == reason {
                of.fetch_add(1, Ordering::Relaxed);
            }
        }
        Judged::Drop
    }

    fn refused(&self, message: Option<&Message<'_>>, refusal: Refusal, reason: Reason) -> Judged {
        let dropped = self.dropped(reason);
        let answer = message.and_then(|message| message.refused(refusal));
        answer.map_or(dropped, Judged::Answer)
    }

    fn waiting(&self) -> u64 {
        let passed = self.passed.load(Ordering::Relaxed);
        passed.saturating_sub(self.taken.load(Ordering::Relaxed))
    }

    fn next_pulse(&self) -> Instant {
        lock(&self.pulse).next
    }

    /// Whether a pulse is to go in now; none goes while one is under way.
    fn begins_pulse(&self, now: Instant) -> bool {
        let trunks = canonical((self.trunks)());
        let mut door = self.door();
        door.set_trunks(trunks);
        door.sweep(now);
        drop(door);
        let mut pulse = lock(&self.pulse);
        pulse.next = now + PULSE;
        self.tell(&mut pulse, now);
        let begins = pulse.under_way.is_none();
        if begins {
            pulse.under_way = Some(self.passed.load(Ordering::Relaxed));
        }
        begins
    }

    /// A line about what was dropped, now and then.
    fn tell(&self, pulse: &mut Pulse, now: Instant) {
        let dropped: u64 = self.dropped.iter().map(|of| of.load(Ordering::Relaxed)).sum();
        if dropped > pulse.told_dropped && now.duration_since(pulse.told) >= TOLD {
            let more = dropped - pulse.told_dropped;
            tracing::warn!(
                more,
                "SIP datagrams were dropped or refused; see voice_sip_dropped_total for why"
            );
            (pulse.told, pulse.told_dropped) = (now, dropped);
        }
    }

    /// A pulse is through: so is all that went in before it, also what the library threw away.
    fn ends_pulse(&self, now: Instant) {
        let mut pulse = lock(&self.pulse);
        pulse.through = now;
        if let Some(passed) = pulse.under_way.take() {
            self.taken.store(passed, Ordering::Relaxed);
        }
    }

    fn door(&self) -> MutexGuard<'_, Door> {
        lock(&self.door)
    }
}

/// Addresses as the gate knows them: IPv4 is IPv4, also where an IPv6 socket shows it.
fn canonical(trunks: Vec<Vec<IpAddr>>) -> Vec<Vec<IpAddr>> {
    let all = trunks.into_iter();
    all.map(|trunk| trunk.iter().map(IpAddr::to_canonical).collect())
        .collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Holds a call open for its trunk's messages.
pub(super) struct CallPass {
    gate: Arc<Gate>,
    call_id: String,
    carrier: Arc<[IpAddr]>,
}

impl CallPass {
    /// All addresses of the trunk that the call is of, as they were when it began.
    pub fn carrier(&self) -> impl Iterator<Item = IpAddr> {
        self.carrier.iter().copied()
    }
}

impl Drop for CallPass {
    fn drop(&mut self) {
        self.gate.door().let_go(&self.call_id, now());
    }
}

/// The SIP socket behind its gate.
pub(super) struct GatedSocket {
    /// The socket.
    pub socket: UdpSocket,
    /// Its gate.
    pub gate: Arc<Gate>,
}

#[async_trait]
impl rsipstack::platform::net::UdpSocket for GatedSocket {
    async fn recv_from(&self, buf: &mut [u8]) -> rsipstack::Result<(usize, SocketAddr)> {
        loop {
            let next = tokio::time::Instant::from_std(self.gate.next_pulse());
            let received = tokio::select! {
                biased;
                () = tokio::time::sleep_until(next) => None,
                received = self.socket.recv_from(buf) => Some(received),
            };
            let (length, from) = match received {
                Some(Ok(received)) => received,
                Some(Err(error)) => {
                    tracing::debug!(%error, "the SIP socket could not be read");
                    self.gate.failed.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(ERROR_PAUSE).await;
                    continue;
                }
                None => {
                    let place = buf.get_mut(..PULSE_TEXT.len());
                    if let Some(place) = place.filter(|_| self.gate.begins_pulse(now())) {
                        place.copy_from_slice(PULSE_TEXT);
                        return Ok((PULSE_TEXT.len(), NOWHERE));
                    }
                    continue;
                }
            };
            let datagram = buf.get(..length).unwrap_or_default();
            match self.gate.judge(datagram, from.ip().to_canonical(), now()) {
                Judged::Pass => return Ok((length, from)),
                Judged::Drop => {}
                // Without waiting for room: what is lost is asked for again.
                Judged::Answer(text) => drop(self.socket.try_send_to(text.as_bytes(), from)),
            }
        }
    }

    async fn send_to(&self, buf: &[u8], addr: SocketAddr) -> rsipstack::Result<usize> {
        if let Some(message) = Message::read(buf) {
            self.gate.door().outgoing(&message, now());
        }
        Ok(self.socket.send_to(buf, addr).await?)
    }

    fn local_addr(&self) -> rsipstack::Result<SocketAddr> {
        Ok(self.socket.local_addr()?)
    }
}

/// Takes the pulses out again where the library has read them, and counts what it reads; all else goes on to `next`.
pub(super) struct PulseTaker<I> {
    /// The gate that the pulses came from.
    pub gate: Arc<Gate>,
    /// Who looks at every message next.
    pub next: I,
}

#[async_trait]
impl<I: TransportEventInspector> TransportEventInspector for PulseTaker<I> {
    async fn handle(&self, event: TransportEvent) -> Option<TransportEvent> {
        if let TransportEvent::Incoming(_, _, from) = &event {
            if from.get_socketaddr().is_ok_and(|from| from == NOWHERE) {
                self.gate.ends_pulse(now());
                return None;
            }
            self.gate.taken.fetch_add(1, Ordering::Relaxed);
        }
        self.next.handle(event).await
    }
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
