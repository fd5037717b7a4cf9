//! A server to measure on, and a database on it with a fleet.

use super::fleet::Fleet;
use anyhow::{Context, Result};
use hub_core::profile::{ApplianceProfile, Channel};
use hub_store::lease::LeaseStore;
use hub_store_postgres::{Cluster, ClusterOptions, Keyring, PostgresStore};
use jiff::Timestamp;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, PgConnection};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;

/// Channels of each appliance, and of each value's row.
pub const CHANNELS: u8 = 10;
/// The profile's name.
pub const PROFILE: &str = "bench";
/// The tenant.
pub const TENANT: &str = "acme";
/// Digits behind the point.
const DECIMALS: u8 = 1;

/// A PostgreSQL server.
pub struct Server {
    own: Option<Cluster>,
    options: PgConnectOptions,
    folder: TempDir,
    version: String,
    timescale: Option<String>,
}

/// A database with a fleet, and the hub's store on it.
pub struct Base {
    /// The store.
    pub store: PostgresStore,
    /// The same database, for other connections.
    pub options: PgConnectOptions,
    /// Its appliances.
    pub fleet: Fleet,
    /// Whether readings are in a hypertable that is compressed.
    pub is_timescale: bool,
    name: String,
}

impl Server {
    /// The one that the environment names, or a cluster like the hub's own.
    ///
    /// # Errors
    /// It does not start, or does not answer.
    pub async fn open() -> Result<Self> {
        match given() {
            Some(url) => Self::at(&url).await,
            None => {
                let folder = folder()?;
                let cluster = Cluster::start(&folder.path().join("state"), ClusterOptions::default()).await?;
                let options = cluster.connect_options();
                Self::with(Some(cluster), options, folder).await
            }
        }
    }

    /// The one at this address.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn at(url: &str) -> Result<Self> {
        let options = url.parse().context("the database's address is not valid")?;
        Self::with(None, options, folder()?).await
    }

    async fn with(own: Option<Cluster>, options: PgConnectOptions, folder: TempDir) -> Result<Self> {
        let mut sql = options.clone().connect().await?;
        let version: String = sqlx::query_scalar("select current_setting('server_version')")
            .fetch_one(&mut sql)
            .await?;
        let timescale: Option<String> =
            sqlx::query_scalar("select default_version from pg_available_extensions where name = 'timescaledb'")
                .fetch_optional(&mut sql)
                .await?;
        sql.close().await?;
        Ok(Self {
            own,
            options,
            folder,
            version,
            timescale,
        })
    }

    /// What it is, for a person.
    pub fn what(&self) -> String {
        let timescale = self.timescale.as_deref().map_or_else(
            || "without TimescaleDB: what is compressed is not measured".to_owned(),
            |version| format!("TimescaleDB {version}"),
        );
        format!("PostgreSQL {}, {timescale}", self.version)
    }

    /// Where files of this run are.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Switches autovacuum on our own cluster; whether it is off now. A server that is somebody else's stays as it is.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn autovacuum(&self, is_on: bool) -> Result<bool> {
        if self.own.is_none() {
            return Ok(false);
        }
        let set = if is_on {
            "alter system reset autovacuum"
        } else {
            "alter system set autovacuum = off"
        };
        let mut sql = self.options.clone().connect().await?;
        for statement in [set, "select pg_reload_conf()"] {
            sql.execute(statement).await?;
        }
        sql.close().await?;
        Ok(!is_on)
    }

    /// A new database with so many devices.
    ///
    /// # Errors
    /// It cannot be made.
    pub async fn base(&self, name: &str, devices: usize) -> Result<Base> {
        let name = format!("forecall_bench_{name}");
        let mut sql = self.options.clone().connect().await?;
        for statement in [
            format!("drop database if exists {name}"),
            format!("create database {name}"),
        ] {
            sql.execute(statement.as_str()).await?;
        }
        sql.close().await?;
        let options = self.options.clone().database(&name);
        let mut sql = options.clone().connect().await?;
        if self.timescale.is_some() {
            sql.execute("create extension if not exists timescaledb").await?;
        }
        let keyring = Keyring::open_or_create(&self.folder().join(format!("{name}.keyring")))?;
        let store = PostgresStore::connect(options.clone(), keyring, profiles()).await?;
        let lease = store.take_lease(Timestamp::UNIX_EPOCH).await?;
        lease.context("another hub writes to the new database")?;
        let fleet = Fleet::make(&mut sql, devices).await?;
        sql.close().await?;
        Ok(Base {
            store,
            options,
            fleet,
            is_timescale: self.timescale.is_some(),
            name,
        })
    }

    /// Drops the database.
    ///
    /// # Errors
    /// Somebody still uses it.
    pub async fn drop(&self, base: Base) -> Result<()> {
        base.store.close().await;
        let mut sql = self.options.clone().connect().await?;
        sql.execute(format!("drop database {} with (force)", base.name).as_str())
            .await?;
        sql.close().await?;
        Ok(())
    }

    /// Stops the cluster, if it is our own.
    ///
    /// # Errors
    /// It does not stop.
    pub async fn close(self) -> Result<()> {
        match self.own {
            Some(cluster) => Ok(cluster.stop().await?),
            None => Ok(()),
        }
    }
}

impl Base {
    /// A connection besides the store's.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn sql(&self) -> Result<PgConnection> {
        Ok(self.options.clone().connect().await?)
    }

    /// The first number that a query answers with.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn number(&self, query: &str) -> Result<i64> {
        let mut sql = self.sql().await?;
        let number = sqlx::query_scalar(query).fetch_one(&mut sql).await?;
        sql.close().await?;
        Ok(number)
    }
}

/// Whose server the environment names.
pub(super) fn given() -> Option<String> {
    let names = ["BENCH_DATABASE_URL", "TEST_DATABASE_URL"];
    names.into_iter().find_map(|name| std::env::var(name).ok())
}

/// Files of a run; the cluster's own user reads what is in it.
fn folder() -> Result<TempDir> {
    let folder = tempfile::tempdir()?;
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
    Ok(folder)
}

fn profiles() -> BTreeMap<String, ApplianceProfile> {
    let channels = (1..=CHANNELS)
        .map(|id| Channel {
            id,
            name: format!("c{id}"),
            unit: "Cel".to_owned(),
            decimals: DECIMALS,
            min: -1e6,
            max: 1e6,
        })
        .collect();
    let profile = ApplianceProfile {
        name: PROFILE.to_owned(),
        version: 1,
        channels,
    };
    [(PROFILE.to_owned(), profile)].into()
}
