//! `forecall apply -f site.toml`.

mod prune;
mod secrets;

use super::args::ConfigArgs;
use crate::config::Config;
use crate::database::open_beside;
use crate::keyring;
use crate::models::{load_families, profiles};
use crate::site_file;
use crate::terminal::{Teller, log};
use anyhow::{Context, Result};
use hub_core::clock::{CivilClock, SystemClock};
use hub_core::site::Site;
use hub_store::memory::MemoryStore;
use hub_store::site::{SiteChange, SiteStore};
use hub_store_postgres::{CommitUnanswered, PostgresStore, Progress};
use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Changes that are printed one by one; of what is beyond, how many there are of each kind.
const LINES_MAX: usize = 10_000;

/// Brings the store to what a site file declares. Applying it twice changes nothing; cut off, it is finished by applying it
/// again.
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
    /// Gives every declared device that has nothing to come in with a secret, and writes them to this new file: CSV, readable by its
    /// owner alone. Of a device that has a credential, and of one that is revoked, nothing changes.
    #[arg(long, value_name = "FILE")]
    secrets: Option<PathBuf>,
    /// Retires what a site file declared once and this one does not name, of the tenants that it names: nothing lets its devices in any
    /// more, its persons are not rung, over its trunk nobody is rung. Their data stay. With --dry-run it is only listed.
    #[arg(long)]
    prune: bool,
}

impl Apply {
    /// Carries the command out.
    pub async fn run(self) -> Result<()> {
        log("warn");
        let config = self.config.load()?;
        let site = read(&self.file)?;
        self.secrets.as_deref().map_or(Ok(()), secrets::check)?;
        if self.dry_run && !keyring::data_are_there(&config).await? {
            return self.on_nothing(&config, &site).await;
        }
        let opened = open_beside(&config).await?;
        let mut changes = Vec::new();
        let mut teller = Teller::on_standard_error();
        let mut tell = |progress: Progress<'_>| teller.tell(progress);
        let applied = opened
            .store
            .apply_site_telling(&site, SystemClock.now(), self.dry_run, &mut changes, &mut tell)
            .await;
        drop(teller);
        let kept = if self.dry_run { 0 } else { changes.len() };
        if applied.is_ok() || kept > 0 {
            say(
                &changes,
                &mut BufWriter::new(std::io::stdout().lock()),
                changed(self.dry_run),
            );
        }
        let followed = match applied {
            Ok(()) => self.follow(&opened.store, &site).await,
            Err(_) => Ok(()),
        };
        // Not before: it fails too where the own database has ended meanwhile, and what was kept is told all the same.
        let closed = opened.close().await;
        let Err(error) = applied else {
            return followed.and(closed);
        };
        if let Err(error) = closed {
            tracing::warn!(error = %format!("{error:#}"), "the store did not close");
        }
        let follows = what_follows(&self.file, kept, CommitUnanswered::is_behind(&error));
        Err(anyhow::Error::new(error).context(follows))
    }

    /// What was asked for beside the file itself, once that is applied.
    async fn follow(&self, store: &PostgresStore, site: &Site) -> Result<()> {
        if let Some(path) = &self.secrets {
            secrets::give(store, site, path, self.dry_run).await?;
        }
        if self.prune {
            prune::retire(store, site, self.dry_run).await?;
        }
        Ok(())
    }

    /// What applying the file would add where there is no database yet. None is made for that, and no keyring.
    async fn on_nothing(&self, config: &Config, site: &Site) -> Result<()> {
        let families = load_families(&config.models_dir)?;
        let nothing = MemoryStore::new(profiles(&families), 0);
        let changes = nothing.apply_site(site, SystemClock.now(), true).await;
        let changes = changes.with_context(|| what_follows(&self.file, 0, false))?;
        say(&changes, &mut BufWriter::new(std::io::stdout().lock()), changed(true));
        if let Some(path) = &self.secrets {
            secrets::count(site, path);
        }
        Ok(())
    }
}

/// What a failure leaves behind, and what to do; so many changes were kept before it.
fn what_follows(file: &Path, kept: usize, is_unanswered: bool) -> String {
    let file = file.display();
    if is_unanswered {
        let which = if kept > 0 { "next" } else { "first" };
        return format!(
            "it is not known whether the {which} changes of {file} were kept; when the database answers, apply it again: that \
             changes only what is missing"
        );
    }
    if kept > 0 {
        return format!("the rest of {file} is not applied; when that is mended, apply it again");
    }
    format!("{file} is not applied")
}

/// The text is dropped again: a large file takes as much memory as what it declares.
fn read(file: &Path) -> Result<Site> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read the site file {}", file.display()))?;
    site_file::parse(&text).with_context(|| format!("{} is not a valid site file", file.display()))
}

/// What became of the changes that are told.
fn changed(dry_run: bool) -> &'static str {
    if dry_run {
        "would change (nothing was kept)"
    } else {
        "changed"
    }
}

/// A closed pipe is no error worth a panic.
fn say(changes: &[SiteChange], to: &mut impl Write, what: &str) {
    let (told, counted) = changes.split_at(changes.len().min(LINES_MAX));
    for SiteChange { action, kind, id } in told {
        let _ = writeln!(to, "{action:<7} {kind} {id}");
    }
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for SiteChange { action, kind, .. } in counted {
        *counts.entry((*action, *kind)).or_default() += 1;
    }
    for ((action, kind), count) in counts {
        let _ = writeln!(to, "{action:<7} {kind} and {count} more");
    }
    let _ = writeln!(to, "{} {what}", changes.len());
    let _ = to.flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(count: usize, dry_run: bool) -> Vec<String> {
        let change = |n: usize| SiteChange {
            action: "add",
            kind: if n.is_multiple_of(2) { "owner" } else { "device" },
            id: format!("acme/{n}"),
        };
        let changes: Vec<_> = (0..count).map(change).collect();
        let mut said = Vec::new();
        say(&changes, &mut said, changed(dry_run));
        String::from_utf8(said).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_failure_says_what_is_known_of_the_file() {
        let said = |kept, is_unanswered| what_follows(Path::new("a.toml"), kept, is_unanswered);
        assert_eq!(said(0, false), "a.toml is not applied");
        assert!(said(7, false).starts_with("the rest of a.toml is not applied; "));
        for (kept, which) in [(0, "first"), (7, "next")] {
            let start = format!("it is not known whether the {which} changes of a.toml were kept; ");
            assert!(said(kept, true).starts_with(&start), "{}", said(kept, true));
            assert!(said(kept, true).contains("apply it again: that changes only what is missing"));
        }
    }

    #[test]
    fn says_each_change_and_of_very_many_how_many() {
        let few = ["add     owner acme/0", "add     device acme/1", "2 changed"];
        assert_eq!(said(2, false), few);
        assert_eq!(said(0, true), ["0 would change (nothing was kept)"]);
        let many = said(LINES_MAX + 5, false);
        let end = [
            "add     device acme/9999",
            "add     device and 2 more",
            "add     owner and 3 more",
            "10005 changed",
        ];
        assert_eq!(many[LINES_MAX - 1..], end);
    }
}
