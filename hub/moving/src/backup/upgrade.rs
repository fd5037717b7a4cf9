//! An upgrade: what an older program wrote is backed up, then migrated.

use super::about::About;
use super::{BackedUp, BackupDatabase, DOCUMENT, backup};
use crate::error::{MoveError, Result, database};
use crate::source;
use hub_store_postgres::{Keyring, Progress, Upgrade, schema_version};
use jiff::Timestamp;
use sqlx::Connection;
use std::path::Path;
use std::time::{Duration, Instant};

/// A database that was migrated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upgraded {
    /// Schema version that it had.
    pub from: i64,
    /// Schema version that it has.
    pub to: i64,
    /// As it was before.
    pub backup: BackedUp,
    /// How long the backup took.
    pub took: Duration,
}

/// Brings a database to this program's schema, after a backup of it in a new folder within `folder`. While that is made no
/// hub works on the database. `None` where nothing was to be kept: the schema is this program's, or the database is empty.
///
/// # Errors
///
/// [`MoveError::NotBackedUp`] where there is no backup; then nothing was migrated. Where a hub works on the database, its
/// schema cannot become this program's, or a migration fails.
pub async fn upgrade(
    target: &BackupDatabase,
    keyring: &Keyring,
    folder: &Path,
    now: Timestamp,
    tell: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<Option<Upgraded>> {
    let Some(upgrade) = Upgrade::begin(target.options.clone()).await? else {
        return Ok(None);
    };
    let Some(from) = upgrade.from() else {
        upgrade.run().await?;
        return Ok(None);
    };
    remove_unfinished(folder);
    let new = folder.join(format!("schema-{from}-{}", now.strftime("%Y%m%dT%H%M%SZ")));
    let begun = Instant::now();
    let backup = backup(target, keyring, &new, now, tell).await.map_err(|source| {
        // A supervisor tries again and again, and each try would leave one.
        if !matches!(source, MoveError::FolderInUse(_)) {
            let _ = std::fs::remove_dir_all(&new);
        }
        MoveError::NotBackedUp {
            from,
            folder: folder.to_owned(),
            source: Box::new(source),
        }
    })?;
    let took = begun.elapsed();
    if let Err(error) = upgrade.run().await {
        // The same holds for backups of a database that is still what it was.
        if matches!(version(target).await, Ok(Some(version)) if version == from) {
            let _ = std::fs::remove_dir_all(&new);
        }
        return Err(error.into());
    }
    Ok(Some(Upgraded {
        from,
        to: schema_version(),
        backup,
        took,
    }))
}

/// Removes what a try that was killed has left: backups without the document that is written last.
fn remove_unfinished(folder: &Path) {
    let Ok(entries) = folder.read_dir() else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("schema-") && !path.join(DOCUMENT).exists() {
            let _ = std::fs::remove_dir_all(&path);
        }
    }
}

async fn version(target: &BackupDatabase) -> Result<Option<i64>> {
    let mut conn = source::connect(&target.options).await?;
    let about = About::read(&mut conn).await?;
    conn.close().await.map_err(database("ending"))?;
    Ok(about.schema)
}
