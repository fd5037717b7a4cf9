//! `forecall account …`: people who log in, and what they may do.

use super::args::{COMMAND, ConfigArgs};
use super::beside::beside;
use crate::terminal::say;
use anyhow::{Context, Result};
use hub_api::new_password;
use hub_core::account::account_role;
use hub_core::actor::{Actor, Role};
use hub_core::clock::{CivilClock, SystemClock};
use hub_core::id::{AccountId, TenantId};
use hub_store::account::{Account as Stored, AccountStore};
use rand::{Rng, TryRngCore};

/// People who log in, and what they may do.
#[derive(Debug, clap::Args)]
pub struct Account {
    #[command(subcommand)]
    command: AccountCommand,
}

#[derive(Debug, clap::Subcommand)]
enum AccountCommand {
    /// Makes an account and prints its password once.
    Add(Person),
    /// Lists accounts with their tenant, sites and roles.
    List(ConfigArgs),
    /// Gives an account these roles, tenant and sites in place of those that it has.
    Role(Person),
    /// Draws a new password, prints it once and ends the account's sessions.
    Reset(Named),
    /// Removes an account and ends its sessions.
    Remove(Named),
}

#[derive(Debug, clap::Args)]
struct Named {
    #[command(flatten)]
    config: ConfigArgs,
    /// Log-in name.
    name: String,
}

#[derive(Debug, clap::Args)]
struct Person {
    #[command(flatten)]
    named: Named,
    /// administrator, supervisor, agent, technician, maker or auditor; may be given several times.
    #[arg(long, required = true, value_parser = account_role)]
    role: Vec<Role>,
    /// The one tenant that they see; without it all of this hub.
    #[arg(long)]
    tenant: Option<TenantId>,
    /// A service point of the tenant that they are confined to; may be given several times. Without it all of them.
    #[arg(long)]
    site: Vec<String>,
}

impl Account {
    /// Carries the command out.
    pub async fn run(self) -> Result<()> {
        match self.command {
            AccountCommand::Add(person) => add(person).await,
            AccountCommand::List(config) => list(&config).await,
            AccountCommand::Role(person) => role(person).await,
            AccountCommand::Reset(named) => reset(named).await,
            AccountCommand::Remove(named) => remove(named).await,
        }
    }
}

impl Person {
    fn actor(&self) -> Actor {
        let mut roles = self.role.clone();
        roles.sort_unstable();
        roles.dedup();
        Actor {
            name: self.named.name.clone(),
            tenant: self.tenant.clone(),
            sites: (!self.site.is_empty()).then(|| self.site.clone()),
            roles,
        }
    }
}

async fn add(person: Person) -> Result<()> {
    let mut rng = rand::rngs::OsRng.unwrap_err();
    let (now, drawn) = (SystemClock.now(), new_password(&mut rng)?);
    let account = Stored {
        id: AccountId::new(now, rng.random()),
        password_hash: drawn.hash,
        actor: person.actor(),
    };
    beside(&person.named.config, async |opened| {
        Ok(opened.store.add_account(&Actor::hub(COMMAND), &account, now).await?)
    })
    .await?;
    let (name, password) = (&person.named.name, drawn.password);
    say(format_args!(
        "log in as {name} with  {password}  (shown this once only)"
    ));
    Ok(())
}

async fn list(config: &ConfigArgs) -> Result<()> {
    let all = beside(config, async |opened| {
        Ok(opened.store.accounts(&Actor::hub(COMMAND)).await?)
    })
    .await?;
    for account in all {
        say(format_args!("{:<32} {}", account.name, description(&account)));
    }
    Ok(())
}

async fn role(person: Person) -> Result<()> {
    let to = person.actor();
    beside(&person.named.config, async |opened| {
        Ok(opened.store.change_account(&Actor::hub(COMMAND), &to).await?)
    })
    .await?;
    say(format_args!("{} is now {}", to.name, description(&to)));
    Ok(())
}

async fn reset(named: Named) -> Result<()> {
    let drawn = new_password(&mut rand::rngs::OsRng.unwrap_err()).context("the password was not changed")?;
    beside(&named.config, async |opened| {
        let hub = Actor::hub(COMMAND);
        Ok(opened.store.set_password(&hub, &named.name, &drawn.hash, None).await?)
    })
    .await?;
    let (name, password) = (&named.name, drawn.password);
    say(format_args!(
        "log in as {name} with  {password}  (shown this once only; all sessions are ended)"
    ));
    Ok(())
}

async fn remove(named: Named) -> Result<()> {
    beside(&named.config, async |opened| {
        Ok(opened.store.remove_account(&Actor::hub(COMMAND), &named.name).await?)
    })
    .await?;
    say(format_args!("{} is removed", named.name));
    Ok(())
}

/// Roles, tenant and sites, e.g. `agent, supervisor of acme at pudong`.
fn description(actor: &Actor) -> String {
    let roles: Vec<&str> = actor.roles.iter().map(<&str>::from).collect();
    let tenant = actor.tenant().map_or("all tenants".to_owned(), str::to_owned);
    let sites = actor
        .sites()
        .map_or(String::new(), |sites| format!(" at {}", sites.join(", ")));
    format!("{} of {tenant}{sites}", roles.join(", "))
}
