//! Groups of devices whose secrets derive from one key.

use super::{appliance_of, check_profile, check_room, lock_device};
use crate::access::{change, enrol, group as keys};
use crate::row::{Columns, db, not_found, sql};
use crate::store::{PostgresStore, sealed};
use hub_core::actor::Actor;
use hub_core::id::{ApplianceId, DeviceId, TenantId};
use hub_store::check;
use hub_store::credential::{GROUPS_MAX, KeyGroup};
use hub_store::error::{Result, StoreError};
use jiff::Timestamp;
use sqlx::PgConnection;
use sqlx::postgres::PgRow;

pub(super) async fn add(
    store: &PostgresStore,
    (tenant, name): (&TenantId, &str),
    key: &[u8],
    profile: &str,
    enrols: bool,
    now: Timestamp,
) -> Result<()> {
    check::credential_name(name)?;
    check_profile(store, profile)?;
    let current = seal(store, "current", tenant, name, key)?;
    let mut tx = store.begin().await?;
    check_room(&mut tx, "key_group", tenant, name, GROUPS_MAX).await?;
    let made = sqlx::query(
        "insert into key_group (tenant, name, profile, enrols, current, created_at) values ($1, $2, $3, $4, $5, $6) \
         on conflict do nothing",
    )
    .bind(tenant.as_str())
    .bind(name)
    .bind(profile)
    .bind(enrols)
    .bind(current)
    .bind(sql(now))
    .execute(&mut *tx)
    .await
    .map_err(db)?;
    if made.rows_affected() == 0 {
        return Err(StoreError::Refused(format!(
            "key group {tenant}/{name} is there already; rotate its key, or take another name"
        )));
    }
    tx.commit().await.map_err(db)
}

pub(super) async fn rotate(store: &PostgresStore, tenant: &TenantId, name: &str, key: &[u8]) -> Result<()> {
    let current = seal(store, "current", tenant, name, key)?;
    let mut tx = store.begin().await?;
    let row = lock(&mut tx, tenant, name).await?;
    if row.col::<Option<Vec<u8>>>("previous")?.is_some() {
        return Err(StoreError::Refused(format!(
            "key group {tenant}/{name} still takes secrets of an older key; retire that one first"
        )));
    }
    let before: Vec<u8> = row.col("current")?;
    let before = store.keyring.unseal(&keys::place("current", tenant, name), &before);
    let previous = seal(store, "previous", tenant, name, &before.map_err(sealed("group key"))?)?;
    set(&mut tx, tenant, name, &current, Some(&previous)).await?;
    tx.commit().await.map_err(db)
}

pub(super) async fn retire(store: &PostgresStore, tenant: &TenantId, name: &str) -> Result<()> {
    let mut tx = store.begin().await?;
    let row = lock(&mut tx, tenant, name).await?;
    if row.col::<Option<Vec<u8>>>("previous")?.is_none() {
        return Err(StoreError::Refused(format!(
            "key group {tenant}/{name} has no older key to retire; rotate its key first"
        )));
    }
    set(&mut tx, tenant, name, &row.col::<Vec<u8>>("current")?, None).await?;
    change::group(&mut tx, tenant, name).await?;
    change::commit(store, tx).await
}

pub(super) async fn join(
    store: &PostgresStore,
    tenant: &TenantId,
    device: &DeviceId,
    group: &str,
    now: Timestamp,
) -> Result<ApplianceId> {
    let mut tx = store.begin().await?;
    let profile: String = sqlx::query_scalar("select profile from key_group where tenant = $1 and name = $2")
        .bind(tenant.as_str())
        .bind(group)
        .fetch_optional(&mut *tx)
        .await
        .map_err(db)?
        .ok_or_else(|| no_group(tenant, group))?;
    let appliance = match lock_device(&mut tx, tenant, device).await? {
        Some(row) if row.col::<String>("profile")? != profile => {
            return Err(StoreError::Refused(format!(
                "device {tenant}/{device} reports by another profile than {profile}, which is the group's"
            )));
        }
        Some(row) => appliance_of(&row)?,
        None => enrol::insert(&mut tx, tenant, device, &profile, now)
            .await?
            .ok_or_else(|| StoreError::Conflict(format!("device {tenant}/{device} was made at the same moment")))?,
    };
    sqlx::query("update appliance set key_group = $2 where id = $1")
        .bind(appliance.0)
        .bind(group)
        .execute(&mut *tx)
        .await
        .map_err(db)?;
    change::device(&mut tx, tenant, appliance).await?;
    change::commit(store, tx).await?;
    Ok(appliance)
}

pub(super) async fn list(store: &PostgresStore, actor: &Actor) -> Result<Vec<KeyGroup>> {
    let mut tx = store.begin_scoped(actor).await?;
    let rows = sqlx::query(
        "select g.tenant, g.name, g.profile, g.enrols, g.previous is not null as previous, \
           (select count(*) from appliance a where a.tenant = g.tenant and a.key_group = g.name) as devices \
         from key_group g where ($1::text is null or g.tenant = $1) order by g.tenant, g.name",
    )
    .bind(actor.tenant())
    .fetch_all(&mut *tx)
    .await
    .map_err(db)?;
    rows.iter()
        .map(|row| {
            Ok(KeyGroup {
                tenant: row.word("tenant")?,
                name: row.col("name")?,
                profile: row.col("profile")?,
                enrols: row.col("enrols")?,
                previous: row.col("previous")?,
                devices: row.col("devices")?,
            })
        })
        .collect()
}

fn seal(store: &PostgresStore, column: &str, tenant: &TenantId, name: &str, key: &[u8]) -> Result<Vec<u8>> {
    check::group_key(key)?;
    let place = keys::place(column, tenant, name);
    store.keyring.seal(&place, key).map_err(sealed("group key"))
}

async fn lock(conn: &mut PgConnection, tenant: &TenantId, name: &str) -> Result<PgRow> {
    sqlx::query("select current, previous from key_group where tenant = $1 and name = $2 for no key update")
        .bind(tenant.as_str())
        .bind(name)
        .fetch_optional(conn)
        .await
        .map_err(db)?
        .ok_or_else(|| no_group(tenant, name))
}

async fn set(
    conn: &mut PgConnection,
    tenant: &TenantId,
    name: &str,
    current: &[u8],
    previous: Option<&[u8]>,
) -> Result<()> {
    sqlx::query("update key_group set current = $3, previous = $4 where tenant = $1 and name = $2")
        .bind(tenant.as_str())
        .bind(name)
        .bind(current)
        .bind(previous)
        .execute(conn)
        .await
        .map_err(db)?;
    Ok(())
}

fn no_group(tenant: &TenantId, name: &str) -> StoreError {
    not_found("key group", format!("{tenant}/{name}"))
}
