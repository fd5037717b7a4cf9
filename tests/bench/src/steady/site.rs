//! A hub with pump rigs that the shipped model scores, and what it costs: looked at from outside.

use super::fleet::Totals;
use super::minute::{Lags, Minute};
use super::scored::Scored;
use crate::reading::identity;
use anyhow::{Context, Result, ensure};
use hub_core::clock::{CivilClock, SystemClock};
use hub_store_postgres::{Cluster, ClusterOptions};
use jiff::tz::TimeZone;
use sqlx::{Connection, Executor, PgConnection};
use std::net::SocketAddr;
use std::time::Duration;
use tests_hub::hub::{Lab, RunningHub};
use tests_hub::processes::{Cpu, database_memory, resident_memory};
use tests_hub::site::{TestSite, daytime_zone};
use tests_hub::{rig, watch};
use tokio::time::{Instant, sleep, sleep_until};

/// Looks at the lags within a minute: the greatest counts.
const LOOKS: u32 = 6;
/// Between two looks whether all is scored.
const SCORED_LOOK: Duration = Duration::from_millis(500);

/// These devices, each with an owner, for whom it is daytime, and who may be rung where there is a trunk.
pub fn declared(devices: Vec<(String, String, Option<String>)>, trunk: Option<SocketAddr>) -> TestSite {
    let hour = SystemClock.now().to_zoned(TimeZone::UTC).hour();
    TestSite {
        trunk,
        password: None,
        devices,
        consent: trunk.is_some(),
        zone: daytime_zone(hour),
    }
}

/// A hub, running or not.
pub struct Site {
    /// Its directory and addresses.
    pub lab: Lab,
    hub: Option<RunningHub>,
}

impl Site {
    /// So many rigs, each with an owner; owners may be rung where there is a trunk.
    ///
    /// # Errors
    /// They cannot be applied.
    pub async fn new(devices: usize, trunk: Option<SocketAddr>) -> Result<Self> {
        let mut lab = Lab::new()?;
        if trunk.is_some() {
            // So that no call waits for another one to end.
            lab.set("FORECALL_CALLS_MAX", 64);
        }
        let devices = (0..devices).map(|n| (identity(n).device, rig::PROFILE.to_owned(), None));
        Self::of(lab, &declared(devices.collect(), trunk)).await
    }

    /// What is declared, for a hub of these settings.
    ///
    /// # Errors
    /// It cannot be applied.
    pub(crate) async fn of(lab: Lab, declared: &TestSite) -> Result<Self> {
        lab.apply(&declared.toml()).await?;
        Ok(Self { lab, hub: None })
    }

    /// Starts the hub.
    ///
    /// # Errors
    /// It does not start.
    pub async fn serve(&mut self) -> Result<()> {
        self.hub = Some(self.lab.serve().await?);
        Ok(())
    }

    /// Stops the hub and its database.
    ///
    /// # Errors
    /// It does not stop cleanly, or logged an error.
    pub async fn stop(&mut self) -> Result<()> {
        let hub = self.hub.take().context("the hub does not run")?;
        hub.stop().await
    }

    /// Gives the running hub away, for a caller that ends it in another way.
    ///
    /// # Errors
    /// It does not run.
    pub(crate) fn take(&mut self) -> Result<RunningHub> {
        self.hub.take().context("the hub does not run")
    }

    /// Number of the hub's process.
    ///
    /// # Errors
    /// It does not run.
    pub(crate) fn pid(&self) -> Result<u32> {
        self.hub.as_ref().context("the hub does not run")?.pid()
    }

    /// Looks at the running hub from now on.
    ///
    /// # Errors
    /// Its database does not answer.
    pub async fn probe(&self) -> Result<Probe<'_>> {
        let cluster = Cluster::join_or_start(&self.lab.state(), ClusterOptions::default()).await?;
        ensure!(cluster.is_joined(), "the hub does not run");
        Ok(Probe {
            lab: &self.lab,
            pid: self.hub.as_ref().context("the hub does not run")?.pid()?,
            sql: PgConnection::connect_with(&cluster.connect_options()).await?,
        })
    }

    /// Rows of the stopped hub, each and every one counted.
    ///
    /// # Errors
    /// Its database does not start.
    pub async fn rows(&self) -> Result<u64> {
        let cluster = Cluster::start(&self.lab.state(), ClusterOptions::default()).await?;
        let mut sql = PgConnection::connect_with(&cluster.connect_options()).await?;
        let rows: i64 = sqlx::query_scalar("select count(*) from telemetry")
            .fetch_one(&mut sql)
            .await?;
        sql.close().await?;
        cluster.stop().await?;
        Ok(u64::try_from(rows)?)
    }
}

