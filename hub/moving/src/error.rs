//! Why an export, an import, a backup or a restore does not go on, and what to do about it.

use hub_store::error::StoreError;
use hub_store_postgres::{ClusterError, ConnectError};
use std::path::{Path, PathBuf};

/// Why moving data stopped.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// A file or a folder.
    #[error("{path}: cannot be read or written")]
    File {
        /// Path of the file or folder.
        path: PathBuf,
        /// Cause, as the library or the rule words it.
        #[source]
        source: std::io::Error,
    },
    /// The folder holds something else.
    #[error("{0} is not empty and holds no export that was cut off; name a new folder")]
    FolderInUse(PathBuf),
    /// The folder holds a whole export.
    #[error("{0} holds a complete export already; name a new folder")]
    Complete(PathBuf),
    /// Somebody else writes there.
    #[error("{0} is being written by another export; wait for it to end")]
    Busy(PathBuf),
    /// There is no manifest.
    #[error("{folder} holds nothing complete (there is no {missing}); if it was cut off, run the same command again")]
    Incomplete {
        /// The folder.
        folder: PathBuf,
        /// What is not there.
        missing: String,
    },
    /// Of another make.
    #[error("{path} is of format {found}, and this program reads format {known}; use the program that wrote it")]
    Format {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: u64,
        /// What is known.
        known: u64,
    },
    /// Written by another version of the hub.
    #[error(
        "it holds schema version {found}, and this program has {known}; let one version write and read it: upgrade the older \
         side first"
    )]
    Schema {
        /// Of the data.
        found: i64,
        /// Of this program.
        known: i64,
    },
    /// Another keyring.
    #[error(
        "{path} was written under another keyring (fingerprint {found}, here {here}): telephone numbers would not open; put the \
         keyring file of the source in place first"
    )]
    Keyring {
        /// The file.
        path: PathBuf,
        /// Fingerprint of the data, its beginning.
        found: String,
        /// Fingerprint of the keyring here, its beginning.
        here: String,
    },
    /// A file was changed since it was written.
    #[error("{file} is not as it was written: {what}; nothing of it was taken, fetch it again")]
    Changed {
        /// The file.
        file: PathBuf,
        /// Which record, and what about it.
        what: String,
    },
    /// A cut export belongs to another database, keyring or version.
    #[error("{folder} holds an export that was cut off, of {what}; remove it or name a new folder")]
    OtherExport {
        /// The folder.
        folder: PathBuf,
        /// What differs.
        what: String,
    },
    /// The target holds rows.
    #[error("the target is not empty: table {0} has rows; name an empty database or a new state directory")]
    NotEmpty(String),
    /// An import of something else is half done there.
    #[error(
        "the target holds a part of another export ({0}); go on with that one, or name an empty database or a new state \
         directory"
    )]
    OtherImport(uuid::Uuid),
    /// A hub works on the target.
    #[error("a hub works on the target; stop it first")]
    HubRuns,
    /// A row does not look as this program writes it.
    #[error("table {table}: {what}")]
    Row {
        /// The table.
        table: String,
        /// What is wrong.
        what: String,
    },
    /// A program of PostgreSQL is missing.
    #[error(
        "{program} of PostgreSQL {major} or later was not found beside the server's programs nor in the path; install it \
         with `apt-get install postgresql-client`, or set postgres_bin to where it is"
    )]
    NoProgram {
        /// Name of the program.
        program: &'static str,
        /// Major version of the server.
        major: u32,
    },
    /// The extension of a backup is not here.
    #[error(
        "the backup is of a database with TimescaleDB {0}, which this server does not have; install that version first"
    )]
    NoTimescale(String),
    /// A backup keeps the name of the schema.
    #[error(
        "the backup is of tables in schema \"{found}\", and the target's role works in \"{here}\", where they would not be \
         found; restore as a role that works in \"{found}\", or move with `forecall export` and `import`"
    )]
    OtherNamespace {
        /// Of the backup.
        found: String,
        /// Of the target's role.
        here: String,
    },
    /// Not a hub's database.
    #[error("the database holds no hub: there is nothing to back up")]
    NoHub,
    /// No upgrade without a backup.
    #[error(
        "the database stays at schema version {from}: an upgrade begins with a backup in {folder}, and there is none; see to what \
         follows and start again (it takes at most as much room there as the database), or go on with the program of before"
    )]
    NotBackedUp {
        /// Schema version of the database.
        from: i64,
        /// Where the backup should be.
        folder: PathBuf,
        /// Why it is not.
        #[source]
        source: Box<MoveError>,
    },
    /// A program of PostgreSQL.
    #[error("{program} failed: {output}")]
    Program {
        /// Name of the program.
        program: &'static str,
        /// What it said.
        output: String,
    },
    /// The database.
    #[error("{what}: the database failed")]
    Database {
        /// What was being done.
        what: String,
        /// Cause, as the library or the rule words it.
        #[source]
        source: sqlx::Error,
    },
    /// Opening the database.
    #[error("cannot open the database")]
    Connect(#[from] ConnectError),
    /// The own cluster.
    #[error("the hub's own database")]
    Cluster(#[from] ClusterError),
    /// Another operation of the store.
    #[error("the store")]
    Store(#[from] StoreError),
}

/// Result of moving.
pub type Result<T> = std::result::Result<T, MoveError>;

pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> MoveError {
    let path = path.to_owned();
    move |source| MoveError::File { path, source }
}

pub(crate) fn database(what: impl Into<String>) -> impl FnOnce(sqlx::Error) -> MoveError {
    let what = what.into();
    move |source| MoveError::Database { what, source }
}

pub(crate) fn changed(path: &Path, what: impl Into<String>) -> MoveError {
    MoveError::Changed {
        file: path.to_owned(),
        what: what.into(),
    }
}
