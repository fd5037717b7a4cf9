//! Arguments that several commands have: the configuration, a tenant, a name within it.

use crate::config::Config;
use crate::database::Opened;
use anyhow::{Result, ensure};
use clap::Args;
use hub_core::actor::Actor;
use hub_core::id::{CredentialName, TenantId};
use std::path::PathBuf;

/// Where the configuration is.
#[derive(Debug, Clone, Args)]
pub struct ConfigArgs {
    /// Configuration file (TOML). Without it the defaults and the environment hold.
    #[arg(long, short = 'c', env = "FORECALL_CONFIG")]
    pub config: Option<PathBuf>,
}

impl ConfigArgs {
    /// Reads it.
    pub fn load(&self) -> Result<Config> {
        Config::load(self.config.as_deref(), |name| std::env::var(name).ok())
    }
}

/// A tenant of the store.
#[derive(Debug, Args)]
pub struct TenantArgs {
    /// Where the store is.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Tenant, as in the site file.
    #[arg(long)]
    pub tenant: TenantId,
}

/// A credential of a tenant.
#[derive(Debug, Args)]
pub struct NamedArgs {
    /// The tenant.
    #[command(flatten)]
    pub of: TenantArgs,
    /// Name within the tenant.
    #[arg(long)]
    pub name: CredentialName,
}

/// What timelines and refusals call a command on the hub's machine.
pub const COMMAND: &str = "command line";

/// What is listed: of one tenant or of all.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Where the store is.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Only this tenant's.
    #[arg(long)]
    tenant: Option<TenantId>,
}

impl ListArgs {
    /// On whose behalf it is listed.
    ///
    /// # Errors
    ///
    /// There is no such tenant, or the database fails.
    pub async fn actor(&self, opened: &Opened) -> Result<Actor> {
        if let Some(tenant) = &self.tenant {
            let known = opened.store.tenants().await?;
            ensure!(known.contains(tenant), "{}", unknown(tenant, &known));
        }
        Ok(Actor::hub(COMMAND).within(self.tenant.clone()))
    }
}

/// Tenants that are named where another one was meant.
const NAMED_MAX: usize = 20;

fn unknown(tenant: &TenantId, known: &[TenantId]) -> String {
    let names: Vec<&str> = known.iter().take(NAMED_MAX).map(TenantId::as_str).collect();
    match (names.as_slice(), known.len().saturating_sub(NAMED_MAX)) {
        ([], _) => format!("there is no tenant {tenant}, and no other one: declare it in a site file and apply that"),
        (_, 0) => format!("there is no tenant {tenant}; this hub has {}", names.join(", ")),
        (_, more) => format!(
            "there is no tenant {tenant}; this hub has {} and {more} more",
            names.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_that_is_not_there_is_told_with_those_that_are() {
        let tenants =
            |count: usize| -> Vec<TenantId> { (0..count).map(|n| TenantId::new(format!("t{n}")).unwrap()).collect() };
        let acne = TenantId::new("acne").unwrap();
        let told = |count| unknown(&acne, &tenants(count));
        assert!(told(0).contains("declare it in a site file"));
        assert_eq!(told(2), "there is no tenant acne; this hub has t0, t1");
        assert!(told(25).ends_with("t19 and 5 more"));
    }
}
