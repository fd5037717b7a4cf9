//! A device that never stops: it reconnects, resends what was not acknowledged, and goes on.

use super::packet::{Answer, Version, release};
use agent_sdk_wire::{Header, TelemetryEncoder, TimeBase, Value};
use anyhow::{Context, Result, bail};
use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Messages under way.
const WINDOW: usize = 8;
/// A new message each.
const PACE: Duration = Duration::from_millis(40);
/// Between two tries to connect.
const PAUSE: Duration = Duration::from_millis(100);
/// A hub that lives answers sooner, with a crash recovery between.
const PATIENCE: Duration = Duration::from_secs(40);
const BOOT: u64 = 7;

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
    /// Time of the first reading.
    pub(super) from_ms: i64,
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
    /// Publishes until `enough`, and then until everything is acknowledged.
    pub(super) async fn run(self, enough: CancellationToken) -> Result<()> {
        let mut outbox = Outbox::default();
        loop {
            if let Ok(stream) = TcpStream::connect(self.hub).await {
                let _ = stream.set_nodelay(true);
                match self.talk(stream, &mut outbox, &enough).await? {
                    Over::Done => return Ok(()),
                    Over::Cut => {}
                }
            }
            sleep(PAUSE).await;
        }
    }

    async fn talk(&self, stream: TcpStream, outbox: &mut Outbox, enough: &CancellationToken) -> Result<Over> {
        let (reader, mut writer) = stream.into_split();
        let mut reader = BufReader::new(reader);
        if writer.write_all(&self.version.connect(&self.device)).await.is_err() {
            return Ok(Over::Cut);
        }
        match self.answer(&mut reader).await? {
            Some(Answer::Connected(0)) => {}
            // The store is away, or the hub is stopping: try again.
            Some(Answer::Connected(3 | 0x88 | 0x89 | 0x97)) | None => return Ok(Over::Cut),
            Some(other) => bail!("{} was not taken: {other:?}", self.device),
        }
        self.counters.connections.fetch_add(1, Ordering::Relaxed);
        if self.resend(&mut writer, outbox).await.is_err() {
            return Ok(Over::Cut);
        }
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let more = !enough.is_cancelled() && outbox.flights.len() < WINDOW;
            if outbox.flights.is_empty() && !more {
                let _ = writer.write_all(&[0xE0, 0]).await;
                return Ok(Over::Done);
            }
            tokio::select! {
                _ = pace.tick(), if more => {
                    let packet = self.publish(outbox)?;
                    if writer.write_all(&packet).await.is_err() {
                        return Ok(Over::Cut);
                    }
                }
                () = enough.cancelled(), if more => {}
                // Not torn: whatever is read of a packet is in the reader's buffer until all of it is.
                ready = reader_has_packet(&mut reader) => {
                    if !ready {
                        return Ok(Over::Cut);
                    }
                    let Some(answer) = self.answer(&mut reader).await? else {
                        return Ok(Over::Cut);
                    };
                    match self.note(outbox, answer)? {
                        Some(packet) if writer.write_all(&packet).await.is_err() => return Ok(Over::Cut),
                        _ => {}
                    }
                }
            }
        }
    }

    /// The next packet; `None` if the connection was cut.
    async fn answer(&self, reader: &mut BufReader<OwnedReadHalf>) -> Result<Option<Answer>> {
        let packet = timeout(PATIENCE, read_packet(reader))
            .await
            .with_context(|| format!("{}: the hub neither answers nor closes", self.device))?;
        let Some((kind, body)) = packet else {
            return Ok(None);
        };
        let answer = Answer::read(kind, &body).with_context(|| format!("a cut packet {kind:#x}"))?;
        match answer {
            // Server shutting down, and what a hub may say while its database is away.
            Answer::Other(0xE0, 0x88 | 0x89 | 0x8B | 0x8E | 0x97) => Ok(None),
            Answer::Other(kind, reason) => bail!("{}: unexpected {kind:#x} with reason {reason:#x}", self.device),
            answer => Ok(Some(answer)),
        }
    }

    async fn resend(&self, writer: &mut OwnedWriteHalf, outbox: &Outbox) -> std::io::Result<()> {
        for flight in &outbox.flights {
            let packet = if flight.received {
                release(flight.id)
            } else {
                self.packet(flight, true)
            };
            writer.write_all(&packet).await?;
            self.counters.resent.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    fn packet(&self, flight: &Flight, again: bool) -> Vec<u8> {
        let topic = format!("d/{}/t", self.device);
        let qos = if self.exactly_once { 2 } else { 1 };
        self.version.publish(&topic, flight.id, &flight.payload, qos, again)
    }

    /// The PUBLISH of a new message.
    fn publish(&self, outbox: &mut Outbox) -> Result<Vec<u8>> {
        let number = outbox.next;
        outbox.next += 1;
        let header = Header {
            time_base: TimeBase::Utc,
            boot_id: BOOT,
            seq: number,
            t0_ms: self.from_ms + i64::try_from(number)?,
        };
        let mut buffer = [0; 128];
        let mut encoder = TelemetryEncoder::new(&mut buffer, &header)?;
        encoder.push(0, &[(1, Value::Int(1)), (2, Value::F32((number % 100) as f32 / 8.0))])?;
        let flight = Flight {
            // Never one that is under way: the window is far smaller.
            id: u16::try_from(number % u64::from(u16::MAX))? + 1,
            payload: encoder.finish()?.to_vec(),
            received: false,
        };
        let packet = self.packet(&flight, false);
        outbox.flights.push_back(flight);
        Ok(packet)
    }

    /// Takes an answer; what has to be said to it.
    fn note(&self, outbox: &mut Outbox, answer: Answer) -> Result<Option<Vec<u8>>> {
        let (Answer::Acknowledged(id) | Answer::Received(id) | Answer::Complete(id)) = answer else {
            bail!("{}: a second {answer:?}", self.device);
        };
        let at = outbox.flights.iter().position(|flight| flight.id == id);
        let at = at.with_context(|| format!("{}: {answer:?} was not asked for", self.device))?;
        let flight = &mut outbox.flights[at];
        match (answer, self.exactly_once, flight.received) {
            (Answer::Acknowledged(_), false, _) => {
                outbox.flights.remove(at);
                self.counters.acknowledged.fetch_add(1, Ordering::Relaxed);
                Ok(None)
            }
            (Answer::Received(_), true, before) => {
                flight.received = true;
                self.counters
                    .acknowledged
                    .fetch_add(u64::from(!before), Ordering::Relaxed);
                Ok(Some(release(id)))
            }
            (Answer::Complete(_), true, true) => {
                outbox.flights.remove(at);
                Ok(None)
            }
            _ => bail!("{}: {answer:?} out of turn", self.device),
        }
    }
}

/// Waits for the first byte of a packet; false at the connection's end.
async fn reader_has_packet(reader: &mut BufReader<OwnedReadHalf>) -> bool {
    use tokio::io::AsyncBufReadExt;
    reader.fill_buf().await.is_ok_and(|bytes| !bytes.is_empty())
}

/// First byte and body; `None` at the connection's end.
async fn read_packet(reader: &mut BufReader<OwnedReadHalf>) -> Option<(u8, Vec<u8>)> {
    let kind = reader.read_u8().await.ok()?;
    // Every answer to a publisher is shorter than 128 bytes but for a CONNACK or DISCONNECT with a long text.
    let mut length = usize::from(reader.read_u8().await.ok()?);
    if length >= 0x80 {
        length = (length & 0x7F) | usize::from(reader.read_u8().await.ok()?) << 7;
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).await.ok()?;
    Some((kind, body))
}
