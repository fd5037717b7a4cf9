//! Databases that are given to hubs, as far as they know.

use crate::clients;
use crate::hub::{open_folder, project};
use anyhow::{Context, Result, ensure};
use hub_store_postgres::{Cluster, ClusterOptions, PgConnectOptions};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection};
use std::io::Write;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// TimescaleDB in WebAssembly starts in 5 s on two free processors.
const BRIDGE_START_MAX: Duration = Duration::from_secs(120);

/// A database that somebody else runs.
pub struct Database {
    /// What `DATABASE_URL` is for it.
    pub url: String,
    server: Server,
}

enum Server {
    /// Started here.
    Cluster(Cluster, TempDir),
    /// TimescaleDB in WebAssembly.
    Bridge(Child, TempDir),
    /// That of `TEST_DATABASE_URL`, with the database that was made on it.
    Named(PgConnectOptions, String),
}

impl Database {
    /// PostgreSQL, for a role that has the rights of docs/operations/database.md and no others.
    ///
    /// # Errors
    /// It does not start, or does not take that page's statements.
    pub async fn with_least_rights() -> Result<Self> {
        let folder = open_folder()?;
        let cluster = Cluster::start(&folder.path().join("state"), ClusterOptions::default()).await?;
        let page = std::fs::read_to_string(project().join("docs/operations/database.md"))?;
        let statements = page
            .split_once("```sql\n")
            .and_then(|(_, rest)| rest.split_once("```"))
            .context("the page has no statements")?
            .0;
        let mut admin = PgConnection::connect_with(&cluster.connect_options()).await?;
        admin.execute(statements).await?;
        // A hub's own cluster lets nobody in but the hub.
        let mut access = std::fs::OpenOptions::new()
            .append(true)
            .open(cluster.data_dir().join("pg_hba.conf"))?;
        access.write_all(b"local forecall forecall_hub scram-sha-256\n")?;
        admin.execute("select pg_reload_conf()").await?;
        admin.close().await?;
        let url = cluster.url().replacen("//forecall@", "//forecall_hub:choose-one@", 1);
        Ok(Self {
            url,
            server: Server::Cluster(cluster, folder),
        })
    }

    /// TimescaleDB in WebAssembly (tests/timescale), if it is installed; in continuous integration it must be.
    ///
    /// # Errors
    /// It does not start.
    pub async fn timescale() -> Result<Option<Self>> {
        let Some(modules) = clients::found("timescale/node_modules") else {
            ensure!(
                std::env::var_os("CI").is_none(),
                "TimescaleDB for tests is not in target/clients/timescale"
            );
            return Ok(None);
        };
        let folder = open_folder()?;
        let mut bridge = Command::new("node")
            .arg(project().join("tests/timescale/bridge.mjs"))
            .arg("--socket")
            .arg(folder.path())
            .arg("--modules")
            .arg(modules)
            // Held open until the end: then it ends too, also where this program is killed.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("node does not start")?;
        let mut lines = BufReader::new(bridge.stdout.take().context("stdout")?).lines();
        let url = tokio::time::timeout(BRIDGE_START_MAX, lines.next_line())
            .await
            .context("the bridge does not start in time")??
            .context("the bridge does not serve")?;
        Ok(Some(Self {
            url,
            server: Server::Bridge(bridge, folder),
        }))
    }

    /// A new database on the server of `TEST_DATABASE_URL`, if that is set; with TimescaleDB where that is available.
    ///
    /// # Errors
    /// The server does not answer, or its user may not make a database.
    pub async fn named() -> Result<Option<Self>> {
        let Ok(url) = std::env::var("TEST_DATABASE_URL") else {
            return Ok(None);
        };
        let options: PgConnectOptions = url.parse().context("TEST_DATABASE_URL")?;
        let name = format!("forecall_test_{}_given", std::process::id());
        let mut admin = options.connect().await.context("TEST_DATABASE_URL does not answer")?;
        admin.execute(format!("create database {name}").as_str()).await?;
        let has_timescale: bool =
            sqlx::query_scalar("select exists (select from pg_available_extensions where name = 'timescaledb')")
                .fetch_one(&mut admin)
                .await?;
        admin.close().await?;
        let database = options.clone().database(&name);
        if has_timescale {
            let mut conn = database.connect().await?;
            conn.execute("create extension if not exists timescaledb").await?;
            conn.close().await?;
        }
        Ok(Some(Self {
            url: database.to_url_lossy().to_string(),
            server: Server::Named(options, name),
        }))
    }

    /// Which form the hub's readings have there.
    ///
    /// # Errors
    /// It does not answer, or no hub was there.
    pub async fn layout(&self) -> Result<String> {
        let mut conn = PgConnection::connect(&self.url).await?;
        let layout = sqlx::query_scalar("select telemetry from layout")
            .fetch_one(&mut conn)
            .await?;
        conn.close().await?;
        Ok(layout)
    }

    /// Ends it, or leaves the server as it was.
    ///
    /// # Errors
    /// It does not end.
    pub async fn stop(self) -> Result<()> {
        match self.server {
            Server::Cluster(cluster, _folder) => cluster.stop().await?,
            Server::Bridge(mut bridge, _folder) => bridge.kill().await?,
            Server::Named(options, name) => {
                let mut admin = options.connect().await?;
                admin
                    .execute(format!("drop database {name} with (force)").as_str())
                    .await?;
                admin.close().await?;
            }
        }
        Ok(())
    }
}
