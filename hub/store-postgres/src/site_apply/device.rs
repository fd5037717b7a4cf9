//! Devices as a site file or an administrator declares them.

mod rows;
mod wanted;

use super::{BATCH, Run, commit, is_tried_again};
use crate::access::change;
use crate::row::db;
use crate::situation;
use hub_core::id::{ApplianceId, TenantId};
use hub_core::site::Device;
use hub_store::error::{Result, StoreError};
use hub_store::site::SiteChange;
use jiff::Timestamp;
use rows::{insert, owners, read, read_locked, update};
use sqlx::PgConnection;
use std::collections::HashMap;
use wanted::{Stored, Wanted};

/// A device whose baseline begins again takes a transaction as long as so many others do: its findings are cleared, and
/// their tickets told, one by one.
const RESTART_WEIGHT: usize = 10;

/// Brings some devices to what a site file declares; without a secret the one that a device has stays.
pub(super) async fn put(
    run: &Run<'_>,
    tenant: &TenantId,
    devices: &[Device],
    changes: &mut Vec<SiteChange>,
) -> Result<()> {
    let wanted: Vec<Wanted<'_>> = devices.iter().map(Wanted::by_file).collect::<Result<_>>()?;
    let stored = {
        let mut conn = run.store.pool.acquire().await.map_err(db)?;
        read(&mut conn, tenant, wanted.iter().map(Wanted::id).collect()).await?
    };
    if run.dry_run {
        wanted
            .iter()
            .for_each(|wanted| wanted.note(tenant, stored.get(wanted.id()), changes));
        return Ok(());
    }
    for part in parts(&wanted, &stored) {
        let mut tries = 1;
        loop {
            match write(run, tenant, &part).await {
                Ok(written) => {
                    changes.extend(written);
                    break;
                }
                Err(error) if is_tried_again(&error, tries) => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// Those that differ, in their order, as many together as one transaction writes.
fn parts<'a, 'b>(wanted: &'a [Wanted<'b>], stored: &HashMap<String, Stored>) -> Vec<Vec<&'a Wanted<'b>>> {
    let mut parts: Vec<Vec<&Wanted<'_>>> = Vec::new();
    let mut room = 0;
    for wanted in wanted {
        let weight = match stored.get(wanted.id()).map(|known| wanted.news(known)) {
            Some(news) if !news.is_any() => continue,
            Some(news) if news.restarted.is_some() => RESTART_WEIGHT,
            Some(_) | None => 1,
        };
        match parts.last_mut().filter(|_| room >= weight) {
            Some(part) => part.push(wanted),
            None => {
                parts.push(vec![wanted]);
                room = BATCH;
            }
        }
        room -= weight;
    }
    parts
}

async fn write(run: &Run<'_>, tenant: &TenantId, wanted: &[&Wanted<'_>]) -> Result<Vec<SiteChange>> {
    let mut tx = run.store.begin().await?;
    let names: Vec<&str> = wanted.iter().map(|wanted| wanted.id()).collect();
    let stored = read_locked(&mut tx, tenant, names).await?;
    let changes = save(&mut tx, tenant, wanted, &stored, run.now).await?;
    commit(run, tx).await?;
    Ok(changes)
}

/// Makes a device or gives it a secret. Of one that exists only what else is stated changes; a new one is made as stated.
pub(crate) async fn add_device(
    conn: &mut PgConnection,
    tenant: &TenantId,
    stated: &Device,
    secret: Option<&[u8; 32]>,
    now: Timestamp,
) -> Result<ApplianceId> {
    let stored = read_locked(&mut *conn, tenant, vec![stated.id.as_str()]).await?;
    let mut device = stated.clone();
    if let Some(known) = stored.get(stated.id.as_str()) {
        if known.revoked {
            return Err(StoreError::Refused(format!(
                "device {tenant}/{} is revoked; let it in again with `forecall device restore` first",
                stated.id
            )));
        }
        if known.profile != stated.profile {
            return Err(StoreError::Refused(format!(
                "device {tenant}/{} reports by profile {}, not {}; change it in the site file",
                stated.id, known.profile, stated.profile
            )));
        }
        device.model = device.model.or(known.model.clone());
        device.owner = device.owner.or(known.owner.clone());
        device.service_point = device.service_point.or(known.service_point.clone());
    }
    let wanted = Wanted {
        device: &device,
        secret: secret.copied(),
        by_file: false,
    };
    save(&mut *conn, tenant, &[&wanted], &stored, now).await?;
    if let Some(known) = stored.get(stated.id.as_str()) {
        return Ok(ApplianceId(known.id));
    }
    sqlx::query_scalar("select id from appliance where tenant = $1 and device = $2")
        .bind(tenant.as_str())
        .bind(stated.id.as_str())
        .fetch_one(conn)
        .await
        .map(ApplianceId)
        .map_err(db)
}

/// Brings devices to what is declared; those that exist are locked and as `stored` says.
async fn save(
    conn: &mut PgConnection,
    tenant: &TenantId,
    wanted: &[&Wanted<'_>],
    stored: &HashMap<String, Stored>,
    now: Timestamp,
) -> Result<Vec<SiteChange>> {
    let mut changes = Vec::with_capacity(wanted.len());
    let (mut fresh, mut changed) = (Vec::new(), Vec::new());
    for wanted in wanted {
        wanted.note(tenant, stored.get(wanted.id()), &mut changes);
        match stored.get(wanted.id()) {
            Some(known) => changed.push((*wanted, known, wanted.news(known))),
            None => fresh.push(*wanted),
        }
    }
    changed.retain(|(_, _, news)| news.is_any());
    let owners = owners(&mut *conn, tenant, wanted).await?;
    insert(&mut *conn, tenant, &fresh, &owners, now).await?;
    update(&mut *conn, &changed, &owners).await?;
    let cut = changed.iter().filter(|(_, _, news)| news.cut);
    let cut: Vec<i64> = cut.map(|(_, known, _)| known.id).collect();
    let restarted = changed.iter();
    let restarted = restarted.filter_map(|(_, known, news)| Some((known.id, news.restarted.clone()?)));
    let restarted = restarted.collect();
    change::devices(&mut *conn, tenant, &cut).await?;
    situation::restart_baselines(&mut *conn, &restarted, now).await?;
    Ok(changes)
}
