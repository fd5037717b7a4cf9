//! `forecall doctor`: what is wrong, where, and what to do.

use super::{ConfigArgs, log, say};
use crate::config::Config;
use crate::pipeline::{load_profiles, open};
use anyhow::{Context, Result, bail, ensure};
use hub_core::clock::{CivilClock, SystemClock};
use hub_core::language::Language;
use hub_predict::Registry;
use hub_store::event::EventStore;
use hub_store::site::SiteStore;
use hub_voice::prompt::tts::{EspeakTts, Tts};
use std::net::{SocketAddr, TcpListener, UdpSocket};

/// Checks set-up and surroundings.
#[derive(Debug, clap::Args)]
pub struct Doctor {
    #[command(flatten)]
    config: ConfigArgs,
}

/// Civil time before this means that the machine's clock is not set.
const CLOCK_MIN_S: i64 = 1_767_225_600; // 2026-01-01
/// Free space below this is too little for a database.
const DISK_FREE_MIN: u64 = 1 << 30;

impl Doctor {
    /// Runs all checks; an error at the end if one failed.
    pub async fn run(self) -> Result<()> {
        log("error");
        let config = self.config.load().inspect_err(|_| say("FAIL  configuration"))?;
        say("ok    configuration");
        let mut failed = 0;
        let mut report = |name: &str, result: Result<String>| match result {
            Ok(detail) => say(format_args!("ok    {name}: {detail}")),
            Err(error) => {
                failed += 1;
                say(format_args!("FAIL  {name}: {error:#}"));
            }
        };
        report("clock", clock());
        report("disk", disk(&config));
        report(
            "profiles",
            load_profiles(&config.models_dir).map(|p| p.keys().cloned().collect::<Vec<_>>().join(", ")),
        );
        report("models", models(&config));
        report("voice, en", voice(Language::En).await);
        report("voice, zh-CN", voice(Language::ZhCn).await);
        report("mqtt port", tcp_port(config.mqtt));
        report("http port", tcp_port(config.http));
        report("sip port", udp_port(config.sip));
        report("database", database(&config).await);
        if failed > 0 {
            bail!("{failed} of the checks failed");
        }
        Ok(())
    }
}

async fn voice(language: Language) -> Result<String> {
    let spoken = match language {
        Language::En => "Good morning.",
        Language::ZhCn => "您好。",
    };
    let samples = EspeakTts::default().speak(language, spoken).await?;
    Ok(format!("espeak-ng speaks it ({} samples)", samples.len()))
}

fn clock() -> Result<String> {
    let now = SystemClock.now();
    ensure!(
        now.as_second() > CLOCK_MIN_S,
        "the clock says {now}: set it, quiet hours depend on it"
    );
    Ok(now.to_string())
}

fn disk(config: &Config) -> Result<String> {
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
        "only {} MiB free below {}; make room",
        free >> 20,
        existing.display()
    );
    Ok(format!("{} GiB free below {}", free >> 30, existing.display()))
}

fn models(config: &Config) -> Result<String> {
    let registry = Registry::load(&config.models_dir)?;
    if let Some((folder, why)) = registry.refused().first() {
        bail!("{} is refused: {why}", folder.display());
    }
    Ok(registry
        .families()
        .map(|(_, model)| model.version().to_owned())
        .collect::<Vec<_>>()
        .join(", "))
}

fn tcp_port(addr: SocketAddr) -> Result<String> {
    TcpListener::bind(addr)
        .with_context(|| format!("{addr} is taken (is a hub running?) or not an address of this machine"))?;
    Ok(format!("{addr} is free"))
}

fn udp_port(addr: SocketAddr) -> Result<String> {
    UdpSocket::bind(addr)
        .with_context(|| format!("{addr} is taken (is a hub running?) or not an address of this machine"))?;
    Ok(format!("{addr} is free"))
}

async fn database(config: &Config) -> Result<String> {
    let opened = open(config).await?;
    let checked = async {
        opened.store.healthy().await?;
        let trunks = opened.store.trunks().await?.len();
        Ok(format!("answers, durable, schema is current; {trunks} trunk(s)"))
    };
    let checked: Result<String> = checked.await;
    opened.close().await?;
    checked
}
