//! A fleet of device agents in this process whose hub is killed in mid-stream and starts again; and the same agents, with the
//! same limits, back-off, numbers and readings, with mosquitto in the hub's place, which stays away for as long as the hub
//! did. Each agent is agent-sdk/core over agent-sdk/async.

mod device;
mod tally;

use crate::bar::Bars;
use crate::client::Identity;
use crate::hub::BenchHub;
use crate::peer::Peer;
use crate::reading::{Load, identity};
use agent_sdk_async::Clock;
use agent_sdk_core::Settings;
use anyhow::{Context, Result, bail};
use device::{Fleet, Uptime, live};
use hub_core::clock::{CivilClock, SystemClock};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tally::{Return, Tally};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

/// Of mosquitto's time, from its listener up to the last agent accepted.
const BACK_MAX: f64 = 2.0;
/// Between two looks at the fleet, or at a listener that is not there.
const LOOK: Duration = Duration::from_millis(10);
/// What takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(180);
/// Readings are of the last hour.
const AGE_MS: i64 = 3_600_000;
/// Readings of each agent before the broker is killed.
const BEFORE: u64 = 2;

/// What is run.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Agents in this process.
    pub agents: usize,
    /// Readings of each.
    pub each: usize,
    /// Between two of them, in milliseconds.
    pub every_ms: u64,
    /// The agents first connect so many a second.
    pub starts_per_s: u64,
    /// Back-off after the first failure, in milliseconds, and twice as much after any other: with `agents` it makes the rate at which they come back.
    pub backoff_base_ms: u32,
    /// The limit of attempts to connect in any second. Without jitter all agents would try within one.
    pub connects_per_s_max: usize,
}

impl Plan {
    /// What the bars hold for: 1,000 attempts a second if all agents had lost their hub for a moment, and some that fail.
    pub fn full() -> Self {
        Self {
            agents: 10_000,
            each: 8,
            every_ms: 5_000,
            starts_per_s: 1_000,
            backoff_base_ms: 10_000,
            connects_per_s_max: 2_000,
        }
    }

    /// Half a minute: does it work at all?
    pub fn quick() -> Self {
        Self {
            agents: 200,
            each: 6,
            every_ms: 1_000,
            starts_per_s: 200,
            backoff_base_ms: 3_000,
            connects_per_s_max: 170,
        }
    }

    fn readings(&self) -> usize {
        self.agents * self.each
    }

    fn settings(&self) -> Settings {
        Settings {
            backoff_base_ms: self.backoff_base_ms,
            // With a higher cap the few that fail three times by chance, and then wait for a minute, would decide the figure.
            backoff_cap_ms: self.backoff_base_ms.saturating_mul(2),
            ..Settings::DEFAULT
        }
    }

    /// When the first agent has its first reading, in milliseconds of uptime: once all have had their turn to connect.
    fn first_at(&self) -> u64 {
        self.agents as u64 * 1_000 / self.starts_per_s + self.every_ms
    }
}

/// Runs the plan and prints each figure as it comes.
///
/// # Errors
/// A broker does not start, or not all agents come back and deliver.
pub async fn run(plan: Plan) -> Result<Bars> {
    println!(
        "{} agents lose their broker in mid-stream, by kill -9, and come back after its restart; back-off of up to {} s, then twice that, at most {} \
         attempts a second",
        plan.agents,
        f64::from(plan.backoff_base_ms) / 1e3,
        plan.connects_per_s_max
    );
    let load = Load {
        number: 1,
        each: plan.each,
        from_ms: SystemClock.now().as_millisecond() - AGE_MS,
    };
    let mut bars = Bars::default();
    let ours = with_hub(plan, load, &mut bars).await?;
    let theirs = with_mosquitto(plan, load, ours.away).await?;
    bars.at_most("agents_back_vs_mosquitto", ours.back_s() / theirs.back_s(), BACK_MAX);
    for (name, outage) in [("hub", ours), ("mosquitto", theirs)] {
        bars.at_most(
            &format!("agents_tries_in_a_second_{name}"),
            outage.back.tries_in_a_second as f64,
            plan.connects_per_s_max as f64,
        );
        bars.at_most(&format!("agents_dropped_{name}"), outage.dropped as f64, 0.0);
    }
    Ok(bars)
}

async fn with_hub(plan: Plan, load: Load, bars: &mut Bars) -> Result<Outage> {
    let hub = BenchHub::start("hub", plan.agents).await?;
    let mut agents = Agents::start(hub.broker.address, plan, load)?;
    agents.in_mid_stream().await?;
    let killed_at = agents.count_from_here();
    let killed = hub.kill().await?;
    let listener = agents.listener();
    let hub = killed.start().await?;
    let outage = agents.until_all_delivered(killed_at, listener.await?).await?;
    outage.print("hub");
    let stored = hub.stored(load).await?;
    hub.stop().await?;
    let lost = plan.readings().saturating_sub(stored.distinct.min(stored.whole));
    bars.at_most("agents_readings_lost", lost as f64, 0.0);
    bars.at_most("agents_readings_doubled", (stored.rows - stored.distinct) as f64, 0.0);
    Ok(outage)
}

