//! What ledgers are made from: scores of months, closed tickets, tickets that were opened; and what a level that has come down does.

use super::{appliance_model, family, first_id, span};
use crate::row::{Columns, count, db, sql, word};
use crate::store::PostgresStore;
use hub_core::budget::Month;
use hub_core::budget::gate::first_level;
use hub_core::budget::history::HighestScore;
use hub_core::budget::judged::{JUDGED_MAX, JudgedTicket, Predicted};
use hub_core::budget::ledger::Ledger;
use hub_core::call_rules::HoldReason;
use hub_core::contact::ContactPhase;
use hub_core::id::{ApplianceId, TenantId};
use hub_core::outcome::Outcome;
use hub_core::ticket::{TicketCategory, TicketKind};
use hub_store::budget::months_kept;
use hub_store::error::Result;
use jiff::Timestamp;
use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use std::collections::BTreeMap;

/// Open findings that one change of levels looks at. Others wait until their score grows, or for the next change.
const FINDINGS_MAX: usize = 10_000;
/// Calls that one end of a surge makes due.
const CALLS_MAX: usize = 10_000;

/// Each tenant and family with scores, as `pair`.
macro_rules! pairs {
    () => {
        "pair as ( \
           (select tenant, family from score_month order by tenant, family limit 1) \
           union all select n.tenant, n.family from pair p cross join lateral ( \
             select tenant, family from score_month where (tenant, family) > (p.tenant, p.family) \
             order by tenant, family limit 1) n)"
    };
}

/// The families of a tenant's scores, and those with a ledger. Pairs are found one by one in the index, since there are few in millions of
/// rows.
pub(super) async fn families(store: &PostgresStore) -> Result<Vec<(TenantId, String)>> {
    let query = || {
        sqlx::query(concat!(
            "with recursive ",
            pairs!(),
            " select tenant, family from pair union select tenant, family from budget order by 1, 2"
        ))
    };
    let rows = store.fetch(query).await?;
    rows.iter()
        .map(|row| Ok((row.word("tenant")?, row.col("family")?)))
        .collect()
}

/// The highest score of each appliance in a month, by appliance model.
pub(super) async fn scores(
    store: &PostgresStore,
    tenant: &TenantId,
    family: &str,
    month: Month,
) -> Result<BTreeMap<String, Vec<HighestScore>>> {
    let query = || {
        sqlx::query(concat!(
            "select ",
            appliance_model!(),
            " as model, s.appliance, s.score from score_month s join appliance a on a.id = s.appliance \
             left join appliance_birth h on h.appliance = a.id \
             where s.tenant = $1 and s.family = $2 and s.month = $3"
        ))
        .bind(tenant.as_str())
        .bind(family)
        .bind(month.number())
    };
    let mut scores: BTreeMap<String, Vec<HighestScore>> = BTreeMap::new();
    for row in &store.fetch(query).await? {
        let one = HighestScore {
            appliance: ApplianceId(row.col("appliance")?),
            score: row.col("score")?,
        };
        scores.entry(row.col("model")?).or_default().push(one);
    }
    Ok(scores)
}

/// Closed tickets, newest first.
pub(super) async fn judged(conn: &mut PgConnection, tenant: &TenantId) -> Result<Vec<JudgedTicket>> {
    // In the text, not bound: the index is of closed tickets alone.
    let query = [
        "select t.appliance, t.closed_at, t.outcome, t.kind, ",
        appliance_model!(),
        " as model, ",
        family!(),
        " as family, (f.prediction->>'score')::real as score, (f.prediction->>'probability')::real as probability \
         from (select * from ticket where tenant = $1 and category = '",
        TicketCategory::Resolved.name(),
        "' and closed_at is not null \
           order by closed_at desc limit $2) t \
         join appliance a on a.id = t.appliance left join appliance_birth h on h.appliance = a.id \
         left join finding f on f.id = t.finding order by t.closed_at desc",
    ]
    .concat();
    let rows = sqlx::query(&query)
        .bind(tenant.as_str())
        .bind(count(JUDGED_MAX))
        .fetch_all(conn)
        .await
        .map_err(db)?;
    let judged = rows.iter().map(judged_row).collect::<Result<Vec<_>>>()?;
    Ok(judged.into_iter().flatten().collect())
}

