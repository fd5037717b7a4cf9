//! Strangers against the hub's doors: connections that give nothing, and floods of SIP; and what those who ask honestly have
//! to wait meanwhile: a monitor, the carrier, owners whose calls are up, a device. One load after the other on one hub,
//! beside quiet seconds just before. Everything is on one machine, so the loads take processor time from the hub too.

mod audio;
pub mod calls;
pub mod crowd;
pub mod flood;
pub(crate) mod message;
mod plan;
pub mod probes;
mod strangers;

pub use plan::{Load, Plan};

use crate::bar::Bars;
use crate::steady::ring::Rigs;
use crate::steady::site::Site;
use crate::steady::trunk::Trunk;
use anyhow::{Context, Result};
use calls::Calls;
use flood::{Flood, Kind};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use plan::UP_WITHIN;
use probes::{Answers, Device, quantile};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use strangers::{Done, Running, judge, least_sent, unacknowledged};
use tests_hub::processes::resident_memory;
use tests_hub::site::TestSite;
use tokio::time::{Instant, sleep, sleep_until};

/// Alarms rise so far apart, so that their calls do not all begin at once.
const ALARM_EVERY: Duration = Duration::from_millis(50);
const LOOK: Duration = Duration::from_millis(100);
/// Longest silence of a call that keeps its audio.
const GAP_MS_MAX: f64 = 1_000.0;
/// Share of the packets that such a call hears.
const SHARE_MIN: f64 = 0.95;
/// Calls that end meanwhile: that of the one owner who hangs up.
const ENDED_MAX: f64 = 1.0;
/// An acknowledgement takes so many times as long as in the quiet seconds just before: half of them, and nine of ten.
const ACK_RATIO_MAX: f64 = 2.0;
/// Memory that a load may leave behind, in MB: pools that were grown once.
const LEFT_MB_MAX: f64 = 64.0;
/// Of log in a minute.
const LOG_MB_MAX: f64 = 1.0;
/// From SIGTERM to the end, with 20 s for calls that are up and the time in which work ends.
const END_S_MAX: f64 = 40.0;
/// If it has not ended then, it never will.
const END_MAX: Duration = Duration::from_secs(60);
const MB: f64 = 1e6;

/// The hub and those who ask it honestly.
struct Siege {
    site: Site,
    rigs: Rigs,
    calls: Arc<Calls>,
    device: Device,
    /// Rigs whose alarms have risen.
    raised: usize,
    /// Questions of the carrier so far.
    options: usize,
    /// Memory before the first load that is not quiet, in bytes.
    memory: u64,
    /// Half and nine of ten acknowledgements just before the load took at most so long, in milliseconds.
    quiet_ms: Option<[f64; 2]>,
}

/// Runs all loads and prints each figure as it comes. That an acknowledged reading is lost is a bar too.
///
/// # Errors
/// Something that the loads do not touch does not work.
pub async fn run(plan: &Plan) -> Result<Bars> {
    let mut bars = Bars::default();
    let mut siege = Siege::begin(plan).await?;
    for (load, lasts) in &plan.loads {
        siege
            .measure(plan, *load, *lasts, &mut bars)
            .await
            .with_context(|| load.name())?;
    }
    siege.end(plan, &mut bars).await?;
    Ok(bars)
}

impl Siege {
    async fn begin(plan: &Plan) -> Result<Self> {
        let calls = Calls::open().await?;
        let trunk = Trunk::answering(&calls)?;
        let rigs = plan.calls * plan.loads.len();
        // One more is the honest device.
        let mut site = Site::new(rigs + 1, Some(trunk.address)).await?;
        let own = Rigs::start(&mut site, trunk, rigs).await?;
        let memory = resident_memory(site.pid()?)?;
        Ok(Self {
            device: Device::connect(site.lab.mqtt, rigs).await?,
            site,
            rigs: own,
            calls,
            raised: 0,
            options: 0,
            memory,
            quiet_ms: None,
        })
    }

