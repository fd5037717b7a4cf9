//! Moving a whole database: out into files, and from files into an empty one, by any way between the hub's own cluster,
//! a given PostgreSQL and TimescaleDB. Telemetry goes as Parquet, the rest as JSON, one row a line.
//!
//! Nothing here knows what rows mean, but for `labels`, which gives training its table. Phone numbers and secrets stay sealed as they
//! are, so the keyring must go along, by a way of its own. Backup and restore are of the same database, by PostgreSQL's own programs.

mod backup;
mod error;
mod export;
mod files;
mod hash;
mod import;
mod labels;
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

pub use backup::{BackedUp, BackupDatabase, Upgraded, backup, restore, upgrade};
pub use error::MoveError;
pub use export::{ExportOptions, export};
pub use hash::content;
pub use import::import;
pub use labels::labels;
pub use reading::ExportFolder;

use manifest::Manifest;
use sha2::{Digest, Sha256};

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
