//! As much as goes, for minutes: devices that send what they have gathered, a reading a second of the last twenty hours, and
//! a model scores every one.

use super::Plan;
use super::fleet::{Form, Totals};
use super::minute::Minute;
use super::site::Site;
use crate::bar::Bars;
use crate::client::{Identity, connect_all};
use crate::reading::identity;
use anyhow::{Context, Result, ensure};
use hub_core::clock::{CivilClock, SystemClock};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tests_hub::rig::{self, Reading, STEP_MS};
use tests_mqtt::{first, publish};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// What a million appliances send that report once a minute.
const RATE: f64 = 16_667.0;
/// The last three minutes against the second to the fourth.
const KEPT: f64 = 0.85;
/// How far the scorer may be behind, and how much farther in the end than early, in seconds.
const LAG_S: f64 = 60.0;
const LAG_GROWTH_S: f64 = 5.0;
/// Readings under way of one device.
const WINDOW: usize = 16;
/// What a device has gathered.
const GATHERED: Duration = Duration::from_secs(20 * 3600);
const PUBACK: u8 = 0x40;
const READ_BYTES: usize = 512;
/// What is left in the end is scored within this.
const SCORED_WITHIN: Duration = Duration::from_secs(300);
const BOOT: u64 = 41;

/// How much is sent.
#[derive(Debug, Clone, Copy)]
pub struct Flood {
    /// Devices.
    pub devices: usize,
    /// One measured minute; another length only where nothing is said about speed.
    pub minute: Duration,
    /// Minutes as JSON.
    pub json: u32,
    /// Minutes as CBOR; printed only.
    pub cbor: u32,
}

/// Measures both.
///
/// # Errors
/// Something does not work, or an acknowledged reading is not stored.
pub async fn measure(plan: &Plan, bars: &mut Bars) -> Result<()> {
    for (form, minutes) in [(Form::Json, plan.flood.json), (Form::Cbor, plan.flood.cbor)] {
        println!("as much as goes from {} devices as {}", plan.flood.devices, form.name());
        let measured = flood(plan, form, minutes).await?;
        if form == Form::Json {
            judge(&measured, bars)?;
        }
    }
    Ok(())
}

async fn flood(plan: &Plan, form: Form, minutes: u32) -> Result<Vec<Minute>> {
    let Flood { devices, minute, .. } = plan.flood;
    let mut site = Site::new(devices, None).await?;
    site.serve().await?;
    let identities: Vec<Identity> = (0..devices).map(identity).collect();
    let streams = connect_all(site.lab.mqtt, &identities).await?;
    let from_ms = SystemClock.now().as_millisecond() - i64::try_from(GATHERED.as_millis())?;
    let (totals, enough) = (Arc::new(Totals::default()), Arc::new(AtomicBool::new(false)));
    let mut sending = JoinSet::new();
    for (number, stream) in streams.into_iter().enumerate() {
        let device = Device {
            number: number as u64,
            form,
            topic: form.topic(&identities[number].device),
            from_ms,
            next: 0,
            packet_id: 0,
            under_way: VecDeque::new(),
        };
        sending.spawn(device.send(stream, totals.clone(), enough.clone()));
    }
    let mut probe = site.probe().await?;
    let measured = probe.minutes(&totals, minute, minutes).await;
    enough.store(true, Ordering::Relaxed);
    while let Some(ended) = sending.join_next().await {
        ended??;
    }
    let measured = measured?;
    let left = probe.scored(SCORED_WITHIN).await?;
    println!("  all is scored {:.1} s after the last reading", left.as_secs_f64());
    drop(probe);
    site.stop().await?;
    let (rows, acknowledged) = (site.rows().await?, totals.acknowledged());
    ensure!(rows == acknowledged, "{acknowledged} acknowledged, {rows} stored");
    Ok(measured)
}

fn judge(minutes: &[Minute], bars: &mut Bars) -> Result<()> {
    let early = Minute::sum(minutes.get(1..4).context("fewer than four minutes")?);
    let late = Minute::sum(&minutes[minutes.len() - 3..]);
    let all = Minute::sum(minutes);
    // What the hub does not tell is not held.
    let lag = |of: &Minute| of.lags.scoring.unwrap_or(f64::NAN);
    bars.at_least("flood_json_readings_s", all.rate(), RATE);
    bars.at_least("flood_json_last_to_early", late.rate() / early.rate(), KEPT);
    bars.at_most("flood_json_scoring_lag_s", lag(&all), LAG_S);
    bars.at_most(
        "flood_json_scoring_lag_growth_s",
        lag(&late) - lag(&early),
        LAG_GROWTH_S,
    );
    Ok(())
}

/// A device with its outbox.
struct Device {
    number: u64,
    form: Form,
    topic: String,
    from_ms: i64,
    next: u64,
    packet_id: u16,
    under_way: VecDeque<(u16, Instant)>,
}

impl Device {
    async fn send(mut self, mut stream: TcpStream, totals: Arc<Totals>, enough: Arc<AtomicBool>) -> Result<()> {
        let most = GATHERED.as_millis() as u64 / STEP_MS as u64;
        let mut buffer = [0; READ_BYTES];
        let mut filled = 0;
        loop {
            let more = !enough.load(Ordering::Relaxed) && self.next < most;
            if more {
                let packets = self.packets(&totals)?;
                stream.write_all(&packets).await?;
            }
            if self.under_way.is_empty() {
                return Ok(());
            }
            let read = stream.read(&mut buffer[filled..]).await?;
            ensure!(read > 0, "{}: the hub closed the connection", self.topic);
            filled += read;
            let mut at = 0;
            while let Some((kind, body, end)) = first(&buffer[at..filled]) {
                let (id, sent) = self.under_way.pop_front().context("nothing was sent")?;
                let said = &buffer[at + body..at + end];
                ensure!(
                    kind == PUBACK && said == id.to_be_bytes(),
                    "{}: not the acknowledgement of {id}: {kind:#x} {said:?}",
                    self.topic
                );
                totals.acknowledge(sent);
                at += end;
            }
            buffer.copy_within(at..filled, 0);
            filled -= at;
        }
    }

    /// As many as may be under way.
    fn packets(&mut self, totals: &Totals) -> Result<Vec<u8>> {
        let mut packets = Vec::new();
        let now = Instant::now();
        while self.under_way.len() < WINDOW {
            let reading = Reading::new(self.number, self.next, false);
            let at_ms = self.from_ms + i64::try_from(self.next)? * STEP_MS;
            let payload = match self.form {
                Form::Json => {
                    let mut payload = Vec::new();
                    reading.write_json(at_ms, &mut payload);
                    payload
                }
                Form::Cbor => rig::cbor(BOOT, self.next, at_ms, &[reading])?,
            };
            self.next += 1;
            self.packet_id = self.packet_id.checked_add(1).unwrap_or(1);
            packets.extend(publish(&self.topic, self.packet_id, &payload));
            self.under_way.push_back((self.packet_id, now));
            totals.sent();
        }
        Ok(packets)
    }
}
