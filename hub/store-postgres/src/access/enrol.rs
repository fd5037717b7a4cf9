//! Devices that are made at the front door: counted against a bound, and made once however many ask at the same time.

use crate::row::{Columns, db, not_found, sql};
use crate::store::PostgresStore;
use hub_core::id::{ApplianceId, DeviceId, TenantId};
use hub_core::partition::partition;
use hub_store::error::{Result, StoreError};
use jiff::Timestamp;
use sqlx::PgConnection;
use std::collections::BTreeMap;

/// A device that showed a secret of a group.
pub(super) struct Newcomer {
    /// In the batch that it came with.
    pub(super) index: usize,
    pub(super) tenant: TenantId,
    pub(super) device: DeviceId,
    pub(super) profile: String,
    pub(super) group: String,
    /// It was declared, and joins only.
    pub(super) known: Option<ApplianceId>,
}

/// Makes them or puts them into their group. Those for whom there is no room stay out, and are told in the log.
pub(super) async fn enrol(store: &PostgresStore, newcomers: Vec<Newcomer>, now: Timestamp) -> Result<()> {
    let mut fresh: BTreeMap<TenantId, BTreeMap<DeviceId, Newcomer>> = BTreeMap::new();
    for newcomer in newcomers {
        match newcomer.known {
            Some(appliance) => join(store, appliance, &newcomer.group).await?,
            None => {
                let of_tenant = fresh.entry(newcomer.tenant.clone()).or_default();
                of_tenant.insert(newcomer.device.clone(), newcomer);
            }
        }
    }
    for (tenant, devices) in fresh {
        make(store, &tenant, devices.into_values().collect(), now).await?;
    }
    Ok(())
}

/// Only if nothing has been given to it meanwhile.
async fn join(store: &PostgresStore, appliance: ApplianceId, group: &str) -> Result<()> {
    let update = || {
        sqlx::query(
            "update appliance set key_group = $2 where id = $1 and not revoked and not by_certificate \
               and key_group is null and secret_sha256 is null and old_secret_sha256 is null",
        )
        .bind(appliance.0)
        .bind(group)
    };
    store.fetch(update).await.map(drop)
}

/// Notes that these devices came in by a certificate: they have something from now on.
pub(super) async fn note_certificates(store: &PostgresStore, appliances: &[i64]) -> Result<()> {
    // In order, so that two batches never wait for each other in a circle.
    let update = || {
        sqlx::query(
            "update appliance set by_certificate = true where id in ( \
               select id from appliance where id = any($1) and not by_certificate order by id for no key update)",
        )
        .bind(appliances)
    };
    store.fetch(update).await.map(drop)
}

async fn make(store: &PostgresStore, tenant: &TenantId, mut devices: Vec<Newcomer>, now: Timestamp) -> Result<()> {
    let mut tx = store.begin().await?;
    let room = room(&mut tx, tenant).await?;
    let wanted = devices.len();
    devices.truncate(usize::try_from(room).unwrap_or(0));
    if devices.len() < wanted {
        let refused = wanted - devices.len();
        tracing::warn!(%tenant, refused, "the tenant has as many devices as it may have; raise device_max or find out who makes them");
    }
    let column = |of: fn(&Newcomer) -> &str| devices.iter().map(of).collect::<Vec<_>>();
    let partitions: Vec<i16> = devices
        .iter()
        .map(|newcomer| i16::from(partition(tenant, &newcomer.device)))
        .collect();
    let made: i64 = sqlx::query_scalar(
        "with made as ( \
           insert into appliance (tenant, tenant_no, device, partition, profile, key_group, created_at) \
           select t.id, t.no, d.device, d.partition, d.profile, d.key_group, $6 \
           from unnest($2::text[], $3::smallint[], $4::text[], $5::text[]) d (device, partition, profile, key_group) \
             join tenant t on t.id = $1 \
           on conflict (tenant, device) do nothing returning id), \
         status as (insert into appliance_status (appliance) select id from made) \
         select count(*) from made",
    )
    .bind(tenant.as_str())
    .bind(column(|newcomer| newcomer.device.as_str()))
    .bind(partitions)
    .bind(column(|newcomer| &newcomer.profile))
    .bind(column(|newcomer| &newcomer.group))
    .bind(sql(now))
    .fetch_one(&mut *tx)
    .await
    .map_err(db)?;
    count(&mut tx, tenant, made).await?;
    tx.commit().await.map_err(db)?;
    tracing::info!(%tenant, made, "devices enrolled by their group's key");
    Ok(())
}

