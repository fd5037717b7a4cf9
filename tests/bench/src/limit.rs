//! Open files: a connection is one at each of its ends.

use anyhow::{Result, ensure};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Lets this process, and those that it starts from now on, open at least so many files.
///
/// # Errors
/// The machine's hard limit is lower; the text names it.
pub fn raise(files: u64) -> Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    ensure!(
        hard >= files,
        "open files: {files} are needed, the hard limit is {hard}; raise it with `ulimit -Hn {files}` or in limits.conf"
    );
    if soft < files {
        setrlimit(Resource::RLIMIT_NOFILE, files, hard)?;
    }
    Ok(())
}
