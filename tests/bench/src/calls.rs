//! Many calls at once through the hub's voice side, beside SIPp that echoes the same audio: processor time, gaps, loss, memory.
//! Then thousands of calls one after the other: what the hub holds at the end is what it held after the first hundreds.
//!
//! Owners with an open ticket ring the hub, which is a process of its own, and hear the menu. Nobody agreed to calls, so the hub
//! rings nobody meanwhile. The same phones, with the same packets, ring SIPp. Everything is on one machine.

mod audio;
mod caller;
mod churn;
mod echo;
mod group;
mod usage;

pub use churn::Churn;

use crate::bar::{Bars, median};
use crate::reading::identity;
use crate::steady::ring::Rigs;
use crate::steady::site::{Site, declared};
use crate::steady::trunk::Trunk;
use anyhow::{Result, ensure};
use audio::Heard;
use echo::Echo;
use group::Group;
use hub_store_postgres::{Cluster, ClusterOptions};
use sqlx::{Connection, PgConnection};
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tests_hub::hub::Lab;
use tests_hub::rig;
use tests_hub::site::TestSite;
use tokio::time::{Instant, sleep};
use usage::{Held, Used};

/// The number that owners see when they are rung, and ring back.
const MAIN_NUMBER: &str = "+862155500100";
/// A call is up within this, also where its sentences have to be spoken first.
const RINGS_FOR: Duration = Duration::from_secs(30);
/// A BYE is answered within this.
const PATIENCE: Duration = Duration::from_secs(10);
/// Alarms rise so far apart.
const ALARM_EVERY: Duration = Duration::from_millis(20);
/// Each alarm has its ticket within this, and each call its end.
const BOOKED_WITHIN: Duration = Duration::from_secs(60);
/// From the last call that comes up to the measurement: the beginning of a call costs more than the rest of it.
const SETTLE: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(100);
/// Channels beyond the calls: one that is still being ended holds its own.
const SPARE_CHANNELS: usize = 28;

/// Processor time of the hub, as a multiple of the echo's; the median of all rounds, as with the gaps.
const CPU_RATIO_MAX: f64 = 1.2;
/// So much longer than the echo's may the gap be that 99 of 100 packets stay below.
const GAP_MORE_MS_MAX: f64 = 5.0;
const LOST_PERCENT_MAX: f64 = 0.1;
/// Of the packets of a whole window, what each call hears at least: a call that is silent loses none by its numbers.
const SHARE_MIN: f64 = 0.95;
const CALL_MB_MAX: f64 = 0.5;
/// Of the calls that are meant to be given up while they ring, so many are: the others were answered first.
const GIVEN_UP_SHARE_MIN: f64 = 0.8;
/// What calls may leave behind.
const LEFT_MB_MAX: f64 = 5.0;
const MB: f64 = 1e6;

/// How much is done.
#[derive(Debug, Clone)]
pub struct Plan {
    /// At the same time.
    pub calls: usize,
    /// Owners with a ticket; at least `calls`, and at least four for each call at a time of the churn.
    pub owners: usize,
    /// Times that all ring the hub, and then the echo.
    pub rounds: usize,
    /// Measured in each round, with all calls up: shorter than the hub's menu, which speaks for half a minute.
    pub window: Duration,
    /// Calls one after the other.
    pub churn: Churn,
}

impl Plan {
    /// What the bars hold for: about ten minutes.
    pub fn full() -> Self {
        Self {
            calls: 100,
            owners: 100,
            rounds: 3,
            window: Duration::from_secs(15),
            churn: Churn {
                calls: 3_000,
                first: 300,
                at_once: 8,
                gives_up_every: 10,
                rest: Duration::from_secs(70),
            },
        }
    }

    /// Some seconds, on a machine that does other things too: does every call come up, and is each one counted?
    pub fn quick() -> Self {
        Self {
            calls: 4,
            owners: 8,
            rounds: 1,
            window: Duration::from_secs(1),
            churn: Churn {
                calls: 12,
                first: 4,
                at_once: 2,
                gives_up_every: 4,
                rest: Duration::ZERO,
            },
        }
    }
}

