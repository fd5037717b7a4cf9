//! The lock that keeps a second hub away from a state directory.

use super::ClusterError;
use super::own::{LOCK_MODE, close};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

const FILE: &str = "hub.lock";
/// A look at the lock, or a program being started by a hub that ended, may hold it for a moment.
const PATIENCE: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(25);

/// Takes the lock; it is released when its holder ends, however it ends.
pub(super) async fn take(state_dir: &Path) -> Result<Flock<File>, ClusterError> {
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        match try_take(state_dir) {
            Err(ClusterError::SecondHub(_)) if tokio::time::Instant::now() < until => {
                tokio::time::sleep(PAUSE).await;
            }
            done => return done,
        }
    }
}

/// Takes the lock if it is free now.
pub(super) fn try_take(state_dir: &Path) -> Result<Flock<File>, ClusterError> {
    let path = state_dir.join(FILE);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(LOCK_MODE)
        .open(&path)
        .map_err(ClusterError::file(&path))?;
    let found = file.metadata().map_err(ClusterError::file(&path))?;
    close(&path, &found, LOCK_MODE)?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
        Errno::EWOULDBLOCK => ClusterError::SecondHub(state_dir.to_owned()),
        other => ClusterError::file(&path)(other.into()),
    })
}

/// Whether somebody holds the lock. Makes nothing.
pub(super) fn held(state_dir: &Path) -> Result<bool, ClusterError> {
    let path = state_dir.join(FILE);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(ClusterError::file(&path)(error)),
    };
    match Flock::lock(file, FlockArg::LockSharedNonblock) {
        Ok(_) => Ok(false),
        Err((_, Errno::EWOULDBLOCK)) => Ok(true),
        Err((_, other)) => Err(ClusterError::file(&path)(other.into())),
    }
}
