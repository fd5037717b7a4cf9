//! From the reading that makes the alarm certain to the INVITE: broker, database, scorer, finding, ticket, contact and SIP,
//! beneath a steady load of other devices.

use super::Plan;
use super::fleet::{Fleet, Form};
use super::site::Site;
use super::trunk::Trunk;
use crate::bar::Bars;
use anyhow::{Context, Result, ensure};
use hub_core::clock::{CivilClock, SystemClock};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tests_hub::approval::{has_a_quiet_past, released_models};
use tests_hub::rig::{self, BATCH, Reading, STEP_MS};
use tests_hub::site::TestSite;
use tokio::time::{Instant, sleep, sleep_until};

/// From reading to INVITE at most, of 99 of a hundred, in milliseconds.
const RINGS_WITHIN_MS: f64 = 150.0;
/// A rig that all rigs here are like: with how many readings its alarm rises was asked once.
const UNIT: u64 = 1;
/// Sound readings: the baseline, and some more.
const SOUND: u64 = 300;
/// The alarm rises within so many readings of a nearly closed valve.
const WORN: u64 = 200;
/// What was sent before is scored within this.
const SCORED_WITHIN: Duration = Duration::from_secs(120);
/// A call that has not come so long after the last reading never will.
const RINGS_AT_LAST: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(50);
const BOOT: u64 = 31;

/// What is rung.
#[derive(Debug, Clone, Copy)]
pub struct Rings {
    /// Rigs whose alarm rises, at each rate of the others.
    pub count: usize,
    /// One after the other, so far apart.
    pub every: Duration,
    /// Other rigs, which are sound.
    pub others: usize,
    /// Readings a second of those.
    pub rates: [f64; 2],
}

/// Measures at each rate.
///
/// # Errors
/// Something does not work, or a rig rings whose alarm has not risen.
pub async fn measure(plan: &Plan, bars: &mut Bars) -> Result<()> {
    let Rings { count, others, .. } = plan.rings;
    let worn = count * plan.rings.rates.len();
    let trunk = Trunk::start().await?;
    let mut site = Site::new(worn + others, Some(trunk.address)).await?;
    let mut rigs = Rigs::start(&mut site, trunk, worn).await?;
    let mut sound = Fleet::connect(site.lab.mqtt, worn..worn + others, BOOT + 1).await?;
    for (turn, rate) in plan.rings.rates.into_iter().enumerate() {
        let which = turn * count..(turn + 1) * count;
        beneath(&mut rigs, &mut sound, which, rate, plan, bars).await?;
    }
    let acknowledged = rigs.readings(worn, worn) + sound.totals.acknowledged();
    drop((rigs, sound));
    site.stop().await?;
    let rows = site.rows().await?;
    ensure!(rows == acknowledged, "{acknowledged} acknowledged, {rows} stored");
    Ok(())
}

async fn beneath(
    rigs: &mut Rigs,
    sound: &mut Fleet,
    which: Range<usize>,
    rate: f64,
    plan: &Plan,
    bars: &mut Bars,
) -> Result<()> {
    let Rings { count, every, .. } = plan.rings;
    println!("{count} faults ring beneath {rate:.0} readings a second");
    let lasts = every * u32::try_from(count)?;
    let enough = AtomicBool::new(false);
    let raised = rigs.raise(which.clone(), every, &enough);
    let (sent, ()) = tokio::try_join!(raised, sound.pace(Form::Json, rate, lasts))?;
    sound.settle().await?;
    let mut taken_ms = rigs.rung(which, &sent).await?;
    taken_ms.sort_by(f64::total_cmp);
    let of = |share: f64| {
        let rank = (share * taken_ms.len() as f64).ceil().max(1.0) as usize;
        taken_ms.get(rank - 1).copied().unwrap_or(f64::NAN)
    };
    let missing = count - taken_ms.len();
    println!(
        "  reading to INVITE, ms: p50 {:.0}, p90 {:.0}, p99 {:.0}, longest {:.0}; {missing} did not ring",
        of(0.5),
        of(0.9),
        of(0.99),
        of(1.0)
    );
    bars.at_most(&format!("ring_at_{rate:.0}_not_rung"), missing as f64, 0.0);
    bars.at_most(&format!("ring_at_{rate:.0}_p99_ms"), of(0.99), RINGS_WITHIN_MS);
    Ok(())
}

