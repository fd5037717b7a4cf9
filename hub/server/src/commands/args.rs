//! Arguments that several commands have: the configuration, a tenant, a name within it.

use crate::config::Config;
use anyhow::Result;
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
    pub fn actor(&self) -> Actor {
        Actor::hub(COMMAND).within(self.tenant.clone())
    }
}