fn judged_row(row: &PgRow) -> Result<Option<JudgedTicket>> {
    let Some(outcome) = row.maybe_json::<Outcome>("outcome")? else {
        return Ok(None);
    };
    let (family, score): (Option<String>, Option<f32>) = (row.col("family")?, row.col("score")?);
    let probability: Option<f32> = row.col("probability")?;
    let predicted = family.zip(score).zip(probability);
    let kind: TicketKind = row.word("kind")?;
    Ok(Some(JudgedTicket {
        appliance: ApplianceId(row.col("appliance")?),
        model: row.col("model")?,
        closed_at: row.at("closed_at")?,
        predicted: predicted.map(|((family, score), probability)| Predicted {
            family,
            score,
            probability,
        }),
        verdict: outcome.verdict,
        repaired: outcome.repaired() && kind.mends(),
    }))
}

/// Tickets that were opened for predictions of a family, by appliance model. Ids of tickets count up with the time.
pub(super) async fn opened(
    store: &PostgresStore,
    tenant: &TenantId,
    family: &str,
    within: (Timestamp, Timestamp),
) -> Result<BTreeMap<String, u32>> {
    let query = || {
        let [since, until] = span(within);
        sqlx::query(concat!(
            "select ",
            appliance_model!(),
            " as model, count(*) as opened from ( \
               select appliance, finding from ticket \
               where id >= $5 and opened_at >= $3 and opened_at < $4 and tenant = $1 offset 0) t \
             cross join lateral (select id, profile from appliance where id = t.appliance offset 0) a \
             left join lateral (select model from appliance_birth where appliance = a.id offset 0) h on true \
             cross join lateral (select prediction from finding where id = t.finding offset 0) f where ",
            family!(),
            " = $2 group by 1"
        ))
        .bind(tenant.as_str())
        .bind(family)
        .bind(since)
        .bind(until)
        .bind(first_id(within.0))
    };
    let rows = store.fetch(query).await?;
    rows.iter()
        .map(|row| {
            let opened = u32::try_from(row.col::<i64>("opened")?).unwrap_or(u32::MAX);
            Ok((row.col("model")?, opened))
        })
        .collect()
}

