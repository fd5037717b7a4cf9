//! Baselines that start over, and the firmware that they are learned under.

use crate::row::{Columns, count, db, json, sql, sql_maybe, stored};
use crate::situation;
use crate::store::{PostgresStore, commit};
use hub_core::actor::Actor;
use hub_core::baseline::{Baseline, Firmware, RESTARTS_KEPT, Restart};
use hub_core::finding::FindingState;
use hub_core::id::ApplianceId;
use hub_core::situation::Changes;
use hub_core::ticket::TicketCategory;
use hub_store::error::Result;
use jiff::Timestamp;
use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use std::collections::BTreeMap;

/// A version that a device says at a time.
pub(crate) type Said = (i64, String, Timestamp);

/// Notes versions `k` that were told, where the condition holds. The same again writes nothing.
macro_rules! tell {
    ($condition:literal) => {
        concat!(
            "insert into firmware as f (appliance, told, told_at, baseline, restarts) \
             select k.appliance, k.version, k.at, k.version, 0 \
             from unnest($1::bigint[], $2::text[], $3::timestamptz[]) as k (appliance, version, at) where ",
            $condition,
            " on conflict (appliance) do update set told = excluded.told, told_at = excluded.told_at \
             where f.told <> excluded.told and f.told_at <= excluded.told_at"
        )
    };
}

/// What birth messages say, at most one of an appliance. One that was older than the kept one was not taken.
const OF_AGENTS: &str =
    tell!("exists (select from appliance_birth b where b.appliance = k.appliance and b.at = k.at offset 0)");

/// What attributes say, at most one of an appliance. What a device agent says of its own firmware goes before them.
const OF_ATTRIBUTES: &str = tell!(
    "exists (select from appliance_attribute a where a.appliance = k.appliance and a.scope = 'client' \
         and a.name = 'firmware' and a.at = k.at offset 0) \
       and not exists (select from appliance_birth b where b.appliance = k.appliance offset 0)"
);

/// Takes what birth messages say, after they were.
pub(crate) async fn told_by_agents(conn: &mut PgConnection, said: &[Said]) -> Result<()> {
    tell(conn, OF_AGENTS, said).await
}

/// Takes what the attribute [`FIRMWARE_ATTRIBUTE`](hub_store::bounds::FIRMWARE_ATTRIBUTE) says, after it was.
pub(crate) async fn told_by_attributes(conn: &mut PgConnection, said: &[Said]) -> Result<()> {
    tell(conn, OF_ATTRIBUTES, said).await
}

async fn tell(conn: &mut PgConnection, statement: &'static str, said: &[Said]) -> Result<()> {
    if said.is_empty() {
        return Ok(());
    }
    sqlx::query(statement)
        .bind(said.iter().map(|(appliance, ..)| *appliance).collect::<Vec<i64>>())
        .bind(said.iter().map(|(_, version, _)| version.as_str()).collect::<Vec<_>>())
        .bind(said.iter().map(|(.., at)| sql(*at)).collect::<Vec<_>>())
        .execute(conn)
        .await
        .map_err(db)?;
    Ok(())
}

/// Those of these appliances whose firmware is another than their baseline's.
pub(crate) async fn firmware_changes(
    store: &PostgresStore,
    appliances: &[ApplianceId],
) -> Result<Vec<(ApplianceId, Timestamp)>> {
    let ids: Vec<i64> = appliances.iter().map(|id| id.0).collect();
    let query = || {
        sqlx::query(
            "select f.appliance, f.told_at from unnest($1::bigint[]) as k (appliance) cross join lateral ( \
               select appliance, told_at from firmware where appliance = k.appliance and told <> baseline offset 0) f \
             order by f.appliance",
        )
        .bind(&ids)
    };
    let rows = store.scorer.fetch(query).await?;
    rows.iter()
        .map(|row| Ok((ApplianceId(row.col("appliance")?), row.at("told_at")?)))
        .collect()
}

/// Restarts the baselines of those for which that is due.
pub(crate) async fn follow_firmware(
    store: &PostgresStore,
    appliances: &[ApplianceId],
    now: Timestamp,
) -> Result<Vec<ApplianceId>> {
    let now = stored(now);
    let ids: Vec<i64> = appliances.iter().map(|id| id.0).collect();
    let mut tx = store.begin_fenced().await?;
    let mut situations = situation::load(&mut tx, &ids).await?;
    let mut changes = Changes::default();
    let mut restarted = Vec::new();
    for (appliance, firmware) in of(&mut tx, &ids).await? {
        if let Some(situation) = situations.get_mut(&appliance)
            && situation.follow_firmware(firmware, now, &mut changes)?
        {
            restarted.push(appliance);
        }
    }
    if restarted.is_empty() {
        return Ok(restarted);
    }
    situation::save(&mut tx, changes).await?;
    commit(store, tx).await?;
    Ok(restarted)
}

