//! Files that are there whole or not at all: written beside their place, synced, hashed on the way, then moved there.

use crate::error::{MoveError, Result, file};
use sha2::{Digest, Sha256};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{BufWriter, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const UNFINISHED: &str = "part";
/// Bytes read at a time.
const PIECE: usize = 256 * 1024;

/// A file on its way.
#[derive(Debug)]
pub(crate) struct NewFile {
    to: PathBuf,
    beside: PathBuf,
    file: BufWriter<File>,
    hash: Sha256,
    bytes: u64,
    placed: bool,
}

/// What a finished file is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finished {
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

impl NewFile {
    /// Only its owner may read it: names of people are in it.
    pub(crate) fn create(to: PathBuf) -> Result<Self> {
        let mut name = to.clone().into_os_string();
        name.push(".");
        name.push(UNFINISHED);
        let beside = PathBuf::from(name);
        let mut options = OpenOptions::new();
        let opened = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside);
        Ok(Self {
            file: BufWriter::new(opened.map_err(file(&beside))?),
            hash: Sha256::new(),
            bytes: 0,
            placed: false,
            to,
            beside,
        })
    }

    /// Where it will be.
    pub(crate) fn path(&self) -> &Path {
        &self.to
    }

    /// Puts it in its place.
    pub(crate) fn finish(mut self) -> Result<Finished> {
        self.file.flush().map_err(file(&self.beside))?;
        self.file.get_ref().sync_all().map_err(file(&self.beside))?;
        std::fs::rename(&self.beside, &self.to).map_err(file(&self.to))?;
        self.placed = true;
        sync_folder_of(&self.to)?;
        Ok(Finished {
            bytes: self.bytes,
            sha256: hex::encode(std::mem::take(&mut self.hash).finalize()),
        })
    }
}

impl Drop for NewFile {
    /// What was given up takes no room. After a kill it is written over by the next try.
    fn drop(&mut self) {
        if !self.placed {
            let _ = std::fs::remove_file(&self.beside);
        }
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// Writes a whole small file.
pub(crate) fn write_whole(path: PathBuf, text: &[u8]) -> Result<Finished> {
    let mut new = NewFile::create(path)?;
    new.write_all(text).map_err(file(&new.beside.clone()))?;
    new.finish()
}

/// Makes a folder that only its owner can enter, unless it is there.
pub(crate) fn make_folder(folder: &Path) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(file(folder))
}

pub(crate) fn sync_folder_of(path: &Path) -> Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(file(folder)),
        _ => Ok(()),
    }
}

/// Length and hash of a file as it is.
pub(crate) fn measure(path: &Path) -> Result<Finished> {
    let mut from = File::open(path).map_err(file(path))?;
    let mut hash = Sha256::new();
    let mut bytes = 0;
    let mut piece = vec![0; PIECE];
    loop {
        match from.read(&mut piece).map_err(file(path))? {
            0 => break,
            read => {
                hash.update(&piece[..read]);
                bytes += read as u64;
            }
        }
    }
    Ok(Finished {
        bytes,
        sha256: hex::encode(hash.finalize()),
    })
}

/// Reads a file that is not longer than `bytes_max`; `None` where there is none.
pub(crate) fn read_small(path: &Path, bytes_max: u64) -> Result<Option<Vec<u8>>> {
    let opened = match File::open(path) {
        Ok(opened) => opened,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(file(path)(error)),
    };
    let mut bytes = Vec::new();
    opened.take(bytes_max + 1).read_to_end(&mut bytes).map_err(file(path))?;
    if bytes.len() as u64 > bytes_max {
        return Err(MoveError::Changed {
            file: path.to_owned(),
            what: format!("it is longer than {bytes_max} bytes"),
        });
    }
    Ok(Some(bytes))
}
