//! The machine: clock, disk, open files, connections that may wait, voice.

use super::found::Found;
use crate::config::Config;
use crate::process::{FILES_OWN, file_limit};
use anyhow::{Context, Result, ensure};
use hub_broker::LISTEN_BACKLOG;
use hub_core::clock::{CivilClock, SystemClock};
use hub_core::language::Language;
use hub_store_postgres::Cluster;
use hub_voice::prompt::tts::{EspeakTts, Tts};

/// Civil time before this means that the machine's clock is not set.
const CLOCK_MIN_S: i64 = 1_767_225_600; // 2026-01-01
/// Free space below this is too little for a database.
const DISK_FREE_MIN: u64 = 1 << 30;
/// Free space below this is soon too little.
const DISK_FREE_SOON: u64 = 5 << 30;
/// How many connections Linux lets wait until a program accepts them; 4,096 since version 5.4.
const SOMAXCONN: &str = "/proc/sys/net/core/somaxconn";

pub(super) async fn voice(language: Language) -> Result<Found> {
    let spoken = match language {
        Language::En => "Good morning.",
        Language::ZhCn => "您好。",
    };
    let samples = EspeakTts::default().speak(language, spoken).await?;
    Found::ok(format!("espeak-ng speaks it ({} samples)", samples.len()))
}

/// Whether hub and database get to their files.
pub(super) fn state_folder(config: &Config) -> Result<Found> {
    if config.database_url.is_some() {
        return Found::ok(format!("{}; the database is a given one", config.state_dir.display()));
    }
    Cluster::check_reach(&config.state_dir)?;
    Found::ok(format!(
        "{}, which the database's user can reach",
        config.state_dir.display()
    ))
}

pub(super) fn clock() -> Result<Found> {
    let now = SystemClock.now();
    ensure!(
        now.as_second() > CLOCK_MIN_S,
        "the clock says {now}: set it, quiet hours depend on it"
    );
    Found::ok(now.to_string())
}

pub(super) fn disk(config: &Config) -> Result<Found> {
    let existing = config
        .state_dir
        .ancestors()
        .find(|p| p.exists())
        .context("the state directory has no existing parent")?;
    let stat =
        nix::sys::statvfs::statvfs(existing).with_context(|| format!("cannot look at {}", existing.display()))?;
    let free = stat.blocks_available() as u64 * stat.fragment_size() as u64;
    ensure!(
        free >= DISK_FREE_MIN,
        "only {} MiB free below {}; make room: without it nothing is stored and nothing acknowledged",
        free >> 20,
        existing.display()
    );
    let said = format!("{} GiB free below {}", free >> 30, existing.display());
    if free < DISK_FREE_SOON {
        return Found::warn(format!("{said}; make room soon"));
    }
    Found::ok(said)
}

/// The hub raises its own limit as far as it may; a service manager may set another than this shell has.
pub(super) fn files(config: &Config) -> Result<Found> {
    let limit = file_limit().context("the system does not say how many files may be open")?;
    let needed = (config.connections_max + config.http_limits.connections_max) as u64 + FILES_OWN;
    ensure!(
        limit >= 2 * FILES_OWN,
        "a program started here may open {limit} files only; raise LimitNOFILE of the service, or ulimit -Hn"
    );
    if limit < needed {
        return Found::warn(format!(
            "a program started here may open {limit} files, and connections_max = {} needs {needed}; raise LimitNOFILE of \
             the service (or ulimit -Hn), or lower connections_max",
            config.connections_max
        ));
    }
    Found::ok(format!("{limit} may be open, {needed} are needed at most"))
}

/// Nothing where the system does not say it.
pub(super) fn backlog() -> Option<Result<Found>> {
    let said = std::fs::read_to_string(SOMAXCONN).ok()?;
    Some(may_wait(&said))
}

fn may_wait(said: &str) -> Result<Found> {
    let most: u32 = said
        .trim()
        .parse()
        .with_context(|| format!("{SOMAXCONN} says {:?}, which is no number", said.trim()))?;
    if most < LISTEN_BACKLOG {
        return Found::warn(format!(
            "net.core.somaxconn = {most} lets only so many connections wait: when a large fleet comes back at once, devices \
             beyond are dropped and come again seconds later; set it to {LISTEN_BACKLOG} (sysctl -w, and a file in \
             /etc/sysctl.d), then restart the hub"
        ));
    }
    Found::ok(format!("{LISTEN_BACKLOG} connections may wait to be accepted"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_short_a_backlog_is_a_warning_and_what_is_no_number_a_failure() {
        for enough in ["4096\n", "65535"] {
            assert!(matches!(may_wait(enough), Ok(Found::Ok(_))), "{enough}");
        }
        let short = may_wait("128\n").unwrap();
        assert!(
            matches!(&short, Found::Warn(text) if text.contains("somaxconn = 128") && text.contains("set it to 4096")),
            "{short:?}"
        );
        assert!(may_wait("4095").is_ok_and(|found| matches!(found, Found::Warn(_))));
        assert!(may_wait("many").is_err());
    }
}