/// Measures all, and prints each figure as it comes.
///
/// # Errors
/// Something does not work, or the hub has logged an error.
pub async fn run(plan: &Plan) -> Result<Bars> {
    ensure!(plan.owners >= plan.calls, "fewer owners than calls");
    let mut bars = Bars::default();
    let mut site = open(plan).await?;
    let (pid, hub) = (site.pid()?, site.lab.sip);

    // Each owner's sentences are spoken once, by a program of its own: that is no part of what a call costs.
    let spoken = churn::ring(hub, 0..plan.owners, plan.owners, always(plan.churn)).await?;
    println!("{} owners with a ticket; first calls: {spoken:?}", plan.owners);
    bars.at_most("first_calls_wrong", spoken.wrong() as f64, 0.0);

    at_once(plan, &site, &mut bars).await?;
    one_after_the_other(plan, pid, hub, &mut bars).await?;
    let without_end = until_none(&site, "select count(*) from attempt where state <> 'ended'").await?;
    bars.at_most("calls_without_end", without_end as f64, 0.0);
    site.stop().await?;
    Ok(bars)
}

/// A hub whose owners all have a ticket that waits for a person.
async fn open(plan: &Plan) -> Result<Site> {
    let trunk = Trunk::start().await?;
    let mut lab = Lab::new()?;
    lab.set("FORECALL_CALLS_MAX", plan.owners + SPARE_CHANNELS);
    let devices = (0..plan.owners).map(|n| (identity(n).device, rig::PROFILE.to_owned(), None));
    let declared = TestSite {
        consent: false,
        ..declared(devices.collect(), Some(trunk.address))
    };
    let mut site = Site::of(lab, &declared).await?;
    let mut rigs = Rigs::start(&mut site, trunk, plan.owners).await?;
    let never = AtomicBool::new(false);
    rigs.raise(0..plan.owners, ALARM_EVERY, &never).await?;
    let owners = i64::try_from(plan.owners)?;
    let lacking = format!("select {owners} - count(*) from ticket where contact_phase = 'held'");
    let lacking = until_none(&site, &lacking).await?;
    ensure!(
        lacking == 0,
        "{lacking} of {owners} alarms have no ticket that waits for a person"
    );
    Ok(site)
}

/// What the query counts, as soon as it is 0 or the time for that is over.
async fn until_none(site: &Site, query: &str) -> Result<i64> {
    let cluster = Cluster::join_or_start(&site.lab.state(), ClusterOptions::default()).await?;
    ensure!(cluster.is_joined(), "the hub does not run");
    let mut sql = PgConnection::connect_with(&cluster.connect_options()).await?;
    let until = Instant::now() + BOOKED_WITHIN;
    loop {
        let count: i64 = sqlx::query_scalar(query).fetch_one(&mut sql).await?;
        if count == 0 || Instant::now() >= until {
            sql.close().await?;
            return Ok(count);
        }
        sleep(LOOK).await;
    }
}

/// The same calls, none of them given up.
fn always(churn: Churn) -> Churn {
    Churn {
        gives_up_every: usize::MAX,
        ..churn
    }
}

/// What one of the two did in one round.
struct Round {
    up: usize,
    ended: usize,
    /// Processor time, in percent of one processor.
    cpu_percent: f64,
    gap_p99_ms: f64,
    heard: Heard,
    least_share: f64,
    /// Memory with all calls up, in bytes.
    memory: u64,
}

