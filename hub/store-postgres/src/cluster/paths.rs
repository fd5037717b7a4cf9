//! Where the cluster's folders and files are, and what is found there.

use super::identity::Identity;
use super::{ClusterError, PORT, child};
use crate::keyring::sha256;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The longest path of a socket, in bytes (`sun_path`, unix(7)), its end mark left out.
const SOCKET_PATH_MAX: usize = 107;

/// Folders of the cluster.
#[derive(Debug, Clone)]
pub(super) struct ClusterPaths {
    /// The database user's folder.
    pub(super) home: PathBuf,
    /// The data.
    pub(super) data: PathBuf,
    /// The socket's folder.
    pub(super) socket: PathBuf,
}

impl ClusterPaths {
    /// Where everything of a state directory is. Makes nothing.
    pub(super) fn of(state_dir: &Path) -> Self {
        let home = state_dir.join("postgres");
        Self {
            data: home.join("data"),
            socket: socket_folder(&home),
            home,
        }
    }

    /// Makes the folders that do not exist yet, the data excepted.
    pub(super) fn prepare(&self, identity: &Identity) -> Result<(), ClusterError> {
        identity.make_folder(&self.home)?;
        identity.make_folder(&self.socket)?;
        if !identity.owns(&self.socket) {
            return Err(ClusterError::SocketFolder {
                folder: self.socket.clone(),
                user: identity.name.clone(),
            });
        }
        Ok(())
    }

    /// Major version of the data, if there are any.
    pub(super) fn major(&self) -> Result<Option<u32>, ClusterError> {
        let path = self.data.join("PG_VERSION");
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(text.trim().parse().ok()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ClusterError::file(&path)(error)),
        }
    }

    /// Whether there is anything where the data belong.
    pub(super) fn exists(&self) -> Result<bool, ClusterError> {
        match std::fs::read_dir(&self.data) {
            Ok(mut entries) => Ok(entries.next().is_some()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(ClusterError::file(&self.data)(error)),
        }
    }

    /// What the server says before its own log is open.
    pub(super) fn start_log(&self) -> PathBuf {
        self.home.join("start.log")
    }

    /// The end of what the server said, for an error.
    pub(super) fn end_of_logs(&self) -> String {
        let newest = std::fs::read_dir(self.data.join("log"))
            .into_iter()
            .flatten()
            .flatten()
            .max_by_key(|entry| entry.metadata().and_then(|found| found.modified()).ok());
        let mut said = String::new();
        for path in newest.map(|entry| entry.path()).into_iter().chain([self.start_log()]) {
            if let Ok(text) = std::fs::read(&path) {
                said.push_str(child::end_of(&String::from_utf8_lossy(&text)));
                said.push('\n');
            }
        }
        format!("{}(logs are in {})", said, self.data.join("log").display())
    }
}

/// Beside the data if the path is short enough, else under a short name made from it.
fn socket_folder(home: &Path) -> PathBuf {
    let beside = home.join("socket");
    let file = format!("/.s.PGSQL.{PORT}");
    if beside.as_os_str().len() + file.len() <= SOCKET_PATH_MAX {
        return beside;
    }
    let name = hex::encode(&sha256(home.as_os_str().as_bytes())[..8]);
    let runtime = std::env::var_os("XDG_RUNTIME_DIR")
        .filter(|_| !nix::unistd::geteuid().is_root())
        .map(PathBuf::from)
        .filter(|folder| folder.is_dir() && folder.as_os_str() != OsStr::new("") && folder.as_os_str().len() < 60);
    runtime
        .unwrap_or_else(|| PathBuf::from("/tmp"))
        .join(format!("forecall-{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_path_always_fits() {
        let short = Path::new("/var/lib/forecall/postgres");
        assert_eq!(socket_folder(short), short.join("socket"));
        let long = PathBuf::from(format!("/var/{}/postgres", "x".repeat(90)));
        let folder = socket_folder(&long);
        assert!(folder.as_os_str().len() + "/.s.PGSQL.5432".len() <= SOCKET_PATH_MAX);
        assert_ne!(folder, socket_folder(&long.join("y")));
        assert_eq!(folder, socket_folder(&long));
    }
}
