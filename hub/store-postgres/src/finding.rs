//! Findings as rows.

use crate::row::{Columns, count, db, json, sql};
use hub_core::finding::Finding;
use hub_core::id::{ApplianceId, FindingId, TicketId, TraceId};
use hub_core::situation::Changed;
use hub_core::ticket::ServiceTicket;
use hub_store::error::Result;
use jiff::Timestamp;
use serde_json::{Map, Value};
use sqlx::PgConnection;
use sqlx::postgres::PgRow;

pub(crate) fn from_row(row: &PgRow) -> Result<Finding> {
    Ok(Finding {
        id: FindingId(row.col("id")?),
        tenant: row.word("tenant")?,
        appliance: ApplianceId(row.col("appliance")?),
        fault_class: row.col("fault_class")?,
        state: row.word("state")?,
        alarm_at: row.at("alarm_at")?,
        first_seen: row.at("first_seen")?,
        last_seen: row.at("last_seen")?,
        count: row.col::<i32>("count")?.cast_unsigned(),
        prediction: row.json("prediction")?,
        evidence: row.json("evidence")?,
        ticket: row.col::<Option<uuid::Uuid>>("ticket")?.map(TicketId),
        suppressed_until: row.maybe_at("suppressed_until")?,
        trace: TraceId(row.col("trace")?),
    })
}

pub(crate) async fn by_id(conn: &mut PgConnection, id: FindingId) -> Result<Finding> {
    let row = sqlx::query("select * from finding where id = $1")
        .bind(id.0)
        .fetch_one(conn)
        .await
        .map_err(db)?;
    from_row(&row)
}

/// Open findings of these appliances, oldest first. The caller holds the appliances locked. Evidence is large, no rule looks at
/// it, and what stays is not saved again: it is left out.
pub(crate) async fn open(conn: &mut PgConnection, appliances: &[i64]) -> Result<Vec<Finding>> {
    let rows = sqlx::query(
        "select id, tenant, appliance, fault_class, state, alarm_at, first_seen, last_seen, count, prediction, \
           '{\"channels\":[],\"points\":[],\"anomalous_since\":\"1970-01-01T00:00:00Z\"}'::jsonb as evidence, ticket, \
           suppressed_until, trace \
         from finding where appliance = any($1) and state = 'open' order by first_seen, id",
    )
    .bind(appliances)
    .fetch_all(conn)
    .await
    .map_err(db)?;
    rows.iter().map(from_row).collect()
}

/// What is open on a ticket's appliance, oldest first, and what the ticket is and was about, in whatever state.
pub(crate) async fn of_ticket(conn: &mut PgConnection, ticket: &ServiceTicket) -> Result<Vec<Finding>> {
    let rows = sqlx::query(
        "select * from finding where appliance = $1 and (state = 'open' or id = $2 or ticket = $3) order by first_seen, id",
    )
    .bind(ticket.appliance.0)
    .bind(ticket.finding.0)
    .bind(ticket.id.0)
    .fetch_all(conn)
    .await
    .map_err(db)?;
    rows.iter().map(from_row).collect()
}

/// Appliances with an open finding whose cool-down has ended without a ticket; the longest due first, at most `limit`.
pub(crate) async fn due(conn: &mut PgConnection, now: Timestamp, limit: usize) -> Result<Vec<i64>> {
    sqlx::query_scalar(
        "select appliance from finding where state = 'open' and ticket is null and suppressed_until <= $1 \
         order by suppressed_until limit $2",
    )
    .bind(sql(now))
    .bind(count(limit))
    .fetch_all(conn)
    .await
    .map_err(db)
}

/// Until when a person's "false alarm" keeps which fault of these appliances quiet.
pub(crate) async fn quiet(
    conn: &mut PgConnection,
    appliances: &[i64],
    now: Timestamp,
) -> Result<Vec<(ApplianceId, String, Timestamp)>> {
    let rows = sqlx::query(
        "select appliance, fault_class, max(suppressed_until) as until from finding \
         where appliance = any($1) and suppressed_until > $2 group by appliance, fault_class",
    )
    .bind(appliances)
    .bind(sql(now))
    .fetch_all(conn)
    .await
    .map_err(db)?;
    rows.iter()
        .map(|row| {
            Ok((
                ApplianceId(row.col("appliance")?),
                row.col("fault_class")?,
                row.at("until")?,
            ))
        })
        .collect()
}

/// Saves findings by one statement. Prediction and evidence are large and mostly stay: an empty object stands for what is
/// stored.
pub(crate) async fn save(conn: &mut PgConnection, findings: impl Iterator<Item = &Changed<Finding>>) -> Result<()> {
    let rows: Vec<Value> = findings.map(row).collect::<Result<_>>()?;
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into finding as f (id, tenant, appliance, fault_class, state, alarm_at, first_seen, last_seen, count, \
           prediction, evidence, ticket, suppressed_until, trace) \
         select id, tenant, appliance, fault_class, state, alarm_at, first_seen, last_seen, count, \
           prediction, evidence, ticket, suppressed_until, trace from jsonb_populate_recordset(null::finding, $1) \
         on conflict (id) do update set fault_class = excluded.fault_class, state = excluded.state, \
           last_seen = excluded.last_seen, count = excluded.count, ticket = excluded.ticket, \
           suppressed_until = excluded.suppressed_until, \
           prediction = case when excluded.prediction = '{}' then f.prediction else excluded.prediction end, \
           evidence = case when excluded.evidence = '{}' then f.evidence else excluded.evidence end",
    )
    .bind(Value::Array(rows))
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

/// Its fields are the columns.
fn row(changed: &Changed<Finding>) -> Result<Value> {
    let mut row = json(&changed.now)?;
    if !changed.grew {
        row["prediction"] = Value::Object(Map::new());
        row["evidence"] = Value::Object(Map::new());
    }
    Ok(row)
}
