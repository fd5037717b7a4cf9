//! What cargo and git know about this repository.

use crate::run::{cargo, output_of};
use anyhow::{Context, Result};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The part of `cargo metadata --no-deps` that the chores read.
#[derive(Deserialize)]
pub struct Workspace {
    /// Crates of this workspace, no others.
    pub packages: Vec<Package>,
    /// Where cargo puts what it builds.
    pub target_directory: PathBuf,
    /// The folder of the workspace's `Cargo.toml`.
    pub workspace_root: PathBuf,
}

/// One crate of the workspace.
#[derive(Deserialize)]
pub struct Package {
    /// Its name in `Cargo.toml`.
    pub name: String,
    /// Its `Cargo.toml`, absolute.
    pub manifest_path: PathBuf,
    /// What it declares to need.
    pub dependencies: Vec<Dependency>,
    /// Libraries, binaries, examples, tests.
    pub targets: Vec<Target>,
}

/// One declared dependency.
#[derive(Deserialize)]
pub struct Dependency {
    /// The crate's real name, also where it is renamed.
    pub name: String,
    /// `None` for an ordinary dependency, otherwise `dev` or `build`.
    pub kind: Option<String>,
}

/// One thing that cargo can build.
#[derive(Deserialize)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// `lib`, `bin`, `example`, `test`, `bench`.
    pub kind: Vec<String>,
}

impl Workspace {
    /// Asks cargo, without touching the network.
    pub fn load() -> Result<Self> {
        let text = output_of(&mut cargo(&[
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ]))?;
        serde_json::from_str(&text).context("could not read what `cargo metadata` printed")
    }

    /// Whether `package` (any crate if `None`) has a target of this kind and name.
    pub fn has_target(&self, package: Option<&str>, kind: &str, name: &str) -> bool {
        self.packages
            .iter()
            .filter(|p| package.is_none_or(|wanted| p.name == wanted))
            .flat_map(|p| &p.targets)
            .any(|t| t.name == name && t.kind.iter().any(|k| k == kind))
    }
}

impl Package {
    /// Its folder relative to the workspace's root.
    pub fn folder(&self, root: &Path) -> PathBuf {
        let folder = self.manifest_path.parent().unwrap_or(root);
        folder.strip_prefix(root).unwrap_or(folder).to_path_buf()
    }
}

/// Every file that is, or would be, committed: relative paths, sorted.
pub fn files(root: &Path) -> Result<Vec<PathBuf>> {
    let listing = output_of(Command::new("git").arg("-C").arg(root).args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]))?;
    let mut files: Vec<PathBuf> = listing
        .split('\0')
        .filter(|name| !name.is_empty())
        .map(PathBuf::from)
        .filter(|file| root.join(file).is_file())
        .collect();
    files.sort();
    files.dedup();
    Ok(files)
}
