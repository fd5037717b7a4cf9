//! What commands that change the store have in common: they work beside a running hub and without one.

use super::{ConfigArgs, log};
use crate::pipeline::{Opened, open_beside};
use anyhow::{Context, Result, anyhow};
use hub_core::actor::Actor;
use hub_core::id::{CredentialName, TenantId};
use std::path::Path;

/// Longest file that a command reads, in bytes.
const FILE_LEN_MAX: u64 = 8 << 20;

/// Whose.
#[derive(Debug, clap::Args)]
pub struct TenantArgs {
    /// Which store.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Tenant, as in the site file.
    #[arg(long)]
    pub tenant: TenantId,
}

/// Which, within its tenant.
#[derive(Debug, clap::Args)]
pub struct NamedArgs {
    /// Whose.
    #[command(flatten)]
    pub of: TenantArgs,
    /// Name within the tenant.
    #[arg(long)]
    pub name: CredentialName,
}

/// What timelines and refusals call a command on the hub's machine.
pub const COMMAND: &str = "command line";

/// Of one tenant or of all.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Which store.
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

/// Opens the store, does the work, and closes it whatever came of the work.
pub async fn beside<T>(config: &ConfigArgs, work: impl AsyncFnOnce(&Opened) -> Result<T>) -> Result<T> {
    log("warn");
    let opened = open_beside(&config.load()?).await?;
    let done = work(&opened).await;
    opened.close().await?;
    done
}

/// 32 random bytes in hexadecimal.
pub fn new_secret() -> String {
    hex::encode(crate::random::bytes::<32>())
}

/// A key from hexadecimal digits, white space around them aside.
pub fn key_of(digits: &str) -> Result<Vec<u8>> {
    // What was typed is a secret: the cause would show a character of it.
    hex::decode(digits.trim()).map_err(|_| anyhow!("a key is an even number of hexadecimal digits"))
}

/// A file that an administrator names.
pub fn read_file(path: &Path) -> Result<Vec<u8>> {
    let named = || format!("cannot read {}", path.display());
    let length = std::fs::metadata(path).with_context(named)?.len();
    anyhow::ensure!(
        length <= FILE_LEN_MAX,
        "{} has {length} bytes, more than the {FILE_LEN_MAX} that are read",
        path.display()
    );
    std::fs::read(path).with_context(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_from_hexadecimal_and_secrets_differ() {
        assert_eq!(key_of(" 001Fff\n").unwrap(), [0, 0x1f, 0xff]);
        assert!(key_of("001").is_err() && key_of("0x").is_err() && key_of("é1").is_err());
        let told = format!("{:#}", key_of("0x").unwrap_err());
        assert_eq!(told, "a key is an even number of hexadecimal digits");
        assert_ne!(new_secret(), new_secret());
    }
}