/// How many devices more the tenant may have. Callers that make devices wait here for one another until the commit; taken
/// before a device is made, never after.
pub(crate) async fn room(conn: &mut PgConnection, tenant: &TenantId) -> Result<i64> {
    sqlx::query_scalar(
        "with tally as ( \
           insert into device_tally (tenant, devices) select id, 0 from tenant where id = $1 \
           on conflict (tenant) do update set devices = device_tally.devices returning devices) \
         select t.device_max - tally.devices from tenant t, tally where t.id = $1",
    )
    .bind(tenant.as_str())
    .fetch_optional(conn)
    .await
    .map_err(db)?
    .ok_or_else(|| not_found("tenant", tenant))
}

/// Takes room for so many devices and counts them; false, with nothing counted, if the tenant is unknown or may not have
/// so many more. A caller that makes devices waits here as in [`room`]; it makes all of them, or rolls back.
pub(crate) async fn take(conn: &mut PgConnection, tenant: &TenantId, wanted: usize) -> Result<bool> {
    let taken = sqlx::query(
        "insert into device_tally as tally (tenant, devices) \
           select id, $2::bigint from tenant where id = $1 and device_max >= $2::bigint \
         on conflict (tenant) do update set devices = tally.devices + excluded.devices \
           where tally.devices + excluded.devices <= (select device_max from tenant where id = $1)",
    )
    .bind(tenant.as_str())
    .bind(i64::try_from(wanted).unwrap_or(i64::MAX))
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(taken.rows_affected() == 1)
}

/// Counts devices that were made.
pub(crate) async fn count(conn: &mut PgConnection, tenant: &TenantId, made: i64) -> Result<()> {
    sqlx::query("update device_tally set devices = devices + $2 where tenant = $1")
        .bind(tenant.as_str())
        .bind(made)
        .execute(conn)
        .await
        .map_err(db)?;
    Ok(())
}

/// There is no room for this device.
pub(crate) fn full(tenant: &TenantId, device: &DeviceId) -> StoreError {
    StoreError::Refused(format!(
        "tenant {tenant} has no room for device {device}: it has as many devices as it may have; raise its device_max or \
         remove some"
    ))
}

/// Makes one device as it is declared, unless somebody else does so at the same moment; then there is none to tell of.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    tenant: &TenantId,
    device: &DeviceId,
    profile: &str,
    now: Timestamp,
) -> Result<Option<ApplianceId>> {
    if room(&mut *conn, tenant).await? < 1 {
        return Err(full(tenant, device));
    }
    let row = sqlx::query(
        "with made as ( \
           insert into appliance (tenant, tenant_no, device, partition, profile, created_at) \
           select id, no, $2, $3, $4, $5 from tenant where id = $1 on conflict (tenant, device) do nothing returning id), \
         status as (insert into appliance_status (appliance) select id from made) \
         select id from made",
    )
    .bind(tenant.as_str())
    .bind(device.as_str())
    .bind(i16::from(partition(tenant, device)))
    .bind(profile)
    .bind(sql(now))
    .fetch_optional(&mut *conn)
    .await
    .map_err(db)?;
    let Some(row) = row else { return Ok(None) };
    count(conn, tenant, 1).await?;
    Ok(Some(ApplianceId(row.col("id")?)))
}
