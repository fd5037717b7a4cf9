//! `forecall integrator …`: programs that read along within one tenant.

use super::args::{ListArgs, NamedArgs};
use super::beside::beside;
use crate::random;
use crate::terminal::say;
use anyhow::Result;
use hub_core::clock::{CivilClock, SystemClock};
use hub_store::credential::TenantCredentials;

/// Programs that read along within one tenant.
#[derive(Debug, clap::Args)]
pub struct Integrator {
    #[command(subcommand)]
    command: IntegratorCommand,
}

#[derive(Debug, clap::Subcommand)]
enum IntegratorCommand {
    /// Lets a program in and prints its token once.
    Add(Add),
    /// Ends its token and cuts its connection.
    Revoke(NamedArgs),
    /// Lists integrators.
    List(ListArgs),
}

#[derive(Debug, clap::Args)]
struct Add {
    #[command(flatten)]
    named: NamedArgs,
    /// What it may subscribe to, e.g. `d/+/t`; may be given several times.
    #[arg(long, required = true)]
    filter: Vec<String>,
}

impl Integrator {
    /// Carries the command out.
    pub async fn run(self) -> Result<()> {
        match self.command {
            IntegratorCommand::Add(command) => command.run().await,
            IntegratorCommand::Revoke(command) => revoke(command).await,
            IntegratorCommand::List(command) => list(command).await,
        }
    }
}

impl Add {
    async fn run(self) -> Result<()> {
        let token = format!("int_{}", random::secret());
        let named = &self.named;
        beside(&named.of.config, async |opened| {
            let (store, now) = (&opened.store, SystemClock.now());
            let added = store.add_integrator(&named.of.tenant, named.name.as_str(), &token, &self.filter, now);
            Ok(added.await?)
        })
        .await?;
        say(format_args!("user name  {token}  (shown this once only; no password)"));
        Ok(())
    }
}

async fn revoke(named: NamedArgs) -> Result<()> {
    beside(&named.of.config, async |opened| {
        Ok(opened
            .store
            .revoke_integrator(&named.of.tenant, named.name.as_str())
            .await?)
    })
    .await?;
    say(format_args!("{}/{} is revoked", named.of.tenant, named.name));
    Ok(())
}

async fn list(args: ListArgs) -> Result<()> {
    let all = beside(&args.config, async |opened| {
        Ok(opened.store.integrators(&args.actor(opened).await?).await?)
    })
    .await?;
    for one in all {
        let name = format!("{}/{}", one.tenant, one.name);
        let state = if one.revoked { "revoked" } else { "may read" };
        say(format_args!("{name:<40} {state:<10} {}", one.filters.join(" ")));
    }
    Ok(())
}
