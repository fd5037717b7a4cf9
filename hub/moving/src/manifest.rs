//! What an export says of itself: the plan that is fixed at the start, the journal of finished files, and the manifest
//! that makes it complete. All three carry marks under the keyring.

use crate::error::{MoveError, Result, changed, file};
use crate::files::{self, Finished};
use crate::record;
use crate::seal::Content;
use crate::sealed;
use hub_store_postgres::Keyring;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use uuid::Uuid;

pub(crate) const MANIFEST: &str = "manifest.json";
pub(crate) const JOURNAL: &str = "journal.jsonl";

/// Where the export comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) format: u64,
    pub(crate) export: Uuid,
    /// When its moment was fixed.
    pub(crate) taken_at: jiff::Timestamp,
    /// Schema version.
    pub(crate) schema: i64,
    /// Fingerprint of the keyring, in hexadecimal.
    pub(crate) keyring: String,
    /// The server's version.
    pub(crate) server: String,
}

/// A file of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileEntry {
    pub(crate) name: String,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
    /// Hash of its rows, whatever their order.
    pub(crate) content: String,
}

/// A table of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TableEntry {
    pub(crate) name: String,
    /// `name type`, in the order of rows.
    pub(crate) columns: Vec<String>,
    pub(crate) rows: u64,
    /// Hash of its rows, whatever their order.
    pub(crate) content: String,
    /// The last number that the database gave out for its numbered column.
    pub(crate) last_number: Option<i64>,
    pub(crate) files: Vec<FileEntry>,
}

/// All that was fixed at the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) head: Head,
    /// Which database it is of: that of the server by its own name for itself, and of the database in it.
    pub(crate) database: String,
    pub(crate) tables: Vec<TableEntry>,
    /// Rows of a file of telemetry, at most.
    pub(crate) file_rows: u64,
    /// The last number of each partition, by number of partition.
    pub(crate) heads: Vec<i64>,
    /// From and to, in microseconds of the Unix epoch, and rows that were counted there.
    pub(crate) slices: Vec<(i64, i64, u64)>,
}

/// What was done since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// A file of this slice is whole; its last row is this one.
    File {
        slice: usize,
        partition: i16,
        ingest_no: i64,
        file: FileEntry,
    },
    /// All of a slice is written.
    Slice { slice: usize },
}

/// The manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) head: Head,
    /// Hash of all content.
    pub(crate) content: String,
    pub(crate) tables: Vec<TableEntry>,
    /// Tables that are not in it, and why.
    pub(crate) not_exported: Vec<(String, String)>,
}

impl FileEntry {
    pub(crate) fn new(name: String, content: Content, finished: Finished) -> Self {
        Self {
            name,
            rows: content.rows,
            bytes: finished.bytes,
            sha256: finished.sha256,
            content: content.hash(),
        }
    }
}

/// A journal that is open, and locked.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: Flock<File>,
    lines: u64,
}

impl Journal {
    /// Opens the journal of a folder, making both if the folder is not there or empty.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        files::make_folder(folder)?;
        let path = folder.join(JOURNAL);
        if folder.join(MANIFEST).exists() {
            return Err(MoveError::Complete(folder.to_owned()));
        }
        let mut entries = folder.read_dir().map_err(file(folder))?;
        if !path.exists() && entries.next().is_some() {
            return Err(MoveError::FolderInUse(folder.to_owned()));
        }
        let mut options = OpenOptions::new();
        let opened = options
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(&path);
        let locked = Flock::lock(opened.map_err(file(&path))?, FlockArg::LockExclusiveNonblock);
        let file = locked.map_err(|(_, errno)| match errno {
            Errno::EWOULDBLOCK => MoveError::Busy(folder.to_owned()),
            other => file(&path)(other.into()),
        })?;
        Ok(Self { path, file, lines: 0 })
    }

    /// Reads it: the plan, if that was written whole, and the steps since. What a kill left of a last line is cut off.
    pub(crate) fn read(&mut self, keyring: &Keyring) -> Result<Option<(Plan, Vec<Step>)>> {
        let sealer = sealed::sealer(keyring);
        let (mut plan, mut steps, mut whole) = (None, Vec::new(), 0);
        self.file.rewind().map_err(file(&self.path))?;
        let mut from = BufReader::new(&*self.file);
        loop {
            let mut line = Vec::new();
            from.read_until(b'\n', &mut line).map_err(file(&self.path))?;
            if line.pop() != Some(b'\n') {
                break;
            }
            let number = self.lines + 1;
            let text = std::str::from_utf8(&line).unwrap_or_default();
            let Some((row, _)) = record::open(&sealer, JOURNAL, JOURNAL, number, text) else {
                // Another keyring, another format, or a line that was changed.
                let what = format!("line {number} does not carry its mark; was it written under another keyring?");
                return Err(changed(&self.path, what));
            };
            let parsed = if number == 1 {
                serde_json::from_str(row).map(|read| plan = Some(read))
            } else {
                serde_json::from_str(row).map(|read| steps.push(read))
            };
            parsed.map_err(|error| changed(&self.path, format!("line {number}: {error}")))?;
            self.lines = number;
            whole += line.len() as u64 + 1;
        }
        self.file.set_len(whole).map_err(file(&self.path))?;
        self.file
            .seek(std::io::SeekFrom::Start(whole))
            .map_err(file(&self.path))?;
        Ok(plan.map(|plan| (plan, steps)))
    }

    /// Adds a line, and returns when it is on the disk.
    pub(crate) fn write<T: Serialize>(&mut self, keyring: &Keyring, what: &T) -> Result<()> {
        let row = serde_json::to_string(what).map_err(|error| file(&self.path)(error.into()))?;
        let (mut line, _) = record::seal(&sealed::sealer(keyring), JOURNAL, JOURNAL, self.lines + 1, &row);
        line.push('\n');
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_all());
        written.map_err(file(&self.path))?;
        self.lines += 1;
        Ok(())
    }

    /// Takes it away: the manifest says all.
    pub(crate) fn remove(self) -> Result<()> {
        std::fs::remove_file(&self.path).map_err(file(&self.path))
    }
}

impl Manifest {
    /// Writes it, last of all files: where there is a manifest, the export is complete.
    pub(crate) fn write(&self, folder: &Path, keyring: &Keyring) -> Result<()> {
        sealed::write(&folder.join(MANIFEST), keyring, self)
    }

    /// Reads it, and checks that it is of this schema.
    pub(crate) fn read(folder: &Path, keyring: &Keyring, schema: i64) -> Result<Self> {
        let manifest: Self = sealed::read(folder, MANIFEST, keyring)?;
        if manifest.head.schema != schema {
            return Err(MoveError::Schema {
                found: manifest.head.schema,
                known: schema,
            });
        }
        Ok(manifest)
    }
}
