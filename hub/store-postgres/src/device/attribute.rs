//! Attributes: those a device told, and those it is told.

use crate::row::{Columns, db, not_found, sql, text, without_nul};
use crate::store::PostgresStore;
use hub_core::actor::Actor;
use hub_core::id::ApplianceId;
use hub_store::check;
use hub_store::error::Result;
use hub_store::session::Attributes;
use jiff::Timestamp;
use serde_json::{Map, Value};
use sqlx::{PgConnection, PgExecutor};

pub(super) async fn all(store: &PostgresStore, actor: &Actor, appliance: ApplianceId) -> Result<Attributes> {
    let mut tx = store.begin_scoped(actor).await?;
    Ok(Attributes {
        client: of_scope(&mut *tx, appliance, "client").await?,
        shared: of_scope(&mut *tx, appliance, "shared").await?,
    })
}

pub(super) async fn share(
    store: &PostgresStore,
    actor: &Actor,
    appliance: ApplianceId,
    values: &Map<String, Value>,
    now: Timestamp,
) -> Result<Map<String, Value>> {
    let mut tx = store.begin_scoped(actor).await?;
    // Other callers that change them wait, so that the bound holds.
    sqlx::query("select from appliance where id = $1 for no key update")
        .bind(appliance.0)
        .fetch_optional(&mut *tx)
        .await
        .map_err(db)?
        .ok_or_else(|| not_found("appliance", appliance))?;
    let (gone, told): (Vec<_>, Vec<_>) = values.iter().partition(|(_, value)| value.is_null());
    take_away(&mut tx, appliance, gone.iter().map(|(name, _)| text(name)).collect()).await?;
    put(&mut tx, appliance, &told, now).await?;
    let shared = of_scope(&mut *tx, appliance, "shared").await?;
    check::shared_attributes(shared.len())?;
    tx.commit().await.map_err(db)?;
    store.signals.attributes(appliance);
    Ok(shared)
}

async fn take_away(conn: &mut PgConnection, appliance: ApplianceId, names: Vec<String>) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    sqlx::query("delete from appliance_attribute where appliance = $1 and scope = 'shared' and name = any($2)")
        .bind(appliance.0)
        .bind(names)
        .execute(conn)
        .await
        .map_err(db)?;
    Ok(())
}

async fn put(
    conn: &mut PgConnection,
    appliance: ApplianceId,
    told: &[(&String, &Value)],
    now: Timestamp,
) -> Result<()> {
    if told.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into appliance_attribute (appliance, scope, name, value, at) \
         select $1, 'shared', name, value, $4 from unnest($2::text[], $3::jsonb[]) as k (name, value) \
         on conflict (appliance, scope, name) do update set value = excluded.value, at = excluded.at",
    )
    .bind(appliance.0)
    .bind(told.iter().map(|(name, _)| text(name)).collect::<Vec<_>>())
    .bind(
        told.iter()
            .map(|(_, value)| without_nul((*value).clone()))
            .collect::<Vec<_>>(),
    )
    .bind(sql(now))
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

async fn of_scope(conn: impl PgExecutor<'_>, appliance: ApplianceId, scope: &str) -> Result<Map<String, Value>> {
    let rows =
        sqlx::query("select name, value from appliance_attribute where appliance = $1 and scope = $2 order by name")
            .bind(appliance.0)
            .bind(scope)
            .fetch_all(conn)
            .await
            .map_err(db)?;
    rows.iter()
        .map(|row| Ok((row.col("name")?, row.col("value")?)))
        .collect()
}
