//! `forecall backup --to DIR`.

use super::args::ConfigArgs;
use super::target::{Target, keyring_that_is_there, say_keyring};
use crate::terminal::{Teller, log, say};
use anyhow::{Context, Result};
use hub_core::clock::{CivilClock, SystemClock};
use std::path::PathBuf;

/// Writes a backup of the database with PostgreSQL's pg_dump, also under a running hub.
#[derive(Debug, clap::Args)]
pub struct Backup {
    #[command(flatten)]
    config: ConfigArgs,
    /// New folder to write into.
    #[arg(long)]
    to: PathBuf,
}

impl Backup {
    /// Carries the command out.
    pub async fn run(self) -> Result<()> {
        log("warn");
        let config = self.config.load()?;
        let keyring = keyring_that_is_there(&config)?;
        let target = Target::open_existing(&config).await?;
        let database = target.for_backup(&config)?;
        let mut teller = Teller::on_standard_error();
        let done = hub_moving::backup(&database, &keyring, &self.to, SystemClock.now(), &mut |progress| {
            teller.tell(progress);
        })
        .await;
        drop(teller);
        target.close().await?;
        let done = done.context("there is no backup")?;
        say(format_args!("{} bytes are in {}", done.bytes, done.file.display()));
        say(format_args!("sha256 {}", done.sha256));
        say(format_args!("schema version {}", done.schema));
        say("names and addresses of people are in it in plain text; keep it as you keep the database");
        say_keyring();
        Ok(())
    }
}
