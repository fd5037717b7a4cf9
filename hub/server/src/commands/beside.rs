//! What commands that change the store have in common: they work beside a running hub and without one.

use super::{ConfigArgs, log};
use crate::pipeline::{Opened, open_beside};
use anyhow::{Context, Result};
use hub_core::id::{CredentialName, TenantId};
use hub_store::Scope;
use std::fmt::Write;
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
    /// What is to be listed.
    pub fn scope(&self) -> Scope {
        self.tenant.clone().map_or(Scope::All, Scope::Tenant)
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
    hex(&crate::random::bytes::<32>())
}

/// Bytes in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// Bytes from hexadecimal, white space around it aside.
pub fn unhex(digits: &str) -> Result<Vec<u8>> {
    let digits = digits.trim().as_bytes();
    let value = |digit: u8| {
        char::from(digit)
            .to_digit(16)
            .and_then(|value| u8::try_from(value).ok())
    };
    let bytes: Option<Vec<u8>> = match digits.len() % 2 {
        0 => digits
            .chunks(2)
            .map(|pair| Some(value(pair[0])? << 4 | value(pair[1])?))
            .collect(),
        _ => None,
    };
    bytes.context("a key is an even number of hexadecimal digits")
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
    fn hexadecimal_goes_both_ways() {
        assert_eq!(hex(&[0, 0x1f, 0xff]), "001fff");
        assert_eq!(unhex(" 001Fff\n").unwrap(), [0, 0x1f, 0xff]);
        assert!(unhex("001").is_err() && unhex("0x").is_err() && unhex("é1").is_err());
        assert_ne!(new_secret(), new_secret());
    }
}
