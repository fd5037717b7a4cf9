//! Which processes are this cluster's, by what `/proc` tells (proc(5)).
//!
//! A server's working directory is its data folder, and nobody else's is. Of another user's process that is hidden from
//! a root without CAP_SYS_PTRACE; then the postmaster is known by its command line, and the others by their parent.

use super::ClusterError;
use super::paths::ClusterPaths;
use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What became of the process that `postmaster.pid` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Postmaster {
    /// It is a server on this data.
    Lives(i32),
    /// There is none, or the number belongs to somebody else by now.
    Gone,
    /// It lives, and what it is cannot be seen. Not to be touched.
    Opaque(i32),
}

/// The file in which a postmaster says who and where it is.
pub(super) fn postmaster_file(paths: &ClusterPaths) -> PathBuf {
    paths.data.join("postmaster.pid")
}

/// Looks at the process that the data folder names as its postmaster.
pub(super) fn postmaster(paths: &ClusterPaths) -> Result<Postmaster, ClusterError> {
    let path = postmaster_file(paths);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Postmaster::Gone),
        Err(error) => return Err(ClusterError::file(&path)(error)),
    };
    // An empty file is what a full disk or a power failure leaves.
    let named = text.lines().next().and_then(|line| line.trim().parse().ok());
    Ok(named
        .filter(|pid| *pid > 0)
        .map_or(Postmaster::Gone, |pid| look(pid, &paths.data)))
}

fn look(pid: i32, data: &Path) -> Postmaster {
    // EPERM is an answer of somebody who lives.
    if kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH) {
        return Postmaster::Gone;
    }
    match Process::read(pid) {
        // It ended just now, or all of /proc is hidden.
        None if kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH) => Postmaster::Gone,
        None => Postmaster::Opaque(pid),
        Some(process) if process.is_dead || process.name != "postgres" => Postmaster::Gone,
        Some(process) => match process.serves(data) {
            Some(true) => Postmaster::Lives(pid),
            Some(false) => Postmaster::Gone,
            None => Postmaster::Opaque(pid),
        },
    }
}

/// Processes of the cluster with this data folder.
pub(super) fn all(data: &Path) -> Result<Vec<i32>, ClusterError> {
    let proc = Path::new("/proc");
    let servers: Vec<Process> = std::fs::read_dir(proc)
        .map_err(ClusterError::file(proc))?
        .flatten()
        .filter_map(|entry| Process::read(entry.file_name().to_str()?.parse().ok()?))
        .filter(|process| process.name == "postgres" && !process.is_dead)
        .collect();
    let seen: Vec<(i32, i32, Option<bool>)> = servers
        .iter()
        .map(|process| (process.pid, process.parent, process.serves(data)))
        .collect();
    let is_ours = |pid: i32| seen.iter().any(|(own, _, serves)| *own == pid && *serves == Some(true));
    let ours = seen.iter().filter(|(_, parent, serves)| match serves {
        Some(known) => *known,
        None => is_ours(*parent),
    });
    Ok(ours.map(|(pid, ..)| *pid).collect())
}

struct Process {
    pid: i32,
    parent: i32,
    name: String,
    /// Ended, and nobody has asked for its exit code yet.
    is_dead: bool,
}

impl Process {
    fn read(pid: i32) -> Option<Self> {
        // "pid (name) state parent …"; a name may hold anything, also a bracket.
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (front, rest) = stat.rsplit_once(')')?;
        let (_, name) = front.split_once('(')?;
        let mut fields = rest.split_whitespace();
        let state = fields.next()?;
        Some(Self {
            pid,
            parent: fields.next()?.parse().ok()?,
            name: name.to_owned(),
            is_dead: matches!(state, "Z" | "X"),
        })
    }

    /// Whether it serves this data; `None` if that cannot be seen.
    fn serves(&self, data: &Path) -> Option<bool> {
        match std::fs::read_link(format!("/proc/{}/cwd", self.pid)) {
            Ok(folder) => Some(folder == data),
            // It is ending, and has released its folder, its memory and its files.
            Err(error) if error.kind() == ErrorKind::NotFound => Some(false),
            Err(_) => {
                let line = std::fs::read(format!("/proc/{}/cmdline", self.pid)).ok()?;
                data_argument(&line).map(|folder| folder == data)
            }
        }
    }
}

/// The data folder on a postmaster's command line. The processes below it show a title there instead.
fn data_argument(line: &[u8]) -> Option<PathBuf> {
    let mut words = line.split(|byte| *byte == 0);
    words.find(|word| *word == b"-D")?;
    words
        .next()
        .map(|word| PathBuf::from(String::from_utf8_lossy(word).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_command_line() {
        let line = b"/usr/lib/postgresql/15/bin/postgres\0-D\0/var/lib/x y\0";
        assert_eq!(data_argument(line), Some(PathBuf::from("/var/lib/x y")));
        assert_eq!(data_argument(b"postgres: checkpointer \0\0"), None);
    }

    #[test]
    fn knows_this_program_for_what_it_is() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let own = Process::read(pid).unwrap();
        assert!(!own.is_dead);
        assert_eq!(own.serves(&std::env::current_dir().unwrap()), Some(true));
        assert_eq!(
            look(pid, &std::env::current_dir().unwrap()),
            Postmaster::Gone,
            "it is no server"
        );
    }
}
