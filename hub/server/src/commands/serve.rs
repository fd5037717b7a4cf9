//! `forecall serve`.

use super::args::ConfigArgs;
use crate::database::open;
use crate::pipeline;
use crate::process::FILES_OWN;
use crate::standby;
use crate::terminal::{log, say};
use anyhow::{Context, Result, bail};
use hub_core::clock::SystemClock;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Calls that are up may go on for so long after the stop was asked for; then they are hung up.
const CALLS_GRACE: Duration = Duration::from_secs(20);
/// The whole stop takes no longer, whatever hangs: below what the unit allows (`TimeoutStopSec`), above all waits on the way.
const STOP_GRACE: Duration = Duration::from_secs(100);

/// Runs the hub until SIGTERM or Ctrl-C.
#[derive(Debug, clap::Args)]
pub struct Serve {
    #[command(flatten)]
    config: ConfigArgs,
}

impl Serve {
    /// Carries the command out.
    pub async fn run(self) -> Result<()> {
        log("info,sqlx=warn,rsipstack=warn,tract=warn");
        let config = self.config.load()?;
        let connections_max = config.connections_max + config.http_limits.connections_max;
        match crate::process::raise_file_limit() {
            Ok(files) if files < connections_max as u64 + FILES_OWN => tracing::warn!(
                files,
                connections_max,
                "fewer files may be open than connections are allowed; set LimitNOFILE or ulimit -n"
            ),
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "the limit of open files stays as it is"),
        }
        if let Some(set) = config.names_missing() {
            tracing::warn!(
                set,
                "host_names is empty: people who come by a name get 421; list the names that they type"
            );
        }
        let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
        let opened = open(&config).await?;
        let leads = tokio::select! {
            leads = standby::lead(&config, &opened, &SystemClock) => leads.map(|()| true),
            _ = terminate.recv() => Ok(false),
            _ = interrupt.recv() => Ok(false),
        };
        if !matches!(leads, Ok(true)) {
            opened.close().await?;
            return leads.map(drop);
        }
        let mut hub = pipeline::start(&config, opened, Arc::new(SystemClock), None).await?;
        say(format_args!("console and API  http://{}", hub.http));
        say(format_args!("devices (MQTT)   {}", hub.mqtt));
        if let Some(tls) = hub.mqtt_tls {
            say(format_args!("devices (TLS)    {tls}"));
        }
        match hub.sip {
            Some(sip) => say(format_args!("calls (SIP)      {sip}")),
            None => say("calls (SIP)      none: no tenant has a trunk; nobody is rung"),
        }
        if let Some(account) = &hub.first_account {
            say(format_args!(
                "first log-in     {} / {}  (shown this once only)",
                account.name, account.password
            ));
        }
        say("ready");
        let failure = tokio::select! {
            _ = terminate.recv() => None,
            _ = interrupt.recv() => None,
            failure = hub.failed() => Some(failure),
        };
        if let Err(error) = crate::process::end_within(STOP_GRACE) {
            tracing::warn!(%error, "the stop has no time limit: its thread did not start");
        }
        say("stopping: commits and calls that are under way finish first");
        hub.stop(CALLS_GRACE).await?;
        match failure {
            // Its supervisor starts it again.
            Some(failure) => bail!("the hub cannot go on: {failure}"),
            None => Ok(()),
        }
    }
}
