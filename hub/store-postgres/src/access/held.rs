//! The credentials of a device: read from its row, changed by the rules of the core, and written back.

use super::change;
use crate::row::{Columns, db, sql_maybe, unreadable};
use crate::store::PostgresStore;
use crate::transaction::Transaction;
use hub_core::access::{CredentialError, Credentials, Exchange, SecretHash};
use hub_core::id::{ApplianceId, TenantId};
use hub_store::error::{Result, StoreError};
use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use std::fmt::Display;

/// Credentials of a device as its row of `appliance` has them.
pub(crate) fn read(row: &PgRow) -> Result<Credentials> {
    Ok(Credentials {
        revoked: row.col("revoked")?,
        secret: hash(row, "secret_sha256")?,
        old_secret: hash(row, "old_secret_sha256")?,
        old_secret_until: row.maybe_at("old_secret_until")?,
        group: row.col("key_group")?,
        by_certificate: row.col("by_certificate")?,
    })
}

fn hash(row: &PgRow, column: &'static str) -> Result<Option<SecretHash>> {
    let stored = row.col::<Option<&[u8]>>(column)?.map(SecretHash::try_from);
    stored.transpose().map_err(|error| unreadable(column)(Box::new(error)))
}

/// Writes them into the row, which the caller has locked.
pub(crate) async fn write(conn: &mut PgConnection, appliance: ApplianceId, held: &Credentials) -> Result<()> {
    sqlx::query(
        "update appliance set revoked = $2, secret_sha256 = $3, old_secret_sha256 = $4, old_secret_until = $5, \
           key_group = $6, by_certificate = $7 where id = $1",
    )
    .bind(appliance.0)
    .bind(held.revoked)
    .bind(held.secret.as_ref().map(|hash| &hash[..]))
    .bind(held.old_secret.as_ref().map(|hash| &hash[..]))
    .bind(sql_maybe(held.old_secret_until))
    .bind(&held.group)
    .bind(held.by_certificate)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

/// Exchanges secrets of the device in this row, which is locked, and tells the front door of what ended. `device` is how a
/// refusal names it.
pub(crate) async fn exchange(
    store: &PostgresStore,
    mut tx: Transaction,
    row: &PgRow,
    device: impl Display,
    decide: impl FnOnce(&mut Credentials) -> std::result::Result<Exchange, CredentialError>,
) -> Result<Exchange> {
    let (appliance, tenant) = (ApplianceId(row.col("id")?), row.word::<TenantId>("tenant")?);
    let mut held = read(row)?;
    let exchange = decide(&mut held).map_err(|error| refused(&device, error))?;
    if exchange == Exchange::Nothing {
        return Ok(exchange);
    }
    write(&mut tx, appliance, &held).await?;
    if exchange == Exchange::Ended {
        change::device(&mut tx, &tenant, appliance).await?;
    }
    change::commit(store, tx).await?;
    Ok(exchange)
}

pub(crate) fn refused(device: impl Display, error: CredentialError) -> StoreError {
    StoreError::Refused(format!("{device} {error}"))
}
