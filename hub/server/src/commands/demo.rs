//! `forecall demo`.

use crate::demo::{Options, run};
use crate::terminal::log;
use anyhow::{Context, Result};
use hub_core::language::Language;
use hub_lab::home::Board;
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Plays the whole story on this machine: a pump wears out, a phone rings. Throws away what it stored when it ends.
#[derive(Debug, clap::Args)]
pub struct Demo {
    /// Play it without a person, to the technician's fix and the verdict; exit code 0 only if it happened.
    #[arg(long)]
    headless: bool,
    /// Language that the owner speaks: en or zh-CN.
    #[arg(long, default_value = "en", value_parser = language)]
    language: Language,
    /// Where the console listens, if that port is free.
    #[arg(long, default_value = "127.0.0.1:8080")]
    http: SocketAddr,
    /// Model folders and profiles.
    #[arg(long, env = "FORECALL_MODELS_DIR", default_value = "models")]
    models: PathBuf,
    /// Where postgres, initdb and pg_ctl are, if not in the usual places.
    #[arg(long, env = "FORECALL_POSTGRES_BIN")]
    postgres_bin: Option<PathBuf>,
    /// The first home's washing machine runs this firmware, agent-sdk/firmware/c-demo, on a board in QEMU.
    #[arg(long, value_name = "IMAGE")]
    firmware: Option<PathBuf>,
    /// What plays the board: qemu-system-arm, or a program that starts it.
    #[arg(long, default_value = "qemu-system-arm")]
    qemu: PathBuf,
}

fn language(text: &str) -> Result<Language, String> {
    Language::ALL
        .into_iter()
        .find(|l| l.tag() == text)
        .ok_or_else(|| "en or zh-CN".to_owned())
}

impl Demo {
    /// Plays it.
    pub async fn run(self) -> Result<()> {
        log("warn");
        let stop = CancellationToken::new();
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
        let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
        let on_signal = stop.clone();
        tokio::spawn(async move {
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
            on_signal.cancel();
        });
        let options = Options {
            headless: self.headless,
            language: self.language,
            http: self.http,
            models_dir: self.models,
            postgres_bin: self.postgres_bin,
            board: self.firmware.map(|image| Board { image, qemu: self.qemu }),
        };
        run(&options, stop).await
    }
}
