//! Devices' own secrets, and devices that are let out.

use super::{appliance_of, check_profile, lock_device, no_device};
use crate::access::{change, group as keys, held, issue};
use crate::keyring::sha256;
use crate::page::{name_cursor, page, page_limit};
use crate::row::{Columns, db};
use crate::site_apply;
use crate::store::{PostgresStore, commit};
use async_trait::async_trait;
use hub_core::access::{CredentialError, Credentials, Exchange};
use hub_core::actor::{Act, Actor};
use hub_core::id::{ApplianceId, DeviceId, TenantId};
use hub_core::site::Device;
use hub_store::check;
use hub_store::credential::{DeviceAccess, DeviceCredentials, KeyGroup};
use hub_store::error::Result;
use hub_store::page::{PAGE_MAX, Page};
use jiff::Timestamp;
use sqlx::postgres::PgRow;

#[async_trait]
impl DeviceCredentials for PostgresStore {
    async fn device_access(&self, actor: &Actor, after: Option<&str>, limit: usize) -> Result<Page<DeviceAccess>> {
        actor.may(Act::ReadAccess)?;
        list(self, actor, after, limit.clamp(1, PAGE_MAX)).await
    }

    async fn rotate_secret(
        &self,
        tenant: &TenantId,
        device: &DeviceId,
        secret: &str,
        old_until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<()> {
        rotate(self, tenant, device, secret, old_until, now).await
    }

    async fn retire_secret(&self, tenant: &TenantId, device: &DeviceId) -> Result<()> {
        exchange(self, tenant, device, Credentials::retire).await
    }

    async fn revoke_device(&self, tenant: &TenantId, device: &DeviceId, revoked: bool, now: Timestamp) -> Result<()> {
        revoke(self, tenant, device, revoked, now).await
    }

    async fn declare_device(&self, tenant: &TenantId, device: &Device, now: Timestamp) -> Result<ApplianceId> {
        check_profile(self, &device.profile)?;
        let mut tx = self.begin().await?;
        let id = site_apply::add_device(&mut tx, tenant, device, None, now).await?;
        if let Some(row) = lock_device(&mut tx, tenant, &device.id).await? {
            let mut held = held::read(&row)?;
            held.declare();
            held::write(&mut tx, id, &held).await?;
        }
        commit(self, tx).await?;
        Ok(id)
    }

    async fn join_group(
        &self,
        tenant: &TenantId,
        device: &DeviceId,
        group: &str,
        now: Timestamp,
    ) -> Result<ApplianceId> {
        super::group::join(self, tenant, device, group, now).await
    }

    async fn add_group(
        &self,
        tenant: &TenantId,
        name: &str,
        key: &[u8],
        profile: &str,
        enrols: bool,
        now: Timestamp,
    ) -> Result<()> {
        super::group::add(self, (tenant, name), key, profile, enrols, now).await
    }

    async fn rotate_group(&self, tenant: &TenantId, name: &str, key: &[u8]) -> Result<()> {
        super::group::rotate(self, tenant, name, key).await
    }

    async fn retire_group(&self, tenant: &TenantId, name: &str) -> Result<()> {
        super::group::retire(self, tenant, name).await
    }

    async fn groups(&self, actor: &Actor) -> Result<Vec<KeyGroup>> {
        actor.may(Act::ReadAccess)?;
        super::group::list(self, actor).await
    }

    async fn group_secret(&self, tenant: &TenantId, name: &str, device: &DeviceId) -> Result<String> {
        let key = keys::current(self, tenant, name).await?;
        Ok(keys::derive(&key, device).to_string())
    }
}

async fn rotate(
    store: &PostgresStore,
    tenant: &TenantId,
    device: &DeviceId,
    secret: &str,
    old_until: Option<Timestamp>,
    now: Timestamp,
) -> Result<()> {
    check::end_of_old_secret(old_until, now)?;
    let hash = sha256(secret.as_bytes());
    exchange(store, tenant, device, |held| held.rotate(hash, old_until)).await
}

async fn exchange(
    store: &PostgresStore,
    tenant: &TenantId,
    device: &DeviceId,
    decide: impl FnOnce(&mut Credentials) -> std::result::Result<Exchange, CredentialError>,
) -> Result<()> {
    let mut tx = store.begin().await?;
    let row = lock_device(&mut tx, tenant, device).await?;
    let row = row.ok_or_else(|| no_device(tenant, device))?;
    let device = format!("device {tenant}/{device}");
    held::exchange(store, tx, &row, device, decide).await.map(drop)
}

async fn revoke(
    store: &PostgresStore,
    tenant: &TenantId,
    device: &DeviceId,
    revoked: bool,
    now: Timestamp,
) -> Result<()> {
    let mut tx = store.begin().await?;
    let row = lock_device(&mut tx, tenant, device).await?;
    let appliance = appliance_of(&row.ok_or_else(|| no_device(tenant, device))?)?;
    sqlx::query("update appliance set revoked = $2 where id = $1")
        .bind(appliance.0)
        .bind(revoked)
        .execute(&mut *tx)
        .await
        .map_err(db)?;
    if revoked {
        issue::revoke(store, &mut tx, tenant, &[appliance.0], now).await?;
        change::device(&mut tx, tenant, appliance).await?;
    }
    change::commit(store, tx).await?;
    tracing::info!(%tenant, %device, revoked, "a device was revoked or let in again");
    Ok(())
}

async fn list(store: &PostgresStore, actor: &Actor, after: Option<&str>, limit: usize) -> Result<Page<DeviceAccess>> {
    let (tenant, device) = name_cursor(after)?;
    let mut tx = store.begin_scoped(actor).await?;
    let rows = sqlx::query(
        "select a.*, coalesce(s.online, false) as online, \
           (select count(*) from certificate c where c.appliance = a.id and c.revoked_at is null) as certificates \
         from appliance a left join appliance_status s on s.appliance = a.id \
         where ($1::text is null or a.tenant = $1) and (a.tenant, a.device) > ($2, $3) \
         order by a.tenant, a.device limit $4",
    )
    .bind(actor.tenant())
    .bind(tenant)
    .bind(device)
    .bind(page_limit(limit))
    .fetch_all(&mut *tx)
    .await
    .map_err(db)?;
    let items: Vec<DeviceAccess> = rows.iter().map(view).collect::<Result<_>>()?;
    Ok(page(items, limit, |view| format!("{}/{}", view.tenant, view.device)))
}

fn view(row: &PgRow) -> Result<DeviceAccess> {
    Ok(DeviceAccess {
        appliance: appliance_of(row)?,
        tenant: row.word("tenant")?,
        device: row.word("device")?,
        profile: row.col("profile")?,
        revoked: row.col("revoked")?,
        secret: row.col::<Option<Vec<u8>>>("secret_sha256")?.is_some(),
        old_secret: row.col::<Option<Vec<u8>>>("old_secret_sha256")?.is_some(),
        old_secret_until: row.maybe_at("old_secret_until")?,
        group: row.col("key_group")?,
        certificates: row.col("certificates")?,
        online: row.col("online")?,
    })
}
