//! Where data are moved from and to: the hub's own cluster or a given database, and the keyring that must be there.

use crate::config::Config;
use crate::database::{Opened, cluster_options, open_beside, stop_cluster};
use crate::keyring;
use crate::terminal::say;
use anyhow::{Context, Result, ensure};
use hub_moving::{BackupDatabase, MoveError};
use hub_store_postgres::{Cluster, Keyring, PgConnectOptions};

/// A database without a store on it.
pub enum Target {
    /// In the state directory.
    Own(Cluster),
    /// By this URL.
    Given(String),
}

impl Target {
    /// The given database, or the own cluster, which is made if it is not there. A hub must not run on that.
    pub async fn open(config: &Config) -> Result<Self> {
        Ok(match &config.database_url {
            Some(url) => Self::Given(url.clone()),
            None => Self::Own(
                Cluster::start(&config.state_dir, cluster_options(config))
                    .await
                    .context("cannot start the hub's own database")?,
            ),
        })
    }

    /// The given database, or the own cluster if there is one, that of a running hub or not.
    pub async fn open_existing(config: &Config) -> Result<Self> {
        check_exists(config)?;
        Ok(match &config.database_url {
            Some(url) => Self::Given(url.clone()),
            None => Self::Own(
                Cluster::join_or_start(&config.state_dir, cluster_options(config))
                    .await
                    .context("cannot start the hub's own database")?,
            ),
        })
    }

    /// How to connect.
    pub fn connect_options(&self) -> Result<PgConnectOptions> {
        match self {
            Self::Own(cluster) => Ok(cluster.connect_options()),
            Self::Given(url) => url.parse().context("DATABASE_URL is not valid"),
        }
    }

    /// How PostgreSQL's programs get to it.
    pub fn for_backup(&self, config: &Config) -> Result<BackupDatabase> {
        match self {
            Self::Own(cluster) => Ok(BackupDatabase::own(
                cluster,
                &config.state_dir,
                &cluster_options(config),
            )),
            Self::Given(url) => {
                BackupDatabase::given(url, &cluster_options(config)).context("DATABASE_URL is not valid")
            }
        }
    }

    /// Stops the own cluster if it was started for this.
    pub async fn close(self) -> Result<()> {
        match self {
            Self::Own(cluster) => stop_cluster(cluster).await,
            Self::Given(_) => Ok(()),
        }
    }
}

/// Opens the store that is there; makes none.
pub async fn open_existing(config: &Config) -> Result<Opened> {
    keyring_that_is_there(config)?;
    check_exists(config)?;
    open_beside(config).await
}

/// The keyring of the data. A new one would be of no use.
pub fn keyring_that_is_there(config: &Config) -> Result<Keyring> {
    let path = keyring::file(config);
    ensure!(
        path.exists(),
        "there is no keyring at {}; copy the one that the data were written with to there first",
        path.display()
    );
    Keyring::open(&path).context("cannot open the keyring")
}

/// Whether disk or database failed on the way. Anything else was refused, and says itself what to do.
pub fn goes_on(error: &MoveError) -> bool {
    matches!(
        error,
        MoveError::File { .. } | MoveError::Database { .. } | MoveError::Store(_)
    )
}

/// What of the keyring went along.
pub fn say_keyring() {
    say(
        "of the keyring only its fingerprint is in it: copy the keyring file by a way of its own, or no telephone number opens",
    );
}

fn check_exists(config: &Config) -> Result<()> {
    ensure!(
        config.database_url.is_some() || Cluster::exists(&config.state_dir)?,
        "there is no database in {}",
        config.state_dir.display()
    );
    Ok(())
}
