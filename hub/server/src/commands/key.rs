//! `forecall key group …`: keys from which the secrets of many devices derive.

use super::args::{ListArgs, TenantArgs};
use super::beside::{beside, key_of};
use crate::terminal::say;
use anyhow::{Context, Result};
use hub_core::access::derived_secret;
use hub_core::clock::{CivilClock, SystemClock};
use hub_core::id::{CredentialName, DeviceId};
use hub_store::credential::DeviceCredentials;
use std::io::Read;

/// Longest key on standard input, in bytes.
const INPUT_LEN_MAX: u64 = 1024;

/// Keys.
#[derive(Debug, clap::Args)]
pub struct Key {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, clap::Subcommand)]
enum KeyCommand {
    /// Keys of groups of devices.
    Group(Group),
}

#[derive(Debug, clap::Args)]
struct Group {
    #[command(subcommand)]
    command: GroupCommand,
}

#[derive(Debug, clap::Subcommand)]
enum GroupCommand {
    /// Makes a group and prints its key once, in hexadecimal.
    Add(Add),
    /// Gives a group a new key, printed once. Secrets of the one before work until it is retired.
    Rotate(Named),
    /// Ends the key before the present one: devices that still use it are cut.
    Retire(Named),
    /// Lists groups.
    List(ListArgs),
    /// Prints the secret of one device: HMAC-SHA256(key, device) in lower-case hexadecimal.
    Secret(Secret),
}

#[derive(Debug, clap::Args)]
struct Named {
    #[command(flatten)]
    of: TenantArgs,
    /// Name of the group within the tenant.
    #[arg(long)]
    group: CredentialName,
    /// Read the key from standard input, in hexadecimal, instead of making or looking up one.
    #[arg(long)]
    key_stdin: bool,
}

#[derive(Debug, clap::Args)]
struct Add {
    #[command(flatten)]
    named: Named,
    /// Appliance profile of its devices.
    #[arg(long)]
    profile: String,
    /// An unknown device that shows a secret of this group is made.
    #[arg(long)]
    enrol: bool,
}

#[derive(Debug, clap::Args)]
struct Secret {
    #[command(flatten)]
    named: Named,
    /// Name of the device within the tenant, usually its serial number.
    #[arg(long)]
    device: DeviceId,
}

impl Key {
    /// Carries the command out.
    pub async fn run(self) -> Result<()> {
        let KeyCommand::Group(group) = self.command;
        match group.command {
            GroupCommand::Add(command) => command.run().await,
            GroupCommand::Rotate(command) => command.rotate().await,
            GroupCommand::Retire(command) => command.retire().await,
            GroupCommand::List(command) => list(command).await,
            GroupCommand::Secret(command) => command.run().await,
        }
    }
}

impl Named {
    /// A key that is given, or a new one.
    fn key(&self) -> Result<Vec<u8>> {
        if self.key_stdin {
            read_key()
        } else {
            Ok(crate::random::bytes::<32>().to_vec())
        }
    }

    fn name(&self) -> String {
        format!("{}/{}", self.of.tenant, self.group)
    }

    fn say_key(&self, key: &[u8]) {
        say(format_args!("group  {}", self.name()));
        if !self.key_stdin {
            say(format_args!("key    {}  (shown this once only)", hex::encode(key)));
        }
    }

    async fn rotate(self) -> Result<()> {
        let key = self.key()?;
        beside(&self.of.config, async |opened| {
            Ok(opened
                .store
                .rotate_group(&self.of.tenant, self.group.as_str(), &key)
                .await?)
        })
        .await?;
        self.say_key(&key);
        say("secrets of the old key work until `forecall key group retire`");
        Ok(())
    }

    async fn retire(self) -> Result<()> {
        beside(&self.of.config, async |opened| {
            Ok(opened.store.retire_group(&self.of.tenant, self.group.as_str()).await?)
        })
        .await?;
        say(format_args!(
            "{}: secrets of the old key do not work any more",
            self.name()
        ));
        Ok(())
    }
}

impl Add {
    async fn run(self) -> Result<()> {
        let (named, key) = (&self.named, self.named.key()?);
        beside(&named.of.config, async |opened| {
            let (store, now) = (&opened.store, SystemClock.now());
            let group = named.group.as_str();
            let added = store.add_group(&named.of.tenant, group, &key, &self.profile, self.enrol, now);
            Ok(added.await?)
        })
        .await?;
        named.say_key(&key);
        Ok(())
    }
}

impl Secret {
    async fn run(self) -> Result<()> {
        let named = &self.named;
        let secret = if named.key_stdin {
            derived_secret(&read_key()?, &self.device)
        } else {
            beside(&named.of.config, async |opened| {
                let group = named.group.as_str();
                Ok(opened.store.group_secret(&named.of.tenant, group, &self.device).await?)
            })
            .await?
        };
        say(secret);
        Ok(())
    }
}

fn read_key() -> Result<Vec<u8>> {
    let mut text = String::new();
    let read = std::io::stdin().lock().take(INPUT_LEN_MAX).read_to_string(&mut text);
    read.context("cannot read the key from standard input")?;
    key_of(&text).context("the key on standard input is not taken")
}

async fn list(args: ListArgs) -> Result<()> {
    let groups = beside(&args.config, async |opened| {
        Ok(opened.store.groups(&args.actor(opened).await?).await?)
    })
    .await?;
    for group in groups {
        let name = format!("{}/{}", group.tenant, group.name);
        say(format_args!(
            "{name:<40} {:<20} {} devices{}{}",
            group.profile,
            group.devices,
            if group.enrols { ", enrols" } else { "" },
            if group.previous { ", takes the old key" } else { "" },
        ));
    }
    Ok(())
}
