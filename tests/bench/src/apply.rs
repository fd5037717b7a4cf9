//! `forecall apply` of large sites: how long it takes, what memory, and how long it makes a running hub wait.

mod alarm;

use crate::bar::{Bars, median};
use crate::client::{Identity, connected};
use crate::hub::{BenchHub, Stored};
use crate::reading::{Load, PROFILE, identity};
use crate::train::Train;
use anyhow::{Context, Result, bail, ensure};
use hub_core::clock::{CivilClock, SystemClock};
use sqlx::{Connection, PgConnection};
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tests_hub::hub::{Lab, Ran};
use tests_hub::site::{TestSite, daytime_zone};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};
use uuid::Uuid;

/// Seconds for the large site.
const LARGE_S_MAX: f64 = 30.0;
/// Seconds when nothing of it is new.
const AGAIN_S_MAX: f64 = 5.0;
/// Memory of the program at its peak, in MB.
const PEAK_MB_MAX: f64 = 200.0;
/// The large site's time, of the small one's, each less that of an empty site.
const GROWTH_MAX: f64 = 12.0;
/// What of the small one's is less than this is not told from noise.
const NOISE_S: f64 = 0.05;
/// Longest that a hub may wait beside it, in seconds.
const WAIT_S_MAX: f64 = 1.0;
/// The whole run.
const ENDS_WITHIN: Duration = Duration::from_secs(900);
/// Devices that send readings meanwhile, each this often, one in flight.
const DEVICES: usize = 10;
const PACE: Duration = Duration::from_millis(50);
/// How often it is looked how long an alarm would wait for its appliances, and for how many at a time.
const LOOK: Duration = Duration::from_millis(20);
const LOOKED_AT: i64 = 4;

/// What is run.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Devices of the small site.
    pub small: usize,
    /// Devices of the large one.
    pub large: usize,
    /// How often an empty and a small site are applied, each into a new state directory.
    pub rounds: usize,
    /// How long the hub is looked at before anything is applied beside it.
    pub quiet: Duration,
    /// Readings that a device has to send in each part: more than it can while the longest is on.
    pub readings: usize,
    /// Rigs whose alarms rise before anything is applied beside them, and as many in each part at most.
    pub alarms: usize,
    /// Between two of these alarms.
    pub alarm_every: Duration,
}

impl Plan {
    /// What the bars hold for.
    pub fn full() -> Self {
        Self {
            small: 10_000,
            large: 100_000,
            rounds: 3,
            quiet: Duration::from_secs(10),
            readings: 12_000,
            alarms: 80,
            alarm_every: Duration::from_millis(300),
        }
    }

    /// Some seconds: does it work at all?
    pub fn quick() -> Self {
        Self {
            small: 300,
            large: 2_500,
            rounds: 1,
            quiet: Duration::from_millis(500),
            readings: 1_000,
            alarms: 3,
            alarm_every: Duration::from_millis(150),
        }
    }
}

/// For `cargo xtask bench bench_apply`, with the arguments of the program; whether every bar was held.
///
/// # Errors
/// Something does not work.
pub async fn main(argument: Option<&str>) -> Result<bool> {
    let plan = match argument {
        None => Plan::full(),
        Some("--quick") => Plan::quick(),
        Some(other) => bail!("unknown argument {other}; known is --quick"),
    };
    let bars = tokio::time::timeout(ENDS_WITHIN, run(plan))
        .await
        .with_context(|| format!("not done within {} s", ENDS_WITHIN.as_secs()))??;
    if argument.is_some() {
        println!("quick: every site was applied and every reading stored, nothing is said about speed or memory");
        return Ok(true);
    }
    Ok(bars.print())
}

/// Runs the plan and prints each figure as it comes.
///
/// # Errors
/// A site is not applied as it is declared, or the hub does not store a reading that it acknowledged.
pub async fn run(plan: Plan) -> Result<Bars> {
    let mut bars = Bars::default();
    alone(plan, &mut bars).await.context("without a hub")?;
    beside(plan, &mut bars).await.context("beside a hub")?;
    alarm::measure(plan, &mut bars).await.context("beside alarms")?;
    Ok(bars)
}

