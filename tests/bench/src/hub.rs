//! Our hub as the real program, with devices whose readings no model scores.

use crate::broker::{Broker, Proof};
use crate::reading::{CHANNELS, Load, PROFILE, identity, profile};
use anyhow::Result;
use hub_store_postgres::{Cluster, ClusterOptions};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, Row};
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::Path;
use tests_hub::hub::{Lab, RunningHub, project};
use tests_hub::site::{TestSite, daytime_zone};

/// The hub under load.
pub struct BenchHub {
    /// How to load it.
    pub broker: Broker,
    /// Its directory and addresses.
    pub lab: Lab,
    hub: RunningHub,
    database: PgConnectOptions,
}

/// A hub that was killed with -9; its database lives.
pub struct KilledHub {
    name: &'static str,
    lab: Lab,
    database: PgConnectOptions,
}

/// What the database says of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Rows.
    pub rows: usize,
    /// Readings.
    pub distinct: usize,
    /// Rows with every channel's value.
    pub whole: usize,
}

impl BenchHub {
    /// Starts it with so many devices.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(name: &'static str, devices: usize) -> Result<Self> {
        Self::start_with(name, devices, |_| Ok(())).await
    }

    /// The same after settings were made.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start_with(
        name: &'static str,
        devices: usize,
        set: impl FnOnce(&mut Lab) -> Result<()>,
    ) -> Result<Self> {
        let mut lab = Lab::new()?;
        let models = lab.path().join("models");
        write_models(&models)?;
        lab.models(models);
        set(&mut lab)?;
        lab.apply(&site(devices).toml()).await?;
        let hub = lab.serve().await?;
        let cluster = Cluster::join_or_start(&lab.state(), ClusterOptions::default()).await?;
        Self::of(name, lab, hub, cluster.connect_options())
    }

    fn of(name: &'static str, lab: Lab, hub: RunningHub, database: PgConnectOptions) -> Result<Self> {
        let broker = Broker {
            name,
            address: lab.mqtt,
            pid: hub.pid()?,
            state: Some(lab.state()),
            proof: Proof::Stored,
        };
        Ok(Self {
            broker,
            lab,
            hub,
            database,
        })
    }

    /// Looks at every row of a load.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn stored(&self, load: Load) -> Result<Stored> {
        let mut connection = self.sql().await?;
        let columns: Vec<String> = (1..=CHANNELS).map(|id| format!("c{id}")).collect();
        let row = sqlx::query(&format!(
            "select count(*), count(distinct (appliance, seq)), \
             count(*) filter (where num_nonnulls({}) = $2 and extra is null) from telemetry where boot = $1",
            columns.join(", ")
        ))
        .bind(i64::try_from(load.boot())?)
        .bind(i32::from(CHANNELS))
        .fetch_one(&mut connection)
        .await?;
        let count = |index: usize| anyhow::Ok(usize::try_from(row.try_get::<i64, _>(index)?)?);
        let stored = Stored {
            rows: count(0)?,
            distinct: count(1)?,
            whole: count(2)?,
        };
        connection.close().await?;
        Ok(stored)
    }

    /// A connection to its database.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn sql(&self) -> Result<PgConnection> {
        Ok(PgConnection::connect_with(&self.database).await?)
    }

    /// kill -9 of the hub alone.
    ///
    /// # Errors
    /// There is no such process.
    pub async fn kill(self) -> Result<KilledHub> {
        self.hub.kill().await?;
        Ok(KilledHub {
            name: self.broker.name,
            lab: self.lab,
            database: self.database,
        })
    }

    /// Stops it; an error if it logged any.
    ///
    /// # Errors
    /// It does not stop cleanly.
    pub async fn stop(self) -> Result<()> {
        self.hub.stop().await
    }
}

impl KilledHub {
    /// Where it will listen.
    pub fn address(&self) -> SocketAddr {
        self.lab.mqtt
    }

    /// A new process, when it is ready.
    ///
    /// # Errors
    /// It does not start again.
    pub async fn start(self) -> Result<BenchHub> {
        let hub = self.lab.serve().await?;
        BenchHub::of(self.name, self.lab, hub, self.database)
    }
}

/// One model, since a hub without any does not start, and a profile that no model knows.
fn write_models(dir: &Path) -> Result<()> {
    let profiles = dir.join("profiles");
    std::fs::create_dir_all(&profiles)?;
    let ours = project().join("models");
    symlink(ours.join("washing-machine"), dir.join("washing-machine"))?;
    std::fs::copy(
        ours.join("profiles/washing-machine.toml"),
        profiles.join("washing-machine.toml"),
    )?;
    std::fs::write(profiles.join(format!("{PROFILE}.toml")), profile())?;
    Ok(())
}

fn site(devices: usize) -> TestSite {
    TestSite {
        trunk: None,
        password: None,
        devices: (0..devices)
            .map(|n| (identity(n).device, PROFILE.to_owned(), None))
            .collect(),
        consent: false,
        zone: daytime_zone(12),
    }
}