async fn round(plan: &Plan, name: &str, peer: SocketAddr, pid: u32) -> Result<Round> {
    let mut group = Group::ring(peer, plan.calls).await?;
    sleep(SETTLE).await;
    let (begun, used) = (Instant::now(), Used::now(pid)?);
    group.listen();
    sleep(plan.window).await;
    let sum = group.heard();
    let (took, used) = (begun.elapsed(), Used::now(pid)?.since(&used));
    let memory = Held::now(pid)?.memory;
    let up = group.up();
    let ended = group.end().await?;
    let of = |share| sum.heard.gaps.ms(share);
    let round = Round {
        up,
        ended,
        cpu_percent: used.as_secs_f64() * 100.0 / took.as_secs_f64(),
        gap_p99_ms: of(0.99),
        least_share: sum.least_share,
        memory,
        heard: sum.heard.clone(),
    };
    println!(
        "  {name}: {up} calls, {:.1} % of a processor; gaps, ms: p50 {:.1}, p90 {:.1}, p99 {:.1}, longest {:.1}; \
         {} of {} packets lost; {:.1} MB",
        round.cpu_percent,
        of(0.5),
        of(0.9),
        round.gap_p99_ms,
        of(1.0),
        round.heard.lost,
        round.heard.packets + round.heard.lost,
        memory as f64 / MB
    );
    Ok(round)
}

/// All at once, the hub and the echo in turn.
async fn at_once(plan: &Plan, site: &Site, bars: &mut Bars) -> Result<()> {
    let (pid, address) = (site.pid()?, site.lab.sip);
    sleep(plan.churn.rest).await;
    let before = Held::now(pid)?.memory;
    let echo = Echo::start(site.lab.path()).await?;
    let (mut hubs, mut echoes) = (Vec::new(), Vec::new());
    for number in 1..=plan.rounds {
        println!(
            "round {number}: {} calls at once for {:.0} s",
            plan.calls,
            plan.window.as_secs_f64()
        );
        hubs.push(round(plan, "hub", address, pid).await?);
        echoes.push(round(plan, "echo", echo.address, echo.pid()?).await?);
    }
    let after = memory_left(pid, before, plan.churn.rest).await?;
    came_up("hub", plan, &hubs, bars);
    came_up("echo", plan, &echoes, bars);

    let each = |of: fn(&Round, &Round) -> f64| {
        let both = hubs.iter().zip(&echoes);
        median(both.map(|(hub, echo)| of(hub, echo)).collect())
    };
    let ratio = each(|hub, echo| hub.cpu_percent / echo.cpu_percent);
    bars.at_most("cpu_ratio", ratio, CPU_RATIO_MAX);
    let more_ms = each(|hub, echo| hub.gap_p99_ms - echo.gap_p99_ms);
    bars.at_most("gap_p99_more_ms", more_ms, GAP_MORE_MS_MAX);
    let mut heard = Heard::default();
    for round in &hubs {
        heard.merge(&round.heard);
    }
    bars.at_most("lost_percent", heard.lost_percent(), LOST_PERCENT_MAX);
    let most = hubs.iter().map(|round| round.memory).max().unwrap_or(0);
    let call_mb = most.saturating_sub(before) as f64 / MB / plan.calls as f64;
    bars.at_most("memory_a_call_mb", call_mb, CALL_MB_MAX);
    bars.at_most("memory_left_mb", after, LEFT_MB_MAX);
    Ok(())
}

/// Without this the other figures say nothing: who has no call, or does not answer, is cheap.
fn came_up(name: &str, plan: &Plan, rounds: &[Round], bars: &mut Bars) {
    let up = rounds.iter().map(|round| round.up).min().unwrap_or(0);
    let ended: usize = rounds.iter().map(|round| round.ended).sum();
    // NaN, where no call was up, must not be passed over.
    let share = rounds.iter().map(|round| round.least_share).min_by(f64::total_cmp);
    let share = if up == 0 { f64::NAN } else { share.unwrap_or(f64::NAN) };
    bars.at_least(&format!("{name}_calls_up"), up as f64, plan.calls as f64);
    bars.at_most(&format!("{name}_ended_early"), ended as f64, 0.0);
    bars.at_least(&format!("{name}_least_heard"), share, SHARE_MIN);
}