/// Every device has an owner who agrees to calls.
fn site(devices: usize, profile: &str) -> String {
    let site = TestSite {
        trunk: None,
        password: None,
        devices: (0..devices)
            .map(|n| (identity(n).device, profile.to_owned(), None))
            .collect(),
        consent: true,
        zone: daytime_zone(12),
    };
    declared(&site, DEVICES)
}

/// The file of a site. Every device has a secret of its own, but for the first so many, which send readings.
fn declared(site: &TestSite, sending: usize) -> String {
    let text = site.toml();
    let mut parts = text.split("secret_sha256 = '");
    let mut own = parts.next().unwrap_or_default().to_owned();
    for (n, part) in parts.enumerate() {
        own.push_str("secret_sha256 = '");
        match part.split_once('\'') {
            Some((_, rest)) if n >= sending => {
                // As far from each other as hashes are.
                let hash = (n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
                let _ = write!(own, "{hash:016x}{:016x}{hash:016x}{hash:016x}'{rest}", !hash);
            }
            _ => own.push_str(part),
        }
    }
    own
}

/// Without a hub the program starts the database, and stops it.
async fn alone(plan: Plan, bars: &mut Bars) -> Result<()> {
    const WASHING_MACHINE: &str = "washing-machine";
    println!("apply into an empty state directory: seconds with start and stop of the database, and peak memory");
    let (empty, small) = (site(0, WASHING_MACHINE), site(plan.small, WASHING_MACHINE));
    let (mut of_empty, mut of_small) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        of_empty.push(first("no devices", &empty, 0).await?.1);
        of_small.push(first(&format!("{} devices", plan.small), &small, plan.small).await?.1);
    }
    let large = site(plan.large, WASHING_MACHINE);
    let (lab, first_s, made) = first(&format!("{} devices", plan.large), &large, plan.large).await?;
    let again = apply(&lab, &large).await?;
    print("the same again", &again);
    ensure!(changed(&again)? == 0, "the same site changes something");
    let base = median(of_empty);
    let of_small = median(of_small) - base;
    if of_small < NOISE_S {
        println!(
            "  {} devices took {of_small:.3} s more than none, which is noise: {NOISE_S} s is taken for it",
            plan.small
        );
    }
    bars.at_most("apply_large_s", first_s, LARGE_S_MAX);
    bars.at_most(
        "apply_large_peak_mb",
        megabytes(&made).max(megabytes(&again)),
        PEAK_MB_MAX,
    );
    bars.at_most(
        "apply_large_vs_small",
        (first_s - base) / of_small.max(NOISE_S),
        GROWTH_MAX,
    );
    bars.at_most("apply_again_s", again.took.as_secs_f64(), AGAIN_S_MAX);
    Ok(())
}

/// Applies a site for the first time.
async fn first(what: &str, site: &str, devices: usize) -> Result<(Lab, f64, Ran)> {
    let lab = Lab::new()?;
    let ran = apply(&lab, site).await?;
    print(what, &ran);
    // A tenant, a service point, and for each device an owner and what they said.
    let wanted = 2 + 3 * devices;
    ensure!(changed(&ran)? == wanted, "{wanted} changes were wanted");
    Ok((lab, ran.took.as_secs_f64(), ran))
}

async fn apply(lab: &Lab, site: &str) -> Result<Ran> {
    let file = lab.path().join("large.toml");
    std::fs::write(&file, site)?;
    lab.run_measured(&["apply", "-f", file.to_str().context("path")?]).await
}

/// How many changes it told.
fn changed(ran: &Ran) -> Result<usize> {
    let last = ran.said.lines().last().unwrap_or_default();
    let count = last.strip_suffix(" changed");
    Ok(count
        .with_context(|| format!("not a count of changes: {last}"))?
        .parse()?)
}

