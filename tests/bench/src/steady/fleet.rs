//! Devices at a steady pace: each has a connection of its own, one task sends for all of them and a sleeping one a device
//! waits for acknowledgements. Little else can be done more cheaply, and it has to be cheap: it shares the processors with
//! what it measures.

use super::histogram::Histogram;
use crate::client::{Identity, connect_all};
use crate::reading::identity;
use anyhow::{Context, Result, bail, ensure};
use hub_core::clock::{CivilClock, SystemClock};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tests_hub::rig::{self, Reading};
use tests_mqtt::{first, publish};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// First byte of a PUBACK.
const PUBACK: u8 = 0x40;
/// Acknowledgements read at once.
const READ_BYTES: usize = 128;
/// Unacknowledged readings of one device; a hub that lets more gather does not keep up with the pace.
const UNDER_WAY_MAX: usize = 64;
/// When nothing more is sent, all is acknowledged within this.
const SETTLES_WITHIN: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);

/// How a reading is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Telemetry JSON.
    Json,
    /// Telemetry CBOR.
    Cbor,
}

impl Form {
    /// For figures.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Cbor => "cbor",
        }
    }

    /// Where a device publishes it.
    pub fn topic(self, device: &str) -> String {
        match self {
            Self::Json => format!("d/{device}/j"),
            Self::Cbor => format!("d/{device}/t"),
        }
    }
}

/// What all devices have seen so far.
#[derive(Debug, Default)]
pub struct Totals {
    sent: AtomicU64,
    acknowledged: AtomicU64,
    latency: Mutex<Histogram>,
    late_us: AtomicU64,
}

impl Totals {
    /// Readings acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// From publish to acknowledgement, of all that were acknowledged since this was asked last.
    pub fn take_latency(&self) -> Histogram {
        std::mem::take(&mut *lock(&self.latency))
    }

    /// By how much a reading was sent too late at most since this was asked last: the sender itself was kept from working.
    pub fn take_late(&self) -> Duration {
        Duration::from_micros(self.late_us.swap(0, Ordering::Relaxed))
    }

    pub(super) fn sent(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn acknowledge(&self, sent: Instant) {
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
        lock(&self.latency).add(sent.elapsed());
    }
}

/// Packet identifiers under way, oldest first, and when each was sent.
type UnderWay = Arc<Mutex<VecDeque<(u16, Instant)>>>;

struct Device {
    number: usize,
    to_hub: OwnedWriteHalf,
    topics: [String; 2],
    under_way: UnderWay,
    packet_id: u16,
    seq: u64,
}

/// Devices that are connected.
pub struct Fleet {
    devices: Vec<Device>,
    readers: JoinSet<Result<()>>,
    boot: u64,
    next: usize,
    /// What they have seen.
    pub totals: Arc<Totals>,
}

impl Fleet {
    /// Connects these devices. Their CBOR has a boot of its own, so that no number comes twice.
    ///
    /// # Errors
    /// One is not taken.
    pub async fn connect(hub: SocketAddr, devices: Range<usize>, boot: u64) -> Result<Self> {
        let identities: Vec<Identity> = devices.clone().map(identity).collect();
        let streams = connect_all(hub, &identities).await?;
        let totals = Arc::new(Totals::default());
        let mut readers = JoinSet::new();
        let mut connected = Vec::with_capacity(streams.len());
        for ((number, who), stream) in devices.zip(&identities).zip(streams) {
            let (from_hub, to_hub) = stream.into_split();
            let under_way = UnderWay::default();
            readers.spawn(read(from_hub, under_way.clone(), totals.clone()));
            connected.push(Device {
                number,
                to_hub,
                topics: [Form::Json, Form::Cbor].map(|form| form.topic(&who.device)),
                under_way,
                packet_id: 0,
                seq: 0,
            });
        }
        Ok(Self {
            devices: connected,
            readers,
            boot,
            next: 0,
            totals,
        })
    }

