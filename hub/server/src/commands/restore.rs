//! `forecall restore --from DIR`.

use super::args::ConfigArgs;
use super::target::{Target, keyring_that_is_there};
use crate::terminal::{log, say};
use anyhow::{Context, Result};
use std::path::PathBuf;

/// Puts a backup into an empty database: a new state directory, or DATABASE_URL. All of it, or nothing.
#[derive(Debug, clap::Args)]
pub struct Restore {
    #[command(flatten)]
    config: ConfigArgs,
    /// Folder of a backup.
    #[arg(long)]
    from: PathBuf,
}

impl Restore {
    /// Carries the command out.
    pub async fn run(self) -> Result<()> {
        log("warn");
        let config = self.config.load()?;
        let keyring = keyring_that_is_there(&config)?;
        let target = Target::open(&config).await?;
        let database = target.for_backup(&config)?;
        let done = hub_moving::restore(&database, &keyring, &self.from).await;
        target.close().await?;
        let done = done.context("nothing was restored")?;
        say(format_args!(
            "restored {} bytes, schema version {}",
            done.bytes, done.schema
        ));
        say("start the hub with `forecall serve`; it brings an older schema to its own");
        Ok(())
    }
}
