//! Payloads that could not be taken: kept readable, bounded for each tenant, what gives way is counted.

use super::Item;
use crate::row::{Columns, db, sql, text};
use hub_core::telemetry::REPEATS_WITHIN;
use hub_store::error::Result;
use hub_store::telemetry::{
    ASIDE_COMPARED_MAX, Ingest, Ingested, QUARANTINE_PAYLOAD_MAX, QUARANTINE_ROWS_MAX, Quarantined,
};
use sqlx::PgConnection;
use std::collections::{BTreeMap, HashSet};

/// Writes the quarantined payloads among the items, and what could not be taken of messages whose readings are written.
pub(super) async fn write(conn: &mut PgConnection, items: &[Item<'_>], answers: &mut [Ingested]) -> Result<()> {
    let (mut payloads, mut doubtful): (Vec<&Quarantined>, Vec<&Quarantined>) = (Vec::new(), Vec::new());
    for (at, item) in items {
        match item {
            Ingest::Quarantine(payload) => {
                answers[*at].stored = 1;
                payloads.push(payload);
            }
            // What was put aside was stored with readings: with new ones, it is new.
            Ingest::Partly(partly) if answers[*at].stored > 0 => payloads.push(&partly.aside),
            Ingest::Partly(partly) => doubtful.push(&partly.aside),
            _ => {}
        }
    }
    keep(conn, &payloads).await?;
    let repeats = repeats(conn, &doubtful).await?;
    let mut known = HashSet::new();
    let is_new = |(place, payload): &(usize, &Quarantined)| {
        !repeats.contains(place) && known.insert((payload.appliance, payload.payload.clone()))
    };
    let new = doubtful.into_iter().enumerate().filter(is_new);
    keep(conn, &new.map(|(_, payload)| payload).collect::<Vec<_>>()).await
}

/// Which of these payloads were put aside a little while ago, by their places in the list.
async fn repeats(conn: &mut PgConnection, asked: &[&Quarantined]) -> Result<HashSet<usize>> {
    if asked.is_empty() {
        return Ok(HashSet::new());
    }
    let span = |q: &&Quarantined| {
        let (at, within) = (q.received_at, REPEATS_WITHIN);
        (
            at.checked_sub(within).unwrap_or(at),
            at.checked_add(within).unwrap_or(at),
        )
    };
    let (earliest, latest): (Vec<_>, Vec<_>) = asked.iter().map(span).map(|(a, b)| (sql(a), sql(b))).unzip();
    let places: Vec<i64> = sqlx::query_scalar(
        "select k.place from unnest($1::bigint[], $2::bytea[], $3::timestamptz[], $4::timestamptz[]) \
           with ordinality as k (appliance, payload, earliest, latest, place) \
         where exists (select from (select payload, received_at from quarantine where appliance = k.appliance \
           order by number desc limit $5) q \
         where q.payload = k.payload and q.received_at > k.earliest and q.received_at < k.latest)",
    )
    .bind(asked.iter().map(|q| q.appliance.0).collect::<Vec<i64>>())
    .bind(asked.iter().map(|q| cut(&q.payload)).collect::<Vec<_>>())
    .bind(earliest)
    .bind(latest)
    .bind(i64::try_from(ASIDE_COMPARED_MAX).unwrap_or(i64::MAX))
    .fetch_all(conn)
    .await
    .map_err(db)?;
    Ok(places
        .iter()
        .filter_map(|place| usize::try_from(place - 1).ok())
        .collect())
}

/// Puts these payloads aside.
pub(super) async fn keep(conn: &mut PgConnection, payloads: &[&Quarantined]) -> Result<()> {
    if payloads.is_empty() {
        return Ok(());
    }
    let mut added: BTreeMap<i64, i64> = BTreeMap::new();
    for payload in payloads {
        *added.entry(payload.appliance.0).or_default() += 1;
    }
    let tenants: Vec<String> = sqlx::query_scalar(
        "with written as ( \
           insert into quarantine (tenant, appliance, topic, payload, reason, received_at) \
           select a.tenant, k.appliance, k.topic, k.payload, k.reason, k.received_at \
           from unnest($1::bigint[], $2::text[], $3::bytea[], $4::text[], $5::timestamptz[]) \
             with ordinality as k (appliance, topic, payload, reason, received_at, place) \
           cross join lateral (select tenant from appliance where id = k.appliance offset 0) a \
           order by k.place returning tenant) \
         select tenant from written",
    )
    .bind(payloads.iter().map(|q| q.appliance.0).collect::<Vec<i64>>())
    .bind(payloads.iter().map(|q| text(&q.topic)).collect::<Vec<_>>())
    .bind(payloads.iter().map(|q| cut(&q.payload)).collect::<Vec<_>>())
    .bind(payloads.iter().map(|q| text(&q.reason)).collect::<Vec<_>>())
    .bind(payloads.iter().map(|q| sql(q.received_at)).collect::<Vec<_>>())
    .fetch_all(&mut *conn)
    .await
    .map_err(db)?;
    let mut by_tenant: BTreeMap<&str, i64> = BTreeMap::new();
    for tenant in &tenants {
        *by_tenant.entry(tenant).or_default() += 1;
    }
    for (tenant, count) in by_tenant {
        make_room(conn, tenant, count).await?;
    }
    count(conn, &added).await
}

/// In the order of appliances, as the roll-up locks them.
async fn count(conn: &mut PgConnection, added: &BTreeMap<i64, i64>) -> Result<()> {
    let appliances: Vec<i64> = added.keys().copied().collect();
    sqlx::query(
        "insert into appliance_status as s (appliance, quarantined) \
         select appliance, count from unnest($1::bigint[], $2::bigint[]) as k (appliance, count) \
         where (select true from appliance_status where appliance = k.appliance) order by appliance \
         on conflict (appliance) do update set quarantined = s.quarantined + excluded.quarantined",
    )
    .bind(&appliances)
    .bind(added.values().copied().collect::<Vec<i64>>())
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
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
    tracing::warn!(tenant, dropped, "quarantine full: oldest payloads deleted");
    Ok(())
}
