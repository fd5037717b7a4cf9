//! Changes of access on their way to the front door: rows that are written with their cause, and taken out by the reader
//! that acted on them, in this process or another. A row goes when the next ones are asked for: an answer that is lost on its
//! way, or a process that ends with it, loses no change.

use crate::row::{Columns, count, db, unreadable};
use crate::store::PostgresStore;
use crate::transaction::Transaction;
use hub_core::id::{ApplianceId, TenantId};
use hub_store::access::AccessChange;
use hub_store::bounds::CHANGES_MAX;
use hub_store::error::Result;
use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use std::time::Duration;
use tokio::time::Instant;

/// How soon changes that another process made are looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// A client that lost access is cut within a second: half of it for hearing of the change, half for acting on it.
const _: () = assert!(LOOK_AGAIN.as_millis() <= 500);

pub(super) async fn wait(store: &PostgresStore, patience: Duration) -> Result<Vec<AccessChange>> {
    let until = Instant::now() + patience;
    loop {
        let changes = look(store).await?;
        let left = until.saturating_duration_since(Instant::now());
        if !changes.is_empty() || left.is_zero() {
            return Ok(changes);
        }
        // Woken or not, it is looked again.
        store.signals.wait_access(left.min(LOOK_AGAIN)).await;
    }
}

async fn look(store: &PostgresStore) -> Result<Vec<AccessChange>> {
    confirm(store).await?;
    let query = || {
        sqlx::query("select number, kind, tenant, name, appliance from access_change order by number limit $1")
            .bind(count(CHANGES_MAX))
    };
    let rows = store.fetch(query).await?;
    let mut numbers = Vec::with_capacity(rows.len());
    let mut changes = Vec::with_capacity(rows.len());
    for row in &rows {
        let number: i64 = row.col("number")?;
        numbers.push(number);
        match change(row) {
            Ok(change) => {
                if let AccessChange::Device(appliance) = &change {
                    store.writer.moved(appliance.0);
                }
                changes.push(change);
            }
            // The others must be told none the less.
            Err(error) => tracing::error!(number, %error, "change of access unreadable, passed over"),
        }
    }
    *told(store) = numbers;
    Ok(changes)
}

/// Takes out what was told before. Where this fails it is tried again before anything else is told.
async fn confirm(store: &PostgresStore) -> Result<()> {
    let numbers = told(store).clone();
    if numbers.is_empty() {
        return Ok(());
    }
    let delete = || sqlx::query("delete from access_change where number = any($1)").bind(&numbers);
    store.fetch(delete).await?;
    told(store).clear();
    Ok(())
}

fn told(store: &PostgresStore) -> std::sync::MutexGuard<'_, Vec<i64>> {
    store
        .changes_told
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn change(row: &PgRow) -> Result<AccessChange> {
    let tenant: TenantId = row.word("tenant")?;
    match row.col::<String>("kind")?.as_str() {
        "device" => Ok(AccessChange::Device(ApplianceId(row.col("appliance")?))),
        "integrator" => Ok(AccessChange::Integrator {
            tenant,
            name: row.col("name")?,
        }),
        "claimant" => Ok(AccessChange::Claimant {
            tenant,
            name: row.col("name")?,
        }),
        "authorities" => Ok(AccessChange::Authorities(tenant)),
        other => Err(unreadable("access change")(other.into())),
    }
}

/// The device's credentials changed.
pub(crate) async fn device(conn: &mut PgConnection, tenant: &TenantId, appliance: ApplianceId) -> Result<()> {
    tell(conn, "device", tenant, None, Some(appliance.0)).await
}

/// The credentials of some devices of a tenant changed.
pub(crate) async fn devices(conn: &mut PgConnection, tenant: &TenantId, appliances: &[i64]) -> Result<()> {
    if appliances.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into access_change (kind, tenant, appliance) select 'device', $1, k.id from unnest($2::bigint[]) as k (id)",
    )
    .bind(tenant.as_str())
    .bind(appliances)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

/// An integrator's token ended.
pub(crate) async fn integrator(conn: &mut PgConnection, tenant: &TenantId, name: &str) -> Result<()> {
    tell(conn, "integrator", tenant, Some(name), None).await
}

/// A claim credential ended.
pub(crate) async fn claimant(conn: &mut PgConnection, tenant: &TenantId, name: &str) -> Result<()> {
    tell(conn, "claimant", tenant, Some(name), None).await
}

/// Authorities or revocation lists of a tenant changed.
pub(crate) async fn authorities(conn: &mut PgConnection, tenant: &TenantId) -> Result<()> {
    tell(conn, "authorities", tenant, None, None).await
}

/// The credentials of every device of a group changed.
pub(crate) async fn group(conn: &mut PgConnection, tenant: &TenantId, name: &str) -> Result<()> {
    sqlx::query(
        "insert into access_change (kind, tenant, appliance) \
         select 'device', tenant, id from appliance where tenant = $1 and key_group = $2",
    )
    .bind(tenant.as_str())
    .bind(name)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

async fn tell(
    conn: &mut PgConnection,
    kind: &str,
    tenant: &TenantId,
    name: Option<&str>,
    appliance: Option<i64>,
) -> Result<()> {
    sqlx::query("insert into access_change (kind, tenant, name, appliance) values ($1, $2, $3, $4)")
        .bind(kind)
        .bind(tenant.as_str())
        .bind(name)
        .bind(appliance)
        .execute(conn)
        .await
        .map_err(db)?;
    Ok(())
}

/// Commits a change of access and wakes this process's front door.
pub(crate) async fn commit(store: &PostgresStore, tx: Transaction) -> Result<()> {
    tx.commit().await.map_err(db)?;
    store.signals.access();
    Ok(())
}