/// What it does with the readings that it has acknowledged is not looked at: nobody subscribes to them.
async fn with_mosquitto(plan: Plan, load: Load, away: Duration) -> Result<Outage> {
    // It asks for a password, as the hub does.
    let users: Vec<Identity> = (0..plan.agents).map(identity).collect();
    let mut mosquitto = Peer::mosquitto_with_users("mosquitto", &users).await?;
    let mut agents = Agents::start(mosquitto.broker.address, plan, load)?;
    agents.in_mid_stream().await?;
    let killed_at = agents.count_from_here();
    mosquitto.kill().await?;
    let listener = agents.listener();
    sleep(away).await;
    mosquitto.start_again().await?;
    let outage = agents.until_all_delivered(killed_at, listener.await?).await?;
    outage.print("mosquitto");
    Ok(outage)
}

/// A kill and what came after it.
#[derive(Debug, Clone, Copy)]
struct Outage {
    /// From the kill until somebody listened again.
    away: Duration,
    /// When that was, in milliseconds of uptime.
    up_at: u64,
    back: Return,
    /// Readings that agents dropped for want of room.
    dropped: u64,
}

impl Outage {
    /// From the listener up to the last agent accepted.
    fn back_s(&self) -> f64 {
        // An agent may be accepted in the millisecond in which the listener is seen.
        self.back.last_came_at.saturating_sub(self.up_at).max(1) as f64 / 1e3
    }

    fn print(&self, name: &str) {
        println!(
            "  {name:<16} away for {:.2} s; all back {:.2} s later, after {} attempts, at most {} in a \
             second; {} readings dropped",
            self.away.as_secs_f64(),
            self.back_s(),
            self.back.tries,
            self.back.tries_in_a_second,
            self.dropped
        );
    }
}

/// The agents while they run; they end with this.
struct Agents {
    plan: Plan,
    uptime: Uptime,
    broker: SocketAddr,
    tally: Arc<Tally>,
    over: watch::Sender<bool>,
    tasks: JoinSet<Result<()>>,
}

impl Agents {
    fn start(broker: SocketAddr, plan: Plan, load: Load) -> Result<Self> {
        let (over, is_over) = watch::channel(false);
        let tally = Arc::new(Tally::new(plan.agents));
        let uptime = Uptime::start();
        let fleet = Fleet {
            broker,
            settings: plan.settings(),
            load,
            every_ms: plan.every_ms,
            uptime,
            tally: Arc::clone(&tally),
            over: is_over,
        };
        let mut tasks = JoinSet::new();
        for index in 0..plan.agents {
            let turn = u64::try_from(index)?;
            let starts_at = turn * 1_000 / plan.starts_per_s;
            // Evenly over the time between two readings, so that a kill comes amid them.
            let first_at = plan.first_at() + turn * plan.every_ms / plan.agents as u64;
            tasks.spawn(live(index, starts_at, first_at, fleet.clone()));
        }
        Ok(Self {
            plan,
            uptime,
            broker,
            tally,
            over,
            tasks,
        })
    }

    /// All are there, and each has had some readings.
    async fn in_mid_stream(&mut self) -> Result<()> {
        let all = self.plan.agents;
        self.until("all agents are there", |tally| tally.there() == all).await?;
        let at = self.plan.first_at() + BEFORE * self.plan.every_ms;
        self.uptime.sleep_until(at).await;
        Ok(())
    }

    /// The broker is about to be killed: who is there, and attempts, are counted from now on. Gives the uptime in milliseconds.
    fn count_from_here(&self) -> u64 {
        self.tally.begin_again();
        self.uptime.now_ms()
    }

    /// The broker is down: gives when somebody listens again, in milliseconds of uptime.
    fn listener(&self) -> JoinHandle<u64> {
        let (broker, uptime) = (self.broker, self.uptime);
        tokio::spawn(async move {
            while TcpStream::connect(broker).await.is_err() {
                sleep(LOOK).await;
            }
            uptime.now_ms()
        })
    }

    /// Waits until all are back and every reading is acknowledged or was dropped; then all say goodbye.
    async fn until_all_delivered(mut self, killed_at: u64, up_at: u64) -> Result<Outage> {
        let (all, readings) = (self.plan.agents, self.plan.readings());
        self.until("all agents are back", |tally| tally.there() == all).await?;
        let back = self.tally.way_back();
        self.until("all readings are acknowledged", |tally| {
            let (delivered, dropped) = tally.readings();
            delivered as u64 + dropped >= readings as u64
        })
        .await?;
        let (_, dropped) = self.tally.readings();
        self.over.send_replace(true);
        let goodbyes = async {
            while let Some(ended) = self.tasks.join_next().await {
                ended??;
            }
            anyhow::Ok(())
        };
        timeout(PATIENCE, goodbyes)
            .await
            .with_context(|| format!("not all agents have said goodbye after {PATIENCE:?}"))??;
        Ok(Outage {
            away: Duration::from_millis(up_at.saturating_sub(killed_at)),
            up_at,
            back,
            dropped,
        })
    }

    async fn until(&mut self, what: &str, is_so: impl Fn(&Tally) -> bool) -> Result<()> {
        let until = tokio::time::Instant::now() + PATIENCE;
        while !is_so(&self.tally) {
            if let Some(ended) = self.tasks.try_join_next() {
                ended??;
                bail!("an agent has ended before {what}");
            }
            if tokio::time::Instant::now() > until {
                let (delivered, dropped) = self.tally.readings();
                bail!(
                    "not so after {PATIENCE:?}: {what}; {} of {} agents there, {delivered} readings \
                     acknowledged, {dropped} dropped",
                    self.tally.there(),
                    self.plan.agents
                );
            }
            sleep(LOOK).await;
        }
        Ok(())
    }
}
