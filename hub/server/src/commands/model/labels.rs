//! `forecall model labels`: what closed tickets say of predictions.

use crate::commands::args::ConfigArgs;
use crate::commands::target::open_existing;
use crate::terminal::say;
use anyhow::{Context, Result};
use std::path::PathBuf;

/// Writes what closed tickets say of predictions into a table for training (Parquet): a row a ticket, with model, window,
/// verdict and replaced part. Beside a running hub or without one.
#[derive(Debug, clap::Args)]
pub struct Labels {
    #[command(flatten)]
    config: ConfigArgs,
    /// File to write; one that is there gives way when the new one is whole.
    #[arg(long)]
    out: PathBuf,
    /// Tickets of this tenant alone.
    #[arg(long)]
    tenant: Option<String>,
}

impl Labels {
    pub(super) async fn run(self) -> Result<()> {
        let opened = open_existing(&self.config.load()?).await?;
        let written = hub_moving::labels(&opened.store, self.tenant.as_deref(), &self.out).await;
        opened.close().await?;
        let count = written.with_context(|| format!("{} was not written", self.out.display()))?;
        say(format_args!("{count} closed tickets are in {}", self.out.display()));
        Ok(())
    }
}
