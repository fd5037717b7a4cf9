//! Credentials as an administrator gives them and takes them away.

mod authority;
mod device;
mod group;
mod tenant;

use crate::row::{Columns, db, not_found};
use crate::store::PostgresStore;
use hub_core::id::{ApplianceId, DeviceId, TenantId};
use hub_store::check;
use hub_store::error::{Result, StoreError};
use sqlx::PgConnection;
use sqlx::postgres::PgRow;

/// The device, locked.
async fn lock_device(conn: &mut PgConnection, tenant: &TenantId, device: &DeviceId) -> Result<Option<PgRow>> {
    sqlx::query("select * from appliance where tenant = $1 and device = $2 for no key update")
        .bind(tenant.as_str())
        .bind(device.as_str())
        .fetch_optional(conn)
        .await
        .map_err(db)
}

fn no_device(tenant: &TenantId, device: &DeviceId) -> StoreError {
    not_found("device", format!("{tenant}/{device}"))
}

fn appliance_of(row: &PgRow) -> Result<ApplianceId> {
    Ok(ApplianceId(row.col("id")?))
}

fn check_profile(store: &PostgresStore, profile: &str) -> Result<()> {
    check::profile(profile, store.versions().keys())
}

/// Refuses one more than there may be beside `name`, which may be there already. Every addition locks the tenant first.
async fn check_room(conn: &mut PgConnection, table: &str, tenant: &TenantId, name: &str, most: i64) -> Result<()> {
    let tenant_row = sqlx::query("select from tenant where id = $1 for no key update")
        .bind(tenant.as_str())
        .fetch_optional(&mut *conn)
        .await
        .map_err(db)?;
    if tenant_row.is_none() {
        return Err(not_found("tenant", tenant));
    }
    let there: i64 = sqlx::query_scalar(&format!(
        "select count(*) from {table} where tenant = $1 and name <> $2"
    ))
    .bind(tenant.as_str())
    .bind(name)
    .fetch_one(conn)
    .await
    .map_err(db)?;
    check::room(tenant, there, most)
}
