//! kill -9 of hub and database at random moments, under publishers that resend what was not acknowledged. Afterwards
//! each acknowledged reading must stand in the database exactly once.

mod publisher;
pub mod restart;

pub use publisher::{Feed, Pace};

use crate::hub::{Lab, RunningHub};
use crate::site::{TestSite, daytime_zone};
use agent_sdk_wire::{Header, TelemetryEncoder, TimeBase, Value};
use anyhow::{Context, Result, ensure};
use hub_core::clock::{CivilClock, SystemClock};
use hub_store_postgres::{Cluster, ClusterOptions};
use publisher::{Counters, Publisher};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sqlx::{Connection, PgConnection, Row};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tests_mqtt::Version;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// What a durable commit needs.
const DURABLE: [&str; 3] = ["fsync", "full_page_writes", "synchronous_commit"];
/// From the hub's start, or from its readiness, to the kill.
const MOMENT_MS: std::ops::Range<u64> = 20..2_000;
/// One kill of so many may come before the hub is ready.
const EARLY: u32 = 5;
/// A new message of each publisher.
const PACE: Duration = Duration::from_millis(40);
const BOOT: u64 = 7;
/// Between two looks at what was acknowledged.
const LOOK: Duration = Duration::from_millis(5);
/// At the end everything must be acknowledged within this.
const DRAIN_MAX: Duration = Duration::from_secs(120);

/// What is done.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Draws the moments.
    pub seed: u64,
    /// Kills of everything.
    pub rounds: usize,
    /// Devices that publish.
    pub publishers: usize,
}

/// What came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Readings that the hub acknowledged: PUBACK, or PUBREC.
    pub acknowledged: u64,
    /// Packets sent again on a later connection.
    pub resent: u64,
    /// Connections that the hub took.
    pub connections: u64,
    /// Processes of hub and database that were killed.
    pub killed: usize,
    /// What the database holds.
    pub stored: Stored,
}

/// Rows of telemetry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stored {
    /// All.
    pub rows: u64,
    /// Readings.
    pub distinct: u64,
}

impl Outcome {
    /// Acknowledged, but not in the database.
    pub fn lost(&self) -> u64 {
        self.acknowledged.saturating_sub(self.stored.distinct)
    }

    /// In the database more than once.
    pub fn doubled(&self) -> u64 {
        self.stored.rows - self.stored.distinct
    }
}

/// Runs it; `say` gets a line a round.
///
/// # Errors
/// The hub does not start again, refuses what it has to take, logs an error, or does not acknowledge everything in the
/// end.
pub async fn run(plan: Plan, mut say: impl FnMut(String)) -> Result<Outcome> {
    let lab = Lab::new()?;
    lab.apply(&site(plan.publishers).toml()).await?;
    let mut random = ChaCha8Rng::seed_from_u64(plan.seed);
    let mut fleet = Fleet::start(lab.mqtt, plan.publishers);
    let mut killed = 0;
    for round in 1..=plan.rounds {
        let (count, moment) = live_and_die(&lab, &mut random).await?;
        killed += count;
        say(format!(
            "round {round} of {}: killed {count} processes {moment}; so far {}",
            plan.rounds, fleet.counters
        ));
        fleet.goes_on()?;
    }
    let hub = lab.serve().await?;
    let counters = fleet.drain().await?;
    hub.stop().await?;
    Ok(Outcome {
        acknowledged: counters.acknowledged(),
        resent: counters.resent(),
        connections: counters.connections(),
        killed,
        stored: audit(&lab).await?,
    })
}

/// Starts the hub and kills it and its database at a random moment; how many processes, and when.
async fn live_and_die(lab: &Lab, random: &mut ChaCha8Rng) -> Result<(usize, String)> {
    let moment = Duration::from_millis(random.random_range(MOMENT_MS));
    let database_first = random.random();
    if random.random_ratio(1, EARLY) {
        // Given up before it is ready, the process is killed.
        return Ok(match tokio::time::timeout(moment, lab.serve()).await {
            Ok(hub) => (kill_all(lab, hub?, database_first).await?, "when it was ready".into()),
            Err(_) => (1 + lab.kill_database(), format!("{moment:?} after its start")),
        });
    }
    let hub = lab.serve().await?;
    tokio::time::sleep(moment).await;
    let count = kill_all(lab, hub, database_first).await?;
    Ok((count, format!("{moment:?} after it was ready")))
}

async fn kill_all(lab: &Lab, mut hub: RunningHub, database_first: bool) -> Result<usize> {
    // Not before the database is away, which may rightly be an error.
    hub.expect_errors()?;
    let mut killed = 0;
    if database_first {
        killed += lab.kill_database();
    }
    hub.kill().await?;
    killed += 1 + lab.kill_database();
    ensure!(killed > 1, "the database's processes were not found");
    Ok(killed)
}

/// One reading of a washing machine, a millisecond after the one before.
fn payload(from_ms: i64, number: u64) -> Result<Vec<u8>> {
    let header = Header {
        time_base: TimeBase::Utc,
        boot_id: BOOT,
        seq: number,
        t0_ms: from_ms + i64::try_from(number)?,
    };
    let mut buffer = [0; 128];
    let mut encoder = TelemetryEncoder::new(&mut buffer, &header)?;
    encoder.push(0, &[(1, Value::Int(1)), (2, Value::F32((number % 100) as f32 / 8.0))])?;
    Ok(encoder.finish()?.to_vec())
}

fn device(n: usize) -> String {
    format!("soak-{n:03}")
}

