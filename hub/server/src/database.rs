//! The database that a hub or a command works on, given or the hub's own cluster: opened with keyring and profiles, and closed.
//! Knows no stage.

use crate::config::Config;
use crate::keyring;
use crate::models::{load_families, profiles};
use crate::upgrade;
use anyhow::{Context, Result};
use hub_core::profile::Family;
use hub_store_postgres::{Cluster, ClusterError, ClusterOptions, PostgresStore};
use std::sync::Arc;

/// A store that is open, before anything works on it.
pub struct Opened {
    /// The store.
    pub store: Arc<PostgresStore>,
    /// Families whose appliances the store takes.
    pub families: Vec<Family>,
    /// The hub's own database; `None` where one is given.
    pub(crate) cluster: Option<Cluster>,
}

/// Opens the store: the given database, or the hub's own cluster, which a second hub cannot have.
///
/// # Errors
///
/// Where profiles or keyring cannot be read, or the database does not start, does not answer, or is not one of a hub.
pub async fn open(config: &Config) -> Result<Opened> {
    open_with(config, false).await
}

/// The same for a command: where a hub runs, its database is joined and left running.
///
/// # Errors
///
/// As of [`open`].
pub async fn open_beside(config: &Config) -> Result<Opened> {
    open_with(config, true).await
}

async fn open_with(config: &Config, beside: bool) -> Result<Opened> {
    let families = load_families(&config.models_dir)?;
    let keyring = keyring::open_or_make(config).await?;
    let (options, cluster) = match &config.database_url {
        Some(url) => (url.parse().context("DATABASE_URL is not valid")?, None),
        None => {
            let cluster = own_cluster(config, beside)
                .await
                .context("cannot start the hub's own database")?;
            (cluster.connect_options(), Some(cluster))
        }
    };
    let known = profiles(&families);
    let store = if cluster.as_ref().is_some_and(Cluster::is_joined) {
        PostgresStore::connect_beside(options, keyring, known).await
    } else {
        upgrade::bring_up(config, cluster.as_ref(), &keyring).await?;
        PostgresStore::connect(options, keyring, known).await
    };
    Ok(Opened {
        store: Arc::new(store.context("cannot open the database")?),
        families,
        cluster,
    })
}

async fn own_cluster(config: &Config, beside: bool) -> Result<Cluster, ClusterError> {
    let options = cluster_options(config);
    if beside {
        Cluster::join_or_start(&config.state_dir, options).await
    } else {
        Cluster::start(&config.state_dir, options).await
    }
}

/// Where the programs of the own cluster are.
pub fn cluster_options(config: &Config) -> ClusterOptions {
    ClusterOptions {
        bin_dir: config.postgres_bin.clone(),
    }
}

/// Stops the hub's own database.
///
/// # Errors
///
/// Where it did not stop cleanly: the next start recovers it.
pub async fn stop_cluster(cluster: Cluster) -> Result<()> {
    cluster
        .stop()
        .await
        .context("the hub's own database did not stop cleanly")
}

impl Opened {
    /// Whether the database is a given one.
    pub fn is_given(&self) -> bool {
        self.cluster.is_none()
    }

    /// Closes the store, and stops the hub's own database if it was started for it.
    ///
    /// # Errors
    ///
    /// As of [`stop_cluster`].
    pub async fn close(self) -> Result<()> {
        self.store.close().await;
        match self.cluster {
            Some(cluster) => stop_cluster(cluster).await,
            None => Ok(()),
        }
    }
}
