//! Working beside a hub that runs: a connection to its database, which stays the hub's to start, migrate and stop.

use super::paths::ClusterPaths;
use super::process::{self, Postmaster};
use super::{Cluster, ClusterError, connect_options};
use sqlx::{ConnectOptions, Connection};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// One look at the running database.
const LOOK_LIMIT: Duration = Duration::from_secs(5);

/// Joins the running cluster, or fails with [`ClusterError::NotJoined`] if there is none that answers now.
pub(super) async fn join(state_dir: &Path) -> Result<Cluster, ClusterError> {
    let not_joined = || ClusterError::NotJoined(state_dir.to_owned());
    let mut paths = ClusterPaths::of(state_dir);
    let running = paths.clone();
    let looked = tokio::task::spawn_blocking(move || (process::postmaster(&running), socket(&running))).await;
    let Ok((Ok(Postmaster::Lives(_) | Postmaster::Opaque(_)), Some(socket))) = looked else {
        return Err(not_joined());
    };
    paths.socket = socket;
    match tokio::time::timeout(LOOK_LIMIT, version(&paths)).await {
        Ok(Ok(version)) => Ok(Cluster {
            paths,
            version: format!("postgres (PostgreSQL) {version}"),
            owner: None,
        }),
        Ok(Err(error)) => {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "the running database does not answer"
            );
            Err(not_joined())
        }
        Err(_) => Err(not_joined()),
    }
}

async fn version(paths: &ClusterPaths) -> Result<String, sqlx::Error> {
    let mut conn = connect_options(paths).connect().await?;
    let version = sqlx::query_scalar("show server_version").fetch_one(&mut conn).await?;
    conn.close().await?;
    Ok(version)
}

/// Where the postmaster says its socket is: the fifth line of its file. It is written by the database's user alone.
fn socket(paths: &ClusterPaths) -> Option<PathBuf> {
    let text = std::fs::read_to_string(process::postmaster_file(paths)).ok()?;
    let line = text.lines().nth(4)?.trim();
    (!line.is_empty()).then(|| PathBuf::from(line))
}
