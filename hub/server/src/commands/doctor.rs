//! `forecall doctor`: what is wrong, where, and what to do.

mod calls;
mod data;
mod door;
mod found;
mod surroundings;
mod trunk;

use super::args::ConfigArgs;
use crate::config::Config;
use crate::models::{self, load_families};
use crate::terminal::{log, say};
use anyhow::{Result, bail};
use found::Found;
use hub_core::clock::{CivilClock, SystemClock};
use hub_core::language::Language;
use std::net::{TcpListener, UdpSocket};

/// Checks set-up and surroundings, beside a running hub or without one. Makes nothing that is not there.
#[derive(Debug, clap::Args)]
pub struct Doctor {
    #[command(flatten)]
    config: ConfigArgs,
}

/// What was printed.
#[derive(Default)]
struct Report {
    failed: usize,
}

impl Report {
    fn line(&mut self, name: &str, result: Result<Found>) {
        match result {
            Ok(Found::Ok(detail)) => say(format_args!("ok    {name}: {detail}")),
            Ok(Found::Warn(detail)) => say(format_args!("warn  {name}: {detail}")),
            Err(error) => {
                self.failed += 1;
                say(format_args!("FAIL  {name}: {error:#}"));
            }
        }
    }
}

impl Doctor {
    /// Runs all checks; an error at the end if one failed.
    pub async fn run(self) -> Result<()> {
        log("error");
        let config = self.config.load().inspect_err(|_| say("FAIL  configuration"))?;
        say("ok    configuration");
        let mut report = Report::default();
        surroundings(&config, &mut report).await;
        doors(&config, &mut report).await;
        report.line("keyring", data::keyring(&config).await);
        if config.database_url.is_none() {
            report.line("postgresql", data::server(&config).await);
        }
        for (name, result) in data::database(&config).await {
            report.line(name, result);
        }
        if report.failed > 0 {
            bail!("{} of the checks failed", report.failed);
        }
        Ok(())
    }
}

async fn surroundings(config: &Config, report: &mut Report) {
    report.line("clock", surroundings::clock());
    report.line("state folder", surroundings::state_folder(config));
    report.line("disk", surroundings::disk(config));
    report.line("open files", surroundings::files(config));
    if let Some(backlog) = surroundings::backlog() {
        report.line("listen backlog", backlog);
    }
    let profiles = load_families(&config.models_dir).map(|families| {
        let names = models::profiles(&families).into_keys();
        names.collect::<Vec<_>>().join(", ")
    });
    report.line("profiles", profiles.map(Found::Ok));
    report.line("models", data::models(config));
    report.line("voice, en", surroundings::voice(Language::En).await);
    report.line("voice, zh-CN", surroundings::voice(Language::ZhCn).await);
}

async fn doors(config: &Config, report: &mut Report) {
    let hub_runs = door::hub_runs(config).await;
    let mut tcp = vec![("mqtt port", config.mqtt), ("http port", config.http)];
    tcp.extend(config.mqtt_tls.map(|addr| ("mqtt_tls port", addr)));
    for (name, addr) in tcp {
        report.line(name, door::port(addr, TcpListener::bind(addr).map(drop), hub_runs));
    }
    // Without a trunk the hub opens no port for calls: free beside a running hub is no fault.
    let sip = UdpSocket::bind(config.sip).map(drop);
    report.line(
        "sip port",
        door::port(config.sip, sip, hub_runs && UdpSocket::bind(config.sip).is_err()),
    );
    report.line("calls address", calls::address(config).await);
    report.line("audio ports", calls::ports(config));
    report.line("host names", door::host_names(config));
    if let Some(tls) = config.tls() {
        report.line("certificate", door::certificate(&tls.files, SystemClock.now()));
    }
    if hub_runs {
        report.line("hub", door::ready(config.http).await);
    }
}
