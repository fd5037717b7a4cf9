//! What tests of one run can share: a database server, on which a migrated database is copied for each test, and a hub's
//! state directory as it is before the hub's first start.

use crate::hub::open_folder;
use anyhow::{Context, Result, ensure};
use hub_store_postgres::{Cluster, ClusterOptions, Keyring, Migrations, PostgresStore};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::{ConnectOptions, Connection, Executor};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// URL of the database server; its user may create databases.
pub const CLUSTER: &str = "FORECALL_TEST_CLUSTER";
/// Folder of the state directory that is copied.
pub const STATE: &str = "FORECALL_TEST_STATE";
/// On that server: a database of this program's schema, without a row.
pub const TEMPLATE: &str = "forecall_template";

/// See the module.
pub struct Bed {
    cluster: Cluster,
    folder: TempDir,
}

impl Bed {
    /// Makes it, which takes some seconds.
    ///
    /// # Errors
    /// A database does not start or cannot be migrated.
    pub async fn make() -> Result<Self> {
        let folder = open_folder()?;
        let cluster = Cluster::start(&folder.path().join("shared"), ClusterOptions::default()).await?;
        // The role that a hub acts as for one tenant is made by the first hub of a cluster.
        let keyring = Keyring::open_or_create(&folder.path().join("keyring"))?;
        let hub = PostgresStore::connect(cluster.connect_options(), keyring, BTreeMap::new()).await?;
        hub.close().await;
        let mut admin = cluster.connect_options().connect().await?;
        admin.execute(format!("create database {TEMPLATE}").as_str()).await?;
        admin.close().await?;
        let mut template = cluster.connect_options().database(TEMPLATE).connect().await?;
        Migrations::all().run(&mut template).await?;
        template.close().await?;
        make_state(&folder.path().join("state")).await?;
        Ok(Self { cluster, folder })
    }

    /// Variables for the environment of tests.
    pub fn variables(&self) -> [(&'static str, String); 2] {
        let state = self.folder.path().join("state");
        [(CLUSTER, self.cluster.url()), (STATE, state.display().to_string())]
    }

    /// Stops the server and removes everything.
    ///
    /// # Errors
    /// The server does not stop.
    pub async fn clear(self) -> Result<()> {
        // At once: a checkpoint of some hundred databases that nobody keeps would take half a minute.
        let file = self.cluster.data_dir().join("postmaster.pid");
        let text = std::fs::read_to_string(&file).context("the server has ended")?;
        let postmaster = text.lines().next().unwrap_or_default().trim().parse()?;
        kill(Pid::from_raw(postmaster), Signal::SIGQUIT)?;
        Ok(self.cluster.stop().await?)
    }
}

/// A state directory with a keyring and a stopped database of this program's schema.
async fn make_state(state: &Path) -> Result<()> {
    let cluster = Cluster::start(state, ClusterOptions::default()).await?;
    let keyring = Keyring::open_or_create(&keyring_file(state))?;
    let hub = PostgresStore::connect(cluster.connect_options(), keyring, BTreeMap::new()).await?;
    hub.close().await;
    Ok(cluster.stop().await?)
}

/// Copies the prepared state directory to `state`, where a run has one; nothing is there otherwise, and a hub that starts
/// makes it.
///
/// # Errors
/// It cannot be copied.
pub fn copy_state(state: &Path) -> Result<()> {
    let Some(prepared) = std::env::var_os(STATE).map(PathBuf::from) else {
        return Ok(());
    };
    // As root the database's files belong to another user.
    let copied = std::process::Command::new("cp")
        .arg("--archive")
        .arg(&prepared)
        .arg(state)
        .status()
        .context("cannot start cp")?;
    ensure!(copied.success(), "{} cannot be copied", prepared.display());
    Ok(())
}

/// The keyring of a hub's state directory.
pub fn keyring_file(state: &Path) -> PathBuf {
    state.join("keyring.toml")
}
