//! `--prune`: devices that a site file declared once and this one does not name are retired.

use super::say;
use anyhow::{Context, Result};
use hub_core::clock::{CivilClock, SystemClock};
use hub_core::site::Site;
use hub_store::site::SiteChange;
use hub_store_postgres::{PostgresStore, SITE_BATCH};
use std::io::BufWriter;

/// Lists them, and retires them batch by batch if it is not a `dry_run`. What was retired before an error is told as well.
pub(super) async fn retire(store: &PostgresStore, site: &Site, dry_run: bool) -> Result<()> {
    let mut retired = Vec::new();
    let done = walk(store, site, dry_run, &mut retired).await;
    let what = if dry_run {
        "would be retired (nothing was kept)"
    } else {
        "retired"
    };
    say(&retired, &mut BufWriter::new(std::io::stdout().lock()), what);
    done
}

async fn walk(store: &PostgresStore, site: &Site, dry_run: bool, retired: &mut Vec<SiteChange>) -> Result<()> {
    for tenant in &site.tenants {
        let gone = store.no_longer_declared(tenant).await?;
        for some in gone.chunks(SITE_BATCH) {
            if !dry_run {
                let now = SystemClock.now();
                let done = store.retire_devices(&tenant.id, some, now).await;
                done.context("not all were retired; apply with --prune again for the rest")?;
            }
            retired.extend(some.iter().map(|device| SiteChange {
                action: "retire",
                kind: "device",
                id: format!("{}/{device}", tenant.id),
            }));
        }
    }
    Ok(())
}
