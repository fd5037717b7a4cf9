//! `forecall doctor`: what is wrong, where, and what to do.

use super::{ConfigArgs, log, say};
use crate::config::Config;
use crate::pipeline::{load_profiles, open_beside};
use anyhow::{Context, Result, bail, ensure};
use hub_core::clock::{CivilClock, SystemClock};
use hub_core::language::Language;
use hub_predict::Registry;
use hub_store::event::EventStore;
use hub_store::site::SiteStore;
use hub_store_postgres::{Cluster, ClusterOptions, Keyring};
use hub_voice::prompt::tts::{EspeakTts, Tts};
use std::io::{ErrorKind, Result as IoResult};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Checks set-up and surroundings, beside a running hub or without one. Makes nothing that is not there.
#[derive(Debug, clap::Args)]
pub struct Doctor {
    #[command(flatten)]
    config: ConfigArgs,
}

/// Civil time before this means that the machine's clock is not set.
const CLOCK_MIN_S: i64 = 1_767_225_600; // 2026-01-01
/// Free space below this is too little for a database.
const DISK_FREE_MIN: u64 = 1 << 30;
/// A hub on this machine answers within this time.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// Its answer is not longer than this, in bytes.
const ANSWER_LEN_MAX: u64 = 4096;

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
        let hub_runs = hub_runs(&config).await;
        for (name, addr, bound) in [
            ("mqtt port", config.mqtt, TcpListener::bind(config.mqtt).map(drop)),
            ("http port", config.http, TcpListener::bind(config.http).map(drop)),
            ("sip port", config.sip, UdpSocket::bind(config.sip).map(drop)),
        ] {
            report(name, port(addr, bound, hub_runs));
        }
        report("keyring", keyring(&config));
        if config.database_url.is_none() {
            report("postgresql", server(&config).await);
        }
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

fn port(addr: SocketAddr, bound: IoResult<()>, hub_runs: bool) -> Result<String> {
    match bound {
        Ok(()) => Ok(format!("{addr} is free")),
        Err(error) if error.kind() == ErrorKind::AddrInUse && hub_runs => {
            Ok(format!("{addr} is in use by the running hub"))
        }
        Err(error) => {
            let why = format!("{addr} is taken by another program, or not an address of this machine; choose another");
            Err(error).context(why)
        }
    }
}

/// A hub with its own database holds its state directory; one with a given database answers over HTTP.
async fn hub_runs(config: &Config) -> bool {
    if config.database_url.is_none() {
        return Cluster::is_running(&config.state_dir).unwrap_or(false);
    }
    matches!(
        tokio::time::timeout(ANSWER_LIMIT, answers(config.http)).await,
        Ok(Ok(true))
    )
}

async fn answers(http: SocketAddr) -> IoResult<bool> {
    let mut stream = TcpStream::connect(http).await?;
    let request = format!("GET /healthz HTTP/1.0\r\nHost: {http}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(ANSWER_LEN_MAX).read_to_string(&mut answer).await?;
    Ok(answer.contains(" 200 ") && answer.ends_with("\r\n\r\nok\n"))
}

fn keyring_file(config: &Config) -> PathBuf {
    let usual = || config.state_dir.join("keyring.toml");
    config.key_file.clone().unwrap_or_else(usual)
}

fn keyring(config: &Config) -> Result<String> {
    let file = keyring_file(config);
    if file.exists() {
        Keyring::open_or_create(&file)?;
        return Ok(format!("{}, nobody else may read it", file.display()));
    }
    ensure!(
        config.database_url.is_some() || !Cluster::exists(&config.state_dir)?,
        "{} is missing, and the database was written with it; restore it",
        file.display()
    );
    Ok("none yet: made at the first start".to_owned())
}

async fn server(config: &Config) -> Result<String> {
    let options = ClusterOptions {
        bin_dir: config.postgres_bin.clone(),
    };
    Ok(Cluster::find_server(&config.state_dir, options).await?)
}

async fn database(config: &Config) -> Result<String> {
    if config.database_url.is_none() && !Cluster::exists(&config.state_dir)? {
        return Ok("no database yet: made at the first start".to_owned());
    }
    if !keyring_file(config).exists() {
        return Ok("not looked into: there is no keyring to open it with".to_owned());
    }
    let opened = open_beside(config).await?;
    let checked = async {
        opened.store.healthy().await?;
        let trunks = opened.store.trunks().await?.len();
        Ok(format!("answers, durable, schema is current; {trunks} trunk(s)"))
    };
    let checked: Result<String> = checked.await;
    opened.close().await?;
    checked
}
