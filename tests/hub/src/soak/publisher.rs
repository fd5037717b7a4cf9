//! A device that never stops: it reconnects, resends what was not acknowledged, and goes on.

use crate::site::SECRET;
use anyhow::{Context, Result, bail};
use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tests_mqtt::{AN_HOUR, Client, Connect, Version, again, release};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

/// Messages under way.
const WINDOW: usize = 8;
/// Between two tries to connect.
const PAUSE: Duration = Duration::from_millis(100);

// First bytes of packets.
const CONNACK: u8 = 0x20;
const PUBACK: u8 = 0x40;
const PUBREC: u8 = 0x50;
const PUBCOMP: u8 = 0x70;
const DISCONNECT: u8 = 0xE0;

/// What a device says, and when.
pub struct Feed {
    /// The payload of each message by its number, the same each time.
    pub payload: Box<dyn Fn(u64) -> Result<Vec<u8>> + Send + Sync>,
    /// They are telemetry JSON, not CBOR.
    pub is_json: bool,
    /// How many messages there are.
    pub count: u64,
    /// When the next one comes.
    pub pace: Pace,
}

/// When a device has something to say.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// So long after the message before; nothing gathers while it is away.
    After(Duration),
    /// One at a time from the first on, whatever happens: what gathered while it was away follows at once.
    Every(Duration),
}

impl Pace {
    /// When message `next` is due, the first of all having been due at `begun` and the one before sent at `last`.
    fn due(self, begun: Instant, next: u64, last: Option<Instant>) -> Instant {
        match (self, last) {
            (Self::After(pause), Some(last)) => last + pause,
            (Self::After(_), None) => Instant::now(),
            (Self::Every(pause), _) => begun + pause.mul_f64(next as f64),
        }
    }
}

/// What all publishers have seen.
#[derive(Debug, Default)]
pub(super) struct Counters {
    acknowledged: AtomicU64,
    resent: AtomicU64,
    connections: AtomicU64,
}

impl Counters {
    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    pub(super) fn resent(&self) -> u64 {
        self.resent.load(Ordering::Relaxed)
    }

    pub(super) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (acknowledged, resent, connections) = (self.acknowledged(), self.resent(), self.connections());
        write!(
            f,
            "{acknowledged} acknowledged, {resent} sent again, {connections} connections"
        )
    }
}

pub(super) struct Publisher {
    pub(super) hub: SocketAddr,
    pub(super) device: String,
    pub(super) version: Version,
    /// QoS 2.
    pub(super) exactly_once: bool,
    pub(super) feed: Feed,
    pub(super) counters: Arc<Counters>,
}

/// A message under way.
struct Flight {
    id: u16,
    payload: Vec<u8>,
    /// PUBREC has come; what is left is PUBREL and PUBCOMP.
    received: bool,
}

/// Messages under way, oldest first, and the next one's number.
#[derive(Default)]
struct Outbox {
    flights: VecDeque<Flight>,
    next: u64,
}

/// Why a connection is over.
enum Over {
    /// It was cut, as it happens here all the time.
    Cut,
    /// All is said and answered.
    Done,
}

impl Publisher {
    /// Publishes until `enough`, or to the end of its feed, and then until everything is acknowledged.
    pub(super) async fn run(self, enough: CancellationToken) -> Result<()> {
        let mut outbox = Outbox::default();
        let begun = Instant::now();
        loop {
            if let Ok(hub) = Client::open(self.hub).await {
                match self.talk(hub, &mut outbox, begun, &enough).await? {
                    Over::Done => return Ok(()),
                    Over::Cut => {}
                }
            }
            sleep(PAUSE).await;
        }
    }

    async fn talk(
        &self,
        mut hub: Client,
        outbox: &mut Outbox,
        begun: Instant,
        enough: &CancellationToken,
    ) -> Result<Over> {
        if hub.write_all(&self.connect()).await.is_err() {
            return Ok(Over::Cut);
        }
        match self.answer(&mut hub).await? {
            Some((CONNACK, 0)) => {}
            // The store is away, or the hub is stopping: try again.
            Some((CONNACK, 3 | 0x88 | 0x89 | 0x97)) | None => return Ok(Over::Cut),
            Some(other) => bail!("{} was not taken: {other:x?}", self.device),
        }
        self.counters.connections.fetch_add(1, Ordering::Relaxed);
        if self.resend(&mut hub, outbox).await.is_err() {
            return Ok(Over::Cut);
        }
        let mut last = None;
        let mut due = self.feed.pace.due(begun, outbox.next, last);
        loop {
            let more = !enough.is_cancelled() && outbox.next < self.feed.count && outbox.flights.len() < WINDOW;
            if outbox.flights.is_empty() && !more {
                hub.send(&[DISCONNECT, 0]).await;
                return Ok(Over::Done);
            }
            tokio::select! {
                () = sleep_until(due), if more => {
                    last = Some(Instant::now());
                    let packet = self.publish(outbox)?;
                    due = self.feed.pace.due(begun, outbox.next, last);
                    if hub.write_all(&packet).await.is_err() {
                        return Ok(Over::Cut);
                    }
                }
                () = enough.cancelled(), if more => {}
                // Not torn: the client keeps what is read of a packet until all of it is.
                ready = hub.ready() => {
                    if !ready {
                        return Ok(Over::Cut);
                    }
                    let Some(answer) = self.answer(&mut hub).await? else {
                        return Ok(Over::Cut);
                    };
                    match self.note(outbox, answer)? {
                        Some(packet) if hub.write_all(&packet).await.is_err() => return Ok(Over::Cut),
                        _ => {}
                    }
                }
            }
        }
    }

