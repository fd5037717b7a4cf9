//! `forecall claim …`: credentials by which devices ask for their own, and codes by which households take theirs.

use super::args::{ListArgs, NamedArgs, TenantArgs};
use super::beside::beside;
use crate::random;
use crate::terminal::say;
use anyhow::{Context, Result};
use hub_core::clock::{CivilClock, SystemClock};
use hub_core::id::DeviceId;
use hub_store::claim::{ClaimStore, Opener};
use hub_store::credential::{ClaimGrant, TenantCredentials};
use hub_store::site::SiteStore;
use jiff::SignedDuration;

/// Digits and letters that are not mistaken for one another: 32 of them.
const CODE_LETTERS: [u8; 32] = *b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Claims of devices and of households.
#[derive(Debug, clap::Args)]
pub struct Claim {
    #[command(subcommand)]
    command: ClaimCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ClaimCommand {
    /// Credentials by which devices ask for their own.
    Credential(Credential),
    /// Opens a device for the person who knows the code that is printed here, once: for the leaflet in the box.
    Code(Code),
}

#[derive(Debug, clap::Args)]
struct Credential {
    #[command(subcommand)]
    command: CredentialCommand,
}

#[derive(Debug, clap::Subcommand)]
enum CredentialCommand {
    /// Makes a claim credential and prints its token once.
    Add(Add),
    /// Ends a claim credential; what was given by it stays.
    Revoke(NamedArgs),
    /// Lists claim credentials.
    List(ListArgs),
}

#[derive(Debug, clap::Args)]
struct Add {
    #[command(flatten)]
    named: NamedArgs,
    /// Appliance profile of devices that come with it.
    #[arg(long)]
    profile: String,
    /// So many devices.
    #[arg(long)]
    uses: u32,
    /// For so many days.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// A device that has a credential may be given a new one, which ends the old.
    #[arg(long)]
    replace: bool,
}

#[derive(Debug, clap::Args)]
struct Code {
    #[command(flatten)]
    of: TenantArgs,
    /// Name of the device within the tenant.
    #[arg(long)]
    device: DeviceId,
    /// For so many days.
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
}

impl Claim {
    /// Carries the command out.
    pub async fn run(self) -> Result<()> {
        match self.command {
            ClaimCommand::Code(command) => command.run().await,
            ClaimCommand::Credential(credential) => match credential.command {
                CredentialCommand::Add(command) => command.run().await,
                CredentialCommand::Revoke(command) => revoke(command).await,
                CredentialCommand::List(command) => list(command).await,
            },
        }
    }
}

fn days(count: u32) -> SignedDuration {
    SignedDuration::from_hours(24 * i64::from(count))
}

impl Add {
    async fn run(self) -> Result<()> {
        let (named, now) = (&self.named, SystemClock.now());
        let token = format!("claim_{}", random::secret());
        let grant = ClaimGrant {
            profile: self.profile.clone(),
            expires_at: now + days(self.days),
            uses: self.uses,
            replace: self.replace,
        };
        beside(&named.of.config, async |opened| {
            let name = named.name.as_str();
            let added = opened
                .store
                .add_claim_credential(&named.of.tenant, name, &token, &grant, now);
            Ok(added.await?)
        })
        .await?;
        say(format_args!("user name  {token}  (shown this once only; no password)"));
        Ok(())
    }
}

impl Code {
    async fn run(self) -> Result<()> {
        let code = new_code();
        let tenant = &self.of.tenant;
        beside(&self.of.config, async |opened| {
            let (store, now) = (&opened.store, SystemClock.now());
            let appliance = store.appliance_by_name(tenant, &self.device).await?.id;
            let opened = store.open_claim(appliance, Opener::Maker, &code, now + days(self.days), now);
            opened.await.context("the claim was not opened")
        })
        .await?;
        say(format_args!("code  {code}  (shown this once only)"));
        say(format_args!(
            "link  /claim?tenant={tenant}&device={}&code={code}",
            self.device
        ));
        Ok(())
    }
}

/// 12 letters, 60 bits.
fn new_code() -> String {
    let letters = crate::random::bytes::<12>().map(|byte| CODE_LETTERS[usize::from(byte % 32)]);
    letters.map(char::from).iter().collect()
}

async fn revoke(named: NamedArgs) -> Result<()> {
    beside(&named.of.config, async |opened| {
        let name = named.name.as_str();
        Ok(opened.store.revoke_claim_credential(&named.of.tenant, name).await?)
    })
    .await?;
    say(format_args!("{}/{} is revoked", named.of.tenant, named.name));
    Ok(())
}

async fn list(args: ListArgs) -> Result<()> {
    let all = beside(&args.config, async |opened| {
        Ok(opened.store.claim_credentials(&args.actor(opened).await?).await?)
    })
    .await?;
    for one in all {
        let name = format!("{}/{}", one.tenant, one.name);
        let state = if one.revoked { "revoked" } else { "open" };
        say(format_args!(
            "{name:<40} {:<20} {state:<8} until {}, {} devices more{}",
            one.profile,
            one.expires_at,
            one.uses_left,
            if one.replace { ", replaces credentials" } else { "" },
        ));
    }
    Ok(())
}