fn megabytes(ran: &Ran) -> f64 {
    ran.peak_bytes as f64 / 1e6
}

fn print(what: &str, ran: &Ran) {
    println!(
        "  {what:<16} {:>6.2} s, {:>4.0} MB",
        ran.took.as_secs_f64(),
        megabytes(ran)
    );
}

/// What a hub that runs has waited for in a part of the run.
struct Waits {
    /// For acknowledgements, of all devices, shortest first.
    acknowledgements: Vec<Duration>,
    /// Longest for the locks that an alarm takes.
    alarm: Duration,
    /// Longest for the lock that a call takes, on its owner.
    owner: Duration,
}

/// A hub that takes a trickle of readings while a large site is made, and while all of it is changed.
async fn beside(plan: Plan, bars: &mut Bars) -> Result<()> {
    println!(
        "apply beside a hub with {DEVICES} devices that send each {} ms",
        PACE.as_millis()
    );
    let hub = BenchHub::start("hub", DEVICES).await?;
    let mut trickle = Trickle::new(&hub, plan.readings)?;
    let waits = trickle.during(&hub, sleep(plan.quiet)).await?.1;
    print_waits("nothing applied", &waits);
    let made = site(plan.large, PROFILE);
    // Every owner and every device is another.
    let other = made
        .replace("name = 'Owner", "name = 'Person")
        .replace("service_point = 'east'\n", "");
    let (mut ack_s, mut alarm_s, mut owner_s) = (0_f64, 0_f64, 0_f64);
    for (what, site) in [("it is made", &made), ("all is changed", &other)] {
        let (ran, waits) = trickle.during(&hub, apply(&hub.lab, site)).await?;
        let ran = ran?;
        print(what, &ran);
        print_waits("meanwhile", &waits);
        ensure!(changed(&ran)? >= 2 * (plan.large - DEVICES), "not all was applied");
        ack_s = ack_s.max(waits.longest().as_secs_f64());
        alarm_s = alarm_s.max(waits.alarm.as_secs_f64());
        owner_s = owner_s.max(waits.owner.as_secs_f64());
        ensure!(changed(&apply(&hub.lab, site).await?)? == 0, "not all was applied");
    }
    for (load, rows) in trickle.acknowledged {
        let all = Stored {
            rows,
            distinct: rows,
            whole: rows,
        };
        let stored = hub.stored(load).await?;
        ensure!(
            stored == all,
            "{rows} readings were acknowledged, stored are {stored:?}"
        );
    }
    hub.stop().await?;
    bars.at_most("longest_acknowledgement_beside_apply_s", ack_s, WAIT_S_MAX);
    bars.at_most("longest_wait_of_an_alarm_beside_apply_s", alarm_s, WAIT_S_MAX);
    bars.at_most("longest_wait_for_an_owner_beside_apply_s", owner_s, WAIT_S_MAX);
    Ok(())
}

impl Waits {
    fn longest(&self) -> Duration {
        self.acknowledgements.last().copied().unwrap_or_default()
    }

    fn at(&self, percent: usize) -> f64 {
        let rank = self.acknowledgements.len().saturating_sub(1) * percent / 100;
        self.acknowledgements
            .get(rank)
            .map_or(f64::NAN, |wait| wait.as_secs_f64() * 1e3)
    }
}

fn print_waits(what: &str, waits: &Waits) {
    println!(
        "  {what:<16} acknowledged after {:.1} ms (median), {:.1} ms (99 %), {:.0} ms at most; locks of an alarm {:.0} ms, \
         of a call's owner {:.0} ms at most",
        waits.at(50),
        waits.at(99),
        waits.longest().as_secs_f64() * 1e3,
        waits.alarm.as_secs_f64() * 1e3,
        waits.owner.as_secs_f64() * 1e3
    );
}

/// Readings that go on while something else is done.
struct Trickle {
    next: u64,
    each: usize,
    from_ms: i64,
    address: SocketAddr,
    /// How many of each load were acknowledged.
    acknowledged: Vec<(Load, usize)>,
}

