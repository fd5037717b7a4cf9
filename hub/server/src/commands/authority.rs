//! `forecall authority …`: certificate authorities whose devices come in by certificate.

use super::args::{ListArgs, NamedArgs};
use super::beside::{beside, read_file};
use crate::terminal::say;
use anyhow::Result;
use hub_core::clock::{CivilClock, SystemClock};
use hub_store::credential::TenantCredentials;
use std::path::PathBuf;

/// Certificate authorities.
#[derive(Debug, clap::Args)]
pub struct Authority {
    #[command(subcommand)]
    command: AuthorityCommand,
}

#[derive(Debug, clap::Subcommand)]
enum AuthorityCommand {
    /// Trusts an authority's certificate, or replaces it by a renewed one.
    Add(WithFile),
    /// Takes a newer revocation list of an authority.
    Crl(WithFile),
    /// Lists authorities.
    List(ListArgs),
    /// Trusts an authority no longer, and cuts the devices that came in by it.
    Remove(NamedArgs),
}

#[derive(Debug, clap::Args)]
struct WithFile {
    #[command(flatten)]
    named: NamedArgs,
    /// Certificate or list, PEM or DER.
    #[arg(long, short)]
    file: PathBuf,
}

impl Authority {
    /// Carries the command out.
    pub async fn run(self) -> Result<()> {
        match self.command {
            AuthorityCommand::Add(command) => command.add().await,
            AuthorityCommand::Crl(command) => command.crl().await,
            AuthorityCommand::List(command) => list(command).await,
            AuthorityCommand::Remove(command) => remove(command).await,
        }
    }
}

impl WithFile {
    async fn add(self) -> Result<()> {
        let (named, certificate) = (&self.named, read_file(&self.file)?);
        beside(&named.of.config, async |opened| {
            let (store, now) = (&opened.store, SystemClock.now());
            let added = store.put_authority(&named.of.tenant, named.name.as_str(), &certificate, now);
            Ok(added.await?)
        })
        .await?;
        say(format_args!("{}/{} is trusted", named.of.tenant, named.name));
        Ok(())
    }

    async fn crl(self) -> Result<()> {
        let (named, list) = (&self.named, read_file(&self.file)?);
        let revoked = beside(&named.of.config, async |opened| {
            let (store, now) = (&opened.store, SystemClock.now());
            let taken = store.put_revocations(&named.of.tenant, named.name.as_str(), &list, now);
            Ok(taken.await?)
        })
        .await?;
        say(format_args!(
            "{}/{}: {revoked} certificates are revoked",
            named.of.tenant, named.name
        ));
        Ok(())
    }
}

async fn remove(named: NamedArgs) -> Result<()> {
    beside(&named.of.config, async |opened| {
        Ok(opened
            .store
            .remove_authority(&named.of.tenant, named.name.as_str())
            .await?)
    })
    .await?;
    say(format_args!(
        "{}/{} is not trusted any more",
        named.of.tenant, named.name
    ));
    Ok(())
}

async fn list(args: ListArgs) -> Result<()> {
    let all = beside(&args.config, async |opened| {
        Ok(opened.store.authority_views(&args.actor(opened).await?).await?)
    })
    .await?;
    for one in all {
        let name = format!("{}/{}", one.tenant, one.name);
        let list = match one.revoked {
            Some(count) => format!("{count} revoked"),
            None => "no revocation list".to_owned(),
        };
        let issues = if one.issues { ", signs at this hub" } else { "" };
        say(format_args!(
            "{name:<40} until {}, {list}{issues}: {}",
            one.not_after, one.subject
        ));
    }
    Ok(())
}
