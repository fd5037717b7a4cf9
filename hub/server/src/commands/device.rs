//! `forecall device …`: devices and their secrets.

use super::args::{ListArgs, TenantArgs};
use super::beside::beside;
use crate::database::Opened;
use crate::random;
use crate::terminal::say;
use anyhow::{Context, Result};
use hub_core::clock::{CivilClock, SystemClock};
use hub_core::id::{CredentialName, DeviceId};
use hub_store::credential::{DeviceAccess, DeviceCredentials};
use hub_store::page::PAGE_MAX;
use hub_store::site::SiteStore;
use jiff::Timestamp;

/// Devices and their secrets.
#[derive(Debug, clap::Args)]
pub struct Device {
    #[command(subcommand)]
    command: DeviceCommand,
}

#[derive(Debug, clap::Subcommand)]
enum DeviceCommand {
    /// Makes a device and gives it a secret, which is printed once. Of a device that exists the old secrets stop working.
    Add(Add),
    /// Lists devices with what they may come in with.
    List(ListArgs),
    /// Lets nothing let a device in any more, and cuts its connection.
    Revoke(Named),
    /// Takes a revocation back.
    Restore(Named),
    /// Gives a device a new secret beside the present one, which works until it is retired. Prints the new one once.
    RotateSecret(RotateSecret),
    /// Ends the secret before the present one.
    RetireSecret(Named),
}

#[derive(Debug, clap::Args)]
struct Named {
    #[command(flatten)]
    of: TenantArgs,
    /// Name of the device within the tenant, usually its serial number.
    #[arg(long)]
    device: DeviceId,
}

#[derive(Debug, clap::Args)]
struct Add {
    #[command(flatten)]
    named: Named,
    /// Appliance profile that it reports by.
    #[arg(long, required_unless_present = "group")]
    profile: Option<String>,
    /// Id of its owner, as in the site file.
    #[arg(long)]
    owner: Option<String>,
    /// Id of the service point that looks after it.
    #[arg(long)]
    service_point: Option<String>,
    /// It comes in by the key of this group and gets no secret of its own; the profile is the group's.
    #[arg(long, conflicts_with_all = ["profile", "without_secret"])]
    group: Option<CredentialName>,
    /// It comes in by a certificate and gets no secret.
    #[arg(long)]
    without_secret: bool,
}

#[derive(Debug, clap::Args)]
struct RotateSecret {
    #[command(flatten)]
    named: Named,
    /// The secret before ends then by itself, e.g. 2027-01-31T00:00:00Z.
    #[arg(long)]
    old_until: Option<Timestamp>,
}

impl Device {
    /// Carries the command out.
    pub async fn run(self) -> Result<()> {
        match self.command {
            DeviceCommand::Add(command) => command.run().await,
            DeviceCommand::List(command) => list(command).await,
            DeviceCommand::Revoke(command) => command.revoke(true).await,
            DeviceCommand::Restore(command) => command.revoke(false).await,
            DeviceCommand::RotateSecret(command) => command.run().await,
            DeviceCommand::RetireSecret(command) => command.retire().await,
        }
    }
}

impl Named {
    fn name(&self) -> String {
        format!("{}/{}", self.of.tenant, self.device)
    }

    async fn revoke(self, revoked: bool) -> Result<()> {
        beside(&self.of.config, async |opened| {
            let store = &opened.store;
            let done = store.revoke_device(&self.of.tenant, &self.device, revoked, SystemClock.now());
            Ok(done.await?)
        })
        .await?;
        say(format_args!(
            "{} {}",
            self.name(),
            if revoked { "is revoked" } else { "may come in again" }
        ));
        Ok(())
    }

    async fn retire(self) -> Result<()> {
        beside(&self.of.config, async |opened| {
            Ok(opened.store.retire_secret(&self.of.tenant, &self.device).await?)
        })
        .await?;
        say(format_args!("{}: the old secret does not work any more", self.name()));
        Ok(())
    }

    fn say_secret(&self, secret: &str) {
        say(format_args!("user name  {}", self.name()));
        say(format_args!("password   {secret}  (shown this once only)"));
    }
}

impl Add {
    async fn run(self) -> Result<()> {
        let config = &self.named.of.config;
        let secret = beside(config, async |opened| {
            self.add(opened).await.context("the device was not added")
        })
        .await?;
        match (secret, &self.group) {
            (Some(secret), _) => self.named.say_secret(&secret),
            (None, Some(group)) => say(format_args!("{} comes in by group {group}", self.named.name())),
            (None, None) => say(format_args!("{} comes in by a certificate", self.named.name())),
        }
        Ok(())
    }

    async fn add(&self, opened: &Opened) -> Result<Option<String>> {
        let (store, tenant, now) = (&opened.store, &self.named.of.tenant, SystemClock.now());
        if let Some(group) = &self.group {
            store
                .join_group(tenant, &self.named.device, group.as_str(), now)
                .await?;
            let view = store.appliance_by_name(tenant, &self.named.device).await?;
            store.declare_device(tenant, &self.stated(view.profile), now).await?;
            return Ok(None);
        }
        let device = self.stated(self.profile.clone().context("--profile is missing")?);
        if self.without_secret {
            store.declare_device(tenant, &device, now).await?;
            return Ok(None);
        }
        let secret = random::secret();
        store.add_device(tenant, &device, &secret, now).await?;
        Ok(Some(secret))
    }

    fn stated(&self, profile: String) -> hub_core::site::Device {
        hub_core::site::Device {
            id: self.named.device.clone(),
            profile,
            model: None,
            owner: self.owner.clone(),
            service_point: self.service_point.clone(),
            secret_sha256: None,
        }
    }
}

impl RotateSecret {
    async fn run(self) -> Result<()> {
        let secret = random::secret();
        let named = &self.named;
        beside(&named.of.config, async |opened| {
            let (store, now) = (&opened.store, SystemClock.now());
            let rotated = store.rotate_secret(&named.of.tenant, &named.device, &secret, self.old_until, now);
            Ok(rotated.await?)
        })
        .await?;
        named.say_secret(&secret);
        match self.old_until {
            Some(until) => say(format_args!("the old one works until {until}")),
            None => say("the old one works until `forecall device retire-secret`"),
        }
        Ok(())
    }
}

async fn list(args: ListArgs) -> Result<()> {
    beside(&args.config, async |opened| {
        let (actor, mut after) = (args.actor(opened).await?, None);
        loop {
            let page = opened.store.device_access(&actor, after.as_deref(), PAGE_MAX).await?;
            page.items.iter().for_each(|device| say(line(device)));
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    })
    .await
}

fn line(device: &DeviceAccess) -> String {
    let name = format!("{}/{}", device.tenant, device.device);
    let state = match (device.revoked, device.online) {
        (true, _) => "revoked",
        (false, true) => "connected",
        (false, false) => "away",
    };
    format!("{name:<40} {:<20} {state:<10} {}", device.profile, ways(device))
}

/// What it may come in with.
fn ways(device: &DeviceAccess) -> String {
    let mut ways = Vec::new();
    if device.secret {
        ways.push("secret".to_owned());
    }
    match (device.old_secret, device.old_secret_until) {
        (true, Some(until)) => ways.push(format!("old secret until {until}")),
        (true, None) => ways.push("old secret".to_owned()),
        (false, _) => {}
    }
    if let Some(group) = &device.group {
        ways.push(format!("group {group}"));
    }
    if device.certificates > 0 {
        ways.push(format!("{} certificates of this hub", device.certificates));
    }
    if ways.is_empty() {
        return "nothing of this hub".to_owned();
    }
    ways.join(", ")
}
