//! Secrets for declared devices that have nothing to come in with, many at a time.

use crate::keyring::sha256;
use crate::row::db;
use crate::store::{PostgresStore, commit};
use hub_core::id::{DeviceId, TenantId};
use hub_store::error::Result;

/// Nothing lets the device `a` in, and nobody has said that nothing shall.
macro_rules! has_nothing {
    () => {
        "(a.secret_sha256 is null and a.key_group is null and not a.by_certificate and not a.revoked and not exists ( \
           select from certificate c where c.appliance = a.id and c.revoked_at is null))"
    };
}

impl PostgresStore {
    /// Those of these devices that are there and have something to come in with, or are revoked.
    ///
    /// # Errors
    /// The database fails.
    pub async fn devices_with_credential(&self, tenant: &TenantId, devices: &[&str]) -> Result<Vec<String>> {
        sqlx::query_scalar(concat!(
            "select a.device from appliance a where a.tenant = $1 and a.device = any($2) and not ",
            has_nothing!()
        ))
        .bind(tenant.as_str())
        .bind(devices)
        .fetch_all(&self.pool)
        .await
        .map_err(db)
    }

    /// Gives devices that have nothing to come in with a secret, in one transaction; those that got one meanwhile are left
    /// alone. Answers with how many were given.
    ///
    /// # Errors
    /// The database fails: none of them has a secret then, or its answer was lost and all of them do.
    pub async fn give_secrets(&self, tenant: &TenantId, drawn: &[(DeviceId, String)]) -> Result<usize> {
        let devices: Vec<&str> = drawn.iter().map(|(device, _)| device.as_str()).collect();
        let hashes: Vec<Vec<u8>> = drawn
            .iter()
            .map(|(_, secret)| sha256(secret.as_bytes()).to_vec())
            .collect();
        let mut tx = self.begin().await?;
        // In the order in which everybody locks them.
        sqlx::query("select from appliance where tenant = $1 and device = any($2) order by id for no key update")
            .bind(tenant.as_str())
            .bind(&devices)
            .execute(&mut *tx)
            .await
            .map_err(db)?;
        let given = sqlx::query(concat!(
            "update appliance a set secret_sha256 = k.secret from unnest($2::text[], $3::bytea[]) as k (device, secret) \
             where a.tenant = $1 and a.device = k.device and ",
            has_nothing!()
        ))
        .bind(tenant.as_str())
        .bind(&devices)
        .bind(&hashes)
        .execute(&mut *tx)
        .await
        .map_err(db)?
        .rows_affected();
        commit(self, tx).await?;
        Ok(usize::try_from(given).unwrap_or(usize::MAX))
    }
}
