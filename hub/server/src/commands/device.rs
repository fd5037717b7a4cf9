//! `forecall device add`.

use super::{ConfigArgs, log, say};
use crate::pipeline::open_beside;
use anyhow::{Context, Result};
use hub_core::clock::{CivilClock, SystemClock};
use hub_core::id::{DeviceId, TenantId};
use hub_store::site::SiteStore;
use std::fmt::Write;

/// Devices and their secrets.
#[derive(Debug, clap::Args)]
pub struct Device {
    #[command(subcommand)]
    command: DeviceCommand,
}

#[derive(Debug, clap::Subcommand)]
enum DeviceCommand {
    /// Gives a device a new secret and prints it once. Makes the device if it is new; an old secret stops working.
    Add(Add),
}

#[derive(Debug, clap::Args)]
struct Add {
    #[command(flatten)]
    config: ConfigArgs,
    /// Tenant that the device belongs to.
    #[arg(long)]
    tenant: TenantId,
    /// Name of the device within the tenant, usually its serial number.
    #[arg(long)]
    device: DeviceId,
    /// Appliance profile that it reports by.
    #[arg(long)]
    profile: String,
    /// Id of its owner, as in the site file.
    #[arg(long)]
    owner: Option<String>,
    /// Id of the service point that looks after it.
    #[arg(long)]
    service_point: Option<String>,
}

impl Device {
    /// Runs it.
    pub async fn run(self) -> Result<()> {
        let DeviceCommand::Add(add) = self.command;
        add.run().await
    }
}

impl Add {
    async fn run(self) -> Result<()> {
        log("warn");
        let config = self.config.load()?;
        let opened = open_beside(&config).await?;
        let added = self.add(&opened).await;
        opened.close().await?;
        say(format_args!("user name  {}/{}", self.tenant, self.device));
        say(format_args!("password   {}  (shown this once only)", added?));
        Ok(())
    }

    async fn add(&self, opened: &crate::pipeline::Opened) -> Result<String> {
        let known: Vec<_> = opened.profiles.keys().cloned().collect();
        anyhow::ensure!(
            known.contains(&self.profile),
            "there is no profile {}; there are: {}",
            self.profile,
            known.join(", ")
        );
        let device = hub_core::site::Device {
            id: self.device.clone(),
            profile: self.profile.clone(),
            model: None,
            owner: self.owner.clone(),
            service_point: self.service_point.clone(),
            secret_sha256: None,
        };
        let secret = new_secret();
        opened
            .store
            .add_device(&self.tenant, &device, &secret, SystemClock.now())
            .await
            .context("the device was not added")?;
        Ok(secret)
    }
}

/// 32 random bytes in hexadecimal.
pub fn new_secret() -> String {
    crate::random::bytes::<32>()
        .iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}