impl Trickle {
    fn new(hub: &BenchHub, each: usize) -> Result<Self> {
        Ok(Self {
            next: 0,
            each,
            from_ms: SystemClock.now().as_millisecond() - i64::try_from(each)?,
            address: hub.broker.address,
            acknowledged: Vec::new(),
        })
    }

    async fn during<T>(&mut self, hub: &BenchHub, work: impl Future<Output = T>) -> Result<(T, Waits)> {
        let load = Load {
            number: self.next,
            each: self.each,
            from_ms: self.from_ms,
        };
        self.next += 1;
        let enough = Arc::new(AtomicBool::new(false));
        let mut devices = JoinSet::new();
        for n in 0..DEVICES {
            devices.spawn(send(self.address, identity(n), load.train(n)?, Arc::clone(&enough)));
        }
        let alarms = tokio::spawn(look(hub.sql().await?, Arc::clone(&enough)));
        let done = work.await;
        enough.store(true, Ordering::Relaxed);
        let mut acknowledgements = Vec::new();
        while let Some(sent) = devices.join_next().await {
            acknowledgements.extend(sent??);
        }
        acknowledgements.sort_unstable();
        self.acknowledged.push((load, acknowledgements.len()));
        let (alarm, owner) = alarms.await??;
        let waits = Waits {
            acknowledgements,
            alarm,
            owner,
        };
        Ok((done, waits))
    }
}

/// One reading after the other, until it is enough; how long each acknowledgement took.
async fn send(hub: SocketAddr, who: Identity, train: Train, enough: Arc<AtomicBool>) -> Result<Vec<Duration>> {
    let mut stream = connected(hub, &who, true).await?;
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut waits = Vec::new();
    for n in 0..train.count() {
        pace.tick().await;
        if enough.load(Ordering::Relaxed) {
            return Ok(waits);
        }
        let begun = Instant::now();
        stream.write_all(train.packets(n, n + 1)).await?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).await?;
        let [high, low] = u16::try_from(n + 1)?.to_be_bytes();
        ensure!(answer == [0x40, 2, high, low], "{}: {answer:x?}", who.device);
        waits.push(begun.elapsed());
    }
    bail!("{} has sent all its readings before it was enough", who.device)
}

/// Takes the locks that a batch of alarms takes, of appliances all over the site, and then the one that a call takes, of the
/// owner of one of them, until it is enough; the longest waits.
async fn look(mut connection: PgConnection, enough: Arc<AtomicBool>) -> Result<(Duration, Duration)> {
    let mut pace = interval(LOOK);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut longest, mut longest_of_owner, mut step) = (Duration::ZERO, Duration::ZERO, 0_i64);
    while !enough.load(Ordering::Relaxed) {
        pace.tick().await;
        let newest: i64 = sqlx::query_scalar("select coalesce(max(id), 1) from appliance")
            .fetch_one(&mut connection)
            .await?;
        // Far from each other, and others each time.
        let ids: Vec<i64> = (0..LOOKED_AT).map(|n| 1 + (step + n) * 7_919 % newest).collect();
        let owner: Option<Option<Uuid>> = sqlx::query_scalar("select household from appliance where id = $1")
            .bind(1 + step * 7_919 % newest)
            .fetch_optional(&mut connection)
            .await?;
        step += LOOKED_AT;
        let begun = Instant::now();
        let mut alarm = connection.begin().await?;
        sqlx::query("select from appliance where id = any($1) order by id for no key update")
            .bind(ids)
            .execute(&mut *alarm)
            .await?;
        longest = longest.max(begun.elapsed());
        alarm.rollback().await?;
        let begun = Instant::now();
        let mut call = connection.begin().await?;
        sqlx::query("select from household where id = $1 for update")
            .bind(owner.flatten())
            .execute(&mut *call)
            .await?;
        longest_of_owner = longest_of_owner.max(begun.elapsed());
        call.rollback().await?;
    }
    connection.close().await?;
    Ok((longest, longest_of_owner))
}
