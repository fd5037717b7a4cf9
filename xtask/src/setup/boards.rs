//! QEMU for the boards of the device agent. Unpacked into cargo's target folder instead of installed: Debian's package would
//! remove QEMU's other programs where those are of another version.

use super::apt::{self, Authority};
use crate::run::{on_path, output_of, run, succeeds};
use anyhow::{Context, Result, bail, ensure};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const PROGRAM: &str = "qemu-system-arm";
const PACKAGE: &str = "qemu-system-arm";
/// Beside what was unpacked: a script that starts it with its own libraries.
const START: &str = "start";

/// Unpacks QEMU with what it needs and this machine lacks into `qemu` of `target`, unless one is on `PATH` or was unpacked.
///
/// # Errors
///
/// This is not Debian, or its packages cannot be fetched; the text says what a person can do.
pub fn install(target: &Path, authority: Authority) -> Result<()> {
    let folder = target.join("qemu");
    if works(&folder) || on_path(PROGRAM).is_some() {
        return Ok(());
    }
    println!(
        "set-up: {PROGRAM} missing: tests run the device agent's firmware in it; unpacking it into {}",
        folder.display()
    );
    unpack(&folder, authority).with_context(|| {
        format!(
            "could not unpack {PROGRAM}; by hand, where it removes nothing: {}",
            apt::command_for_a_person(&[PACKAGE])
        )
    })?;
    ensure!(
        works(&folder),
        "{PROGRAM} was unpacked into {}, but does not start",
        folder.display()
    );
    Ok(())
}

/// What starts QEMU: what was unpacked into `qemu` of `target`, else the machine's own.
pub fn program(target: &Path) -> PathBuf {
    let start = target.join("qemu").join(START);
    if start.is_file() { start } else { PROGRAM.into() }
}

/// Started, not only found: its libraries are there, too.
fn works(folder: &Path) -> bool {
    let start = folder.join(START);
    start.is_file() && succeeds(Command::new(start).arg("--version"))
}

fn unpack(folder: &Path, authority: Authority) -> Result<()> {
    ensure!(on_path("apt-get").is_some(), "there is no apt-get");
    let staging = folder.with_extension("unpacking");
    for old in [staging.as_path(), folder] {
        if old.exists() {
            std::fs::remove_dir_all(old).with_context(|| format!("could not remove {}", old.display()))?;
        }
    }
    let fetched = staging.join("fetched");
    std::fs::create_dir_all(&fetched).with_context(|| format!("could not create {}", fetched.display()))?;
    if fetch(&fetched).is_err() {
        // The lists are missing, or name what is no longer there.
        apt::update(authority)?;
        fetch(&fetched)?;
    }
    for package in files(&fetched)? {
        ensure!(
            succeeds(Command::new("dpkg-deb").arg("--extract").arg(&package).arg(&staging)),
            "could not unpack {}",
            package.display()
        );
    }
    std::fs::remove_dir_all(&fetched).with_context(|| format!("could not remove {}", fetched.display()))?;
    // They are named as they will be once the folder has its name.
    let libraries: Vec<String> = library_folders(&staging)?
        .iter()
        .filter_map(|found| found.strip_prefix(&staging).ok())
        .map(|found| folder.join(found).display().to_string())
        .collect();
    let start = staging.join(START);
    std::fs::write(&start, script(folder, &libraries.join(":")))
        .and_then(|()| std::fs::set_permissions(&start, Permissions::from_mode(0o755)))
        .with_context(|| format!("could not write {}", start.display()))?;
    std::fs::rename(&staging, folder)
        .with_context(|| format!("could not move what was unpacked to {}", folder.display()))
}

/// Starts what will lie in `folder`.
fn script(folder: &Path, libraries: &str) -> String {
    let folder = folder.display();
    format!(
        "#!/bin/sh\nexport LD_LIBRARY_PATH='{libraries}'\nexec '{folder}/usr/bin/{PROGRAM}' -L '{folder}/usr/share/qemu' \"$@\"\n"
    )
}

/// Fetches the package and what it needs that is not installed.
fn fetch(into: &Path) -> Result<()> {
    let simulated = output_of(
        Command::new("apt-get")
            .args(["--simulate", "--no-install-recommends", "install", PACKAGE])
            .env("LC_ALL", "C"),
    )?;
    let wanted = to_be_installed(&simulated);
    if wanted.is_empty() {
        bail!("apt-get knows of nothing to install for {PACKAGE}");
    }
    run(Command::new("apt-get")
        .args(["-qq", "-o", "Acquire::Retries=3", "download"])
        .args(&wanted)
        .current_dir(into))
}

/// `name=version` of each line `Inst name (version …`, or `Inst name [old version] (version …`.
fn to_be_installed(simulated: &str) -> Vec<String> {
    let package = |line: &str| {
        let rest = line.strip_prefix("Inst ")?;
        let (name, _) = rest.split_once(' ')?;
        let (_, rest) = rest.split_once('(')?;
        let (version, _) = rest.split_once(' ')?;
        Some(format!("{name}={version}"))
    };
    simulated.lines().filter_map(package).collect()
}

fn library_folders(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for place in ["usr/lib", "lib"] {
        let place = root.join(place);
        if !place.is_dir() {
            continue;
        }
        for folder in files(&place)? {
            let is_library = folder
                .file_name()
                .is_some_and(|name| name.to_string_lossy().contains("-linux-gnu"));
            if is_library {
                let own = folder.join("pulseaudio");
                found.push(folder);
                found.extend(own.is_dir().then_some(own));
            }
        }
    }
    Ok(found)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = folder
        .read_dir()
        .with_context(|| format!("could not read {}", folder.display()))?;
    let mut found = Vec::new();
    for entry in entries {
        found.push(
            entry
                .with_context(|| format!("could not read {}", folder.display()))?
                .path(),
        );
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::to_be_installed;

    #[test]
    fn what_apt_would_install_is_fetched_at_its_version() {
        let simulated = "Reading package lists...\nRemv qemu-utils [1:10.0.2]\nInst libfdt1 (1.6.1-4+b1 Debian:12 [amd64])\n\
                         Inst libslirp0 [4.6.0] (4.7.0-1 Debian:12 [amd64])\nConf libfdt1 (1.6.1-4+b1 Debian:12 [amd64])\n";
        assert_eq!(to_be_installed(simulated), ["libfdt1=1.6.1-4+b1", "libslirp0=4.7.0-1"]);
    }
}