/// Open findings that wait for a score and whose level is that now, or has gone, are due: the scorer's next batch gives them their ticket.
pub(super) async fn wake(conn: &mut PgConnection, tenant: &TenantId, family: &str, now: Timestamp) -> Result<()> {
    let rows = sqlx::query(concat!(
        "select f.id, f.appliance from finding f join appliance a on a.id = f.appliance \
         left join appliance_birth h on h.appliance = a.id \
         where f.tenant = $1 and f.state = 'open' and f.ticket is null and f.suppressed_until is null \
           and f.ticket_from is not null and ",
        family!(),
        " = $2 and (f.prediction->>'score')::double precision >= coalesce((select greatest(l.level, 1) from ( \
             select (m.entry->'thresholds'->'tickets'->>'in_force')::double precision as level from budget_model m \
             where m.tenant = $1 and m.family = $2 and m.model in (",
        appliance_model!(),
        ", '') order by m.model desc limit 1) l where l.level is not null), $4) limit $3"
    ))
    .bind(tenant.as_str())
    .bind(family)
    .bind(count(FINDINGS_MAX))
    .bind(first_level(family).unwrap_or(0.0))
    .fetch_all(&mut *conn)
    .await
    .map_err(db)?;
    if rows.is_empty() {
        return Ok(());
    }
    let appliances: Vec<i64> = rows.iter().map(|row| row.col("appliance")).collect::<Result<_>>()?;
    let findings: Vec<uuid::Uuid> = rows.iter().map(|row| row.col("id")).collect::<Result<_>>()?;
    lock_appliances(conn, appliances).await?;
    sqlx::query(
        "update finding set suppressed_until = $2 \
         where id = any($1) and state = 'open' and ticket is null and suppressed_until is null",
    )
    .bind(findings)
    .bind(sql(now))
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

/// Calls that were held for a surge alone are due where it is over or released. What a person has taken, and nobody approved, is theirs.
/// As many as one step looks at; what is left is looked at when the ledger is kept next, a day later at the latest.
pub(super) async fn end_surges(
    conn: &mut PgConnection,
    (tenant, family): (&TenantId, &str),
    ledger: &Ledger,
    now: Timestamp,
) -> Result<()> {
    let models: Vec<&str> = ledger.models().keys().map(String::as_str).collect();
    let surging: Vec<&str> = ledger.stopped(now).collect();
    // In the text, not bound: the index is of these few alone.
    let (held, surge) = (ContactPhase::Held.name(), word(&HoldReason::Surge)?);
    let query = format!(
        "select t.id, t.appliance from ticket t join appliance a on a.id = t.appliance \
         left join appliance_birth h on h.appliance = a.id join finding f on f.id = t.finding \
         where t.tenant = $1 and t.contact_phase = '{held}' and t.contact_reason = '{surge}' \
           and (t.assignee is null or t.contact_approved_by is not null) and {family} = $2 \
           and case when {model} = any($3) then {model} else '' end <> all($4) limit $5",
        family = family!(),
        model = appliance_model!(),
    );
    let rows = sqlx::query(&query)
        .bind(tenant.as_str())
        .bind(family)
        .bind(models)
        .bind(surging)
        .bind(count(CALLS_MAX))
        .fetch_all(&mut *conn)
        .await
        .map_err(db)?;
    if rows.is_empty() {
        return Ok(());
    }
    let appliances: Vec<i64> = rows.iter().map(|row| row.col("appliance")).collect::<Result<_>>()?;
    let tickets: Vec<uuid::Uuid> = rows.iter().map(|row| row.col("id")).collect::<Result<_>>()?;
    lock_appliances(conn, appliances).await?;
    sqlx::query(
        "update ticket set contact_phase = $3, contact_reason = null, contact_due = $2 \
         where id = any($1) and contact_phase = $4 and contact_reason = $5 \
           and (assignee is null or contact_approved_by is not null)",
    )
    .bind(tickets)
    .bind(sql(now))
    .bind(ContactPhase::Planned.name())
    .bind(held)
    .bind(surge)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

/// As every step of a ticket or finding does.
async fn lock_appliances(conn: &mut PgConnection, ids: Vec<i64>) -> Result<()> {
    sqlx::query("select from appliance where id = any($1) order by id for no key update")
        .bind(ids)
        .execute(conn)
        .await
        .map_err(db)?;
    Ok(())
}

/// Takes out scores of months that are not kept, about `limit` of them.
pub(super) async fn sweep(store: &PostgresStore, now: Timestamp, limit: usize) -> Result<u64> {
    let kept = months_kept(now);
    let mut tx = store.begin_fenced().await?;
    let swept = sqlx::query(concat!(
        "with recursive ",
        pairs!(),
        ", old as (select o.place from pair p cross join lateral ( \
               (select s.ctid as place from score_month s \
                where s.tenant = p.tenant and s.family = p.family and s.month < $1 limit $3) \
               union all (select s.ctid from score_month s \
                where s.tenant = p.tenant and s.family = p.family and s.month > $2 limit $3)) o limit $3) \
             delete from score_month where ctid = any(array(select place from old)) and (month < $1 or month > $2)"
    ))
    .bind(kept.start().number())
    .bind(kept.end().number())
    .bind(count(limit))
    .execute(&mut *tx)
    .await
    .map_err(db)?;
    tx.commit().await.map_err(db)?;
    Ok(swept.rows_affected())
}
