//! `forecall export --to DIR`.

use super::args::ConfigArgs;
use super::target::{goes_on, open_existing, say_keyring};
use crate::terminal::{Teller, log, say};
use anyhow::Result;
use hub_core::clock::{CivilClock, SystemClock};
use hub_moving::{ExportOptions, Moved};
use hub_store_postgres::PostgresStore;
use std::path::{Path, PathBuf};

/// Writes the whole database into a folder: telemetry as Parquet, everything else as JSON Lines. Beside a running hub or
/// without one. Run again after a cut, it goes on.
#[derive(Debug, clap::Args)]
pub struct Export {
    #[command(flatten)]
    config: ConfigArgs,
    /// Folder to write into: new, empty, or that of an export that was cut off.
    #[arg(long, required_unless_present = "hash")]
    to: Option<PathBuf>,
    /// Write nothing; print hashes of all content, which are the same for the same rows in any database.
    #[arg(long, conflicts_with = "to")]
    hash: bool,
    /// Rows in a file of telemetry, at most.
    #[arg(long, default_value_t = 250_000, value_parser = clap::value_parser!(u64).range(1..))]
    rows_per_file: u64,
}

impl Export {
    /// Carries the command out.
    pub async fn run(self) -> Result<()> {
        log("warn");
        let opened = open_existing(&self.config.load()?).await?;
        let done = match &self.to {
            Some(folder) => export(&opened.store, folder, self.rows_per_file).await,
            None => hash(&opened.store).await,
        };
        opened.close().await?;
        done
    }
}

async fn export(store: &PostgresStore, folder: &Path, file_rows: u64) -> Result<()> {
    let options = ExportOptions {
        file_rows,
        now: SystemClock.now(),
    };
    let mut teller = Teller::on_standard_error();
    let moved = hub_moving::export(store, folder, options, &mut |progress| teller.tell(progress)).await;
    drop(teller);
    let moved = moved.map_err(|error| {
        let what = if goes_on(&error) {
            "stopped; when that is mended, run the same command again, and it goes on"
        } else {
            "was not done"
        };
        anyhow::Error::new(error).context(format!("the export to {} {what}", folder.display()))
    })?;
    say(format_args!("{} rows are in {}", moved.rows(), folder.display()));
    say(format_args!("content {}", moved.content));
    say("names and addresses of people are in it in plain text; keep the folder as you keep the database");
    say_keyring();
    Ok(())
}

async fn hash(store: &PostgresStore) -> Result<()> {
    let mut teller = Teller::on_standard_error();
    let content = hub_moving::content(store, &mut |progress| teller.tell(progress)).await;
    drop(teller);
    say_content(&content?);
    Ok(())
}

/// One line a table, then all.
pub fn say_content(content: &Moved) {
    for (name, rows, hash) in &content.tables {
        say(format_args!("{name:<20} {rows:>12} rows  {hash}"));
    }
    say(format_args!(
        "{:<20} {:>12} rows  {}",
        "all",
        content.rows(),
        content.content
    ));
}
