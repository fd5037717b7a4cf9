//! Upgrades: a database that an older program wrote is backed up beside the state directory before this one migrates it.

use crate::config::Config;
use anyhow::{Context, Result};
use hub_core::clock::{CivilClock, SystemClock};
use hub_moving::{BackupDatabase, MoveError};
use hub_store_postgres::{Cluster, ClusterOptions, Keyring, Progress};
use std::path::{Path, PathBuf};

/// Brings the own cluster, or else the given database, to this program's schema.
///
/// # Errors
///
/// Where there is no backup, and so no upgrade; where the database cannot be opened or does not become this program's.
pub async fn bring_up(config: &Config, cluster: Option<&Cluster>, keyring: &Keyring) -> Result<()> {
    let programs = ClusterOptions {
        bin_dir: config.postgres_bin.clone(),
    };
    let database = match (cluster, &config.database_url) {
        (Some(cluster), _) => BackupDatabase::own(cluster, &config.state_dir, &programs),
        (None, Some(url)) => BackupDatabase::given(url, &programs).context("DATABASE_URL is not valid")?,
        (None, None) => return Ok(()),
    };
    let folder = backups(&config.state_dir)?;
    let mut is_told = false;
    let mut tell = |_: Progress<'_>| {
        // Told where there is much of it.
        if !std::mem::replace(&mut is_told, true) {
            tracing::info!(folder = %folder.display(), "an older program wrote the database: it is backed up first");
        }
    };
    let done = hub_moving::upgrade(&database, keyring, &folder, SystemClock.now(), &mut tell);
    let done = done.await.map_err(|error| match error {
        MoveError::Connect(error) => anyhow::Error::new(error).context("cannot open the database"),
        other => anyhow::Error::new(other),
    })?;
    if let Some(done) = done {
        tracing::info!(
            from = done.from,
            to = done.to,
            backup = %done.backup.file.display(),
            bytes = done.backup.bytes,
            backup_ms = done.took.as_millis(),
            "the database was backed up, then brought to this program's schema"
        );
    }
    Ok(())
}

/// Beside the state directory: `/var/lib/forecall-backups` for `/var/lib/forecall`.
fn backups(state_dir: &Path) -> Result<PathBuf> {
    let whole = std::path::absolute(state_dir).context("state_dir cannot be found")?;
    let name = whole.file_name().context("state_dir has no name of its own")?;
    Ok(whole.with_file_name(format!("{}-backups", name.to_string_lossy())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backups_lie_beside_the_state_directory() {
        for (state_dir, folder) in [
            ("/var/lib/forecall", "/var/lib/forecall-backups"),
            ("/var/lib/forecall/", "/var/lib/forecall-backups"),
        ] {
            assert_eq!(backups(Path::new(state_dir)).unwrap(), Path::new(folder));
        }
        assert!(backups(Path::new("state")).unwrap().is_absolute());
        assert!(backups(Path::new("/")).is_err());
    }
}
