//! Before a database is brought to a newer schema: a backup, from which the program of before can start again.

use crate::config::Config;
use crate::database::cluster_options;
use anyhow::{Context, Result, ensure};
use hub_core::clock::{CivilClock, SystemClock};
use hub_moving::BackupDatabase;
use hub_store_postgres::{Cluster, Keyring, PgConnectOptions, PostgresStore, make_state_dir};
use std::path::Path;
use std::time::Instant;

/// The folder of such backups within the state directory.
const FOLDER: &str = "backups";

/// Makes the backup if the next connection would migrate the database.
///
/// # Errors
///
/// Where there is no room for it, or it cannot be made: then nothing may be migrated.
pub(crate) async fn back_up_first(config: &Config, cluster: Option<&Cluster>, keyring: &Keyring) -> Result<()> {
    let options: PgConnectOptions = match (cluster, &config.database_url) {
        (Some(cluster), _) => cluster.connect_options(),
        (None, Some(url)) => url.parse().context("DATABASE_URL is not valid")?,
        (None, None) => return Ok(()),
    };
    let due = PostgresStore::upgrade_due(options).await;
    let Some(due) = due.context("cannot ask the database for its schema version")? else {
        return Ok(());
    };
    let started = Instant::now();
    let (from, to) = (due.from, due.to);
    tracing::info!(
        from,
        to,
        bytes = due.bytes,
        "database of an earlier schema: making a backup before the upgrade"
    );
    make_state_dir(&config.state_dir)?;
    check_room(&config.state_dir, due.bytes).with_context(|| refusal(from, to))?;
    let database = match (cluster, &config.database_url) {
        (Some(cluster), _) => BackupDatabase::own(cluster, &config.state_dir, &cluster_options(config)),
        (None, url) => BackupDatabase::given(url.as_deref().unwrap_or_default(), &cluster_options(config))
            .context("DATABASE_URL is not valid")?,
    };
    let now = SystemClock.now();
    let folder = config.state_dir.join(FOLDER);
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))
        .with_context(|| refusal(from, to))?;
    let folder = folder.join(format!("schema-{from}-{}", now.strftime("%Y%m%dT%H%M%SZ")));
    let made = hub_moving::backup(&database, keyring, &folder, now, &mut |_| ()).await;
    let made = made.with_context(|| refusal(from, to))?;
    tracing::info!(
        folder = %folder.display(),
        bytes = made.bytes,
        seconds = started.elapsed().as_secs_f32(),
        "backup made before the upgrade; `forecall restore` of the program of before takes it"
    );
    Ok(())
}

fn refusal(from: i64, to: i64) -> String {
    format!(
        "no backup could be made before the upgrade from schema version {from} to {to}, so nothing was changed; mend it, or make a \
         backup of your own and start with `forecall serve --upgrade-without-backup`"
    )
}

/// A dump is smaller than its database; as much room as the database takes is enough.
fn check_room(state_dir: &Path, bytes: u64) -> Result<()> {
    let disk = nix::sys::statvfs::statvfs(state_dir)
        .with_context(|| format!("cannot look at the disk of {}", state_dir.display()))?;
    let free = disk.blocks_available() * disk.fragment_size();
    ensure!(
        free >= bytes,
        "the disk of {} has {free} bytes free, and the database takes {bytes}",
        state_dir.display()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check_room;

    #[test]
    fn a_disk_that_is_too_small_is_told_with_both_figures() {
        let folder = tempfile::tempdir().unwrap();
        assert!(check_room(folder.path(), 1).is_ok());
        let refused = check_room(folder.path(), u64::MAX).unwrap_err().to_string();
        assert!(
            refused.contains(&u64::MAX.to_string()) && refused.contains("bytes free"),
            "{refused}"
        );
    }
}