    /// Sends readings for so long, so many a second, of all devices in turn; each is of the moment at which it is sent.
    ///
    /// # Errors
    /// The hub closes a connection, or does not keep up.
    pub async fn pace(&mut self, form: Form, rate: f64, lasts: Duration) -> Result<()> {
        let begun = Instant::now();
        let count = (rate * lasts.as_secs_f64()).round() as u64;
        for n in 0..count {
            let due = begun + Duration::from_secs_f64(n as f64 / rate);
            if Instant::now() < due {
                sleep_until(due).await;
            }
            let late_us = u64::try_from(due.elapsed().as_micros())?;
            self.totals.late_us.fetch_max(late_us, Ordering::Relaxed);
            self.send(self.next, form).await?;
            self.next = (self.next + 1) % self.devices.len();
        }
        sleep_until(begun + lasts).await;
        self.goes_on()
    }

    /// Sends the next reading of a sound device, of this moment.
    async fn send(&mut self, at: usize, form: Form) -> Result<()> {
        let device = &mut self.devices[at];
        let now_ms = SystemClock.now().as_millisecond();
        let reading = Reading::new(device.number as u64, device.seq, false);
        let payload = match form {
            Form::Json => {
                let mut payload = Vec::new();
                reading.write_json(now_ms, &mut payload);
                payload
            }
            Form::Cbor => rig::cbor(self.boot, device.seq, now_ms, &[reading])?,
        };
        device.seq += 1;
        device.publish(form, &payload, &self.totals).await?;
        Ok(())
    }

    /// Publishes telemetry CBOR of one device; when that was.
    ///
    /// # Errors
    /// The hub closes the connection, or does not keep up.
    pub async fn publish(&mut self, at: usize, payload: &[u8]) -> Result<Instant> {
        let device = self.devices.get_mut(at).context("no such device")?;
        device.publish(Form::Cbor, payload, &self.totals).await
    }

    /// Waits until all that was sent is acknowledged.
    ///
    /// # Errors
    /// It takes too long, or the hub closes a connection.
    pub async fn settle(&mut self) -> Result<()> {
        let until = Instant::now() + SETTLES_WITHIN;
        while self.totals.acknowledged() < self.totals.sent.load(Ordering::Relaxed) {
            self.goes_on()?;
            ensure!(Instant::now() < until, "not everything is acknowledged");
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    fn goes_on(&mut self) -> Result<()> {
        match self.readers.try_join_next() {
            Some(ended) => ended?,
            None => Ok(()),
        }
    }
}

impl Device {
    async fn publish(&mut self, form: Form, payload: &[u8], totals: &Totals) -> Result<Instant> {
        let topic = &self.topics[form as usize];
        self.packet_id = self.packet_id.checked_add(1).unwrap_or(1);
        let packet = publish(topic, self.packet_id, payload);
        let sent = Instant::now();
        {
            let mut under_way = lock(&self.under_way);
            ensure!(
                under_way.len() < UNDER_WAY_MAX,
                "{topic}: {UNDER_WAY_MAX} readings are not acknowledged"
            );
            under_way.push_back((self.packet_id, sent));
        }
        totals.sent();
        self.to_hub.write_all(&packet).await?;
        Ok(sent)
    }
}

/// Takes a device's acknowledgements, which come in order.
async fn read(mut from_hub: OwnedReadHalf, under_way: UnderWay, totals: Arc<Totals>) -> Result<()> {
    let mut buffer = [0; READ_BYTES];
    let mut filled = 0;
    loop {
        let read = from_hub.read(&mut buffer[filled..]).await?;
        if read == 0 {
            bail!("the hub closed a connection");
        }
        filled += read;
        let mut at = 0;
        while let Some((kind, body, end)) = first(&buffer[at..filled]) {
            let (id, sent) = lock(&under_way).pop_front().context("nothing was sent")?;
            let said = &buffer[at + body..at + end];
            ensure!(
                kind == PUBACK && said == id.to_be_bytes(),
                "not the acknowledgement of {id}: {kind:#x} {said:?}"
            );
            totals.acknowledge(sent);
            at += end;
        }
        buffer.copy_within(at..filled, 0);
        filled -= at;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