    /// One load, from its calls to the return of memory.
    async fn measure(&mut self, plan: &Plan, load: Load, lasts: Duration, bars: &mut Bars) -> Result<()> {
        let name = load.name();
        if load != Load::Quiet {
            // Measured before each load: how fast a shared machine and its disk are changes within minutes.
            let acks_ms = self.device.report(Instant::now() + plan.quiet).await?;
            self.quiet_ms = Some([quantile(&acks_ms, 0.5), quantile(&acks_ms, 0.9)]);
        }
        let numbers = self.ring(plan.calls).await?;
        let up = self.calls.up(&numbers);
        bars.at_least(&format!("{name}_calls_up"), up as f64, plan.calls as f64);
        let log = self.log_bytes();
        self.calls.listen();
        let begun = Instant::now();
        let until = begun + lasts;
        let running = Running::start(load, self.site.lab.http, self.site.lab.sip)?;
        let (http, sip, calls) = (self.site.lab.http, self.site.lab.sip, self.calls.clone());
        let patience = plan.answers_within;
        // One owner hangs up in the middle of it.
        let hang_up = async {
            sleep_until(begun + lasts / 2).await;
            match numbers.first() {
                Some(number) => calls.hang_up(number, plan.bye_within).await,
                None => None,
            }
        };
        let (health, ready, options, bye, acks, unacknowledged) = tokio::join!(
            probes::page(http, "/healthz", Some(200), patience, until),
            // Whether it is ready under this is another question than whether it says so.
            probes::page(http, "/readyz", None, patience, until),
            probes::options(&self.calls, sip, patience, until, &mut self.options),
            hang_up,
            self.device.report(until),
            unacknowledged(load, &self.calls, sip),
        );
        let acks = acks.unwrap_or_else(|error| {
            println!("{name}: the device was cut off: {error:#}");
            Vec::new()
        });
        let heard = self.calls.heard(&numbers);
        let took = begun.elapsed();
        let done = unacknowledged.map_or_else(|| running.stop(), Done::Datagrams);
        println!("{name}: {:.0} s, {done}", took.as_secs_f64());
        judge(&name, load, took, done, bars);

        let mut answered = |what: &str, answers: Answers| {
            println!(
                "  {what}: {} asked, {} late, the longest of the others {:.0} ms",
                answers.asked,
                answers.late,
                answers.longest.as_secs_f64() * 1e3
            );
            bars.at_most(&format!("{name}_{what}_late"), answers.late as f64, 0.0);
        };
        answered("healthz", health);
        answered("readyz", ready);
        answered("options", options);
        let bye_s = bye.map_or(f64::INFINITY, |took| took.as_secs_f64());
        bars.at_most(&format!("{name}_bye_s"), bye_s, plan.bye_within.as_secs_f64());
        let gap_ms = heard.longest_gap.as_secs_f64() * 1e3;
        println!(
            "  audio: {} calls, {} ended by the hub or their owner, longest silence {gap_ms:.0} ms, {:.3} of the packets",
            heard.calls, heard.ended, heard.share
        );
        bars.at_most(&format!("{name}_calls_ended"), heard.ended as f64, ENDED_MAX);
        bars.at_least(&format!("{name}_calls_heard"), heard.calls as f64, plan.calls as f64);
        bars.at_most(&format!("{name}_audio_gap_ms"), gap_ms, GAP_MS_MAX);
        bars.at_least(&format!("{name}_audio_share"), heard.share, SHARE_MIN);
        self.judge_acks(&name, &acks, bars);
        let log_mb = self.log_bytes().saturating_sub(log) as f64 / MB * 60.0 / took.as_secs_f64();
        bars.at_most(&format!("{name}_log_mb_a_minute"), log_mb, LOG_MB_MAX);

        for number in &numbers {
            // Bounded by their number; what the load has broken shows in the next bars.
            self.calls.hang_up(number, plan.answers_within).await;
        }
        let left_mb = self.memory_left(plan.memory_within).await?;
        bars.at_most(&format!("{name}_memory_left_mb"), left_mb, LEFT_MB_MAX);
        if load == Load::Quiet {
            self.memory = resident_memory(self.site.pid()?)?;
        }
        Ok(())
    }

