//! As much as goes, for minutes: devices that send what they have gathered, a reading a second of the last twenty hours, and
//! a model scores every one. Each is held to the pace at which that lasts until the end, so that no minute is slow because a
//! device has run out of readings.

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
use tokio::time::{Instant, sleep_until};

/// What a million appliances send that report once a minute.
const RATE: f64 = 16_667.0;
/// The last three minutes against the second to the fourth.
const KEPT: f64 = 0.85;
/// How far the scorer may be behind, and how much farther in the end than early, in seconds.
const LAG_S: f64 = 60.0;
const LAG_GROWTH_S: f64 = 5.0;
/// Readings under way of one device.
const WINDOW: usize = 16;
/// What a device has gathered: so long, and so many readings.
const GATHERED: Duration = Duration::from_secs(20 * 3600);
const STAMPS: u64 = GATHERED.as_millis() as u64 / STEP_MS as u64;
/// A device that is ahead of its pace rests so long: a timer for each reading would be the client's greatest cost.
const REST: Duration = Duration::from_millis(50);
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

impl Flood {
    /// Readings a second of one device with which its stamps last the minutes of JSON. Those of CBOR are held to the same.
    fn each_s(&self) -> f64 {
        STAMPS as f64 / (self.minute * self.json).as_secs_f64()
    }
}

/// Measures both, each with a site of its own.
///
/// # Errors
/// Something does not work, a device runs out of readings, or an acknowledged reading is not stored.
pub async fn measure(plan: &Plan, bars: &mut Bars) -> Result<()> {
    let offered = plan.flood.each_s() * plan.flood.devices as f64;
    for (form, minutes) in [(Form::Json, plan.flood.json), (Form::Cbor, plan.flood.cbor)] {
        println!(
            "as much as goes from {} devices as {}, offered at most {offered:.0} readings a second",
            plan.flood.devices,
            form.name()
        );
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
    let mut probe = site.probe().await?;
    let pace = Pace {
        begun: Instant::now(),
        each_s: plan.flood.each_s(),
        lasts: minute * minutes,
    };
    let mut sending = JoinSet::new();
    for (number, stream) in streams.into_iter().enumerate() {
        let device = Device {
            number: number as u64,
            form,
            topic: form.topic(&identities[number].device),
            from_ms,
            pace,
            next: 0,
            packet_id: 0,
            under_way: VecDeque::new(),
        };
        sending.spawn(device.send(stream, totals.clone(), enough.clone()));
    }
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

/// When a device may send which reading. After a delay it may catch up, but it is never ahead.
#[derive(Debug, Clone, Copy)]
struct Pace {
    begun: Instant,
    /// Readings a second.
    each_s: f64,
    /// The minutes that are measured.
    lasts: Duration,
}

impl Pace {
    /// How many readings it may have sent when so much time has passed.
    fn allowed(&self, elapsed: Duration) -> u64 {
        ((elapsed.as_secs_f64() * self.each_s) as u64).min(STAMPS)
    }

    /// Whether it may go on, `next` readings being sent.
    fn has_more(&self, next: u64, elapsed: Duration) -> Result<bool> {
        ensure!(
            next < STAMPS || elapsed >= self.lasts,
            "has sent all its {STAMPS} readings after {:.1} s of {:.1}: what follows would say nothing of the hub",
            elapsed.as_secs_f64(),
            self.lasts.as_secs_f64()
        );
        Ok(next < STAMPS)
    }
}

/// A device with its outbox.
struct Device {
    number: u64,
    form: Form,
    topic: String,
    from_ms: i64,
    pace: Pace,
    next: u64,
    packet_id: u16,
    under_way: VecDeque<(u16, Instant)>,
}

impl Device {
    async fn send(mut self, mut stream: TcpStream, totals: Arc<Totals>, enough: Arc<AtomicBool>) -> Result<()> {
        let mut buffer = [0; READ_BYTES];
        let mut filled = 0;
        loop {
            let elapsed = self.pace.begun.elapsed();
            let more = !enough.load(Ordering::Relaxed)
                && self
                    .pace
                    .has_more(self.next, elapsed)
                    .with_context(|| self.topic.clone())?;
            if more {
                let packets = self.packets(self.pace.allowed(elapsed), &totals)?;
                stream.write_all(&packets).await?;
            }
            if self.under_way.is_empty() && !more {
                return Ok(());
            }
            // With all under way that may be, the next thing is an acknowledgement.
            let is_early = more && self.under_way.len() < WINDOW;
            let read = tokio::select! {
                read = stream.read(&mut buffer[filled..]) => read?,
                () = sleep_until(Instant::now() + REST), if is_early => continue,
            };
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

    /// As many as may be under way and may have been sent by now.
    fn packets(&mut self, allowed: u64, totals: &Totals) -> Result<Vec<u8>> {
        let mut packets = Vec::new();
        let now = Instant::now();
        while self.under_way.len() < WINDOW && self.next < allowed {
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

#[cfg(test)]
mod tests {
    use super::{Pace, STAMPS};
    use crate::steady::Plan;
    use std::time::Duration;
    use tokio::time::Instant;

    #[test]
    fn the_stamps_of_a_device_last_until_the_end_and_no_longer() {
        let flood = Plan::full().flood;
        assert_eq!((STAMPS, flood.each_s() * flood.devices as f64), (72_000, 37_500.0));
        let pace = Pace {
            begun: Instant::now(),
            each_s: flood.each_s(),
            lasts: flood.minute * flood.json,
        };
        let sent = [0, 1, 240, 480, 900].map(|seconds| pace.allowed(Duration::from_secs(seconds)));
        assert_eq!(sent, [0, 150, 36_000, STAMPS, STAMPS]);
    }

    #[test]
    fn a_device_that_runs_out_within_the_minutes_is_an_error() {
        let pace = Pace {
            begun: Instant::now(),
            each_s: 1.0,
            lasts: Duration::from_secs(480),
        };
        let has_more = |next, seconds| pace.has_more(next, Duration::from_secs(seconds));
        assert!(has_more(STAMPS - 1, 479).unwrap() && has_more(0, 500).unwrap());
        assert!(!has_more(STAMPS, 480).unwrap());
        let told = has_more(STAMPS, 240).unwrap_err().to_string();
        assert!(
            told.starts_with("has sent all its 72000 readings after 240.0 s of 480.0"),
            "{told}"
        );
    }
}
