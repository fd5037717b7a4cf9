//! Ending a database, in order or after a kill -9: the processes first, then the files by which they would be missed.

use super::binaries::Binaries;
use super::identity::Identity;
use super::paths::ClusterPaths;
use super::process::{self, Postmaster};
use super::{ClusterError, PORT, child};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::path::Path;
use std::time::Duration;

/// An orderly stop of a database that was left running.
const STOP_LIMIT: Duration = Duration::from_secs(20);
/// Killed processes are gone within this time, unless the disk hangs.
const GONE_LIMIT: Duration = Duration::from_secs(15);
const GONE_PAUSE: Duration = Duration::from_millis(20);

/// Ends what an earlier run left behind, so that the start finds nothing in its way. The caller holds the lock file.
pub(super) async fn end(binaries: &Binaries, identity: &Identity, paths: &ClusterPaths) -> Result<(), ClusterError> {
    let left = found(paths).await?;
    if !left.is_empty() {
        tracing::warn!(processes = left.len(), "ending the database of a hub that was killed");
        stop(binaries, identity, paths, STOP_LIMIT).await?;
    }
    let lock = paths.socket.join(format!(".s.PGSQL.{PORT}.lock"));
    let socket = paths.socket.join(format!(".s.PGSQL.{PORT}"));
    for path in [process::postmaster_file(paths), lock, socket] {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(ClusterError::file(&path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether the postmaster is surely gone. One that cannot be looked into counts as alive.
pub(super) async fn postmaster_is_gone(paths: &ClusterPaths) -> Result<bool, ClusterError> {
    let paths = paths.clone();
    let looked = off_the_runtime(move || process::postmaster(&paths)).await?;
    Ok(looked == Postmaster::Gone)
}

/// Tells the postmaster to shut down fast, if it is surely this cluster's, and does not wait.
pub(super) fn dismiss(paths: &ClusterPaths) {
    if let Ok(Postmaster::Lives(pid)) = process::postmaster(paths) {
        tracing::warn!(pid, "database left running; telling it to stop");
        if let Err(errno) = kill(Pid::from_raw(pid), Signal::SIGINT) {
            tracing::warn!(pid, %errno, "the database could not be told to stop");
        }
    }
}

/// Stops in order within `limit`; kills what then remains. Nothing that was committed is lost either way.
pub(super) async fn stop(
    binaries: &Binaries,
    identity: &Identity,
    paths: &ClusterPaths,
    limit: Duration,
) -> Result<(), ClusterError> {
    let seconds = limit.as_secs().to_string();
    let mut command = identity.command(&binaries.program("pg_ctl"), &paths.home);
    command
        .args(["stop", "-w", "-s", "-m", "fast", "-t", &seconds, "-D"])
        .arg(&paths.data);
    if let Err(error) = child::run(command, "pg_ctl stop", limit + Duration::from_secs(5)).await {
        // A postmaster that was killed cannot be told to stop; its processes are ended below.
        tracing::warn!(%error, "the database did not stop in order");
    }
    let gone_by = tokio::time::Instant::now() + GONE_LIMIT;
    loop {
        let left = found(paths).await?;
        if left.is_empty() {
            return Ok(());
        }
        if tokio::time::Instant::now() > gone_by {
            return Err(ClusterError::Undead(left));
        }
        for pid in left {
            // Gone meanwhile is what is wanted.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        tokio::time::sleep(GONE_PAUSE).await;
    }
}

/// Processes that are surely this cluster's. Fails if there is one that may be.
async fn found(paths: &ClusterPaths) -> Result<Vec<i32>, ClusterError> {
    let paths = paths.clone();
    off_the_runtime(move || {
        if let Postmaster::Opaque(pid) = process::postmaster(&paths)? {
            let file = process::postmaster_file(&paths);
            return Err(ClusterError::Opaque { file, pid });
        }
        process::all(&paths.data)
    })
    .await
}

/// Many small reads of `/proc`, which is a file system like any other: it may hang.
async fn off_the_runtime<T: Send + 'static>(
    look: impl FnOnce() -> Result<T, ClusterError> + Send + 'static,
) -> Result<T, ClusterError> {
    tokio::task::spawn_blocking(look)
        .await
        .map_err(|ended| ClusterError::file(Path::new("/proc"))(std::io::Error::other(ended)))?
}
