//! `--prune`: what a site file declared once and this one does not name is retired, of the tenants that it names.

use super::say;
use anyhow::{Context, Result};
use hub_core::clock::{CivilClock, SystemClock};
use hub_core::site::{OWNER, Site, Tenant};
use hub_store::site::SiteChange;
use hub_store_postgres::{LeftOut, PostgresStore, SITE_BATCH};
use std::io::BufWriter;

/// What follows an error on the way.
const REST: &str = "not all were retired; apply with --prune again for the rest";

/// Lists it, and retires it batch by batch if it is not a `dry_run`. What was retired before an error is told as well.
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

/// The trunk first, and then persons: no call goes out about what follows.
async fn walk(store: &PostgresStore, site: &Site, dry_run: bool, retired: &mut Vec<SiteChange>) -> Result<()> {
    for tenant in &site.tenants {
        trunk(store, tenant, dry_run, retired).await?;
        persons(store, tenant, dry_run, retired).await?;
        devices(store, tenant, dry_run, retired).await?;
    }
    Ok(())
}

async fn trunk(store: &PostgresStore, tenant: &Tenant, dry_run: bool, retired: &mut Vec<SiteChange>) -> Result<()> {
    if !store.has_trunk_left_out(tenant).await? {
        return Ok(());
    }
    if !dry_run {
        store.retire_trunk(&tenant.id).await.context(REST)?;
    }
    retired.push(change("trunk", tenant.id.to_string()));
    Ok(())
}

async fn persons(store: &PostgresStore, tenant: &Tenant, dry_run: bool, retired: &mut Vec<SiteChange>) -> Result<()> {
    let gone = store.persons_left_out(tenant).await?;
    for some in gone.chunks(SITE_BATCH) {
        if !dry_run {
            let done = store.retire_persons(&tenant.id, some, SystemClock.now()).await;
            done.context(REST)?;
        }
        retired.extend(some.iter().map(|LeftOut { household, person, .. }| {
            let home = format!("{}/{household}", tenant.id);
            match person.as_str() {
                OWNER => change("owner", home),
                person => change("person", format!("{home}/{person}")),
            }
        }));
    }
    Ok(())
}

async fn devices(store: &PostgresStore, tenant: &Tenant, dry_run: bool, retired: &mut Vec<SiteChange>) -> Result<()> {
    let gone = store.no_longer_declared(tenant).await?;
    for some in gone.chunks(SITE_BATCH) {
        if !dry_run {
            let done = store.retire_devices(&tenant.id, some, SystemClock.now()).await;
            done.context(REST)?;
        }
        let names = some.iter().map(|device| format!("{}/{device}", tenant.id));
        retired.extend(names.map(|id| change("device", id)));
    }
    Ok(())
}

fn change(kind: &'static str, id: String) -> SiteChange {
    SiteChange {
        action: "retire",
        kind,
        id,
    }
}
