//! `forecall apply -f site.toml`.

use super::{ConfigArgs, log, say};
use crate::pipeline::open_beside;
use anyhow::{Context, Result};
use hub_core::clock::{CivilClock, SystemClock};
use hub_core::site::Site;
use hub_store::site::SiteStore;
use std::path::PathBuf;

/// Brings the store to what a site file declares. Applying it twice changes nothing.
#[derive(Debug, clap::Args)]
pub struct Apply {
    #[command(flatten)]
    config: ConfigArgs,
    /// Site file (TOML): see deploy/config/site.example.toml.
    #[arg(long, short)]
    file: PathBuf,
    /// Only say what would change.
    #[arg(long)]
    dry_run: bool,
}

impl Apply {
    /// Runs it.
    pub async fn run(self) -> Result<()> {
        log("warn");
        let config = self.config.load()?;
        let text = std::fs::read_to_string(&self.file)
            .with_context(|| format!("cannot read the site file {}", self.file.display()))?;
        let site: Site =
            toml::from_str(&text).with_context(|| format!("{} is not a valid site file", self.file.display()))?;
        let opened = open_beside(&config).await?;
        let profiles = opened.profiles.keys().cloned().collect();
        let applied = async {
            site.check(&profiles)
                .with_context(|| format!("{} is refused", self.file.display()))?;
            Ok(opened.store.apply_site(&site, SystemClock.now(), self.dry_run).await?)
        };
        let changes: Result<Vec<_>> = applied.await;
        opened.close().await?;
        let changes = changes?;
        for change in &changes {
            say(format_args!("{:<7} {} {}", change.action, change.kind, change.id));
        }
        let what = if self.dry_run {
            "would change (nothing was kept)"
        } else {
            "changed"
        };
        say(format_args!("{} {what}", changes.len()));
        Ok(())
    }
}