/// How much more memory the hub has than before, in MB, once it has given it back or the time for that is over.
async fn memory_left(pid: u32, before: u64, within: Duration) -> Result<f64> {
    let until = Instant::now() + within;
    loop {
        let more = Held::now(pid)?.memory.saturating_sub(before) as f64 / MB;
        if more <= LEFT_MB_MAX || Instant::now() >= until {
            return Ok(more);
        }
        sleep(LOOK).await;
    }
}

/// Thousands of calls; what the hub holds after them and after the first of them, each time at rest.
async fn one_after_the_other(plan: &Plan, pid: u32, hub: SocketAddr, bars: &mut Bars) -> Result<()> {
    let Churn { first, calls, rest, .. } = plan.churn;
    let mut looks = Vec::new();
    let (mut wrong, mut given_up) = (0, 0);
    for part in [0..first, first..calls] {
        let begun = Instant::now();
        let count = part.len();
        let tally = churn::ring(hub, part, plan.owners, plan.churn).await?;
        println!("{count} calls in {:.0} s: {tally:?}", begun.elapsed().as_secs_f64());
        wrong += tally.wrong();
        given_up += tally.given_up;
        sleep(rest).await;
        let held = Held::now(pid)?;
        println!(
            "  at rest: {:.1} MB, {} files, {} threads",
            held.memory as f64 / MB,
            held.files,
            held.threads
        );
        looks.push(held);
    }
    bars.at_most("churn_wrong", wrong as f64, 0.0);
    gave_up(plan.churn, given_up, bars);
    if let [then, now] = looks.as_slice() {
        let more = |then: usize, now: usize| now.saturating_sub(then) as f64;
        let more_mb = now.memory.saturating_sub(then.memory) as f64 / MB;
        bars.at_most("churn_memory_more_mb", more_mb, LEFT_MB_MAX);
        bars.at_most("churn_files_more", more(then.files, now.files), 0.0);
        bars.at_most("churn_threads_more", more(then.threads, now.threads), 0.0);
    }
    Ok(())
}

/// Without this nothing says what a call costs that is cancelled: one that is answered first is hung up as any other.
fn gave_up(churn: Churn, given_up: usize, bars: &mut Bars) {
    let meant = churn.calls / churn.gives_up_every;
    bars.at_least("churn_given_up", given_up as f64, GIVEN_UP_SHARE_MIN * meant as f64);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(up: usize, ended: usize, least_share: f64) -> Round {
        Round {
            up,
            ended,
            cpu_percent: 1.0,
            gap_p99_ms: 20.0,
            heard: Heard::default(),
            least_share,
            memory: 0,
        }
    }

    #[test]
    fn one_round_with_a_call_too_few_or_too_quiet_is_missed() {
        let plan = Plan::quick();
        let all = plan.calls;
        let held = |rounds: &[Round]| {
            let mut bars = Bars::default();
            came_up("x", &plan, rounds, &mut bars);
            ["x_calls_up", "x_ended_early", "x_least_heard"].map(|bar| bars.is_held(bar))
        };
        assert_eq!(held(&[of(all, 0, 1.0), of(all, 0, 0.96)]), [true, true, true]);
        assert_eq!(held(&[of(all, 0, 1.0), of(all - 1, 1, 0.5)]), [false, false, false]);
        assert_eq!(held(&[of(0, 0, f64::NAN)]), [false, true, false]);
    }

    #[test]
    fn calls_that_are_all_answered_before_they_are_given_up_are_missed() {
        let held = |given_up| {
            let mut bars = Bars::default();
            gave_up(Plan::full().churn, given_up, &mut bars);
            bars.is_held("churn_given_up")
        };
        assert!(held(300) && held(241));
        assert!(!held(239) && !held(0));
    }

    #[test]
    fn owners_are_enough_for_all_that_ring_at_a_time() {
        for plan in [Plan::full(), Plan::quick()] {
            assert!(plan.owners >= plan.calls && plan.owners >= 4 * plan.churn.at_once);
            assert!(plan.churn.first < plan.churn.calls);
        }
    }
}
