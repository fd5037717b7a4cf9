//! The machine: clock, disk, open files, voice.

use super::Found;
use crate::config::Config;
use crate::process::{FILES_OWN, file_limit};
use anyhow::{Context, Result, ensure};
use hub_core::clock::{CivilClock, SystemClock};
use hub_core::language::Language;
use hub_voice::prompt::tts::{EspeakTts, Tts};

/// Civil time before this means that the machine's clock is not set.
const CLOCK_MIN_S: i64 = 1_767_225_600; // 2026-01-01
/// Free space below this is too little for a database.
const DISK_FREE_MIN: u64 = 1 << 30;
/// Free space below this is soon too little.
const DISK_FREE_SOON: u64 = 5 << 30;

pub(super) async fn voice(language: Language) -> Result<Found> {
    let spoken = match language {
        Language::En => "Good morning.",
        Language::ZhCn => "您好。",
    };
    let samples = EspeakTts::default().speak(language, spoken).await?;
    Found::ok(format!("espeak-ng speaks it ({} samples)", samples.len()))
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
    let needed = config.connections_max as u64 + FILES_OWN;
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
