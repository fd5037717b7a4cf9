//! Debian's packages.

use crate::run::{on_path, run, succeeds};
use anyhow::{Context, Result};
use std::path::Path;
use std::process::Command;

/// How this process may install packages.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Authority {
    /// It is root.
    Root,
    /// It may use sudo without a password.
    Sudo,
    /// It may not, or this is not Debian.
    None,
}

impl Authority {
    /// Looks at this machine and user; asks no question.
    pub fn find() -> Self {
        if on_path("apt-get").is_none() {
            Self::None
        } else if is_root() {
            Self::Root
        } else if on_path("sudo").is_some() && succeeds(Command::new("sudo").args(["--non-interactive", "true"])) {
            Self::Sudo
        } else {
            Self::None
        }
    }

    fn command(self, program: &str) -> Command {
        if self == Self::Sudo {
            let mut command = Command::new("sudo");
            command.args(["--non-interactive", "env", "DEBIAN_FRONTEND=noninteractive", program]);
            return command;
        }
        let mut command = Command::new(program);
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    }
}

const INSTALL: [&str; 3] = ["install", "--yes", "--no-install-recommends"];

/// A fresh machine may be installing updates by itself: wait for it. A mirror may stumble: ask again.
const PATIENCE: [&str; 4] = ["-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3"];

/// Debian's PostgreSQL package starts a server on port 5432 unless told not to. The hub has its own, on a socket.
const CLUSTER_SETTINGS: &str = "/etc/postgresql-common/createcluster.d/forecall-setup.conf";

/// Debian's package starts a broker on port 1883, where a hub listens.
pub const MOSQUITTO: &str = "mosquitto";
/// Debian's package starts a server on port 80.
pub const NGINX: &str = "nginx-light";
/// Debian's package starts a SIP proxy on port 5060, where a hub may listen.
pub const KAMAILIO: &str = "kamailio";
/// Packages whose service stays stopped, with its name.
const STOPPED: [(&str, &str); 3] = [(MOSQUITTO, "mosquitto"), (NGINX, "nginx"), (KAMAILIO, "kamailio")];

/// Refreshes the package lists, with apt's own progress on the terminal.
///
/// # Errors
///
/// This process may not, or no server answers.
pub fn update(authority: Authority) -> Result<()> {
    run(authority.command("apt-get").args(PATIENCE).args(["update", "-qq"]))
}

/// Refreshes the package lists and installs, with apt's own progress on the terminal.
pub fn install(packages: &[&str], authority: Authority) -> Result<()> {
    let installing = || -> Result<()> {
        update(authority)?;
        if packages.contains(&super::postgres::PACKAGE) {
            run(authority
                .command("apt-get")
                .args(PATIENCE)
                .args(INSTALL)
                .arg("postgresql-common"))?;
            write_cluster_settings(authority)?;
        }
        for (package, service) in STOPPED {
            if packages.contains(&package) {
                keep_stopped(service, authority)?;
            }
        }
        run(authority.command("apt-get").args(PATIENCE).args(INSTALL).args(packages))
    };
    let result = installing();
    if Path::new(CLUSTER_SETTINGS).exists() {
        run(authority.command("rm").arg(CLUSTER_SETTINGS))?;
    }
    result.with_context(|| format!("could not install; by hand: {}", command_for_a_person(packages)))
}

/// Masks the service before there is one, which is what `systemctl mask` does; a person's own is left alone.
fn keep_stopped(service: &str, authority: Authority) -> Result<()> {
    let unit = format!("/etc/systemd/system/{service}.service");
    if !Path::new("/run/systemd/system").is_dir() || Path::new(&unit).exists() {
        return Ok(());
    }
    println!("set-up: the {service} service stays stopped; if you want it: sudo systemctl unmask {service}");
    run(authority.command("ln").args(["--symbolic", "/dev/null", &unit]))
}

fn write_cluster_settings(authority: Authority) -> Result<()> {
    let script = "mkdir -p \"$(dirname \"$0\")\" && echo 'create_main_cluster = false' > \"$0\"";
    run(authority.command("sh").args(["-c", script, CLUSTER_SETTINGS]))
}

/// What a person with the right to do it types.
pub fn command_for_a_person(packages: &[&str]) -> String {
    format!(
        "sudo apt-get update && sudo apt-get install --no-install-recommends {}",
        packages.join(" ")
    )
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    // The owner of this process's own entry is its effective user; no unsafe call and no further crate.
    Path::new("/proc/self").metadata().is_ok_and(|meta| meta.uid() == 0)
}
