//! `forecall retention …`: a person's word where deletion waits for one.

use super::args::ConfigArgs;
use super::beside::beside;
use crate::terminal::say;
use anyhow::{Result, ensure};
use hub_core::clock::{CivilClock, SystemClock};
use hub_store::retention::UpkeepStore;

/// Longest name of a person, in characters.
const NAME_MAX: usize = 100;

/// Deletion of what is too old.
#[derive(Debug, clap::Args)]
pub struct Retention {
    #[command(subcommand)]
    command: RetentionCommand,
}

#[derive(Debug, clap::Subcommand)]
enum RetentionCommand {
    /// Says that this machine's clock is right, and that what waits may be deleted within a day.
    Confirm(Confirm),
}

#[derive(Debug, clap::Args)]
struct Confirm {
    /// The store.
    #[command(flatten)]
    config: ConfigArgs,
    /// Who says so; it is kept, with the time.
    #[arg(long)]
    by: String,
}

impl Retention {
    /// Carries the command out.
    pub async fn run(self) -> Result<()> {
        match self.command {
            RetentionCommand::Confirm(command) => command.run().await,
        }
    }
}

impl Confirm {
    async fn run(self) -> Result<()> {
        let by = self.by.trim();
        ensure!(
            !by.is_empty() && by.chars().count() <= NAME_MAX,
            "--by is the name of a person, of {NAME_MAX} characters at most"
        );
        let confirmed = beside(&self.config, async |opened| {
            Ok(opened.store.confirm_sweep(by, SystemClock.now()).await?)
        })
        .await?;
        say(format_args!(
            "{} says that it is {}, and that what waits may be deleted until {}",
            confirmed.by, confirmed.at, confirmed.expires_at
        ));
        Ok(())
    }
}
