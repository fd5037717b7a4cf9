//! A device that is in exchanges its secret for one that it has made itself. It keeps the new one before it asks, and asks
//! again where it got no answer, so each of these changes nothing when it comes a second time.

use super::change;
use crate::keyring::sha256;
use crate::row::{Columns, db, not_found};
use crate::store::PostgresStore;
use hub_core::access::check_own_secret;
use hub_core::id::{ApplianceId, TenantId};
use hub_store::error::{Result, StoreError};
use sqlx::PgConnection;
use subtle::ConstantTimeEq;

/// A device and what lets it in, locked.
struct DeviceAccess {
    tenant: TenantId,
    revoked: bool,
    secret: Option<Vec<u8>>,
    old_secret: Option<Vec<u8>>,
    group: Option<String>,
    by_certificate: bool,
}

/// Hash of a secret that a device has made.
pub(super) fn hash(secret: &str) -> Result<[u8; 32]> {
    check_own_secret(secret).map_err(|error| StoreError::Refused(error.to_string()))?;
    Ok(sha256(secret.as_bytes()))
}

/// Whether this is what is stored.
pub(super) fn is(stored: Option<&[u8]>, hash: &[u8; 32]) -> bool {
    stored.is_some_and(|stored| bool::from(stored.ct_eq(hash)))
}

pub(super) async fn propose(store: &PostgresStore, appliance: ApplianceId, secret: &str) -> Result<()> {
    let hash = hash(secret)?;
    let mut tx = store.begin().await?;
    let held = hold(&mut tx, appliance).await?;
    if is(held.secret.as_deref(), &hash) {
        return Ok(());
    }
    if held.revoked {
        return Err(refused(appliance, "is revoked"));
    }
    if is(held.old_secret.as_deref(), &hash) {
        return Err(refused(
            appliance,
            "had this secret before the present one; it has to make a new one",
        ));
    }
    if held.by_certificate && held.secret.is_none() {
        return Err(refused(
            appliance,
            "comes in by a certificate and has no secret to exchange",
        ));
    }
    sqlx::query(
        "update appliance set old_secret_sha256 = secret_sha256, old_secret_until = null, secret_sha256 = $2 \
         where id = $1",
    )
    .bind(appliance.0)
    .bind(&hash[..])
    .execute(&mut *tx)
    .await
    .map_err(db)?;
    if held.old_secret.is_some() {
        change::device(&mut tx, &held.tenant, appliance).await?;
    }
    change::commit(store, tx).await?;
    tracing::info!(tenant = %held.tenant, %appliance, "a device gave itself a new secret");
    Ok(())
}

pub(super) async fn end_old(store: &PostgresStore, appliance: ApplianceId, secret: &str) -> Result<()> {
    let hash = hash(secret)?;
    let mut tx = store.begin().await?;
    let held = hold(&mut tx, appliance).await?;
    if !is(held.secret.as_deref(), &hash) {
        return Err(refused(appliance, "has another secret by now"));
    }
    if held.old_secret.is_none() && held.group.is_none() {
        return Ok(());
    }
    sqlx::query(
        "update appliance set old_secret_sha256 = null, old_secret_until = null, key_group = null where id = $1",
    )
    .bind(appliance.0)
    .execute(&mut *tx)
    .await
    .map_err(db)?;
    change::device(&mut tx, &held.tenant, appliance).await?;
    change::commit(store, tx).await?;
    tracing::info!(tenant = %held.tenant, %appliance, "old credentials of a device ended: it uses its new secret");
    Ok(())
}

async fn hold(conn: &mut PgConnection, appliance: ApplianceId) -> Result<DeviceAccess> {
    let row = sqlx::query(
        "select tenant, revoked, secret_sha256, old_secret_sha256, key_group, by_certificate \
         from appliance where id = $1 for no key update",
    )
    .bind(appliance.0)
    .fetch_optional(conn)
    .await
    .map_err(db)?
    .ok_or_else(|| not_found("appliance", appliance))?;
    Ok(DeviceAccess {
        tenant: row.word("tenant")?,
        revoked: row.col("revoked")?,
        secret: row.col("secret_sha256")?,
        old_secret: row.col("old_secret_sha256")?,
        group: row.col("key_group")?,
        by_certificate: row.col("by_certificate")?,
    })
}

fn refused(appliance: ApplianceId, why: &str) -> StoreError {
    StoreError::Refused(format!("the device of appliance {appliance} {why}"))
}