    /// Alarms of so many rigs rise; their owners' numbers, when all calls are up or it is too late for that.
    async fn ring(&mut self, count: usize) -> Result<Vec<String>> {
        let which = self.raised..self.raised + count;
        let never = AtomicBool::new(false);
        self.rigs.raise(which.clone(), ALARM_EVERY, &never).await?;
        self.raised += count;
        let numbers: Vec<String> = which.map(TestSite::number).collect();
        let until = Instant::now() + UP_WITHIN;
        while self.calls.up(&numbers) < count && Instant::now() < until {
            sleep(LOOK).await;
        }
        Ok(numbers)
    }

    fn judge_acks(&mut self, name: &str, acks_ms: &[f64], bars: &mut Bars) {
        let of = |share| quantile(acks_ms, share);
        println!(
            "  acknowledgements: {}, ms: p50 {:.1}, p90 {:.1}, p99 {:.1}, longest {:.1}",
            acks_ms.len(),
            of(0.5),
            of(0.9),
            of(0.99),
            of(1.0)
        );
        let [half, most] = self.quiet_ms.unwrap_or([of(0.5), of(0.9)]);
        bars.at_most(&format!("{name}_ack_p50_ratio"), of(0.5) / half, ACK_RATIO_MAX);
        bars.at_most(&format!("{name}_ack_p90_ratio"), of(0.9) / most, ACK_RATIO_MAX);
    }

    /// How much more memory the hub has than before the loads, in MB, once it has given back what it does or the time for
    /// that is over.
    async fn memory_left(&self, within: Duration) -> Result<f64> {
        let until = Instant::now() + within;
        loop {
            let more = resident_memory(self.site.pid()?)?.saturating_sub(self.memory) as f64 / MB;
            if more <= LEFT_MB_MAX || Instant::now() >= until {
                return Ok(more);
            }
            sleep(LOOK).await;
        }
    }

    fn log_bytes(&self) -> u64 {
        let log = self.site.lab.path().join("hub.log");
        std::fs::metadata(log).map_or(0, |log| log.len())
    }

    /// SIGTERM beneath a flood; then everything that was acknowledged is counted.
    async fn end(mut self, plan: &Plan, bars: &mut Bars) -> Result<()> {
        let acknowledged = self.rigs.readings(self.raised, self.raised) + self.device.acknowledged();
        let pid = Pid::from_raw(i32::try_from(self.site.pid()?)?);
        let flood = Flood::start(self.site.lab.sip, Kind::Invite, plan.invites_at_end)?;
        let flooded = Instant::now();
        sleep(Duration::from_secs(1)).await;
        let begun = Instant::now();
        kill(pid, Signal::SIGTERM)?;
        let ended = self.site.take()?.ended(END_MAX).await;
        let took_s = begun.elapsed().as_secs_f64();
        let least = least_sent(plan.invites_at_end, flooded.elapsed());
        let sent = flood.stop();
        println!("SIGTERM: {took_s:.1} s, {ended:?}; {sent} datagrams");
        bars.at_least("sigterm_sent", sent as f64, least);
        let is_clean = matches!(ended, Ok(Some(0)));
        bars.at_most("sigterm_s", if is_clean { took_s } else { f64::INFINITY }, END_S_MAX);
        let lost = if is_clean {
            let rows = self.site.rows().await?;
            println!("{acknowledged} readings were acknowledged, {rows} are stored");
            rows.abs_diff(acknowledged) as f64
        } else {
            self.site.lab.kill_database();
            f64::NAN
        };
        bars.at_most("lost_or_double", lost, 0.0);
        Ok(())
    }
}
