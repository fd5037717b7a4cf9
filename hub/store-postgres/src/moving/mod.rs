//! Moving a whole database: out into files, and from files into an empty one, by any way between the hub's own cluster,
//! a given PostgreSQL and TimescaleDB. Telemetry goes as Parquet, the rest as JSON, one row a line.
//!
//! Nothing here knows what rows mean. Phone numbers and secrets stay sealed as they are, so the keyring must go along, by
//! a way of its own.

mod backup;
mod error;
mod export;
mod files;
mod hash;
mod import;
mod manifest;
mod progress;
mod reading;
mod record;
mod seal;
mod sealed;
mod source;
mod tables;
mod telemetry;
mod text;

pub use backup::{BackedUp, BackupDatabase, backup, restore};
pub use error::MoveError;
pub use export::ExportOptions;
pub(crate) use import::check_is_whole;
pub use progress::Progress;
pub use reading::ExportFolder;

use crate::store::PostgresStore;
use error::Result;
use manifest::Manifest;
use sha2::{Digest, Sha256};
use std::path::Path;

/// What was moved, or looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Hash of all content: the same for the same rows, in whichever database and order.
    pub content: String,
    /// Name, rows and hash of every table.
    pub tables: Vec<(String, u64, String)>,
}

impl Moved {
    fn of(manifest: &Manifest) -> Self {
        let tables = manifest.tables.iter();
        Self {
            content: manifest.content.clone(),
            tables: tables
                .map(|table| (table.name.clone(), table.rows, table.content.clone()))
                .collect(),
        }
    }

    /// Rows of all tables.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|(_, rows, _)| rows).sum()
    }
}

impl PostgresStore {
    /// Writes everything into `folder`: all tables of one moment, also beside a hub that works. Run again after a cut, it
    /// goes on.
    ///
    /// # Errors
    ///
    /// Where the folder holds something else, or the disk or the database fails; then run again.
    pub async fn export(
        &self,
        folder: &Path,
        options: ExportOptions,
        tell: &mut (dyn FnMut(Progress<'_>) + Send),
    ) -> Result<Moved> {
        export::export(self, folder, options, tell).await
    }

    /// Puts an export into this database, which must be empty but for a part of the same export. Run again after a cut,
    /// it goes on. Nobody else may work on the database meanwhile.
    ///
    /// # Errors
    ///
    /// Where the database holds anything else, a file is not as it was written, or the database fails.
    pub async fn import(
        &self,
        from: &ExportFolder,
        now: jiff::Timestamp,
        tell: &mut (dyn FnMut(Progress<'_>) + Send),
    ) -> Result<Moved> {
        import::import(self, from, now, tell).await
    }

    /// Hashes of everything, of one moment. Nothing is written.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn content(&self, tell: &mut (dyn FnMut(Progress<'_>) + Send)) -> Result<Moved> {
        hash::content(self, tell).await
    }
}

/// One hash over those of all tables, by name.
fn total<'a>(tables: impl Iterator<Item = (&'a str, u64, &'a str)>) -> String {
    let mut tables: Vec<_> = tables.collect();
    tables.sort_unstable();
    let mut hash = Sha256::new();
    for (name, rows, content) in tables {
        hash.update(format!("{name} {rows} {content}\n"));
    }
    hex::encode(hash.finalize())
}