/// What each rig says: sound, then worn, up to the reading with which its alarm rises. In a fleet with a quiet
/// past such an alarm is certain enough to ring, so that reading is the one that rings.
async fn story(site: &Site) -> Result<Vec<Reading>> {
    let reading = |number| Reading::new(UNIT, number, number >= SOUND);
    let mut story: Vec<Reading> = (0..SOUND + WORN).map(reading).collect();
    let alarm = rig::alarm_after(&site.lab, &story).await?;
    story.truncate(alarm.context("the model sees no fault")?);
    ensure!(story.len() as u64 > SOUND, "the model sees a fault in sound readings");
    Ok(story)
}

/// Rigs whose alarms rise.
pub(crate) struct Rigs {
    fleet: Fleet,
    trunk: Trunk,
    story: Vec<Reading>,
    from_ms: i64,
}

impl Rigs {
    /// Starts the hub of a site that has so many rigs and this trunk, and has each send all readings but the one with which its
    /// alarm rises. They are scored then.
    pub(crate) async fn start(site: &mut Site, trunk: Trunk, rigs: usize) -> Result<Self> {
        let story = story(site).await?;
        // How soon a person approves is not what is measured.
        let released = released_models(&site.lab)?;
        site.lab.models(released);
        site.serve().await?;
        has_a_quiet_past(&site.lab, "pump-rig").await?;
        let from_ms = SystemClock.now().as_millisecond() - i64::try_from(story.len())? * STEP_MS;
        let mut own = Self {
            fleet: Fleet::connect(site.lab.mqtt, 0..rigs, BOOT).await?,
            trunk,
            // The model's steps are periods of the clock, and the story was judged as one that begins with a minute.
            from_ms: from_ms - from_ms.rem_euclid(60_000),
            story,
        };
        own.begin(rigs).await?;
        site.probe().await?.scored(SCORED_WITHIN).await?;
        Ok(own)
    }

    /// How many readings so many rigs have sent, of which in so many the alarm has risen.
    pub(crate) fn readings(&self, rigs: usize, raised: usize) -> u64 {
        (rigs * self.story.len().saturating_sub(1) + raised) as u64
    }

    /// Sends all readings but the last.
    async fn begin(&mut self, rigs: usize) -> Result<()> {
        let before = self.story.split_last().context("no story")?.1;
        for (n, readings) in before.chunks(BATCH).enumerate() {
            let message = message(self.from_ms, n * BATCH, readings)?;
            for rig in 0..rigs {
                self.fleet.publish(rig, &message).await?;
            }
        }
        self.fleet.settle().await
    }

    /// Sends the last reading of one after the other, until it is enough; when each was sent. All are acknowledged then.
    pub(crate) async fn raise(
        &mut self,
        which: Range<usize>,
        every: Duration,
        enough: &AtomicBool,
    ) -> Result<Vec<Instant>> {
        let (last, before) = self.story.split_last().context("no story")?;
        let message = message(self.from_ms, before.len(), &[*last])?;
        let begun = Instant::now();
        let mut sent = Vec::with_capacity(which.len());
        for rig in which {
            sleep_until(begun + every * u32::try_from(sent.len())?).await;
            if enough.load(Ordering::Relaxed) {
                break;
            }
            sent.push(self.fleet.publish(rig, &message).await?);
        }
        self.fleet.settle().await?;
        Ok(sent)
    }

    /// From the last reading of each to its INVITE, in milliseconds, of those that ring.
    pub(crate) async fn rung(&self, which: Range<usize>, sent: &[Instant]) -> Result<Vec<f64>> {
        let until = Instant::now() + RINGS_AT_LAST;
        let mut taken_ms = Vec::with_capacity(sent.len());
        for (rig, sent) in which.zip(sent) {
            let number = TestSite::number(rig);
            let rung = loop {
                let rung = self.trunk.rung(&number);
                if rung.is_some() || Instant::now() > until {
                    break rung;
                }
                sleep(LOOK).await;
            };
            if let Some(rung) = rung {
                let taken = rung.checked_duration_since(*sent);
                taken_ms.push(taken.context("rung before the alarm rose")?.as_secs_f64() * 1e3);
            }
        }
        Ok(taken_ms)
    }
}

/// Readings of every rig from this one on.
fn message(from_ms: i64, first: usize, readings: &[Reading]) -> Result<Vec<u8>> {
    rig::cbor(BOOT, first as u64, from_ms + i64::try_from(first)? * STEP_MS, readings)
}
