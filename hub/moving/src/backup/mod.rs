//! Backup and restore by PostgreSQL's own programs: the whole database in one file of theirs, and beside it a document
//! that says what it is. The schema is what it was; the program that starts on it migrates it.

mod about;
mod programs;
mod restore;
mod upgrade;

pub use programs::BackupDatabase;
pub use restore::restore;
pub use upgrade::{Upgraded, upgrade};

use crate::error::{MoveError, Result, database, file};
use crate::files::{self, Finished, NewFile};
use crate::manifest::Head;
use crate::sealed::FORMAT;
use crate::sealed::{self, fingerprint};
use crate::{progress, source};
use about::About;
use hub_store_postgres::{ConnectError, Keyring, Progress};
use jiff::Timestamp;
use programs::{start, words};
use serde::{Deserialize, Serialize};
use sqlx::Connection;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use uuid::Uuid;

const DOCUMENT: &str = "backup.json";
const DUMP: &str = "database.dump";
/// Bytes read at a time.
const PIECE: usize = 256 * 1024;
/// Progress is told after so many bytes.
const TELL_EVERY: u64 = 16 << 20;

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackedUp {
    /// The file.
    pub file: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: String,
    /// Schema version of the database.
    pub schema: i64,
    /// Version of TimescaleDB, if the database has it.
    pub timescaledb: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Document {
    head: Head,
    timescaledb: Option<String>,
    /// The schema that the tables are in: an earlier program did not say it.
    #[serde(default)]
    namespace: Option<String>,
    file: String,
    bytes: u64,
    sha256: String,
}

/// Writes a backup of a database, also under a hub that works, into a new folder.
///
/// # Errors
///
/// Where the folder is not new, a program is missing, or the disk or the database fails; then nothing is left of it.
pub async fn backup(
    target: &BackupDatabase,
    keyring: &Keyring,
    folder: &Path,
    now: Timestamp,
    tell: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<BackedUp> {
    files::make_folder(folder)?;
    if folder.read_dir().map_err(file(folder))?.next().is_some() {
        return Err(MoveError::FolderInUse(folder.to_owned()));
    }
    let mut conn = source::connect(&target.options).await?;
    let about = About::read(&mut conn).await?;
    conn.close().await.map_err(database("ending"))?;
    let Some(schema) = about.schema else {
        return Err(MoveError::NoHub);
    };
    let own = fingerprint(keyring);
    if about
        .keyring
        .as_deref()
        .map(hex::encode)
        .is_some_and(|found| found != own)
    {
        return Err(MoveError::Connect(ConnectError::WrongKeyring));
    }
    let mut command = target.command("pg_dump", about.major()).await?;
    // The owner of the tables sees all rows where no tenant is named; the policies go along as they are.
    command.args([
        "--format=custom",
        "--no-owner",
        "--no-privileges",
        "--no-comments",
        "--enable-row-security",
    ]);
    command.arg("--lock-wait-timeout=30s");
    let finished = dump(command, NewFile::create(folder.join(DUMP))?, tell).await?;
    let document = Document {
        head: Head {
            format: FORMAT,
            export: Uuid::nil(),
            taken_at: now,
            schema,
            keyring: own,
            server: about.server,
        },
        timescaledb: about.timescaledb.clone(),
        namespace: about.namespace,
        file: DUMP.to_owned(),
        bytes: finished.bytes,
        sha256: finished.sha256.clone(),
    };
    sealed::write(&folder.join(DOCUMENT), keyring, &document)?;
    Ok(BackedUp {
        file: folder.join(DUMP),
        bytes: finished.bytes,
        sha256: finished.sha256,
        schema,
        timescaledb: about.timescaledb,
    })
}

/// Takes what the program writes into the file. It takes as long as the database is large.
async fn dump(mut command: Command, mut out: NewFile, tell: &mut (dyn FnMut(Progress<'_>) + Send)) -> Result<Finished> {
    command.stdout(Stdio::piped());
    let mut child = start(command, "pg_dump")?;
    let failed = |source: std::io::Error| MoveError::Program {
        program: "pg_dump",
        output: source.to_string(),
    };
    let mut from = child
        .stdout
        .take()
        .ok_or_else(|| failed(std::io::ErrorKind::BrokenPipe.into()))?;
    let said = tokio::spawn(words(child.stderr.take()));
    let (mut piece, mut bytes, mut told) = (vec![0; PIECE], 0, 0);
    loop {
        match from.read(&mut piece).await.map_err(failed)? {
            0 => break,
            read => {
                out.write_all(&piece[..read])
                    .map_err(|source| file(out.path())(source))?;
                bytes += read as u64;
                if bytes - told >= TELL_EVERY {
                    told = bytes;
                    tell(progress::bytes(DUMP, bytes));
                }
            }
        }
    }
    let status = child.wait().await.map_err(failed)?;
    let output = said.await.unwrap_or_default();
    if !status.success() {
        return Err(MoveError::Program {
            program: "pg_dump",
            output: format!("{status} {output}"),
        });
    }
    out.finish()
}