/// Devices for so many publishers.
pub fn site(publishers: usize) -> TestSite {
    let devices = (0..publishers).map(|n| (device(n), "washing-machine".to_owned(), None));
    TestSite {
        trunk: None,
        password: None,
        devices: devices.collect(),
        consent: false,
        zone: daytime_zone(12),
    }
}

/// Publishers that never stop: each resends what was not acknowledged, on connection after connection.
pub struct Fleet {
    counters: Arc<Counters>,
    enough: CancellationToken,
    publishers: JoinSet<Result<()>>,
}

impl Fleet {
    /// So many devices of [`site`], of each version and quality of service a quarter.
    pub fn start(hub: SocketAddr, count: usize) -> Self {
        let from_ms = SystemClock.now().as_millisecond() - 3_600_000;
        let feed = |n| {
            let feed = Feed {
                payload: Box::new(move |number| payload(from_ms, number)),
                is_json: false,
                count: u64::MAX,
                pace: Pace::After(PACE),
            };
            (device(n), feed)
        };
        Self::with(hub, (0..count).map(feed))
    }

    /// Devices with what each says, of each version and quality of service a quarter.
    pub fn with(hub: SocketAddr, feeds: impl Iterator<Item = (String, Feed)>) -> Self {
        let counters = Arc::new(Counters::default());
        let enough = CancellationToken::new();
        let mut publishers = JoinSet::new();
        for (n, (device, feed)) in feeds.enumerate() {
            let publisher = Publisher {
                hub,
                device,
                version: if n % 2 == 0 { Version::V4 } else { Version::V5 },
                exactly_once: n / 2 % 2 == 1,
                feed,
                counters: counters.clone(),
            };
            publishers.spawn(publisher.run(enough.clone()));
        }
        Self {
            counters,
            enough,
            publishers,
        }
    }

    /// Readings acknowledged so far.
    pub fn acknowledged(&self) -> u64 {
        self.counters.acknowledged()
    }

    /// Waits until so many more are acknowledged; how long that took.
    ///
    /// # Errors
    /// It takes longer than `limit`, or a publisher gave up.
    pub async fn more(&mut self, count: u64, limit: Duration) -> Result<Duration> {
        let (start, until) = (tokio::time::Instant::now(), self.acknowledged() + count);
        while self.acknowledged() < until {
            self.goes_on()?;
            ensure!(start.elapsed() < limit, "nothing is acknowledged: {}", self.counters);
            tokio::time::sleep(LOOK).await;
        }
        Ok(start.elapsed())
    }

    /// After a kill: waits until the hub takes a connection again and then acknowledges something.
    async fn served_again(&mut self) -> Result<()> {
        // What was on its way from the killed hub comes before a publisher connects again.
        let connections = self.counters.connections();
        while self.counters.connections() == connections {
            self.goes_on()?;
            tokio::time::sleep(LOOK).await;
        }
        let acknowledged = self.acknowledged();
        while self.acknowledged() == acknowledged {
            self.goes_on()?;
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    fn goes_on(&mut self) -> Result<()> {
        match self.publishers.try_join_next() {
            Some(ended) => ended?.context("a publisher gave up"),
            None => Ok(()),
        }
    }

    async fn drain(self) -> Result<Arc<Counters>> {
        self.enough.cancel();
        self.ended(DRAIN_MAX).await
    }

    async fn ended(mut self, limit: Duration) -> Result<Arc<Counters>> {
        let ended = async {
            while let Some(ended) = self.publishers.join_next().await {
                ended?.context("a publisher gave up")?;
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(limit, ended)
            .await
            .with_context(|| format!("not everything was acknowledged within {limit:?}: {}", self.counters))??;
        Ok(self.counters)
    }

    /// Waits until all feeds have come to their end and everything is acknowledged; how much that was.
    ///
    /// # Errors
    /// It takes longer than `limit`, or a publisher gave up.
    pub async fn end(self, limit: Duration) -> Result<u64> {
        Ok(self.ended(limit).await?.acknowledged())
    }

    /// Sends nothing new, and waits until everything is acknowledged; how much that was.
    ///
    /// # Errors
    /// It takes too long, or a publisher gave up.
    pub async fn finish(self) -> Result<u64> {
        Ok(self.drain().await?.acknowledged())
    }
}

/// Counts the rows of a stopped hub, and looks whether its database is set to keep what it commits.
///
/// # Errors
/// The database does not start, or is not durable.
pub async fn audit(lab: &Lab) -> Result<Stored> {
    let cluster = Cluster::start(&lab.state(), ClusterOptions::default()).await?;
    let mut connection = PgConnection::connect_with(&cluster.connect_options()).await?;
    for setting in DURABLE {
        let value: String = sqlx::query_scalar(&format!("show {setting}"))
            .fetch_one(&mut connection)
            .await?;
        ensure!(value == "on", "{setting} is {value}");
    }
    let stored = count(&mut connection).await?;
    connection.close().await?;
    cluster.stop().await?;
    Ok(stored)
}

/// Counts the rows of telemetry. Readings of JSON have no number: each has a time of its own here.
///
/// # Errors
/// The database does not answer.
pub async fn count(connection: &mut PgConnection) -> Result<Stored> {
    let row = sqlx::query(
        "select count(*), count(distinct (appliance, boot, lane, seq, case when seq is null then at end)) from telemetry",
    )
    .fetch_one(connection)
    .await?;
    let count = |index: usize| anyhow::Ok(u64::try_from(row.try_get::<i64, _>(index)?)?);
    Ok(Stored {
        rows: count(0)?,
        distinct: count(1)?,
    })
}
