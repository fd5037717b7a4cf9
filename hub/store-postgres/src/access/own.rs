//! A device that is in exchanges its secret for one that it has made itself. It keeps the new one before it asks, and asks
//! again where it got no answer, so each of these changes nothing when it comes a second time.

use super::held;
use crate::keyring::sha256;
use crate::row::{Columns, db, not_found};
use crate::store::PostgresStore;
use hub_core::access::{CredentialError, Credentials, Exchange, SecretHash, check_own_secret};
use hub_core::id::{ApplianceId, TenantId};
use hub_store::error::{Result, StoreError};

/// Hash of a secret that a device has made.
pub(super) fn hash(secret: &str) -> Result<SecretHash> {
    check_own_secret(secret).map_err(|error| StoreError::Refused(error.to_string()))?;
    Ok(sha256(secret.as_bytes()))
}

pub(super) async fn propose(store: &PostgresStore, appliance: ApplianceId, secret: &str) -> Result<()> {
    let hash = hash(secret)?;
    if let Some(tenant) = exchange(store, appliance, |held| held.propose(hash)).await? {
        tracing::info!(%tenant, %appliance, "a device gave itself a new secret");
    }
    Ok(())
}

pub(super) async fn end_old(store: &PostgresStore, appliance: ApplianceId, secret: &str) -> Result<()> {
    let hash = hash(secret)?;
    if let Some(tenant) = exchange(store, appliance, |held| held.end_old(&hash)).await? {
        tracing::info!(%tenant, %appliance, "old credentials of a device ended: it uses its new secret");
    }
    Ok(())
}

/// The device's tenant, if something has changed.
async fn exchange(
    store: &PostgresStore,
    appliance: ApplianceId,
    decide: impl FnOnce(&mut Credentials) -> std::result::Result<Exchange, CredentialError>,
) -> Result<Option<TenantId>> {
    let mut tx = store.begin().await?;
    let row = sqlx::query("select * from appliance where id = $1 for no key update")
        .bind(appliance.0)
        .fetch_optional(&mut *tx)
        .await
        .map_err(db)?
        .ok_or_else(|| not_found("appliance", appliance))?;
    let device = format!("the device of appliance {appliance}");
    let tenant = row.word("tenant")?;
    let exchange = held::exchange(store, tx, &row, device, decide).await?;
    Ok((exchange != Exchange::Nothing).then_some(tenant))
}
