//! What devices say besides readings: their state, their attributes, answers to commands, the place of their uptime.
//! Of what replaces itself, the last of a batch counts, and what is older than the stored one changes nothing: batches
//! that failed are tried again in another order.

use super::Item;
use super::{birth, command};
use crate::baseline;
use crate::row::{count, db, sql, text, without_nul};
use hub_core::baseline::version;
use hub_store::bounds::{ATTRIBUTES_MAX, FIRMWARE_ATTRIBUTE, OFFSETS_MAX, STATE_MAX};
use hub_store::error::Result;
use hub_store::telemetry::{Ingest, Ingested};
use jiff::Timestamp;
use serde_json::Value;
use sqlx::PgConnection;
use std::collections::BTreeMap;

pub(super) async fn write(conn: &mut PgConnection, items: &[Item<'_>], answers: &mut [Ingested]) -> Result<()> {
    offsets(conn, items).await?;
    states(conn, items, answers).await?;
    birth::write(conn, items).await?;
    attributes(conn, items, answers).await?;
    command::replied(conn, items, answers).await
}

async fn offsets(conn: &mut PgConnection, items: &[Item<'_>]) -> Result<()> {
    let mut last = BTreeMap::new();
    for (_, item) in items {
        if let Ingest::Clock {
            appliance,
            boot,
            offset_ms,
        } = item
        {
            last.insert((appliance.0, boot.cast_signed()), *offset_ms);
        }
    }
    if last.is_empty() {
        return Ok(());
    }
    let appliances: Vec<i64> = last.keys().map(|key| key.0).collect();
    sqlx::query(
        "insert into clock_offset (appliance, boot, offset_ms) select * from unnest($1::bigint[], $2::bigint[], $3::bigint[]) \
         on conflict (appliance, boot) do update set offset_ms = excluded.offset_ms",
    )
    .bind(&appliances)
    .bind(last.keys().map(|key| key.1).collect::<Vec<i64>>())
    .bind(last.values().copied().collect::<Vec<i64>>())
    .execute(&mut *conn)
    .await
    .map_err(db)?;
    sqlx::query(
        "delete from clock_offset where ctid = any(array( \
           select o.at from (select distinct unnest($1::bigint[]) as appliance) k cross join lateral ( \
             select ctid as at from clock_offset where appliance = k.appliance order by number desc offset $2) o))",
    )
    .bind(&appliances)
    .bind(count(OFFSETS_MAX))
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

/// An empty retained state forgets what was retained; what is not to be retained has been passed on only.
async fn states(conn: &mut PgConnection, items: &[Item<'_>], answers: &mut [Ingested]) -> Result<()> {
    let mut last: BTreeMap<i64, (Timestamp, &[u8])> = BTreeMap::new();
    for (place, item) in items {
        if let Ingest::State {
            appliance,
            payload,
            retain: true,
            at,
            ..
        } = item
        {
            answers[*place].stored = 1;
            let newest = last.entry(appliance.0).or_insert((*at, payload));
            if *at >= newest.0 {
                *newest = (*at, payload);
            }
        }
    }
    if last.is_empty() {
        return Ok(());
    }
    let (kept, forgotten): (Vec<_>, Vec<_>) = last.into_iter().partition(|(_, (_, payload))| !payload.is_empty());
    sqlx::query(
        "insert into appliance_state (appliance, payload, at) \
         select * from unnest($1::bigint[], $2::bytea[], $3::timestamptz[]) \
         on conflict (appliance) do update set payload = excluded.payload, at = excluded.at \
         where appliance_state.at <= excluded.at",
    )
    .bind(kept.iter().map(|(appliance, _)| *appliance).collect::<Vec<i64>>())
    .bind(
        kept.iter()
            .map(|(_, (_, p))| &p[..p.len().min(STATE_MAX)])
            .collect::<Vec<_>>(),
    )
    .bind(kept.iter().map(|(_, (at, _))| sql(*at)).collect::<Vec<_>>())
    .execute(&mut *conn)
    .await
    .map_err(db)?;
    sqlx::query(
        "delete from appliance_state where ctid = any(array( \
           select s.place from unnest($1::bigint[], $2::timestamptz[]) as k (appliance, at) cross join lateral ( \
             select ctid as place from appliance_state where appliance = k.appliance and at <= k.at offset 0) s))",
    )
    .bind(forgotten.iter().map(|(appliance, _)| *appliance).collect::<Vec<i64>>())
    .bind(forgotten.iter().map(|(_, (at, _))| sql(*at)).collect::<Vec<_>>())
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

async fn attributes(conn: &mut PgConnection, items: &[Item<'_>], answers: &mut [Ingested]) -> Result<()> {
    let mut last: BTreeMap<(i64, String), (Timestamp, &Value)> = BTreeMap::new();
    for (place, item) in items {
        if let Ingest::Attributes { appliance, values, at } = item {
            answers[*place].stored = 1;
            for (name, value) in values {
                let newest = last.entry((appliance.0, text(name))).or_insert((*at, value));
                if *at >= newest.0 {
                    *newest = (*at, value);
                }
            }
        }
    }
    if last.is_empty() {
        return Ok(());
    }
    let appliances: Vec<i64> = last.keys().map(|(appliance, _)| *appliance).collect();
    let values = last.values().map(|(_, value)| without_nul((*value).clone()));
    sqlx::query(
        "insert into appliance_attribute (appliance, scope, name, value, at) \
         select appliance, 'client', name, value, at \
         from unnest($1::bigint[], $2::text[], $3::jsonb[], $4::timestamptz[]) as k (appliance, name, value, at) \
         on conflict (appliance, scope, name) do update set value = excluded.value, at = excluded.at \
         where appliance_attribute.at <= excluded.at",
    )
    .bind(&appliances)
    .bind(last.keys().map(|(_, name)| name.as_str()).collect::<Vec<_>>())
    .bind(values.collect::<Vec<Value>>())
    .bind(last.values().map(|(at, _)| sql(*at)).collect::<Vec<_>>())
    .execute(&mut *conn)
    .await
    .map_err(db)?;
    let firmware = last.iter().filter(|((_, name), _)| name == FIRMWARE_ATTRIBUTE);
    let firmware = firmware.filter_map(|((appliance, _), (at, value))| {
        let version = value.as_str().and_then(version).map(text)?;
        Some((*appliance, version, *at))
    });
    baseline::told_by_attributes(&mut *conn, &firmware.collect::<Vec<_>>()).await?;
    sqlx::query(
        "delete from appliance_attribute where ctid = any(array( \
           select a.place from (select distinct unnest($1::bigint[]) as appliance) k cross join lateral ( \
             select ctid as place from appliance_attribute where appliance = k.appliance and scope = 'client' \
             order by at desc, name offset $2) a))",
    )
    .bind(&appliances)
    .bind(count(ATTRIBUTES_MAX))
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}
