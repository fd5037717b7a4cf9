//! Devices that a site file declared once and does not name any more.

use crate::access::{change, issue};
use crate::row::{db, unreadable};
use crate::store::PostgresStore;
use hub_core::id::{DeviceId, TenantId};
use hub_core::site::Tenant;
use hub_store::error::Result;
use jiff::Timestamp;

impl PostgresStore {
    /// Devices of a tenant that some site file has declared and this one does not name, by name; revoked ones left out. What was
    /// made in other ways – by a command, by a group's key, by a claim credential – is no site file's to name.
    ///
    /// # Errors
    /// The database fails.
    pub async fn no_longer_declared(&self, tenant: &Tenant) -> Result<Vec<DeviceId>> {
        let named: Vec<&str> = tenant.devices.iter().map(|device| device.id.as_str()).collect();
        let names: Vec<String> = sqlx::query_scalar(
            "select a.device from appliance a where a.tenant = $1 and a.declared and not a.revoked \
               and not exists (select from unnest($2::text[]) as k (device) where k.device = a.device) order by a.device",
        )
        .bind(tenant.id.as_str())
        .bind(&named)
        .fetch_all(&self.pool)
        .await
        .map_err(db)?;
        let read = names.into_iter().map(DeviceId::new);
        read.map(|name| name.map_err(|error| unreadable("device")(Box::new(error))))
            .collect()
    }

    /// Lets nothing let these devices of a tenant in any more, and cuts their connections, in one transaction: what
    /// [`revoke_device`](hub_store::credential::DeviceCredentials::revoke_device) does for one. Their data stay.
    ///
    /// # Errors
    /// The database fails: none of them is retired then, or its answer was lost and all of them are.
    pub async fn retire_devices(&self, tenant: &TenantId, devices: &[DeviceId], now: Timestamp) -> Result<()> {
        let names: Vec<&str> = devices.iter().map(DeviceId::as_str).collect();
        let mut tx = self.begin().await?;
        let ids: Vec<i64> = sqlx::query_scalar(
            "select id from appliance where tenant = $1 and device = any($2) and not revoked order by id for no key update",
        )
        .bind(tenant.as_str())
        .bind(&names)
        .fetch_all(&mut *tx)
        .await
        .map_err(db)?;
        sqlx::query("update appliance set revoked = true where id = any($1)")
            .bind(&ids)
            .execute(&mut *tx)
            .await
            .map_err(db)?;
        issue::revoke(self, &mut tx, tenant, &ids, now).await?;
        change::devices(&mut tx, tenant, &ids).await?;
        change::commit(self, tx).await
    }
}