    /// A CONNECT that goes on with the session that it left.
    fn connect(&self) -> Vec<u8> {
        let user_name = format!("acme/{}", self.device);
        let who = Connect {
            version: self.version,
            client_id: &self.device,
            clean: false,
            properties: AN_HOUR,
            ..Connect::new(&user_name, SECRET)
        };
        who.bytes()
    }

    /// First byte of the next answer, which refuses no message, with its packet identifier or, of a CONNACK, its code.
    /// `None` if the connection was cut.
    async fn answer(&self, hub: &mut Client) -> Result<Option<(u8, u16)>> {
        let device = &self.device;
        let Some((kind, body)) = hub.packet().await.with_context(|| device.clone())? else {
            return Ok(None);
        };
        // A reason may be left out where it is success (MQTT 5, §3.4.2.1).
        let reason = body.get(if kind == DISCONNECT { 0 } else { 2 }).copied().unwrap_or(0);
        match (kind, reason) {
            // A PUBCOMP of what is unknown to the hub is as good: it was released before.
            (CONNACK, _) | (PUBACK | PUBREC | PUBCOMP, ..0x80) | (PUBCOMP, 0x92) => {}
            // Server shutting down, and what a hub may say while its database is away.
            (DISCONNECT, 0x88 | 0x89 | 0x8B | 0x8E | 0x97) => return Ok(None),
            _ => bail!("{device}: unexpected {kind:#x} with reason {reason:#x}"),
        }
        let [high, low] = *body.first_chunk().with_context(|| format!("a cut packet {kind:#x}"))?;
        let high = if kind == CONNACK { 0 } else { high };
        Ok(Some((kind, u16::from_be_bytes([high, low]))))
    }

    async fn resend(&self, hub: &mut Client, outbox: &Outbox) -> std::io::Result<()> {
        for flight in &outbox.flights {
            if flight.received {
                hub.write_all(&release(flight.id)).await?;
            } else {
                hub.write_all(&again(self.packet(flight))).await?;
            }
            self.counters.resent.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    fn packet(&self, flight: &Flight) -> Vec<u8> {
        let form = if self.feed.is_json { 'j' } else { 't' };
        let topic = format!("d/{}/{form}", self.device);
        let qos = if self.exactly_once { 2 } else { 1 };
        self.version.publish(qos, &topic, flight.id, &flight.payload)
    }

    /// The PUBLISH of a new message.
    fn publish(&self, outbox: &mut Outbox) -> Result<Vec<u8>> {
        let number = outbox.next;
        outbox.next += 1;
        let flight = Flight {
            // Never one that is under way: the window is far smaller.
            id: u16::try_from(number % u64::from(u16::MAX))? + 1,
            payload: (self.feed.payload)(number)?,
            received: false,
        };
        let packet = self.packet(&flight);
        outbox.flights.push_back(flight);
        Ok(packet)
    }

    /// Takes an answer; what has to be said to it.
    fn note(&self, outbox: &mut Outbox, (kind, id): (u8, u16)) -> Result<Option<[u8; 4]>> {
        let device = &self.device;
        let at = outbox.flights.iter().position(|flight| flight.id == id);
        let at = at.with_context(|| format!("{device}: {kind:#x} of {id} was not asked for"))?;
        let flight = &mut outbox.flights[at];
        match (kind, self.exactly_once, flight.received) {
            (PUBACK, false, _) => {
                outbox.flights.remove(at);
                self.counters.acknowledged.fetch_add(1, Ordering::Relaxed);
                Ok(None)
            }
            (PUBREC, true, before) => {
                flight.received = true;
                self.counters
                    .acknowledged
                    .fetch_add(u64::from(!before), Ordering::Relaxed);
                Ok(Some(release(id)))
            }
            (PUBCOMP, true, true) => {
                outbox.flights.remove(at);
                Ok(None)
            }
            _ => bail!("{device}: {kind:#x} of {id} out of turn"),
        }
    }
}