/// Looks at a running hub.
pub struct Probe<'a> {
    lab: &'a Lab,
    pid: u32,
    sql: PgConnection,
}

/// What has been used so far.
struct Look {
    at: Instant,
    cpu: Cpu,
    wal: f64,
    acknowledged: u64,
}

impl Probe<'_> {
    /// Has the database write a checkpoint: the first change of each page after it goes into the log whole.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn checkpoint(&mut self) -> Result<()> {
        self.sql.execute("checkpoint").await?;
        Ok(())
    }

    /// Measures so many minutes, of this length, from now on, and prints each.
    ///
    /// # Errors
    /// The hub or its database does not answer.
    pub async fn minutes(&mut self, totals: &Totals, length: Duration, count: u32) -> Result<Vec<Minute>> {
        totals.take_latency();
        let mut before = self.look(totals).await?;
        let begun = before.at;
        let mut minutes = Vec::new();
        println!("{}", Minute::HEADING);
        for number in 1..=count {
            let mut lags = Lags::default();
            for look in 1..=LOOKS {
                sleep_until(begun + length * (number - 1) + length * look / LOOKS).await;
                lags.note(&self.lags().await);
            }
            let now = self.look(totals).await?;
            let minute = Minute {
                readings: now.acknowledged - before.acknowledged,
                took: now.at - before.at,
                latency: totals.take_latency(),
                cpu: now.cpu.since(&before.cpu),
                wal_bytes: now.wal - before.wal,
                hub_bytes: resident_memory(self.pid)? as f64,
                database_bytes: database_memory(&self.lab.state())? as f64,
                disk_bytes: self.disk().await?,
                lags,
            };
            println!("{}", minute.line(number));
            minutes.push(minute);
            before = now;
        }
        Ok(minutes)
    }

    /// Processor time is read from /proc: of the hub's process, and of the database's first process and all that it made.
    /// Those come and go (workers of parallel queries, autovacuum, connections); what one that has ended had used is kept by
    /// the kernel in the first process, which has waited for it.
    async fn look(&mut self, totals: &Totals) -> Result<Look> {
        let wal = "select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8";
        let wal = sqlx::query_scalar(wal).fetch_one(&mut self.sql).await?;
        Ok(Look {
            at: Instant::now(),
            cpu: Cpu::now(&self.lab.state())?,
            wal,
            acknowledged: totals.acknowledged(),
        })
    }

    /// Bytes of all databases and of the log.
    async fn disk(&mut self) -> Result<f64> {
        let query = "select ((select sum(pg_database_size(oid)) from pg_database) \
             + (select coalesce(sum(size), 0) from pg_ls_waldir()))::float8";
        Ok(sqlx::query_scalar(query).fetch_one(&mut self.sql).await?)
    }

    /// How far each follower is behind, as the hub tells.
    pub async fn lags(&self) -> Lags {
        match watch::get(self.lab, "/metrics").await {
            Some((200, text)) => Lags::read(&text),
            _ => Lags::default(),
        }
    }

    /// How soon readings were scored since the hub's start, as it tells.
    pub async fn scored_so_far(&self) -> Scored {
        match watch::get(self.lab, "/metrics").await {
            Some((200, text)) => Scored::read(&text),
            _ => Scored::default(),
        }
    }

    /// Waits until everything is scored; how long that took.
    ///
    /// # Errors
    /// It takes longer than `limit`.
    pub async fn scored(&self, limit: Duration) -> Result<Duration> {
        let begun = Instant::now();
        let idle = async || watch::figure(self.lab, "scoring_idle_total").await;
        // The first round that ends may have begun before: the second has seen all that was there.
        let enough = idle().await + 2.0;
        while idle().await < enough {
            ensure!(begun.elapsed() < limit, "not everything is scored after {limit:?}");
            sleep(SCORED_LOOK).await;
        }
        Ok(begun.elapsed())
    }
}
