//! `forecall import --from DIR`.

use super::args::ConfigArgs;
use super::target::{Target, goes_on, keyring_that_is_there};
use crate::terminal::{Teller, log, say};
use anyhow::{Context, Result};
use hub_core::clock::{CivilClock, SystemClock};
use hub_moving::{ExportFolder, Moved};
use hub_store_postgres::{Keyring, PostgresStore};
use std::path::PathBuf;

/// Puts an export into an empty database: a new state directory, or DATABASE_URL. No hub may work on it meanwhile. Run
/// again after a cut, it goes on.
#[derive(Debug, clap::Args)]
pub struct Import {
    #[command(flatten)]
    config: ConfigArgs,
    /// Folder of a complete export.
    #[arg(long)]
    from: PathBuf,
}

impl Import {
    /// Carries the command out.
    pub async fn run(self) -> Result<()> {
        log("warn");
        let config = self.config.load()?;
        let keyring = keyring_that_is_there(&config)?;
        let folder = ExportFolder::open(&self.from, &keyring).context("nothing was imported")?;
        let target = Target::open(&config).await?;
        let moved = import(&target, keyring, &folder).await;
        target.close().await?;
        let moved = moved?;
        say(format_args!("{} rows are in", moved.rows()));
        say(format_args!("content {}", moved.content));
        say("compare with `forecall export --hash` before a hub starts on it, if you want to be sure of every row");
        Ok(())
    }
}

async fn import(target: &Target, keyring: Keyring, folder: &ExportFolder) -> Result<Moved> {
    let store = PostgresStore::connect_for_import(target.connect_options()?, keyring)
        .await
        .context("cannot open the target")?;
    let mut teller = Teller::on_standard_error();
    let moved = hub_moving::import(&store, folder, SystemClock.now(), &mut |progress| {
        teller.tell(progress);
    })
    .await;
    drop(teller);
    store.close().await;
    moved.map_err(|error| {
        let what = if goes_on(&error) {
            "the import stopped; when that is mended, run the same command again, and it goes on"
        } else {
            "nothing was imported"
        };
        anyhow::Error::new(error).context(what)
    })
}
