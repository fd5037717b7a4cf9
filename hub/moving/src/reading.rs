//! An export that lies in a folder: checked as a whole before anything of it is taken.

use crate::error::{MoveError, Result, changed, file};
use crate::files;
use crate::manifest::{FileEntry, Manifest, TableEntry};
use crate::record;
use crate::seal::{Content, Sealer};
use crate::tables::{TABLES, TELEMETRY, Table};
use crate::telemetry::{COLUMNS, ParquetIn};
use hub_store_postgres::{Keyring, schema_version};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// A line is not longer than this, in bytes.
const LINE_LEN_MAX: u64 = 64 << 20;

/// A whole export whose files are as they were written.
#[derive(Debug)]
pub struct ExportFolder {
    pub(crate) folder: PathBuf,
    pub(crate) manifest: Manifest,
}

impl ExportFolder {
    /// Reads the manifest, and looks at every file.
    ///
    /// # Errors
    ///
    /// Names the file, and in it the record, that is not as it was written; or says what else does not fit.
    pub fn open(folder: &Path, keyring: &Keyring) -> Result<Self> {
        let manifest = Manifest::read(folder, keyring, schema_version())?;
        let found = Self {
            folder: folder.to_owned(),
            manifest,
        };
        found.check_tables()?;
        let sealer = found.sealer(keyring);
        for table in &found.manifest.tables {
            for entry in &table.files {
                found.check_file(&sealer, table, entry)?;
            }
        }
        Ok(found)
    }

    /// Which one it is.
    pub fn id(&self) -> Uuid {
        self.manifest.head.export
    }

    pub(crate) fn sealer(&self, keyring: &Keyring) -> Sealer {
        Sealer::new(keyring, self.id())
    }

    pub(crate) fn path(&self, entry: &FileEntry) -> PathBuf {
        self.folder.join(&entry.name)
    }

    /// The tables of this program, column for column.
    fn check_tables(&self) -> Result<()> {
        let ours = TABLES.iter().map(|table| {
            let columns = table.columns();
            let columns = columns
                .iter()
                .map(|column| format!("{} {}", column.name, column.sql_type));
            (table.name.to_owned(), columns.collect::<Vec<_>>())
        });
        let telemetry = COLUMNS.iter().map(|column| (*column).to_owned()).collect();
        let ours: Vec<_> = ours.chain([(TELEMETRY.to_owned(), telemetry)]).collect();
        let theirs: Vec<_> = self
            .manifest
            .tables
            .iter()
            .map(|table| (table.name.clone(), table.columns.clone()))
            .collect();
        if ours != theirs {
            let what = "it names other tables or columns than this program, of the same schema version";
            return Err(changed(&self.folder.join(crate::manifest::MANIFEST), what));
        }
        Ok(())
    }

    fn check_file(&self, sealer: &Sealer, table: &TableEntry, entry: &FileEntry) -> Result<()> {
        let path = self.path(entry);
        // Names come from the manifest, which is under its seal.
        let found = match files::measure(&path) {
            Err(MoveError::File { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                return Err(changed(&path, "it is missing"));
            }
            found => found?,
        };
        if found.bytes == entry.bytes && found.sha256 == entry.sha256 {
            return Ok(());
        }
        Err(changed(&path, blame(&path, sealer, table, entry)))
    }
}

/// What is wrong with a file that has another length or hash than it was written with.
fn blame(path: &Path, sealer: &Sealer, table: &TableEntry, entry: &FileEntry) -> String {
    let read = if table.name == TELEMETRY {
        read_parquet(path, sealer, entry)
    } else {
        read_lines(path, sealer, &table.name, entry)
    };
    match read {
        Err(what) => what,
        Ok(content) if content.rows != entry.rows => {
            format!(
                "it holds {} records instead of {}; those after {} are missing",
                content.rows, entry.rows, content.rows
            )
        }
        Ok(_) => "its records are right, but bytes around them are not".to_owned(),
    }
}

fn read_parquet(path: &Path, sealer: &Sealer, entry: &FileEntry) -> std::result::Result<Content, String> {
    let mut file = ParquetIn::open(path, &entry.name, sealer.clone())?;
    while file.next_rows()?.is_some() {}
    Ok(file.content)
}

fn read_lines(path: &Path, sealer: &Sealer, table: &str, entry: &FileEntry) -> std::result::Result<Content, String> {
    let mut lines = Lines::open(path, table, &entry.name, sealer.clone()).map_err(|error| error.to_string())?;
    while lines.next_row()?.is_some() {}
    Ok(lines.content)
}

/// Lines of a file, each under its mark.
pub(crate) struct Lines {
    from: BufReader<File>,
    table: String,
    name: String,
    sealer: Sealer,
    pub(crate) content: Content,
}

impl Lines {
    pub(crate) fn open(path: &Path, table: &str, name: &str, sealer: Sealer) -> Result<Self> {
        Ok(Self {
            from: BufReader::new(File::open(path).map_err(file(path))?),
            table: table.to_owned(),
            name: name.to_owned(),
            sealer,
            content: Content::default(),
        })
    }

    /// The next row as JSON; an error says which line is wrong, and how.
    pub(crate) fn next_row(&mut self) -> std::result::Result<Option<String>, String> {
        let number = self.content.rows + 1;
        let mut line = Vec::new();
        let read = self.from.by_ref().take(LINE_LEN_MAX).read_until(b'\n', &mut line);
        if read.map_err(|error| format!("line {number} cannot be read ({error})"))? == 0 {
            return Ok(None);
        }
        if line.pop() != Some(b'\n') {
            return Err(format!("line {number} has no end"));
        }
        let text = std::str::from_utf8(&line).map_err(|_| format!("line {number} is no text"))?;
        let opened = record::open(&self.sealer, &self.table, &self.name, number, text);
        let (row, digest) = opened.ok_or_else(|| format!("line {number} is not the one that was written there"))?;
        self.content.add(&digest);
        Ok(Some(row.to_owned()))
    }
}

/// The table that an entry of a manifest is.
pub(crate) fn table_of(entry: &TableEntry) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.name == entry.name)
}
