//! Payloads that could not be taken: kept readable, bounded for each tenant, what gives way is counted.

use super::ingest::Home;
use crate::row::{Columns, db, sql, text};
use hub_store::error::Result;
use hub_store::telemetry::{Ingest, QUARANTINE_PAYLOAD_MAX, QUARANTINE_ROWS_MAX, Quarantined};
use sqlx::PgConnection;
use std::collections::{BTreeMap, HashMap};

/// Writes the batch's quarantined payloads; answers with their places in the batch.
pub(super) async fn write(conn: &mut PgConnection, batch: &[Ingest], homes: &HashMap<i64, Home>) -> Result<Vec<usize>> {
    let items: Vec<(usize, &Quarantined, &Home)> = batch
        .iter()
        .enumerate()
        .filter_map(|(at, item)| match item {
            Ingest::Quarantine(payload) => Some((at, payload, homes.get(&payload.appliance.0)?)),
            _ => None,
        })
        .collect();
    if items.is_empty() {
        return Ok(Vec::new());
    }
    sqlx::query(
        "insert into quarantine (tenant, appliance, topic, payload, reason, received_at) \
         select * from unnest($1::text[], $2::bigint[], $3::text[], $4::bytea[], $5::text[], $6::timestamptz[])",
    )
    .bind(
        items
            .iter()
            .map(|(_, _, home)| home.tenant.as_str())
            .collect::<Vec<_>>(),
    )
    .bind(items.iter().map(|(_, q, _)| q.appliance.0).collect::<Vec<i64>>())
    .bind(items.iter().map(|(_, q, _)| text(&q.topic)).collect::<Vec<_>>())
    .bind(items.iter().map(|(_, q, _)| cut(&q.payload)).collect::<Vec<_>>())
    .bind(items.iter().map(|(_, q, _)| text(&q.reason)).collect::<Vec<_>>())
    .bind(items.iter().map(|(_, q, _)| sql(q.received_at)).collect::<Vec<_>>())
    .execute(&mut *conn)
    .await
    .map_err(db)?;
    let mut by_tenant: BTreeMap<&str, i64> = BTreeMap::new();
    for (_, _, home) in &items {
        *by_tenant.entry(home.tenant.as_str()).or_default() += 1;
    }
    for (tenant, count) in by_tenant {
        make_room(conn, tenant, count).await?;
    }
    Ok(items.into_iter().map(|(at, _, _)| at).collect())
}

fn cut(payload: &[u8]) -> &[u8] {
    &payload[..payload.len().min(QUARANTINE_PAYLOAD_MAX)]
}

async fn make_room(conn: &mut PgConnection, tenant: &str, added: i64) -> Result<()> {
    let row = sqlx::query(
        "insert into quarantine_tally (tenant, kept) values ($1, $2) \
         on conflict (tenant) do update set kept = quarantine_tally.kept + $2 returning kept",
    )
    .bind(tenant)
    .bind(added)
    .fetch_one(&mut *conn)
    .await
    .map_err(db)?;
    let over = row.col::<i64>("kept")? - QUARANTINE_ROWS_MAX;
    if over <= 0 {
        return Ok(());
    }
    let dropped = sqlx::query(
        "delete from quarantine where number in ( \
           select number from quarantine where tenant = $1 order by number limit $2)",
    )
    .bind(tenant)
    .bind(over)
    .execute(&mut *conn)
    .await
    .map_err(db)?
    .rows_affected()
    .cast_signed();
    sqlx::query("update quarantine_tally set kept = kept - $2, dropped = dropped + $2 where tenant = $1")
        .bind(tenant)
        .bind(dropped)
        .execute(conn)
        .await
        .map_err(db)?;
    tracing::warn!(tenant, dropped, "quarantine is full: its oldest payloads gave way");
    Ok(())
}