/// What is told of one appliance's baseline.
pub(crate) async fn of_appliance(store: &PostgresStore, actor: &Actor, appliance: ApplianceId) -> Result<Baseline> {
    let mut tx = store.begin_scoped(actor).await?;
    let firmware = of(&mut tx, &[appliance.0]).await?.remove(&appliance);
    let restarts =
        sqlx::query("select at, reason from baseline_restart where appliance = $1 order by at desc limit $2")
            .bind(appliance.0)
            .bind(count(RESTARTS_KEPT))
            .fetch_all(&mut *tx)
            .await
            .map_err(db)?;
    let query = format!(
        "select exists (select from finding where appliance = $1 and state = '{}') \
           or exists (select from ticket where appliance = $1 and category <> '{}' and finding is not null) as holds",
        FindingState::Open.name(),
        TicketCategory::Resolved.name()
    );
    let holds = sqlx::query(&query)
        .bind(appliance.0)
        .fetch_one(&mut *tx)
        .await
        .map_err(db)?;
    let restart = |row: &PgRow| -> Result<Restart> {
        Ok(Restart {
            at: row.at("at")?,
            reason: row.json("reason")?,
        })
    };
    Ok(Baseline {
        firmware,
        holds_a_fault: holds.col("holds")?,
        restarts: restarts.iter().map(restart).collect::<Result<_>>()?,
    })
}

async fn of(conn: &mut PgConnection, appliances: &[i64]) -> Result<BTreeMap<ApplianceId, Firmware>> {
    let rows = sqlx::query("select * from firmware where appliance = any($1)")
        .bind(appliances)
        .fetch_all(conn)
        .await
        .map_err(db)?;
    rows.iter()
        .map(|row| {
            let firmware = Firmware {
                told: row.col("told")?,
                told_at: row.at("told_at")?,
                baseline: row.col("baseline")?,
                restarts: row.col::<i32>("restarts")?.cast_unsigned(),
                restarted_at: row.maybe_at("restarted_at")?,
            };
            Ok((ApplianceId(row.col("appliance")?), firmware))
        })
        .collect()
}

/// Notes why baselines start over: they are learned under the newest firmware from now on. A version that is told meanwhile is
/// another one than the baseline's.
pub(crate) async fn save(conn: &mut PgConnection, changes: &Changes) -> Result<()> {
    if changes.restarted.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = changes.restarted.keys().map(|id| id.0).collect();
    let reasons = changes.restarted.values().map(|restart| json(&restart.reason));
    sqlx::query(
        "with noted as ( \
           insert into baseline_restart (appliance, at, reason) \
           select * from unnest($1::bigint[], $2::timestamptz[], $3::jsonb[]) \
           on conflict (appliance, at) do update set reason = excluded.reason) \
         update firmware set baseline = told where appliance = any($1) and told <> baseline and appliance <> all($4)",
    )
    .bind(&ids)
    .bind(
        changes
            .restarted
            .values()
            .map(|restart| sql(restart.at))
            .collect::<Vec<_>>(),
    )
    .bind(reasons.collect::<Result<Vec<_>>>()?)
    .bind(changes.firmware.keys().map(|id| id.0).collect::<Vec<i64>>())
    .execute(&mut *conn)
    .await
    .map_err(db)?;
    sqlx::query(
        "delete from baseline_restart where ctid = any(array( \
           select r.place from unnest($1::bigint[]) as k (appliance) cross join lateral ( \
             select ctid as place from baseline_restart where appliance = k.appliance order by at desc offset $2) r))",
    )
    .bind(&ids)
    .bind(count(RESTARTS_KEPT))
    .execute(&mut *conn)
    .await
    .map_err(db)?;
    if changes.firmware.is_empty() {
        return Ok(());
    }
    let firmware = changes.firmware.values();
    sqlx::query(
        "update firmware f set baseline = k.baseline, restarts = k.restarts, restarted_at = k.restarted_at \
         from unnest($1::bigint[], $2::text[], $3::integer[], $4::timestamptz[]) \
           as k (appliance, baseline, restarts, restarted_at) \
         where f.appliance = k.appliance",
    )
    .bind(changes.firmware.keys().map(|id| id.0).collect::<Vec<i64>>())
    .bind(firmware.clone().map(|one| one.baseline.as_str()).collect::<Vec<_>>())
    .bind(
        firmware
            .clone()
            .map(|one| one.restarts.cast_signed())
            .collect::<Vec<_>>(),
    )
    .bind(firmware.map(|one| sql_maybe(one.restarted_at)).collect::<Vec<_>>())
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}
