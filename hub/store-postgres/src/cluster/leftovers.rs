//! Ending a database, in order or after a kill -9: the processes first, then the files by which they would be missed.
//!
//! A process belongs to this cluster if it is called `postgres` and its working directory is the data folder, which
//! holds for the postmaster and every process below it, and for nobody else's.

use super::binaries::Binaries;
use super::data_dir::Layout;
use super::identity::Identity;
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
pub(super) async fn end(binaries: &Binaries, identity: &Identity, layout: &Layout) -> Result<(), ClusterError> {
    let left = processes(&layout.data);
    if !left.is_empty() {
        tracing::warn!(processes = left.len(), "ending the database of a hub that was killed");
        stop(binaries, identity, layout, STOP_LIMIT).await?;
    }
    let lock = layout.socket.join(format!(".s.PGSQL.{PORT}.lock"));
    let socket = layout.socket.join(format!(".s.PGSQL.{PORT}"));
    for path in [layout.data.join("postmaster.pid"), lock, socket] {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(ClusterError::file(&path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether the process that the data folder names as its postmaster is one of this cluster.
pub(super) fn postmaster_lives(layout: &Layout) -> bool {
    let named = std::fs::read_to_string(layout.data.join("postmaster.pid"));
    let pid = named.ok().and_then(|text| text.lines().next()?.trim().parse().ok());
    pid.is_some_and(|pid: i32| processes(&layout.data).contains(&pid))
}

/// Stops in order within `limit`; kills what then remains. Nothing that was committed is lost either way.
pub(super) async fn stop(
    binaries: &Binaries,
    identity: &Identity,
    layout: &Layout,
    limit: Duration,
) -> Result<(), ClusterError> {
    let seconds = limit.as_secs().to_string();
    let mut command = identity.command(&binaries.program("pg_ctl"), &layout.home);
    command
        .args(["stop", "-w", "-s", "-m", "fast", "-t", &seconds, "-D"])
        .arg(&layout.data);
    if let Err(error) = child::run(command, "pg_ctl stop", limit + Duration::from_secs(5)).await {
        // A postmaster that was killed cannot be told to stop; its processes are ended below.
        tracing::warn!(%error, "the database did not stop in order");
    }
    let gone_by = tokio::time::Instant::now() + GONE_LIMIT;
    loop {
        let left = processes(&layout.data);
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

/// Processes of the cluster with this data folder.
fn processes(data: &Path) -> Vec<i32> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| {
            let of = |file: &str| Path::new("/proc").join(pid.to_string()).join(file);
            std::fs::read_link(of("cwd")).is_ok_and(|folder| folder == data)
                && std::fs::read_to_string(of("comm")).is_ok_and(|name| name.trim() == "postgres")
        })
        .collect()
}
