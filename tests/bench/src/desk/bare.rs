//! The same rows without a rule: what a program would write that knew beforehand what follows.

use super::{FRESH, OLD_FAULT, Plan, evidence, fault, is_fresh, now, prediction};
use crate::store::base::{Base, TENANT};
use anyhow::Result;
use sqlx::{Connection, PgConnection};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// A round; how many seconds it took.
pub(super) async fn written(base: &Base, ids: &[i64], plan: Plan, round: usize) -> Result<f64> {
    let mut sql = base.sql().await?;
    let mut spent = Duration::ZERO;
    for (batch, first) in ids.chunks(plan.batch).zip((0..).step_by(plan.batch)) {
        let (fresh, old): (Vec<_>, Vec<_>) = batch
            .iter()
            .zip(first..)
            .partition(|(_, place)| is_fresh(*place, round));
        let known = findings(&mut sql, &old.iter().map(|(id, _)| **id).collect::<Vec<_>>()).await?;
        let fresh: Vec<i64> = fresh.iter().map(|(id, _)| **id).collect();
        let number = i64::try_from(ids.len() + round * ids.len().div_ceil(FRESH) + first / FRESH)?;
        let begun = Instant::now();
        let mut tx = sql.begin().await?;
        update(&mut tx, &known, round).await?;
        insert(&mut tx, &fresh, round, number).await?;
        tx.commit().await?;
        spent += begun.elapsed();
    }
    sqlx::query("update ticket_counter set last = (select max(number) from ticket)")
        .execute(&mut sql)
        .await?;
    sql.close().await?;
    Ok(spent.as_secs_f64())
}

async fn findings(sql: &mut PgConnection, appliances: &[i64]) -> Result<Vec<Uuid>> {
    let query = "select id from finding where appliance = any($1) and fault_class = $2 order by id";
    Ok(sqlx::query_scalar(query)
        .bind(appliances)
        .bind(OLD_FAULT)
        .fetch_all(sql)
        .await?)
}

async fn update(sql: &mut PgConnection, findings: &[Uuid], round: usize) -> Result<()> {
    sqlx::query("update finding set count = count + 1, last_seen = $2::text::timestamptz where id = any($1)")
        .bind(findings)
        .bind(now(round).to_string())
        .execute(sql)
        .await?;
    Ok(())
}

async fn insert(sql: &mut PgConnection, appliances: &[i64], round: usize, number: i64) -> Result<()> {
    let (fault, now) = (fault(round), now(round).to_string());
    let ids = |kind: u64| -> Vec<Uuid> {
        let id = |appliance: &i64| Uuid::from_u64_pair(kind << 32 | round as u64, appliance.cast_unsigned());
        appliances.iter().map(id).collect()
    };
    let (finding, ticket) = (ids(1), ids(2));
    sqlx::query(
        "insert into finding (id, tenant, appliance, fault_class, state, alarm_at, first_seen, last_seen, count, prediction, \
           evidence, ticket, trace) \
         select id, $1, appliance, $2, 'open', at, at, at, 1, $4, $5, ticket, id \
         from unnest($6::uuid[], $7::bigint[], $8::uuid[]) as k (id, appliance, ticket), \
           lateral (select $3::text::timestamptz as at) n",
    )
    .bind(TENANT)
    .bind(&fault)
    .bind(&now)
    .bind(serde_json::to_value(prediction(&fault))?)
    .bind(serde_json::to_value(evidence())?)
    .bind(&finding)
    .bind(appliances)
    .bind(&ticket)
    .execute(&mut *sql)
    .await?;
    sqlx::query(
        "insert into ticket (id, number, tenant, appliance, kind, finding, fault_class, severity, category, label, contact_phase, opened_at, contact_due, trace) \
         select id, $1 + place, $2, appliance, 'predicted_fault', finding, $3, 'major', 'open', 'open', 'planned', $4::text::timestamptz, $4::text::timestamptz, finding \
         from unnest($5::uuid[], $6::bigint[], $7::uuid[]) with ordinality as k (id, appliance, finding, place)",
    )
    .bind(number)
    .bind(TENANT)
    .bind(&fault)
    .bind(&now)
    .bind(&ticket)
    .bind(appliances)
    .bind(&finding)
    .execute(&mut *sql)
    .await?;
    sqlx::query("insert into timeline (tenant, ticket, at, actor, event) select $1, id, $2::text::timestamptz, 'hub', $3 from unnest($4::uuid[]) id")
        .bind(TENANT)
        .bind(&now)
        .bind(serde_json::json!({"event": "opened", "contact_due": super::now(round)}))
        .bind(&ticket)
        .execute(&mut *sql)
        .await?;
    for kind in ["finding.opened", "ticket.opened"] {
        sqlx::query(
            "insert into event (epoch, transaction, tenant, at, kind, ticket, appliance) \
             select epoch, pg_current_xact_id()::text::bigint, $1, $2::text::timestamptz, $3, id, appliance \
             from event_epoch, unnest($4::uuid[], $5::bigint[]) as k (id, appliance)",
        )
        .bind(TENANT)
        .bind(&now)
        .bind(kind)
        .bind(&ticket)
        .bind(appliances)
        .execute(&mut *sql)
        .await?;
    }
    Ok(())
}
